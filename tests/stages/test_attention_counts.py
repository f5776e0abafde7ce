"""The counts of attention over many images keep each image's own."""

import pytest
import torch

from wsss_cli.metrics.attention import ThresholdCurve
from wsss_cli.metrics.segmentation import overlap
from wsss_cli.stages.evaluate import attention_counts
from wsss_cli.stages.evaluate.attention_counts import THRESHOLDS, Curves, ImageCounts

LABELS = 6


def _image(seed: int) -> ImageCounts:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randperm(LABELS - 1, generator=generator)[: seed % 3 + 1] + 1
    labels = torch.cat((torch.tensor([0]), drawn.sort().values))
    size = (len(THRESHOLDS) + 1, len(labels), len(labels))
    counts = torch.randint(0, 50, size, generator=generator, dtype=torch.int32)
    curve = ThresholdCurve(LABELS, THRESHOLDS)
    curve.add(labels, counts)
    overlaps = overlap(curve.confusions())[..., labels].int()
    return ImageCounts(labels, counts, overlaps, labels[1:], [], None, None, None)


@pytest.mark.parametrize("block", [1, 3, 7, 64])
def test_every_image_keeps_its_overlaps_in_whatever_block_it_lies(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(attention_counts, "_BLOCK", block)
    images = [_image(seed) for seed in range(7)]
    curves = Curves(LABELS)
    for image in images:
        curves.add(image)
    for number in (0, 41, 99):
        found = curves.overlaps_at(number)
        assert found.shape == (7, 2, LABELS)
        for row, image in zip(found.tolist(), images, strict=True):
            for kind in range(2):
                expected = [0] * LABELS
                for place, label in enumerate(image.labels.tolist()):
                    expected[label] = int(image.overlaps[number, kind, place])
                assert row[kind] == expected
        whole = overlap(curves.confusions())[number]
        assert torch.equal(found.sum(dim=0), whole)
