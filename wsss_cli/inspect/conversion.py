"""``wsss data convert``: a data set of any layout as a PASCAL VOC tree, which every tool reads."""

import io
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from wsss_cli.artifacts.atomic import read_json, write_bytes, write_json
from wsss_cli.artifacts.fingerprint import fingerprint
from wsss_cli.artifacts.label_png import write_label_map
from wsss_cli.configs.data import DataConvertConfig
from wsss_cli.data.class_names import CLASSES_FILE
from wsss_cli.data.data_set import DataSet, image_sizes
from wsss_cli.data.images import Pixels, read_header
from wsss_cli.data.layouts import find_data_set
from wsss_cli.data.map_sizes import require_size, turned_masks
from wsss_cli.data.mask_survey import shown_labels
from wsss_cli.data.voc import VocDataSet
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.inspect.mask_conversion import painted_mask, require_one_class_each
from wsss_cli.stages.image_loop import each_image
from wsss_cli.stages.mask_check import mask_problem, survey_masks
from wsss_cli.stages.result import Report
from wsss_cli.tracking import Track

RECORD = "converted.json"
# Of pictures that are no JPEG yet; with full colour resolution, which the default halves.
JPEG_QUALITY = 95


def run(config: DataConvertConfig, *, track: Track) -> Report:
    """Write the tree: photographs, annotations, masks where they are known, at last the lists.

    Stopped, it continues; a whole tree of the same data set is left as it is.

    Raises:
        UsageError: The data set is a VOC tree already, or something else lies at OUT.
        WsssError: Something of the data set is missing or broken.
    """
    data_set = find_data_set(config.data, "DATA")
    if data_set.layout == VocDataSet.layout and not config.binary:
        raise UsageError(f"DATA {config.data} is a PASCAL VOC tree already")
    lists = _lists(data_set, track)
    names = {
        image_id: labels
        for split, ids in lists.items()
        for image_id, labels in _names(data_set, split, ids)
    }
    sizes = dict(zip(names, image_sizes(data_set, list(names), track.note), strict=True))
    unlabelled = [image_id for image_id, present in names.items() if present is None]
    if unlabelled:
        track.note(
            f"{len(unlabelled):,} images have no labels, so no annotation is written for them"
        )
    labels = {image_id: sorted(present or ()) for image_id, present in names.items()}
    painted = ["binary masks"] if config.binary else []
    marks = [unlabelled] if unlabelled else []
    identity = fingerprint(
        [data_set.fingerprint(list(names), None), lists, labels, *painted, *marks]
    )
    if config.binary:
        require_one_class_each(data_set, labels)
    elif data_set.masks is not None:
        _require_masks(data_set, labels, config, track)
    complete = _claimed(config.out, str(data_set.root), identity)
    warnings = [*data_set.about_masks(), *filter(None, [turned_masks(data_set, names)])]
    for warning in warnings:
        track.note(warning)
    started = time.monotonic()

    def truth(image_id: str) -> Pixels | None:
        if config.binary:
            return painted_mask(data_set, image_id, labels[image_id])
        return data_set.true_label_map(image_id)

    def write(image_id: str) -> bool:
        image_labels = None if names[image_id] is None else labels[image_id]
        return _write_image(data_set, config.out, image_id, sizes[image_id], image_labels, truth)

    masks = 0
    if not complete:
        masks = sum(each_image(list(names), write, track, "converting", config.workers))
        _write_lines(config.out / CLASSES_FILE, data_set.class_names)
        for split, ids in lists.items():
            _write_lines(config.out / "ImageSets" / "Segmentation" / f"{split}.txt", ids)
        record = {
            "data": str(data_set.root),
            "fingerprint": identity,
            "complete": True,
            "masks": masks,
        }
        write_json(config.out / RECORD, record)
    values: dict[str, Any] = {
        "images": len(names),
        "negatives": sum(present == frozenset() for present in names.values()),
        "classes": len(data_set.class_names),
        "lists": {split: len(ids) for split, ids in lists.items()},
        "masks": read_json(config.out / RECORD)["masks"],
        "warnings": warnings,
        "seconds": round(time.monotonic() - started, 1),
    }
    return Report("data convert", config.out, complete, values)


def _lists(data_set: DataSet, track: Track) -> dict[str, list[str]]:
    """Ids of the lists. One of which no picture is there is left out, and said so.

    Raises:
        WsssError: No list is left, or something is wrong with one.
    """
    lists = {}
    reasons = []
    for split in data_set.splits():
        if data_set.problems or data_set.usable_ids(split):
            lists[split] = data_set.image_ids(split)
            continue
        try:
            data_set.image_ids(split)
        except WsssError as error:
            reasons.append(error)
    if not lists:
        raise next(iter(reasons), WsssError(f"{data_set.root} has no list of images"))
    for reason in reasons:
        track.note(f"left out: {reason}")
    return lists


