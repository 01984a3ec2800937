"""The addresses of the page: its files and its data."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from nrm_plugin.errors import ChangedFile, NrmError, OutputError
from nrm_plugin.viewer.container import as_json, packed
from nrm_plugin.viewer.live import LiveFeed
from nrm_plugin.viewer.page_files import page_files
from nrm_plugin.viewer.sessions import LiveSession, Session
from nrm_plugin.viewer.viewed import Wait

log = logging.getLogger("nrm")

#: Seconds after which a page is told that the server is there.
HEART_BEAT = 15.0

Answer = Callable[[Any, dict[str, Any]], Any]


class CannotAnswer(Exception):
    """A request that cannot be answered: status and sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def reply(content: Any, status: int = 200) -> Response:
    """JSON, or a container where header and arrays are given."""
    if isinstance(content, tuple):
        return Response(packed(*content), status, media_type="application/octet-stream")
    return Response(as_json(content), status, media_type="application/json")


class Holder:
    """What the server shows now; it may be replaced while it runs."""

    def __init__(self, shown: Session | LiveSession) -> None:
        self.shown = shown


def viewer_app(holder: Holder) -> Starlette:
    """Return the application: what a page may ask, about what the holder holds."""

    def both(address: str) -> Callable[[Request], Any]:
        async def handle(request: Request) -> Response:
            answer = (POSTS if request.method == "POST" else GETS).get(address)
            if answer is None:
                return reply({"error": f"{request.method} is not for this address"}, 405)
            asked = await _asked(request, request.method)
            return await run_in_threadpool(_answered, holder, answer, asked)

        return handle

    async def events(request: Request) -> Response:
        return StreamingResponse(_events(holder, request), media_type="text/event-stream")

    files = page_files()

    def page(request: Request) -> Response:
        found = files.get(request.path_params["name"])
        if found is None:
            return reply({"error": "there is nothing at this address"}, 404)
        path, kind = found
        return Response(path.read_bytes(), headers={"content-type": kind})

    def nothing(request: Request, error: Exception) -> Response:
        return reply({"error": "there is nothing at this address"}, 404)

    def not_so(request: Request, error: Exception) -> Response:
        return reply({"error": "this address does not know what was asked of it"}, 405)

    routes = [Route("/api/events", events)]
    for address in {**GETS, **POSTS}:
        routes.append(Route(f"/api/{address}", both(address), methods=["GET", "POST"]))
    routes.append(Route("/{name:path}", page))
    return Starlette(routes=routes, exception_handlers={404: nothing, 405: not_so})


async def _asked(request: Request, method: str) -> dict[str, Any]:
    """What a request says: the query of a GET, the object in the body of a POST."""
    if method == "GET":
        return dict(request.query_params)
    body = await request.body()
    try:
        asked = json.loads(body or b"{}", parse_constant=_no_number)
    except (ValueError, RecursionError):
        asked = None
    return asked if isinstance(asked, dict) else {"": "no object"}


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _answered(holder: Holder, answer: Answer, asked: dict[str, Any]) -> Response:
    if "" in asked:
        return reply({"error": "what was sent is no object of JSON"}, 400)
    try:
        return reply(answer(holder.shown, asked))
    except Wait as waiting:
        return reply({"wait": str(waiting)}, 202)
    except CannotAnswer as refused:
        return reply({"error": str(refused)}, refused.status)
    except OutputError as error:
        return reply({"error": str(error)}, 409)
    except ChangedFile as error:
        return _changed(holder.shown, error)
    except NrmError as error:
        return reply({"error": str(error)}, 422)
    except Exception as error:  # a fault of ours must not end the page
        log.debug("the viewer failed", exc_info=True)
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        return reply({"error": f"nrm failed at this ({what}): please report it"}, 500)


def _changed(shown: Session | LiveSession, error: ChangedFile) -> Response:
    """Look at a file of results that was made anew, or at results alone if it is of curves."""
    try:
        if not _of_files(shown).reload(error.path):
            sentence = f"{error.path.name} was changed or moved: only results are shown now"
            return reply({"error": sentence}, 409)
    except NrmError:
        return reply({"error": str(error)}, 409)
    sentence = f"{error.path.name} was made anew meanwhile: it is read again; nothing was changed"
    return reply({"error": sentence}, 409)


async def _events(holder: Holder, request: Request) -> AsyncIterator[str]:
    """Everything that is posted, until the page goes; a comment where nothing is."""
    bell = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wake() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(bell.set)

    with holder.shown.events.listen(wake) as listener:
        yield ": here\n\n"
        while True:
            try:
                await asyncio.wait_for(bell.wait(), HEART_BEAT)
            except TimeoutError:
                yield ": still here\n\n"
            bell.clear()
            for message in listener.take():
                yield message


