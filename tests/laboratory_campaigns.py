"""Campaigns in the laboratory: what results and checks say where things are not as told.

Only the public names of the package are used. Each campaign takes seeds, so that the suite runs a
few and ``benchmarks/laboratory.py`` hundreds.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from nrm_laboratory import Laboratory
from scipy.interpolate import PchipInterpolator

import nrm_plugin as nrm

SURE = 1.96

# ---------------------------------------------------------------- moduli


@dataclass(frozen=True, kw_only=True)
class ModuliFigures:
    """How near moduli between two distances come; biases and shares in per cent.

    Attributes
    ----------
    storage, loss : float
        Means over curves and distances against the truth.
    storage_cover, loss_cover : float
        How often 95 % intervals hold the truth.
    far_off : float
        Curves whose E' is more than 30 % off.
    first : float
        First valid distance that 95 % of curves reach, nm.
    missing : float
        Curves without any modulus there.
    """

    storage: float
    loss: float
    storage_cover: float
    loss_cover: float
    far_off: float
    first: float
    missing: float


def moduli(
    results: Any, laboratory: Laboratory, low: float = 2.0, high: float = 5.0, truth: Any = None
) -> ModuliFigures:
    """Hold moduli between two distances (nm) against the truth (MPa), by default the sample's."""
    depth = results["depth"].values * 1e9
    inside = (depth > low - 1e-6) & (depth < high + 1e-6)
    true = laboratory.modulus(depth[inside]) if truth is None else np.asarray(truth)
    found, covers = [], []
    for name, part in (("storage_modulus", true.real), ("loss_modulus", true.imag)):
        values = results[name].values[:, inside] * 1e-6
        errors = results[f"{name}_stderr"].values[:, inside] * 1e-6
        known = np.isfinite(values)
        inside_of = np.abs(values - part)[known] <= SURE * errors[known]
        covers.append(100.0 * np.mean(inside_of) if known.any() else np.nan)
        ratio = values / part
        found.append(ratio)
    each = _mean(found[0], 1)
    first = results["depth_valid_min"].values * 1e9
    first = np.where(np.isfinite(first), first, np.inf)
    return ModuliFigures(
        storage=100.0 * (_mean(found[0]) - 1.0),
        loss=100.0 * (_mean(found[1]) - 1.0),
        storage_cover=covers[0],
        loss_cover=covers[1],
        far_off=100.0 * float(np.mean(np.abs(each - 1.0) > 0.3)),
        first=float(np.quantile(first, 0.95, method="lower")),
        missing=100.0 * float(np.mean(np.isnan(each))),
    )


def _mean(values: Any, axis: int | None = None) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmean(values, axis)


def wrongly_told(percent: float) -> dict[str, Any]:
    """Deflection sensitivity told too large by some per cent."""
    return {"deflection_sensitivity": lambda true: true * (1.0 + percent / 100.0)}


_NOTHING = dict.fromkeys(ModuliFigures.__dataclass_fields__, np.nan)
REFUSED = ModuliFigures(**_NOTHING | {"missing": 100.0, "first": np.inf})

#: Cases of moduli at 2 to 5 nm: what differs from the base, and the direction.
MODULI: dict[str, tuple[dict[str, Any], str]] = {
    "exact": ({}, "approach"),
    "exact, retract": ({}, "retract"),
    **{
        f"sensitivity {e:+d} %": ({"told": wrongly_told(e)}, "approach")
        for e in (-10, -5, -3, 3, 5, 10)
    },
    **{
        f"lever friction {f:+.0%}, {way}": ({"lever_friction": f}, way)
        for f in (0.04, -0.04)
        for way in ("approach", "retract")
    },
    **{
        f"1 GPa, sensitivity {e:+d} %": ({"electrode": 1.0, "told": wrongly_told(e)}, "approach")
        for e in (-5, 0, 5)
    },
    "scanner +2 %": ({"scanner": 1.02}, "approach"),
    "scanner -2 %": ({"scanner": 0.98}, "approach"),
    "noise 0.5 nm": ({"noise": 0.5}, "approach"),
    "wall 10 nm": ({"trigger": 20.0}, "approach"),
    "noise 0.5 nm, sensitivity +5 %": ({"noise": 0.5, "told": wrongly_told(5)}, "approach"),
    "wall 10 nm, sensitivity +5 %": ({"trigger": 20.0, "told": wrongly_told(5)}, "approach"),
    "lateral drift 0.2 nN per ramp": ({"lateral_drift": 0.2 + 0.1j}, "approach"),
    "lateral 1/f of 30 pN": ({"lateral_flicker": 30.0}, "approach"),
    "deflection 1/f of 0.3 nm, hum": ({"flicker": 0.3, "hum": 0.2}, "approach"),
    "tilt 1 %, drift 1 nm/s": ({"tilt": 0.01, "drift": 1.0, "creep": 1.0}, "approach"),
    "attraction, adhesion": ({"hamaker": 2.0, "adhesion": 3.0}, "approach"),
    "k_l 1 N/m": ({"lateral_stiffness": 1.0}, "approach"),
    "k_l 5 N/m": ({"lateral_stiffness": 5.0}, "approach"),
    "k_l 20 N/m": ({"lateral_stiffness": 20.0}, "approach"),
}


