"""``wsss export``: every format is read again, by its own tool where that is installed."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from conftest import Command, TinyVoc
from PIL import Image

from wsss_cli.artifacts.label_png import read_label_map, write_label_map
from wsss_cli.configs.export import FORMATS
from wsss_cli.data.coco_regions import compressed, region_mask, uncompressed
from wsss_cli.inspect.mask_export.label_studio import packed
from wsss_cli.inspect.mask_export.regions import outlines, parts_of, with_holes

Pixels = npt.NDArray[np.uint8]
IDS = ("one", "two", "three")


def _blobs(seed: int, shape: tuple[int, int] = (37, 53)) -> Pixels:
    """Ragged regions of three labels and 255, with holes and pixels that touch at corners."""
    rng = np.random.default_rng(seed)
    smooth = cv2.GaussianBlur(rng.random(shape), (0, 0), 1.5)
    label_map = np.zeros(shape, np.uint8)
    for label, level in ((1, 0.5), (2, 0.55), (3, 0.6), (255, 0.63)):
        label_map[smooth > level] = label
    return label_map


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    folder = tmp_path / "masks"
    folder.mkdir()
    for seed, image_id in enumerate(IDS):
        write_label_map(folder / f"{image_id}.png", _blobs(seed))
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Photographs and class names of the masks."""
    folder = tmp_path / "data"
    folder.mkdir()
    for image_id in IDS:
        Image.fromarray(np.zeros((37, 53, 3), np.uint8)).save(folder / f"{image_id}.png")
    rows = "".join(f"{image_id}.png,cat;dog;red: fox\n" for image_id in IDS)
    (folder / "labels.csv").write_text(f"image,labels\n{rows}")
    (folder / "classes.txt").write_text("cat\ndog\nfox\n")
    rows = rows.replace("red: fox", "fox")
    (folder / "labels.csv").write_text(f"image,labels\n{rows}")
    return folder


