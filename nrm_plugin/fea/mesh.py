r"""A structured mesh of curved quadrilaterals around a tip, in the half plane (r, z).

Rays lead from the tip's surface to a box around it; rows and columns of a rectangular grid go on
from the box to the rim and to the electrode::

    |tip |- - - |- - - - - - -|  free surface
    |    |- - - |- - - - - - -|
     \__/ \  \   |- - - - - - -|  rim
    |_|___\___\_|- - - - - - -|
    | |   |   | |             |
    axis           electrode

Below the equator the rays fan out; above it they are horizontal. Rows and rays follow interfaces.
All lengths are in tip radii.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from skfem import MeshQuad, MeshQuad2

from nrm_plugin.columns import FloatArray, IntArray
from nrm_plugin.fea.geometry import Tip

# Sizes of elements at a fineness of 1, found from the convergence of the force.
_CONTACT = 0.02  # where tip and free surface meet, and the stress is singular
_CAP = 0.18  # on the spherical end
_NARROW = 0.2  # part of the width of the gap under the apex, sqrt(2 R gap)
# How sizes grow with the distance: along the spherical end, along the shank, on the rays, beyond.
_ALONG, _SHANK, _OUTWARD, _BEYOND = 0.7, 0.8, 0.4, 0.35

_BOX = 1.0  # between tip and box
_BELOW, _ABOVE = 0.006, 0.003  # nearer to the apex an interface is followed at this distance
_NEAR = 0.35  # part of the width of the gap between apex and interface
_JUMP = 0.02  # where an interface with a jump of the modulus meets the tip

# Parts of a length at which sizes are asked for, densest at both ends.
_TO_MIDDLE = np.geomspace(1e-6, 0.5, 100)
_DENSE = np.concatenate([[0.0], _TO_MIDDLE, 1.0 - _TO_MIDDLE[-2::-1], [1.0]])

_Size = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False, kw_only=True)
class TipMesh:
    """A mesh, and what lies on its boundaries.

    Attributes
    ----------
    mesh : MeshQuad2
        Coordinates are r and the height above the electrode.
    tip : ndarray of int
        Nodes on the tip.
    normals : ndarray of shape (2, n)
        At these, out of the tip.
    axis, held : ndarray of int
        Nodes at r = 0; nodes on electrode and rim.
    jumps : tuple of float
        Heights of the interfaces that it follows.
    """

    mesh: MeshQuad2
    tip: IntArray
    normals: FloatArray
    axis: IntArray
    held: IntArray
    jumps: tuple[float, ...] = ()


def around_tip(
    tip: Tip,
    thickness: float,
    domain: float,
    depth: float,
    *,
    fineness: float = 1.0,
    largest: float = math.inf,
    edges: Sequence[float] = (),
    jumps: Sequence[float] = (),
) -> TipMesh:
    """Mesh the layer around a tip.

    Parameters
    ----------
    tip : Tip
        Of radius 1.
    thickness, domain, depth : float
        In tip radii.
    fineness : float
        Sizes of elements are divided by it.
    largest : float
        No element is higher than this.
    edges : sequence of float
        Heights above the electrode, ascending, that rows and rays follow.
    jumps : sequence of float
        The same, at which the modulus jumps so much that stresses are singular at the tip.
    """
    gap = thickness - depth
    jumps = [_off_apex(e, gap) for e in jumps]
    edges = sorted({*(_off_apex(e, gap) for e in edges), *jumps})
    frame = _Frame(tip, thickness, domain, depth, edges, jumps)
    s = frame.contour(fineness, largest)
    first = int(np.argmin(np.abs(s - frame.corner)))  # the ray into the corner of the box
    starts, ends = frame.starts(s), frame.ends(s)
    ends[:, first] = frame.width, frame.bottom
    parts = _parts(ends - starts, frame.size(s, fineness, largest), fineness, largest)
    rays = _between(starts, ends, parts)
    middle = 0.5 * (s[1:] + s[:-1])  # the curved edges lead through the surface here
    halfway = _between(
        frame.starts(middle), 0.5 * (ends[:, 1:] + ends[:, :-1]), 0.5 * (parts[1:] + parts[:-1])
    )
    step = float(np.hypot(*(rays[:, first:, -1] - rays[:, first:, -2])).mean())
    columns = _divided([0.0, domain - frame.width], _growing(step, fineness))[1:]
    below = [frame.bottom - e for e in reversed(edges) if 0.0 < e < frame.bottom - 1e-6]
    rows = np.empty(0)
    if frame.bottom:
        rows = _divided([0.0, *below, frame.bottom], _growing(step, fineness, largest))[1:]
    mesh, on_tip = _connected(rays, halfway, frame.width + columns, frame.bottom - rows, first)
    r, z = mesh.doflocs
    vertices = np.arange(s.size) * rays.shape[2]
    return TipMesh(
        mesh=mesh,
        tip=np.concatenate([vertices, on_tip]),
        normals=tip.normal(np.concatenate([s, middle])),
        axis=np.flatnonzero(r < 1e-12),
        held=np.flatnonzero((z < 1e-12) | (r > domain * (1.0 - 1e-12))),
        jumps=tuple(jumps),
    )


class _Frame:
    """The box around the tip, and where rays from the tip's surface end on it."""

    def __init__(
        self,
        tip: Tip,
        thickness: float,
        domain: float,
        depth: float,
        edges: Sequence[float],
        jumps: Sequence[float],
    ) -> None:
        self.tip, self.gap = tip, thickness - depth
        self.top = tip.length(depth)
        lower = min(depth, 1.0)  # from the apex to the equator
        self.equator, self.centre = tip.length(lower), self.gap + lower
        shank = tip.width(depth)
        self.width = min(shank + _BOX, 0.5 * (shank + domain))
        self.bottom = self._bottom(edges)
        followed = [e for e in edges if self.gap < e < thickness]
        self.crossings = [tip.length(e - self.gap) for e in followed]
        fan = [
            (s, self._angle(e))
            for s, e in zip(self.crossings, followed, strict=True)
            if e < self.centre - 1e-3
        ]
        self.jumps = [tip.length(e - self.gap) for e in jumps if self.gap <= e < thickness]
        self.nearest = min((abs(e - self.gap) for e in jumps), default=math.inf)
        self._fan = np.array([(0.0, 0.0), *fan, (self.equator, 0.5 * math.pi)]).T
        self.corner = float(np.interp(self._angle(self.bottom), self._fan[1], self._fan[0]))

    def _bottom(self, edges: Sequence[float]) -> float:
        """Height of the box's lower side: an interface below the apex, or about a radius below."""
        below = [e for e in edges if e < self.gap]
        usual = self.gap - _BOX if self.gap > 1.5 * _BOX else 0.0
        return max(below[-1], usual) if below else usual

    def _angle(self, height: float) -> float:
        """Angle from the axis, downwards, at which the centre sees a point of the box's side."""
        return math.atan2(self.width, self.centre - height)

    def starts(self, s: FloatArray) -> FloatArray:
        """Points (r, z) of the tip at arc lengths."""
        return np.asarray(self.tip.surface(s) + np.array([[0.0], [self.gap]]))

    def ends(self, s: FloatArray) -> FloatArray:
        """Points of the box that the rays from arc lengths lead to."""
        angle = np.interp(s, *self._fan)
        r = np.minimum((self.centre - self.bottom) * np.tan(np.minimum(angle, 1.57)), self.width)
        fan = np.maximum(self.centre - self.width / np.tan(np.maximum(angle, 1e-9)), self.bottom)
        return np.array([r, np.where(s < self.equator, fan, self.starts(s)[1])])

    def size(self, s: FloatArray, fineness: float, largest: float) -> FloatArray:
        """Size of elements along the tip, at arc lengths."""
        contact = _CONTACT * fineness**-3 * min(1.0, self.top)
        cap = min(_CAP, 0.25 * self.top) + _SHANK * np.maximum(s - self.equator, 0.0)
        narrow = _NARROW * np.sqrt(2.0 * self.starts(s)[1])
        size = np.minimum(cap, narrow) / fineness
        size = np.minimum(size, contact + _ALONG / fineness * (self.top - s))
        for jump in self.jumps:
            size = np.minimum(size, (_JUMP / fineness + _ALONG * np.abs(s - jump)) / fineness)
        if self.nearest < 1.0:
            slit = _NEAR * np.sqrt(2.0 * self.nearest)
            size = np.minimum(size, (slit + _ALONG * s) / fineness)
        if math.isfinite(largest):
            step = 1e-5 * self.top
            slope = (self.ends(np.minimum(s + step, self.top)) - self.ends(s))[1] / step
            size = np.minimum(size, largest / np.maximum(slope, 1e-9))
        return np.asarray(size)

    def contour(self, fineness: float, largest: float) -> FloatArray:
        """Arc lengths of the vertices on the tip."""
        special = {self.corner, min(self.tip.cap_length, self.top), self.equator, *self.crossings}
        breaks = [0.0, *sorted(x for x in special if x < self.top - 1e-6), self.top]
        return _divided(breaks, lambda s: self.size(s, fineness, largest))