def moduli_case(name: str, seeds: Iterable[int]) -> ModuliFigures:
    """Mean figures of a case over seeds."""
    changes, way = MODULI[name]
    found = []
    for seed in seeds:
        laboratory = Laboratory(seed=seed, **changes)
        curves, _ = laboratory.make()
        with quiet():
            try:
                results = nrm.process(curves, {"direction": way})
            except nrm.InvalidInput:
                found.append(REFUSED)
                continue
        found.append(moduli(results, laboratory))
    return mean_of(found)


def mean_of(found: list[ModuliFigures]) -> ModuliFigures:
    """Means of figures, but the largest first distance."""
    names = ModuliFigures.__dataclass_fields__
    means = {name: float(_mean([getattr(f, name) for f in found])) for name in names}
    return ModuliFigures(**means | {"first": max(f.first for f in found)})


# ---------------------------------------------------------------- contact


@dataclass(frozen=True, kw_only=True)
class ContactFigures:
    """How near contacts come, nm; shares in per cent.

    Attributes
    ----------
    bias, rms, typical : float
        Of all contacts; the last one is the median of their absolute errors.
    cover : float
        How often the standard and the systematic error together (95 %) hold the truth.
    cover_statistical : float
        How often the standard error alone does.
    missing, flagged : float
        Curves without a contact; curves with a flag.
    off_1, off_2, unflagged_1, unflagged_2 : float
        Wrong by more than 1 nm, 2 nm; the same without a flag.
    systematic : float
        Median of the systematic error, nm.
    """

    bias: float
    rms: float
    typical: float
    cover: float
    cover_statistical: float
    missing: float
    flagged: float
    off_1: float
    off_2: float
    unflagged_1: float
    unflagged_2: float
    systematic: float


def contacts(results: Any, true: Any) -> ContactFigures:
    """Hold contacts against the truth (m)."""
    error = (results["contact_height"].values - true) * 1e9
    stderr = results["contact_height_stderr"].values * 1e9
    systematic = np.nan_to_num(results["contact_height_systematic"].values * 1e9)
    known = np.isfinite(error)
    about = results["quality"].attrs
    masks = dict(zip(about["flag_meanings"].split(), about["flag_masks"], strict=True))
    bad = (results["quality"].values & ~np.int64(masks["missing_lateral"])) != 0
    size = np.abs(error[known])
    both = np.hypot(stderr[known], systematic[known])

    def share(where: Any) -> float:
        return 100.0 * float(np.mean(where)) if np.size(where) else np.nan

    return ContactFigures(
        bias=float(_mean(error[known])) if known.any() else np.nan,
        rms=float(np.sqrt(_mean(error[known] ** 2))) if known.any() else np.nan,
        typical=float(np.median(size)) if known.any() else np.nan,
        cover=share(size <= SURE * both),
        cover_statistical=share(size <= SURE * stderr[known]),
        missing=share(~known),
        flagged=share(bad),
        off_1=share(size > 1.0),
        off_2=share(size > 2.0),
        unflagged_1=share((size > 1.0) & ~bad[known]),
        unflagged_2=share((size > 2.0) & ~bad[known]),
        systematic=float(np.median(systematic[known])) if known.any() else np.nan,
    )


