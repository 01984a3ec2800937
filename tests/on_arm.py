"""Run tests in Python for ARM under an emulator, on Debian and its relatives.

    python3 tests/on_arm.py FOLDER WHEEL [ARGUMENTS OF pytest]

WHEEL is that of the target linux-aarch64 (``python3 run.py wheels`` makes it). FOLDER gets
Debian's Python for ARM and the wheels of the dependencies for ARM; nothing is installed in the
system, and nothing asks for rights. Needs qemu-aarch64 (Debian's package qemu-user). Ends with exit
code 3 where Python or the wheels for ARM cannot be fetched.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent
#: Numbers of the core that are known beforehand, and files: half a minute under an emulator.
FILES = "kernels_plain kernels_contact kernels_checks engine_parts store_parts units"
#: Newest tags first, as pip wants them.
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")


def main(arguments: list[str]) -> int:
    """Unpack Python, install the wheels beside it, and return pytest's exit code."""
    if len(arguments) < 2:
        sys.exit(__doc__)
    if not shutil.which("qemu-aarch64"):
        sys.exit("on_arm.py: qemu-aarch64 is not installed")
    folder, wheel = Path(arguments[0]).resolve(), Path(arguments[1]).resolve()
    system, site = folder / "system", folder / "site"
    if not unpack_python(folder / "apt", system):
        return not_fetched("Debian's packages")
    (python,) = system.glob("usr/bin/python3.[0-9]*[0-9]")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    pip += ["--target", str(site), "--only-binary", ":all:", "--python-version", python.name[6:]]
    pip += [word for platform in PLATFORMS for word in ("--platform", platform)]
    if subprocess.run([*pip, wheel, "pytest", "hypothesis"], check=False).returncode:
        return not_fetched("wheels")
    command = ["qemu-aarch64", "-L", str(system), str(python)]
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    said = "import platform, nrm_plugin as n; print(platform.machine(), n.__version__, n.__file__)"
    subprocess.run([*command, "-c", said], cwd=folder, env=environment, check=True)
    files = [str(TESTS / f"test_{name}.py") for name in FILES.split()]
    # Not from the checkout, whose packages would come before the wheel's.
    tests = [*command, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments[2:], *files]
    return subprocess.run(tests, cwd=folder, env=environment, check=False).returncode


def not_fetched(what: str) -> int:
    """Say so, and return the exit code."""
    sys.stderr.write(f"on_arm.py: {what} for ARM cannot be fetched\n")
    return 3


def unpack_python(apt: Path, system: Path) -> bool:
    """Fetch Debian's packages of Python and what it needs, and unpack them; whether that went."""
    for name in ("state/lists/partial", "cache/archives/partial"):
        Path(apt, name).mkdir(parents=True, exist_ok=True)
    Path(apt, "status").touch()
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "",
        "Dir::State": str(apt / "state"),
        "Dir::State::status": str(apt / "status"),
        "Dir::Cache": str(apt / "cache"),
        "Debug::NoLocking": "1",
    }
    command = ["apt-get", "-qq", *(f"-o{key}={value}" for key, value in options.items())]
    subprocess.run([*command, "update"], check=False)
    install = ["install", "--download-only", "--yes", "--no-install-recommends"]
    wanted = ["python3", "libstdc++6", "libgomp1"]
    done = subprocess.run([*command, *install, *wanted], stdout=subprocess.DEVNULL, check=False)
    packages = sorted(apt.glob("cache/archives/*.deb"))
    if done.returncode or not packages:
        return False
    for package in packages:
        subprocess.run(["dpkg-deb", "--extract", package, system], check=True)
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
