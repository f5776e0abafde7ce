"""``wsss crf --uncertainty`` and ``wsss segment --pixel-weights``: made, resumed, learned with."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import HEIGHT, WIDTH, Command, TinyVoc
from PIL import Image

from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.configs.crf import PRESETS
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.data.images import read_image
from wsss_cli.ops.pixel_weights import crf_uncertainty, pixel_weights
from wsss_cli.stages import segment
from wsss_cli.stages.segment import training
from wsss_cli.tracking import Silent

SHORT = ["--model", "tiny", "--iterations", "2", "--batch-size", "2", "--crop", "32"]
SHORT += ["--amp", "off", "--scales", "1", "--no-flip"]


def _pngs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def _grey(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == "L"
        return np.array(image)


@pytest.fixture
def soft(voc: TinyVoc, tmp_path: Path) -> Path:
    """Smooth probabilities of the validation images, which change sides here and there."""
    folder = tmp_path / "soft"
    folder.mkdir()
    for seed, image_id in enumerate(voc.val_ids):
        coarse = 1.5 * torch.randn(1, 4, 4, 5, generator=torch.Generator().manual_seed(seed))
        smooth = torch.nn.functional.interpolate(coarse, (HEIGHT, WIDTH), mode="bicubic")[0]
        np.save(folder / f"{image_id}.npy", smooth.softmax(dim=0).numpy())
    return folder


def test_weights_are_those_of_the_soft_maps(
    wsss: Command, voc: TinyVoc, soft: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    line = ["crf", "--scores", soft, "--data", voc.root, "--run", run, "--preset", "irn", "--json"]
    outcome = wsss(*line, "--uncertainty")
    assert outcome.code == 0, outcome.err
    assert outcome.values["weights"] == str(run / "crf" / "weights")
    explained = wsss("show", run / "crf" / "weights" / f"{voc.val_ids[0]}.png", "--json").values
    assert "--pixel-weights" in explained["what"]
    assert "mean" in explained["facts"]
    low = 0
    for image_id in voc.val_ids:
        probabilities = torch.from_numpy(np.load(soft / f"{image_id}.npy"))
        photograph = torch.from_numpy(read_image(voc.image(image_id)))
        weights = pixel_weights(crf_uncertainty(probabilities, photograph, PRESETS["irn"]))
        grey = _grey(run / "crf" / "weights" / f"{image_id}.png")
        assert np.array_equal(grey, np.where(weights.numpy() == 1, 255, 13))
        low += int((grey == 13).sum())
    assert low > 0
    assert wsss("show", run, "--json").values["stages"]["crf"]["status"] == "complete"


def test_weights_are_added_to_a_finished_result_and_resumed(
    wsss: Command, voc: TinyVoc, soft: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    line = ["crf", "--scores", soft, "--data", voc.root, "--run", run, "--json"]
    assert wsss(*line, "--preset", "oaa").code == 0
    labels, before = _pngs(run / "crf" / "labels"), read_manifest(run / "crf")
    more = ["crf", "--uncertainty", "--run", run, "--json"]  # with the preset it was made with
    added = wsss(*more)
    assert (added.code, added.values["status"]) == (0, "complete"), added.err
    weights = _pngs(run / "crf" / "weights")
    assert weights.keys() == {f"{image_id}.png" for image_id in voc.val_ids}
    assert _pngs(run / "crf" / "labels") == labels
    assert read_manifest(run / "crf")["fingerprint"] == before["fingerprint"]
    assert wsss(*more).values["status"] == "up to date"
    (run / "crf" / "weights" / f"{voc.val_ids[1]}.png").unlink()
    assert wsss(*more).values["status"] == "complete"
    assert _pngs(run / "crf" / "weights") == weights
    again = wsss(*line, "--uncertainty", "--preset", "irn", "--overwrite")
    assert again.code == 0, again.err
    assert _pngs(run / "crf" / "weights") != weights


@pytest.fixture
def weights(voc: TinyVoc, chained: Path, tmp_path: Path) -> Path:
    """A weight for each proxy label of the training images."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for image_id in voc.train_ids:
        labels = read_label_map(chained / "proxy" / "labels" / f"{image_id}.png")
        grey = np.array([255, 40, 90, 140], np.uint8)[np.where(labels == 255, 0, labels)]
        Image.fromarray(grey).save(folder / f"{image_id}.png")
    return folder


