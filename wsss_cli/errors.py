"""Errors a person can act on: one sentence with what happened, where, and what to do next."""

from collections.abc import Sequence


class WsssError(Exception):
    """Something in the data, the artifacts or the machine stops the work (exit code 1)."""

    exit_code = 1


class UsageError(WsssError):
    """The command line or a configuration file asks for something impossible (exit code 2)."""

    exit_code = 2


def listing(names: Sequence[str], *, most: int = 10) -> str:
    """Name the first few of many things, and how many there are: ``a, b and 12 more``."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
