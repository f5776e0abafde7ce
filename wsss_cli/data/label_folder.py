"""Folders of PNG files named by image id: saliency maps, proxies, predictions, ground truth."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from wsss_cli.artifacts.picture_formats import PICTURE_SUFFIXES, is_picture
from wsss_cli.command_line import command_line
from wsss_cli.errors import UsageError, WsssError, listing

# Of files that are missing, as many are looked for under longer names.
_EXAMPLES = 5

# Endings that grey pictures may have, the likeliest first.
_GREY_SUFFIXES = tuple(sorted(PICTURE_SUFFIXES, key=lambda suffix: (suffix != ".png", suffix)))


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
            f"{other_files(folder, missing)}"
        )
    return paths


def corrected_files(folder: Path, corrected: Path | None, image_ids: Sequence[str]) -> list[Path]:
    """The label map of every image id: the corrected one where there is one.

    Args:
        folder: Where label maps lie, as ``ID.png``; they need not be there.
        corrected: Where corrected ones lie, as ``ID.png``; None where none are.
        image_ids: Ids of the images.
    """
    better = [] if corrected is None else label_maps_there(corrected, image_ids)
    by_id = {path.stem: path for path in better}
    return [by_id.get(image_id, folder / f"{image_id}.png") for image_id in image_ids]


def label_maps_there(folder: Path, image_ids: Sequence[str]) -> list[Path]:
    """The label maps ``ID.png`` of a folder that are of some images, in the order of these."""
    paths = (folder / f"{image_id}.png" for image_id in image_ids)
    return [path for path in paths if path.is_file()]


def grey_files(folder: Path, image_ids: Sequence[str], option: str) -> list[Path]:
    """The grey picture of every image id: ``ID.png``, else one of another format.

    Saliency and weights bear the losses of JPEG, which label maps do not.

    Raises:
        UsageError: There is no such folder.
        WsssError: Files are missing; the message lists them.
    """
    require_folder(folder, option)
    paths = [folder / f"{image_id}.png" for image_id in image_ids]
    if all(path.is_file() for path in paths):
        return paths
    by_name = _by_stem_and_suffix(folder)
    files: list[Path] = []
    missing = []
    for image_id in image_ids:
        candidates = (by_name.get((image_id, suffix)) for suffix in _GREY_SUFFIXES)
        file = next((path for path in candidates if path is not None), None)
        if file is None:
            missing.append(image_id)
        else:
            files.append(file)
    if missing:
        raise WsssError(
            f"{option} {folder}: {len(missing)} of {len(paths)} images have no PNG or other "
            f"picture there: {listing(missing, most=50)}; add them, none is skipped silently"
            f"{other_files(folder, missing)}"
        )
    return files


def png_ids(folder: Path, option: str) -> list[str]:
    """The ids of all PNG files of a folder, sorted.

    Raises:
        UsageError: There is no such folder, or no PNG in it.
    """
    require_pngs(folder, option)
    return sorted(path.stem for path in _pngs(folder))


def require_pngs(folder: Path, option: str) -> None:
    """Refuse a folder without any PNG.

    Raises:
        UsageError: There is no such folder, or no PNG in it.
    """
    require_folder(folder, option)
    if next(_pngs(folder), None) is None:
        raise UsageError(
            f"{option} {folder} holds no PNG; give the folder with ID.png files"
            f"{other_files(folder)}"
        )


def _pngs(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob("*.png") if not path.name.startswith("."))


def require_folder(folder: Path, option: str) -> None:
    """Refuse a folder that is not there."""
    if not folder.is_dir():
        raise UsageError(f"{option} {folder} is not a folder; check the path")


def other_files(folder: Path, image_ids: Iterable[str] = ()) -> str:
    """What else a folder holds where label maps are looked for, for the end of a message.

    Args:
        folder: Where ``ID.png`` was expected.
        image_ids: Ids of the missing ones; none means any.

    Returns:
        A clause with what is there instead and what to do; nothing where nothing is.
    """
    wanted = set(image_ids)
    there = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    files = [path for path in there if path.suffix != ".png" and is_picture(path)]
    files = [path for path in files if path.is_file() and (not wanted or path.stem in wanted)]
    if files:
        endings = Counter(path.suffix for path in files)
        kinds = listing([f"{count} {suffix}" for suffix, count in sorted(endings.items())])
        way = (
            "rename them to .png"
            if {suffix.lower() for suffix in endings} == {".png"}
            else f"`{command_line('data masks', folder, 'OUT')}` makes label maps of masks in "
            "other formats"
        )
        return f" (there are {kinds} files, such as {files[0].name}; {way})"
    for path in there:
        below = next(path.glob("*.png"), None) if path.is_dir() else None
        if below is not None:
            return f" (there are PNG files in its folder {path.name}, such as {below.name})"
    arrays = [path for path in there if path.suffix in (".npy", ".npz")]
    arrays = [path for path in arrays if not wanted or path.stem in wanted]
    if arrays:
        return f" (there are arrays, such as {arrays[0].name})"
    for image_id in sorted(wanted)[:_EXAMPLES]:
        longer = re.compile(rf"{re.escape(image_id)}[_\-. ].*")
        similar = [path.name for path in there if is_picture(path) and longer.match(path.stem)]
        if similar:
            return f" (there is {similar[0]}: name it as its image, {image_id}.png)"
    return ""


def _by_stem_and_suffix(folder: Path) -> dict[tuple[str, str], Path]:
    """Pictures of a folder by their name and their ending in small letters."""
    return {
        (path.stem, path.suffix.lower()): path
        for path in sorted(folder.iterdir())
        if is_picture(path) and path.is_file()
    }
