"""Predictions and their soft scores: they agree, survive stops, and one can follow the other."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Command, TinyVoc, classes_of

from wsss_cli.artifacts.checkpoint import read_checkpoint, write_checkpoint
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.artifacts.score_file import ImageScores, ScoreFile
from wsss_cli.configs.crf import PRESETS
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.data.images import read_image
from wsss_cli.errors import WsssError
from wsss_cli.ops.dense_crf import dense_crf
from wsss_cli.ops.score_grid import label_probabilities
from wsss_cli.stages import segment
from wsss_cli.stages.segment import prediction
from wsss_cli.tracking import Silent


@pytest.fixture(scope="module")
def checkpoint(voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with random scores, which sees every class somewhere."""
    run = tmp_path_factory.mktemp("segmented")
    small: dict[str, Any] = {"model": "tiny", "iterations": 1, "batch_size": 2, "crop": 32}
    segment.run(
        SegmentConfig(run=run, data=voc.root, supervision="full", amp="off", **small),
        track=Silent(),
    )
    path = run / "segment" / "checkpoint.pt"
    content = read_checkpoint(path, "segmentation")
    weight = content["network"]["classifier.score.weight"]
    weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)))
    write_checkpoint(path, "segmentation", content)
    return path


def _config(voc: TinyVoc, checkpoint: Path, run: Path, **settings: Any) -> SegmentConfig:
    return SegmentConfig(
        run=run, data=voc.root, checkpoint=checkpoint, split="val", amp="off", **settings
    )


def _predictions(run: Path) -> dict[str, np.ndarray]:
    folder = run / "segment" / "predictions"
    return {path.stem: read_label_map(path) for path in sorted(folder.glob("*.png"))}


def _scores(run: Path) -> dict[str, ImageScores]:
    with ScoreFile(run / "segment" / "scores.h5") as file:
        return {image_id: file.read(image_id) for image_id in file.image_ids}


def _probabilities(image: ImageScores) -> torch.Tensor:
    return label_probabilities(torch.from_numpy(image.scores), image.size)


def _bytes(run: Path) -> dict[str, bytes]:
    names = ("predictions/*.png", "scores.h5", "shards/*")
    paths = (path for name in names for path in (run / "segment").glob(name))
    return {path.name: path.read_bytes() for path in paths}


class Stopping(Silent):
    """Stops the work when so many steps have been taken."""

    def __init__(self, after: int) -> None:
        self.after = after

    def steps(self, items: Iterable[Any], **_: Any) -> Iterator[Any]:
        for number, item in enumerate(items):
            if number == self.after:
                raise KeyboardInterrupt
            yield item


