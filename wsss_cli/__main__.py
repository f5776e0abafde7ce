"""Entry point of ``wsss`` and of ``python -m wsss_cli``."""

import os
import signal
import sys
import threading
from _thread import interrupt_main
from typing import TYPE_CHECKING

from wsss_cli import stop_signals

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

# Seconds until an interrupt that was swallowed comes again.
AGAIN = 0.05


def main() -> None:
    """Run the command line; interrupted before a command has begun, say so and no more."""
    sys.unraisablehook = repeat_interrupt
    try:
        stop_signals.listen()
        from wsss_cli import ranks
        from wsss_cli.cli.app import app

        app()
    except KeyboardInterrupt as interrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(128 + stop_signals.number_of(interrupt))
    except BaseException as end:
        if not ranks.bound():
            raise
        _end_at_once(end)


def _end_at_once(end: BaseException) -> None:
    """Leave without the interpreter's own ending, as a rank must that has not taken leave.

    The threads of the ranks' group may hold what belongs to Python, and where they let it go while
    the interpreter is ending, they abort the process; taking leave of the dead may wait for ever.
    """
    if isinstance(end, SystemExit):
        code = end.code or 0
    else:  # with --debug
        sys.excepthook(type(end), end, end.__traceback__)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


def repeat_interrupt(swallowed: "UnraisableHookArgs") -> None:
    """Let an interrupt come again that hit Python where nothing can be raised.

    In a finaliser or the callback of a weak reference Python prints an exception and goes on, so a
    Ctrl-C there would be lost. Anything else is shown as ever.
    """
    if not issubclass(swallowed.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(swallowed)
        return
    interrupt = swallowed.exc_value
    if not isinstance(interrupt, KeyboardInterrupt):  # only its type is known
        interrupt = KeyboardInterrupt()
    stop_signals.forget()
    later = threading.Timer(AGAIN, _interrupt_main_thread, [stop_signals.number_of(interrupt)])
    later.daemon = True
    later.start()


def _interrupt_main_thread(number: int) -> None:
    """Send a signal to the main thread; unlike ``interrupt_main`` this ends a blocking call."""
    main_thread = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main_thread is not None:
        signal.pthread_kill(main_thread, number)
    else:  # Windows
        interrupt_main(signal.Signals(number))


if __name__ == "__main__":
    main()