def mean_contacts(found: list[ContactFigures]) -> ContactFigures:
    """Means of figures; the root of the mean square for rms."""
    names = ContactFigures.__dataclass_fields__
    means = {name: float(_mean([getattr(f, name) for f in found])) for name in names}
    square = float(np.sqrt(_mean([f.rms**2 for f in found])))
    return ContactFigures(**means | {"rms": square})


LAYERS: dict[str, dict[str, Any]] = {
    "bare": {"push": "none"},
    "20 nm, 3 nN": {},
    "60 nm, 9 nN": {"push_range": 60.0, "push_force": 9.0},
    "exp 6 nm, 6 nN": {"push": "exponential", "push_range": 6.0, "push_force": 6.0},
    "steric 3 nN, 5 nm": {"push": "none", "steric": 3.0, "steric_range": 5.0},
    "charge 1 nN, 8 nm": {"push": "none", "charge": 1.0, "charge_range": 8.0},
    "20 nm, 20 GPa": {"electrode": 20.0},
}


def wall_of(changes: Mapping[str, Any], wall: float) -> float:
    """Deflection at which the ramp turns, nm, so that the tip is on the wall for `wall` nm."""
    force = {"none": 0.0}.get(str(changes.get("push", "power")), changes.get("push_force", 3.0))
    total = force + changes.get("steric", 0.0) + changes.get("charge", 0.0)
    return float(total / 0.3 + wall)


def contact_case(
    changes: Mapping[str, Any], seeds: Iterable[int], recipe: Any = None, *, line: bool = False
) -> ContactFigures:
    """Contacts of a case over seeds; `line` holds them against the wall's line where it yields."""
    found = []
    for seed in seeds:
        curves, truth = Laboratory(
            **({"seed": seed, "lateral": False, "retract": False} | changes)
        ).make()
        with quiet():
            results = nrm.process(curves, recipe)
        found.append(contacts(results, truth.asymptote if line else truth.contact))
    return mean_contacts(found)


def quiet() -> Any:
    """Warnings are looked at in the results."""
    return warnings.catch_warnings(action="ignore")


# ---------------------------------------------------------------- checks


@dataclass(frozen=True)
class Said:
    """What was said of a data set.

    Attributes
    ----------
    refused : str
        The error, where there was one.
    checks : mapping of str to (verdict, text)
    warnings : str
        What results warn of.
    """

    refused: str
    checks: dict[str, tuple[str, str]]
    warnings: str

    def verdict(self, name: str) -> str:
        """Of one check; ``refused`` where the input was, ``absent`` if there is no such check."""
        if self.refused:
            return "refused"
        return self.checks.get(name, ("absent", ""))[0]

    @property
    def alarms(self) -> list[str]:
        """Checks that are doubtful or wrong."""
        return [
            name for name, (verdict, _) in self.checks.items() if verdict in ("doubtful", "wrong")
        ]

    def names(self, *words: str) -> bool:
        """Whether an error, or a check that is doubtful or wrong, has one of the words."""
        texts = [self.refused, *(self.checks[name][1] for name in self.alarms)]
        return any(word in text for text in texts for word in words)


def said(laboratory: Laboratory, recipe: Any = None, *, process: bool = True) -> Said:
    """Make curves and look at what the package says."""
    with quiet():
        try:
            curves, _ = laboratory.make()
            if not process:
                checks = {c.name: (c.verdict, c.advice) for c in nrm.check(curves, recipe)}
                return Said("", checks, "")
            results = nrm.process(curves, recipe)
        except nrm.NrmError as error:
            return Said(str(error), {}, "")
    return _read(results)


def _read(results: Any) -> Said:
    """What results say."""
    text = json.loads(results.attrs.get("checks", "[]"))
    checks = {c["name"]: (c["verdict"], c["advice"]) for c in text}
    return Said("", checks, str(results.attrs.get("warnings", "")))


