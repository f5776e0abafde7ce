"""The label maps that a segmentation network learns from."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.artifacts.stage_directory import Input
from wsss_cli.configs.results import LABEL_FOLDERS
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.images import check_images, read_saliency
from wsss_cli.data.label_folder import (
    corrected_files,
    grey_files,
    label_maps_there,
    other_files,
    png_ids,
)
from wsss_cli.data.loading import prefetch
from wsss_cli.data.map_sizes import require_size, turned_masks
from wsss_cli.data.mask_survey import MaskSurvey, known_labels, shown_labels
from wsss_cli.device import resolve_workers
from wsss_cli.errors import UsageError, WsssError, listing
from wsss_cli.ops.prohibitive import label_confidence
from wsss_cli.stages.input_kinds import (
    attention_input,
    images_input,
    pictures_input,
    supervision_input,
)
from wsss_cli.stages.inputs import (
    find_attention,
    find_masks,
    find_proxies,
    trained_split,
)
from wsss_cli.stages.label_map_check import require_recorded_classes
from wsss_cli.stages.mask_check import white_in_data_set, white_in_folder
from wsss_cli.tracking import Track

# Of 255. Where no weight reaches it, they were saved with another range, such as 0 and 1.
_FAINTEST_WEIGHT = 16


def find_supervision(
    config: SegmentConfig, data_set: DataSet, track: Track
) -> tuple[dict[str, Path], list[tuple[int, int]], dict[str, Input]]:
    """Find the label maps that a network learns from.

    Returns:
        The label map of every training image, the sizes (H, W) of these images, and the inputs that
        they are, by role.

    Raises:
        WsssError: Label maps or photographs are missing.
        UsageError: There is no such list, or no folder.
    """
    split = trained_split(config.train_split, config.run, data_set)
    image_ids = data_set.image_ids(split, option="--train-split")
    if config.supervision == "full":
        find_masks(data_set)
        masks = {image_id: data_set.training_mask_path(image_id) for image_id in image_ids}
        paths = [path for path in masks.values() if path is not None and path.exists()]
        missing = [i for i, path in masks.items() if path is None or not path.exists()]
        if missing:
            raise WsssError(
                f"{data_set.root}: {len(missing)} training images have no mask for --supervision "
                f"full: {listing(missing)}"
            )
        source = data_set.root
        on_their_side = turned_masks(data_set, image_ids)
        if on_their_side is not None:
            track.note(on_their_side)
    else:
        folder = find_proxies(config.proxy, config.run, config.data)
        others = sorted(set(png_ids(folder, "--proxy")).difference(image_ids))
        option = None if config.proxy is None else "--proxy"
        require_recorded_classes(folder, option, data_set.class_names, data_set.root)
        paths, source = corrected_files(folder, config.corrected, image_ids), folder
        if config.corrected is not None:
            require_recorded_classes(
                config.corrected, "--corrected", data_set.class_names, data_set.root
            )
            _tell_of_corrected(config.corrected, image_ids, split, track)
        missing = [path.stem for path in paths if not path.is_file()]
        if missing:
            raise WsssError(
                f"--proxy {folder}: {len(missing)} of the {len(image_ids)} images of {split} have "
                f"no label map there: {listing(missing)}; add them, or name the list of the images "
                f"to learn from with --train-split{other_files(folder, missing)}"
            )
        if others:
            track.note(
                f"label maps of images that are not in {split} are not used: {listing(others)}"
            )
    sizes = check_images(map(data_set.image_path, image_ids))
    given = paths if config.corrected is None else label_maps_there(source, image_ids)
    inputs = {"supervision": supervision_input(source, given, data_set, image_ids)}
    if config.corrected is not None:
        inputs["corrected"] = pictures_input(
            config.corrected, label_maps_there(config.corrected, image_ids)
        )
    return dict(zip(image_ids, paths, strict=True)), sizes, inputs


def _tell_of_corrected(folder: Path, image_ids: Sequence[str], split: str, track: Track) -> None:
    """Say how many corrected label maps are learned from, and which are not.

    Raises:
        UsageError: There is no such folder, or none of its label maps is of an image to learn from.
    """
    corrected = png_ids(folder, "--corrected")
    others = sorted(set(corrected).difference(image_ids))
    if len(others) == len(corrected):
        raise UsageError(
            f"--corrected {folder}: none of its {len(corrected)} label maps is of an image of "
            f"{split}, such as {image_ids[0]}; name them by image id, or choose --train-split"
        )
    track.note(f"{len(corrected) - len(others):,} corrected label maps replace proxy labels")
    if others:
        track.note(f"corrected label maps of images not in {split} are not used: {listing(others)}")


def find_pixel_weights(
    folder: Path, image_ids: Sequence[str], sizes: Sequence[tuple[int, int]]
) -> tuple[dict[str, Path], Input]:
    """Find how much each pixel counts in the loss, and read every map once.

    Args:
        folder: Grey pictures, as ``ID.png`` or of another format.
        image_ids: Images to learn from.
        sizes: (H, W) of each.

    Returns:
        The grey map of every image, and what they are.

    Raises:
        WsssError: A map is missing, broken, in colour or of another size than its photograph, or
            all of them are so dark that nothing would be learned.
    """
    paths = grey_files(folder, image_ids, "--pixel-weights")
    largest = 0
    for path, size in zip(paths, sizes, strict=True):
        weights = read_saliency(path, grey_only=True)
        require_size(str(path), weights.shape, size)
        largest = max(largest, int(weights.max()))
    if largest < _FAINTEST_WEIGHT:
        raise WsssError(
            f"--pixel-weights {folder}: the largest value of all {len(paths)} maps is {largest} of "
            "255, so hardly anything would be learned; scale the weights to 0..255"
        )
    return dict(zip(image_ids, paths, strict=True)), pictures_input(folder, paths)


def find_confidence(
    config: SegmentConfig, data_set: DataSet, image_ids: Sequence[str]
) -> tuple[npt.NDArray[np.float32], Input]:
    """How far each label may be believed in each training image, for ``--prohibitive``.

    Returns:
        (N, C + 1) float32 as :func:`~wsss_cli.ops.prohibitive.label_confidence` has it, and the
        attention file it is from.

    Raises:
        WsssError: The attention lacks images or their class scores.
    """
    path = find_attention(config.attention, config.run, config.data)
    rows = []
    with AttentionFile(path, data_set.class_names) as file:
        file.require(image_ids)
        for image_id in image_ids:
            outline = file.outline(image_id)
            if outline.logits is None:
                raise WsssError(
                    f"{path} has no logits for the image {image_id}, which --prohibitive weights "
                    "by; give an attention file of `wsss attend`, or leave --prohibitive out"
                )
            rows.append(label_confidence(outline.logits, outline.class_ids.tolist()))
        return np.stack(rows), attention_input(file)


def find_correctable(
    config: SegmentConfig, data_set: DataSet, image_ids: Sequence[str]
) -> tuple[npt.NDArray[np.bool_], Input]:
    """Which labels may take the place of others in each training image: the image's own classes.

    The background may not, and label maps that people have corrected stay as they are.

    Returns:
        (N, C + 1) bool, the background first, and the image labels that they are from.

    Raises:
        WsssError: An image has no labels.
    """
    labels = data_set.labels(image_ids)
    correctable = np.insert(labels, 0, False, axis=1)
    if config.corrected is not None:
        people = set(png_ids(config.corrected, "--corrected"))
        correctable[[image_id in people for image_id in image_ids]] = False
    return correctable, images_input(data_set, image_ids, labels)


def check_label_maps(
    data_set: DataSet, supervision: dict[str, Path], config: SegmentConfig, track: Track
) -> None:
    """Read every label map once: a bad one must not stop a training after hours.

    Raises:
        WsssError: A label map is broken, holds other values, or differs in size from its image; or
            all of them show no class, or other classes than the labels name.
    """
    num_classes = len(data_set.class_names)

    def look(item: tuple[str, Path]) -> npt.NDArray[np.bool_]:
        image_id, path = item
        label_map = read_label_map(path, num_labels=num_classes + 1)
        (size,) = check_images([data_set.image_path(image_id)])
        require_size(str(path), label_map.shape, size)
        return shown_labels(label_map, num_classes)

    looked = prefetch(look, supervision.items(), resolve_workers(config.workers))
    tracked = track.steps(looked, total=len(supervision), label="checking label maps")
    labels_shown = dict(zip(supervision, tracked, strict=True))
    labels = known_labels(data_set, list(labels_shown))
    _require_learnable(
        MaskSurvey.of(data_set.class_names, labels_shown, labels), data_set, config, track
    )


def _require_learnable(
    survey: MaskSurvey, data_set: DataSet, config: SegmentConfig, track: Track
) -> None:
    """Refuse label maps that cannot be meant, and say which classes they do not teach."""
    made_here = config.supervision == "proxy" and config.proxy is None
    if config.supervision == "full":
        where, way_out = f"{data_set.masks}", white_in_data_set(data_set)
    elif config.proxy is not None:
        where, way_out = f"--proxy {config.proxy}", white_in_folder(config.proxy)
    else:
        where = str(config.run / "proxy" / LABEL_FOLDERS["proxy"])
        way_out = "look at the attention and the saliency, and at the options of `wsss proxy`"
    if not survey.classes.any():
        if not survey.is_binary and not made_here:
            way_out = "look at what made them"
        raise WsssError(
            f"{where}: the {len(survey.image_ids)} label maps to learn from hold {survey.held()}, "
            f"so there is no class to learn; {way_out}"
        )
    problem = None if made_here else survey.contradiction()
    if problem is not None:
        raise WsssError(f"{where}: {problem}")
    doubt = None if made_here else survey.doubt()
    if doubt is not None:
        track.note(f"{where}: {doubt}")
    never = survey.never_shown()
    if never:
        track.note(
            f"no label map shows {listing(never)}, though the labels name it there: the network "
            "cannot learn it"
        )
