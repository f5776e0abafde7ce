"""Ids of pictures are safe file names, and lists find pictures without leaving the folder."""

from pathlib import Path, PurePosixPath

import pytest
from layouts_drawn import picture

from wsss_cli.data.pictures import Pictures, find_pictures, picture_id
from wsss_cli.errors import WsssError


@pytest.mark.parametrize(
    ("path", "image_id"),
    [
        ("a.jpg", "a"),
        ("dogs/my dog (1).v2.jpeg", "dogs__my_dog__1_.v2"),
        ("-x.png", "_-x"),
        ("été.jpg", "été"),
        ("e\u0301te\u0301.jpg", "été"),  # as macOS writes it
        ("犬.webp", "犬"),
    ],
)
def test_id_is_a_plain_file_name(path: str, image_id: str) -> None:
    assert picture_id(PurePosixPath(path)) == image_id


def test_photographs_are_found_and_nothing_else(tmp_path: Path) -> None:
    wanted = [picture(tmp_path / n, 0) for n in ("a.JPG", "b/c.webp", "b/d/e.jpeg", "f.tiff")]
    for other in ("masks/a.png", "saliency_maps/a.png", ".hidden/a.png", ".a.png", "run/1.png"):
        picture(tmp_path / other, 0)
    (tmp_path / "run" / "manifest.json").write_text("{}")  # something that wsss made
    picture(tmp_path / "runs" / "1" / "pictures" / "a.png", 0)
    (tmp_path / "runs" / "1" / "train").mkdir()
    (tmp_path / "runs" / "1" / "train" / "manifest.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("a")
    (tmp_path / "b" / "again").symlink_to(tmp_path)  # would go round for ever
    assert find_pictures(tmp_path) == sorted(wanted)


def _pictures(folder: Path, *names: str) -> Pictures:
    return Pictures(folder, [folder / name for name in names])


@pytest.mark.parametrize(
    ("name", "image_id"),
    [
        ("a.jpg", "a"),  # rather than deep/a.png, though both have the stem
        ("deep/a.png", "deep__a"),
        ("deep\\a", "deep__a"),
        ("./deep/b.jpg", "deep__b"),
        ("b", "deep__b"),
        ("b.jpg", "deep__b"),
        ("B2.jpg", "deep__B2"),
        ("deep/B2.JPG", "deep__B2"),
    ],
)
def test_name_is_looked_up_as_path_then_as_name(tmp_path: Path, name: str, image_id: str) -> None:
    assert (
        _pictures(tmp_path, "a.jpg", "deep/a.png", "deep/b.jpg", "deep/B2.JPG").look_up(name)
        == image_id
    )


@pytest.mark.parametrize(
    "name", ["../a.jpg", "/etc/passwd", "x/../../a.jpg", "C:\\x.jpg", "\\..\\a"]
)
def test_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(WsssError, match="leads out of"):
        _pictures(tmp_path, "a.jpg").look_up(name)


def test_kind_of_picture_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(b"x")
    with pytest.raises(WsssError, match=r"'a\.heic' is none of bmp, jpeg, jpg, png"):
        _pictures(tmp_path).look_up("a.heic")


def test_name_of_several_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WsssError, match=r"may be x/a\.jpg, y/a\.jpg"):
        _pictures(tmp_path, "x/a.jpg", "y/a.jpg").look_up("a.jpg")


@pytest.mark.parametrize(
    "names", [("a.jpg", "a.png"), ("a b.jpg", "a_b.jpg"), ("x/a.jpg", "x__a.jpg")]
)
def test_two_pictures_of_one_id_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    with pytest.raises(WsssError, match="would share the id"):
        _pictures(tmp_path, *names)


def test_id_that_fits_no_file_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WsssError, match="too long"):
        _pictures(tmp_path, f"{'a' * 120}/{'b' * 120}.jpg")
