"""Images of none of the classes, in every layout, and those of which nobody says anything."""

import json
from pathlib import Path

import pytest
from conftest import annotation_xml
from layouts_drawn import box, coco_json, csv_folder, picture

from wsss_cli.data.data_set import DataSet
from wsss_cli.data.layouts import find_data_set
from wsss_cli.errors import UsageError, WsssError

NAMES = ("a.png", "b.png", "c.png")


def _rows(data_set: DataSet, split: str = "train") -> dict[str, list[int]]:
    image_ids = data_set.image_ids(split)
    labels = data_set.labels(image_ids).astype(int).tolist()
    return dict(zip(image_ids, labels, strict=True))


def _folders(root: Path, *names: str) -> Path:
    for seed, name in enumerate(names):
        picture(root / name, seed)
    return root


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (("image,crack", "a,1", "b,0", "c,1"), "crack"),
        (("image,crack", "a,1", "b,", "c,1"), "crack"),
        (("image,crack", "a,yes", "b,nan", "c,TRUE"), "crack"),
        (("image,labels", "a,crack", "b,", "c,crack"), "crack"),
        (("image,labels", "a,crack", "b,NaN", "c,crack"), "crack"),
        (("image,labels", "a,crack", "b,background", "c,crack"), "crack"),
        (("image,labels", "a,['crack']", "b,[]", "c,['crack']"), "crack"),
        (("image,label", "a,1", "b,0", "c,1"), "1"),
        (("image,label", "a,crack", "b,no crack", "c,crack"), "crack"),
    ],
)
def test_rows_of_zeros_in_a_csv(tmp_path: Path, lines: tuple[str, ...], name: str) -> None:
    data_set = find_data_set(csv_folder(tmp_path, lines, NAMES))
    assert data_set.class_names == (name,)
    assert _rows(data_set) == {"a": [1], "b": [0], "c": [1]}


def test_picture_that_no_row_names_is_unlabelled(tmp_path: Path) -> None:
    data_set = find_data_set(csv_folder(tmp_path, ["image,labels", "a,crack", "b,"], NAMES))
    assert _rows(data_set) == {"a": [1], "b": [0]}
    assert tmp_path / "c.png" in data_set.pictures()
    with pytest.raises(WsssError, match=r": c\b"):
        data_set.labels(["c"])


def test_answers_have_the_name_that_is_listed(tmp_path: Path) -> None:
    csv_folder(tmp_path, ["image,label", "a,1", "b,0", "c,1"], NAMES)
    (tmp_path / "classes.txt").write_text("crack\n")
    data_set = find_data_set(tmp_path)
    assert data_set.class_names == ("crack",)
    assert _rows(data_set) == {"a": [1], "b": [0], "c": [1]}
    (tmp_path / "classes.txt").write_text("leak\ncrack\n")
    with pytest.raises(WsssError, match=r"'1'.* leak, crack"):
        find_data_set(tmp_path).image_ids("train")


@pytest.mark.parametrize(
    ("folder", "absent"),
    [
        *(("crack", "background"), ("crack", "Negative"), ("crack", "no_crack"), ("1", "0")),
        *(("crack", "none"), ("yes", "no"), ("crack", "without crack")),
    ],
)
def test_class_folders(tmp_path: Path, folder: str, absent: str) -> None:
    data_set = find_data_set(_folders(tmp_path, f"{folder}/1.png", f"{absent}/2.png"))
    assert data_set.class_names == (folder,)
    assert sorted(_rows(data_set).values()) == [[0], [1]]
    assert any(absent in remark for remark in data_set.remarks)


def test_class_folders_of_lists(tmp_path: Path) -> None:
    names = [f"{s}/{c}/{s}{c}.png" for s in ("train", "val") for c in ("background", "cat", "dog")]
    data_set = find_data_set(_folders(tmp_path, *names))
    assert data_set.class_names == ("cat", "dog")
    for split in ("train", "val"):
        assert sorted(_rows(data_set, split).values()) == [[0, 0], [0, 1], [1, 0]]


def test_listed_folder_is_a_class_whatever_its_name(tmp_path: Path) -> None:
    _folders(tmp_path, "positive/1.png", "negative/2.png")
    assert find_data_set(tmp_path).class_names == ("positive",)
    (tmp_path / "classes.txt").write_text("negative\npositive\n")
    data_set = find_data_set(tmp_path)
    assert data_set.class_names == ("negative", "positive")
    assert sorted(_rows(data_set).values()) == [[0, 1], [1, 0]]


def _coco(root: Path, annotations: list[dict[str, object]], categories: dict[int, str]) -> Path:
    images = dict(enumerate(NAMES))
    for seed, name in images.items():
        picture(root / "images" / name, seed)
    coco_json(root / "annotations" / "instances_default.json", images, annotations, categories)
    return root


