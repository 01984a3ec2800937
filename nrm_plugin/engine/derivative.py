"""Profiles of a block by the method that the recipe names."""

from __future__ import annotations

import numpy as np

from nrm_plugin.columns import FloatArray
from nrm_plugin.engine import kernels
from nrm_plugin.engine.contact import Contacts
from nrm_plugin.engine.signals import Block


def profiles(
    block: Block,
    contacts: Contacts,
    depth: FloatArray,
    settings: FloatArray,
    own: FloatArray,
    correlation: FloatArray,
    method: str,
) -> tuple[FloatArray, FloatArray]:
    """Forces and gradients of the curves of a block.

    Parameters
    ----------
    depth, settings, own, correlation
        As in `kernels.profiles`.
    method : str
        ``derivative.method`` of the recipe.

    Returns
    -------
    found : (n, 7, m) array
    valid : (n,) array
    """
    found = np.empty((len(block), 7, len(depth)))
    valid = np.empty(len(block))
    kernels.profiles(
        block.begin, block.height, contacts.clean, block.in_phase, block.quadrature,
        contacts.rows, depth, settings, own, correlation, found, valid,
    )  # fmt: skip
    return found, valid
