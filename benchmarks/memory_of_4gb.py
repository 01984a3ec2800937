"""Peak memory of opening and converting a 4 GB force volume; run it by hand."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from bench_reading import make_sparse

import nrm_plugin as nrm


def peak() -> float:
    """Peak resident memory so far in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1 if sys.platform == "darwin" else 1024
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = make_sparse(Path(folder) / "4gb.spm")
        nrm.open(Path(__file__).parent.parent / "sample_data" / "bruker" / "volume-3x5.spm")
        before, begin = peak(), time.perf_counter()
        curves = nrm.open(path)
        print(f"open: {(time.perf_counter() - begin) * 1e3:.1f} ms, {peak() - before:.1f} MB more")
        begin = time.perf_counter()
        curves.save(Path(folder) / "4gb.h5")
        print(f"convert: {time.perf_counter() - begin:.0f} s, peak {peak():.0f} MB in all")


if __name__ == "__main__":
    main()
