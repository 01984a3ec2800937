"""Which part of the contact is a wall, and whether a soft contact can be told from one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nrm_plugin.calibration import CalibrationFailed
from nrm_plugin.calibration.pooling import Pooled, pool
from nrm_plugin.calibration.wall import FEWEST, WallContact, split_slopes

#: Contacts of curves, each in one or two directions.
WallContacts = Sequence[tuple[WallContact, ...]]

#: The wall's window shrinks by this factor while its slope changes along it by more than this many
#: standard errors.
_GROWTH, _SIGMAS = 1.15, 3.5

#: Relative change of slope that is looked for first; then what a scanner's own faults may make,
#: with parts of the contact next to the turn that may be left out for its creep.
_STRICT, _LOOSE, _SKIPS = 1e-3, 1e-2, (0.0, 0.1, 0.2, 0.3)

#: Part of the contact that has to be straight, and the change of slope over it that is curved.
_STRAIGHT, _CURVED = 0.3, 1e-2

#: Part of the curvature of a Hertzian contact that makes a wall one.
_LIKE_HERTZ = 0.25

#: By how much a Hertzian contact makes the sensitivity too large, over the change of slope between
#: the halves of its wall: the slope of F**(-1/3) between 3/4 and 1/4 of the force, and its mean.
_HERTZ = 2.6


@dataclass(frozen=True)
class Wall:
    """The straight part of contacts.

    Attributes
    ----------
    contacts : list of tuples of WallContact
        From the turn, or behind what was left out there, to the foot.
    skipped, share : float
        Part of the contact left out at the turn; part of the rest that is straight.
    """

    contacts: WallContacts
    skipped: float
    share: float

    @property
    def part(self) -> float:
        """Straight part of the whole contact."""
        return self.share * (1.0 - self.skipped)

    def count(self, contact: WallContact) -> int:
        """Samples of one of its contacts that are straight."""
        return _count(contact, self.share)


def _count(contact: WallContact, share: float) -> int:
    return max(FEWEST, round(share * len(contact.height)))


def straight_part(contacts: WallContacts) -> Wall:
    """Find the largest part of the contact, next to the turn, that is straight.

    Straight is where the halves have one slope, and the last fifth that of the rest: to 0.1 %, or
    else to 1 %, behind up to three tenths of the contact, as creep after the turn makes it.

    Raises
    ------
    CalibrationFailed
        If that is less than three tenths of the contact.
    """
    longest = 0.0
    for tolerance, skips in ((_STRICT, _SKIPS[:1]), (_LOOSE, _SKIPS)):
        for skip in skips:
            behind = [tuple(_behind(c, skip) for c in both) for both in contacts]
            wall = Wall(behind, skip, _largest(behind, tolerance))
            if wall.part >= _STRAIGHT:
                return wall
            longest = max(longest, wall.part)
    raise CalibrationFailed(
        f"only {longest:.0%} of the contact is straight: soft contact or a layer on the sample, "
        "or the detector is not linear; use a bare, stiff sample such as silicon or sapphire"
    )


def _behind(contact: WallContact, skip: float) -> WallContact:
    first = round(skip * len(contact.height))
    return replace(contact, height=contact.height[first:], volts=contact.volts[first:])


def _largest(contacts: WallContacts, tolerance: float) -> float:
    shortest = 2 * FEWEST / float(np.median([len(c.height) for both in contacts for c in both]))
    share = 1.0
    while share > shortest:
        changes = [_change(contacts, share, at) for at in (0.5, 0.8)]
        if not any(c and abs(c.mean) > max(_SIGMAS * _sure(c), tolerance) for c in changes):
            break
        share /= _GROWTH
    return share


def _sure(change: Pooled) -> float:
    """Standard error for a decision: few curves can agree by chance."""
    return max(change.stderr, change.least)


def _change(contacts: WallContacts, share: float, at: float) -> Pooled | None:
    """Slope of the wall's first part, up to `at`, over that of the rest, minus 1."""
    changes, variances = [], []
    for both in contacts:
        if min(len(c.height) for c in both) < 2 * FEWEST:
            continue
        pairs = [split_slopes(c, _count(c, share), at) for c in both]
        whole = np.mean([(u.slope + w.slope) / 2.0 for u, w in pairs])
        changes.append(np.mean([u.slope - w.slope for u, w in pairs]) / whole)
        within = np.mean([u.variance + w.variance for u, w in pairs]) / len(pairs)
        variances.append(within / whole**2)
    return pool(np.array(changes), np.array(variances)) if changes else None


def softness(contacts: WallContacts, wall: Wall) -> tuple[float, list[str]]:
    """Compare the halves of the wall.

    Returns
    -------
    systematic : float
        Relative standard error for a contact that gives way: 0 where the wall shows none.
    notes : list of str

    Raises
    ------
    CalibrationFailed
        If the slopes differ, beyond noise, by more than one percent, or if a Hertzian contact that
        would explain the curved rest of the contact cannot be told from the wall.
    """
    change = _change(wall.contacts, wall.share, 0.5)
    if change is None:
        return 0.0, ["the walls are too short to see whether they are curved"]
    part, error = change.mean, _sure(change)
    whole = change if wall.part == 1.0 else _change(contacts, 1.0, 0.5)
    assert whole is not None
    hertzian = whole.mean * _hertz_change(wall) / _hertz_change(Wall(contacts, 0.0, 1.0))
    bent = wall.part < 1.0 and whole.mean > max(_SIGMAS * _sure(whole), _STRICT)
    soft = bent and part + 2.5 * error > _LIKE_HERTZ * hertzian
    if soft or abs(part) > max(_SIGMAS * error, _CURVED):
        if not soft and part < 0.0:
            why = "it flattens towards large signals: the detector is not linear there"
        else:
            why = (
                "it grows stiffer with force: soft contact. A Hertzian one would make the "
                f"sensitivity {_HERTZ * whole.mean:.1%} too large; use a stiffer sample"
            )
        raise CalibrationFailed(
            f"the wall is curved: its slope changes by {abs(whole.mean):.1%} (+- "
            f"{_sure(whole):.1%}) between its halves; {why}"
        )
    text = f"slope of the wall's upper half over the lower: {part:+.2%} +- {error:.2%}; "
    if abs(part) > 3.0 * error:
        why = "a Hertzian contact would make" if part > 0.0 else "creep or the detector may make"
        return _HERTZ * abs(part), [
            f"{text}{why} an error of {_HERTZ * abs(part):.1%} with it (in the standard error)"
        ]
    most = _HERTZ * (max(part, 0.0) + 2.0 * error)
    return 0.0, [
        f"{text}a Hertzian contact within that would make the sensitivity up to {most:.1%} too "
        "large (not in the standard error)"
    ]


def _hertz_change(wall: Wall) -> float:
    """Change of slope between the halves of that part of a Hertzian wall, in arbitrary units."""
    upper, lower = (1.0 - wall.skipped - x * wall.part for x in (0.25, 0.75))
    return float(lower ** (-1.0 / 3.0) - upper ** (-1.0 / 3.0))
