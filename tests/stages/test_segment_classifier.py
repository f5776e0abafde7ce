"""``--classifier``: an attention network weighs the classes of a segmentation network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CLASSES, Command, TinyVoc
from new_photographs import photograph, segmentation_checkpoint

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.checkpoint import read_checkpoint, write_checkpoint
from wsss_cli.artifacts.score_file import ScoreFile
from wsss_cli.cli.rounds_file import read_rounds
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.rounds import RoundsConfig
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.ops.presence import weighted_by_presence
from wsss_cli.stages import attend, segment
from wsss_cli.tracking import Silent


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return segmentation_checkpoint(tmp_path_factory.mktemp("network") / "checkpoint.pt")


@pytest.fixture(scope="module")
def decided(lively_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier that is sure of the first class everywhere, and that no other is there."""
    content = read_checkpoint(lively_checkpoint, "attention")
    for name, tensor in content["network"].items():
        if name.endswith("score.bias"):
            tensor.copy_(torch.tensor([500.0, -500.0, -500.0]))
    path = tmp_path_factory.mktemp("decided") / "checkpoint.pt"
    write_checkpoint(path, "attention", content)
    return path


def _scores(path: Path) -> dict[str, np.ndarray]:
    with ScoreFile(path, CLASSES) as file:
        return {i: file.read(i).scores.astype(np.float64) for i in file.image_ids}


def test_probabilities_of_classes_are_multiplied_by_those_of_the_image() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = 4 * torch.randn(4, 5, 6, generator=generator)
    classes = torch.tensor([-120.0, 0.3, 5.0])
    expected = np.exp(labels.double().numpy())
    for number, logit in enumerate(classes.double().numpy(), start=1):
        expected[number] *= 1 / (1 + np.exp(-logit))
    expected /= expected.sum(axis=0)
    found = weighted_by_presence(labels, classes).softmax(dim=0)
    torch.testing.assert_close(found.double(), torch.from_numpy(expected), rtol=1e-4, atol=1e-12)


def test_segment_weighs_by_the_logits_that_attend_writes(
    voc: TinyVoc, checkpoint: Path, lively_checkpoint: Path, tmp_path: Path
) -> None:
    attention = AttendConfig(
        run=tmp_path / "seen", data=voc.root, checkpoint=lively_checkpoint, split="val", amp="off"
    )
    attend.run(attention, track=Silent())
    scores = {}
    for name, classifier in (("plain", None), ("weighed", lively_checkpoint)):
        config = SegmentConfig(
            run=tmp_path / name,
            data=voc.root,
            checkpoint=checkpoint,
            classifier=classifier,
            amp="off",
            probabilities=True,
        )
        segment.run(config, track=Silent())
        scores[name] = _scores(config.run / "segment" / "scores.h5")
    with AttentionFile(tmp_path / "seen" / "attend" / "attention.h5", CLASSES) as file:
        for image_id, plain in scores["plain"].items():
            logits = file.outline(image_id).logits
            assert logits is not None
            expected = np.exp(plain)
            expected[1:] /= 1 + np.exp(-logits.astype(np.float64))[:, None, None]
            expected /= expected.sum(axis=0)
            np.testing.assert_allclose(np.exp(scores["weighed"][image_id]), expected, atol=5e-3)
            assert np.abs(np.exp(plain) - expected).max() > 0.05


def test_predict_weighs_as_segment_does(
    wsss: Command, voc: TinyVoc, checkpoint: Path, lively_checkpoint: Path, tmp_path: Path
) -> None:
    options = ("--classifier", lively_checkpoint, "--amp", "off")
    base = ("segment", "--data", voc.root, "--run", tmp_path / "run", "--checkpoint", checkpoint)
    assert wsss(*base, *options).code == 0
    paths = [voc.image(image_id) for image_id in voc.val_ids]
    out = tmp_path / "out"
    done = wsss("predict", checkpoint, *paths, "--out", out, *options)
    assert done.code == 0, done.err
    for image_id in voc.val_ids:
        of_segment = tmp_path / "run" / "segment" / "predictions" / f"{image_id}.png"
        assert (out / f"{image_id}.png").read_bytes() == of_segment.read_bytes()


def test_classes_that_are_surely_absent_are_not_predicted(
    wsss: Command, checkpoint: Path, decided: Path, tmp_path: Path
) -> None:
    picture = photograph(tmp_path / "a.jpg")
    found = {}
    for name, options in (("plain", ()), ("weighed", ("--classifier", decided))):
        done = wsss("predict", checkpoint, picture, "--out", tmp_path / name, "--json", *options)
        assert done.code == 0, done.err
        found[name] = {each["name"] for each in done.values["pictures"][0]["classes"]}
    assert found["plain"] - {CLASSES[0]}
    assert found["weighed"] <= {CLASSES[0]}


