"""Errors a person can act on: one sentence with what happened, where, and what to do next."""

import os
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

# Least similarity (difflib's ratio) of a name or a path that is suggested instead.
_CLOSE, _CLOSE_PATH = 0.6, 0.7
# Limit of names that are compared; a folder of photographs may have a million.
_MOST_BESIDE = 10_000


class WsssError(Exception):
    """Something in the data, the artifacts or the machine stops the work (exit code 1)."""

    exit_code = 1

    def __str__(self) -> str:
        """The sentence on one line, with control characters of foreign names escaped."""
        text = super().__str__()
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class UsageError(WsssError):
    """The command line or a configuration file asks for something impossible (exit code 2)."""

    exit_code = 2


class DivergenceError(WsssError):
    """The loss or the weights of a training became nan or infinite.

    Attributes:
        reason: Sentence such as "the loss became nan".
        iteration: Iterations before the check that found it.
        kept: Iteration of the last good state, None without one.
    """

    def __init__(self, reason: str, iteration: int, kept: int | None) -> None:
        """Compose the message."""
        super().__init__(f"{reason} at iteration {iteration}, so training stopped")
        self.reason, self.iteration, self.kept = reason, iteration, kept


def first_line(error: BaseException) -> str:
    """The first line of a foreign error's message, or its kind where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def listing(names: Sequence[str], *, most: int = 10) -> str:
    """List the first few of many names and count the others: ``a, b and 12 more``."""
    text = ", ".join(names[:most])
    return text if len(names) <= most else f"{text} and {len(names) - most} more"


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Suggest the valid name most similar to an unknown one; empty if none is similar.

    Args:
        name: The unknown name.
        names: The valid names.
    """
    from difflib import get_close_matches

    by_lower: dict[str, str] = {}
    for candidate in names:
        by_lower.setdefault(candidate.lower(), candidate)
    matches = get_close_matches(name.lower(), by_lower, n=1, cutoff=_CLOSE)
    return f"; did you mean {by_lower[matches[0]]}?" if matches else ""


def near_path(path: Path) -> str:
    """Suggest a similar path for one that does not exist; empty if none is similar."""
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
