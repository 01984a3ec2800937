"""How many curves a force block holds, of how many samples, in which order."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field, replace

import numpy as np

from nrm_importers.bruker.blocks import DataBlock, halves_of, integers, widths
from nrm_importers.bruker.header import BrukerHeader, HeaderSection
from nrm_plugin.columns import AnyArray, FileStamp
from nrm_plugin.errors import CorruptFile

#: Start, samples, and whether the last sample comes first, of a run of samples within a curve.
Run = tuple[int, int, bool]

#: Written where a period of PeakForce Capture begins; no sample.
_MARKER = -32768

#: PeakForce sync distances count samples of the controller, which are about 2 microseconds apart.
_SYNC_STEP = 2e-6
_LARGEST_SYNC = 1e5


@dataclass(kw_only=True)
class ForceLayout:
    """Curves of one length, one behind the other.

    Attributes
    ----------
    parts : list of (kind, samples, seconds)
        Segments of a curve in the order of time; seconds is nan where the header doesn't tell.
    runs : list of Run
        Where the parts lie, in the order of time.
    on_disk : int
        Samples of a curve on disk, with what fills the slots of short halves.
    slot : int
        Samples of a whole ramp, of which a trigger may have left fewer.
    duration : float
        Seconds that a curve takes; nan where the header doesn't tell.
    n_curves : int
    grid : (rows, columns) or None
    phase : array or None
        For PeakForce Capture: the phase of each sample in rad, 0 where the tip is lowest.
    stopped : bool
        Whether a volume has fewer rows than the header announces.
    scripted : bool
        Whether a ramp script made the curves, whose ramps are not those of the force list.
    """

    parts: list[tuple[str, int, float]]
    runs: list[Run]
    on_disk: int
    slot: int = 0
    duration: float = math.nan
    n_curves: int = 1
    grid: tuple[int, int] | None = None
    phase: AnyArray | None = None
    stopped: bool = False
    scripted: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def n_samples(self) -> int:
        """Samples of a curve."""
        return sum(count for _, count, _ in self.parts)

    def width(self, block: DataBlock) -> int:
        """Bytes of a sample in a block that holds the same curves; 0 if it can't hold them."""
        width, rest = divmod(block.length, self.n_curves * self.on_disk)
        return width if width in (2, 4) and not rest else 0


def find_layout(stamp: FileStamp, header: BrukerHeader, block: DataBlock) -> ForceLayout:
    """Find the layout that accounts for every byte of a force block.

    Raises
    ------
    CorruptFile
        If none does.
    """
    volume = (header.sections[0].text("start context") or "").upper() == "FVOL"
    plans = [p for p in (_script(header), *_ramps(header, block)) if p is not None]
    # A volume may have been stopped early, but only if no layout gives all of it.
    for complete, width, layout in itertools.product(
        (True, False) if volume else (True,), widths(header.version), plans
    ):
        layout.n_curves, rest = divmod(block.length, width * layout.on_disk)
        if rest or not layout.n_curves:
            continue
        if volume:
            layout.grid = _grid(header, layout.n_curves, complete)
            if layout.grid is None:
                continue
            if not complete:
                layout.stopped = True
                layout.warnings.append(
                    f"the volume was stopped after {layout.grid[0]} whole rows: where in the scan "
                    "they lie is not known"
                )
        elif layout.n_curves > 1:
            continue
        if volume and is_peakforce(header, stamp):
            _make_period(stamp, header, block, layout)
        return layout
    announced = " or ".join(str(p.on_disk) for p in plans) or "unknown"
    raise CorruptFile(
        stamp.path,
        block.offset,
        f"{'whole rows of curves' if volume else 'one curve'} of {announced} samples",
        f"a block of {block.length} bytes",
    )


def _ramps(header: BrukerHeader, block: DataBlock) -> list[ForceLayout]:
    """Approach and retract, with a hold between them and without."""
    force = header.first("Ciao force list")
    halves = halves_of(header, block.section)
    if halves is None:
        return []
    slot = halves.slot
    down, up = durations(header)
    approach = ("approach", halves.extend, down * halves.extend / slot)
    retract = ("retract", halves.retract, up * halves.retract / slot)
    # The hold was taken between the halves and lies behind both.
    runs: list[Run] = [(0, halves.extend, True), (slot, halves.retract, False)]
    plain = ForceLayout(
        parts=[approach, retract], runs=runs, on_disk=2 * slot, slot=slot, duration=down + up
    )
    plain.warnings += [halves.warning] if halves.warning else []
    plans = [plain]
    if not halves.retract:
        plans.append(replace(plain, parts=[approach], runs=runs[:1], on_disk=slot))
    if not halves.extend:
        plans.append(
            replace(plain, parts=[retract], runs=[(0, halves.retract, False)], on_disk=slot)
        )
    hold = block.section.integer("hold samples") or force.integer("hold samples") or 0
    if not hold:
        return plans
    seconds = force.number("hold time") or math.nan
    held = replace(
        plain,
        parts=[approach, ("hold", hold, seconds), retract],
        runs=[runs[0], (2 * slot, hold, False), runs[1]],
        on_disk=2 * slot + hold,
        duration=down + up + seconds,
    )
    return [held, *plans]