def _filled(polygons: list[list[list[float]]], shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Pixels whose centre is inside by the even-odd rule, by counting crossings to the left."""
    height, width = shape
    mask = np.zeros(shape, np.bool_)
    ys, xs = np.mgrid[:height, :width] + 0.5
    for corners in polygons:
        for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
            if y0 != y1:
                x = x0 + (ys - y0) * (x1 - x0) / (y1 - y0)
                mask ^= (ys > min(y0, y1)) & (ys < max(y0, y1)) & (x < xs)
    return mask


@pytest.mark.parametrize("seed", range(8))
def test_outlines_enclose_exactly_the_mask(seed: int) -> None:
    mask = (_blobs(seed) > 0) & (np.random.default_rng(seed).random((37, 53)) > 0.1)
    holes_seen = 0
    for part in parts_of(mask):
        outer, holes = outlines(part)
        assert len(outer) == 1
        holes_seen += len(holes)
        rings = [[list(map(float, corner)) for corner in ring] for ring in (*outer, *holes)]
        assert np.array_equal(_filled(rings, mask.shape), part)
        joined = [list(map(float, corner)) for corner in with_holes(outer[0], holes)]
        assert np.array_equal(_filled([joined], mask.shape), part)
    assert holes_seen
    assert not outlines(np.zeros((3, 4), np.bool_))[0]


def test_outlines_have_no_corner_on_a_straight_side() -> None:
    outer, holes = outlines(np.ones((3, 4), np.bool_))
    assert not holes
    assert sorted(outer[0]) == [(0, 0), (0, 3), (4, 0), (4, 3)]
    ring = np.ones((3, 3), np.bool_)
    ring[1, 1] = False
    outer, holes = outlines(ring)
    assert sorted(holes[0]) == [(1, 1), (1, 2), (2, 1), (2, 2)]


@pytest.mark.parametrize("seed", range(20))
def test_compressed_runs_are_read_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    runs = rng.integers(0, 10 ** rng.integers(1, 7), rng.integers(1, 40)).tolist()
    assert uncompressed(compressed(runs)) == runs


def _coco(wsss: Command, masks: Path, data: Path, out: Path, *more: str) -> dict[str, Any]:
    outcome = wsss("export", masks, "-o", out, "--to", "coco", "--data", data, *more)
    assert outcome.code == 0, outcome.err
    content: dict[str, Any] = json.loads(out.read_text())
    return content


@pytest.mark.parametrize("more", [[], ["--polygons"], ["--no-parts"], ["--no-parts", "--polygons"]])
def test_coco_draws_the_same_label_maps(
    wsss: Command, masks: Path, data: Path, tmp_path: Path, more: list[str]
) -> None:
    content = _coco(wsss, masks, data, tmp_path / "out.json", *more)
    assert [c["name"] for c in content["categories"]] == ["cat", "dog", "fox"]
    assert [image["file_name"] for image in content["images"]] == [f"{i}.png" for i in sorted(IDS)]
    drawn = {image["id"]: np.zeros((37, 53), np.uint8) for image in content["images"]}
    for object_ in content["annotations"]:
        mask = region_mask(object_["segmentation"], 37, 53)
        x, y, width, height = object_["bbox"]
        assert mask.sum() == object_["area"] == mask[y : y + height, x : x + width].sum()
        assert mask[y].any()
        assert mask[:, x].any()
        assert not drawn[object_["image_id"]][mask].any()
        drawn[object_["image_id"]][mask] = object_["category_id"]
    for image in content["images"]:
        label_map = read_label_map(masks / image["file_name"]).copy()
        label_map[label_map == 255] = 0
        assert np.array_equal(drawn[image["id"]], label_map)
    count = len(content["annotations"])
    assert (count == 9) == ("--no-parts" in more)


def test_cocos_own_tool_reads_it(wsss: Command, masks: Path, data: Path, tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    _coco(wsss, masks, data, tmp_path / "out.json")
    read = coco.COCO(str(tmp_path / "out.json"))
    for image_id, image in read.imgs.items():
        drawn = np.zeros((37, 53), np.uint8)
        for object_ in read.loadAnns(read.getAnnIds(image_id)):
            drawn[read.annToMask(object_) > 0] = object_["category_id"]
        label_map = read_label_map(masks / image["file_name"]).copy()
        label_map[label_map == 255] = 0
        assert np.array_equal(drawn, label_map)


def test_yolo_draws_the_same_label_maps(
    wsss: Command, masks: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert wsss("export", masks, "-o", out, "--to", "yolo", "--data", data).code == 0
    assert '  0: "cat"\n  1: "dog"\n  2: "fox"\n' in (out / "data.yaml").read_text()
    for image_id in IDS:
        drawn = np.zeros((37, 53), np.uint8)
        for line in (out / "labels" / "train" / f"{image_id}.txt").read_text().splitlines():
            number, *values = line.split()
            corners = np.array(values, np.float64).reshape(-1, 2) * (53, 37)
            drawn[_filled([corners.round().tolist()], drawn.shape)] = int(number) + 1
        label_map = read_label_map(masks / f"{image_id}.png").copy()
        label_map[label_map == 255] = 0
        assert np.array_equal(drawn, label_map)
        photograph = out / "images" / "train" / f"{image_id}.png"
        assert photograph.read_bytes() == (data / f"{image_id}.png").read_bytes()


def test_cvat_gets_colours_that_it_is_told(
    wsss: Command, masks: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.zip"
    outcome = wsss("export", masks, "-o", out, "--to", "cvat", "--data", data)
    assert outcome.code == 0
    assert "255" in outcome.err
    with zipfile.ZipFile(out) as archive:
        lines = archive.read("labelmap.txt").decode().splitlines()[1:]
        colours = {}
        for line in lines:
            name, colour, *_ = line.split(":")
            colours[tuple(map(int, colour.split(",")))] = name
        assert list(colours.values()) == ["background", "cat", "dog", "fox", "ignore"]
        numbers = {"background": 0, "cat": 1, "dog": 2, "fox": 3, "ignore": 255}
        assert archive.read("ImageSets/Segmentation/default.txt").decode().split() == sorted(IDS)
        for image_id in IDS:
            label_map = read_label_map(masks / f"{image_id}.png")
            classes, objects = (
                np.array(Image.open(io.BytesIO(archive.read(f"Segmentation{kind}/{image_id}.png"))))
                for kind in ("Class", "Object")
            )
            named = [numbers[colours[tuple(c)]] for c in classes.reshape(-1, 3).tolist()]
            assert named == label_map.ravel().tolist()
            pairs = {
                (tuple(o), n) for o, n in zip(objects.reshape(-1, 3).tolist(), named, strict=True)
            }
            assert len({o for o, _ in pairs}) == len(pairs)  # an object is of one class
            parts = sum(len(list(parts_of(label_map == n))) for n in (1, 2, 3, 255))
            assert len(pairs) == parts + 1


def _unpacked(numbers: list[int]) -> list[int]:
    """Values of Label Studio's run lengths, read bit by bit."""
    bits = "".join(f"{number:08b}" for number in numbers)
    place = 0

    def read(count: int) -> int:
        nonlocal place
        place += count
        return int(bits[place - count : place], 2)

    total, word = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < total:
        is_run = read(1)
        length = read(sizes[read(2)]) + 1
        values += [read(word)] * length if is_run else [read(word) for _ in range(length)]
    return values


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (200, 331)])
def test_label_studio_reads_the_mask_four_times(shape: tuple[int, int]) -> None:
    for mask in (np.ones(shape, np.bool_), np.zeros(shape, np.bool_), _blobs(1, shape) > 0):
        values = np.array(_unpacked(packed(mask))).reshape(*shape, 4)
        assert np.array_equal(values, np.repeat(mask[..., None] * 255, 4, axis=2))


