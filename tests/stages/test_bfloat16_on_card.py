"""Stages in bfloat16, the precision of a card unless said: types as CUDA has them, nearly float32.

Autocast is CUDA's in what it casts; the sums are the CPU's.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import TinyVoc
from two_devices import on_card

from wsss_cli.artifacts.attention_file import INDEX, AttentionFile
from wsss_cli.artifacts.checkpoint import read_checkpoint
from wsss_cli.artifacts.score_file import INDEX as SCORES
from wsss_cli.artifacts.score_file import ScoreFile
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.train import TrainConfig
from wsss_cli.stages import attend, segment, train
from wsss_cli.stages.attend import plan as attend_plan
from wsss_cli.stages.segment import plan as segment_plan
from wsss_cli.stages.train import plan as train_plan
from wsss_cli.tracking import Silent

SMALL: dict[str, Any] = {"iterations": 1, "batch_size": 4, "crop": 32, "lr": 0.01}


@contextmanager
def _computing_in(precision: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (train_plan, attend_plan, segment_plan):
            patch.setattr(module, "resolve_precision", lambda amp, device: precision)
        yield


def _work_here_and_there(work: Callable[[Path], None], here: Path, there: Path) -> None:
    """In float32 on the CPU, then in bfloat16 on the card."""
    with _computing_in("float32"):
        work(here)
    with _computing_in("bfloat16"), on_card():
        work(there)


def _weights(run: Path, stage: str, kind: str) -> torch.Tensor:
    """All weights of a network, in float32 as ever."""
    tensors = read_checkpoint(run / stage / "checkpoint.pt", kind)["network"]
    assert all(t.dtype in (torch.float32, torch.int64) for t in tensors.values())
    return torch.cat([t.flatten().double() for t in tensors.values()])


def _require_near(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert not torch.equal(found, expected)  # or it was no bfloat16
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("method", ["seenet", "cam", "acol", "gain"])
def test_attention_network(voc: TinyVoc, tmp_path: Path, method: str) -> None:
    here, there = tmp_path / "cpu", tmp_path / "card"
    checkpoint = here / "train" / "checkpoint.pt"  # both attend with one network

    def work(run: Path) -> None:
        config = TrainConfig(run=run, data=voc.root, backbone="tiny", method=method, **SMALL)
        train.run(config, track=Silent())
        looking = AttendConfig(run=run, data=voc.root, size=64, checkpoint=checkpoint)
        attend.run(looking, track=Silent())

    _work_here_and_there(work, here, there)
    _require_near(*(_weights(run, "train", "attention") for run in (there, here)))
    files = (AttentionFile(run / "attend" / INDEX) for run in (there, here))
    with next(files) as rough, next(files) as precise:
        for image_id in precise.image_ids:
            found, expected = rough.read(image_id), precise.read(image_id)
            np.testing.assert_allclose(found.logits, expected.logits, atol=0.1)
            assert np.abs(found.maps.astype(float) - expected.maps).mean() < 0.03


def test_segmentation_network(voc: TinyVoc, tmp_path: Path) -> None:
    here, there = tmp_path / "cpu", tmp_path / "card"
    views: dict[str, Any] = {"scales": (1.0, 0.75), "probabilities": True}

    def work(run: Path) -> None:
        config = SegmentConfig(
            run=run, data=voc.root, model="tiny", supervision="full", **views, **SMALL
        )
        segment.run(config, track=Silent())

    _work_here_and_there(work, here, there)
    _require_near(*(_weights(run, "segment", "segmentation") for run in (there, here)))
    files = (ScoreFile(run / "segment" / SCORES) for run in (there, here))
    with next(files) as rough, next(files) as precise:
        for image_id in precise.image_ids:
            found, expected = rough.read(image_id).scores, precise.read(image_id).scores
            np.testing.assert_allclose(found.astype(float), expected, atol=0.2)
