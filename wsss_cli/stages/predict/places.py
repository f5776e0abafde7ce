"""Where the trained network lies, and whether results may go where they are to go.

Nothing here needs torch, so that wrong usage is told at once.
"""

from pathlib import Path

from wsss_cli.artifacts.file_names import CHECKPOINT_FILE
from wsss_cli.artifacts.picture_formats import is_picture
from wsss_cli.artifacts.stage_directory import MANIFEST, read_manifest
from wsss_cli.errors import UsageError, listing, near_path

STAGE = "predict"
# The stages that leave a network, the one that knows most first.
_TRAINED_BY = ("segment", "train")
# Files that operating systems leave in any folder.
_BY_SYSTEMS = ("thumbs.db", "desktop.ini")


def find_checkpoint(path: Path) -> tuple[Path, str | None]:
    """The checkpoint that an argument names, a file or a run.

    Returns:
        The file, and of a run a remark about which one it is.

    Raises:
        UsageError: There is none.
    """
    if path.is_dir():
        directories = [path / stage for stage in _TRAINED_BY] + [path]
        for directory in directories:
            if (directory / CHECKPOINT_FILE).is_file():
                return directory / CHECKPOINT_FILE, f"predicting with {directory / CHECKPOINT_FILE}"
        raise UsageError(
            f"CHECKPOINT {path} holds no trained network (neither segment/{CHECKPOINT_FILE} nor "
            f"train/{CHECKPOINT_FILE}); finish its training, or give the file"
        )
    if not path.exists():
        raise UsageError(f"CHECKPOINT {path} does not exist{near_path(path) or '; check the path'}")
    if is_picture(path):
        raise UsageError(
            f"CHECKPOINT {path} is a picture; the trained network comes first: "
            "wsss predict CHECKPOINT PHOTOS... --out DIR"
        )
    return path, None


def require_own_folder(out: Path) -> None:
    """Refuse to write among files that ``wsss predict`` has not made.

    Raises:
        UsageError: The folder is another stage's, holds other files, or is no folder.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file; name a folder")
    if not out.exists():
        existing = next(parent for parent in out.absolute().parents if parent.exists())
        if not existing.is_dir():
            raise UsageError(f"--out {out}: {existing} is a file; name another folder")
        return
    if (out / MANIFEST).exists():
        stage = read_manifest(out)["stage"]
        if stage != STAGE:
            raise UsageError(
                f"--out {out} holds the result of `wsss {stage}`; choose another folder"
            )
        return
    others = sorted(
        path.name
        for path in out.iterdir()
        if not path.name.startswith(".") and path.name.lower() not in _BY_SYSTEMS
    )
    if others:
        raise UsageError(
            f"--out {out} holds other files ({listing(others, most=3)}), and nothing of them is to "
            f"be overwritten; choose a new folder, such as {out / 'predictions'}"
        )