# What may be asked.


def _number(asked: dict[str, Any], name: str, otherwise: int | None = None) -> int:
    value = asked.get(name, otherwise)
    try:
        if isinstance(value, bool) or value is None:
            raise ValueError
        number = int(value)
        if number != float(value):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise CannotAnswer(400, f"{name} is a whole number") from None
    return number


def _length(asked: dict[str, Any], name: str) -> float | None:
    value = asked.get(name)
    if value is None or value == "":
        return None
    try:
        if isinstance(value, bool):
            raise ValueError
        length = float(value)
        if not math.isfinite(length):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise CannotAnswer(400, f"{name} is a number in m") from None
    return length


def _text(asked: dict[str, Any], name: str, most: int = 2000) -> str:
    value = asked.get(name) or ""
    if not isinstance(value, str) or len(value) > most:
        raise CannotAnswer(400, f"{name} is a text of at most {most} characters")
    return value


def _of_files(shown: Any) -> Session:
    if not isinstance(shown, Session):
        raise CannotAnswer(409, "a recording is running: its curves are there when it has ended")
    return shown


def _session(shown: Any, asked: dict[str, Any]) -> Any:
    return shown.facts()


def _layout(shown: Any, asked: dict[str, Any]) -> Any:
    return _of_files(shown).layout()


def _values(shown: Any, asked: dict[str, Any]) -> Any:
    return _of_files(shown).values(
        _text(asked, "quantity"), _length(asked, "depth"), _text(asked, "direction")
    )


def _flags(shown: Any, asked: dict[str, Any]) -> Any:
    return _of_files(shown).flags(_text(asked, "direction"))


def _image(shown: Any, asked: dict[str, Any]) -> Any:
    return _of_files(shown).image(_number(asked, "number"))


def _curve(shown: Any, asked: dict[str, Any]) -> Any:
    return _of_files(shown).curve(
        _number(asked, "number"),
        _text(asked, "direction"),
        recipe=asked.get("recipe"),
        contact=_length(asked, "contact"),
    )


def _region(shown: Any, asked: dict[str, Any]) -> Any:
    return _of_files(shown).region(_number(asked, "number"), _text(asked, "direction"))


def _curve_now(shown: Any, asked: dict[str, Any]) -> Any:
    return _curve(shown, {**asked, "recipe": _recipe(asked)})


def _live(shown: Any, asked: dict[str, Any]) -> Any:
    return _feed(shown).snapshot()


def _marker(shown: Any, asked: dict[str, Any]) -> Any:
    return _feed(shown).marker(_text(asked, "text"))


def _feed(shown: Session | LiveSession) -> LiveFeed:
    if shown.feed is None:
        raise CannotAnswer(409, "nothing is being recorded")
    return shown.feed


GETS: dict[str, Answer] = {
    "session": _session,
    "layout": _layout,
    "values": _values,
    "flags": _flags,
    "image": _image,
    "curve": lambda shown, asked: _curve(shown, {**asked, "recipe": None, "contact": None}),
    "region": _region,
    "decisions": lambda shown, asked: _of_files(shown).desk.state(),
    "live": _live,
}


def _decisions(shown: Any, asked: dict[str, Any]) -> Any:
    _text(asked, "reason", 4000)
    return _of_files(shown).decide(asked)


def _process(shown: Any, asked: dict[str, Any]) -> Any:
    return _of_files(shown).apply(_recipe(asked), overwrite=asked.get("overwrite") is True)


def _save(shown: Any, asked: dict[str, Any]) -> Any:
    return _of_files(shown).save_recipe(
        _recipe(asked), _text(asked, "name"), overwrite=asked.get("overwrite") is True
    )


def _recipe(asked: dict[str, Any]) -> Any:
    recipe = asked.get("recipe")
    if not isinstance(recipe, dict | str | None):
        raise CannotAnswer(400, "recipe is a table of keys and values, or TOML")
    return recipe


POSTS: dict[str, Answer] = {
    "decisions": _decisions,
    "undo": lambda shown, asked: _of_files(shown).undo(),
    "redo": lambda shown, asked: _of_files(shown).redo(),
    "process": _process,
    "process/cancel": lambda shown, asked: {"cancelled": _of_files(shown).applying.cancel()},
    "recipe/save": _save,
    "recipe/check": lambda shown, asked: _of_files(shown).check_recipe(_recipe(asked)),
    "curve": _curve_now,
    "marker": _marker,
}

__all__ = ["Holder", "viewer_app"]
