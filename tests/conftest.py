"""What all tests share: the writers' folder on the path, files of real instruments, samples."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

# A busy machine makes single examples slow; how long tests take is not what they are about.
hypothesis.settings.register_profile("nrm", deadline=None)
hypothesis.settings.load_profile("nrm")

# No table map of whoever runs the tests is used, and none is left in their configuration.
os.environ["NRM_NO_MEMORY"] = "1"

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))  # for `from writers.nanoscope import ...`


def _real_folder() -> Path | None:
    """Folder of the real instruments' files: $NRM_REAL_FILES, or ../shared/real of the checkout."""
    given = os.environ.get("NRM_REAL_FILES")
    folder = Path(given) if given else ROOT.parent / "shared" / "real"
    return folder if folder.is_dir() else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if _real_folder() is not None:
        return
    skip = pytest.mark.skip(reason="no files of real instruments (NRM_REAL_FILES is not set)")
    for item in items:
        if "real" in item.keywords or "real_files" in getattr(item, "fixturenames", ()):
            item.add_marker(skip)


def pytest_collection_finish() -> None:
    """All tests and modules stay: collections of garbage need not look through them each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # and memory suffices for what a few tests leave


@pytest.fixture(scope="session")
def real_files() -> Path:
    """Folder with the sub-folders bruker, park, gwyddion and other; absent, the test skips."""
    folder = _real_folder()
    if folder is None:
        pytest.skip("no files of real instruments (NRM_REAL_FILES is not set)")
    return folder


@pytest.fixture(scope="session")
def ixdat(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The package, which makes a folder in the home directory when it is imported: another one."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "USERPROFILE"):
            patch.setenv(name, str(tmp_path_factory.mktemp("home")))
        return pytest.importorskip("ixdat")


class Samples:
    """Makes synthetic Bruker files with a known truth in a folder of the test's own.

    ``samples.volume(rows=2)``, ``samples.single()``, ``samples.images()``, ``samples.peakforce()``
    take the arguments of the writers' ``example_`` functions and return their truth, whose
    ``path`` is the file. ``samples.curves()`` is a `CurveSet` in memory with something of
    everything.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _make(self, function: str, name: str, options: dict[str, Any]) -> Any:
        from writers import nanoscope

        make: Callable[..., Any] = getattr(nanoscope, function)
        return make(self.folder / name, **options)

    def volume(self, name: str = "volume.spm", **options: Any) -> Any:
        return self._make("example_force_volume", name, options)

    def single(self, name: str = "single.000", **options: Any) -> Any:
        return self._make("example_single_curve", name, options)

    def images(self, name: str = "images.spm", **options: Any) -> Any:
        return self._make("example_images", name, options)

    def peakforce(self, name: str = "capture.pfc", **options: Any) -> Any:
        return self._make("example_peakforce", name, options)

    @staticmethod
    def curves(n: int = 4, approach: int = 20, retract: int = 12) -> Any:
        """Triangular ramps of `n` curves: int32 height in nm, float32 deflection, table, images."""
        from nrm_plugin import CurveSet, Image

        down = np.arange(approach)[::-1] * 2
        height = np.tile(np.r_[down, 2 * np.arange(1, retract + 1)].astype("i4"), (n, 1))
        height += 100 * np.arange(n, dtype="i4")[:, None]
        deflection = np.sin(height / 7).astype("f4")
        data = np.arange(6, dtype="i2").reshape(2, 3)
        return CurveSet.from_arrays(
            {
                "height": (height, "nm"),
                "deflection": (deflection, "V"),
                "input_1": (np.full(height.shape, 7, "i2"), "mV"),
            },
            curve_table={"x": np.arange(n) * 1e-6, "y": np.zeros(n), "potential": [0.25] * n},
            metadata={"spring_constant": 0.2, "title": "Grafit µ-Ω"},
            images=[
                Image("Friction", data * 0.5, "V", (3e-6, 2e-6), "trace", data),
                Image("Friction", data * -1.0, "V", (3e-6, 2e-6), "retrace"),
            ],
        )


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    """Factory of synthetic files and curves; see `Samples`."""
    return Samples(tmp_path)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Install a distribution of one module in a folder on the path."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.delenv("NRM_DISABLE_PLUGINS", raising=False)
    from nrm_plugin import plugins

    made: list[str] = []

    def make(distribution: str, source: str, entry: str | None = None) -> None:
        module = f"zzz_{distribution.replace('-', '_')}_{abs(hash(site))}"
        (site / f"{module}.py").write_text(source, encoding="utf-8")
        info = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n"
        (info / "METADATA").write_text(metadata)
        (info / "entry_points.txt").write_text(
            f"[nrm_plugin]\n{entry or distribution} = {module}\n"
        )
        made.append(module)
        plugins.installed.cache_clear()

    yield make
    for module in made:
        sys.modules.pop(module, None)
    plugins.installed.cache_clear()
