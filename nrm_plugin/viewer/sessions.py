"""What one page works on: files that are looked at, or a recording that runs."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

import numpy as np

from nrm_plugin import __version__
from nrm_plugin.columns import AnyArray, IntArray
from nrm_plugin.curve_origins import CurveOrigins
from nrm_plugin.decisions import ContactByHand, far_outside
from nrm_plugin.errors import InvalidInput, NrmError
from nrm_plugin.model import CurveSet
from nrm_plugin.store.read_results import open_results
from nrm_plugin.variables import ACCEPTED, EXCLUDED
from nrm_plugin.viewer.applying import ApplyToAll
from nrm_plugin.viewer.bench import Bench
from nrm_plugin.viewer.curve_reply import curve_reply, region_reply
from nrm_plugin.viewer.decision_desk import VISIBLE, DecisionDesk, contact_of
from nrm_plugin.viewer.events import Events
from nrm_plugin.viewer.layers import MapLayer, map_layers
from nrm_plugin.viewer.live import LiveFeed
from nrm_plugin.viewer.opening import check_same, found_by_origin, viewed
from nrm_plugin.viewer.recipe_fields import changed_recipe, recipe_fields
from nrm_plugin.viewer.recipe_saving import save_recipe
from nrm_plugin.viewer.session import session
from nrm_plugin.viewer.viewed import Viewed

Reply = tuple[dict[str, Any], dict[str, AnyArray]]


class Session:
    """Files that are looked at, and what is done with them.

    Parameters
    ----------
    view : Viewed
    events : Events, optional
        Where pages listen.

    Attributes
    ----------
    feed : LiveFeed or None
        Of the recording that made the file, where pages saw it.
    """

    def __init__(self, view: Viewed, events: Events | None = None) -> None:
        self.view, self.events = view, events or Events()
        self.feed: LiveFeed | None = None
        self._lock = threading.RLock()
        self._layers: list[MapLayer] | None = None
        self.bench = Bench(view, self.events)
        self.desk = DecisionDesk(view)
        self.applying = ApplyToAll(self.events)

    def begin(self) -> None:
        """Prepare in a thread what a page asks for first, and then the engine."""
        threading.Thread(target=self._prepare, name="nrm-prepare", daemon=True).start()

    def _prepare(self) -> None:
        with contextlib.suppress(NrmError):  # the page is told when it asks
            self.facts()
        self.bench.warm_up()

    def close(self) -> None:
        """Stop what runs in the background."""
        self.applying.close()
        self.bench.close()
        self.view.close()

    def use(self, events: Events) -> None:
        """Tell other pages from now on."""
        self.events = events
        self.bench.use(events)
        self.applying.use(events)

    @property
    def layers(self) -> list[MapLayer]:
        """Layers of the map."""
        with self._lock:
            if self._layers is None:
                self._layers = map_layers(self.view)
            return self._layers

    def facts(self) -> dict[str, Any]:
        """See `nrm_plugin.viewer.session`."""
        with self._lock:
            self.desk.decisions  # noqa: B018  what a person wrote into the file meanwhile
            return session(self.view, self.layers)

    def layout(self) -> Reply:
        """Curves of each layer, and where they are."""
        arrays: dict[str, AnyArray] = {}
        for number, layer in enumerate(self.layers):
            arrays |= {
                f"curve_{number}": layer.curves.astype(np.int32),
                f"row_{number}": layer.row.astype(np.int32),
                f"column_{number}": layer.column.astype(np.int32),
                f"x_{number}": layer.x,
                f"y_{number}": layer.y,
            }
        return {"layers": len(self.layers)}, arrays

    def values(self, quantity: str, depth: float | None, direction: str) -> Reply:
        """A quantity of all curves."""
        found = self.view.shown.values(quantity, depth, direction)
        factor, unit = found.quantity.shown
        header = {
            "quantity": quantity,
            "unit": unit,
            "factor": factor,
            "label": found.quantity.label,
            "range": found.range,
            "depth": found.depth,
        }
        arrays = {"values": found.values, "below_noise": found.below_noise}
        if found.censored is not None:
            arrays["censored"] = found.censored
        return header, arrays

    def flags(self, direction: str) -> Reply:
        """Flags of all curves, what was decided, and the order in which to look at them."""
        bits = self.view.quality(direction)
        by_hand = self.view.by_hand
        doubtful = np.where(by_hand & (EXCLUDED | ACCEPTED), 0, bits)
        return {}, {
            "quality": bits.astype(np.int32),
            "by_hand": by_hand,
            "doubt": doubts(doubtful).astype(np.float32),
        }

    def image(self, number: int) -> Reply:
        """One of the images of the file, row 0 at the smallest y."""
        images = () if self.view.curves is None else self.view.curves.images
        if not 0 <= number < len(images):
            raise InvalidInput(f"there is no image {number}: there are {len(images)}, from 0")
        image = images[number]
        header = {"name": image.name, "unit": image.unit, "size": image.size}
        return header, {"image": image.data.astype(np.float32)}

    def curve(self, number: int, direction: str, *, recipe: Any, contact: float | None) -> Reply:
        """One curve as the results have it, or processed now by a recipe or with a contact."""
        changed = changed_recipe(self.view.recipe, recipe)
        other = None if changed == self.view.recipe else changed
        return curve_reply(self.view, self.bench, number, direction, recipe=other, contact=contact)

    def decide(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Take a decision, or take one back: see `DecisionDesk`."""
        if "clear" in asked:
            direction = asked.get("direction") or None
            return self._told(self.desk.clear(str(asked["clear"]), numbers(asked), direction))
        kind, curves = str(asked.get("decision")), numbers(asked)
        direction = self.view.direction(asked.get("direction") or None)
        seen = asked.get("visible")
        visible: tuple[str, ...] | None = None
        if asked.get("blind") is True:
            visible = ()
        elif isinstance(seen, list):
            visible = tuple(name for name in VISIBLE if name in seen)
        contact = None
        if kind == "contact":
            if len(curves) != 1:
                raise InvalidInput("a contact is moved on one curve at a time")
            contact = contact_of(asked, self._found(int(curves[0]), direction))
            self._check_contact(contact, int(curves[0]), direction)
        return self._told(
            self.desk.decide(
                kind,
                curves,
                reason=str(asked.get("reason") or ""),
                visible=visible,
                direction=direction,
                contact=contact,
            )
        )

    def undo(self) -> dict[str, Any]:
        """Take the last change of decisions back."""
        return self._told(self.desk.undo())

    def redo(self) -> dict[str, Any]:
        """Do what was undone again."""
        return self._told(self.desk.redo())

    def _told(self, changed: dict[str, Any]) -> dict[str, Any]:
        self.events.post("decisions", changed)
        return changed

    def _found(self, number: int, direction: str) -> tuple[float, float]:
        """Contact that the method found in a curve, and its standard error (m)."""
        if self.view.curves is not None:
            try:
                detail = self.bench.curve(number, None, None, direction)
                return detail.contact_found, detail.contact_found_stderr
            except NrmError:
                pass
        if not 0 <= number < self.view.n_curves:
            raise InvalidInput(f"there are curves 0 to {self.view.n_curves - 1}; not {number}")
        height, stderr = (
            self.view.of_curves(name, direction)[number]
            for name in ("contact_height", "contact_height_stderr")
        )
        return float(height), float(stderr)

    def _check_contact(self, contact: ContactByHand, number: int, direction: str) -> None:
        """Refuse a contact far outside of the heights of its curve."""
        if self.view.curves is None:
            return
        try:
            heights = self.bench.curve(number, None, None, direction).height
        except NrmError:
            return
        if contact.misses(heights):
            raise InvalidInput(far_outside([(number, contact)]))

    def apply(self, recipe: Any, *, overwrite: bool) -> dict[str, Any]:
        """Process all curves by a recipe, in the background."""
        view = self.view
        if view.curves is None or not view.curves.n_curves:
            raise InvalidInput("the curves are not here: give them with --curves")
        if view.out is None:
            raise InvalidInput("the results are not in a file: process the curves in Python")
        changed = changed_recipe(view.recipe, recipe)
        job = self.applying.begin(
            view.curves,
            changed,
            view.out,
            lambda path: self._made(path, view.curves),
            overwrite=overwrite or view.results is not None,
        )
        return {"job": job, "file": view.out.name}

    def _made(self, path: Path, curves: CurveSet | None, *sentences: str) -> None:
        """Look at new results."""
        old = self.view
        view = viewed(open_results(path, decisions=False), curves, path=path)
        view.messages = [*sentences, *(m for m in old.messages if "--curves" not in m)]
        self._look_at(view)
        old.close()
        self.events.post("session")

    def reload(self, changed: Path) -> bool:
        """Look at files as they are now: another program has changed one of them.

        Returns
        -------
        bool
            Whether it was the results; without its curves the page shows results alone.

        Raises
        ------
        NrmError
            If it cannot be opened, or is of other curves.
        """
        if self.view.results is None or self.view.out is None:
            raise InvalidInput("a file has changed since it was opened: start nrm view again")
        out, curves = self.view.out, self.view.curves
        if changed.resolve() != out.resolve():
            self._made(
                out,
                None,
                f"{changed.name} was changed or moved while it was looked at: profiles are shown, "
                "curves are not. Start nrm view again, with --curves where they are elsewhere",
            )
            return False
        results = open_results(out, decisions=False)
        origins = [CurveOrigins.of_results(made).labels for made in (results, self.view.results)]
        sentences = []
        if origins[0] != origins[1]:
            curves, lost = found_by_origin(results, out)
            sentences = [f"{out.name} was replaced by results of other curves"]
            sentences += [lost] if lost else []
        elif curves is not None:
            check_same(results, curves)
        self._made(out, curves, *sentences)
        return True

    def _look_at(self, view: Viewed) -> None:
        self.view, self._layers = view, None
        self.bench.look_at(view)
        self.desk.look_at(view)

    def save_recipe(self, recipe: Any, name: str, *, overwrite: bool) -> dict[str, Any]:
        """Save a recipe beside the results."""
        if self.view.out is None:
            raise InvalidInput("the results are not in a file: there is no place beside them")
        changed = changed_recipe(self.view.recipe, recipe)
        path = save_recipe(changed, self.view.out.parent, name, overwrite=overwrite)
        return {"file": path.name}

    def check_recipe(self, recipe: Any) -> dict[str, Any]:
        """Say whether a recipe can be, and what it is as TOML."""
        changed = changed_recipe(self.view.recipe, recipe)
        return {
            "recipe": changed.to_toml(comments=False),
            "recipe_fields": recipe_fields(changed),
            "changed": changed != self.view.recipe,
        }

    def region(self, number: int, direction: str) -> Reply:
        """Mean profile of a curve's region."""
        return region_reply(self.view, number, direction)


