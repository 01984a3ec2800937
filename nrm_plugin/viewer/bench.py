"""The engine for single curves, warmed up beside the page."""

from __future__ import annotations

import time

from nrm_plugin.decisions import ContactByHand
from nrm_plugin.engine.workbench import CurveDetail, Workbench
from nrm_plugin.errors import InvalidInput, NrmError
from nrm_plugin.recipe import Recipe
from nrm_plugin.viewer.events import Events
from nrm_plugin.viewer.opening import changed_originals
from nrm_plugin.viewer.viewed import Viewed

#: Bytes of original files that are hashed in the background, to tell whether they are the same.
_HASHED = 1 << 30


class Bench:
    """A workbench for the curves that are looked at.

    Parameters
    ----------
    view : Viewed
    events : Events
        Where it is said that the engine is warm.

    Attributes
    ----------
    warm : bool
        Whether all curves have been surveyed, so that one takes no longer than it has to.
    """

    def __init__(self, view: Viewed, events: Events) -> None:
        self._view, self._events = view, events
        self.warm = self._closed = False
        self._why = "there are no curves to process"
        self._workbench = self._made()
        if self._workbench is not None:
            view.messages += self._workbench.notes

    def _made(self) -> Workbench | None:
        """A workbench, if there are curves that can be processed."""
        curves, recipe = self._view.curves, self._view.recipe
        if curves is None or not curves.n_curves:
            return None
        for results in (self._view.results, None):
            try:
                return Workbench(curves, recipe, results)
            except NrmError as error:  # they can be looked at all the same
                self._why = str(error)
        return None

    def use(self, events: Events) -> None:
        """Tell others from now on."""
        self._events = events

    def look_at(self, view: Viewed) -> None:
        """Work on new results of the same curves; what is known of them stays."""
        self._view = view

    def close(self) -> None:
        """Say nothing more."""
        self._closed = True

    @property
    def sticks(self) -> bool:
        """Whether the tip sticks to the wall, as the results say."""
        return self._view.sticks

    def curve(
        self,
        number: int,
        recipe: Recipe | None,
        contact: ContactByHand | float | None,
        direction: str,
    ) -> CurveDetail:
        """Process one curve; see `Workbench.curve`.

        Raises
        ------
        NrmError
        """
        if self._workbench is None:
            raise InvalidInput(self._why)
        return self._workbench.curve(number, recipe or self._view.recipe, contact, direction)

    def warm_up(self) -> None:
        """Survey all curves, and say when that is done; takes seconds."""
        if self._workbench is None:
            return
        began = time.perf_counter()
        try:
            self._workbench.warm()
            self._workbench.curve(0)
        except NrmError:
            return  # every curve says what is missing
        self.warm = True
        if not self._closed:
            self._events.post("warm", {"ms": round((time.perf_counter() - began) * 1e3)})
        self._compare()

    def _compare(self) -> None:
        """Say where the curves are not those that the results were made from."""
        view = self._view
        if view.results is None or view.curves is None:
            return
        sentences = changed_originals(view.results, view.curves, _HASHED)
        new = [sentence for sentence in sentences if sentence not in view.messages]
        if new and not self._closed:
            view.messages += new
            self._events.post("session")