def durations(header: BrukerHeader) -> tuple[float, float]:
    """Seconds of a whole approach and retract: the ramp by its speeds, else half a period each."""
    force = header.first("Ciao force list")
    ramp = force.value("ramp size zsweep")
    size = ramp.soft if ramp is not None else None
    rate = force.number("scan rate")
    half = 0.5 / rate if rate else math.nan

    def seconds(speed: float | None) -> float:
        return size / speed if size and speed and size > 0 < speed else half

    return seconds(force.number("forward vel.")), seconds(force.number("reverse vel."))


def _script(header: BrukerHeader) -> ForceLayout | None:
    """Segments of a ramp script, one behind the other."""
    force = header.first("Ciao force list")
    if (force.text("use ramp script") or "").lower() != "yes":
        return None
    n = force.integer("segment number") or 0
    samples = force.integers("segment samples")[:n]
    if not n or len(samples) < n or not sum(samples):
        return None
    parts = []
    for i, count in enumerate(samples):
        kind = _script_kind(force, i)
        parts.append((kind, count, _item(force, "segment duration", i)))
    edges = list(itertools.accumulate(samples, initial=0))
    runs: list[Run] = [(edges[i], samples[i], False) for i in range(n)]
    layout = ForceLayout(
        parts=parts,
        runs=runs,
        on_disk=edges[-1],
        duration=sum(seconds for _, _, seconds in parts),
        scripted=True,
    )
    layout.warnings.append(
        "the segments of the ramp script are taken to lie in the order of time; "
        "no real file has confirmed that yet"
    )
    return layout


def _item(section: HeaderSection, key: str, i: int) -> float:
    """i-th entry of a list separated by commas; nan where it is not a number."""
    items = (section.text(key) or "").split(",")
    try:
        return float(items[i].split()[0])
    except (IndexError, ValueError):
        return math.nan


def _script_kind(force: HeaderSection, i: int) -> str:
    """Kind of a script's segment, by its ramp and modulation."""
    size = _item(force, "segment ramp size", i)
    if math.isnan(size):
        size = _item(force, "segment size", i)
    modulated = _item(force, "segment modulation amplitude", i) > 0
    if size > 0:
        return "approach"
    if size < 0:
        return "retract"
    if modulated:
        return "modulation"
    return "hold" if size == 0 else "other"


def _grid(header: BrukerHeader, n_curves: int, complete: bool) -> tuple[int, int] | None:
    """Rows and columns that give this number of curves; None if nothing in the header does."""
    force, scan = header.first("Ciao force list"), header.first("Ciao scan list")
    image = header.first("Ciao image list")
    per_line = force.integer("force/line")
    candidates = [
        (force.integer("fv lines"), per_line),
        (image.integer("number of lines"), per_line),
        (scan.integer("lines"), per_line),
        (image.integer("number of lines"), image.integer("samps/line")),
        (scan.integer("lines"), scan.integer("samps/line")),
    ]
    for rows, columns in candidates:
        if rows and columns and rows * columns == n_curves:
            return rows, columns
    if not complete and per_line and not n_curves % per_line:
        return n_curves // per_line, per_line  # a volume that was stopped after whole rows
    return None


def is_peakforce(header: BrukerHeader, stamp: FileStamp) -> bool:
    """Whether the ramp is PeakForce Tapping's sine and not a commanded line."""
    scan = header.first("Ciao scan list")
    if stamp.path.suffix.lower() == ".pfc":
        return True
    captured = (scan.text("peakforce capture") or "").lower() == "allow"
    return captured and (scan.text("operating mode") or "").lower() != "force volume"


def _make_period(
    stamp: FileStamp, header: BrukerHeader, block: DataBlock, layout: ForceLayout
) -> None:
    """Turn a layout of two halves into the period of PeakForce Tapping that it is.

    The period is kept as it was recorded. Where the tip is lowest follows from the sync distance,
    and the parts from there: a curve may begin with the end of the last retract.
    """
    scan = header.first("Ciao scan list")
    frequency = (scan.number("pft freq") or math.nan) * 1e3
    sync = scan.number("sync distance qnm") or scan.number("sync distance")
    n = layout.n_samples
    layout.duration = 1 / frequency if frequency > 0 else math.nan
    if not 0 < frequency < 1e7 or not sync or not 0 < sync < _LARGEST_SYNC:
        layout.warnings.append(
            "PFT Freq or Sync Distance is missing: which samples are approach cannot be told"
        )
        layout.parts = [("other", n, 1 / frequency if frequency > 0 else math.nan)]
        return
    points = scan.integer("sample points") or 0
    nominal = 1 / (_SYNC_STEP * frequency)
    per_period = points if 0.9 < points / nominal < 1.1 else nominal
    lowest = sync * n / per_period
    first = _drop_marker(stamp, block, layout)
    place = (np.arange(first, n) - lowest) % n
    layout.phase = 2 * np.pi * place / n
    rising = place < n / 2
    edges = [0, *(np.flatnonzero(np.diff(rising)) + 1).tolist(), n - first]
    layout.parts = [
        ("retract" if rising[a] else "approach", b - a, (b - a) / (n * frequency))
        for a, b in itertools.pairwise(edges)
    ]


def _drop_marker(stamp: FileStamp, block: DataBlock, layout: ForceLayout) -> int:
    """Leave out a marker at the period's first sample, the last of extend on disk."""
    start, count, _ = layout.runs[0]
    dtype = integers(layout.width(block))
    at = block.offset + dtype.itemsize * (start + count - 1)
    if int(stamp.read(at, dtype, 1)[0]) != _MARKER:
        return 0
    layout.runs[0] = (start, count - 1, True)
    layout.warnings.append("the first sample of each curve is a marker and is left out")
    return 1
