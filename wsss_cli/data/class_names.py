"""Names of classes: the file that lists them, and what no list may hold."""

from collections.abc import Sequence
from pathlib import Path

from wsss_cli.errors import WsssError

CLASSES_FILE = "classes.txt"


def read_class_names(path: Path) -> tuple[str, ...]:
    """The names of a file, one a line.

    Raises:
        WsssError: As :func:`require_class_names`.
    """
    return require_class_names([line.strip() for line in read_lines(path) if line.strip()], path)


def require_class_names(names: Sequence[str], source: Path) -> tuple[str, ...]:
    """Names of classes 1..C, which fit into 8-bit masks and are told from the background.

    Raises:
        WsssError: There are none, too many or equal ones, or the background is among them.
    """
    if not 0 < len(names) < 255 or len(set(names)) != len(names):
        raise WsssError(f"{source} must name 1 to 254 different classes, one a line")
    odd = [name for name in names if not name or not name.isprintable()]
    if odd:
        raise WsssError(f"{source} names a class {odd[0]!r}; a name is printable text on one line")
    if "background" in (name.lower() for name in names):
        raise WsssError(
            f"{source} names the background, which is label 0 without being named; remove it, or "
            "all classes are numbered one too high"
        )
    return tuple(names)


def read_lines(path: Path) -> list[str]:
    """The lines of a text.

    Raises:
        WsssError: It is not UTF-8, or no file.
    """
    try:
        return path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise WsssError(f"{path} is not UTF-8 text; save it as such") from None
    except OSError as error:
        raise WsssError(f"{path} cannot be read ({error.strerror}); check the path") from error
