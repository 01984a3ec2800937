"""What one page works on: files that are looked at, or a recording that runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from nrm_plugin import __version__
from nrm_plugin.columns import AnyArray
from nrm_plugin.errors import InvalidInput
from nrm_plugin.viewer.bench import Bench
from nrm_plugin.viewer.curve_reply import curve_reply, region_reply
from nrm_plugin.viewer.events import Events
from nrm_plugin.viewer.layers import MapLayer, map_layers
from nrm_plugin.viewer.recipe_fields import changed_recipe
from nrm_plugin.viewer.session import session
from nrm_plugin.viewer.viewed import Viewed

Reply = tuple[dict[str, Any], dict[str, AnyArray]]


class Session:
    """Files that are looked at, and what is done with them.

    Parameters
    ----------
    view : Viewed
    """

    def __init__(self, view: Viewed) -> None:
        self.view, self.events = view, Events()
        self._layers: list[MapLayer] | None = None
        self.bench = Bench(view, self.events)

    def close(self) -> None:
        """Stop what runs in the background."""
        self.bench.close()
        self.view.close()

    @property
    def layers(self) -> list[MapLayer]:
        """Layers of the map."""
        if self._layers is None:
            self._layers = map_layers(self.view)
        return self._layers

    def facts(self) -> dict[str, Any]:
        """See `nrm_plugin.viewer.session`."""
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
        found = self.view.values(quantity, depth, direction)
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
        by_hand = np.zeros(self.view.n_curves, np.int8)
        return {}, {
            "quality": bits.astype(np.int32),
            "by_hand": by_hand,
            "doubt": doubts(bits).astype(np.float32),
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

    def region(self, number: int, direction: str) -> Reply:
        """Mean profile of a curve's region."""
        return region_reply(self.view, number, direction)


class LiveSession:
    """A recording that runs; see `nrm_plugin.viewer.live.LiveFeed`."""

    def __init__(self, feed: Any) -> None:
        self.feed, self.events = feed, feed.events

    def close(self) -> None:
        """Nothing runs in the background."""

    def facts(self) -> dict[str, Any]:
        """What the page needs before anything is drawn."""
        about = self.feed.about
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
