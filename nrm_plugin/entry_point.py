"""The program ``nrm``: what is said where it is stopped, or cannot write what it has to say."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys

TYPE_CHECKING = False  # as little as can be is imported before Ctrl-C is answered
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import NoReturn

#: Exit code of a program that Ctrl-C ended.
STOPPED = 130

#: What an output that cannot be written ends in.
_OF_OUTPUT = (errno.ENOSPC, errno.EIO, errno.EPIPE, errno.EBADF, errno.EFBIG)

_interrupted = False


class VisibleText(io.TextIOWrapper):
    """An output whose control characters are shown instead of obeyed.

    Lines of progress are renewed on the standard error: a text may begin with a CR there.
    """

    renews = False

    def write(self, text: str) -> int:
        """Write a text; returns its length."""
        from nrm_plugin.text import visible  # late: see above

        begin = 1 if self.renews and text.startswith("\r") else 0
        super().write(text[:begin] + visible(text[begin:]))
        return len(text)


def run() -> NoReturn:
    """Run a command line, and exit with its code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)
    try:
        _make_visible()
        from nrm_plugin.cli import main

        main(prog_name="nrm", obj=_begin)
        code: int | str | None = 0
    except SystemExit as end:
        code = end.code
    except BaseException as error:
        if _interrupted:  # libraries turn it into errors of their own while they are imported
            code = _say("stopped with Ctrl-C", STOPPED)
        elif isinstance(error, OSError):
            code = _say(_reason(error), 1)
        else:
            raise
    finally:
        _end(_stop)
    try:
        sys.stdout.flush()
    except OSError as error:
        code = code or (1 if error.errno == errno.EPIPE else _say(_reason(error), 1))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python would try again, and complain
    _end(signal.SIG_IGN)
    sys.exit(code)


def _stop(number: int, frame: FrameType | None) -> None:
    """End at once: nothing has been begun while modules are imported."""
    os.write(2, b"nrm: stopped with Ctrl-C\n")
    os._exit(STOPPED)


def _begin() -> None:
    """From here on a command has to tidy up when it is stopped."""
    if signal.getsignal(signal.SIGINT) is _stop:
        signal.signal(signal.SIGINT, _interrupt)


def _end(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    """From here on nothing has to be tidied up, and in the end nothing can be stopped."""
    if signal.getsignal(signal.SIGINT) in (_stop, _interrupt):
        signal.signal(signal.SIGINT, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _interrupted
    _interrupted = True
    raise KeyboardInterrupt


def _make_visible() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            encoding, lines = stream.encoding, stream.line_buffering
            shown = VisibleText(stream.detach(), encoding, "backslashreplace", line_buffering=lines)
            shown.renews = name == "stderr"
            setattr(sys, name, shown)


def _reason(error: OSError) -> str:
    reason = error.strerror or str(error)
    if error.filename is None:
        what = "the output cannot be written" if error.errno in _OF_OUTPUT else "the system refuses"
        return f"{what} ({reason})"
    name = os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename
    return f"{name}: {reason}"


def _say(sentence: str, code: int) -> int:
    try:
        sys.stderr.write(f"nrm: {sentence}\n")
        sys.stderr.flush()
    except OSError:  # the standard error is full, too
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    return code
