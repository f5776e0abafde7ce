"""Short names for runs that are shown side by side."""

from collections.abc import Sequence
from pathlib import Path


def distinct_names(runs: Sequence[Path], joint: str = "-") -> list[str]:
    """The shortest ends of the paths that tell the runs apart.

    Args:
        runs: Their directories.
        joint: Put between the folders of a name.
    """
    parts = [run.resolve().parts for run in runs]
    for depth in range(1, max(map(len, parts)) + 1):
        names = [joint.join(parts_of_name[-depth:]).strip("/") for parts_of_name in parts]
        if len(set(names)) == len(set(parts)):
            break
    return names