@pytest.mark.parametrize(
    "settings",
    [{}, {"scales": (1.0,), "flip": False}, {"merge": "max"}, {"restrict_to_labels": True}],
)
def test_label_maps_are_the_most_probable_labels_of_the_stored_scores(
    voc: TinyVoc, checkpoint: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    config = _config(voc, checkpoint, tmp_path / "run", probabilities=True, **settings)
    segment.run(config, track=Silent())
    predictions, scores = _predictions(tmp_path / "run"), _scores(tmp_path / "run")
    assert list(predictions) == list(scores) == voc.val_ids
    for image_id, prediction_ in predictions.items():
        found = _probabilities(scores[image_id]).argmax(dim=0).numpy()
        assert np.array_equal(found, prediction_)
    assert len(np.unique(np.stack(list(predictions.values())))) > 2
    without = replace(config, run=tmp_path / "without", probabilities=False)
    segment.run(without, track=Silent())
    for image_id, prediction_ in _predictions(tmp_path / "without").items():
        assert np.array_equal(prediction_, predictions[image_id])
    assert not (tmp_path / "without" / "segment" / "scores.h5").exists()


def test_labels_that_an_image_cannot_have_are_marked_in_its_scores(
    voc: TinyVoc, checkpoint: Path, tmp_path: Path
) -> None:
    config = _config(voc, checkpoint, tmp_path, probabilities=True, restrict_to_labels=True)
    segment.run(config, track=Silent())
    for index, image_id in enumerate(voc.val_ids, start=len(voc.train_ids)):
        possible = [0, *(column + 1 for column in classes_of(index))]
        scores = _scores(tmp_path)[image_id].scores
        for label in range(4):
            everywhere = np.isfinite(scores[label]) if label in possible else scores[label] < -1e9
            assert everywhere.all()
        assert np.allclose(np.exp(scores).sum(axis=0), 1, atol=5e-3)


def test_scores_asked_for_later_are_made_later(
    wsss: Command, voc: TinyVoc, checkpoint: Path, tmp_path: Path
) -> None:
    asked = ["segment", "--data", voc.root, "--checkpoint", checkpoint, "--scales", 1]
    asked += ["--amp", "off", "--run"]
    assert wsss(*asked, tmp_path / "once", "--probabilities").code == 0
    later = [*asked, tmp_path / "later"]
    assert wsss(*later).code == 0
    outcome = wsss(*later, "--probabilities", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.values["status"] == "complete"
    assert Path(outcome.values["scores"]) == tmp_path / "later" / "segment" / "scores.h5"
    assert _bytes(tmp_path / "later") == _bytes(tmp_path / "once")
    for again in (later, [*later, "--probabilities"]):
        assert wsss(*again, "--json").values["status"] == "up to date"
    (tmp_path / "later" / "segment" / "shards" / "00000.h5").unlink()
    assert wsss(*later, "--json").values["status"] == "up to date"
    assert wsss(*later, "--probabilities", "--json").values["status"] == "complete"
    assert _bytes(tmp_path / "later") == _bytes(tmp_path / "once")


def test_scores_belong_to_their_predictions_and_go_with_them(
    wsss: Command, voc: TinyVoc, checkpoint: Path, tmp_path: Path
) -> None:
    asked = ["segment", "--data", voc.root, "--checkpoint", checkpoint, "--scales", 1]
    asked += ["--amp", "off", "--run", tmp_path]
    assert wsss(*asked, "--probabilities").code == 0
    refused = wsss(*asked, "--probabilities", "--no-flip")
    assert refused.code == 2
    assert "flip True there, False now" in refused.err
    assert wsss(*asked, "--no-flip", "--overwrite").code == 0
    assert not list((tmp_path / "segment" / "shards").glob("*"))
    assert not (tmp_path / "segment" / "scores.h5").exists()


@pytest.mark.parametrize("stop", [0, 1, 3])
def test_stopped_prediction_ends_with_the_same_bytes(
    voc: TinyVoc,
    checkpoint: Path,
    tmp_path: Path,
    stop: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prediction, "SHARD_IMAGES", 2)
    config = _config(voc, checkpoint, tmp_path / "whole", probabilities=True, scales=(1.0,))
    segment.run(config, track=Silent())
    stopped = replace(config, run=tmp_path / "stopped")
    with pytest.raises(KeyboardInterrupt):
        segment.run(stopped, track=Stopping(stop))
    assert not (tmp_path / "stopped" / "segment" / "scores.h5").exists()
    segment.run(stopped, track=Silent())
    whole = _bytes(tmp_path / "whole")
    assert _bytes(tmp_path / "stopped") == whole
    assert sorted(name for name in whole if name.startswith("000")) == ["00000.h5", "00001.h5"]


def test_shards_hold_no_more_than_their_bytes(
    voc: TinyVoc, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = 2 * 4 * 7 * 9  # float16, labels, the grid of 48 x 64 pixels
    monkeypatch.setattr(prediction, "SHARD_BYTES", 3 * one + 3)
    config = _config(voc, checkpoint, tmp_path, probabilities=True, scales=(1.0,))
    segment.run(config, track=Silent())
    assert len(list((tmp_path / "segment" / "shards").glob("*.h5"))) == 2  # of 3 and 1
    assert list(_scores(tmp_path)) == voc.val_ids
    monkeypatch.setattr(prediction, "SHARD_BYTES", 1)  # less than one: still one each
    single = replace(config, run=tmp_path / "single")
    segment.run(single, track=Silent())
    assert len(list((tmp_path / "single" / "segment" / "shards").glob("*.h5"))) == 4


@pytest.mark.parametrize("restricted", [False, True])
def test_refined_predictions_are_the_best_of_the_crf(
    voc: TinyVoc, checkpoint: Path, tmp_path: Path, restricted: bool
) -> None:
    config = _config(
        voc,
        checkpoint,
        tmp_path / "refined",
        crf="irn",
        scales=(1.0,),
        probabilities=True,
        restrict_to_labels=restricted,
    )
    segment.run(config, track=Silent())
    segment.run(replace(config, run=tmp_path / "raw", crf=None), track=Silent())
    refined, raw = _predictions(tmp_path / "refined"), _predictions(tmp_path / "raw")
    changed = 0
    for image_id, image in _scores(tmp_path / "refined").items():
        photograph = torch.from_numpy(read_image(voc.image(image_id)))
        best = dense_crf(_probabilities(image), photograph, PRESETS["irn"]).argmax(dim=0)
        assert np.array_equal(refined[image_id], best.numpy())
        changed += int((refined[image_id] != raw[image_id]).sum())
    assert changed > 100


def test_way_of_merging_is_no_setting_of_a_single_view(
    wsss: Command, voc: TinyVoc, checkpoint: Path, tmp_path: Path
) -> None:
    asked = ["segment", "--data", voc.root, "--checkpoint", checkpoint, "--run", tmp_path]
    asked += ["--amp", "off", "--scales", 1, "--no-flip", "--json"]
    assert wsss(*asked).code == 0
    assert wsss(*asked, "--merge", "max").values["status"] == "up to date"


def test_spoilt_scores_are_named_and_made_again_once_removed(
    voc: TinyVoc, checkpoint: Path, tmp_path: Path
) -> None:
    config = _config(voc, checkpoint, tmp_path, scales=(1.0,), probabilities=True)
    segment.run(config, track=Silent())
    before = _bytes(tmp_path)
    shard = tmp_path / "segment" / "shards" / "00000.h5"
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(WsssError, match=r"00000\.h5: .*remove it and run `wsss segment --prob"):
        _scores(tmp_path)
    shard.unlink()
    left = shard.with_name(".00000.h5.1.partial")  # by a kill
    left.write_bytes(b"")
    assert not segment.run(config, track=Silent()).up_to_date
    assert _bytes(tmp_path) == before


def test_settings_of_a_training_say_nothing_of_a_given_network(
    voc: TinyVoc, checkpoint: Path, tmp_path: Path
) -> None:
    def fingerprint(**settings: Any) -> str:
        config = _config(voc, checkpoint, tmp_path, **settings)
        return segment.prepare(config, Silent()).directory.fingerprint

    plain = fingerprint()
    assert fingerprint(iterations=7, lr=0.5, crop=99, seed=3, prohibitive=True) == plain
    assert fingerprint(scales=(1.0,)) != plain
    assert fingerprint(crf="irn") != plain
