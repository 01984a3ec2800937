"""The engine of ``xarray.open_dataset(path, engine="nrm")``: curves of any format, and results."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import xarray as xr
from xarray.backends import BackendEntrypoint

from nrm_plugin import formats
from nrm_plugin.errors import NrmError
from nrm_plugin.files import HEAD, opened_hdf5, read_start
from nrm_plugin.store.nexus import FORMAT, RESULTS_FORMAT, text
from nrm_plugin.store.read_curves import holds_results
from nrm_plugin.store.read_results import open_results

#: How HDF5 files begin.
_HDF5 = b"\x89HDF\r\n\x1a\n"


class XarrayEngine(BackendEntrypoint):
    """Opens curves and results; samples and profiles are read when they are asked for."""

    description = "Force curves of any format that nrm-plugin reads, and its results"
    supports_groups = True
    open_dataset_parameters = (
        "filename_or_obj",
        "drop_variables",
        "decisions",
        "importer",
        "settings",
    )

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        decisions: bool = True,
        importer: str | None = None,
        settings: Any = None,
    ) -> xr.Dataset:
        """Open curves, as `nrm_plugin.open`, or results, as `open_results`."""
        dropped = [drop_variables] if isinstance(drop_variables, str) else drop_variables or ()
        if importer is None and holds_results(filename_or_obj):
            opened = open_results(filename_or_obj, decisions)
        else:
            opened = formats.open(filename_or_obj, importer, settings=settings).to_xarray()
        return opened.drop_vars(dropped, errors="ignore")

    def open_groups_as_dict(self, filename_or_obj: Any, **options: Any) -> dict[str, xr.Dataset]:
        """Open groups: results, or curves and their images."""
        whole = self.open_dataset(filename_or_obj, **options)
        if "sample" not in whole.dims:
            return {"/": xr.Dataset(attrs=whole.attrs), "/results": whole}
        images = [str(name) for name in whole.data_vars if str(name).startswith("image_")]
        groups = {"/": xr.Dataset(attrs=whole.attrs), "/curves": whole.drop_vars(images)}
        for name in images:
            image = xr.Dataset({"image": whole[name].variable})
            groups[f"/images/{name}"] = image.rename({f"{name}_y": "y", f"{name}_x": "x"})
        return groups

    def open_datatree(self, filename_or_obj: Any, **options: Any) -> xr.DataTree:
        """Open the groups as a tree."""
        return xr.DataTree.from_dict(self.open_groups_as_dict(filename_or_obj, **options))

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether a file is one of ours, or an importer is sure of it; of HDF5 files, only ours."""
        if not isinstance(filename_or_obj, str | PathLike):
            return False
        path = Path(filename_or_obj)
        try:
            head = read_start(path, HEAD)
            if head.startswith(_HDF5):
                with opened_hdf5(path) as file:
                    return text(file.attrs.get("format", "")) in (FORMAT, RESULTS_FORMAT)
        except (NrmError, OSError, ValueError):
            return False
        return formats.is_ours(path)