def users(seed: int, *, slips: bool = False, **changes: Any) -> Laboratory:
    """The laboratory of the users' table: four thicknesses, an SR830 at 20 mV, a known lever."""
    random = np.random.default_rng([seed, 77])
    curves = int(changes.pop("curves", 64))
    thick = np.repeat([6.0, 12.0, 20.0, 30.0], -(-curves // 4))[:curves]
    thick = thick * random.uniform(0.8, 1.2, curves)
    stacks = tuple(((5.0, 8 + 2j), (t - 5.0, 2 + 1j)) if t > 5 else ((t, 8 + 2j),) for t in thick)
    given: dict[str, Any] = {
        "curves": curves,
        "samples": 1536,
        "spacing": 0.25,
        "push_range": tuple(thick),
        "push_force": tuple(0.1 * thick),
        "stacks": stacks,
        "lateral_stiffness": 26.0,
        "lateral_sensitivity": 95.0,
        "phase": np.radians(25.0),
        "lateral_noise": 28.0,
        "lockin_sensitivity": 0.02,
        "contact_stiffness": 200.0,
        "time_constant": 3e-4,
        "electrode": 50.0,
        "mu": 0.3 if slips else np.inf,
        "seed": seed,
    }
    return Laboratory(**given | changes)


def _times(factor: float) -> Any:
    return lambda true: true * factor


#: Rows of the users' table: what is told wrongly, and what has to be named.
MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "lock-in sensitivity 200 mV for 20 mV": ({"lockin_sensitivity": 0.2}, "lateral_scale"),
    "lock-in sensitivity 2 mV for 20 mV": ({"lockin_sensitivity": 0.002}, "lateral_scale"),
    "dither 10 nm for 1 nm": ({"dither_amplitude": 10e-9}, "lateral_scale"),
    "dither 0.1 nm for 1 nm": ({"dither_amplitude": 0.1e-9}, "lateral_scale"),
    "dither 1 um for 1 nm": ({"dither_amplitude": 1e-6}, "refused"),
    "peak told for rms": ({"lockin_convention": "peak"}, "lateral_scale"),
    "rms told for peak": ({"lockin_convention": "rms"}, "lateral_scale"),
    "lateral sensitivity of air (1.4)": ({"lateral_sensitivity": _times(1.4)}, "lateral_scale"),
    "lateral sensitivity / 10": ({"lateral_sensitivity": _times(0.1)}, "lateral_scale"),
    "phase never measured": ({"lockin_phase": None}, "lockin_phase"),
    "phase of the wrong sign": ({"lockin_phase": _times(-1.0)}, "lockin_phase"),
    "phase 25 (degrees for radians)": ({"lockin_phase": 25.0}, "refused"),
    "phase +180 degrees": ({"lockin_phase": lambda true: true + np.pi}, "lockin_phase"),
    "phase -10 degrees": ({"lockin_phase": lambda true: true - np.radians(10)}, "lockin_phase"),
    "phase +5 degrees": ({"lockin_phase": lambda true: true + np.radians(5)}, "lockin_phase"),
    "phase -5 degrees": ({"lockin_phase": lambda true: true - np.radians(5)}, "lockin_phase"),
    "X and Y swapped": ({}, "lockin_phase"),
    "sign of Y": ({}, "lockin_phase"),
    "deflection sensitivity of air (1.4)": (
        {"deflection_sensitivity": _times(1.4)},
        "deflection_sensitivity",
    ),
    "deflection sensitivity -30 %": (
        {"deflection_sensitivity": _times(0.7)},
        "deflection_sensitivity",
    ),
    "lag of 5 nm not told": ({"lockin_time_constant": None}, "lockin_lag"),
}


def mistaken(name: str, seed: int, *, slips: bool = False, **changes: Any) -> Laboratory:
    """The users' laboratory with one thing wrong."""
    told, _ = MISTAKES[name]
    changes = {
        "X and Y swapped": {"swapped": True},
        "sign of Y": {"conjugated": True},
        "rms told for peak": {"convention": "peak"},
        "lag of 5 nm not told": {"time_constant": 0.01},
    }.get(name, {}) | changes
    return replace(users(seed, slips=slips, **changes), told=told)


def right(seed: int, **changes: Any) -> Laboratory:
    """A data set that is told rightly, of a random sample, lever and noise.

    Contacts stiffen with the load, tips stick or slip, layers are up to 100 nm thick, and ramps
    long enough for all of it.
    """
    random = np.random.default_rng([seed, 4711])
    thick = float(random.choice([0.0, random.uniform(2, 100)], p=[0.15, 0.85]))
    spring = float(random.choice([0.1, 0.3, 0.6, 1.0]))
    force = thick * random.uniform(0.03, 0.15)
    load = random.uniform(10.0, 40.0)
    trigger = force / spring + max(load / spring, 15.0)
    samples = int(random.choice([512, 1024, 2048]))
    length = trigger + thick + random.uniform(150.0, 300.0)
    samples = max(samples, 2 ** int(np.ceil(np.log2(length / 0.75))))  # full resolution
    inner = float(random.uniform(0.2, 0.8)) * thick
    stiff, soft = random.lognormal(np.log(8), 0.6), random.lognormal(np.log(1.5), 0.6)
    loss = random.uniform(0.1, 0.6, 2)
    stack = ((inner, stiff * (1 + 1j * loss[0])), (thick - inner, soft * (1 + 1j * loss[1])))
    k_l = float(random.choice([5.0, 10.0, 20.0, 50.0]))
    rate = float(random.choice([500.0, 1000.0, 4000.0]))
    tau = min(0.3 / (2 * length / samples * rate), 2e-2) * random.uniform(0.3, 1.0)
    given: dict[str, Any] = {
        "curves": 48,
        "samples": samples,
        "spacing": length / samples,
        "rate": rate,
        "trigger": trigger,
        "spring": spring,
        "push": str(random.choice(["power", "exponential"])) if thick else "none",
        "push_range": thick or 10.0,
        "push_force": force,
        "stack": stack,
        "electrode": float(random.choice([np.inf, 100.0, 50.0, 20.0])),
        "lateral_stiffness": k_l,
        "lateral_sensitivity": float(random.uniform(50, 200)),
        "contact_stiffness": float(np.exp(random.uniform(np.log(5), np.log(500)))),
        "mu": float(random.choice([np.inf, random.uniform(0.1, 0.5)])),
        "friction_adhesion": float(random.uniform(0, 2)),
        "adhesion": float(random.choice([0.0, 1.0, 3.0])),
        "noise": float(random.uniform(0.05, 0.4)),
        "lateral_noise": float(np.exp(random.uniform(np.log(3), np.log(100)))),
        "phase": float(random.uniform(-3, 3)),
        "amplitude": float(random.choice([0.5, 1.0, 2.0])),
        "convention": str(random.choice(["rms", "peak"])),
        "recorded": str(random.choice(["input", "output", "N"])),
        "time_constant": tau,
        "poles": int(random.choice([1, 2, 4])),
        "tilt": float(random.choice([0.0, random.normal(0, 3e-4)])),
        "seed": seed,
    }
    if given["push"] == "exponential":
        given["push_range"] = thick / 5.0
    return Laboratory(**given | changes)


def sticking(seed: int, **changes: Any) -> Laboratory:
    """A right data set whose tip sticks on a contact at least four times as stiff as the lever."""
    laboratory = right(seed, mu=np.inf, **changes)
    random = np.random.default_rng([seed, 815])
    stiff = max(laboratory.contact_stiffness, laboratory.lateral_stiffness * random.uniform(4, 12))
    # the contact has that stiffness at the highest loads, whatever it is at 10 nN
    top = (laboratory.trigger * laboratory.spring - laboratory.push_force) / 10.0
    return replace(laboratory, contact_stiffness=stiff / top**laboratory.contact_power)


# ---------------------------------------------------------------- sparse ramps and fringes

#: Samples per ramp and its length in nm.
SPARSE = (
    *((256, 300.0), (192, 300.0), (128, 300.0), (96, 300.0), (64, 300.0), (32, 300.0)),
    *((64, 150.0), (32, 150.0), (256, 500.0), (128, 500.0), (64, 500.0), (512, 1000.0)),
    *((256, 1000.0), (128, 1000.0)),
)


def sparse(samples: int, length: float, seed: int) -> Laboratory:
    """A ramp of few samples over a layer of 20 nm, with 50 nm of deflection."""
    return Laboratory(
        samples=samples, spacing=length / samples, seed=seed, time_constant=1e-4, rate=300.0
    )


def sparse_figures(laboratory: Laboratory) -> dict[str, Any]:
    """Contact, and moduli against what a window of its half-width shows."""
    curves, truth = laboratory.make()
    with quiet():
        results = nrm.process(curves)
    half = half_width(results, laboratory)
    depth = results["depth"].values * 1e9
    row: dict[str, Any] = {"half_width": half, "contact": contacts(results, truth.contact)}
    row["said"] = _read(results).checks.get("sampling", ("", str(results.attrs["warnings"])))[1]
    for low, high in ((2.0, 5.0), (10.0, 17.0)):
        at = depth[(depth > low - 1e-6) & (depth < high + 1e-6)]
        first = np.nanmedian(results["depth_valid_min"].values) * 1e9
        lowest = max(0.3, first - half) if np.isfinite(first) else 0.3
        row[f"{low:g}"] = moduli(
            results, laboratory, low, high, laboratory.blurred(at, half, lowest)
        )
    return row


def half_width(results: Any, laboratory: Laboratory) -> float:
    """Half-width of the window in nm as results state it; else the recipe's."""
    for name in ("half_width", "resolution", "derivative_half_width"):
        if name in results.attrs:
            return float(results.attrs[name]) * 1e9
    return 2.0


#: Fringes: amplitude and period in nm. Those with 2 pi a / T up to 0.025 are gentle.
FRINGES = (
    *((0.5, 130.0), (0.5, 200.0), (1.0, 260.0), (0.4, 100.0)),
    *((1.0, 200.0), (1.0, 130.0), (1.0, 100.0), (2.0, 260.0), (2.0, 130.0)),
)


def fringe_case(amplitude: float, period: float, seeds: Iterable[int], **changes: Any) -> Any:
    """Contacts under a fringe whose amplitude differs by +-60 % between curves."""
    given = {"fringe": amplitude, "fringe_period": period, "fringe_uneven": 0.6}
    return contact_case(given | changes, seeds)


#: Periods and baselines (nm) of fringes that the baseline holds 0.4 to 0.8 periods of.
SHORT_FRINGES = ((400.0, 160.0), (400.0, 240.0), (300.0, 180.0), (260.0, 200.0))


def _ramp_with(baseline: float) -> dict[str, Any]:
    """A ramp that has so many nm beyond a layer of 20 nm and a wall of 50 nm."""
    length = baseline + 20.0 + 50.0
    return {"samples": int(length / 0.3), "retract": False}


def short_fringe(period: float, baseline: float, seed: int) -> tuple[ContactFigures, bool]:
    """Contacts under a fringe that cannot be carried, and whether anything is said of it."""
    f, what = contact_and_said(
        {"fringe": 1.0, "fringe_period": period, "fringe_uneven": 0.6, "seed": seed}
        | _ramp_with(baseline)
    )
    return f, "fringe" in what.alarms or f.flagged > 50.0


def fringe_free(baseline: float, seed: int) -> tuple[ContactFigures, bool]:
    """Contacts without a fringe, and whether one was taken out."""
    f, what = contact_and_said({"seed": seed, "noise": 0.2} | _ramp_with(baseline))
    texts = [what.warnings, what.checks.get("fringe", ("", ""))[1]]
    return f, any("taken out" in t and "fringe" in t for t in texts)


def contact_and_said(changes: Mapping[str, Any], recipe: Any = None) -> tuple[ContactFigures, Said]:
    """Contacts of one data set, and what is said of it."""
    curves, truth = Laboratory(**changes).make()
    with quiet():
        results = nrm.process(curves, recipe)
    return contacts(results, truth.contact), _read(results)


def moduli_and_said(changes: Mapping[str, Any], recipe: Any = None) -> tuple[ModuliFigures, Said]:
    """Moduli at 2 to 5 nm of one data set, and what is said of it."""
    laboratory = Laboratory(**changes)
    with quiet():
        results = nrm.process(laboratory.make()[0], recipe)
    return moduli(results, laboratory), _read(results)


# ---------------------------------------------------------------- mistakes in random data sets


def slipping(seed: int, **changes: Any) -> Laboratory:
    """A right data set whose tip slips on the wall, whatever the load."""
    laboratory = right(seed, **changes)
    contact, lever = laboratory.contact_stiffness, laboratory.lateral_stiffness
    load = laboratory.trigger * laboratory.spring
    takes = laboratory.amplitude * contact * lever / (contact + lever)
    random = np.random.default_rng([seed, 99])
    mu = random.uniform(0.1, 0.7) * takes / (load + laboratory.friction_adhesion)
    return replace(laboratory, mu=float(min(mu, 0.6)))


#: Mistakes in random data sets: what is told, and the check.
RATES: dict[str, tuple[dict[str, Any], str]] = {
    "dither 10 times too large": ({"dither_amplitude": _times(10.0)}, "lateral_scale"),
    "dither 10 times too small": ({"dither_amplitude": _times(0.1)}, "lateral_scale"),
    "peak told for rms": ({}, "lateral_scale"),
    "rms told for peak": ({}, "lateral_scale"),
    "180 degrees": ({"lockin_phase": lambda true: true + np.pi}, "lockin_phase"),
    "X and Y swapped": ({}, "lockin_phase"),
    "sign of Y": ({}, "lockin_phase"),
    "5 degrees": ({"lockin_phase": lambda true: true + np.radians(5)}, "lockin_phase"),
    "-5 degrees": ({"lockin_phase": lambda true: true - np.radians(5)}, "lockin_phase"),
    "10 degrees": ({"lockin_phase": lambda true: true + np.radians(10)}, "lockin_phase"),
    "-20 degrees": ({"lockin_phase": lambda true: true - np.radians(20)}, "lockin_phase"),
    "deflection sensitivity of air (1.4)": (
        {"deflection_sensitivity": _times(1.4)},
        "deflection_sensitivity",
    ),
}


def spoilt(laboratory: Laboratory, name: str) -> Laboratory:
    """The same data set with one thing told, or wired, wrongly."""
    told, _ = RATES[name]
    if name == "X and Y swapped":
        return replace(laboratory, swapped=True)
    if name == "sign of Y":
        return replace(laboratory, conjugated=True)
    if "told for" in name:
        said, true = name.split(" told for ")
        return replace(laboratory, convention=true, told={"lockin_convention": said})
    return replace(laboratory, told=told)


# ---------------------------------------------------------------- drag, lag, films, composites

#: Drag (nm), part of it on the wall, drift of the deflection (nm/s).
DRAGS = (
    *((0.0, 0.0, 0.0), (0.5, 0.0, 0.0), (2.0, 0.0, 0.0), (5.0, 0.0, 0.0)),
    *((2.0, -0.1, 0.0), (2.0, 0.1, 0.0), (2.0, 0.0, 1.0), (0.0, 0.0, 1.0), (5.0, 0.1, 1.0)),
)

LAGS: dict[str, dict[str, Any]] = {
    "told, 0.12 nm": {},
    "told, 1.2 nm (2 ms x 2)": {"time_constant": 2e-3},
    "told, 2.4 nm (2 ms x 4)": {"time_constant": 2e-3, "poles": 4},
    "not told, 1.2 nm": {"time_constant": 2e-3, "told": {"lockin_time_constant": None}},
    "not told, 5 nm": {"time_constant": 8e-3, "told": {"lockin_time_constant": None}},
    "not told, 0.12 nm": {"told": {"lockin_time_constant": None}},
    "poles 1 told for 4 (2 ms)": {"time_constant": 2e-3, "poles": 4, "told": {"lockin_poles": 1}},
    "1 ms told for 10 ms": {"time_constant": 1e-2, "told": {"lockin_time_constant": 1e-3}},
    "10 ms told for 1 ms": {"time_constant": 1e-3, "told": {"lockin_time_constant": 1e-2}},
    "no time channel": {"time": False},
    "relaxing layer (half on the way back)": {"back": 0.5},
    "stringing layer (1.3)": {"stretched": 1.3, "strings": True},
    "stringing layer (1.6), adhesion": {"stretched": 1.6, "strings": True, "adhesion": 2.0},
}


#: What changes during a run of 100 curves.
CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "laser drifts, sensitivity +5 %": {"sensitivity": tuple(np.linspace(40.0, 42.0, 100))},
    "laser steps, sensitivity +3 %": {"sensitivity": tuple(np.repeat([40.0, 41.2], 50))},
    "tip blunts, contact x 2": {"contact_stiffness": tuple(np.geomspace(60.0, 120.0, 100))},
    "tip breaks, contact x 3": {"contact_stiffness": tuple(np.repeat([60.0, 180.0], 50))},
    "layer grows (no fault)": {"push_range": tuple(np.linspace(10.0, 40.0, 100))},
}

