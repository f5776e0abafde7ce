"""Pictures by the names that lists of other machines and tools give them."""

import unicodedata
from pathlib import Path, PurePosixPath

import pytest

from wsss_cli.data.name_index import NameIndex
from wsss_cli.errors import WsssError

NFC, NFD = (unicodedata.normalize(form, "café.jpg") for form in ("NFC", "NFD"))


def _index(folder: Path, *names: str) -> NameIndex:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return NameIndex(folder, {name: PurePosixPath(name) for name in names})


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("images\\b.jpg", "images/b.jpg"),
        (".\\images\\b.jpg", "images/b.jpg"),
        ("A.JPG", "a.jpg"),
        ("Images/B.jpg", "images/b.jpg"),
        (NFC, NFD),
        (NFD, NFD),
        ("my%20photo.jpg", "my photo.jpg"),
        ("somewhere/a.jpg", "a.jpg"),
        ("/home/alice/set/images/b.jpg", "images/b.jpg"),
        ("C:\\Users\\alice\\set\\images\\b.jpg", "images/b.jpg"),
        ("/a.jpg", "a.jpg"),
        ("/data/upload/3/b.jpg", "images/b.jpg"),
        ("upload/3/B.jpg", "images/b.jpg"),
        ("images/../a.jpg", "a.jpg"),
    ],
)
def test_picture_is_found(tmp_path: Path, name: str, picture: str) -> None:
    index = _index(tmp_path, "a.jpg", "images/b.jpg", NFD, "my photo.jpg")
    assert index.look_up(name) == picture


def test_path_below_the_folder_may_be_whole(tmp_path: Path) -> None:
    index = _index(tmp_path / "set", "a.jpg", "deep/a.jpg")
    assert index.look_up(str(tmp_path / "set" / "deep" / "a.jpg")) == "deep/a.jpg"
    assert index.look_up("../set/a.jpg") == "a.jpg"
    assert index.look_up("set/a.jpg") == "a.jpg"
    assert index.remarks() == []


@pytest.mark.parametrize("name", ["train/a.jpg", "/x/train/a.jpg", "x/train/a.jpg"])
def test_picture_of_another_folder_that_is_here_is_not_taken_instead(
    tmp_path: Path, name: str
) -> None:
    index = _index(tmp_path, "a.jpg", "train/b.jpg", "val/a.jpg")
    with pytest.raises(WsssError):
        index.look_up(name)


def test_two_paths_of_another_place_are_not_one_picture(tmp_path: Path) -> None:
    index = _index(tmp_path, "a.jpg")
    assert index.look_up("/x/train/a.jpg") == "a.jpg"
    with pytest.raises(WsssError, match=r"x/val/a\.jpg.*x/train/a\.jpg"):
        index.look_up("/x/val/a.jpg")
    index = _index(tmp_path / "deep", "images/a.jpg")
    assert index.look_up("/x/train/a.jpg") == "images/a.jpg"
    with pytest.raises(WsssError, match=r"x/val/a\.jpg.*x/train/a\.jpg"):
        index.look_up("/x/val/a.jpg")


def test_name_that_several_folders_have_is_a_question(tmp_path: Path) -> None:
    index = _index(tmp_path, "cat/a.jpg", "dog/a.jpg")
    with pytest.raises(WsssError, match=r"cat/a\.jpg.*dog/a\.jpg"):
        index.look_up("/data/upload/a.jpg")


def test_file_that_is_elsewhere_is_not_taken_for_one_of_here(tmp_path: Path) -> None:
    index = _index(tmp_path / "set", "a.jpg")
    (tmp_path / "a.jpg").touch()
    with pytest.raises(WsssError, match="leads out of"):
        index.look_up(str(tmp_path / "a.jpg"))


def test_capitals_decide_where_both_are_there(tmp_path: Path) -> None:
    index = _index(tmp_path, "a.jpg", "A.jpg", "b.jpg")
    assert index.look_up("A.jpg") == "A.jpg"
    assert index.look_up("a.jpg") == "a.jpg"
    index = _index(tmp_path, "x/Cat.jpg", "y/cAt.jpg")
    with pytest.raises(WsssError, match=r"may be x/Cat\.jpg, y/cAt\.jpg"):
        index.look_up("cat.jpg")


def test_loose_matches_are_counted(tmp_path: Path) -> None:
    index = _index(tmp_path, "a.jpg", "b.jpg", "c d.jpg")
    for name in ("A.jpg", "A.jpg", "B.jpg", "/elsewhere/a.jpg", "c%20d.jpg"):
        index.look_up(name)
    capitals, elsewhere, escaped = index.remarks()
    assert capitals.startswith("2 ")
    assert elsewhere.startswith("1 ")
    assert escaped.startswith("1 ")


def test_picture_of_another_ending_is_named(tmp_path: Path) -> None:
    with pytest.raises(WsssError, match=r"a\.png is there"):
        _index(tmp_path, "a.png").look_up("a.jpg")