def _off_apex(edge: float, gap: float) -> float:
    """Height at which an interface is followed: not right at the apex."""
    return edge if not -_BELOW < edge - gap < _ABOVE else gap + (_ABOVE if edge > gap else -_BELOW)


def _between(starts: FloatArray, ends: FloatArray, parts: FloatArray) -> FloatArray:
    """Points at parts of the way, shape (2, ways, parts)."""
    return np.asarray(starts[:, :, None] + parts * (ends - starts)[:, :, None])


def _divided(breaks: Sequence[float], size: _Size) -> FloatArray:
    """Points from the first break to the last, through all, whose steps follow a size."""
    pieces = [
        _points(start, stop, size)[1:] for start, stop in pairwise(breaks) if stop - start > 1e-6
    ]
    return np.concatenate([breaks[:1], *pieces])


def _points(start: float, stop: float, size: _Size) -> FloatArray:
    """Points from start to stop, in as many steps as the size asks for."""
    at, number = _steps(start, stop, size)
    return _spread(at, number, stop, max(1, math.ceil(number[-1] - 1e-6)))


def _spread(at: FloatArray, number: FloatArray, stop: float, count: int) -> FloatArray:
    """Points of `count` steps to the stop, from the places and numbers of `_steps`."""
    points = np.interp(np.linspace(0.0, number[-1], count + 1), number, at)
    points[-1] = stop
    return np.asarray(points)