def _object(image: int, category: int) -> dict[str, object]:
    return {"image_id": image, "category_id": category, "segmentation": box(1, 1, 9, 9)}


def test_coco_images_without_objects(tmp_path: Path) -> None:
    data_set = find_data_set(_coco(tmp_path, [_object(0, 5), _object(2, 5)], {5: "crack"}))
    assert _rows(data_set) == {"a": [1], "b": [0], "c": [1]}
    mask = data_set.true_label_map("b")
    assert mask is not None
    assert not mask.any()
    assert any("1 images" in remark for remark in data_set.remarks)


def test_cocos_background_is_no_class_and_its_regions_are_background(tmp_path: Path) -> None:
    objects = [_object(0, 5), _object(1, 0), _object(2, 5), _object(2, 0)]
    data_set = find_data_set(_coco(tmp_path, objects, {0: "background", 5: "crack"}))
    assert data_set.class_names == ("crack",)
    assert _rows(data_set) == {"a": [1], "b": [0], "c": [1]}
    mask = data_set.true_label_map("b")
    assert mask is not None
    assert not mask.any()
    assert any("background" in remark for remark in data_set.remarks)


def test_coco_file_without_any_annotation_labels_nothing(tmp_path: Path) -> None:
    data_set = find_data_set(_coco(tmp_path, [], {5: "crack"}))
    with pytest.raises(WsssError, match=r"\b3 images"):
        data_set.labels(data_set.image_ids("train"))
    assert any("no image" in remark for remark in data_set.remarks)


@pytest.mark.parametrize("kind", ["xml", "json", "csv"])
def test_named_parts(tmp_path: Path, kind: str) -> None:
    for seed, name in enumerate((*NAMES, "d.png")):
        picture(tmp_path / "photos" / name, seed)
    if kind == "xml":
        for stem, names in (("a", ["crack"]), ("b", []), ("c", ["crack"])):
            path = tmp_path / "labels" / f"{stem}.xml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(annotation_xml(names))
        labels = "labels"
    elif kind == "json":
        objects = [_object(0, 5), _object(2, 5)]
        labels = "labels.json"
        coco_json(tmp_path / labels, dict(enumerate(NAMES)), objects, {5: "crack"})
    else:
        labels = "labels.csv"
        (tmp_path / labels).write_text("image,labels\na,crack\nb,\nc,crack\n")
    (tmp_path / "train.txt").write_text("a\nb\nc\n")
    (tmp_path / "val.txt").write_text("d\n")
    (tmp_path / "data.toml").write_text(
        f'images = "photos"\nlabels = "{labels}"\n[splits]\ntrain = "train.txt"\nval = "val.txt"\n'
    )
    data_set = find_data_set(tmp_path / "data.toml")
    assert _rows(data_set) == {"a": [1], "b": [0], "c": [1]}
    with pytest.raises(WsssError, match=r"\b1 images.*: d\b"):
        data_set.labels(["d"])


LISTS = {
    "classes.txt": lambda root, names: (root / "classes.txt").write_text("\n".join(names)),
    "csv": lambda root, names: (root / "labels.csv").write_text(f"image,{','.join(names)}\n"),
    "json": lambda root, names: coco_json(
        root / "annotations" / "a.json", {0: "a.png"}, [], dict(enumerate(names))
    ),
    "toml": lambda root, names: (root / "data.toml").write_text(
        f'images = "."\nlabels = "labels.csv"\nclasses = {json.dumps(names)}\n'
    ),
    "folders": lambda root, names: [picture(root / name / "1.png", 1) for name in names],
}


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *(("__ignore__", "255"), ("void", "255"), ("unlabeled", "255"), ("Cat", "'cat'")),
        *(("_background_", "label 0"), ("bg", "label 0"), ("0 background", "label 0")),
    ],
)
def test_names_that_are_no_class_are_in_no_list(
    tmp_path: Path, kind: str, name: str, reason: str
) -> None:
    if kind in ("json", "folders") and reason == "label 0":
        pytest.skip("there the background is no class, and said to be none")
    names = [name, "cat", "dog"]
    csv_folder(tmp_path, ["image,labels", "a,cat", "b,dog"], NAMES)
    if kind in ("json", "folders"):
        (tmp_path / "labels.csv").unlink()
    LISTS[kind](tmp_path, names)
    place = tmp_path / "data.toml" if kind == "toml" else tmp_path
    with pytest.raises(WsssError) as refused:
        find_data_set(place)
    assert repr(name) in str(refused.value)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        *(("cat", "Cat"), ("cat", "CAT"), ("traffic light", "traffic  light")),
        *(("traffic light", "Traffic_light"), ("c\u00e0t", "ca\u0300t")),
    ],
)
def test_two_spellings_of_a_class_are_a_question(tmp_path: Path, name: str, other: str) -> None:
    csv_folder(tmp_path, ["image,labels", f"a,{name}|dog", f"b,{other}|dog", "c,dog"], NAMES)
    with pytest.raises(WsssError, match="case"):
        find_data_set(tmp_path)


