"""Random views: image and label map stay aligned pixel for pixel, sizes hold, chance is given."""

import cv2
import numpy as np
import pytest
from joint_views import joint_view

from wsss_cli.data import augmentation
from wsss_cli.data.augmentation import random_view
from wsss_cli.data.images import Pixels
from wsss_cli.data.resizing import enlarge_maps, resize_grey, resize_image, resize_labels

FILL = np.array([1, 2, 3], np.uint8)


# Corners of the colour cube, so that no blend of some is another one.
COLOURS = np.array(
    [(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)], np.uint8
)


def _pair(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """An image whose colour encodes its label 1..5: stripes, unlike their mirror image."""
    y, x = np.mgrid[:height, :width]
    label_map = (1 + (x // 9 + 2 * (y // 11)) % 5).astype(np.uint8)
    return COLOURS[label_map], label_map


@pytest.mark.parametrize("size", [(50, 70), (70, 50), (20, 90), (15, 15)])
@pytest.mark.parametrize("scale", [0.6, 0.83, 1.0, 1.21, 2.0, 3.0])
def test_labels_follow_their_image_pixel_for_pixel(size: tuple[int, int], scale: float) -> None:
    image, label_map = _pair(*size)
    seen = set()
    for seed in range(12):
        view, labels = joint_view(
            image, label_map, 40, (scale, scale), FILL, np.random.default_rng(seed)
        )
        assert view.shape == (40, 40, 3)
        assert labels.shape == (40, 40)
        assert view.dtype == labels.dtype == np.uint8
        inside = labels != 255
        assert (view[~inside] == FILL).all()
        assert not (view[inside] == FILL).all(axis=1).any()
        coloured = (view[inside][:, None] == COLOURS).all(axis=2)  # (pixels, labels)
        pure = coloured.any(axis=1)  # resizing blends colours at the border of two labels
        assert (coloured.argmax(axis=1) == labels[inside])[pure].all()
        assert pure.mean() > 0.4
        assert scale != 1.0 or pure.all()
        seen.add(labels.tobytes())
    assert len(seen) > 1


def test_image_smaller_than_the_crop_is_whole_on_the_padding() -> None:
    image, label_map = _pair(20, 30)
    places = set()
    for seed in range(16):
        view, labels = joint_view(image, label_map, 50, (1, 1), FILL, np.random.default_rng(seed))
        assert (labels != 255).sum() == 20 * 30
        rows, columns = np.nonzero(labels != 255)
        places.add((int(rows.min()), int(columns.min())))
        box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        same = np.array_equal(labels[box], label_map)
        mirrored = np.array_equal(labels[box], label_map[:, ::-1])
        assert same != mirrored
        assert np.array_equal(view[box], image if same else image[:, ::-1])
    for place in zip(*places, strict=True):  # anywhere on the padding, not at its edges only
        assert len(set(place)) > 6


def test_ignored_pixels_of_the_label_map_stay_ignored_over_their_image() -> None:
    image, label_map = _pair(40, 40)
    label_map[10:20] = 255
    view, labels = joint_view(image, label_map, 40, (1, 1), FILL, np.random.default_rng(0))
    assert (labels[10:20] == 255).all()
    assert (labels[:10] != 255).all()
    assert not (view[10:20] == FILL).all(axis=2).any()


def test_joint_view_never_invents_a_label() -> None:
    _, label_map = _pair(64, 64)
    label_map[label_map == 2] = 5
    image = COLOURS[label_map]
    for seed in range(20):
        _, labels = joint_view(image, label_map, 48, (0.5, 1.7), FILL, np.random.default_rng(seed))
        assert set(np.unique(labels)) <= {1, 3, 4, 5, 255}


def test_joint_view_mirrors_about_half_and_moves() -> None:
    image, label_map = _pair(60, 60)
    mirrored, places = 0, set()
    for seed in range(60):
        _, labels = joint_view(image, label_map, 60, (1, 1), FILL, np.random.default_rng(seed))
        mirrored += np.array_equal(labels, label_map[:, ::-1])
        _, cut = joint_view(image, label_map, 30, (1, 1), FILL, np.random.default_rng(seed))
        places.add(cut.tobytes())
    assert 15 <= mirrored <= 45
    assert len(places) > 30


def test_joint_view_is_a_function_of_its_generator() -> None:
    image, label_map = _pair(60, 60)
    views = [
        joint_view(image, label_map, 30, (0.7, 1.3), FILL, np.random.default_rng(seed))
        for seed in (3, 3, 4)
    ]
    assert np.array_equal(views[0][0], views[1][0])
    assert np.array_equal(views[0][1], views[1][1])
    assert not np.array_equal(views[0][1], views[2][1])


@pytest.mark.parametrize("size", [(480, 640), (500, 333), (100, 900), (10, 10), (224, 224)])
@pytest.mark.parametrize("crop", [32, 224])
def test_view_is_a_square_of_the_crop_from_any_size(size: tuple[int, int], crop: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    for seed in range(4):
        view = random_view(image, crop, np.random.default_rng(seed))[0]
        assert view.shape == (crop, crop, 3)
        assert view.dtype == np.uint8


@pytest.mark.parametrize(
    ("size", "looked"),
    [((1, 4000), (64, 512)), ((4000, 1), (512, 64)), ((10, 80), (64, 512)), ((75, 10), (480, 64))],
)
def test_a_strip_is_squeezed_before_a_view_is_cut(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], looked: tuple[int, int]
) -> None:
    sizes = []

    def noted(image: Pixels, size: tuple[int, int]) -> Pixels:
        sizes.append(size)
        return resize_image(image, size)

    monkeypatch.setattr(augmentation, "resize_image", noted)
    assert random_view(np.zeros((*size, 3), np.uint8), 56, np.random.default_rng(0))[0].shape
    assert sizes == [looked]


def test_view_is_a_function_of_its_generator() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    views = [random_view(image, 32, np.random.default_rng(seed))[0] for seed in (1, 1, 2)]
    assert np.array_equal(views[0], views[1])
    assert not np.array_equal(views[0], views[2])


def test_view_shows_seven_eighths_of_the_short_side() -> None:
    """Short side 256 for a crop of 224: a ramp of 256 rows passes through 224 of them."""
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    image = np.repeat(ramp, 300, axis=1)
    view = random_view(image, 224, np.random.default_rng(0))[0]
    column = view[:, 0, 0].astype(int)
    assert np.array_equal(column, np.arange(column[0], column[0] + 224))
    tops = {int(random_view(image, 224, np.random.default_rng(s))[0][0, 0, 0]) for s in range(40)}
    assert len(tops) > 10
    assert max(tops) <= 256 - 224


def test_view_mirrors_about_half() -> None:
    image = np.repeat(np.arange(64, dtype=np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    views = [random_view(image, 32, np.random.default_rng(seed))[0] for seed in range(60)]
    falling = sum(int(view[0, 0, 0]) > int(view[0, -1, 0]) for view in views)
    assert 15 <= falling <= 45


def test_image_of_the_right_size_is_returned_as_it_is() -> None:
    image, label_map = _pair(20, 30)
    assert np.array_equal(resize_image(image, (20, 30)), image)
    assert np.array_equal(resize_labels(label_map, (20, 30)), label_map)
    assert np.array_equal(resize_grey(label_map, (20, 30)), label_map)


def test_shrinking_averages_areas() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2, :2] = [[[0, 0, 0], [100, 0, 0]], [[100, 0, 0], [200, 0, 0]]]
    assert resize_image(image, (2, 2))[0, 0].tolist() == [100, 0, 0]


@pytest.mark.parametrize("size", [(37, 91), (10, 15), (20, 30), (60, 31)])
def test_labels_take_the_value_of_the_nearest_pixel_centre(size: tuple[int, int]) -> None:
    _, label_map = _pair(20, 30)
    rows = [int((row + 0.5) * 20 / size[0]) for row in range(size[0])]
    columns = [int((column + 0.5) * 30 / size[1]) for column in range(size[1])]
    assert np.array_equal(resize_labels(label_map, size), label_map[np.ix_(rows, columns)])


def test_small_attention_is_enlarged_map_by_map_and_stays_in_its_range() -> None:
    maps = np.random.default_rng(0).random((3, 5, 7)).astype(np.float16)
    large = enlarge_maps(maps, (20, 30))
    assert large.shape == (3, 20, 30)
    assert large.dtype == np.float32
    for one, many in zip(maps, large, strict=True):
        expected = cv2.resize(one.astype(np.float32), (30, 20), interpolation=cv2.INTER_LINEAR)
        assert np.array_equal(many, expected)
    assert large.min() >= maps.min()
    assert large.max() <= maps.max()


@pytest.mark.parametrize("dtype", ["<f2", ">f2", "<f4", ">f4", "<f8"])
def test_attention_of_any_float_type_keeps_every_number(dtype: str) -> None:
    halves = np.arange(0x3C01, dtype="<u2").view("<f2")  # all of 0..1
    maps = halves[None, :-1].reshape(1, 1024, 15).astype(dtype)
    large = enlarge_maps(maps, (1024, 15))
    assert large.dtype == np.float32
    assert large.dtype.isnative
    assert large.ravel().tolist() == [float(half) for half in halves[:-1]]


def test_side_that_shrinks_is_averaged_while_the_other_grows() -> None:
    """A panorama becomes a square: one-pixel stripes must turn grey, not into other stripes."""
    stripes = np.zeros((20, 100, 3), np.uint8)
    stripes[:, ::2] = 200
    square = resize_image(stripes, (25, 25))
    assert square.shape == (25, 25, 3)
    assert np.abs(square.astype(int) - 100).max() <= 1
    assert np.array_equal(resize_image(stripes.transpose(1, 0, 2), (25, 25)).shape, (25, 25, 3))
