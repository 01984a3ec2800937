"""`nrm merge` on seeded double recordings: pairs, false pairs, timing, and what must be refused.

    python benchmarks/pairing_campaign.py [--first 5001] [--experiments 60] [--curves 400]

Each experiment has its own seed, clocks, gain and polarity, 5 % of aborted ramps, a board that
began late and stopped early, and in turn a pause of one of the recorders and times of the
microscope to the millisecond, to the second, or none. Of every other one the curves are also given
with a recording that holds their map twice, and its recording with the curves of the experiment
before it, as a file of another day.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from double_recordings import DoubleRecording, double_recording

import nrm_plugin as nrm
from nrm_plugin.errors import InvalidInput
from nrm_plugin.pairing import pair

TIMES, PAUSED = ("exact", "second", "none"), ("", "board", "microscope", "")


def twice(recorded: DoubleRecording, seed: int) -> nrm.CurveSet:
    """The board's recording with the same map after itself, but for noise."""
    board = recorded.board
    rng = np.random.default_rng((seed, 13))
    channels = {n: (np.tile(board.read(n), 2), c.unit) for n, c in board.channels.items()}
    values, unit = channels["deflection"]
    noise = 1e-3 * np.ptp(values) * rng.standard_normal(len(values))
    channels["deflection"] = values + noise, unit
    segments = np.concatenate([board.segments] * 2)
    segments["curve"][len(board.segments) :] += board.n_curves
    return nrm.CurveSet.from_arrays(channels, np.tile(board.row_size, 2), segments)


def refused(board: nrm.CurveSet, microscope: nrm.CurveSet) -> str:
    """The sentence of a refusal; how many were paired where there is none."""
    try:
        found = pair(board, microscope)
    except InvalidInput as error:
        return str(error)
    return f"NOT REFUSED: {len(found.curve)} pairs"


def main() -> None:
    """Print a line for each experiment, and what they are together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=5001)
    parser.add_argument("--experiments", type=int, default=60)
    parser.add_argument("--curves", type=int, default=400)
    given = parser.parse_args()
    seen = right = false = wanted = refusals = 0
    worst = 0.0
    before: DoubleRecording | None = None
    for number in range(given.experiments):
        seed = given.first + number
        times, paused = TIMES[number % 3], PAUSED[number % 4]
        recorded = double_recording(seed, given.curves, times=times, paused=paused)
        began = time.process_time()
        try:
            found = pair(recorded.board, recorded.microscope)
        except InvalidInput as error:
            seen += int(recorded.seen.sum())
            print(f"{seed} {times} {paused or '-'}: REFUSED: {error}", flush=True)
            continue
        took = time.process_time() - began
        off = np.abs(found.begin - recorded.begins[found.curve] / recorded.rate)
        off /= found.sample_interval
        good = (off < 1.0) & recorded.seen[found.curve]
        seen += int(recorded.seen.sum())
        right += int(good.sum())
        false += int((~good).sum())
        worst = max(worst, float(off[good].max()))
        line = f"{seed} {times:6} {paused or '-':10} {good.sum()} of {recorded.seen.sum()} paired, "
        line += f"{(~good).sum()} false, timing {off[good].max():.3f} samples, {took:.1f} s"
        if number % 2:
            wanted += 2
            texts = [refused(twice(recorded, seed), recorded.microscope)]
            if before is not None:
                texts.append(refused(recorded.board, before.microscope))
            refusals += sum("NOT REFUSED" not in text for text in texts)
            line += "".join(f"\n     {text[:110]}" for text in texts)
        before = recorded
        print(line, flush=True)
    print(
        f"{given.experiments} experiments: {right} of {seen} paired "
        f"({100.0 * right / seen:.3f} %), {false} false, timing at most {worst:.3f} "
        f"of the microscope's samples; {refusals} of {wanted} recordings that do not tell refused"
    )


if __name__ == "__main__":
    main()