def _names(
    data_set: DataSet, split: str, image_ids: Sequence[str]
) -> list[tuple[str, frozenset[str] | None]]:
    """Classes of every image of a list, None of the unlabelled; what is trained on must be."""
    if split == data_set.training_split():
        data_set.labels(image_ids)
    names: list[tuple[str, frozenset[str] | None]] = []
    for image_id in image_ids:
        try:
            columns = np.flatnonzero(data_set.labels([image_id])[0])
        except WsssError:
            names.append((image_id, None))
        else:
            names.append((image_id, frozenset(data_set.class_names[column] for column in columns)))
    return names


def _claimed(out: Path, data: str, identity: str) -> bool:
    """Record in OUT which data set it converts; True if that conversion is complete.

    Raises:
        UsageError: Something else lies there.
    """
    record = out / RECORD
    if record.exists():
        content = read_json(record)
        if content.get("fingerprint") != identity:
            raise UsageError(
                f"OUT {out} holds a conversion of {content.get('data')} as it was; choose another "
                "folder or remove it"
            )
        return bool(content.get("complete"))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"OUT {out} exists and is not a conversion; choose another folder")
    write_json(record, {"data": data, "fingerprint": identity, "complete": False, "masks": 0})
    return False


def _require_masks(
    data_set: DataSet, names: Mapping[str, Sequence[str]], config: DataConvertConfig, track: Track
) -> None:
    """Refuse implausible masks before they are written into another data set.

    Raises:
        WsssError: They show no class, or other classes than the labels; or one cannot be read.
    """

    def look(image_id: str) -> npt.NDArray[np.bool_] | None:
        truth = data_set.true_label_map(image_id)
        return None if truth is None else shown_labels(truth, len(data_set.class_names))

    looked = each_image(list(names), look, track, "reading masks", config.workers)
    seen = zip(names, looked, strict=True)
    labels_by_id = {image_id: labels for image_id, labels in seen if labels is not None}
    labelled = {image_id: classes for image_id, classes in names.items() if classes}
    problem = mask_problem(data_set, survey_masks(data_set, labels_by_id, labelled))
    if problem is not None:
        raise WsssError(problem)


def _write_image(
    data_set: DataSet,
    out: Path,
    image_id: str,
    size: tuple[int, int],
    names: Sequence[str] | None,
    truth: Callable[[str], Pixels | None],
) -> bool:
    """Write what is not there of an image; returns whether it has a mask.

    An image without labels gets no annotation: one without objects says that it shows no class.
    """
    photograph = out / "JPEGImages" / f"{image_id}.jpg"
    mask = out / "SegmentationClass" / f"{image_id}.png"
    annotation = out / "Annotations" / f"{image_id}.xml"
    last = photograph if names is None else annotation
    if not last.exists():
        label_map = truth(image_id)
        if label_map is not None:
            require_size(f"{data_set.root}: the mask of {image_id}", label_map.shape, size)
            write_label_map(mask, label_map)
        write_bytes(photograph, _jpeg(data_set, image_id))
        if names is not None:
            write_bytes(annotation, annotation_xml(image_id, size, names))
    return mask.exists()


def _jpeg(data_set: DataSet, image_id: str) -> bytes:
    """A JPEG's own bytes; anything else is encoded as one."""
    path = data_set.image_path(image_id)
    if read_header(path).format == "JPEG":
        return path.read_bytes()
    buffer = io.BytesIO()
    Image.fromarray(data_set.read_image(image_id)).save(
        buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0
    )
    return buffer.getvalue()


def annotation_xml(image_id: str, size: tuple[int, int], names: Sequence[str]) -> bytes:
    """VOC's annotation with an object for each class, without boxes: nobody knows where they are.

    Args:
        image_id: Id of the image.
        size: (H, W) of it.
        names: Classes in it.
    """
    root = ET.Element("annotation")
    ET.SubElement(root, "filename").text = f"{image_id}.jpg"
    extent = ET.SubElement(root, "size")
    for tag, value in (("width", size[1]), ("height", size[0]), ("depth", 3)):
        ET.SubElement(extent, tag).text = str(value)
    for name in names:
        ET.SubElement(ET.SubElement(root, "object"), "name").text = name
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8"))


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    write_bytes(path, "".join(f"{line}\n" for line in lines).encode())
