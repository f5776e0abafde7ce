"""A training's log as events for TensorBoard, which is an extra of the installation."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from wsss_cli.artifacts.atomic import unwritable

FOLDER = "tensorboard"
EVENTS = f"{FOLDER}/events.out.tfevents.*"
"""What of a stage's directory these are."""


class TensorBoardEvents:
    """Events of one training: losses, learning rate and speed over the iterations."""

    run_id = None  # its events are replaced by those of all lines, so none is there twice

    def __init__(self, directory: Path) -> None:
        """Begin anew in a folder of a stage's directory.

        Raises:
            WsssError: The folder cannot be written to.
        """
        from torch.utils.tensorboard import SummaryWriter

        try:
            for old in directory.glob(EVENTS):
                old.unlink()
            self._writer: Any = SummaryWriter(str(directory / FOLDER))
        except OSError as error:
            raise unwritable(directory / FOLDER, error) from error

    def log(self, scalars: Mapping[str, float], iteration: int, when: datetime) -> None:
        """Add scalars at the time when they were logged."""
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, iteration, walltime=when.timestamp())

    def close(self, *, finished: bool) -> None:
        """Write out what is still in memory."""
        del finished
        self._writer.close()
