"""Checks that a set of saliency maps has the right range of values."""

from collections.abc import Sequence
from pathlib import Path

from wsss_cli.data.images import largest_share
from wsss_cli.errors import WsssError

# A set whose largest value is below this share was saved with another range: 0 and 1, class
# numbers, or 8 or 12 bits in 16.
_FAINTEST = 1 / 16


def require_saliency(folder: Path, paths: Sequence[Path], option: str) -> list[str]:
    """Refuse a set of maps in a range that would make everything background.

    The first map with a bright pixel ends the search.

    Args:
        folder: Folder of the maps, for the message.
        paths: Paths of the maps.
        option: The option that named the folder, for the message.

    Returns:
        Sentences on the maps for the user.

    Raises:
        WsssError: The largest value of all is too small, or a map cannot be read.
    """
    notes = []
    suffixes = sorted({path.suffix for path in paths} - {".png"})
    if suffixes:
        count = sum(path.suffix != ".png" for path in paths)
        notes.append(
            f"{count} of {len(paths)} saliency maps of {folder} are {', '.join(suffixes)} files "
            "and read as they are"
        )
    largest = 0.0
    for path in paths:
        largest = max(largest, largest_share(path))
        if largest >= _FAINTEST:
            return notes
    if largest == 0:
        return [*notes, f"all {len(paths)} saliency maps of {folder} are black: nothing stands out"]
    raise WsssError(
        f"{option} {folder}: the largest value of all {len(paths)} maps is {_value(largest)}, so "
        "all images would be background; scale the maps to 0..255 (masks of 0 and 1 times 255)"
    )


def _value(share: float) -> str:
    """A share of the range as a value of 8 bits, or of 16 bits where it is no integer."""
    of_eight = share * 0xFF
    if abs(of_eight - round(of_eight)) < 1e-9 and round(of_eight):
        return f"{round(of_eight)} of 255"
    return f"{round(share * 0xFFFF)} of 65535"
