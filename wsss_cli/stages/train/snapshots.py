"""The networks that a training keeps on the way, with ``--snapshot-every``."""

from pathlib import Path

from wsss_cli import ranks
from wsss_cli.configs.train import TrainConfig
from wsss_cli.errors import UsageError

SNAPSHOTS = "snapshots"


def snapshot_path(directory: Path, iteration: int) -> Path:
    """Where a training keeps its network as it was after ``iteration`` steps."""
    return directory / SNAPSHOTS / f"{iteration:06d}.pt"


def require_snapshots(directory: Path, config: TrainConfig, done: int) -> None:
    """Refuse to leave out snapshots that are asked for but belong to steps already taken.

    Snapshots change no result, so a training with and one without them are the same to the
    fingerprint; but "up to date" would be a lie where those asked for are not there.

    Raises:
        UsageError: Names the first one missing.
    """
    if not config.snapshot_every:
        return
    for iteration in range(config.snapshot_every, done + 1, config.snapshot_every):
        path = snapshot_path(directory, iteration)
        if not path.exists():
            raise UsageError(
                f"{path} is not there and the training is past iteration {iteration}, so "
                f"--snapshot-every {config.snapshot_every} needs another training: pass "
                "--overwrite, or --run DIR to keep both"
            )


def remove_snapshots(directory: Path, done: int) -> None:
    """Remove snapshots of steps that are taken again at another learning rate."""
    if ranks.first():
        for path in directory.glob(f"{SNAPSHOTS}/*.pt"):
            if path.stem.isdecimal() and int(path.stem) > done:
                path.unlink()
