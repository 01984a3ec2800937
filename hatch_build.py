"""Builds the compiled library into wheels, and beside its sources for an editable installation.

The library does not know Python's API: one wheel per platform serves every version of Python.
``NRM_TARGET=<one of the targets of nrm_plugin/kernels/build.py>`` makes the wheel of another
platform, always with zig; ``python3 run.py wheels`` makes all of them.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

KERNELS = "nrm_plugin/kernels"


def _builder(root: str) -> Any:
    """Return the module that compiles, without importing the package around it."""
    spec = importlib.util.spec_from_file_location("nrm_build", Path(root, KERNELS, "build.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class KernelsHook(BuildHookInterface):  # type: ignore[type-arg]
    """Compiles the library when a wheel is built or the package is installed."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for zig where there is no compiler, and for other platforms' wheels."""
        builder = _builder(self.root)
        other = os.environ.get("NRM_TARGET")
        return [] if not other and builder.system_compiler() else [builder.ZIG]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say what platform the wheel is for."""
        builder = _builder(self.root)
        name = os.environ.get("NRM_TARGET", "")
        if name and (name not in builder.TARGETS or version == "editable"):
            raise SystemExit(
                f"NRM_TARGET is for wheels and one of {', '.join(builder.TARGETS)}, not {name}"
            )
        target = builder.TARGETS[name] if name else None
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{target.tag if target else _own_tag()}"
        if version == "editable":
            builder.compile_library(builder.library_path())
            return
        self._folder = tempfile.mkdtemp(prefix="nrm-build-")
        library = Path(self._folder, "_kernels" + (target.suffix if target else builder.SUFFIX))
        builder.compile_library(library, target)
        build_data["force_include"][str(library)] = f"{KERNELS}/{library.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact: str) -> None:
        """Leave nothing behind."""
        if version != "editable":
            shutil.rmtree(self._folder, ignore_errors=True)


def _own_tag() -> str:
    """Platform of this machine as wheels name it."""
    if sys.platform == "darwin":  # python.org's own is for two processors, the library is not
        return f"macosx_11_0_{platform.machine()}"
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
