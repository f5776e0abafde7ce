"""The scales to predict at with a trained network where nobody says any."""

from collections.abc import Sequence
from pathlib import Path

from wsss_cli.artifacts.checkpoint import ODD_CONTENT
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.configs.scales import default_scales
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.errors import WsssError
from wsss_cli.stages.segment.network_file import SegmentationCheckpoint, recorded_scale_range
from wsss_cli.tracking import Track


def checkpoint_scales(
    path: Path, checkpoint: SegmentationCheckpoint, track: Track
) -> tuple[float, ...]:
    """The default scales of a trained network: those of the range that it was trained with.

    A checkpoint of an earlier version does not hold that range. Then the manifest beside it says
    it; where there is none either, a training's default range is assumed, and said.

    Args:
        path: Where the checkpoint lies.
        checkpoint: Contents of the checkpoint.
        track: Told what is assumed.

    Returns:
        As :func:`default_scales`.
    """
    scale_range = checkpoint.scale_range or _range_in_manifest(path.parent)
    if scale_range is not None:
        return default_scales(*scale_range)
    scale_low, scale_high = SegmentConfig.scale_low, SegmentConfig.scale_high
    scales = default_scales(scale_low, scale_high)
    track.note(
        f"{path} does not record the scales of its training; {scale_low:g} to {scale_high:g} is "
        f"assumed, so it predicts at {listed(scales)}; pass --scales for others"
    )
    return scales


def listed(scales: Sequence[float]) -> str:
    """Scales as text, such as ``0.75, 1, 1.25``."""
    return ", ".join(f"{scale:g}" for scale in scales)


def _range_in_manifest(directory: Path) -> tuple[float, float] | None:
    """The range in the manifest of the training that wrote into a directory, None without one."""
    try:
        return recorded_scale_range(read_manifest(directory)["settings"])
    except (FileNotFoundError, WsssError, *ODD_CONTENT):
        return None
