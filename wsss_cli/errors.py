"""Errors a person can act on: one sentence with what happened, where, and what to do next."""

import os
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

# How much of two names has to agree (difflib's ratio) for one to be taken for the other.
_CLOSE, _CLOSE_PATH = 0.6, 0.7
# Names beside a missing path that are looked at; a folder of photographs may have a million.
_MOST_BESIDE = 10_000


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


class DivergenceError(WsssError):
    """A training whose loss or weights are no numbers any more.

    Attributes:
        what: What became of what, such as "the loss became nan".
        iteration: Steps that were taken before it was seen.
        kept: Iteration of the last good state, None where none is kept.
    """

    def __init__(self, what: str, iteration: int, kept: int | None) -> None:
        """Say that the training stopped because of it."""
        super().__init__(f"{what} at iteration {iteration}, so training stopped")
        self.what, self.iteration, self.kept = what, iteration, kept


def listing(names: Sequence[str], *, most: int = 10) -> str:
    """Name the first few of many things, and how many there are: ``a, b and 12 more``."""
    text = ", ".join(names[:most])
    return text if len(names) <= most else f"{text} and {len(names) - most} more"


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """A question after a name that is none of those known; empty where none of them is close.

    Args:
        name: What was given.
        names: What could have been given.
    """
    from difflib import get_close_matches

    by_lower: dict[str, str] = {}
    for candidate in names:
        by_lower.setdefault(candidate.lower(), candidate)
    matches = get_close_matches(name.lower(), by_lower, n=1, cutoff=_CLOSE)
    return f"; did you mean {by_lower[matches[0]]}?" if matches else ""


def near_path(path: Path) -> str:
    """The same question for a path that does not exist, from the names beside it on the disk."""
    from difflib import get_close_matches

    missing = path
    while not missing.parent.exists() and missing.parent != missing:
        missing = missing.parent
    try:
        with os.scandir(missing.parent) as entries:
            neighbours = {entry.name.lower(): entry.name for entry in islice(entries, _MOST_BESIDE)}
    except OSError:
        return ""
    rest = path.relative_to(missing)
    matches = get_close_matches(missing.name.lower(), neighbours, n=3, cutoff=_CLOSE_PATH)
    candidates = [missing.parent / neighbours[name] / rest for name in matches]
    existing = [candidate for candidate in candidates if candidate.exists()]
    return f"; did you mean {existing[0]}?" if existing else ""
