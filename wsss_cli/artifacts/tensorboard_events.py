"""A training's log as events for TensorBoard, which is an extra of the installation."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from wsss_cli.artifacts.atomic import unwritable
from wsss_cli.errors import UsageError

FOLDER = "tensorboard"
EVENTS = f"{FOLDER}/events.out.tfevents.*"
"""What of a stage's directory these are."""


class TensorBoardEvents:
    """Events of one training: losses, learning rate and speed over the iterations."""

    def __init__(self, directory: Path, lines: Iterable[Mapping[str, Any]]) -> None:
        """Replace the events there by those of the lines given, so that none is there twice.

        Raises:
            UsageError: TensorBoard is not installed.
            WsssError: The folder cannot be written to.
        """
        require_tensorboard()
        from torch.utils.tensorboard import SummaryWriter

        try:
            for old in directory.glob(EVENTS):
                old.unlink()
            self._writer: Any = SummaryWriter(str(directory / FOLDER))
        except OSError as error:
            raise unwritable(directory / FOLDER, error) from error
        for line in lines:
            self.add(line)

    def add(self, line: Mapping[str, Any]) -> None:
        """Add the scalars of one line of the log, at the time when it was logged."""
        scalars = {f"loss/{name}": loss for name, loss in line["losses"].items()}
        others = ("lr", "images_per_second", "classification_map")
        scalars |= {name: line[name] for name in others if line.get(name) is not None}
        when = datetime.fromisoformat(line["time"]).timestamp()
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, line["iteration"], walltime=when)

    def close(self) -> None:
        """Write out what is still in memory."""
        self._writer.close()


def require_tensorboard() -> None:
    """Refuse before any work what could not be written.

    Raises:
        UsageError: TensorBoard is not installed.
    """
    if find_spec("tensorboard") is None:
        raise UsageError(
            "--tensorboard needs the package tensorboard, which is not installed: "
            "pip install 'wsss-cli[tensorboard]', or leave the option out (metrics.jsonl has the "
            "same numbers)"
        )