def test_another_classifier_is_another_result(
    wsss: Command,
    voc: TinyVoc,
    checkpoint: Path,
    lively_checkpoint: Path,
    decided: Path,
    tmp_path: Path,
) -> None:
    picture = photograph(tmp_path / "a.jpg")
    segmenting = ("segment", "--data", voc.root, "--checkpoint", checkpoint, "--run", tmp_path)
    predicting = ("predict", checkpoint, picture, "--out", tmp_path / "out")
    for command in (segmenting, predicting):
        assert wsss(*command, "--classifier", lively_checkpoint).code == 0
        assert wsss(*command, "--classifier", lively_checkpoint).code == 0
        for other in ((), ("--classifier", decided)):
            refused = wsss(*command, *other)
            assert refused.code == 2, refused.err
            assert "--overwrite" in refused.err


def test_what_cannot_classify_is_refused(
    wsss: Command, voc: TinyVoc, checkpoint: Path, lively_checkpoint: Path, tmp_path: Path
) -> None:
    content = read_checkpoint(lively_checkpoint, "attention")
    other = tmp_path / "other.pt"
    write_checkpoint(other, "attention", {**content, "class_names": ["cat", "dog", "cross"]})
    diverged = tmp_path / "diverged.pt"
    nothing = {n: t * float("nan") if "score" in n else t for n, t in content["network"].items()}
    write_checkpoint(diverged, "attention", {**content, "network": nothing})
    picture = photograph(tmp_path / "a.jpg")
    segmenting = ("segment", "--data", voc.root, "--checkpoint", checkpoint, "--run", tmp_path)
    predicting = ("predict", checkpoint, picture, "--out", tmp_path / "out")
    for command in (segmenting, predicting):
        for classifier, words in (
            (other, ("cat", "square")),
            (checkpoint, (str(checkpoint), "segmentation")),
            (tmp_path / "gone.pt", ("gone.pt", "does not exist")),
            (picture, ("a.jpg",)),
            (tmp_path, ("is a folder",)),
        ):
            refused = wsss(*command, "--classifier", classifier)
            assert refused.code in (1, 2), refused.err
            assert all(word in refused.err for word in words), refused.err
            assert "Traceback" not in refused.err
    told = wsss(*segmenting, "--classifier", lively_checkpoint, "--restrict-to-labels")
    assert told.code == 2
    assert "--restrict-to-labels" in told.err
    attention = wsss(
        *("predict", lively_checkpoint, picture, "--out", tmp_path / "maps"),
        *("--classifier", lively_checkpoint),
    )
    assert attention.code == 2
    assert "--classifier" in attention.err
    assert not any((tmp_path / name).exists() for name in ("segment", "out", "maps"))
    for command in (segmenting, predicting):  # only a photograph shows this
        refused = wsss(*command, "--classifier", diverged)
        assert refused.code == 1, refused.err
        assert "its training diverged" in refused.err


def test_rounds_weigh_what_is_scored_and_not_what_is_learned_from(
    voc: TinyVoc, tmp_path: Path, lively_checkpoint: Path
) -> None:
    file = tmp_path / "rounds.toml"
    file.write_text(
        f"[train]\nbackbone = 'tiny'\n[segment]\nclassifier = '{lively_checkpoint}'\n[[relabel]]\n"
    )
    rounds = read_rounds(RoundsConfig(file=file, out=tmp_path / "out", data=voc.root))
    segments = [link.config for each in rounds for link in each.links if link.stage == "segment"]
    weighed = [config.classifier is not None for config in segments]
    told = [config.restrict_to_labels for config in segments]
    assert (weighed, told) == ([True, False, True], [False, True, False])


@pytest.mark.parametrize("where", ["[segment]\n", "[[relabel]]\nsegment."])
def test_rounds_refuse_a_wrong_classifier_before_any_work(
    wsss: Command, voc: TinyVoc, checkpoint: Path, tmp_path: Path, where: str
) -> None:
    file, out = tmp_path / "rounds.toml", tmp_path / "out"
    file.write_text(f"[train]\nbackbone = 'tiny'\n{where}classifier = '{checkpoint}'\n")
    if "relabel" not in where:
        file.write_text(file.read_text() + "[[relabel]]\n")
    refused = wsss("rounds", file, "--data", voc.root, "--out", out, "--saliency", voc.saliency)
    assert refused.code in (1, 2), refused.err
    assert "checkpoint for segmentation" in refused.err
    assert not out.exists()


def test_dry_run_names_the_classifier_and_counts_its_passes(
    wsss: Command, voc: TinyVoc, checkpoint: Path, lively_checkpoint: Path, tmp_path: Path
) -> None:
    weigh = ("--classifier", lively_checkpoint, "--dry-run", "--json")
    segmenting = ("segment", "--data", voc.root, "--checkpoint", checkpoint, "--run", tmp_path)
    predicting = ("predict", checkpoint, photograph(tmp_path / "a.jpg"), "--out", tmp_path / "out")
    for command in (segmenting, predicting):
        told = wsss(*command, *weigh)
        assert told.code == 0, told.err
        assert told.values["classifier"] == str(lively_checkpoint)
