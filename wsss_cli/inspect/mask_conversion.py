"""``wsss data masks``: other tools' masks as label maps, and what white stands for in them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wsss_cli.artifacts.foreign_mask import ForeignMask, read_foreign_mask
from wsss_cli.artifacts.label_png import write_label_map
from wsss_cli.artifacts.picture_formats import is_picture
from wsss_cli.configs.data import DataMasksConfig
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.images import Pixels
from wsss_cli.data.label_folder import other_files, require_folder
from wsss_cli.errors import UsageError, WsssError, listing
from wsss_cli.stages.image_loop import each_image
from wsss_cli.stages.result import Report
from wsss_cli.tracking import Track


def run(config: DataMasksConfig, *, track: Track) -> Report:
    """Write a label map for each mask of a folder; all are read before the first is written.

    Raises:
        UsageError: There is no mask, OUT is not empty, or it is not said what white is.
        WsssError: A mask is broken, or its numbers are no labels.
    """
    files = _mask_files(config.masks)
    if config.out.exists() and (not config.out.is_dir() or any(config.out.iterdir())):
        raise UsageError(f"OUT {config.out} exists and is not empty; choose another folder")

    def look(path: Path) -> tuple[bool, bool, bool]:
        """Whether it is black, black and white, or with greys between these."""
        mask = read_foreign_mask(path)
        black = not mask.values.any()
        if not black and not mask.is_binary:
            _label_map(mask, config.white)  # refuses what it cannot be
        return black, mask.is_binary, mask.is_binary and mask.blurred

    paths = list(files.values())
    seen = list(each_image(paths, look, track, "reading masks", config.workers))
    binary = sum(is_binary for _, is_binary, _ in seen)
    if config.white is None and binary and all(black or white for black, white, _ in seen):
        raise UsageError(
            f"MASKS {config.masks} is black and white, and 255 in a label map is for pixels to be "
            "ignored; say with --white NUMBER which class (1..C) white is"
        )

    def write(item: tuple[str, Path]) -> None:
        mask = read_foreign_mask(item[1])
        write_label_map(config.out / f"{item[0]}.png", _label_map(mask, config.white))

    for _ in each_image(list(files.items()), write, track, "converting", config.workers):
        pass
    values: dict[str, Any] = {
        "masks": len(files),
        "white": config.white,
        "blurred": sum(blurred for _, _, blurred in seen),
    }
    return Report("data masks", config.out, False, values)


def _mask_files(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by their names without ending."""
    require_folder(folder, "MASKS")
    files = sorted(path for path in folder.iterdir() if is_picture(path) and path.is_file())
    if not files:
        raise UsageError(f"MASKS {folder} holds no picture{other_files(folder)}")
    by_id = {path.stem: path for path in files}
    twice = sorted({path.stem for path in files if by_id[path.stem] != path})
    if twice:
        raise WsssError(f"{folder} holds several pictures of {listing(twice)}; remove all but one")
    return by_id


def _label_map(mask: ForeignMask, white: int | None) -> Pixels:
    return mask.labels() if white is None else mask.painted(white)


def require_one_class_each(data_set: DataSet, names: Mapping[str, Sequence[str]]) -> None:
    """Refuse to paint masks of images with several labels: white may be any of them.

    Args:
        data_set: Whose masks are black and white.
        names: Classes of each image.

    Raises:
        UsageError: There are no masks.
        WsssError: Names the images.
    """
    if data_set.masks is None:
        raise UsageError(f"--binary: {data_set.root} has no masks; leave it out")
    several = [
        image_id
        for image_id, classes in names.items()
        if len(classes) > 1 and _has_mask(data_set, image_id)
    ]
    if several:
        raise WsssError(
            f"--binary: {len(several)} images with a mask have several labels, so white may "
            f"be any of them: {listing(several)}; take their masks away, or draw them with the "
            "numbers of the classes"
        )


def painted_mask(data_set: DataSet, image_id: str, names: Sequence[str]) -> Pixels | None:
    """(H, W) label map of an image whose mask is black and white; None where there is no mask.

    Args:
        data_set: The data set.
        image_id: Id of the image.
        names: Its class; none where it shows none.

    Raises:
        WsssError: The mask is broken, holds labels already, or is white in an image without class.
    """
    path = data_set.mask_path(image_id)
    if path is None or not path.exists():
        return None
    mask = read_foreign_mask(path)
    if not names:
        if mask.is_binary:
            raise WsssError(
                f"{path} is white somewhere, but the image has no label; label it or remove the "
                "mask"
            )
        return mask.labels()
    return mask.painted(data_set.class_names.index(names[0]) + 1)


def _has_mask(data_set: DataSet, image_id: str) -> bool:
    path = data_set.mask_path(image_id)
    return path is not None and path.exists()
