"""Names of checkpoints, and of an image's files, which are called ``ID.png``."""

import re

CHECKPOINT_FILE = "checkpoint.pt"
"""The checkpoint of a finished training, in ``RUN/train`` and ``RUN/segment``."""
# ID.png with a temporary ending fits into the 255 bytes that file systems allow a name.
LONGEST = 200
_LONGEST_WORD = 50


def names_a_file(image_id: str) -> bool:
    """Whether an id is a printable file name, without folder, that is short enough."""
    return (
        image_id.isprintable()
        and not re.search(r"^\.|[/\\]", image_id)
        and 0 < len(image_id.encode()) <= LONGEST
    )


def class_word(name: str, class_id: int) -> str:
    """The part of a file's name that stands for a class: its name, where that is safe."""
    word = re.sub(r"[^\w.\- ]", "_", name)[:_LONGEST_WORD]
    return name if word == name else f"{word}-{class_id}"
