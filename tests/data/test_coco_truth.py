"""Masks drawn of COCO's regions: objects that have none, parts that are none, files as they are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_sets_drawn import MISSING, POLYGON, SIZE, coco_set, photograph, square_mask

from wsss_cli.data.coco import find
from wsss_cli.data.image_table import ImageTable
from wsss_cli.errors import WsssError


def _find(root: Path) -> ImageTable:
    table = find(root)
    assert table is not None
    return table


def _edit(root: Path, **changes: Any) -> ImageTable:
    """The set with other entries of its annotation file."""
    path = root / "annotations" / "instances_default.json"
    content = json.loads(path.read_text())
    for key, value in changes.items():
        content[key] = value(content[key])
    path.write_text(json.dumps(content))
    return _find(root)


UNUSABLE = {
    "empty": [],
    "missing": MISSING,
    "null": None,
    "four numbers": [[20, 12, 44, 36]],
    "nested empty": [[]],
    "point": [[32.0, 24.0]],
    "line": [[1, 1, 9, 1, 5, 1]],
    "odd": [[1, 2, 3, 4, 5, 6, 7]],
    "outside": [[100, 100, 120, 100, 120, 120]],
    "shares": [[0.3, 0.2, 0.6, 0.2, 0.6, 0.7]],
    "text": "polygon",
    "runs of another size": {"size": [64, 48], "counts": [0, 3072]},
    "runs that do not fill": {"size": [48, 64], "counts": [3000]},
    "runs without counts": {"size": [48, 64]},
    "runs that are none": {"size": [48, 64], "counts": "~~~~"},
    "numbers that are none": [["a", "b", "c", "d", "e", "f"]],
}


@pytest.mark.parametrize("region", UNUSABLE.values(), ids=UNUSABLE)
def test_object_without_usable_region_has_its_label_and_no_mask(
    tmp_path: Path, region: object
) -> None:
    table = _find(coco_set(tmp_path, lambda number: region if number % 2 else [POLYGON]))
    ids = table.image_ids("train")
    assert not table.problems
    assert table.labels(ids).tolist() == [[1, 0], [0, 1]] * 2
    assert [table.true_label_map(image_id) is None for image_id in ids] == [False, True] * 2
    assert (table.true_label_map("im0") == square_mask(1)).all()
    counted, maskless = table.about_masks()
    assert counted.startswith("2 of 4 objects")
    assert maskless.startswith("2 images have no true mask")
    assert "im1, im3" in maskless


@pytest.mark.parametrize("region", [MISSING, None, [], [[]]])
def test_file_without_any_region_has_no_masks_at_all(tmp_path: Path, region: object) -> None:
    """Of an image without objects it is not known either whether anybody has looked."""
    coco_set(tmp_path, lambda number: region)
    photograph(tmp_path / "images" / "bare.jpg", 9)
    bare = {"id": 9, "file_name": "bare.jpg", "height": SIZE[0], "width": SIZE[1]}
    table = _edit(tmp_path, images=lambda images: [*images, bare])
    assert [table.true_label_map(image_id) for image_id in ("im0", "im1", "bare")] == [None] * 3


def test_box_of_an_object_without_region_is_ignored_where_others_have_regions(
    tmp_path: Path,
) -> None:
    other = {"id": 99, "image_id": 0, "category_id": 2, "bbox": [1.5, 2, 20, 12.2]}
    table = _edit(coco_set(tmp_path), annotations=lambda objects: [*objects, other])
    expected = np.zeros(SIZE, np.uint8)
    expected[2:15, 1:22] = 255
    expected[square_mask(1) == 1] = 1
    assert (table.true_label_map("im0") == expected).all()
    assert any("boxes" in sentence and "im0" in sentence for sentence in table.about_masks())
    for box in (None, [], [0, 0, 0, 5], [0, 0, float("inf"), 5], "box", [90, 90, 5, 5]):
        table = _edit(tmp_path, annotations=lambda o, box=box: [*o[:-1], {**o[-1], "bbox": box}])
        assert table.true_label_map("im0") is None
        assert table.true_label_map("im1") is not None


def test_degenerate_parts_are_left_out(tmp_path: Path) -> None:
    parts = [POLYGON, [32.0, 24.0], [], [1, 1, 5, 1], None, [99, 99, 120, 99, 120, 120]]
    table = _find(coco_set(tmp_path, lambda number: parts))
    for number in range(4):
        assert (table.true_label_map(f"im{number}") == square_mask(1 + number % 2)).all()
    (sentence,) = table.about_masks()
    assert sentence.startswith("20 parts")


def test_flat_list_is_one_polygon(tmp_path: Path) -> None:
    table = _find(coco_set(tmp_path, lambda number: POLYGON))
    assert (table.true_label_map("im1") == square_mask(2)).all()
    assert table.about_masks()[0].startswith("4 regions are a flat list")


def test_sound_regions_are_nothing_to_speak_of(tmp_path: Path) -> None:
    assert _find(coco_set(tmp_path)).about_masks() == []


def test_picture_that_is_listed_twice_has_the_objects_of_both(tmp_path: Path) -> None:
    coco_set(tmp_path)
    again = {"id": 50, "file_name": "im0.jpg", "height": SIZE[0], "width": SIZE[1]}
    region = [[0, 0, 10, 0, 10, 10, 0, 10]]
    more = {"id": 51, "image_id": 50, "category_id": 2, "segmentation": region}
    table = _edit(tmp_path, images=lambda i: [*i, again], annotations=lambda a: [*a, more])
    expected = square_mask(1)
    expected[:10, :10] = 2
    assert (table.true_label_map("im0") == expected).all()
    assert table.labels(["im0"]).tolist() == [[1, 1]]


def test_size_that_is_not_written_is_that_of_the_picture(tmp_path: Path) -> None:
    def bare(images: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{k: v for k, v in image.items() if k != "height"} for image in images]

    table = _edit(coco_set(tmp_path), images=bare)
    assert (table.true_label_map("im0") == square_mask(1)).all()


def test_key_points_alone_are_labels(tmp_path: Path) -> None:
    table = _find(coco_set(tmp_path, lambda n: MISSING, keypoints=[1, 1, 2], num_keypoints=1))
    assert table.labels(["im0", "im1"]).tolist() == [[1, 0], [0, 1]]
    assert table.true_label_map("im0") is None


def test_byte_order_mark_is_no_harm(tmp_path: Path) -> None:
    path = coco_set(tmp_path) / "annotations" / "instances_default.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(_find(tmp_path).image_ids("train")) == 4


NAMES = [f"im{i}.jpg" for i in range(4)]


@pytest.mark.parametrize(
    ("files", "on_disk"),
    [
        ([f"images\\{n}" for n in NAMES], NAMES),
        (NAMES, [n.replace(".jpg", ".JPG") for n in NAMES]),
        (NAMES, [n.upper() for n in NAMES]),
        ([f"caf\u00e9{i}.jpg" for i in range(4)], [f"cafe\u0301{i}.jpg" for i in range(4)]),
        ([f"./{n}" for n in NAMES], NAMES),
        ([f"../images/{n}" for n in NAMES], NAMES),
        ([f"/home/alice/set/images/{n}" for n in NAMES], NAMES),
        ([f"data/images/{n}" for n in NAMES], NAMES),
        ([n.replace("im", "im%20") for n in NAMES], [n.replace("im", "im ") for n in NAMES]),
    ],
)
def test_file_names_are_found_as_in_other_layouts(
    tmp_path: Path, files: list[str], on_disk: list[str]
) -> None:
    table = _find(coco_set(tmp_path, files=files, on_disk=on_disk))
    ids = table.image_ids("train")
    assert len(ids) == 4
    assert table.labels(ids).tolist() == [[1, 0], [0, 1]] * 2
    assert all(table.true_label_map(image_id) is not None for image_id in ids)


def test_list_of_which_nothing_is_there_is_refused_by_name(tmp_path: Path) -> None:
    table = _find(coco_set(tmp_path, files=[f"gone{i}.jpg" for i in range(4)], on_disk=NAMES))
    with pytest.raises(WsssError, match=r"\b4 pictures.*\btrain\b"):
        table.image_ids("train")
