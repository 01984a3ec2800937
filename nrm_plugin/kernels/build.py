"""Compile the C files beside this one into one shared library. Needs nothing but Python.

With the system's compiler where there is one (CC, cc, gcc, clang), else with zig, which a package
of Python's index brings (`ziglang`). In a checkout::

    python nrm_plugin/kernels/build.py              library for this machine, beside its sources
    python nrm_plugin/kernels/build.py --sanitize   the same, with AddressSanitizer and UBSan

`hatch_build.py` calls this when the package is installed or wheels are made.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent

#: Fixed, so that a release can be built again to the byte.
ZIG = "ziglang==0.17.1"

#: Nothing that lets a compiler change the order or the rounding of operations.
OPTIONS = ["-std=c11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden", "-g0"]
WARNINGS = [
    *("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wstrict-prototypes"),
    "-Werror",
]
SANITIZE = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


class Target(NamedTuple):
    """A platform that wheels are made for.

    Attributes
    ----------
    zig : str
        Zig's name of it.
    tag : str
        The wheel's.
    suffix : str
        Of the library.
    """

    zig: str
    tag: str
    suffix: str


TARGETS = {
    "linux-x86_64": Target(
        "x86_64-linux-gnu.2.17", "manylinux_2_17_x86_64.manylinux2014_x86_64", ".so"
    ),
    "linux-aarch64": Target(
        "aarch64-linux-gnu.2.17", "manylinux_2_17_aarch64.manylinux2014_aarch64", ".so"
    ),
    "musl-x86_64": Target("x86_64-linux-musl", "musllinux_1_1_x86_64", ".so"),
    "musl-aarch64": Target("aarch64-linux-musl", "musllinux_1_1_aarch64", ".so"),
    "macos-x86_64": Target("x86_64-macos.11.0", "macosx_11_0_x86_64", ".dylib"),
    "macos-arm64": Target("aarch64-macos.11.0", "macosx_11_0_arm64", ".dylib"),
    "windows-x86_64": Target("x86_64-windows-gnu", "win_amd64", ".dll"),
}

#: Where the compiler runs on the machine that the library is for.
SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")


def library_path(folder: Path = HERE) -> Path:
    """Where the library for this machine is."""
    return folder / f"_kernels{SUFFIX}"


def sources(folder: Path = HERE) -> list[Path]:
    """The C files and their header."""
    return sorted([*folder.glob("*.c"), *folder.glob("*.h")])


def sources_hash(folder: Path = HERE) -> str:
    """Hash of the sources, which the library holds too."""
    digest = hashlib.sha256()
    for path in sources(folder):
        digest.update(path.name.encode() + b"\n" + path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:16]


def system_compiler() -> list[str]:
    """Command of a C compiler that can make a library here; empty if there is none."""
    wanted = shlex.split(os.environ.get("CC", ""))
    # What lies around on Windows is seldom whole: zig, unless CC asks for another.
    usual = [] if sys.platform == "win32" else [["cc"], ["gcc"], ["clang"]]
    for command in [wanted] if wanted else usual:
        if shutil.which(command[0]) and _works(command):
            return command
    return []


def _works(command: list[str]) -> bool:
    """Whether a compiler compiles and links: macOS has a cc that only offers to install one."""
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder, "probe.c")
        probe.write_text("#include <math.h>\n#include <stdint.h>\nint a(void) { return 0; }\n")
        run = [*command, "-shared", "-fPIC", str(probe), "-o", str(Path(folder, "probe.so"))]
        return subprocess.run(run, capture_output=True, check=False).returncode == 0


def compile_library(out: Path, target: Target | None = None, *, sanitize: bool = False) -> None:
    """Compile the library to a path, for this machine or a target.

    Raises
    ------
    SystemExit
        With the compiler's messages, or if there is no compiler.
    """
    suffix = SUFFIX if target is None else target.suffix
    compiler = [] if target else system_compiler()
    zig = not compiler
    if zig:
        if not importlib.util.find_spec("ziglang"):
            raise SystemExit(f"there is no C compiler; install one, or: pip install {ZIG}")
        compiler = [sys.executable, "-m", "ziglang", "cc", "-mcpu=baseline"]
        compiler += ["-target", target.zig] if target else []
    flags = [
        *OPTIONS,
        "-shared",
        *WARNINGS,
        f'-DNRM_SOURCES="{sources_hash()}"',
        *(SANITIZE if sanitize else []),
    ]
    if suffix == ".so":
        flags += ["-fPIC", "-Wl,-z,noexecstack"] + ([] if sanitize else ["-Wl,-s"])
    elif suffix == ".dylib":
        flags += [f"-Wl,-install_name,@rpath/{out.name}"]
        flags += ["-Wl,-s"] if zig else ["-Wl,-x", "-mmacosx-version-min=11.0"]
    else:
        flags += ["-Wl,-s"]
    # By name only, so that no folder of this machine gets into the library.
    names = [path.name for path in sources() if path.suffix == ".c"]
    libraries = ["-lm"] if suffix == ".so" else []
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, out.name)
        command = [*compiler, *flags, *names, "-o", str(made), *libraries]
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{shlex.join(command)}\n{done.stdout}{done.stderr}")
        # Put in place in one step: another process may be running the old one.
        draft = out.with_name(f"{out.name}.{os.getpid()}.part")
        shutil.copyfile(made, draft)
        draft.replace(out)


if __name__ == "__main__":
    compile_library(library_path(), sanitize="--sanitize" in sys.argv[1:])
