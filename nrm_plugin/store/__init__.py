"""The common file: curves of any origin in one HDF5 file that other programs can read.

Layout, version 1.1 (``/entry`` is an NXentry; every field has ``units`` and ``long_name``)::

    /entry
        curves      NXcollection   row_size(curve) and the columns of the curve table;
                                   one column (sample) per channel: the vendor's own numbers with
                                   scale_factor and add_offset, as CF has it
        segments    NXcollection   curve, start, stop, kind (segment)
        metadata    NXcollection   one scalar per key, with its unit and where it came from
        images      NXcollection   image_000 ... (y, x), scaled like the channels
        source      NXcollection   name, sha256, importer, version, header (file)
        instrument, sample         as NXafm has them: `nrm_plugin.store.nxafm`
        preview     NXdata         the first approach (or image) in physical units: the default plot

Curves lie one behind the other along ``sample`` and ``row_size`` counts them: the contiguous
ragged array of the CF conventions.

Versions: the minor number rises when something is added that older readers can ignore, the major
number when they could misread the file. A reader refuses a newer major version by name and warns
of a newer minor one.
"""

from nrm_plugin.files import sha256
from nrm_plugin.store.nexus import FORMAT, VERSION
from nrm_plugin.store.read_curves import is_common_file, open_curves
from nrm_plugin.store.write_curves import save_curves, write_curves

__all__ = [
    "FORMAT",
    "VERSION",
    "is_common_file",
    "open_curves",
    "save_curves",
    "sha256",
    "write_curves",
]
