"""Names that are no class: of the background, of pixels that do not count, of nothing at all.

Label 0 of every mask is the background and 255 is what does not count, both without being named. A
list of classes that names one of them numbers every class one too high, and nothing would show it.
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
# What tables and programs write where there is no value.
_NO_VALUE = frozenset(
    {
        *("", "nan", "none", "null", "nil", "na", "n/a", "<na>", "#n/a", "nat", "nothing"),
        *("-", "--", "[]", "()", "{}", "['']", '[""]', "[nan]", "[none]", "[null]"),
    }
)
# What people call a picture in which nothing is to be found.
_NEGATIVE = frozenset(
    {
        *("negative", "negatives", "nofinding", "nofindings", "noobject", "noobjects"),
        *("noclass", "noneoftheabove"),
    }
)
# What stands for "yes, it is there" and "no, it is not", in pairs.
_ANSWERS = (
    (frozenset({"1", "1.0"}), frozenset({"0", "0.0"})),
    (frozenset({"1", "1.0"}), frozenset({"-1", "-1.0"})),
    (frozenset({"true"}), frozenset({"false"})),
    (frozenset({"yes"}), frozenset({"no"})),
)


def _letters(name: str) -> str:
    """A name without what decorates it: ``__Background__``, ``0: back-ground``."""
    return re.sub(r"[\W_]", "", re.sub(r"^[\W\d_]+|[\W\d_]+$", "", name.casefold()))


def names_background(name: str) -> bool:
    """Whether a name is one of the background, however it is decorated."""
    return _letters(name) in _BACKGROUND


def names_no_value(text: str) -> bool:
    """Whether a text stands for the absence of any: ``nan``, ``None``, ``-``, ``[]``."""
    return "".join(text.split()).casefold() in _NO_VALUE


def names_negative(name: str, others: Iterable[str]) -> bool:
    """Whether a name says that nothing is to be found in a picture.

    Args:
        name: What a folder or a cell calls the picture.
        others: Names used beside it: ``no crack`` says so only where there is a ``crack``.
    """
    if names_background(name) or names_no_value(name) or _letters(name) in _NEGATIVE:
        return True
    denied = re.fullmatch(r"(?:no|non|not|without)[\s_\-]+(.+)", name.strip(), re.IGNORECASE)
    return denied is not None and same_name(denied[1]) in {same_name(other) for other in others}


def same_name(name: str) -> str:
    """What two spellings of one name have in common: all but case, blanks and Unicode form."""
    text = unicodedata.normalize("NFKC", name).casefold()
    text = re.sub(r"[\s_]+|(?<=\w)-(?=\w)", " ", text).strip()
    value = number(text)
    return text if value is None else f"{value:g}"


def number(name: str) -> float | None:
    """The value of a name that is a decimal number; None for any other name."""
    return float(name) if re.fullmatch(r"[+-]?\d{1,15}(\.\d{1,6})?", name.strip()) else None


def answers(values: Iterable[str]) -> tuple[frozenset[str], frozenset[str]] | None:
    """Tell apart yes and no where values are nothing but these, and both occur.

    Args:
        values: As they are written: ``0`` and ``1``, ``True`` and ``False``.

    Returns:
        The spellings of yes and of no; None where the values are anything else.
    """
    written = frozenset(values)
    for yes, no in _ANSWERS:
        there = frozenset(value for value in written if value.casefold() in yes)
        absent = frozenset(value for value in written if value.casefold() in no)
        if there and absent and there | absent == written:
            return there, absent
    return None


def reason_against(names: Iterable[str]) -> str | None:
    """Why names cannot be those of classes 1..C, and what to do; None where they can.

    Args:
        names: In the order of a list.

    Returns:
        The end of a sentence that begins with where the names stand.
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
                f"names {name!r}, but what does not count is 255 without being named; "
                "remove it, or the classes after it are numbered one too high (if it is a class "
                "of yours, give it another name)"
            )
        if names_no_value(name):
            return (
                f"names {name!r}, which stands for no class at all; remove it, or the "
                "classes after it are numbered one too high"
            )
    seen: dict[str, str] = {}
    for name in listed:
        other = seen.setdefault(same_name(name), name)
        if other != name:
            return (
                f"names {other!r} and {name!r}, which differ only in case, blanks, Unicode form or "
                "zeros; if they are one class, write it in one way everywhere, else give one of "
                "them another name"
            )
    return None
