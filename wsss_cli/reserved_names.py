"""Names that cannot be classes: the background, ignored pixels, and words for no value.

In masks 0 is the background and 255 is ignored; neither has a class name. A list of classes that
names one of them silently shifts the numbers of all classes after it.
"""

import re
import unicodedata
from collections.abc import Iterable

_BACKGROUND = frozenset({"background", "backgrounds", "backgr", "bkg", "bkgd", "bgd", "bg"})
_NOT_COUNTED = frozenset(
    {
        *("ignore", "ignored", "ignorelabel", "ignoreregion", "void", "dontcare", "unclassified"),
        *("unlabeled", "unlabelled", "unannotated", "nolabel"),
    }
)
# Placeholders for a missing value in tables.
_NO_VALUE = frozenset(
    {
        *("", "nan", "none", "null", "nil", "na", "n/a", "<na>", "#n/a", "nat", "nothing"),
        *("-", "--", "[]", "()", "{}", "['']", '[""]', "[nan]", "[none]", "[null]"),
    }
)
# Usual names for pictures without any of the classes.
_NEGATIVE = frozenset(
    {
        *("negative", "negatives", "nofinding", "nofindings", "noobject", "noobjects"),
        *("noclass", "noneoftheabove"),
    }
)
# Spellings of yes and no, in pairs.
_ANSWERS = (
    (frozenset({"1", "1.0"}), frozenset({"0", "0.0"})),
    (frozenset({"1", "1.0"}), frozenset({"-1", "-1.0"})),
    (frozenset({"true"}), frozenset({"false"})),
    (frozenset({"yes"}), frozenset({"no"})),
)


def _letters(name: str) -> str:
    """The letters of a name, as in ``__Background__`` and ``0: back-ground``."""
    return re.sub(r"[\W_]", "", re.sub(r"^[\W\d_]+|[\W\d_]+$", "", name.casefold()))


def names_background(name: str) -> bool:
    """Whether a name means the background, in any spelling."""
    return _letters(name) in _BACKGROUND


def names_no_value(text: str) -> bool:
    """Whether a text means that there is no value: ``nan``, ``None``, ``-``, ``[]``."""
    return "".join(text.split()).casefold() in _NO_VALUE


def names_negative(name: str, others: Iterable[str]) -> bool:
    """Whether a name means that a picture shows none of the classes.

    Args:
        name: Name of a folder, or text of a cell.
        others: Other names beside it: ``no crack`` is a negative only beside ``crack``.
    """
    if names_background(name) or names_no_value(name) or _letters(name) in _NEGATIVE:
        return True
    denied = re.fullmatch(r"(?:no|non|not|without)[\s_\-]+(.+)", name.strip(), re.IGNORECASE)
    return denied is not None and same_name(denied[1]) in {same_name(other) for other in others}


def same_name(name: str) -> str:
    """Normalise a name, so that case, blanks, Unicode form and zeros make no difference."""
    text = unicodedata.normalize("NFKC", name).casefold()
    text = re.sub(r"[\s_]+|(?<=\w)-(?=\w)", " ", text).strip()
    value = number(text)
    return text if value is None else f"{value:g}"


def number(name: str) -> float | None:
    """Value of a name that is a decimal number; None for any other name."""
    return float(name) if re.fullmatch(r"[+-]?\d{1,15}(\.\d{1,6})?", name.strip()) else None


def answers(values: Iterable[str]) -> tuple[frozenset[str], frozenset[str]] | None:
    """Recognise values that all mean yes or no, and of which both occur.

    Args:
        values: Texts such as ``0`` and ``1`` or ``True`` and ``False``.

    Returns:
        The spellings of yes and of no that occur; None for any other values.
    """
    written = frozenset(values)
    for yes, no in _ANSWERS:
        positive = frozenset(value for value in written if value.casefold() in yes)
        negative = frozenset(value for value in written if value.casefold() in no)
        if positive and negative and positive | negative == written:
            return positive, negative
    return None


def reason_against(names: Iterable[str]) -> str | None:
    """Explain why names cannot be those of classes 1..C; None if they can.

    Args:
        names: Names in their order.

    Returns:
        The end of a sentence that begins with the file of the names.
    """
    listed = list(names)
    for name in listed:
        if names_background(name):
            return (
                f"names {name!r}, but the background is label 0 without being named; "
                "remove it, or all classes are numbered one too high"
            )
        if _letters(name) in _NOT_COUNTED:
            return (
                f"names {name!r}, but ignored pixels are 255 without being named; remove it, or "
                "the classes after it are numbered one too high (if it is a class, rename it)"
            )
        if names_no_value(name):
            return (
                f"names {name!r}, which means no class; remove it, or the classes after it are "
                "numbered one too high"
            )
    seen: dict[str, str] = {}
    for name in listed:
        other = seen.setdefault(same_name(name), name)
        if other != name:
            return (
                f"names {other!r} and {name!r}, which differ only in case, blanks, Unicode form or "
                "zeros; if they are the same class, spell it the same everywhere, otherwise rename "
                "one of them"
            )
    return None