def test_label_studio_gets_a_task_for_each_image(
    wsss: Command, masks: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "tasks.json"
    line = ["export", masks, "-o", out, "--to", "labelstudio", "--data", data]
    assert wsss(*line, "--photographs", "s3://ours/").code == 0
    tasks = json.loads(out.read_text())
    assert [task["data"]["image"] for task in tasks] == [f"s3://ours/{i}.png" for i in sorted(IDS)]
    for task, image_id in zip(tasks, sorted(IDS), strict=True):
        label_map = read_label_map(masks / f"{image_id}.png")
        for region in task["predictions"][0]["result"]:
            assert (region["original_width"], region["original_height"]) == (53, 37)
            label = ["", "cat", "dog", "fox"].index(region["value"]["brushlabels"][0])
            values = np.array(_unpacked(region["value"]["rle"])).reshape(37, 53, 4)
            assert np.array_equal(values[..., 0] == 255, label_map == label)


def test_geojson_draws_the_same_label_maps(
    wsss: Command, masks: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert wsss("export", masks, "-o", out, "--to", "geojson", "--data", data).code == 0
    for image_id in IDS:
        drawn = np.zeros((37, 53), np.uint8)
        for feature in json.loads((out / f"{image_id}.geojson").read_text())["features"]:
            rings = feature["geometry"]["coordinates"]
            assert all(ring[0] == ring[-1] for ring in rings)
            name = feature["properties"]["classification"]["name"]
            drawn[_filled(rings, drawn.shape)] = ["", "cat", "dog", "fox"].index(name)
        label_map = read_label_map(masks / f"{image_id}.png").copy()
        label_map[label_map == 255] = 0
        assert np.array_equal(drawn, label_map)


@pytest.mark.parametrize(
    ("to", "photographs", "folder", "named"),
    [
        ("ultralytics", "images/train", "masks/train", "data.yaml"),
        ("lightly", "train/images", "train/masks", "data.json"),
        ("voc", "JPEGImages", "SegmentationClass", "classes.txt"),
    ],
)
def test_folders_hold_photographs_masks_and_names(
    wsss: Command,
    masks: Path,
    data: Path,
    tmp_path: Path,
    to: str,
    photographs: str,
    folder: str,
    named: str,
) -> None:
    out = tmp_path / "out"
    outcome = wsss("export", masks, "-o", out, "--to", to, "--data", data)
    assert outcome.code == 0, outcome.err
    for image_id in IDS:
        label_map = read_label_map(out / folder / f"{image_id}.png")
        assert np.array_equal(label_map, read_label_map(masks / f"{image_id}.png"))
        assert (out / photographs / f"{image_id}.png").exists()
    text = (out / named).read_text()
    assert all(name in text for name in ("cat", "dog", "fox"))


def test_what_cannot_be_exported_is_said_and_leaves_nothing(
    wsss: Command, masks: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "out"
    for arguments, named in (
        ([masks, "-o", out], "--data"),  # class names are not known
        ([masks, "-o", out, "--to", "yolo"], "--data"),
        ([masks, "-o", out, "--to", "pascal"], "--to"),
        ([tmp_path / "nothing", "-o", out, "--data", data], "nothing"),
        ([tmp_path, "-o", out, "--data", data], "PNG"),
        ([masks, "-o", masks, "--data", data], "--out"),
        ([masks, "-o", masks, "--to", "geojson", "--data", data], "--out"),
        ([masks, "-o", data / "labels.csv", "--data", data], "labels.csv"),
        ([masks, "-o", out, "--data", data, "--to", "yolo", "--polygons"], "--polygons"),
    ):
        outcome = wsss("export", *arguments)
        assert outcome.code == 2, outcome
        assert named in outcome.err
    write_label_map(masks / "two.png", np.full((4, 4), 9, np.uint8))
    (data / "three.png").unlink()
    for kind in FORMATS:
        outcome = wsss("export", masks, "-o", out, "--data", data, "--to", kind)
        assert outcome.code == 1
        assert "three" in outcome.err or "two.png" in outcome.err
    (masks / "three.png").unlink()
    for kind in FORMATS:
        outcome = wsss("export", masks, "-o", out, "--data", data, "--to", kind)
        assert outcome.code == 1
        assert "two.png" in outcome.err
    for image_id in ("one", "two"):
        write_label_map(masks / f"{image_id}.png", np.full((4, 4), 255, np.uint8))
    for kind in FORMATS:
        outcome = wsss("export", masks, "-o", out, "--data", data, "--to", kind)
        assert outcome.code == 1
        assert str(masks) in outcome.err
    assert not out.exists()
    assert not out.parent.exists() or not list(out.parent.iterdir())


@pytest.mark.parametrize("kind", FORMATS)
def test_an_export_is_replaced_where_that_is_asked_for(
    wsss: Command, masks: Path, data: Path, tmp_path: Path, kind: str
) -> None:
    out = tmp_path / "out"
    asked = ("export", masks, "-o", out, "--data", data, "--to", kind)
    assert wsss(*asked).code == 0
    before = _content(out)
    write_label_map(masks / "two.png", np.full((37, 53), 2, np.uint8))
    refused = wsss(*asked)
    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert _content(out) == before
    assert wsss(*asked, "--overwrite").code == 0
    assert _content(out).keys() == before.keys()
    assert _content(out) != before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_nothing_else_goes_when_an_export_is_replaced(
    wsss: Command, masks: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    asked = ("export", "-o", out, "--data", data, "--to", "yolo", "--overwrite", masks)
    refused = wsss(*asked)
    assert refused.code == 2
    assert "thesis.txt" in refused.err
    assert _content(out) == {"thesis.txt": b"mine"}
    for place in (masks, masks.parent, data):
        refused = wsss("export", masks, "-o", place, "--data", data, "--to", "yolo", "--overwrite")
        assert refused.code == 2
        assert "--out" in refused.err
    file = tmp_path / "file"
    file.write_text("mine")
    assert wsss("export", masks, "-o", file, "--data", data, "--to", "voc", "--overwrite").code == 2
    assert file.read_text() == "mine"


def _content(out: Path) -> dict[str, bytes]:
    files = [out] if out.is_file() else sorted(path for path in out.rglob("*") if path.is_file())
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def test_a_run_knows_the_names_of_its_classes(
    wsss: Command, chained: Path, voc: TinyVoc, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    outcome = wsss("export", chained / "proxy" / "labels", "-o", out, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.values["images"] == len(voc.train_ids)
    names = [category["name"] for category in json.loads(out.read_text())["categories"]]
    assert names == outcome.values["class_names"]
    again = wsss("export", chained / "proxy" / "labels", "-o", out)
    assert again.code == 2
    assert str(out) in again.err


def test_predictions_of_new_photographs_know_the_names_of_their_classes(
    wsss: Command, chained: Path, voc: TinyVoc, tmp_path: Path
) -> None:
    photograph = voc.root / "JPEGImages" / f"{voc.val_ids[0]}.jpg"
    assert wsss("predict", chained, photograph, "--out", tmp_path / "found").code == 0
    exported = wsss("export", tmp_path / "found", "-o", tmp_path / "out.json", "--json")
    # An image in which nothing was found is nothing to export, and not a question of names.
    assert exported.code == 0 or "none of the 1 label maps shows a class" in exported.err
    if exported.code == 0:
        assert exported.values["class_names"] == list(voc.class_names)
