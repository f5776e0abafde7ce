"""The states that an unfinished training resumes from: the last one and the one before it.

Two are kept because the last one may have been written when the training had begun to diverge.
"""

from pathlib import Path
from typing import Any

from wsss_cli import ranks
from wsss_cli.artifacts.checkpoint import read_checkpoint, write_checkpoint
from wsss_cli.configs.stages import TRAINING_STATES

KIND = "resume"


class KeptStates:
    """The states in a stage's directory. Every rank calls, the first one reads and writes names."""

    def __init__(self, directory: Path) -> None:
        """Look in this directory."""
        self.last, self._earlier = (directory / name for name in TRAINING_STATES)

    def read(self) -> dict[str, Any] | None:
        """The newest state, None where there is none.

        Raises:
            WsssError: The file is broken.
        """
        path = ranks.agreed(self._newest)
        return None if path is None else read_checkpoint(path, KIND)

    def write(self, state: dict[str, Any], *, keep_last: bool = True) -> None:
        """Make this the last state.

        Args:
            state: Tensors and plain values.
            keep_last: Make the one that was last the earlier one; otherwise it goes.

        Raises:
            WsssError: The disk is full or the folder cannot be written to; both are as they were.
        """
        write_checkpoint(self.last, KIND, state, keep_as=self._earlier if keep_last else None)

    def step_back(self) -> bool:
        """Make the earlier state the last one; returns whether there was one."""
        return ranks.agreed(self._step_back)

    def remove(self) -> None:
        """Remove the last state, when there is no earlier one."""
        if ranks.first():
            self.last.unlink(missing_ok=True)

    def _newest(self) -> Path | None:
        # A kill between two renamings leaves the earlier one alone.
        return next((path for path in (self.last, self._earlier) if path.exists()), None)

    def _step_back(self) -> bool:
        there = self._earlier.exists()
        if there:
            self._earlier.replace(self.last)
        return there
