"""One folder per class: lists, several labels, and what is no such layout."""

import shutil
from pathlib import Path

from layouts_drawn import picture

from wsss_cli.data.class_folders import find


def test_folders_are_classes(tmp_path: Path) -> None:
    for seed, name in enumerate(("dog/1.png", "dog/far/2.png", "cat/1.png", "lost.png")):
        picture(tmp_path / name, seed)
    table = find(tmp_path)
    assert table is not None
    assert table.class_names == ("cat", "dog")
    assert table.image_ids("train") == ["cat__1", "dog__1", "dog__far__2"]
    assert table.labels(["cat__1", "dog__1", "dog__far__2"]).tolist() == [[1, 0], [0, 1], [0, 1]]
    assert set(table.pictures()) - {image.path for image in table.images.values()} == {
        tmp_path / "lost.png"
    }


def test_lists_may_be_folders_above_the_classes(tmp_path: Path) -> None:
    for seed, name in enumerate(("train/dog/1.png", "train/cat/2.png", "valid/dog/1.png")):
        picture(tmp_path / name, seed)
    table = find(tmp_path)
    assert table is not None
    assert table.class_names == ("cat", "dog")
    assert table.image_ids("train") == ["train__cat__2", "train__dog__1"]
    assert table.image_ids("val") == ["valid__dog__1"]


def test_same_picture_in_several_folders_has_several_labels(tmp_path: Path) -> None:
    picture(tmp_path / "dog" / "1.png", 1)
    picture(tmp_path / "cat" / "2.png", 2)
    (tmp_path / "fox").mkdir()
    shutil.copy(tmp_path / "dog" / "1.png", tmp_path / "cat" / "1.png")
    (tmp_path / "fox" / "1.png").symlink_to(tmp_path / "dog" / "1.png")
    picture(tmp_path / "fox" / "2.png", 3)  # another picture of the same name
    table = find(tmp_path)
    assert table is not None
    assert not table.problems
    named = {image_id: set(image.classes) for image_id, image in table.images.items()}
    assert named == {"cat__1": {"cat", "dog", "fox"}, "cat__2": {"cat"}, "fox__2": {"fox"}}


def test_one_folder_is_not_enough(tmp_path: Path) -> None:
    picture(tmp_path / "dog" / "1.png", 1)
    picture(tmp_path / "masks" / "1.png", 1)
    assert find(tmp_path) is None
    picture(tmp_path / "train" / "dog" / "1.png", 1)
    shutil.rmtree(tmp_path / "dog")
    assert find(tmp_path) is None
