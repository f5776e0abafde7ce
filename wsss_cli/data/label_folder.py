"""Folders of PNG files named by image id: saliency maps, proxies, predictions, ground truth."""

from collections.abc import Sequence
from pathlib import Path

from wsss_cli.errors import UsageError, WsssError, listing


def png_files(folder: Path, image_ids: Sequence[str], option: str) -> list[Path]:
    """The PNG of every image id.

    Args:
        folder: Where they lie, as ``ID.png``.
        image_ids: Which are needed.
        option: The option that named the folder, for the message.

    Raises:
        UsageError: There is no such folder.
        WsssError: Files are missing; the message lists them.
    """
    require_folder(folder, option)
    paths = [folder / f"{image_id}.png" for image_id in image_ids]
    missing = [path.stem for path in paths if not path.is_file()]
    if missing:
        raise WsssError(
            f"{option} {folder}: {len(missing)} of {len(paths)} images have no PNG there: "
            f"{listing(missing, most=50)}; add them, none is skipped silently"
        )
    return paths


def png_ids(folder: Path, option: str) -> list[str]:
    """The ids of all PNG files of a folder, sorted.

    Raises:
        UsageError: There is no such folder, or no PNG in it.
    """
    require_folder(folder, option)
    ids = sorted(path.stem for path in folder.glob("*.png") if not path.name.startswith("."))
    if not ids:
        raise UsageError(f"{option} {folder} holds no PNG; give the folder with ID.png files")
    return ids


def require_folder(folder: Path, option: str) -> None:
    """Refuse a folder that is not there."""
    if not folder.is_dir():
        raise UsageError(f"{option} {folder} is not a folder; check the path")
