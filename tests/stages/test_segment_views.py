"""Views of a photograph, merged on one grid: against loops, by hand, and in tiles."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from wsss_cli.data.images import Pixels
from wsss_cli.data.resizing import resize_image
from wsss_cli.models.deeplab_largefov import DeepLabLargeFOV, build
from wsss_cli.models.trunks import Trunk
from wsss_cli.ops.score_grid import label_probabilities
from wsss_cli.stages.segment import views
from wsss_cli.stages.segment.views import grid_size, merged_logits

CPU = torch.device("cpu")


def _corner_aligned() -> DeepLabLargeFOV:
    """A small network whose poolings overlap, as those of VGG16 in DeepLab."""
    layers = []
    for before, after in ((3, 6), (6, 8), (8, 8)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    trunk = Trunk(nn.Sequential(*layers), blocks=(3, 6, 9), channels=8, stride=8)
    return DeepLabLargeFOV(
        trunk, 4, hidden=8, dilation=2, smoothing=nn.Identity(), corner_aligned=True
    )


def _network(name: str) -> DeepLabLargeFOV:
    torch.manual_seed(0)
    network = build("tiny", 4) if name == "tiny" else _corner_aligned()
    nn.init.normal_(network.classifier.score.weight)
    return network.eval()


def _photograph(height: int, width: int, seed: int = 0) -> Pixels:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 6 + 1, width // 6 + 1, 3)).astype(np.uint8)
    return np.ascontiguousarray(coarse.repeat(6, axis=0).repeat(6, axis=1)[:height, :width])


def _merged(network: Any, image: Pixels, scales: Sequence[float], **settings: Any) -> Tensor:
    with torch.inference_mode():
        return merged_logits(
            network, image, scales, **{"flip": False, "merge": "mean", "device": CPU, **settings}
        )


def _batch(image: Pixels) -> Tensor:
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None]


def _slow(
    network: DeepLabLargeFOV, image: Pixels, scales: Sequence[float], flip: bool, merge: str
) -> np.ndarray:
    """The definition, one sample of the grid and one view after the other."""
    height, width = image.shape[:2]
    largest = [round(side * max(scales)) for side in (height, width)]
    h, w = (int(np.ceil((side - 1) / 8)) + 1 for side in largest)
    first = 0 if network.corner_aligned else 3.5
    found = []
    for scale in scales:
        size = round(height * scale), round(width * scale)
        view = resize_image(image, size)
        for mirrored in (False, True) if flip else (False,):
            seen = view[:, ::-1] if mirrored else view
            with torch.inference_mode():
                logits = network.scores(_batch(seen))[0].numpy()
            on_grid = np.zeros((len(logits), h, w))
            for i in range(h):
                for j in range(w):
                    y = (i * (height - 1) / (h - 1) + 0.5) * size[0] / height - 0.5
                    x = (j * (width - 1) / (w - 1) + 0.5) * size[1] / width - 0.5
                    if mirrored:
                        x = size[1] - 1 - x
                    v = min(max((y - first) / 8, 0), logits.shape[1] - 1)
                    u = min(max((x - first) / 8, 0), logits.shape[2] - 1)
                    for a in range(logits.shape[1]):
                        for b in range(logits.shape[2]):
                            near = max(0, 1 - abs(v - a)) * max(0, 1 - abs(u - b))
                            on_grid[:, i, j] += near * logits[:, a, b]
            found.append(on_grid)
    return np.mean(found, axis=0) if merge == "mean" else np.max(found, axis=0)


@pytest.mark.parametrize("name", ["tiny", "corner-aligned"])
@pytest.mark.parametrize(
    ("scales", "flip", "merge"),
    [
        ((1.0,), False, "mean"),
        ((1.0,), True, "max"),
        ((0.5, 1.0, 1.5), True, "mean"),
        ((0.75, 1.25), False, "max"),
    ],
)
def test_merged_views_are_those_of_the_definition(
    name: str, scales: tuple[float, ...], flip: bool, merge: str
) -> None:
    network, image = _network(name), _photograph(45, 70)
    found = _merged(network, image, scales, flip=flip, merge=merge)
    expected = _slow(network, image, scales, flip, merge)
    assert found.shape == expected.shape == (4, *grid_size(network, (45, 70), scales))
    assert np.abs(expected).max() > 0.1
    assert np.allclose(found, expected, atol=1e-4)


def test_single_view_that_the_stride_fits_is_the_plain_network() -> None:
    network, image = _network("corner-aligned"), _photograph(41, 65)
    logits = _merged(network, image, (1.0,))
    with torch.inference_mode():
        plain = network(_batch(image))[0]
    found = functional.interpolate(logits[None], (41, 65), mode="bilinear", align_corners=True)[0]
    assert torch.allclose(found, plain, atol=1e-5)
    assert torch.allclose(label_probabilities(logits, (41, 65)), plain.softmax(dim=0), atol=1e-5)


class Coordinates:
    """A network whose scores are the column and the row, in pixels, that they sit on."""

    def __init__(self, corner_aligned: bool) -> None:
        self.trunk = SimpleNamespace(stride=8)
        self.corner_aligned = corner_aligned

    def scores(self, images: Tensor) -> Tensor:
        extra, first = (1, 0.0) if self.corner_aligned else (0, 3.5)
        h, w = (-(-(side - extra) // 8) + extra for side in images.shape[-2:])
        columns, rows = torch.arange(w) * 8 + first, torch.arange(h) * 8 + first
        here = torch.stack((columns.expand(h, w), rows[:, None].expand(h, w)))
        return here.expand(len(images), -1, -1, -1)


@pytest.mark.parametrize("size", [(81, 129), (85, 70), (96, 128), (87, 135)])
@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("corner_aligned", [True, False])
def test_grid_spans_the_image_and_nothing_else(
    size: tuple[int, int], scale: float, corner_aligned: bool
) -> None:
    """Padding at the right and the bottom must not shift what is seen of the image."""
    logits = _merged(Coordinates(corner_aligned), np.zeros((*size, 3), np.uint8), (scale,))
    whole = functional.interpolate(logits[None], size, mode="bilinear", align_corners=True)[0]
    for values, side, axis in ((whole[0], size[1], 1), (whole[1], size[0], 0)):
        view = round(side * scale)
        expected = (torch.arange(side) + 0.5) * view / side - 0.5  # where the pixel is in the view
        # Outside of the outermost scores the view goes on as there, up to the next sample.
        reach = 0 if corner_aligned and scale >= 1 else 9
        inner = (expected >= reach) & (expected <= view - 1 - reach)
        along = values[0] if axis == 1 else values[:, 0]
        assert inner.sum() > 5
        assert torch.allclose(along[inner], expected[inner], atol=1e-3)


@pytest.mark.parametrize("corner_aligned", [True, False])
def test_mirrored_view_is_mirrored_back(corner_aligned: bool) -> None:
    """Its columns count from the other side: upright and mirrored ones have a constant sum."""
    blank = np.zeros((45, 73, 3), np.uint8)
    both = _merged(Coordinates(corner_aligned), blank, (1.0,), flip=True)
    inner = both[0, :, 1:-1]
    assert torch.allclose(inner, torch.full_like(inner, 36.0), atol=1e-3)


@pytest.mark.parametrize("name", ["tiny", "corner-aligned"])
@pytest.mark.parametrize("merge", ["mean", "max"])
def test_mirrored_photograph_gives_mirrored_scores(name: str, merge: str) -> None:
    network, image = _network(name), _photograph(45, 70)
    found = _merged(network, image, (1.0, 1.5), flip=True, merge=merge)
    mirrored = np.ascontiguousarray(image[:, ::-1])
    again = _merged(network, mirrored, (1.0, 1.5), flip=True, merge=merge)
    # Resizing to 8 bits rounds, and not the same way from both sides.
    assert torch.allclose(found, again.flip(-1), atol=0.05)
    alone = _merged(network, image, (1.0, 1.5), merge=merge)
    assert not torch.allclose(alone, found, atol=0.05)


@pytest.mark.parametrize("name", ["tiny", "corner-aligned"])
@pytest.mark.parametrize("size", [(150, 333), (333, 60), (201, 201), (72, 400)])
def test_tiled_view_is_the_whole_one_where_tiles_see_far_enough(
    name: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, image = _network(name), _photograph(*size)
    whole = _merged(network, image, (1.0,), flip=True)
    seen: list[tuple[int, ...]] = []
    real = network.scores

    def spy(images: Tensor) -> Tensor:
        seen.append(tuple(images.shape[-2:]))
        return real(images)

    monkeypatch.setattr(network, "scores", spy)
    monkeypatch.setattr(views, "MOST_PIXELS", 1000)
    monkeypatch.setattr(views, "TILE", 22)
    monkeypatch.setattr(views, "CONTEXT", 7)
    tiled = _merged(network, image, (1.0,), flip=True)
    assert len(seen) > 4
    assert max(max(one) for one in seen) <= 22 * 8 + 1
    assert torch.allclose(tiled, whole, atol=1e-4)
    monkeypatch.setattr(views, "CONTEXT", 1)  # too little to see: the tiles must differ then
    assert not torch.allclose(_merged(network, image, (1.0,), flip=True), whole, atol=1e-2)


@pytest.mark.parametrize(("most", "expected"), [(2 * 45 * 70, [2]), (2 * 45 * 70 - 1, [1, 1])])
def test_both_orientations_pass_together_where_they_are_small_enough(
    most: int, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, image = _network("tiny"), _photograph(45, 70)
    seen: list[int] = []
    real = network.scores

    def spy(images: Tensor) -> Tensor:
        seen.append(len(images))
        return real(images)

    alone = _merged(network, image, (1.0,), flip=True)
    monkeypatch.setattr(network, "scores", spy)
    monkeypatch.setattr(views, "MOST_PIXELS", most)
    assert torch.allclose(_merged(network, image, (1.0,), flip=True), alone, atol=1e-4)
    assert seen == expected


def test_scales_as_one_view_each_are_merged_by_value() -> None:
    """Logits, not probabilities: of two views that say 8 and 2 the mean is 5, the largest 8."""

    class Saying(Coordinates):
        def scores(self, images: Tensor) -> Tensor:
            return torch.full_like(super().scores(images), 8.0 if images.shape[-1] > 50 else 2.0)

    blank = np.zeros((40, 64, 3), np.uint8)
    for merge, value in (("mean", 5.0), ("max", 8.0)):
        found = _merged(Saying(True), blank, (0.5, 1.0), merge=merge)
        assert torch.equal(found, torch.full_like(found, value))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (9, 2)])
@pytest.mark.parametrize("name", ["tiny", "corner-aligned"])
def test_smallest_photographs_have_scores(name: str, size: tuple[int, int]) -> None:
    network = _network(name)
    found = _merged(network, _photograph(*size), (0.5, 1.0), flip=True)
    assert found.shape == (4, *grid_size(network, size, (0.5, 1.0)))
    assert found.isfinite().all()
    assert label_probabilities(found, size).isfinite().all()
