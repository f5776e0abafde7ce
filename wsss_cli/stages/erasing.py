"""How a round of erasing finds what the rounds before it have mined.

A round of adversarial erasing is ``train --erase ATTENTION`` and ``attend``, whose merged maps are
the ATTENTION of the next one.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.attention_file import INDEX, AttentionFile
from wsss_cli.artifacts.stage_directory import Input, read_manifest
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.mined_regions import MinedRegions
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.models.trunks import OXFORD_MEAN
from wsss_cli.stages.input_kinds import attention_input


def check_mined(
    path: Path,
    data_set: DataSet,
    image_ids: Sequence[str],
    labels: npt.NDArray[np.bool_],
    sizes: Sequence[tuple[int, int]],
) -> Input:
    """Check that an attention file says where to erase in each of the images.

    Args:
        path: The attention of the round before.
        data_set: The data set.
        image_ids: The N images to erase from.
        labels: (N, C) image-level labels.
        sizes: (H, W) of every image.

    Returns:
        The file as an input of the stage.

    Raises:
        WsssError: It is no attention file, or one of other images, classes or sizes.
    """
    with AttentionFile(path, data_set.class_names, option="--erase") as file:
        file.require(image_ids)
        for image_id, row, size in zip(image_ids, labels, sizes, strict=True):
            outline = file.outline(image_id)
            labelled = [str(data_set.class_names[column]) for column in np.flatnonzero(row)]
            mapped = [data_set.class_names[class_id - 1] for class_id in sorted(outline.class_ids)]
            if mapped != labelled:
                raise WsssError(
                    f"{path} maps {_named(mapped)} in the image {image_id}, which {data_set.root} "
                    f"labels {_named(labelled)}; give --erase the attention of this very data set"
                )
            if outline.size != size:
                raise WsssError(
                    f"{path} records the image {image_id} as {outline.size[0]} x "
                    f"{outline.size[1]}, but it is {size[0]} x {size[1]} (height x width); give "
                    "--erase the attention of this very data set"
                )
        return attention_input(file)


def _named(class_names: Sequence[str]) -> str:
    return ", ".join(class_names) or "none of the classes"


@contextmanager
def mined_regions(
    path: Path | None, class_names: Sequence[str], threshold: float
) -> Iterator[MinedRegions | None]:
    """Open what the rounds before have mined; None in the first round.

    The colour is the mean of ImageNet, which the networks subtract and which pads images in
    ``segment``; the paper takes the mean of the training images, which is close to it.
    """
    if path is None:
        yield None
        return
    colour = np.round(OXFORD_MEAN).astype(np.uint8)
    with AttentionFile(path, class_names, option="--erase") as file:
        yield MinedRegions(file, threshold, colour)


def mined_before(config: AttendConfig) -> Path | None:
    """The attention file that ``attend`` erases by: the one given, else the training's own.

    A network given explicitly brings nothing along: its images may be others.

    Raises:
        UsageError: It has changed since the training, or attending would replace it.
    """
    path = config.erase
    if path is None and config.checkpoint is None and config.model is None:
        used = read_manifest(config.run / "train").get("inputs", {}).get("erase")
        path = None if used is None else Path(used["path"])
        if path is not None:
            with AttentionFile(path, option="--erase") as file:
                if file.fingerprint() != used["fingerprint"]:
                    raise UsageError(
                        f"{path} has changed since {config.run / 'train'} was trained on images "
                        "erased by it; train this round again, or choose a file with --erase"
                    )
    if path is not None and path.resolve() == (config.run / "attend" / INDEX).resolve():
        raise UsageError(
            f"--erase {path} is what this very command replaces; give every round its own --run"
        )
    return path
