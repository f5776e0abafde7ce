"""A TOML that names the parts: every kind of labels, lists, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from conftest import annotation_xml
from layouts_drawn import box, coco_json, csv_folder

from wsss_cli.data.image_table import ImageTable
from wsss_cli.data.toml_layout import read
from wsss_cli.errors import WsssError


@pytest.fixture
def place(tmp_path: Path) -> Path:
    csv_folder(tmp_path / "photos", ["image,labels", "a,dog", "b,cat"], ["a.png", "b.png"])
    (tmp_path / "home").mkdir()
    return tmp_path


def _read(place: Path, text: str) -> ImageTable:
    (place / "home" / "data.toml").write_text(text)
    return read(place / "home" / "data.toml")


IMAGES = 'images = "../photos"\n'
LABELS = 'labels = "../photos/labels.csv"\n'


def test_parts_may_lie_anywhere(place: Path) -> None:
    (place / "truth").mkdir()
    table = _read(place, IMAGES + LABELS + 'classes = ["dog", "cat"]\nmasks = "../truth"')
    assert table.class_names == ("dog", "cat")
    assert table.labels(table.image_ids("train")).tolist() == [[1, 0], [0, 1]]
    assert table.masks == place / "home" / ".." / "truth"


def test_labels_may_be_xml_or_json(place: Path) -> None:
    (place / "xml").mkdir()
    (place / "xml" / "a.xml").write_text(annotation_xml(["dog", "cat"]))
    (place / "xml" / "b.xml").write_text(annotation_xml(["cat"]))
    table = _read(place, IMAGES + 'labels = "../xml"')
    assert table.class_names == ("cat", "dog")
    assert table.labels(["a", "b"]).tolist() == [[1, 1], [1, 0]]
    coco_json(
        place / "coco.json",
        {5: "b.png", 6: "a.png"},
        [{"image_id": 5, "category_id": 2, "segmentation": box(0, 0, 2, 2)},
         {"image_id": 6, "category_id": 9, "segmentation": box(0, 0, 2, 2)}],
        {9: "ant", 2: "zebra"},
    )  # fmt: skip
    table = _read(place, IMAGES + 'labels = "../coco.json"')
    assert table.class_names == ("zebra", "ant")
    assert table.labels(["a", "b"]).tolist() == [[0, 1], [1, 0]]


def test_lists_are_files_of_names(place: Path) -> None:
    (place / "home" / "t.txt").write_text("b.png\n\n")
    (place / "home" / "v.txt").write_text("a\nb\n")
    table = _read(place, IMAGES + LABELS + '[splits]\ntrain = "t.txt"\nval = "v.txt"')
    assert table.image_ids("train") == ["b"]
    assert table.image_ids("val") == ["a", "b"]
    (place / "home" / "v.txt").write_text("a\na.png\n../a\n")
    problems = _read(place, IMAGES + LABELS + '[splits]\nval = "v.txt"').problems
    assert "names a.png twice" in problems[0]
    assert "leads out of" in problems[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (IMAGES, "must name images and labels"),
        (LABELS, "must name images and labels"),
        (IMAGES + LABELS + 'pictures = "x"', "has pictures; it may have images, labels"),
        (IMAGES + 'labels = "no.csv"', "labels names .*no.csv, which is not there"),
        ('images = "data.toml"\n' + LABELS, "images names .*data.toml, which is not there"),
        ("images = 3\n" + LABELS, "images must be a path in quotes"),
        (IMAGES + LABELS + "classes = [1]", "classes must be a list of names"),
        (IMAGES + LABELS + 'classes = ["a", "a"]', "1 to 254 different classes"),
        (IMAGES + LABELS + 'splits = "x"', "splits must be a table"),
        ("images = ", "cannot be read as TOML"),
    ],
)
def test_file_that_names_no_data_set_is_refused(place: Path, text: str, said: str) -> None:
    with pytest.raises(WsssError, match=said):
        _read(place, text)


def test_lists_have_columns_comments_and_other_names(place: Path) -> None:
    (place / "home" / "t.txt").write_text("# mine\nB.png 1\n\n")
    (place / "home" / "v.txt").write_text("../photos/a.png -1\n")
    text = '[splits]\nTraining = "t.txt"\n"test set" = "v.txt"'
    table = _read(place, IMAGES + LABELS + text)
    assert not table.problems
    assert table.splits() == ["train", "test"]
    assert table.image_ids("train") == ["b"]
    assert table.image_ids("test") == ["a"]


CLASSES = 'classes = ["cat", "dog", "fox"]\n'


def test_labels_may_be_vectors_as_irn_has_them(place: Path) -> None:
    photographs = [f"2007_00000{i}.png" for i in range(3)]
    csv_folder(place / "voc", ["image,labels"], photographs)
    vectors = {2007000000: [0, 1, 1], 2007000001: [1, 0, 0], "2007_000002": [0, 0, 0]}
    content = {key: np.array(vector, np.float32) for key, vector in vectors.items()}
    np.save(place / "cls_labels.npy", content, allow_pickle=True)
    table = _read(place, 'images = "../voc"\nlabels = "../cls_labels.npy"\n' + CLASSES)
    assert table.class_names == ("cat", "dog", "fox")
    ids = [Path(name).stem for name in photographs]
    assert table.image_ids("train") == ids
    assert table.labels(ids).tolist() == [[0, 1, 1], [1, 0, 0], [0, 0, 0]]


def test_as_many_vectors_as_voc_has_images_are_read(place: Path) -> None:
    content = {2007000000 + i: np.eye(3, dtype=np.float32)[i % 3] for i in range(3000)}
    np.save(place / "cls_labels.npy", {**content, "a": np.zeros(3)}, allow_pickle=True)
    table = _read(place, IMAGES + 'labels = "../cls_labels.npy"\n' + CLASSES)
    assert len(table.problems) == 3000  # of which no picture is there
    assert table.usable_ids("train") == ["a"]


def test_labels_may_be_lines_of_numbers_as_oaa_has_them(place: Path) -> None:
    (place / "train_cls.txt").write_text("a.png 2 0\nb 1\n\n")
    table = _read(place, IMAGES + 'labels = "../train_cls.txt"\n' + CLASSES)
    assert table.labels(["a", "b"]).tolist() == [[1, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize(
    ("lines", "fact"),
    [("a.png 3\n", "'3'"), ("a.png -1\n", "'-1'"), ("a.png 0\nb.png cat\n", "line 2.*'cat'")],
)
def test_numbers_that_are_no_class_are_named(place: Path, lines: str, fact: str) -> None:
    (place / "train_cls.txt").write_text(lines)
    with pytest.raises(WsssError, match=rf"train_cls\.txt.*{fact}"):
        _read(place, IMAGES + 'labels = "../train_cls.txt"\n' + CLASSES)


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        ({"a": np.zeros(2)}, r"image a.*\(2,\).*\b3 classes"),
        ({"a": np.array([0, 0.5, 1])}, "image a"),
        (np.zeros((2, 3)), "dictionary"),
        ({"a": Path("x")}, "pathlib"),
    ],
)
def test_vectors_that_are_no_labels_are_refused(place: Path, content: object, fact: str) -> None:
    np.save(place / "cls_labels.npy", content, allow_pickle=True)
    with pytest.raises(WsssError, match=rf"cls_labels\.npy.*{fact}"):
        _read(place, IMAGES + 'labels = "../cls_labels.npy"\n' + CLASSES)


@pytest.mark.parametrize("name", ["cls_labels.npy", "train_cls.txt"])
def test_numbers_without_names_are_a_question(place: Path, name: str) -> None:
    (place / name).write_bytes(b"")
    with pytest.raises(WsssError, match="classes = "):
        _read(place, IMAGES + f'labels = "../{name}"')
