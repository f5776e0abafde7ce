"""YOLO's segmentation data set: outlines as text, in shares of the image's sides."""

from wsss_cli.artifacts.atomic import write_bytes
from wsss_cli.data.images import Pixels
from wsss_cli.inspect.mask_export.files import copy_photograph, names_as_yaml
from wsss_cli.inspect.mask_export.label_maps import LabelMaps
from wsss_cli.inspect.mask_export.regions import classes_of, outlines, parts_of, with_holes
from wsss_cli.tracking import Track


def write(maps: LabelMaps, track: Track) -> None:
    """Write ``images/train``, ``labels/train/ID.txt`` and at last ``data.yaml``.

    Raises:
        WsssError: A label map or photograph cannot be read, or the disk is full.
    """
    out = maps.config.out
    for image_id, label_map in maps.read(track):
        lines = _lines(label_map)
        maps.regions += len(lines)
        text = "".join(f"{line}\n" for line in lines)
        write_bytes(out / "labels" / "train" / f"{image_id}.txt", text.encode())
        copy_photograph(maps, image_id, out / "images" / "train")
    names = names_as_yaml(dict(enumerate(maps.class_names)))
    text = f"train: images/train\nval: images/train\nnames:\n{names}"
    write_bytes(out / "data.yaml", text.encode())


def _lines(label_map: Pixels) -> list[str]:
    """A line for each connected part: its class from 0 on, and x y of each corner."""
    height, width = label_map.shape
    lines = []
    for label in classes_of(label_map):
        for part in parts_of(label_map == label):
            (outer,), holes = outlines(part)
            corners = with_holes(outer, holes)
            numbers = [f"{x / width:.6f} {y / height:.6f}" for x, y in corners]
            lines.append(" ".join([str(label - 1), *numbers]))
    return lines