def numbers(asked: dict[str, Any]) -> IntArray:
    """Numbers of the curves that a page names.

    Raises
    ------
    InvalidInput
    """
    given = asked.get("curves")
    good = isinstance(given, list) and all(type(n) is int and abs(n) < 1 << 40 for n in given)
    if not good or not given:
        raise InvalidInput("curves is a list of whole numbers")
    return np.asarray(given, np.int64)


class LiveSession:
    """A recording that runs; see `nrm_plugin.viewer.live.LiveFeed`."""

    def __init__(self, feed: LiveFeed) -> None:
        self.feed: LiveFeed | None = feed
        self.about, self.events = feed.about, feed.events

    def use(self, events: Events) -> None:
        """Tell other pages from now on."""
        self.events = events

    def close(self) -> None:
        """Nothing runs in the background."""

    def facts(self) -> dict[str, Any]:
        """What the page needs before anything is drawn."""
        about = self.about
        nothing: dict[str, Any] = dict.fromkeys(
            (
                "files",
                "directions",
                "quantities",
                "flags",
                "checks",
                "warnings",
                "regions",
                "layers",
                "images",
                "recipe_fields",
                "markers",
            ),
            (),
        )
        return {
            **nothing,
            "title": about.get("title", ""),
            "version": __version__,
            "live": True,
            "simulated": bool(about.get("simulated")),
            "n_curves": 0,
            "has": dict.fromkeys(("curves", "results", "lateral", "images"), False),
            "depth": {"values": []},
            "first_depth": None,
            "tip_radius": None,
            "recipe": "",
            "decisions_file": "",
            "blind": False,
            "potential": False,
            "condition": "",
        }


def doubts(bits: AnyArray) -> AnyArray:
    """Rank of every curve among those to look at, the most doubtful first; nan for the rest.

    Curves with many flags come first, those that averages leave out anyway last.
    """
    from nrm_plugin.statistics.selection import LEFT_OUT
    from nrm_plugin.variables import BIT
    from nrm_plugin.viewer.shown_quantities import flag_count

    count = flag_count(bits)
    out = (bits & sum(BIT[name] for name in LEFT_OUT)) != 0
    rank = np.full(len(bits), np.nan)
    flagged = np.flatnonzero(bits)
    order = flagged[np.lexsort((flagged, -count[flagged], out[flagged]))]
    rank[order] = np.arange(len(order))
    return rank
