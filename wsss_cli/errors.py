"""Errors a person can act on: one sentence with what happened, where, and what to do next."""

from collections.abc import Sequence


class WsssError(Exception):
    """Something in the data, the artifacts or the machine stops the work (exit code 1)."""

    exit_code = 1

    def __str__(self) -> str:
        """The sentence on one line: names out of files may hold whatever moves a terminal."""
        text = super().__str__()
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class UsageError(WsssError):
    """The command line or a configuration file asks for something impossible (exit code 2)."""

    exit_code = 2


def listing(names: Sequence[str], *, most: int = 10) -> str:
    """Name the first few of many things, and how many there are: ``a, b and 12 more``."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
