"""What a stage hands back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Report:
    """The outcome of a stage.

    Attributes:
        stage: Name of the stage.
        directory: Where its artifact lies; None when nothing was written.
        up_to_date: Nothing had to be done.
        values: Results with stable names, JSON values.
        failure: Why the command fails although its result is there, a sentence; None if it does
            not.
    """

    stage: str
    directory: Path | None
    up_to_date: bool
    values: Mapping[str, Any]
    failure: str | None = None
