"""Entry point of ``wsss`` and of ``python -m wsss_cli``."""

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
        if isinstance(end.code, int):
            ranks.abandon(end.code)
        raise
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


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
