"""A kind of figure with an option: ``nrm plot results.h5 --kind walls --relative``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nrm_plugin.parameters import Field, MethodSettings

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


class Walls:
    """The contact of every curve, and the wall below it to which a line was fitted."""

    name = "walls"
    description = "contact of every curve with its standard error, and the wall below it"
    needs = "results"

    class Settings(MethodSettings):
        """Every field is an option of ``nrm plot``."""

        relative: bool = Field(default=False, description="heights count from the contact")

    def draw(self, data: xr.Dataset, ax: Axes, settings: Settings | None = None) -> list[Any]:
        """Draw results into axes, and return what was drawn."""
        nm = 1e9
        number = np.arange(data.sizes["curve"])
        contact = nm * data["contact_height"].values
        if (settings or self.Settings()).relative:
            contact = contact - contact
        wall = contact - nm * data["wall_length"].values
        stderr = nm * data["contact_height_stderr"].values
        walls = ax.vlines(number, wall, contact, colors="C1", label="wall")
        contacts = ax.errorbar(number, contact, stderr, fmt="k.", label="contact")
        ax.set_xlabel("curve")
        ax.set_ylabel("height (nm)")
        ax.legend()
        return [walls, contacts]


#: What `nrm_figures` names.
WALLS = Walls()
