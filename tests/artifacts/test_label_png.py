"""Label maps as palette PNG, and pictures of attention."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from wsss_cli.artifacts.heatmap_png import write_heatmap
from wsss_cli.artifacts.label_png import read_label_map, voc_palette, write_label_map
from wsss_cli.errors import WsssError


def _labels() -> np.ndarray:
    labels = np.zeros((5, 7), np.uint8)
    labels[1] = [0, 1, 2, 3, 20, 254, 255]
    return labels


def test_label_map_comes_back_as_it_was(tmp_path: Path) -> None:
    write_label_map(tmp_path / "a.png", _labels())
    found = read_label_map(tmp_path / "a.png")
    assert found.dtype == np.uint8
    assert np.array_equal(found, _labels())


def test_file_is_an_8_bit_palette_png_with_vocs_colours(tmp_path: Path) -> None:
    write_label_map(tmp_path / "a.png", _labels())
    content = (tmp_path / "a.png").read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    depth, colour_type = content[24], content[25]  # of the IHDR chunk
    assert (depth, colour_type) == (8, 3)
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "P"
        colours = np.array(image.convert("RGB"))
    # From VOC's devkit: background, aeroplane, bicycle, bird, tvmonitor, and the border.
    expected = [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 64, 128]]
    assert colours[1, :5].tolist() == expected
    assert colours[1, 6].tolist() == [224, 224, 192]


def test_all_colours_of_the_palette_differ() -> None:
    assert len({tuple(colour) for colour in voc_palette().tolist()}) == 256


def test_equal_label_maps_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_label_map(tmp_path / name, _labels())
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("mode", ["P", "L"])
def test_palette_and_grey_files_of_other_tools_are_read(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(_labels())
    if mode == "P":
        image.putpalette([255, 0, 0] * 256)
    image.save(tmp_path / "a.png")
    assert np.array_equal(read_label_map(tmp_path / "a.png"), _labels())


def test_palette_file_of_few_bits_is_read(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1], [2, 3]], np.uint8)).convert("P")
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0])
    image.save(tmp_path / "a.png", bits=2)
    assert (tmp_path / "a.png").read_bytes()[24] == 2
    assert read_label_map(tmp_path / "a.png").tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_colours_are_no_labels(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(WsssError, match=rf"a\.png .*\b{mode}\b"):
        read_label_map(tmp_path / "a.png")


def test_sixteen_bits_are_no_labels(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((2, 2), np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(WsssError, match=r"a\.png .*I;16"):
        read_label_map(tmp_path / "a.png")


def test_value_that_is_no_label_is_named(tmp_path: Path) -> None:
    labels = np.array([[0, 3, 255, 4]], np.uint8)
    write_label_map(tmp_path / "a.png", labels)
    assert np.array_equal(read_label_map(tmp_path / "a.png", num_labels=5), labels)
    with pytest.raises(WsssError, match=r"a\.png .*\b4\b.*0\.\.3"):
        read_label_map(tmp_path / "a.png", num_labels=4)


@pytest.mark.parametrize("kept", [0.0, 0.2, 0.7, 0.95])
def test_truncated_file_is_refused(tmp_path: Path, kept: float) -> None:
    write_label_map(tmp_path / "a.png", np.random.default_rng(0).integers(0, 4, (40, 40), np.uint8))
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(WsssError, match=r"a\.png"):
        read_label_map(tmp_path / "a.png")


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WsssError, match=r"a\.png"):
        read_label_map(tmp_path / "a.png")


def test_heatmap_is_four_fifths_attention_and_one_fifth_grey_in_jet(tmp_path: Path) -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    image[0, 1] = image[1, 1] = 255
    attention = np.array([[0, 0], [1, 1]], np.float32)
    write_heatmap(tmp_path / "a.png", image, attention)
    levels = np.array([[0, 51], [204, 255]], np.uint8)  # 255 (.8 a + .2 g)
    drawn = cv2.imread(str(tmp_path / "a.png"))
    assert np.array_equal(drawn, cv2.applyColorMap(levels, cv2.COLORMAP_JET))
