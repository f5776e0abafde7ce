"""The results that can be scored, by name. Importing this imports no torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """A result of a stage that ``wsss evaluate`` scores.

    Attributes:
        stage: Stage that makes it.
        title: Heading above its scores.
        noun: One of it, within a sentence.
        nouns: Several of it.
        folder: Folder of its label maps in the stage's directory; None for attention, which is
            one file.
    """

    stage: str
    title: str
    noun: str
    nouns: str
    folder: str | None = None


# In the order in which the chain makes them.
RESULTS = {
    "attention": Result("attend", "Attention", "attention", "attention"),
    "proxy": Result("proxy", "Proxy labels", "proxy", "proxies", "labels"),
    "prediction": Result("segment", "Predictions", "prediction", "predictions", "predictions"),
    "crf": Result(
        "crf", "Predictions after the CRF", "refined prediction", "refined predictions", "labels"
    ),
}
BY_INTEREST = ("prediction", *(name for name in reversed(RESULTS) if name != "prediction"))
"""The order in which people ask for scores: the network's predictions first, then from the end."""
LABEL_FOLDERS = {
    name: result.folder for name, result in RESULTS.items() if result.folder is not None
}
"""Folder of each result that consists of label maps, in its stage's directory."""
WEIGHTS_FOLDER = "weights"
"""Folder of the weights of pixels that ``wsss crf --uncertainty`` writes beside its labels."""
