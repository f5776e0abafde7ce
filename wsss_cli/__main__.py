"""Entry point of ``wsss`` and of ``python -m wsss_cli``."""

import os
import sys
import threading
from _thread import interrupt_main
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

# Seconds until an interrupt that was swallowed comes again.
AGAIN = 0.05


def main() -> None:
    """Run the command line; interrupted before a command has begun, say so and no more."""
    sys.unraisablehook = repeat_interrupt
    try:
        from wsss_cli import ranks
        from wsss_cli.cli.app import app

        app()
    except SystemExit as end:
        if ranks.bound():
            _end_at_once(end.code)
        raise
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def _end_at_once(code: str | int | None) -> None:
    """Leave without the interpreter's own ending, as a rank must that the others have left.

    The threads of their group may hold what belongs to Python, and where they let it go while the
    interpreter is ending, they abort the process; taking leave of the dead may wait for ever.
    """
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
    later = threading.Timer(AGAIN, interrupt_main)
    later.daemon = True
    later.start()


if __name__ == "__main__":
    main()
