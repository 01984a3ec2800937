"""Run tests with what `pip install nrm-plugin` brings and nothing else.

    PYTHON tests/core_alone.py [ARGUMENTS OF pytest]

PYTHON is that of an environment with the wheel without extras, pytest, pytest-xdist and
hypothesis. The tests run without a compiler on the path and, where the system gives a namespace
(Linux), without a network; what is not so is said. They are those of the core that need nothing
but its dependencies; in the same files, tests of what an extra brings skip.
"""

import importlib.util
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
FILES = """
asylum bruker_files cli columns engine_contact formats hdf5_guard model plugins process_files recipe
statistics_regions store table units viewer_server
"""
#: What extras bring, one of each.
EXTRAS = "dask", "nidaqmx", "nptdms", "openpyxl", "polars", "pyarrow", "pySPM", "zhinst"
ALONE = "NRM_WITHOUT_NETWORK"


def main(arguments: list[str]) -> int:
    """Shut the network out, then become pytest."""
    if there := [name for name in EXTRAS if importlib.util.find_spec(name)]:
        sys.exit(f"core_alone.py: this is not the core alone: {', '.join(there)} can be imported")
    if importlib.util.find_spec("nrm_plugin").origin.startswith(f"{ROOT}{os.sep}nrm_plugin"):
        sys.exit("core_alone.py: nrm_plugin comes from the checkout, not from a wheel")
    if os.environ.get(ALONE):
        raise_loopback()
    elif shutil.which("unshare") and not subprocess.run(["unshare", "-rn", "true"]).returncode:
        command = ["unshare", "-rn", sys.executable, __file__, *arguments]
        return subprocess.run(command, env={**os.environ, ALONE: "1"}).returncode
    else:
        sys.stderr.write("core_alone.py: with the network: this system gives no namespace\n")
    bin_folder = Path(sys.executable).parent
    files = [str(TESTS / f"test_{name}.py") for name in FILES.split()]
    # Not `python -m pytest`, which would find the packages of the checkout first.
    command = [str(bin_folder / "pytest"), "-q", "-p", "no:cacheprovider", *arguments, *files]
    environment = {**os.environ, "PATH": str(bin_folder)}
    with tempfile.TemporaryDirectory() as folder:  # processes of tests find no checkout there
        return subprocess.run(command, cwd=folder, env=environment).returncode


def raise_loopback() -> None:
    """Let 127.0.0.1 answer, the only address there is in a new namespace."""
    import fcntl

    set_flags, up = 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh", b"lo", up))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
