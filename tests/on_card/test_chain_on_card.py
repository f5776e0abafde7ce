"""The chain on a CUDA card, beside the same chain on the CPU: close, where it cannot be equal."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Command, TinyVoc, logged, train_arguments
from PIL import Image

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.configs.train import TrainConfig
from wsss_cli.stages import train
from wsss_cli.stages.optimisation.trainer import Trainer
from wsss_cli.tracking import Silent

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA card"),
]
DEVICES = ("cpu", "cuda")


def _run(wsss: Command, *arguments: object) -> None:
    done = wsss(*arguments)
    assert done.code == 0, done.err


def _agreement(one: Path, other: Path) -> float:
    """Share of equal pixels of two folders of label maps."""
    names = sorted(path.name for path in one.glob("*.png"))
    assert names
    assert names == sorted(path.name for path in other.glob("*.png"))
    same = [np.asarray(Image.open(one / n)) == np.asarray(Image.open(other / n)) for n in names]
    return float(np.mean(np.concatenate([each.ravel() for each in same])))


def _attended(wsss: Command, voc: TinyVoc, checkpoint: Path, run: Path, device: str) -> Path:
    common = ["--run", run, "--device", device, "--amp", "off"]
    _run(wsss, "attend", "--data", voc.root, "--checkpoint", checkpoint, *common, "--size", 64)
    return run / "attend/attention.h5"


def test_the_maps_are_those_of_the_cpu(
    wsss: Command, voc: TinyVoc, lively_checkpoint: Path, tmp_path: Path
) -> None:
    on_cpu, on_card = (
        AttentionFile(_attended(wsss, voc, lively_checkpoint, tmp_path / device, device))
        for device in DEVICES
    )
    with on_cpu, on_card:
        for image_id in on_cpu.image_ids:
            maps = [file.read(image_id).maps.astype(np.float32) for file in (on_cpu, on_card)]
            for one, other in zip(*maps, strict=True):
                assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("method", ["seenet", "cam", "acol", "gain"])
def test_a_training_learns_what_it_does_on_the_cpu(
    wsss: Command, voc: TinyVoc, tmp_path: Path, method: str
) -> None:
    losses = {}
    for device in DEVICES:
        run = tmp_path / device
        _run(wsss, *train_arguments(voc, run), "--method", method, "--device", device,
             "--iterations", 10, "--lr", 0.001)  # fmt: skip
        losses[device] = logged(run / "train")[-1]["losses"]
    assert losses["cuda"] == pytest.approx(losses["cpu"], rel=0.05)


def test_a_stopped_training_goes_on_to_the_same_losses(
    voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The optimiser's state goes back to the card; sums of gradients may differ in rounding."""
    whole, stopped = (
        TrainConfig(run=tmp_path / name, data=voc.root, backbone="tiny", iterations=10, amp="off",
                    batch_size=4, crop=32, lr=0.001, device="cuda", checkpoint_every=6)
        for name in ("whole", "stopped")
    )  # fmt: skip
    train.run(whole, track=Silent())
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Trainer, "save", _save_and_stop(Trainer.save))
        train.run(stopped, track=Silent())
    train.run(stopped, track=Silent())
    one, other = (logged(run.run / "train")[-1]["losses"] for run in (whole, stopped))
    assert other == pytest.approx(one, rel=1e-3)


def _save_and_stop(save: Callable[[Trainer], None]) -> Callable[[Trainer], None]:
    def stop(trainer: Trainer) -> None:
        save(trainer)
        raise KeyboardInterrupt

    return stop


def test_the_crf_gives_the_labels_of_the_cpu(
    wsss: Command, voc: TinyVoc, lively_checkpoint: Path, tmp_path: Path
) -> None:
    attention = _attended(wsss, voc, lively_checkpoint, tmp_path / "attended", "cpu")
    folders = []
    for device in DEVICES:
        run = tmp_path / device
        _run(wsss, "proxy", "--data", voc.root, "--attention", attention, "--run", run,
             "--saliency", voc.saliency, "--crf", "largefov", "--device", device)  # fmt: skip
        folders.append(run / "proxy/labels")
    assert _agreement(*folders) > 0.999


def test_the_segmentation_predicts_what_it_does_on_the_cpu(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    trained = tmp_path / "trained"
    _run(wsss, "segment", "--data", voc.root, "--run", trained, "--supervision", "full",
         "--model", "tiny", "--iterations", 4, "--batch-size", 2, "--crop", 33, "--device", "cuda",
         "--scales", 1)  # fmt: skip
    folders = []
    for device in DEVICES:
        run = tmp_path / device
        _run(wsss, "segment", "--data", voc.root, "--run", run, "--amp", "off", "--scales", 1,
             "--checkpoint", trained / "segment/checkpoint.pt", "--device", device)  # fmt: skip
        folders.append(run / "segment/predictions")
    assert _agreement(*folders) > 0.99
