"""Explains archives for PASCAL VOC's evaluation server."""

from pathlib import Path

from wsss_cli.artifacts.submission import FOLDER, read_submission
from wsss_cli.command_line import command_line
from wsss_cli.inspect.show.explanation import Explanation, Writer


def explain_archive(path: Path, writer: Writer | None) -> Explanation:
    """Count what is in it, entry by entry; nothing is unpacked to the disk."""
    del writer
    in_place = others = 0
    for entry in read_submission(path):
        in_place += entry.image_id is not None
        others += entry.image_id is None and not entry.is_folder
    facts = {"label_maps": in_place, "folder": str(FOLDER), "other_files": others}
    check = command_line("check", path, data="DIR", split="test")
    advice = f"`{check}` says whether the server would take it"
    if not in_place:
        return Explanation("an archive without a label map in its place", facts, advice)
    return Explanation("an archive of label maps for VOC's evaluation server", facts, advice)
