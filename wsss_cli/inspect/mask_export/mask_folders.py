"""Formats that are a folder of photographs and one of label maps."""

from wsss_cli.artifacts.atomic import write_bytes, write_json
from wsss_cli.artifacts.label_png import write_label_map
from wsss_cli.data.class_names import CLASSES_FILE
from wsss_cli.inspect.mask_export.files import copy_photograph, names_as_yaml
from wsss_cli.inspect.mask_export.label_maps import LabelMaps
from wsss_cli.inspect.mask_export.regions import classes_of
from wsss_cli.labels import IGNORE
from wsss_cli.tracking import Track

_FOLDERS = {
    "ultralytics": ("images/train", "masks/train"),
    "lightly": ("train/images", "train/masks"),
    "voc": ("JPEGImages", "SegmentationClass"),
}


def write(maps: LabelMaps, track: Track) -> None:
    """Write photographs and label maps, and at last the file that names the classes.

    Raises:
        WsssError: A label map or photograph cannot be read, or the disk is full.
    """
    out, kind = maps.config.out, maps.config.to
    photographs, masks = _FOLDERS[kind]
    for image_id, label_map in maps.read(track):
        maps.regions += len(classes_of(label_map))
        write_label_map(out / masks / f"{image_id}.png", label_map)
        copy_photograph(maps, image_id, out / photographs)
    names = dict(enumerate(("background", *maps.class_names)))
    if kind == "lightly":
        folder = {"images": photographs, "masks": masks}
        settings = {"train": folder, "val": folder, "classes": names, "ignore_classes": [IGNORE]}
        write_json(out / "data.json", settings)
    elif kind == "ultralytics":
        text = (
            f"train: {photographs}\nval: {photographs}\nmasks_dir: masks\n"
            f"names:\n{names_as_yaml(names)}"
        )
        write_bytes(out / "data.yaml", text.encode())
    else:
        ids = "".join(f"{image_id}\n" for image_id in maps.paths)
        write_bytes(out / "ImageSets" / "Segmentation" / "train.txt", ids.encode())
        listed = "".join(f"{name}\n" for name in maps.class_names)
        write_bytes(out / CLASSES_FILE, listed.encode())
