"""Decoding of photographs and grey maps, and the check before any work."""

from pathlib import Path

import numpy as np
import pytest
from conftest import HEIGHT, WIDTH, TinyVoc
from PIL import Image

from wsss_cli.data.images import check_images, read_image, read_saliency
from wsss_cli.data.label_folder import png_files, png_ids
from wsss_cli.errors import UsageError, WsssError


def test_photograph_is_read_as_red_green_blue(tmp_path: Path) -> None:
    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[:] = (250, 120, 10)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=95)
    found = read_image(tmp_path / "a.jpg")
    assert found.shape == (16, 24, 3)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - pixels).max() < 6


def test_grey_photograph_gets_three_equal_channels(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 77, np.uint8)).save(tmp_path / "a.jpg")
    assert (read_image(tmp_path / "a.jpg") == 77).all()


def test_whole_photographs_give_their_sizes(voc: TinyVoc) -> None:
    paths = map(voc.image, voc.train_ids)
    assert check_images(paths) == [(HEIGHT, WIDTH)] * len(voc.train_ids)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_truncated_photograph_is_found_before_any_work(own_voc: TinyVoc, kept: float) -> None:
    path = own_voc.image(own_voc.train_ids[3])
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(WsssError, match=path.name):
        check_images(map(own_voc.image, own_voc.train_ids))
    with pytest.raises(WsssError, match=path.name):
        read_image(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"<html>not found</html>"])
def test_file_that_is_no_photograph_is_found(own_voc: TinyVoc, content: bytes) -> None:
    path = own_voc.image(own_voc.train_ids[0])
    path.write_bytes(content)
    with pytest.raises(WsssError, match=path.name):
        check_images([path])


def test_photograph_with_bytes_after_its_end_is_whole(own_voc: TinyVoc) -> None:
    path = own_voc.image(own_voc.train_ids[0])
    with path.open("ab") as file:
        file.write(b"camera data")
    assert check_images([path]) == [(HEIGHT, WIDTH)]


def test_all_missing_photographs_are_listed(own_voc: TinyVoc) -> None:
    gone = own_voc.train_ids[4:7]
    for image_id in gone:
        own_voc.image(image_id).unlink()
    with pytest.raises(WsssError, match=", ".join(f"{image_id}.jpg" for image_id in gone)):
        check_images(map(own_voc.image, own_voc.train_ids))


def test_saliency_is_read_as_it_is(voc: TinyVoc) -> None:
    grey = read_saliency(voc.saliency / f"{voc.train_ids[0]}.png")
    assert grey.shape == (HEIGHT, WIDTH)
    assert set(np.unique(grey)) == {20, 230}


def test_saliency_of_16_bits_keeps_its_upper_eight(tmp_path: Path) -> None:
    deep = np.array([[0, 255, 256, 0x8000, 0xFFFF]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.png")
    assert read_saliency(tmp_path / "a.png").tolist() == [[0, 0, 1, 0x80, 0xFF]]


def test_saliency_in_colour_is_turned_to_grey(tmp_path: Path) -> None:
    Image.fromarray(np.full((2, 2, 3), 90, np.uint8)).save(tmp_path / "a.png")
    assert (read_saliency(tmp_path / "a.png") == 90).all()


def test_all_missing_label_maps_are_listed(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(b"")
    with pytest.raises(WsssError, match=r"--saliency .*: 2 of 3 images.*: a, c"):
        png_files(tmp_path, ["a", "b", "c"], "--saliency")


def test_folder_of_label_maps_gives_its_ids_without_temporary_files(tmp_path: Path) -> None:
    for name in ("b.png", "a.1.png", ".a.png.12.partial", ".c.png", "d.txt"):
        (tmp_path / name).write_bytes(b"")
    assert png_ids(tmp_path, "--pred") == ["a.1", "b"]


def test_folder_that_is_missing_or_empty_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--pred .*nowhere"):
        png_ids(tmp_path / "nowhere", "--pred")
    with pytest.raises(UsageError, match=r"--pred .*PNG"):
        png_ids(tmp_path, "--pred")
