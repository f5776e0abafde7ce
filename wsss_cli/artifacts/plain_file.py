"""Plain files only: a reader of a pipe waits for ever, and a device may never end."""

import stat
from pathlib import Path

NOT_PLAIN = "it is a folder, a pipe or a device instead of a file"


def is_plain(path: Path) -> bool:
    """Whether a file, or what a link leads to, can be read to its end.

    Raises:
        OSError: There is none, or links lead in a circle.
    """
    return stat.S_ISREG(path.stat().st_mode)