def test_unknown_spelling_of_a_listed_class_says_which_one(tmp_path: Path) -> None:
    csv_folder(tmp_path, ["image,labels", "a,Cat", "b,dog"], NAMES)
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    with pytest.raises(WsssError, match=r"'Cat'.* cat\b"):
        find_data_set(tmp_path).image_ids("train")


def test_numbers_are_in_the_order_of_their_values(tmp_path: Path) -> None:
    numbers = [str(n) for n in range(1, 13)]
    pictures = [f"p{n}.png" for n in numbers]
    lines = ["image,labels", *(f"p{n},{n}" for n in numbers)]
    data_set = find_data_set(csv_folder(tmp_path / "csv", lines, pictures))
    assert data_set.class_names == tuple(numbers)
    assert any("label k" in remark for remark in data_set.remarks)
    columns = [f"image,{','.join(sorted(numbers))}", *(f"p{n}{',0' * 12}" for n in numbers)]
    data_set = find_data_set(csv_folder(tmp_path / "columns", columns, pictures))
    assert data_set.class_names == tuple(numbers)
    _folders(tmp_path / "folders", *(f"{n}/1.png" for n in numbers))
    assert find_data_set(tmp_path / "folders").class_names == tuple(numbers)


def test_numbers_from_zero_are_said_and_asked_about_beside_masks(tmp_path: Path) -> None:
    lines = ["image,labels", "a,0", "b,1", "c,2"]
    data_set = find_data_set(csv_folder(tmp_path, lines, NAMES))
    assert data_set.class_names == ("0", "1", "2")
    assert any("label 1 is 0" in remark for remark in data_set.remarks)
    (tmp_path / "masks").mkdir()
    with pytest.raises(WsssError, match=r"\b0\b.*classes\.txt"):
        find_data_set(tmp_path).image_ids("train")
    (tmp_path / "classes.txt").write_text("0\n1\n2\n")
    assert find_data_set(tmp_path).image_ids("train") == ["a", "b", "c"]


def test_numbers_that_are_not_those_of_labels_are_told_the_way_out(tmp_path: Path) -> None:
    lines = ["image,labels", "a,3", "b,7", "c,7"]
    data_set = find_data_set(csv_folder(tmp_path, lines, NAMES))
    assert any("classes.txt" in remark and "1 to 7" in remark for remark in data_set.remarks)
    (tmp_path / "classes.txt").write_text("1\n2\n3\n4\n5\n6\n7\n")
    assert find_data_set(tmp_path).labels(["a"])[0].nonzero()[0].tolist() == [2]


@pytest.mark.parametrize("name", ["mask", "Masks", "labels", "gt", "Ground-Truth"])
def test_class_that_is_called_mask_is_a_question(tmp_path: Path, name: str) -> None:
    _folders(tmp_path, "cat/1.png", "dog/2.png", f"{name}/3.png")
    with pytest.raises(WsssError, match=rf"folder {name} .*classes\.txt"):
        find_data_set(tmp_path).image_ids("train")
    (tmp_path / "classes.txt").write_text(f"cat\ndog\n{name}\n")
    assert len(find_data_set(tmp_path).image_ids("train")) == 3


@pytest.mark.parametrize("place", ["masks", "train/masks"])
def test_folder_masks_without_a_mask_may_be_a_class(tmp_path: Path, place: str) -> None:
    lists = "train/" if "/" in place else ""
    _folders(tmp_path, f"{lists}cat/1.png", f"{lists}dog/2.png", f"{place}/3.png")
    with pytest.raises(WsssError, match=r"\bmasks\b.*\bclass\b"):
        find_data_set(tmp_path).image_ids("train")


def test_folder_of_masks_is_no_question(tmp_path: Path) -> None:
    _folders(tmp_path, "cat/1.png", "dog/2.png", "masks/cat__1.png")
    data_set = find_data_set(tmp_path)
    assert data_set.masks == tmp_path / "masks"
    assert not data_set.problems


def test_class_that_is_called_images_is_a_question(tmp_path: Path) -> None:
    _folders(tmp_path, "cat/1.png", "dog/2.png", "images/3.png")
    with pytest.raises(UsageError, match=r"cat, dog\b.*\bimages\b"):
        find_data_set(tmp_path)
