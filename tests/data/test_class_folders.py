"""One folder per class: lists, several labels, and what is no such layout."""

import shutil
from pathlib import Path

import pytest
from data_sets_drawn import class_folders
from layouts_drawn import picture

from wsss_cli.data.class_folders import find
from wsss_cli.data.layouts import find_data_set
from wsss_cli.errors import UsageError, WsssError


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


@pytest.mark.parametrize(
    ("train", "test"),
    [("Training", "Testing"), ("seg_train", "seg_test"), ("training_set", "test_set")],
)
def test_lists_may_have_other_names(tmp_path: Path, train: str, test: str) -> None:
    folders = [f"{split}/{name}" for split in (train, test) for name in ("glioma", "normal")]
    table = find(class_folders(tmp_path, folders))
    assert table is not None
    assert table.class_names == ("glioma", "normal")
    assert table.splits() == ["train", "test"]
    assert len(table.image_ids("train")) == len(table.image_ids(test)) == 4
    assert any(f"{train} as train" in remark for remark in table.remarks)


def test_archives_unpack_folders_into_folders_of_their_name(tmp_path: Path) -> None:
    folders = [f"{s}/{s}/{name}" for s in ("training_set", "test_set") for name in ("cat", "dog")]
    table = find(class_folders(tmp_path, [*folders, "pred/pred"]))
    assert table is not None
    assert table.class_names == ("cat", "dog")
    assert table.splits() == ["train", "test"]
    assert len(table.image_ids("train")) == 4
    assert any("right in pred" in remark for remark in table.remarks)


def test_folders_that_hold_the_same_folders_are_lists(tmp_path: Path) -> None:
    folders = [f"{a}/{b}" for a in ("hospital_a", "hospital_b") for b in ("normal", "sick")]
    table = find(class_folders(tmp_path, folders))
    assert table is not None
    assert table.class_names == ("normal", "sick")
    assert table.splits() == ["hospital_a", "hospital_b"]
    assert any("classes.txt" in remark for remark in table.remarks)
    with pytest.raises(UsageError, match="hospital_a, hospital_b"):
        table.image_ids("train")


def test_listed_classes_tell_lists_from_classes(tmp_path: Path) -> None:
    folders = [f"{a}/{b}" for a in ("cat", "dog") for b in ("indoor", "outdoor")]
    class_folders(tmp_path, folders)
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    table = find(tmp_path)
    assert table is not None
    assert table.class_names == ("cat", "dog")
    assert len(table.image_ids("train")) == 8


@pytest.mark.parametrize(
    "folders",
    [
        ["cat/indoor", "cat/outdoor", "dog/indoor"],
        ["cat/images", "dog/images"],
        ["train", "car", "bus"],
        ["train/old", "car", "bus"],
    ],
)
def test_folders_in_classes_are_no_lists(tmp_path: Path, folders: list[str]) -> None:
    table = find(class_folders(tmp_path, folders))
    assert table is not None
    assert set(table.class_names) == {folder.split("/")[0] for folder in folders}
    assert table.splits() == ["train"]
    for folder in folders:
        assert "/" not in folder or any(folder in remark for remark in table.remarks)


def test_lists_may_lie_in_the_classes(tmp_path: Path) -> None:
    folders = [f"{a}/{b}" for a in ("cat", "dog") for b in ("train", "val")]
    table = find(class_folders(tmp_path, folders))
    assert table is not None
    assert table.class_names == ("cat", "dog")
    assert table.splits() == ["train", "val"]
    assert len(table.image_ids("val")) == 4


def test_lists_without_classes_are_no_classes(tmp_path: Path) -> None:
    assert find(class_folders(tmp_path, ["train", "val", "test"])) is None


def test_lists_beside_what_is_none_are_a_question(tmp_path: Path) -> None:
    folders = [f"{a}/{b}" for a in ("train", "test", "chest") for b in ("train", "test")]
    with pytest.raises(UsageError, match=r"\bchest\b"):
        find(class_folders(tmp_path, folders))


@pytest.mark.parametrize("folders", [["cat", "dog"], ["cat"], ["train/cat", "train/dog"]])
def test_class_whose_pictures_cannot_be_read_is_a_problem(
    tmp_path: Path, folders: list[str]
) -> None:
    class_folders(tmp_path, folders)
    lost = tmp_path / Path(folders[0]).with_name("fox")
    lost.mkdir()
    (lost / "1.heic").touch()
    table = find(tmp_path)
    assert table is not None
    assert any("fox holds no picture" in problem for problem in table.problems)
    assert table.usable_ids("train")
    with pytest.raises(WsssError, match=r"1 \.heic"):
        table.image_ids("train")


def test_files_that_are_not_read_are_counted(tmp_path: Path) -> None:
    class_folders(tmp_path, ["cat", "dog"])
    for name in ("cat/a.heic", "dog/b.gif", "dog/c.avif", "dog/d.npy", "readme.md"):
        (tmp_path / name).touch()
    table = find(tmp_path)
    assert table is not None
    assert not table.problems
    (remark,) = table.remarks
    assert all(f"1 .{ending}" in remark for ending in ("heic", "gif", "avif", "npy"))


def test_folders_that_hold_nothing_are_named(tmp_path: Path) -> None:
    class_folders(tmp_path, ["cat", "dog"])
    (tmp_path / "fox").mkdir()
    table = find(tmp_path)
    assert table is not None
    assert any("fox" in remark for remark in table.remarks)


def test_table_of_something_else_beside_class_folders_is_named(tmp_path: Path) -> None:
    class_folders(tmp_path, ["cat", "dog"])
    (tmp_path / "metadata.csv").write_text("name,camera\n1,x\n")
    data_set = find_data_set(tmp_path)
    assert data_set.class_names == ("cat", "dog")
    assert any("metadata.csv" in remark for remark in data_set.remarks)
    (tmp_path / "metadata.csv").rename(tmp_path / "labels.csv")
    with pytest.raises(WsssError, match=r"labels\.csv.*header"):
        find_data_set(tmp_path)
