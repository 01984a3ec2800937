"""What the tip feels: normal equilibrium, and the lateral stiffness it meets."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from nrm_plugin.columns import ComplexArray, FloatArray
from nrm_plugin.simulate.instrument import Instrument
from nrm_plugin.simulate.sample import Electrode, Interphase

_POINTS = 4096


@dataclass(frozen=True, kw_only=True)
class Equilibrium:
    """Where cantilever and sample balance, with the solid surface at height 0.

    Attributes
    ----------
    base, gap, force : arrays
        Height of the cantilever's base (rising), the tip's distance from the surface, and the
        normal force, in m and N.
    turn : float
        Height at which the force asked for is reached.
    contact : float
        Height at which the asymptote of the wall meets the baseline.
    came_through : bool
        Whether the tip touches the electrode there.
    spring_constant : float
    """

    base: FloatArray
    gap: FloatArray
    force: FloatArray
    turn: float
    contact: float
    came_through: bool
    spring_constant: float

    def at(self, height: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Gap and force at heights of the base."""
        gap = np.interp(height, self.base, self.gap)
        force = np.interp(height, self.base, self.force)
        far = height > self.base[-1]
        gap[far] = height[far]
        force[far] = 0.0
        near = height < self.base[0]  # a rigid wall: the tip stays, the cantilever bends
        gap[near] = self.gap[0]
        force[near] = self.force[0] + self.spring_constant * (self.base[0] - height[near])
        return gap, force

    def dragged(
        self, height: FloatArray, displacement: float, start: float | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Gap and force at heights of the base, one after the other, where drag holds the tip back.

        The base's height is ``h = g - F(g) / k - displacement dg/dh``: drag goes with the speed of
        the tip, and a tip on a rigid wall feels none. Solved step by step (implicit Euler).

        Parameters
        ----------
        height : array
            Evenly spaced in time.
        displacement : float
            Of a free tip in m: positive on the way down, negative on the way up.
        start : float, optional
            Gap before the first height; that of a free tip if not given.
        """
        step = float(height[1] - height[0])
        weight = -displacement / step
        gap = np.append(
            self.gap, self.base[-1] + (1e-3, 2e-3)
        )  # beyond the last, gap and base agree
        base = np.append(self.base, gap[-2:])
        table, gaps = (base + weight * gap).tolist(), gap.tolist()
        g = float(height[0]) + displacement - step if start is None else start
        found = np.empty(len(height))
        for i, h in enumerate(height.tolist()):
            wanted = h + weight * g
            upper = min(max(bisect_right(table, wanted), 1), len(table) - 1)
            low, high = table[upper - 1], table[upper]
            part = max((wanted - low) / (high - low), 0.0)
            found[i] = g = gaps[upper - 1] + part * (gaps[upper] - gaps[upper - 1])
        before = found[0] - step if start is None else start
        speed = np.diff(found, prepend=before) / step
        return found, self.spring_constant * (found - height - displacement * speed)


def normal_equilibrium(
    interphase: Interphase, electrode: Electrode, spring_constant: float, force: float
) -> Equilibrium:
    """Balance cantilever against interphase and electrode up to a force.

    The base's height follows from the gap, ``h = g - F(g) / k``, and rises with it, so that a
    table turned around gives gap and force for any height. Where a crust breaks, the tip jumps to
    where the cantilever finds the next balance.
    """
    reach = max(interphase.reach, 1e-9)
    gap = np.linspace(0.0, reach, _POINTS)
    pushed = interphase.normal_force(gap)
    at_wall = float(pushed[0])
    contact = 0.0
    if not electrode.rigid:
        deepest = 1e-9
        while at_wall + float(electrode.normal_force(np.array(deepest))) < 1.5 * force:
            deepest *= 1.5
        inside = np.linspace(-deepest, 0.0, _POINTS)[:-1]
        gap = np.concatenate([inside, gap])
        pushed = np.concatenate([at_wall + electrode.normal_force(-inside), pushed])
    base, most = gap - pushed / spring_constant, pushed
    if interphase.crust is not None:  # the tip follows what it meets first, from outside
        base = np.minimum.accumulate(base[::-1])[::-1]
        most = np.maximum.accumulate(pushed[::-1])[::-1]
    came_through = force > at_wall
    if came_through and electrode.rigid:
        turn = -force / spring_constant
    else:
        turn = float(np.interp(-force, -most, base))
    if not electrode.rigid and came_through:
        contact = _asymptote(base, pushed, turn)
    return Equilibrium(
        base=base,
        gap=gap,
        force=pushed,
        turn=turn,
        contact=contact,
        came_through=came_through,
        spring_constant=spring_constant,
    )


def _asymptote(base: FloatArray, force: FloatArray, turn: float) -> float:
    """Where the tangent at the turn meets zero force."""
    slope = np.gradient(force, base)
    here = np.interp(turn, base, force)
    return float(turn - here / np.interp(turn, base, slope))


def lateral_stiffness(
    gap: FloatArray,
    normal: FloatArray,
    interphase: Interphase,
    electrode: Electrode,
    instrument: Instrument,
    soft: ComplexArray | None = None,
) -> tuple[ComplexArray, bool]:
    """Lateral force per dither amplitude that the lever shows, N/m, and whether the tip slips.

    Layer and lever are springs in series: ``K k / (K + k)``. On the electrode the solid contact
    is added to the layer: an elastic spring that grows as the cube root of the load, with a slider
    that gives way at friction times load. Its answer is that of an elastic-plastic (Jenkins)
    element, whose first harmonic is partly out of phase: a slipping tip looks like loss.

    Parameters
    ----------
    gap, normal : array
        The tip's distance from the surface in m, and the force on it in N.
    soft : array, optional
        Stiffness of the layer in N/m, if it is not that at the gap.
    """
    if soft is None:
        soft = interphase.stiffness(np.maximum(gap, 0.0), instrument.shape_factor)
    k = instrument.lateral_stiffness
    load = np.maximum(normal - interphase.at_electrode, 0.0)
    solid = (gap <= 0.0) & (load > 0.0)
    contact = electrode.contact_stiffness(load, -gap)
    with_lever = contact * k / (contact + k) if np.isfinite(k) else contact
    wall: ComplexArray = with_lever.astype(complex)
    slips = False
    if np.isfinite(electrode.friction):
        limit = electrode.friction * (normal + electrode.adhesion)
        size = np.abs(with_lever)
        wall = slipping_stiffness(size, limit, instrument.dither_amplitude)
        if np.iscomplexobj(with_lever):
            wall = wall * np.exp(1j * np.angle(with_lever))
        slips = bool(np.any(solid & (size * instrument.dither_amplitude > limit)))
    if not np.isfinite(k):
        return soft + np.where(solid, wall, 0.0), slips
    # The spring that gives this answer behind the lever; the layer lies beside it.
    behind = soft + np.where(solid, wall * k / (k - wall), 0.0)
    return behind * k / (behind + k), slips


def slipping_stiffness(stiffness: FloatArray, limit: FloatArray, amplitude: float) -> ComplexArray:
    """First harmonic of a spring with a slider, per amplitude, in N/m.

    Parameters
    ----------
    stiffness : array
        Of the spring in N/m.
    limit : array
        Force in N at which it slips.
    amplitude : float
        Of the motion, peak, in m.
    """
    reached = stiffness * amplitude
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(reached > 0, np.clip(limit / reached, 0.0, 1.0), 1.0)
    angle = np.arccos(1.0 - 2.0 * ratio)
    in_phase = stiffness / np.pi * (angle - np.sin(angle) * np.cos(angle))
    loss = 4.0 / np.pi * stiffness * ratio * (1.0 - ratio)
    return np.asarray(in_phase + 1j * loss)
