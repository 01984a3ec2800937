"""The inputs to begin with: small files of every kind, made by the writers of the tests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

import nrm_plugin as nrm
from fuzzing import journals, text_seeds

Maker = Callable[[Path], None]


def write_seeds(target: str, folder: Path) -> list[Path]:
    """Write the seeds of a target into a folder, and return them in the order of their names."""
    folder.mkdir(parents=True, exist_ok=True)
    if target in text_seeds.TEXTS:
        for number, text in enumerate(text_seeds.TEXTS[target]):
            (folder / f"text-{number:02d}").write_bytes(text.encode())
    else:
        MAKERS[target](folder)
    return sorted(path for path in folder.iterdir() if path.is_file())


def _bruker(folder: Path) -> None:
    from writers import nanoscope

    small = {"header_size": 8192}
    old = {"version": 0x09010300, **small}
    nanoscope.example_single_curve(folder / "curve", 20, 15, n_hold=5, **old)
    nanoscope.example_single_curve(folder / "new-curve", 20, 15, version=0x09400105, **small)
    nanoscope.example_force_volume(folder / "volume", 2, 2, 8, 6, height_sensor=True, **small)
    nanoscope.example_force_volume(
        folder / "old-volume", 2, 2, 8, 6, version=0x08150203, n_hold=2, **small
    )
    nanoscope.example_force_volume(folder / "maps", 2, 2, 8, 6, undeclared_maps=2, **small)
    peakforce = nanoscope.PeakForce(50.0, 2.0, 150.0, 250, marker=True)
    nanoscope.example_peakforce(folder / "capture", 2, 2, 25, peakforce=peakforce, **small)
    nanoscope.example_images(folder / "images", 4, 5, **small)
    channels = nanoscope.example_single_curve(folder / "export", 10, 8, **old).channels
    nanoscope.write_ascii(
        folder / "export", channels, n_ext=10, n_ret=8, ramp_size_nm=300.0, scan_rate=0.5
    )


def _jpk(folder: Path) -> None:
    from writers.jpk import JpkWriter, ramp

    stored = {"deflate": False}
    JpkWriter(**stored).write(folder / "curve.jpk-force", [ramp(12, 12, pause=4)])
    JpkWriter().write(folder / "packed.jpk-force", [ramp(12, 12)])
    JpkWriter(inline=True, wide=False, **stored).write(
        folder / "inline.jpk-force", [ramp(12, 12, wide=False)]
    )
    JpkWriter(grid=(1, 2), back_and_forth=True, header_last=True, **stored).write(
        folder / "map.jpk-force-map", [ramp(10 + i, 10) for i in range(2)]
    )


def _park(folder: Path) -> None:
    from writers import park

    park.example_points(folder / "points", 2, 8)
    park.example_points(folder / "points-1", 2, 8, version=park.V1, dtype="<i2")
    park.example_grid(folder / "grid", 2, 2, 8, time_stamp=False, directory_last=True)
    park.example_image(folder / "image", 4, 5)
    park.example_pinpoint(folder / "pinpoint", 1, 2, 8, padding=True)


def _asylum(folder: Path) -> None:
    from writers.ardf import Volume, map_of, write_ardf
    from writers.igor import curve, write_wave

    for name, order, dwell in (("little.ibw", "<", 10), ("big.ibw", ">", 0)):
        table, note = curve(40, dwell)
        labels = ("Raw", "Defl", "ZSnsr")
        write_wave(folder / name, table, labels=labels, note=note, order=order)
    write_wave(folder / "image.ibw", np.zeros((3, 4), "f4"), note="ScanSize: 1e-6\r")
    shape = (1, 2)
    curves = map_of(shape, lambda line, point: 16)
    volumes = [Volume(curves=curves, shape=shape, kind=kind) for kind in (10, 11)]
    height = np.arange(2.0).reshape(shape) * 1e-9
    write_ardf(folder / "map.ardf", volumes, images=[("HeightRetrace", "m", height)])


def _nanosurf(folder: Path) -> None:
    from writers.nanosurf import made

    made(folder / "wide.nid", n=2)
    made(folder / "narrow.nid", n=1, bits=16, stiffness=None)


def _gwyddion(folder: Path) -> None:
    from writers import gwyddion

    for container in gwyddion.CONTAINERS:
        end = f"-{container.strip()}.gwy"
        gwyddion.example_map(folder / f"map{end}", 1, 2, container=container, approach=6, retract=5)
        gwyddion.example_images(folder / f"images{end}", container=container)
        gwyddion.example_spectra(folder / f"spectra{end}", container=container)
    ragged: dict[str, Any] = {"ragged": True, "empty": (1,)}
    gwyddion.example_map(folder / "ragged.gwy", 1, 3, approach=6, retract=5, **ragged)
    gwyddion.example_volume(folder / "volume.gwy")
    gwyddion.example_graphs(folder / "graphs.gwy")
    gwyddion.example_time_graphs(folder / "time.gwy")
    values = np.linspace(1, 0, 12) ** 2
    own = nrm.CurveSet.from_arrays(
        {"height": (values, "m"), "deflection": (values, "V")}, row_size=[7, 0, 5]
    )
    nrm.save(own, folder / "own.gwy")


def _table(folder: Path) -> None:
    import h5py
    import nptdms
    import pyarrow as pa
    from pyarrow import parquet

    z = np.concatenate([np.linspace(300, 0, 20), np.linspace(0, 300, 20)] * 2)
    columns = {"time (s)": np.arange(80) * 1e-3, "z (nm)": z, "deflection (V)": (z < 60) * 1.0}
    titles = list(columns)
    rows = [
        ";".join(f"{v:.6g}".replace(".", ",") for v in row)
        for row in zip(*columns.values(), strict=True)
    ]
    text = "# instrument: lab\n" + "\n".join([";".join(titles), *rows]) + "\n"
    (folder / "german.csv").write_bytes(text.encode())
    plain = text.replace(",", ".").replace(";", "\t")
    (folder / "plain.txt").write_bytes(plain.encode("utf-16"))
    np.savez(folder / "arrays.npz", **{"time (s)": columns["time (s)"], "z (nm)": z})
    parquet.write_table(pa.table(columns), folder / "arrow.parquet")
    with nptdms.TdmsWriter(folder / "board.tdms") as writer:
        writer.write_segment(
            [
                nptdms.ChannelObject("Log", name, values, {"unit_string": "V"})
                for name, values in columns.items()
            ]
        )
    (folder / "board.tdms_index").unlink(missing_ok=True)
    with h5py.File(folder / "other.h5", "w") as file:
        for name, values in columns.items():
            file.create_dataset(name.split(" ")[0], data=values, track_times=False)


def _log(folder: Path) -> None:
    from writers import potentiostat

    few = potentiostat.Voltammogram(high=0.2, interval=20.0, cycles=1)
    potentiostat.write_mpr(folder / "log.mpr", few)
    potentiostat.write_mpr(folder / "long.mpr", few, long_headers=True, log=False)
    potentiostat.write_mpt(folder / "log.mpt", few)
    potentiostat.write_mpt(folder / "dates.mpt", few, decimal=",", dates=True)
    potentiostat.write_dta(folder / "log.DTA", few)
    potentiostat.write_csv(folder / "log.csv", few)
    potentiostat.write_chi(folder / "chi.txt", few)
    for number, program in enumerate(potentiostat.EXPORTS):
        potentiostat.write_export(folder / f"export-{number}.txt", program, few)
    potentiostat.write_ixdat(folder / "ixdat.csv", few)


def small_curves() -> nrm.CurveSet:
    """Four curves of 96 samples on a soft layer, with something of everything that a file holds."""
    from nrm_plugin import simulate as sim

    layers = (sim.Layer(8e-9, 10e6 + 3e6j), sim.Layer(12e-9, 2e6 + 1e6j))
    curves, _ = sim.simulate(
        sim.Sample(sim.Interphase(layers, force=3e-9)),
        sim.Instrument(),
        sim.Ramp(samples=96),
        grid=(2, 2),
        pitch=100e-9,
        seed=1,
    )
    n = curves.n_curves
    channels = {
        name: (curves.read(name).reshape(n, -1), channel.unit)
        for name, channel in curves.channels.items()
    }
    table = {k: v for k, v in curves.curve_table.items() if k in ("x", "y", "row", "column")}
    begin = np.datetime64("2026-03-02T09:00:00", "us")
    table["start_time"] = begin + np.arange(n) * np.timedelta64(1_000_000, "us")
    table["potential"] = np.linspace(1.0, 0.4, n)
    image = nrm.Image("topography", np.arange(6.0).reshape(2, 3) * 1e-9, "m", (4e-7, 3e-7))
    about = {"title": "Fuzzing", "electrode": "hard carbon"}
    return nrm.CurveSet.from_arrays(
        channels, curve_table=table, metadata={**curves.metadata, **about}, images=(image,)
    )


def _curves(folder: Path) -> None:
    small_curves().save(folder / "map.h5")
    flat = {"height": (np.linspace(1e-7, 0, 12), "m"), "deflection": (np.zeros(12), "V")}
    nrm.CurveSet.from_arrays(flat, row_size=[7, 0, 5]).save(folder / "ragged.h5")


def _results(folder: Path) -> None:
    """With few variables: each takes time to open, and all are laid out alike."""
    for name, direction in (("both.h5", "both"), ("approach.h5", "approach")):
        results = nrm.process(small_curves(), {**FEW_DEPTHS, "direction": direction})
        nrm.save(results[[*_FEW_RESULTS]], folder / name)


#: Keeps results and journals small.
FEW_DEPTHS: dict[str, Any] = {"depth": {"stop": "20 nm", "step": "5 nm"}}


#: Of every kind of variable one.
_FEW_RESULTS = (
    *("contact_height", "quality", "storage_modulus", "storage_modulus_stderr", "loss_modulus"),
    *("shape_factor", "surface_slope"),
)


class _Stopped(Exception):
    pass


def _process(folder: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done:
            raise _Stopped

    try:
        nrm.process(small_curves(), FEW_DEPTHS, folder / "out.h5", progress=stop, block=2)
    except _Stopped:
        (folder / "out.h5.process").rename(folder / "half")


def _recording(folder: Path) -> None:
    """Of the simulated board: what nrm acquire leaves when it is killed."""
    from nrm_daq.config import DaqConfig
    from nrm_daq.device import InstantClock
    from nrm_daq.hardware import connected, prepared
    from nrm_daq.recording import Recording, SampleBlock
    from nrm_daq.run import asked_lock_in, described

    config = DaqConfig.simulated()
    with ExitStack() as stack:
        _, settings = asked_lock_in(config, stack)
        connection = stack.enter_context(connected(config, InstantClock()))
        _, setup = stack.enter_context(prepared(connection, config))
        header = described(config, setup, settings, None)
    ramp = np.concatenate([np.linspace(0, 5, 50), np.linspace(5, 0, 50)])
    with Recording(folder / "two-ramps", header) as made:
        made.note(began=[18 * 10**17, 18 * 10**17 + 10**6])
        for number in range(2):
            volts = np.stack([ramp * (k + 1) / 5 for k in range(len(header["channels"]))])
            made.append(SampleBlock(100 * number, volts.astype("f4"), 10**18 + number, 7))
            made.note(spoilt=[[1.0, 2.0, ["input overload"]]])
        made.note(ended="")


def _shape_factor(folder: Path) -> None:
    from nrm_plugin.fea import Layer, Tip
    from nrm_plugin.fea.shape_file import write_shape_factor
    from nrm_plugin.fea.shape_table import look_up

    write_shape_factor(look_up(Tip(10e-9), Layer(30e-9, 1e6, 0.49)), folder / "tip.h5")


def _recognised(folder: Path) -> None:
    for name in ("bruker", "jpk", "park", "asylum", "nanosurf", "gwyddion", "table", "log"):
        made = folder / name
        made.mkdir()
        MAKERS[name](made)
        for path in made.iterdir():
            path.rename(folder / f"{name}-{path.name}")
        made.rmdir()


MAKERS: dict[str, Maker] = {
    "recognised": _recognised,
    "bruker": _bruker,
    "jpk": _jpk,
    "park": _park,
    "asylum": _asylum,
    "nanosurf": _nanosurf,
    "gwyddion": _gwyddion,
    "table": _table,
    "log": _log,
    "curves": _curves,
    "results": _results,
    "journal": journals.begin,
    "process": _process,
    "recording": _recording,
    "shape-factor": _shape_factor,
}