def _steps(start: float, stop: float, size: _Size) -> tuple[FloatArray, FloatArray]:
    """Places, and how many steps of the size lie before each."""
    at = start + (stop - start) * _DENSE
    density = 1.0 / size(at)
    number = np.concatenate([[0.0], np.cumsum(np.diff(at) * 0.5 * (density[1:] + density[:-1]))])
    return at, number


def _growing(first: float, fineness: float, largest: float = math.inf) -> _Size:
    """Size that begins with `first` at 0 and grows."""
    return lambda x: np.minimum(first + _BEYOND / fineness * x, largest)


def _parts(span: FloatArray, first: FloatArray, fineness: float, largest: float) -> FloatArray:
    """Where the vertices lie on the rays: parts of their lengths, shape (rays, vertices)."""

    def size(first: float, cap: float) -> _Size:
        return lambda x: np.minimum(first + _OUTWARD / fineness * x, cap)

    lengths = np.hypot(*span)
    caps = largest * lengths / np.maximum(np.abs(span[1]), 1e-12)
    given = zip(lengths.tolist(), first.tolist(), caps.tolist(), strict=True)
    rays = [(length, *_steps(0.0, length, size(a, cap))) for length, a, cap in given]
    count = max(1, max(math.ceil(number[-1] - 1e-6) for _, _, number in rays))
    return np.array([_spread(at, number, length, count) / length for length, at, number in rays])


def _connected(
    rays: FloatArray, halfway: FloatArray, columns: FloatArray, rows: FloatArray, first: int
) -> tuple[MeshQuad2, IntArray]:
    """Join the box with the grid around it.

    Parameters
    ----------
    rays : ndarray of shape (2, rays, vertices)
        Vertices in the box; those of ray `first` end in its corner.
    halfway : ndarray of shape (2, rays - 1, vertices)
        Nodes of the edges from ray to ray.
    columns, rows : ndarray
        Radii beyond the box, heights below it.

    Returns
    -------
    mesh : MeshQuad2
    on_tip : ndarray of int
        Nodes in the middle of the edges on the tip.
    """
    side, foot = rays[1, first:, -1], np.concatenate([rays[0, : first + 1, -1], columns])
    box = np.arange(rays[0].size).reshape(rays.shape[1:])
    right = box.size + np.arange(side.size * columns.size).reshape(side.size, columns.size)
    below = box.size + right.size + np.arange(foot.size * rows.size).reshape(foot.size, rows.size)
    grids = (
        box,
        np.column_stack([box[first:, -1], right]),
        np.column_stack([np.concatenate([box[: first + 1, -1], right[0]]), below]),
    )
    points = np.array(
        [
            np.concatenate(
                [rays[0].ravel(), np.tile(columns, side.size), np.repeat(foot, rows.size)]
            ),
            np.concatenate(
                [rays[1].ravel(), np.repeat(side, columns.size), np.tile(rows, foot.size)]
            ),
        ]
    )
    cells = np.ascontiguousarray(np.concatenate([_cells(grid) for grid in grids], axis=1))
    mesh = MeshQuad2.from_mesh(MeshQuad(points, cells))
    n = points.shape[1]
    keys = mesh.facets[0].astype(np.int64) * n + mesh.facets[1]
    order = np.argsort(keys)
    edges = n + order[np.searchsorted(keys[order], box[:-1] * n + box[1:])]
    nodes = np.array(mesh.doflocs)
    nodes[:, edges] = halfway
    centres = n + keys.size + np.arange(halfway[0, :, 1:].size)
    nodes[:, centres] = 0.5 * (halfway[:, :, 1:] + halfway[:, :, :-1]).reshape(2, -1)
    return MeshQuad2(nodes, mesh.t), edges[:, 0]


def _cells(grid: IntArray) -> IntArray:
    """Corners of the cells of a grid of vertices, shape (4, cells)."""
    corners = grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]
    return np.array([c.ravel() for c in corners])
