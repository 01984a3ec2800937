"""Checks for importers, calibrations and methods, for the authors of plugins and for our own.

>>> from nrm_plugin.testing import check_importer
>>> check_importer(MyImporter(), ["tests/data/one.xyz"])           # doctest: +SKIP

Each check that fails raises an AssertionError that says which file and what is wrong with it, and
by which of `IMPORTER_RULES`.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from nrm_plugin.calibration import Estimate
from nrm_plugin.delimited import TextTable
from nrm_plugin.errors import CorruptFile, InvalidInput, NrmError, UnknownFormat
from nrm_plugin.files import HEAD
from nrm_plugin.hookspecs import (
    Calibration,
    ContactFound,
    ContactMethod,
    DerivativeMethod,
    Importer,
    settings_model,
    with_settings,
)
from nrm_plugin.model import CurveSet
from nrm_plugin.tables import SEGMENT, segment_array
from nrm_plugin.vocabulary import CHANNELS, COLUMNS, METADATA, slug

#: What `check_importer` asks of an importer, rule by rule, under the name that a failure gives.
IMPORTER_RULES = {
    "interface": "it has name, description, suffixes, sniff and open",
    "name": "its name is one lower-case word",
    "description": "its description is one line, and not empty",
    "suffixes": "suffixes begin with a dot",
    "foreign": "sniff gives 0 for files of other formats",
    "sniff": "sniff gives 1 to 100 for a file of its own",
    "unchanged": "the file is the same after it was read",
    "curves": "open returns a CurveSet",
    "lengths": "numbers of curves and samples agree everywhere",
    "channel-name": "a channel is listed under its own name, which is a slug",
    "unit": "a channel of the vocabulary is in one of its units",
    "source": "every channel and every metadata value says where it comes from",
    "numbers": "a channel reads as float64, one number per sample",
    "finite": "numbers are finite; a channel without a canonical name may lack whole segments",
    "believable": "no channel and no column exceeds what its quantity can be",
    "parts": "curves that are read alone are what they are among all",
    "segments": "segments are sorted, do not overlap and lie within their curves",
    "direction": "the height falls in an approach and rises in a retract",
    "table": "columns of the curve table are of the vocabulary, one value per curve",
    "grid": "a grid has as many places as there are curves",
    "metadata": "keys and values of metadata are those of the vocabulary",
    "images": "images have consistent shapes, finite numbers, a known direction, a size below 1 m",
    "round-trip": "the common file loses nothing",
    "cuts": "a file that was cut short is refused with CorruptFile or UnknownFormat",
}

#: Beginnings of files of other kinds, that no importer should take for its own.
FOREIGN = (
    b"",
    b"\x89PNG\r\n\x1a\n" + bytes(64),
    b"II*\x00\x08\x00\x00\x00" + bytes(64),
    b"PK\x03\x04" + bytes(64),
    b"\x89HDF\r\n\x1a\n" + bytes(64),
    b"x,y\r\n1,2\r\n",
    bytes(range(256)) * 16,
)

#: Parts of a file after which it is cut.
CUTS = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97)


def check_importer(
    importer: Importer,
    files: Iterable[str | PathLike[str]],
    *,
    foreign: Iterable[str | PathLike[str]] = (),
    cuts: Iterable[float] = CUTS,
) -> None:
    """Check an importer on files of its own format.

    Parameters
    ----------
    importer : Importer
    files : sequence of paths
        Files that it must open.
    foreign : sequence of paths, optional
        Files of other formats that it must not take for its own; some beginnings of common
        formats are always tried.
    cuts : sequence of float, optional
        Parts of each file after which it is cut off; every cut file must be refused. A format of
        which a part is a whole file too, such as lines of text, has none: ``cuts=()``.

    Raises
    ------
    AssertionError
        With the file, what is wrong, and the name of the rule among `IMPORTER_RULES`.
    """
    with _rule("interface"):
        assert isinstance(importer, Importer), f"{importer!r} lacks something that an Importer has"
    with _rule("name"):
        assert importer.name == slug(importer.name), f"{importer.name!r} is not one lower-case word"
    with _rule("description"):
        lines = importer.description.splitlines()
        assert len(lines) == 1, f"{importer.name}: the description has {len(lines)} lines"
    with _rule("suffixes"):
        assert all(s.startswith(".") for s in importer.suffixes), "suffixes begin with a dot"
    with _rule("foreign"):
        for head in FOREIGN:
            score = importer.sniff(head, Path("no-such-file"))
            assert score == 0, f"sniff gives {score} for a file that begins with {head[:12]!r}"
        for path in map(Path, foreign):
            score = importer.sniff(_head(path), path)
            assert score == 0, f"sniff gives {score} for {path.name}, which is of another format"
    for path in map(Path, files):
        with _rule("sniff"):
            score = importer.sniff(_head(path), path)
            assert 0 < score <= 100, f"{path.name}: sniff gives {score!r}"
        before = path.read_bytes()
        curves = importer.open(path)
        check_curves(curves, path.name)
        check_round_trip(curves)
        with _rule("cuts"):
            _check_cuts(importer, path, before, cuts)
        with _rule("unchanged"):
            assert path.read_bytes() == before, f"{path.name}: the importer changed the file"


@contextmanager
def _rule(name: str) -> Iterator[None]:
    """Add the name of the rule that was broken to what a failed check says."""
    assert name in IMPORTER_RULES
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{error}\n(rule {name}: {IMPORTER_RULES[name]})") from error


def check_calibration(
    calibration: Calibration, inputs: Sequence[CurveSet | TextTable], settings: Any = None
) -> Sequence[Estimate]:
    """Check a calibration on inputs that it must be able to use.

    Parameters
    ----------
    calibration : Calibration
    inputs : sequence of CurveSet or TextTable
        One per file, with the known values in the metadata of a set of curves.
    settings : optional
        An instance of its ``Settings``, for one that has no defaults.

    Returns
    -------
    sequence of Estimate

    Raises
    ------
    AssertionError
        With what is wrong: a name, a description or the description of a setting that is missing,
        a key that is no metadata key, a value that is not believable in its unit, a standard error
        below 0, results that differ when it is asked again, or a calibration without inputs that
        ends in something else than an error of ours.
    """
    assert isinstance(calibration, Calibration), f"{calibration!r} lacks a part of a Calibration"
    words = calibration.name.replace("-", "_").split(" ")
    assert len(words) <= 2, f"{calibration.name!r} has more than two words"
    assert all(w and w == slug(w) for w in words), f"{calibration.name!r} is not lower-case words"
    assert calibration.description, f"{calibration.name} has no description"
    model = getattr(calibration, "Settings", None)
    for name, field in {} if model is None else model.model_fields.items():
        assert field.description, f"{calibration.name}: the setting {name} has no description"
    more = [] if model is None else [settings]
    estimates = _estimates(calibration, inputs, more)
    assert estimates, f"{calibration.name}: there is no estimate"
    for estimate in estimates:
        assert isinstance(estimate, Estimate), f"{calibration.name}: {estimate!r} is no Estimate"
        assert estimate.key in METADATA, f"{calibration.name}: {estimate.key!r} is no metadata key"
        with _refused_as_mistake(calibration.name):
            METADATA[estimate.key].check(estimate.key, estimate.value)
        assert not estimate.stderr < 0.0, f"{estimate.key}: a standard error of {estimate.stderr}"
        assert estimate.method, f"{estimate.key} does not say how it was found"
    again = _estimates(calibration, inputs, more)
    assert repr(again) == repr(estimates), f"{calibration.name} gives another result when repeated"
    with contextlib.suppress(NrmError):
        _estimates(calibration, [CurveSet.from_arrays({})], more)
    return estimates


def _estimates(calibration: Calibration, inputs: Sequence[Any], settings: Any) -> Sequence[Any]:
    estimates = calibration.estimate(inputs, *settings)
    return [estimates] if isinstance(estimates, Estimate) else list(estimates)


def check_contact_method(
    method: ContactMethod, settings: Any = None, *, within: float = 1e-9
) -> None:
    """Check a contact method on curves of two straight lines that cross at known heights.

    Parameters
    ----------
    method : ContactMethod
    settings : Settings, optional
        By default those that recipes have.
    within : float
        How far from the crossing its contact may lie, in m; the noise is 0.1 nm.

    Raises
    ------
    AssertionError
        With what is wrong: name or settings, a contact that is elsewhere or does not move with the
        heights, a wrong standard error, details that are not of this curve, arrays that were
        changed, or an exception for a curve without a contact.
    """
    assert isinstance(method, ContactMethod), f"{method!r} lacks something of a ContactMethod"
    _check_offer(method)
    given = with_settings(method, settings)
    rng = np.random.default_rng(1)
    for n, at in ((400, 0.0), (2000, 5e-7), (2000, -2e-6)):
        height = at + np.linspace(300e-9, -50e-9, n)
        deflection = np.maximum(at - height, 0.0) + 1e-10 * rng.standard_normal(n)
        where = f"{method.name}, {n} samples"
        before = height.copy(), deflection.copy()
        result = method.find(height, deflection, *given)
        np.testing.assert_array_equal((height, deflection), before, f"{where}: arrays were changed")
        if not isinstance(result, ContactFound):
            result = ContactFound(height=result[0], stderr=result[1])
        off = abs(result.height - at)
        assert off <= within, f"{where}: the contact is {off * 1e9:.3g} nm off"
        assert not result.stderr < 0.0, f"{where}: a standard error of {result.stderr}"
        for window in (result.baseline, result.wall):
            inside = window is None or height.min() <= min(window) <= max(window) <= height.max()
            assert inside, f"{where}: a window from {window} m, where there are no samples"
        if result.lines is not None:
            slopes = result.lines[1], result.lines[3]
            np.testing.assert_allclose(slopes, (0, -1), atol=0.1, err_msg=f"{where}: slopes")
    for n in (1, 3, 400):
        with _raises_nothing(f"{method.name}, {n} samples of constant deflection"):
            method.find(np.linspace(3e-7, 0.0, n), np.zeros(n), *given)


def check_derivative_method(
    method: DerivativeMethod, settings: Any = None, *, within: float = 0.05
) -> None:
    """Check a derivative method on straight forces.

    Parameters
    ----------
    method : DerivativeMethod
    settings : Settings, optional
        By default those that recipes have.
    within : float
        How far its mean derivative may be off, relative.

    Raises
    ------
    AssertionError
        With what is wrong: name or settings, shapes, a derivative of another size or sign, wrong
        standard errors, arrays that were changed, or an exception for few samples.
    """
    assert isinstance(method, DerivativeMethod), f"{method!r} lacks something of a DerivativeMethod"
    _check_offer(method)
    given = with_settings(method, settings)
    at = np.arange(121) * 0.5e-9
    rng = np.random.default_rng(1)
    for slope in (0.05, -0.02):
        z = np.linspace(100e-9, 0.5e-9, 2000) + 0.05e-9 * rng.standard_normal(2000)
        force = slope * z + 1e-13 * rng.standard_normal(2000)
        before = z.copy(), force.copy()
        gradient, stderr = (np.asarray(part) for part in method.gradient(z, force, at, *given))
        np.testing.assert_array_equal((z, force), before, f"{method.name}: arrays were changed")
        shapes = gradient.shape, stderr.shape
        assert shapes == (at.shape,) * 2, f"{method.name}: shapes {shapes}, not twice {at.shape}"
        assert np.isfinite(gradient[20:-20]).all(), f"{method.name}: no estimate where samples are"
        mean = float(np.nanmean(gradient))
        assert abs(mean / slope - 1.0) <= within, f"{method.name}: {mean:g} instead of {slope:g}"
        assert not (stderr < 0.0).any(), f"{method.name}: negative standard errors"
    for n in (5, 6):
        with _raises_nothing(f"{method.name}, {n} samples"):
            method.gradient(np.linspace(5e-9, 4e-9, n), np.zeros(n), at, *given)


def _check_offer(offer: Any) -> None:
    """Name, description and settings of what is chosen by name."""
    name = offer.name
    assert name == slug(name).replace("_", "-") or name == slug(name), (
        f"{name!r} is not one lower-case word"
    )
    assert "\n" not in offer.description, f"{name}: the description has more than one line"
    model = settings_model(offer)
    for key, field in ({} if model is None else model.model_fields).items():
        assert not field.is_required(), f"{name}: {key} has no default"
        assert field.description, f"{name}: {key} has no description"


@contextmanager
def _raises_nothing(where: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise AssertionError(f"{where}: {type(error).__name__}: {error}, and not nan") from error


def check_curves(curves: CurveSet, name: str = "curves") -> None:
    """Check that curves keep the model's promises.

    Raises
    ------
    AssertionError
    """
    with _rule("curves"):
        assert isinstance(curves, CurveSet), f"{name}: open returned {type(curves).__name__}"
    check_lengths(curves, name)
    check_channels(curves, name)
    check_parts(curves, name)
    check_segments(curves, name)
    check_table(curves, name)
    check_metadata(curves, name)
    check_images(curves, name)


def check_lengths(curves: CurveSet, name: str = "curves") -> None:
    """Check that the numbers of curves and samples agree."""
    with _rule("lengths"):
        assert len(curves) == curves.n_curves, f"{name}: its length is not the number of curves"
        one_each = curves.row_size.shape == (curves.n_curves,)
        assert one_each, f"{name}: row_size is not one per curve"
        total = curves.row_size.sum()
        assert total == curves.n_samples, f"{name}: row_size and n_samples disagree"


def check_channels(curves: CurveSet, name: str = "curves") -> None:
    """Check names, units, sources and the believable range of every channel."""
    for channel_name, channel in curves.channels.items():
        where = f"{name}, channel {channel_name}"
        with _rule("channel-name"):
            assert channel.name == channel_name, f"{where}: listed under another name"
            assert channel_name == slug(channel_name), f"{where}: not a slug"
        known = CHANNELS.get(channel_name)
        with _rule("unit"):
            fits = known is None or channel.unit in known.units
            assert fits, f"{where}: in {channel.unit!r}, not {known and known.units}"
        with _rule("source"):
            assert channel.source, f"{where}: does not say where it comes from"
        with _rule("numbers"):
            values = curves.read(channel_name)
            assert values.dtype == np.float64, f"{where}: {values.dtype}"
            assert values.shape == (curves.n_samples,), f"{where}: {values.shape}"
        missing = np.isnan(values)
        with _rule("finite"):
            if known is None and missing.any():  # a segment in which it was not recorded
                for segment in curves.segments:
                    begin = curves.rows.start(int(segment["curve"]))
                    part = missing[begin + segment["start"] : begin + segment["stop"]]
                    assert part.all() or not part.any(), f"{where}: a segment with gaps"
                values = values[~missing]
            assert np.isfinite(values).all(), f"{where}: numbers that are not finite"
        with _rule("believable"):
            if known is not None and len(values):
                largest = np.abs(values).max()
                fits = largest <= known.limit
                assert fits, f"{where}: {largest:g} {channel.unit} is not believable"


def check_parts(curves: CurveSet, name: str = "curves") -> None:
    """Check that some curves read alone are what they are among all."""
    n = curves.n_curves
    some = np.arange(n)[::-2]
    with _rule("parts"):
        for channel in curves.channels:
            where, values = f"{name}, channel {channel}", curves.read(channel)
            pieces = np.split(values, np.cumsum(curves.row_size)[:-1]) if n else []
            for curve in {0, n // 2, n - 1} if n else set():
                np.testing.assert_array_equal(curves.read(channel, curve), pieces[curve], where)
            joined = np.concatenate([pieces[i] for i in some]) if n else np.empty(0)
            np.testing.assert_array_equal(curves.read(channel, some), joined, where)
            np.testing.assert_array_equal(curves[some].read(channel), joined, where)


def check_segments(curves: CurveSet, name: str = "curves") -> None:
    """Check the bounds and kinds of segments, and that the height runs as the kind says."""
    segments = curves.segments
    with _rule("segments"), _refused_as_mistake(name):
        assert segments.dtype == SEGMENT, f"{name}: segments are of type {segments.dtype}"
        np.testing.assert_array_equal(segment_array(segments, curves.rows), segments)
    if "height" not in curves.channels:
        return
    for segment in segments[segments["curve"] == 0]:
        height = curves.read("height", 0)[segment["start"] : segment["stop"]]
        if segment["kind"] in ("approach", "retract") and len(height) > 1:
            fall = height[0] - height[-1]
            fine = fall >= 0 if segment["kind"] == "approach" else fall <= 0
            with _rule("direction"):
                assert fine, f"{name}: height runs the wrong way in {segment['kind']}"


def check_table(curves: CurveSet, name: str = "curves") -> None:
    """Check the columns of the curve table, and the grid."""
    for column, values in curves.curve_table.items():
        with _rule("table"):
            assert column in COLUMNS, f"{name}: column {column!r} is not in the vocabulary"
            assert values.shape == (curves.n_curves,), f"{name}: column {column} has {values.shape}"
        with _rule("believable"):
            if values.dtype.kind == "f":
                largest = np.nanmax(np.abs(values), initial=0.0)
                assert largest <= COLUMNS[column].limit, f"{name}: {column} reaches {largest:g}"
    with _rule("grid"):
        if curves.grid is not None:
            rows, columns = curves.grid
            assert rows * columns == curves.n_curves, f"{name}: a grid of {rows} x {columns}"


def check_metadata(curves: CurveSet, name: str = "curves") -> None:
    """Check keys, values and sources of the metadata."""
    for key, value in curves.metadata.items():
        with _rule("metadata"), _refused_as_mistake(name):
            assert key in METADATA, f"{name}: metadata key {key!r} is not in the vocabulary"
            METADATA[key].check(key, value)
        with _rule("source"):
            said = curves.metadata_source.get(key)
            assert said, f"{name}: {key} does not say where it comes from"


def check_images(curves: CurveSet, name: str = "curves") -> None:
    """Check shapes, numbers, directions and sizes of images."""
    for image in curves.images:
        where = f"{name}, image {image.name}"
        with _rule("images"):
            alike = image.data.shape == image.raw.shape == image.shape
            assert alike, f"{where}: shapes disagree"
            assert np.isfinite(image.data).all(), f"{where}: numbers that are not finite"
            assert image.direction in ("", "trace", "retrace"), f"{where}: {image.direction!r}"
            fits = all(np.isnan(s) or 0 < s < 1 for s in image.size)
            assert fits, f"{where}: size {image.size} m"


def check_round_trip(curves: CurveSet) -> None:
    """Check that the common file loses nothing of the curves.

    Raises
    ------
    AssertionError
    """
    from nrm_plugin.store import open_curves

    with _rule("round-trip"), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "round-trip.h5"
        curves.save(path)
        assert_same(curves, open_curves(path))


def assert_same(a: CurveSet, b: CurveSet) -> None:
    """Check that two sets of curves are equal, bit for bit.

    Raises
    ------
    AssertionError
    """
    assert list(a.channels) == list(b.channels) or set(a.channels) == set(b.channels), (
        f"channels {list(a.channels)} became {list(b.channels)}"
    )
    np.testing.assert_array_equal(a.row_size, b.row_size)
    for name, channel in a.channels.items():
        other = b.channels[name]
        for what in ("unit", "gain", "offset", "original", "source"):
            assert getattr(channel, what) == getattr(other, what), f"{what} of {name} differs"
        np.testing.assert_array_equal(a.read_raw(name), b.read_raw(name), err_msg=name)
        np.testing.assert_array_equal(a.read(name), b.read(name), err_msg=name)
    np.testing.assert_array_equal(a.segments, b.segments)
    assert set(a.curve_table) == set(b.curve_table)
    for name, values in a.curve_table.items():
        np.testing.assert_array_equal(values, b.curve_table[name], err_msg=name)
    assert a.metadata == b.metadata
    assert a.metadata_source == b.metadata_source
    assert a.warnings == b.warnings
    assert a.grid == b.grid
    assert [(o.name, o.header) for o in a.origins] == [(o.name, o.header) for o in b.origins]
    assert len(a.images) == len(b.images)
    for one, other_image in zip(a.images, b.images, strict=True):
        for what in ("name", "unit", "direction", "shape", "gain", "offset", "original"):
            assert getattr(one, what) == getattr(other_image, what), f"{what} of {one.name} differs"
        np.testing.assert_array_equal(one.size, other_image.size)
        np.testing.assert_array_equal(one.raw, other_image.raw)


@contextmanager
def _refused_as_mistake(name: str) -> Iterator[None]:
    """Turn what the model itself refuses into a failed check with the file's name."""
    try:
        yield
    except InvalidInput as error:
        raise AssertionError(f"{name}: {error}") from error


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def _check_cuts(importer: Importer, path: Path, data: bytes, cuts: Iterable[float]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        short = Path(folder) / path.name
        for part in cuts:
            short.write_bytes(data[: int(len(data) * part)])
            if importer.sniff(_head(short), short) <= 0:
                continue
            try:
                curves = importer.open(short)
                for name in curves.channels:
                    curves.read(name)
            except (CorruptFile, UnknownFormat):
                continue
            except Exception as error:
                what = f"{path.name}, cut after {part:.0%}: {type(error).__name__}, not CorruptFile"
                raise AssertionError(what) from error
            raise AssertionError(f"{path.name} opens although it is cut after {part:.0%}")
