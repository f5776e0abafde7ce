"""Each layout is recognised by what lies there, and what belongs to none is told so."""

from pathlib import Path

import pytest
from conftest import TinyTree
from layouts_drawn import coco_tree, csv_folder, picture

from wsss_cli.data.layouts import find_data_set
from wsss_cli.errors import UsageError, WsssError


def test_every_layout_is_recognised(tree: TinyTree, tmp_path: Path) -> None:
    assert find_data_set(tree.root.parent).layout == "PASCAL VOC"
    assert find_data_set(coco_tree(tmp_path / "coco")).layout == "COCO"
    lines = ["image,labels", "a.png,dog", "b.png,cat"]
    table = csv_folder(tmp_path / "csv", lines, ["a.png", "b.png"])
    assert find_data_set(table).layout == "pictures with a CSV of labels"
    assert find_data_set(table / "labels.csv").image_ids("train") == ["a", "b"]
    for name in ("dog/1.png", "cat/1.png"):
        picture(tmp_path / "folders" / name, 0)
    assert find_data_set(tmp_path / "folders").layout == "one folder per class"
    (tmp_path / "parts.toml").write_text('images = "csv"\nlabels = "csv/labels.csv"\n')
    assert find_data_set(tmp_path / "parts.toml").image_ids("train") == ["a", "b"]


def test_root_finds_the_same_data_set_again(tmp_path: Path) -> None:
    lines = ["image,labels", "a.png,dog", "b.png,cat"]
    table = csv_folder(tmp_path / "csv", lines, ["a.png", "b.png"])
    (tmp_path / "parts.toml").write_text('images = "csv"\nlabels = "csv/labels.csv"\n')
    for given in (table, table / "labels.csv", tmp_path / "parts.toml"):
        first = find_data_set(given)
        again = find_data_set(first.root)
        ids = first.image_ids("train")
        assert first.root.is_absolute()
        assert again.fingerprint(ids, None) == first.fingerprint(ids, None)


def test_folder_of_no_layout_is_told_what_was_looked_for(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 0)
    with pytest.raises(UsageError, match=r"--data .*JPEGImages.*annotations.*CSV.*one per class"):
        find_data_set(tmp_path)
    with pytest.raises(UsageError, match="does not exist"):
        find_data_set(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="is no data set"):
        find_data_set(tmp_path / "a.png")


def test_class_names_are_in_the_fingerprint(tmp_path: Path) -> None:
    lines = ["image,labels", "a.png,dog", "b.png,cat"]
    folder = csv_folder(tmp_path, lines, ["a.png", "b.png"])
    before = find_data_set(folder)
    labels = before.labels(["a", "b"])
    assert labels.tolist() == [[False, True], [True, False]]  # cat, dog
    text = (folder / "labels.csv").read_text()
    (folder / "labels.csv").write_text(text.replace("dog", "fox"))
    after = find_data_set(folder)
    assert (after.labels(["a", "b"]) == labels).all()
    assert after.fingerprint(["a", "b"], labels) != before.fingerprint(["a", "b"], labels)


@pytest.mark.parametrize("name", ["background", "Background"])
def test_background_is_no_class_in_any_layout(tmp_path: Path, name: str) -> None:
    csv_folder(tmp_path, ["image,labels", f"a.png,{name}"], ["a.png"])
    with pytest.raises(WsssError, match="label 0 without being named"):
        find_data_set(tmp_path)
