"""``wsss data check`` and ``wsss data convert``, and the five commands on a stranger's pictures."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
from conftest import Command, TinyVoc, annotation_xml
from PIL import Image

from wsss_cli.data.layouts import find_data_set

CONVERSATION = {"json", "quiet", "debug"}
COCO_SIZE = (40, 50)


def _photos(voc: TinyVoc, folder: Path) -> Path:
    """The drawn pictures as a stranger keeps them: odd names, PNG among JPEG, a CSV."""
    folder.mkdir(parents=True)
    lines = ["image,labels,split"]
    known = find_data_set(voc.root)
    for split, ids in (("train", voc.train_ids), ("val", voc.val_ids)):
        for number, image_id in enumerate(ids):
            name = f"{split} {number}.{'png' if number % 2 else 'jpg'}"
            if number % 2:
                Image.open(voc.image(image_id)).save(folder / name)
            else:
                shutil.copy(voc.image(image_id), folder / name)
            row = known.labels([image_id])[0]
            names = [n for n, hot in zip(known.class_names, row, strict=True) if hot]
            lines.append(f"{name},{'|'.join(names)},{split}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_five_commands_on_a_strangers_pictures(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    photos, run = _photos(voc, tmp_path / "my photos"), ("--run", tmp_path / "run")
    short = ["--backbone", "tiny", "--iterations", "2", "--batch-size", "2", "--crop", "32"]
    for line in (
        ("data", "check", photos),
        ("train", "--data", photos, *short, *run),
        ("attend", "--size", 64, *run),
        ("proxy", "--rule", "threshold", *run),
        ("segment", "--iterations", 1, "--batch-size", 2, "--crop", 32, "--scales", 1, *run),
    ):
        outcome = wsss(*line)
        assert outcome.code == 0, outcome.err
    outcome = wsss("evaluate", *run)
    assert outcome.code == 2
    assert "masks/ID.png" in outcome.err
    (photos / "masks").mkdir()
    for number, image_id in enumerate(voc.val_ids):
        shutil.copy(voc.mask(image_id), photos / "masks" / f"val_{number}.png")
    scores = wsss("evaluate", "--json", *run).values
    assert scores["images"] == len(voc.val_ids)
    assert list(scores["per_class"]) == ["background", "cross", "disc", "square"]


def test_check_of_a_sound_tree(wsss: Command, voc: TinyVoc) -> None:
    outcome = wsss("data", "check", voc.root, "--json")
    assert outcome.code == 0, outcome.out
    values = outcome.values
    assert values["layout"] == "PASCAL VOC"
    assert values["lists"] == {"train": 12, "val": 4}
    assert values["images"] == 16
    # Image i shows class i % 3, every fourth one the next class too.
    shown = [{i % 3, (i + 1) % 3} if i % 4 == 0 else {i % 3} for i in range(16)]
    for column, name in enumerate(values["class_names"]):
        counts = values["images_of_class"][name]
        assert counts["train"] == sum(column in one for one in shown[:12])
        assert counts["val"] == sum(column in one for one in shown[12:])
    together = sum({0, 1} <= one for one in shown)
    assert values["cooccurrence"]["square"]["disc"] == together
    assert values["cooccurrence"]["disc"]["square"] == together
    assert values["height"] == [48, 48, 48]
    assert values["masks"] == {"train": 12, "val": 4}
    assert values["problems"] == values["warnings"] == values["not_listed"] == []
    text = wsss("data", "check", voc.root).out
    assert "wsss segment        learns from the proxies, predicts the 4 images of val" in text
    assert "0 warnings" in text


def test_check_finds_what_is_wrong(wsss: Command, own_voc: TinyVoc) -> None:
    ids = own_voc.train_ids
    path = own_voc.image(ids[0])
    whole = path.read_bytes()
    path.write_bytes(whole[:200] + bytes(len(whole) - 202) + whole[-2:])  # spoiled inside
    own_voc.image(ids[1]).unlink()
    own_voc.annotation(ids[2]).write_text(annotation_xml(["zebra"]))
    own_voc.annotation(ids[3]).unlink()
    Image.new("L", (5, 5)).save(own_voc.mask(ids[4]))
    Image.new("RGB", (64, 48)).save(own_voc.mask(ids[5]))
    values = wsss("data", "check", own_voc.root, "--json")
    assert values.code == 1
    problems = values.values["problems"]
    for part in (
        rf"{ids[1]}\.jpg does not exist",
        f"{ids[2]}.* names the class 'zebra'",
        f"lacks the XML of 1 images: {ids[3]}",
        f"mask of {ids[4]} is 5 x 5 pixels, its image 64 x 48",
        rf"{ids[5]}\.png holds RGB pixels",
    ):
        assert any(re.search(part, problem) for problem in problems), part
    text = wsss("data", "check", own_voc.root)
    assert text.code == 1
    assert f"{len(problems)} problems" in text.out


def test_check_warns_of_what_spoils_results(wsss: Command, own_voc: TinyVoc) -> None:
    train, val = own_voc.train_ids, own_voc.val_ids
    shutil.copy(own_voc.image(train[0]), own_voc.image(val[2]))
    shutil.copy(own_voc.mask(train[0]), own_voc.mask(val[2]))
    shutil.copy(own_voc.image(train[0]), own_voc.root / "JPEGImages" / "lost.jpg")
    own_voc.annotation(train[1]).write_text(annotation_xml(["cross"]))  # it shows a disc
    Image.open(own_voc.image(train[2])).save(own_voc.image(train[2]), format="PNG")
    turned = Image.open(own_voc.image(train[3]))
    exif = turned.getexif()
    exif[274] = 6
    turned.save(own_voc.image(train[3]), exif=exif)
    own_voc.annotation(val[1]).write_text(annotation_xml([]))
    own_voc.annotation(val[3]).unlink()
    with (own_voc.root / "classes.txt").open("a") as file:
        file.write("star\n")
    outcome = wsss("data", "check", own_voc.root, "--json")
    assert outcome.code == 0
    values = outcome.values
    assert values["negatives"] == {"train": 0, "val": 1}
    assert values["duplicates"] == [[train[0], val[2]]]
    assert [Path(path).name for path in values["not_listed"]] == ["lost.jpg"]
    for part in (
        "some are trained on and some in val.*labelled differently",
        f"mask of {train[1]} shows disc",
        rf"of another format than their ending says: {train[2]} \(PNG\)",
        rf"EXIF.*: {train[3]}",
        f"1 images of val have no readable labels.*{val[3]}",
        "no training image shows star",
    ):
        assert any(re.search(part, warning) for warning in values["warnings"]), part
    quick = wsss("data", "check", own_voc.root, "--quick", "--json").values
    assert not any("shows disc" in warning for warning in quick["warnings"])


def test_check_says_which_rows_are_bad(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    photos = _photos(voc, tmp_path / "photos")
    with (photos / "labels.csv").open("a") as file:
        file.write("gone.jpg,disc,train\n../x.jpg,disc,train\n")
    outcome = wsss("data", "check", photos, "--json")
    assert outcome.code == 1
    assert [p.split(":")[0] for p in outcome.values["problems"]] == [
        "labels.csv line 18",
        "labels.csv line 19",
    ]
    refused = wsss("train", "--data", photos, "--run", tmp_path / "run")
    assert refused.code == 1
    assert "labels.csv line 18" in refused.err
    assert "`wsss data check" in refused.err


def test_check_of_what_is_no_data_set(wsss: Command, tmp_path: Path) -> None:
    outcome = wsss("data", "check", tmp_path)
    assert outcome.code == 2
    assert f"DATA {tmp_path}: " in outcome.err


def test_conversion_of_pictures_is_the_same_data_set(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    photos, out = _photos(voc, tmp_path / "photos"), tmp_path / "voc"
    outcome = wsss("data", "convert", photos, out, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.values["masks"] == 0
    before, after = find_data_set(photos), find_data_set(out)
    assert after.layout == "PASCAL VOC"
    assert after.class_names == before.class_names
    assert wsss("data", "check", out).code == 0
    for split in ("train", "val"):
        ids = before.image_ids(split)
        assert after.image_ids(split) == ids
        assert (after.labels(ids) == before.labels(ids)).all()
        for image_id in ids:
            old, new = before.image_path(image_id), after.image_path(image_id)
            assert Image.open(new).format == "JPEG"
            assert old.suffix == ".png" or old.read_bytes() == new.read_bytes()
            far = np.asarray(Image.open(old), int) - np.asarray(Image.open(new), int)
            assert abs(far).mean() < 4


def test_conversion_continues_and_replaces_nothing_else(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    photos, out = _photos(voc, tmp_path / "photos"), tmp_path / "voc"
    assert wsss("data", "convert", photos, out).code == 0
    assert "up to date" in wsss("data", "convert", photos, out).out
    record = json.loads((out / "converted.json").read_text())
    (out / "converted.json").write_text(json.dumps({**record, "complete": False}))
    (out / "Annotations" / "val_0.xml").unlink()
    kept = (out / "JPEGImages" / "train_0.jpg").stat().st_mtime_ns
    assert "complete" in wsss("data", "convert", photos, out).out
    assert (out / "Annotations" / "val_0.xml").exists()
    assert (out / "JPEGImages" / "train_0.jpg").stat().st_mtime_ns == kept
    text = (photos / "labels.csv").read_text()
    (photos / "labels.csv").write_text(text.replace("train 0.jpg,square|disc", "train 0.jpg,disc"))
    assert (photos / "labels.csv").read_text() != text
    refused = wsss("data", "convert", photos, out)
    assert refused.code == 2
    assert "another folder" in refused.err
    refused = wsss("data", "convert", photos, voc.root)
    assert refused.code == 2
    assert "OUT" in refused.err
    assert "PASCAL VOC" in wsss("data", "convert", voc.root, out).err


def test_coco_is_scored_after_its_conversion(wsss: Command, tmp_path: Path) -> None:
    height, width = COCO_SIZE
    root, out = tmp_path / "coco", tmp_path / "voc"
    for split in ("train", "val"):
        (root / f"{split}2017").mkdir(parents=True)
        image = Image.new("RGB", (width, height), (90, 90, 90))
        image.save(root / f"{split}2017" / f"{split}.jpg")
    (root / "annotations").mkdir()
    region = [[10, 5, 30, 5, 30, 25, 10, 25]]
    crowd = {"size": [height, width], "counts": [0, 3 * height, (width - 3) * height]}
    for split in ("train", "val"):
        content = {
            "images": [{"id": 1, "file_name": f"{split}.jpg", "height": height, "width": width}],
            "annotations": [
                {"id": 5, "image_id": 1, "category_id": 18, "segmentation": region, "iscrowd": 0},
                {"id": 6, "image_id": 1, "category_id": 2, "segmentation": crowd, "iscrowd": 1},
            ],
            "categories": [{"id": 2, "name": "bicycle"}, {"id": 18, "name": "dog"}],
        }
        path = root / "annotations" / f"instances_{split}2017.json"
        path.write_text(json.dumps(content))
    refused = wsss("evaluate", "--pred", root, "--data", root)
    assert refused.code == 2
    assert "wsss data convert" in wsss("data", "check", root).out
    outcome = wsss("data", "convert", root, out, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.values["masks"] == 2
    expected = np.zeros(COCO_SIZE, np.uint8)
    expected[:, :3] = 255
    expected[5:25, 10:30] = 2
    mask = Image.open(out / "SegmentationClass" / "val.png")
    assert mask.mode == "P"
    assert (np.asarray(mask) == expected).all()
    predictions = tmp_path / "predictions"
    predictions.mkdir()
    Image.fromarray(np.where(expected == 2, 2, 0).astype(np.uint8)).save(predictions / "val.png")
    scores = wsss("evaluate", "--pred", predictions, "--data", out, "--json").values
    assert scores["per_class"] == {"background": 1.0, "bicycle": None, "dog": 1.0}
