"""Kills `nrm acquire` while it records: all but the last second is there, and right."""

from __future__ import annotations

import random
import re
import shutil
import signal
import time
from pathlib import Path

import numpy as np
from fault_commands import Command, leftovers
from fault_kills import Forked, Outcome

OUT, PART = "out.h5", "out.h5.part"

#: A recording of two seconds of the simulated board, in real time.
RECORD = Command(
    name="acquire",
    words=("acquire", "--simulate", "-o", OUT, "--duration", "2s", "--overwrite"),
)
_RECOVER = Command(name="acquire", words=("acquire", "--recover", PART, "--overwrite"))
_AGAIN = Command(name="acquire", words=(*RECORD.words[:4], "--duration", "0.1s", "--overwrite"))

#: Of what is recorded the last second may be lost.
MOST = 1.0


def kill_recordings(kills: int, folder: Path, data: Path, rng: random.Random) -> Outcome:
    """Kill recordings at random moments, recover them, and compare every sample.

    The simulated board gives the same samples each time.
    """
    made = Outcome(RECORD.name)
    known = _samples(folder, data)
    RECORD.prepare(folder, data)
    ended = Forked(RECORD, folder, data).end()
    length, actions, whole = ended.seconds, max(ended.actions, 1), _rows(folder / OUT)
    tries, lost = 0, []
    while made.kills < kills and tries < 4 * kills + 20:
        tries += 1
        RECORD.prepare(folder, data)
        by_action = tries % 3 == 0
        child = Forked(RECORD, folder, data, at_action=rng.randint(1, actions) if by_action else 0)
        if not by_action:
            time.sleep(rng.uniform(0.0, length))
        killed = time.time()
        if not by_action:
            child.kill()
        code = child.end().code
        if by_action:
            killed = time.time()
        if code != -signal.SIGKILL:
            continue
        made.kills += 1
        lost.append(_looked_at(made, folder, data, known, killed, whole))
    print(f"acquire: {made.kills} kills, left {dict(made.left)}, faults {made.faults}")
    print(f"  at most {max(lost):.2f} s of a recording lost, median {np.median(lost):.2f} s")
    return made


def _looked_at(
    made: Outcome, folder: Path, data: Path, known: np.ndarray, killed: float, whole: int
) -> float:
    """Recover what is left, and record again; return the seconds that were lost."""
    from nrm_daq import recording

    lost = 0.0
    out, part = folder / OUT, folder / PART
    for name in leftovers(folder):
        made.left[PART if name == PART else "hidden .part"] += 1
    if part.exists():
        samples = 0
        try:
            contents = recording.read(part)
        except recording.EmptyRecording:
            pass
        else:
            samples = contents.n_samples
            began = sum(contents.notes[0]["began"]) / 2e9 if contents.notes else killed
            rate = contents.header["setup"]["rate"]
            lost = min(killed - began, whole / rate) - samples / rate
            if not out.exists() and lost > MOST:
                made.faults.append(f"{lost:.1f} s lost")
            for channel in range(contents.n_channels):
                if (contents.volts(channel, 0, samples) != known[channel, :samples]).any():
                    made.faults.append("other samples")
        back = Forked(_RECOVER, folder, data).end()
        if samples and back.code:
            made.faults.append(f"not recovered: {back.said.strip()}")
        if not samples:
            made.left[re.sub(r"\S*/", "", back.said.strip())] += 1
        elif (rows := _rows(out)) != samples:
            made.faults.append(f"{rows} of {samples} samples recovered")
    elif out.exists() and _rows(out) != whole:
        made.faults.append("a file that is not whole")
    part.unlink(missing_ok=True)
    again = Forked(_AGAIN, folder, data).end()
    if again.code:
        made.faults.append(f"not recorded again: {again.said.strip()}")
    return lost


def _rows(path: Path) -> int:
    import nrm_plugin as nrm

    return nrm.open(path).n_samples


def _samples(folder: Path, data: Path) -> np.ndarray:
    """All samples of the simulated board, of four seconds."""
    from nrm_daq import recording

    longer = Command(name="acquire", words=(*RECORD.words[:4], "--duration", "60s"))
    longer.prepare(folder, data)
    child = Forked(longer, folder, data)
    time.sleep(6.0)
    child.kill()
    child.end()
    contents = recording.read(folder / PART)
    found = [contents.volts(c, 0, contents.n_samples) for c in range(contents.n_channels)]
    shutil.rmtree(folder)
    return np.asarray(found)
