"""A recipe applied to all curves while the page stays usable."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nrm_plugin.engine.pipeline import process
from nrm_plugin.errors import InvalidInput, NrmError, OutputError
from nrm_plugin.model import CurveSet
from nrm_plugin.recipe import Recipe
from nrm_plugin.viewer.events import Events

#: Shortest time in s between two events about the progress.
_EVERY = 0.2


class _Cancelled(Exception):
    """Raised in the chain, to end it."""


class ApplyToAll:
    """Processes all curves in a thread, one recipe at a time.

    The file of results is replaced when the new one is complete, and not before.

    Parameters
    ----------
    events : Events
        Where the progress is told.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._cancel = threading.Event()
        self._job = 0

    def use(self, events: Events) -> None:
        """Tell others from now on."""
        self._events = events

    @property
    def running(self) -> bool:
        """Whether curves are being processed."""
        return self._thread is not None and self._thread.is_alive()

    def begin(
        self,
        curves: CurveSet,
        recipe: Recipe,
        out: Path,
        done: Callable[[Path], None],
        *,
        overwrite: bool,
    ) -> int:
        """Begin, and return the number of the job.

        Parameters
        ----------
        curves : CurveSet
        recipe : Recipe
        out : Path
        done : callable
            Called in the thread with `out`, once it is complete.
        overwrite : bool
            Whether what is at `out` may be replaced.

        Raises
        ------
        InvalidInput
            If a job is running.
        OutputError
        """
        with self._lock:
            if self.running:
                raise InvalidInput("all curves are being processed already: cancel it, or wait")
            if out.exists() and not overwrite:
                raise OutputError(out, "it exists; say that it may be replaced")
            self._job += 1
            self._cancel.clear()
            self._thread = threading.Thread(
                target=self._run,
                args=(self._job, curves, recipe, out, done),
                name="nrm-process",
                daemon=True,
            )
            self._thread.start()
            return self._job

    def cancel(self) -> bool:
        """End it; whether there was anything to end."""
        running = self.running
        self._cancel.set()
        return running

    def close(self) -> None:
        """End it, and wait a little for that."""
        if self.cancel() and self._thread is not None:
            self._thread.join(5.0)

    def _run(
        self, job: int, curves: CurveSet, recipe: Recipe, out: Path, done: Callable[[Path], None]
    ) -> None:
        last = 0.0

        def progress(made: int, total: int) -> None:
            nonlocal last
            if self._cancel.is_set():
                raise _Cancelled
            now = time.monotonic()
            if now - last >= _EVERY or made == total:
                last = now
                self._tell(job, "running", done=made, total=total)

        self._tell(job, "running", done=0, total=curves.n_curves * len(recipe.directions))
        try:
            process(curves, recipe, out, progress=progress, overwrite=True)
        except _Cancelled:
            self._tell(job, "cancelled", message="cancelled: the results are what they were")
        except NrmError as error:
            self._tell(job, "failed", message=str(error))
        except Exception as error:  # a fault of the engine must not leave the page waiting
            self._tell(job, "failed", message=f"{type(error).__name__}: {error}")
        else:
            done(out)
            self._tell(job, "done", message=f"{out.name} is written")

    def _tell(self, job: int, state: str, **more: Any) -> None:
        self._events.post("progress", {"job": job, "state": state, **more}, preview=False)