#: Films: thickness (nm), modulus (GPa), lever (N/m).
FILMS = (
    *((0.0, 1.0, 0.3), (0.0, 1.0, 3.0)),
    *((t, e, 0.3) for t in (5.0, 10.0, 15.0) for e in (0.3, 1.0, 2.0)),
    *((t, e, 3.0) for t in (5.0, 15.0) for e in (0.3, 1.0, 2.0)),
)


def film(thickness: float, modulus: float, spring: float) -> dict[str, Any]:
    """A film on an electrode of 50 GPa, pressed with 15 nN by any lever, with Mindlin's contact."""
    return {
        "curves": 64,
        "film": thickness,
        "film_modulus": modulus,
        "electrode": 50.0,
        "contact_stiffness": None,
        "spring": spring,
        "trigger": 15.0 / spring if spring < 1.0 else 20.0,
        "noise": 0.2 if spring < 1.0 else 0.1,
    }


def composite_case(error: float, seed: int) -> tuple[ModuliFigures, tuple[float, float]]:
    """Moduli where 30 % of curves lie on 1 GPa; soft and stiff ones that are called yielding."""
    random = np.random.default_rng([seed, 5])
    soft = random.random(100) < 0.3
    electrode = tuple(np.where(soft, 1.0, 20.0))
    laboratory = Laboratory(electrode=electrode, seed=seed, told=wrongly_told(error))
    with quiet():
        results = nrm.process(laboratory.make()[0])
    yields = (np.nan, np.nan)
    name = next((n for n in ("surface_class", "surface", "wall_class") if n in results), None)
    if name is not None:
        about = results[name].attrs
        meanings = str(about.get("flag_meanings", "hard yielding")).split()
        values = list(about.get("flag_values", range(len(meanings))))
        called = results[name].values == values[meanings.index("yielding")]
        yields = float(called[soft].mean()), float(called[~soft].mean())
    return moduli(results, laboratory), yields


