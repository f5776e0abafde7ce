"""Ctrl-C, and the signals by which terminals and batch systems ask a process to end.

Each raises :class:`StopRequest` in the main thread, as Ctrl-C raises ``KeyboardInterrupt``. A
training holds the first one back until its step is whole (:func:`held_back`).
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

# SLURM sends SIGTERM, or what `sbatch --signal` names; Grid Engine SIGUSR1, SIGUSR2 and SIGXCPU; a
# closed terminal SIGHUP. Not every system has all of them.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
# Seconds within which a second Ctrl-C is the first one, arriving by way of torchrun too.
_SAME_REQUEST = 0.5


class StopRequest(KeyboardInterrupt):
    """Somebody asked this process to end.

    Attributes:
        number: The signal.
    """

    def __init__(self, number: int) -> None:
        """Say by which signal."""
        super().__init__(signal.Signals(number).name)
        self.number = number


class _Request:
    """The one request of this process, if there was one."""

    number: int | None = None
    since = 0.0
    tell: Callable[[], None] | None = None  # while requests are held back
    has_begun = True  # the command line alone has a time before its work


_request = _Request()


def listen() -> None:
    """Let every signal raise that would end the process; what is ignored (nohup) stays ignored.

    Until :func:`begin` it ends the process instead: nothing can be lost yet, and what is raised
    while modules are imported may come out as another error, or as none.
    """
    _request.has_begun = False
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _receive)


def begin() -> None:
    """From now on there is work that wants to end well."""
    _request.has_begun = True


def forget() -> None:
    """Take the next signal for the first one."""
    _request.number = None


def number_of(interrupt: KeyboardInterrupt) -> int:
    """The signal behind an interrupt, for which a shell reports 128 more as the exit code."""
    return interrupt.number if isinstance(interrupt, StopRequest) else int(signal.SIGINT)


@contextmanager
def held_back(tell: Callable[[], None]) -> Iterator[Callable[[], int | None]]:
    """Hold the first request to stop back until the block is left; a second Ctrl-C raises at once.

    Other signals that are repeated are one request: a batch system sends them to ``torchrun`` and
    to its processes, and ``torchrun`` passes them on. In a thread that is not the main one, which
    no signal reaches, nothing is held back.

    Args:
        tell: Called when the request comes, to say that it was heard.

    Yields:
        A function that returns the signal that asked, None as long as none has.

    Raises:
        StopRequest: At the end of the block, if one came.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    ours = (signal.SIG_DFL, signal.default_int_handler, _receive)
    handlers = {n: handler for n in SIGNALS if (handler := signal.getsignal(n)) in ours}
    forget()
    _request.tell = tell
    for number in handlers:
        signal.signal(number, _receive)
    try:
        yield lambda: _request.number
    finally:
        _request.tell = None
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if _request.number is not None:
        raise StopRequest(_request.number)


def _receive(number: int, frame: FrameType | None) -> None:
    del frame
    if number == getattr(signal, "SIGHUP", None):
        _leave_terminal()
    if not _request.has_begun:
        with suppress(OSError):
            os.write(2, b"interrupted before anything was done\n")
        os._exit(128 + number)
    if _request.number is None:
        _request.number, _request.since = number, time.monotonic()
        if _request.tell is not None:
            # What was heard counts, said or not: the main thread may be printing at this moment.
            with suppress(OSError, RuntimeError):
                _request.tell()
            return
    elif number != signal.SIGINT or time.monotonic() - _request.since < _SAME_REQUEST:
        return
    raise StopRequest(number)


def _leave_terminal() -> None:
    """Write to nowhere what goes to a terminal that is gone; every such write would fail."""
    for stream in (1, 2):
        try:
            os.write(stream, b"")
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream)
            os.close(nowhere)