def test_every_pixel_is_learned_with_its_own_weight(
    voc: TinyVoc,
    chained: Path,
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    real = training.segmentation_loss

    def spy(
        logits: torch.Tensor, label_maps: torch.Tensor, pixel_weights: torch.Tensor
    ) -> torch.Tensor:
        seen.append((label_maps, pixel_weights))
        return real(logits, label_maps, pixel_weights)

    monkeypatch.setattr(training, "segmentation_loss", spy)
    config = SegmentConfig(
        run=tmp_path / "run",
        data=voc.root,
        proxy=chained / "proxy" / "labels",
        pixel_weights=weights,
        model="tiny",
        iterations=4,
        batch_size=3,
        crop=40,
    )
    segment.run(config, track=Silent())
    assert len(seen) == 4
    of_label = torch.tensor([255, 40, 90, 140]) / 255
    for label_maps, factors in seen:
        learned = label_maps != 255
        assert torch.equal(factors[learned], of_label[label_maps[learned]])
        assert len(label_maps[learned].unique()) > 1


def test_weights_are_an_input_of_the_result(
    wsss: Command, voc: TinyVoc, chained: Path, weights: Path, tmp_path: Path
) -> None:
    line = ["segment", "--data", voc.root, "--proxy", chained / "proxy" / "labels", *SHORT]
    plain, weighted = tmp_path / "plain", tmp_path / "weighted"
    assert wsss(*line, "--run", plain).code == 0
    assert "pixel_weights" not in read_manifest(plain / "segment")["inputs"]
    asked = [*line, "--run", weighted, "--pixel-weights", weights]
    first = wsss(*asked, "--json")
    assert first.code == 0, first.err
    networks = [run / "segment" / "checkpoint.pt" for run in (plain, weighted)]
    assert networks[0].read_bytes() != networks[1].read_bytes()
    assert wsss(*asked, "--json").values["status"] == "up to date"

    def state() -> str:
        inputs = wsss("show", weighted, "--json").values["stages"]["segment"]["inputs"]
        return str(inputs["pixel_weights"]["state"])

    assert state() == "same"
    changed = weights / f"{voc.train_ids[0]}.png"
    Image.fromarray(255 - _grey(changed)).save(changed)
    assert state() == "changed"
    refused = wsss(*asked)
    assert (refused.code, "pixel_weights" in refused.err) == (2, True)


def test_weights_of_other_formats_are_learned_with_as_saliency_maps_are(
    wsss: Command, voc: TinyVoc, chained: Path, weights: Path, tmp_path: Path
) -> None:
    line = ["segment", "--data", voc.root, "--proxy", chained / "proxy" / "labels", *SHORT]
    assert wsss(*line, "--run", tmp_path / "png", "--pixel-weights", weights).code == 0
    for path in list(weights.iterdir()):
        Image.fromarray(_grey(path)).save(path.with_suffix(".bmp"))
        path.unlink()
    other = tmp_path / "bmp"
    assert wsss(*line, "--run", other, "--pixel-weights", weights).code == 0
    checkpoints = [run / "segment" / "checkpoint.pt" for run in (tmp_path / "png", other)]
    assert checkpoints[0].read_bytes() == checkpoints[1].read_bytes()
    inputs = wsss("show", other, "--json").values["stages"]["segment"]["inputs"]
    assert inputs["pixel_weights"]["state"] == "same"


def test_prohibitive_labels_are_not_weighted(
    voc: TinyVoc, chained: Path, weights: Path, tmp_path: Path
) -> None:
    for path in weights.iterdir():
        Image.fromarray(np.full_like(_grey(path), 255)).save(path)
    common = {"data": voc.root, "proxy": chained / "proxy" / "labels", "model": "tiny"}
    common |= {"iterations": 10, "batch_size": 2, "crop": 32, "amp": "off", "prohibitive": True}
    common |= {"attention": chained / "attend" / "attention.h5"}
    losses = [
        segment.run(SegmentConfig(run=tmp_path / name, **common, **own), track=Silent()).values[
            "losses"
        ]
        for name, own in (("plain", {}), ("weighted", {"pixel_weights": weights}))
    ]
    assert losses[0].keys() == {"segmentation", "prohibitive"}
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_weights_that_cannot_be_meant_are_refused_in_one_sentence(
    wsss: Command, voc: TinyVoc, chained: Path, weights: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    line = ["segment", "--data", voc.root, "--proxy", chained / "proxy" / "labels", *SHORT]
    line += ["--run", run, "--pixel-weights", weights]

    def refused(code: int, *facts: str, more: tuple[object, ...] = ()) -> None:
        outcome = wsss(*line, *more)
        assert outcome.code == code, outcome.err
        said = outcome.err.splitlines()[-1]
        assert said.startswith("error: ")
        assert all(fact in said for fact in facts), said
        assert not run.exists()

    path = weights / f"{voc.train_ids[2]}.png"
    kept = path.read_bytes()
    trained = ("--checkpoint", chained / "segment" / "checkpoint.pt")
    refused(2, "--pixel-weights", "--checkpoint", more=trained)
    path.unlink()
    refused(1, "--pixel-weights", voc.train_ids[2])
    Image.fromarray(np.full((30, 40), 255, np.uint8)).save(path)
    refused(1, str(path), "40 x 30", "64 x 48")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)).save(path)
    refused(1, str(path), "colour")
    path.write_bytes(kept[:50])
    refused(1, str(path))
    for each in weights.iterdir():
        Image.fromarray(np.ones((48, 64), np.uint8)).save(each)
    refused(1, "--pixel-weights", "1 of 255")
    shutil.rmtree(weights)
    refused(2, "--pixel-weights")
