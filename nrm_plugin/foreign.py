"""Files of other programs that are not read here: what they are, and the way in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ForeignKind:
    """A kind of file, with its article, and what a person can do with one."""

    what: str
    way_in: str


_GWYDDION = "open it in Gwyddion, save it as .gwy, and open that"
_EXPORT = "export its curves as text (nrm table says how such text is read)"

#: Places and bytes by which a kind shows itself, the first that fits.
_SIGNATURES: tuple[tuple[int, bytes, ForeignKind], ...] = (
    (0, b"\x01\xb0\x93\xff", ForeignKind("an NT-MDT file (.mdt)", _GWYDDION)),
    (0, b"GDEF", ForeignKind("a DME file (GDEF)", _GWYDDION)),
    (0, b"WSxM file", ForeignKind("a WSxM file", _GWYDDION)),
    (0, b"WIT_PRCT", ForeignKind("a WITec project", "export its curves as text")),
    (0, b"WIT_PR06", ForeignKind("a WITec project", "export its curves as text")),
    (0, b"CDF\x01", ForeignKind("a netCDF file of another program", _EXPORT)),
    (0, b"CDF\x02", ForeignKind("a netCDF file of another program", _EXPORT)),
    (0, b"\x89HDF\r\n\x1a\n", ForeignKind("an HDF5 file of another program", _EXPORT)),
    (0, b"MATLAB 5.0", ForeignKind("a MATLAB file", "save its arrays as .csv or .npz")),
    (0, b"MATLAB 7.3", ForeignKind("a MATLAB file", "save its arrays as .csv or .npz")),
    (0, b"\x93NUMPY", ForeignKind("a single array of NumPy", "save named columns with np.savez")),
    (0, b"II*\0", ForeignKind("a TIFF image", "images without curves are not read")),
    (0, b"MM\0*", ForeignKind("a TIFF image", "images without curves are not read")),
    (0, b"\x89PNG", ForeignKind("a picture (PNG)", "open the microscope's own file")),
    (0, b"\xff\xd8\xff", ForeignKind("a picture (JPEG)", "open the microscope's own file")),
    (0, b"%PDF", ForeignKind("a PDF", "open the microscope's own file")),
    (0, b"\x1f\x8b", ForeignKind("a gzip archive", "unpack it and open what is in it")),
    (0, b"7z\xbc\xaf\x27\x1c", ForeignKind("a 7z archive", "unpack it and open what is in it")),
    (0, b"PK\x03\x04", ForeignKind("a zip archive", "unpack it and open what is in it")),
    (0, b"\xd0\xcf\x11\xe0", ForeignKind("an old Office file", "save the sheet as .csv")),
    (0, b"SQLite format 3", ForeignKind("an SQLite database", _EXPORT)),
    (0, b"BIO-LOGIC MODULAR FILE", ForeignKind("a potentiostat's log", "give it with --potential")),
    (0, b"EC-Lab ASCII FILE", ForeignKind("a potentiostat's log", "give it with --potential")),
)

#: Kinds that only the suffix tells.
_SUFFIXES = {
    ".xlsx": ForeignKind("an Excel sheet", "save it as .csv"),
    ".docx": ForeignKind("a Word document", "open the microscope's own file"),
    ".pptx": ForeignKind("a PowerPoint file", "open the microscope's own file"),
    ".nhf": ForeignKind("a Nanosurf file (.nhf)", "save it as .nid"),
    ".mdt": ForeignKind("an NT-MDT file (.mdt)", _GWYDDION),
    ".wip": ForeignKind("a WITec project", "export its curves as text"),
    ".lvm": ForeignKind("a LabVIEW text (.lvm)", "save it as TDMS or .csv"),
}


def foreign_kind(head: bytes, path: Path) -> ForeignKind | None:
    """Return what a file of another program is; None where that is not plain.

    Examples
    --------
    >>> foreign_kind(b"GDEF", Path("a.gdf")).what
    'a DME file (GDEF)'
    """
    by_name = _SUFFIXES.get(path.suffix.lower())
    if by_name is not None:
        return by_name
    for at, mark, kind in _SIGNATURES:
        if head[at : at + len(mark)] == mark:
            return kind
    return None
