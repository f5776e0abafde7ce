"""Explains the file of features that a training of heads alone keeps while it works."""

from pathlib import Path

from wsss_cli.artifacts.feature_cache import look
from wsss_cli.artifacts.stage_commands import recorded_command
from wsss_cli.inspect.show.explanation import Explanation, Writer


def explain_features(path: Path, writer: Writer | None) -> Explanation:
    """Say of how many images there are features, and of what size."""
    (channels, height, width), images = look(path)
    facts = {"images": images, "channels": channels, "height": height, "width": width}
    advice = None
    if writer is not None:
        command = recorded_command(writer.manifest["stage"], writer.manifest, path.parent.parent)
        advice = f"`{command}` goes on from it, and removes it when the training is done"
    return Explanation("features of a frozen trunk", facts, advice)
