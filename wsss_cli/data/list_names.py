"""Names of lists: what others call ``train``, ``val`` and ``test``, and names in a list's lines."""

import re
from collections.abc import Callable, Iterable

TRAIN, VAL, TEST = "train", "val", "test"
USUAL = frozenset({TRAIN, VAL, TEST, "trainval"})

_SYNONYMS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev", "validate"), VAL),
    **dict.fromkeys(("test", "testing"), TEST),
}
# Words that say no more than "these are data": seg_train, test_set, train_images, Train Data.
_PADDING = frozenset({"set", "seg", "data", "dataset", "images", "imgs", "split", "list", "ds"})


def split_name(written: str) -> str:
    """The name under which the commands look for a list.

    Args:
        written: What a folder, a file or a cell calls it, such as ``Training`` or ``test set``.

    Returns:
        ``train``, ``val`` or ``test`` where it means one of these, else the name in small letters.
    """
    name = written.strip().lower()
    words = [word for word in re.split(r"[\s_\-.]+", name) if word and word not in _PADDING]
    if len(words) != 1:
        return name
    word = words[0].removesuffix("set")
    return _SYNONYMS.get(word, _SYNONYMS.get(words[0], name))


def is_usual(written: str) -> bool:
    """Whether a name says by itself that it is one of a list."""
    return split_name(written) in USUAL


def in_usual_order(names: Iterable[str]) -> list[str]:
    """Names of lists with ``train``, ``val`` and ``test`` first, the others as they come."""
    usual = [TRAIN, VAL, TEST]
    return sorted(names, key=lambda name: usual.index(name) if name in usual else len(usual))


def renamed(written: set[str]) -> str | None:
    """A remark about lists that the commands know under other names; None without such lists."""
    other = {name: split_name(name) for name in sorted(written) if split_name(name) != name.strip()}
    if not other:
        return None
    return "read as lists: " + ", ".join(f"{name} as {split}" for name, split in other.items())


def name_on_line(line: str, is_known: Callable[[str], bool]) -> str:
    """The picture that a line of a list names: the line, or its first words.

    Names may hold spaces, and lists have further columns: a mask's path, or 1 and -1.

    Args:
        line: Without its end.
        is_known: Whether there is a picture of that name.

    Returns:
        The longest name that is known; where none is, the line without what looks like a column.
    """
    words = re.split(r"(\s+)", line.strip())  # words, and what lies between them
    for count in range(len(words), 0, -2):
        name = "".join(words[:count])
        if is_known(name):
            return name
    while len(words) > 1 and (
        re.fullmatch(r"[-+]\d+|.*[/\\].*", words[-1])
        # "my photo 2" ends in no column.
        or (words[-1].isdecimal() and (len(words) == 3 or words[-2] != " "))
    ):
        del words[-2:]
    return "".join(words)
