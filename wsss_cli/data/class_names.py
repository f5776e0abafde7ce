"""Names of classes: the file that lists them, and what no list may hold."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from wsss_cli.errors import WsssError, listing
from wsss_cli.labels import IGNORE
from wsss_cli.reserved_names import number, reason_against

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
        twice = [name for name, count in Counter(names).items() if count > 1]
        seen = (
            f"names {listing(twice)} more than once" if twice else f"names {len(names):,} classes"
        )
        raise WsssError(f"{source} {seen}; it must name 1 to 254 different classes")
    odd = [name for name in names if not name or not name.isprintable()]
    if odd:
        raise WsssError(f"{source} names a class {odd[0]!r}; a name is printable text on one line")
    reason = reason_against(names)
    if reason is not None:
        raise WsssError(f"{source} {reason}")
    return tuple(names)


def in_order(names: Iterable[str]) -> list[str]:
    """Sort names that nobody has put in order: numbers by their values, all others as text."""
    values = {name: number(name) for name in names}
    numbers = {name: value for name, value in values.items() if value is not None}
    return sorted(numbers, key=lambda n: (numbers[n], n)) if numbers == values else sorted(values)


def about_numbers(names: Sequence[str]) -> str | None:
    """Say which label of a mask has which name, where all names are numbers; else None."""
    values = [number(name) for name in names]
    if None in values:
        return None
    if values == [1]:
        return f"the class name is a number: label 1 of masks is the class {names[0]}"
    if values == list(range(1, len(names) + 1)):
        return (
            f"class names are numbers: label k of masks is the class k, for k of 1 to {len(names)}"
        )
    pairs = [f"label {label} is {name}" for label, name in enumerate(names, start=1)]
    numbers = [value for value in values if value is not None]
    largest = max(numbers)
    themselves = (
        f"; where masks hold these numbers themselves, write a {CLASSES_FILE} with a name for each "
        f"number from 1 to {largest:g}"
        if min(numbers) >= 1 and largest < IGNORE and all(map(float.is_integer, numbers))
        else ""
    )
    return (
        "class names are numbers, but not those of the labels: of masks "
        f"{listing(pairs, most=20)}{themselves}"
    )


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