# ---------------------------------------------------------------- finite elements


def finite_elements(seed: int, radius: float = 10.0) -> list[tuple[Any, ...]]:
    """Moduli of a uniform layer whose lateral force the finite elements gave.

    The shape factor is that of the tip in a thick layer, so that far from the electrode the
    modulus is the layer's; nearer than a radius it is apparent.
    """
    from nrm_plugin import fea

    thickness, modulus = 100e-9, 2e6 + 0.6e6j
    tip, layer = fea.Tip(radius * 1e-9), fea.Layer(thickness, modulus, 0.49)
    z = np.array([0.7, 2.0, 4.0, 6.5, 10.0, 15.0, 22.0, 32.0, 48.0, 75.0])
    depths = thickness - z * 1e-9
    found = fea.lateral_force(tip, layer, depths=depths, amplitude=1e-9, workers=1)
    in_phase, quadrature = (
        PchipInterpolator(np.append(z, 100.0), np.append(part, 0.0))
        for part in (found.force.real * 1e9, found.force.imag * 1e9)
    )

    def stiffness(at: Any) -> Any:
        return in_phase(at) + 1j * quadrature(at)

    factor = fea.shape_factor(tip, fea.Layer(thickness, 1e6, 0.49), table=True).constant

    def law(at: Any) -> Any:
        at = np.asarray(at)
        return np.where(at < 100.0, stiffness(np.clip(at, 0.7, 100.0)), 0.0)

    laboratory = Laboratory(
        law=law, stack=((100.0, 2 + 0.6j),), push_range=100.0, samples=1500, seed=seed
    )
    recipe = {"shape_factor": float(factor)}
    with quiet():
        results = nrm.process(laboratory.make()[0], recipe)
    what = _read(results)
    depth = results["depth"].values * 1e9
    storage = _mean(results["storage_modulus"].values, 0) * 1e-6
    verdict, text = what.checks.get("shape_factor", ("absent", what.warnings))
    rows = []
    for at in (2.0, 3.0, 5.0, 8.0, 10.0, 15.0, 20.0, 30.0, 40.0):
        slope = -(stiffness(at + 1.0) - stiffness(at - 1.0)).real / 2.0
        apparent = float(slope / (4e-3 * factor))
        here = float(storage[np.argmin(abs(depth - at))])
        rows.append((f"{at:g}", here, apparent, modulus.real * 1e-6, f"{verdict}: {text}"))
    return rows
