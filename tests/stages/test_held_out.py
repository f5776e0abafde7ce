"""``wsss train`` says how well it goes: mAP without masks, and the loss beside knowing nothing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import CLASSES, Command, TinyVoc, draw_voc, logged

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.train import TrainConfig
from wsss_cli.data.voc import VocDataSet
from wsss_cli.errors import UsageError
from wsss_cli.metrics.classification import mean_average_precision
from wsss_cli.ops.losses import frequency_loss, multilabel_loss
from wsss_cli.stages import attend, train
from wsss_cli.stages.train.held_out import Classification, Measuring
from wsss_cli.tracking import Silent

SETTINGS = "--backbone tiny --method cam --batch-size 8 --crop 48 --lr 0.02 --amp off"


class _Notes(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, message: str) -> None:
        self.said.append(message)


def _config(voc: TinyVoc, run: Path, **settings: Any) -> TrainConfig:
    usual = {"method": "cam", "iterations": 4, "batch_size": 8, "crop": 48, "lr": 0.02}
    where = {"run": run, "data": voc.root, "backbone": "tiny", "amp": "off"}
    return TrainConfig(**{**where, **usual, **settings})


def _without_val(voc: TinyVoc) -> TinyVoc:
    voc.split("val").unlink()
    return voc


@pytest.fixture(scope="module")
def undivided(tmp_path_factory: pytest.TempPathFactory) -> TinyVoc:
    """Sixty images in one list."""
    return _without_val(draw_voc(tmp_path_factory.mktemp("undivided"), train=60, val=0))


def test_map_is_taken_on_val_without_masks_and_all_of_train_is_learned_from(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path
) -> None:
    for image_id in (*own_voc.train_ids, *own_voc.val_ids):
        own_voc.mask(image_id).unlink()
    arguments = ["train", "--data", own_voc.root, *SETTINGS.split(), "--iterations", "20"]
    outcome = wsss(*arguments, "--run", tmp_path / "run", "--json")
    assert outcome.code == 0, outcome.err
    values = outcome.values
    assert values["images"] == len(own_voc.train_ids)
    assert values["held_out_images"] == len(own_voc.val_ids)
    assert 0 <= values["held_out_map"] <= 1
    measured = values["classification"]
    assert (measured["list"], measured["held_out"]) == ("val", True)
    assert measured["map"] == values["held_out_map"]
    assert set(measured["per_class"]) == set(CLASSES)
    assert "mAP" in outcome.err
    text = wsss(*arguments, "--run", tmp_path / "run").out
    assert f"mAP {100 * measured['map']:.1f}" in text


@pytest.mark.parametrize("method", ["gain", "seenet"])
def test_measuring_on_val_leaves_the_training_to_the_byte(
    voc: TinyVoc, tmp_path: Path, method: str
) -> None:
    measured = _config(voc, tmp_path / "measured", method=method, iterations=20, batch_size=4)
    silent = replace(measured, run=tmp_path / "silent", held_out=0.0)
    assert "classification" in train.run(measured, track=Silent()).values
    assert "classification" not in train.run(silent, track=Silent()).values
    ours, theirs = (config.run / "train" / "checkpoint.pt" for config in (measured, silent))
    assert ours.read_bytes() == theirs.read_bytes()


def test_map_is_that_of_the_logits_that_attend_stores(voc: TinyVoc, tmp_path: Path) -> None:
    values = train.run(_config(voc, tmp_path, iterations=30), track=Silent()).values
    attend.run(AttendConfig(run=tmp_path, split="val", size=48, amp="off"), track=Silent())
    with AttentionFile(tmp_path / "attend" / "attention.h5") as file:
        outlines = [file.outline(image_id) for image_id in voc.val_ids]
    logits = torch.from_numpy(np.stack([outline.logits for outline in outlines]))
    labels = torch.zeros(len(outlines), len(CLASSES))
    for row, outline in enumerate(outlines):
        labels[row, [int(class_id) - 1 for class_id in outline.class_ids]] = 1
    assert values["held_out_map"] == pytest.approx(mean_average_precision(logits, labels), abs=1e-5)


def test_map_is_logged_at_intervals_and_a_stopped_training_logs_the_same(
    voc: TinyVoc, tmp_path: Path
) -> None:
    class Stops(Silent):
        def note(self, message: str) -> None:
            if "iteration 20:" in message:
                raise RuntimeError("stopped")

    config = _config(voc, tmp_path / "whole", iterations=40, checkpoint_every=7, crop=32)
    notes = _Notes()
    values = train.run(config, track=notes).values
    lines = logged(config.run / "train")
    maps = {
        line["iteration"]: line["classification_map"]
        for line in lines
        if "classification_map" in line
    }
    assert set(maps) >= {20, 40}
    assert maps[40] == pytest.approx(values["held_out_map"], abs=1e-6)
    assert sum("mAP" in said for said in notes.said) >= len(maps)
    stopped = replace(config, run=tmp_path / "stopped")
    with pytest.raises(RuntimeError, match="stopped"):
        train.run(stopped, track=Stops())
    again = train.run(stopped, track=Silent())
    assert logged(stopped.run / "train") == lines
    kept = ("classification", "held_out_map", "frequency_loss", "classification_loss")
    assert [again.values[name] for name in kept] == [values[name] for name in kept]
    ours, theirs = (one.run / "train" / "checkpoint.pt" for one in (config, stopped))
    assert ours.read_bytes() == theirs.read_bytes()


def test_a_tenth_is_held_out_where_there_is_one_list_and_attend_covers_it(
    undivided: TinyVoc, tmp_path: Path
) -> None:
    config = _config(undivided, tmp_path)
    values = train.run(config, track=Silent()).values
    assert (values["images"], values["held_out_images"]) == (54, 6)
    assert values["classification"]["list"] == "train"
    assert train.run(config, track=Silent()).up_to_date
    attend.run(AttendConfig(run=tmp_path, size=48, amp="off"), track=Silent())
    with AttentionFile(tmp_path / "attend" / "attention.h5") as file:
        assert len(file.image_ids) == 60


def test_held_out_images_are_not_learned_from(
    undivided: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[str] = set()
    original = VocDataSet.read_image

    def reading(voc: VocDataSet, image_id: str) -> Any:
        seen.add(image_id)
        return original(voc, image_id)

    monkeypatch.setattr(VocDataSet, "read_image", reading)
    monkeypatch.setattr(Measuring, "measure", lambda *_: Classification(0.5, {}))
    plan = train.prepare(_config(undivided, tmp_path, iterations=20), Silent())
    assert plan.measured is not None
    train.run(plan.config, track=Silent())
    held = set(plan.measured.image_ids)
    assert len(held) == 6
    assert seen == set(undivided.train_ids) - held


def test_finished_training_of_before_stays_up_to_date(undivided: TinyVoc, tmp_path: Path) -> None:
    """With ``--held-out 0`` settings and fingerprint are those of before there was the option."""
    before = _config(undivided, tmp_path, held_out=0.0)
    plan = train.prepare(before, Silent())
    assert "held_out" not in plan.directory.settings
    assert train.run(before, track=Silent()).values["images"] == 60
    unsaid = replace(before, held_out=None)
    assert train.run(unsaid, track=Silent()).up_to_date
    with pytest.raises(UsageError, match="held_out"):
        train.run(replace(before, held_out=0.2), track=Silent())
    values = train.run(replace(unsaid, overwrite=True), track=Silent()).values
    assert (values["images"], values["held_out_images"]) == (54, 6)
    (tmp_path / "train" / "checkpoint.pt").unlink()
    manifest = json.loads((tmp_path / "train" / "manifest.json").read_text())
    assert manifest["settings"]["held_out"] == 0.1


def test_few_images_are_all_learned_from_and_the_map_is_called_theirs(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path
) -> None:
    arguments = [
        "train",
        "--data",
        _without_val(own_voc).root,
        *SETTINGS.split(),
        "--iterations",
        "4",
    ]
    outcome = wsss(*arguments, "--run", tmp_path / "run", "--json")
    assert outcome.code == 0, outcome.err
    values = outcome.values
    assert (values["images"], values["held_out_images"], values["held_out_map"]) == (12, 0, None)
    assert values["classification"]["held_out"] is False
    assert 0 <= values["classification"]["map"] <= 1
    text = wsss(*arguments, "--run", tmp_path / "run").out
    assert "mAP" in text
    assert "held-out" not in text
    share = wsss(*arguments, "--run", tmp_path / "share", "--held-out", "0.25", "--json").values
    assert (share["images"], share["held_out_images"]) == (9, 3)


def test_share_that_holds_out_nothing_is_refused(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path
) -> None:
    arguments = ["train", "--data", own_voc.root, *SETTINGS.split(), "--run", tmp_path / "run"]
    outcome = wsss(*arguments, "--held-out", "0.01")
    assert outcome.code == 2
    assert "--held-out" in outcome.err


def test_val_without_labels_is_named_and_the_training_goes_on(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path
) -> None:
    lost = own_voc.val_ids[0]
    own_voc.annotation(lost).unlink()
    arguments = ["train", "--data", own_voc.root, *SETTINGS.split(), "--iterations", "2"]
    outcome = wsss(*arguments, "--run", tmp_path / "run", "--json")
    assert outcome.code == 0, outcome.err
    assert lost in outcome.err
    assert outcome.values["classification"]["list"] == "train"


def test_untrained_network_is_told_from_a_trained_one(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    arguments = ["train", "--data", voc.root, *SETTINGS.split(), "--json"]
    for iterations in (3, 20):
        settings = ["--run", tmp_path / str(iterations), "--iterations", iterations, "--lr", "1e-6"]
        outcome = wsss(*arguments, *settings)
        values = outcome.values
        assert values["classification_loss"] > 0.95 * values["frequency_loss"]
        (sentence,) = [said for said in values["warnings"] if "frequencies" in said]
        for number in (values["classification_loss"], values["frequency_loss"]):
            assert f"{number:.3f}" in sentence
        assert "--iterations" in sentence
        assert sentence in outcome.err
    trained = wsss(*arguments, "--run", tmp_path / "trained", "--iterations", "50").values
    assert trained["warnings"] == []
    assert trained["classification_loss"] < 0.5 * trained["frequency_loss"]
    assert trained["held_out_map"] > 0.9


def test_result_that_is_up_to_date_still_warns(wsss: Command, voc: TinyVoc, trained: Path) -> None:
    settings = "--backbone tiny --iterations 4 --batch-size 4 --crop 32 --lr 0.01 --amp off"
    outcome = wsss("train", "--data", voc.root, "--run", trained, *settings.split())
    assert "up to date" in outcome.out
    assert "warning: " in outcome.out


def test_frequency_loss_is_the_lowest_of_a_constant_answer() -> None:
    labels = torch.tensor([[1, 0, 1], [1, 0, 0], [0, 0, 1], [0, 0, 1]], dtype=torch.float32)
    lowest = min(
        sum(
            float(multilabel_loss(torch.full((4, 1), logit), labels[:, column, None]))
            for column, logit in enumerate(logits)
        )
        for logits in [(0.0, -20.0, 1.0986), (0.0, -9.0, 1.0), (0.1, -20.0, 1.0986), (0, -20, 1.2)]
    )
    assert frequency_loss(labels) == pytest.approx(lowest, abs=1e-4)
    assert frequency_loss(torch.eye(2)) == pytest.approx(2 * np.log(2))


def test_finished_training_whose_log_is_lost_keeps_its_numbers(
    voc: TinyVoc, tmp_path: Path
) -> None:
    config = _config(voc, tmp_path, iterations=20)
    values = train.run(config, track=Silent()).values
    assert values["losses"]
    assert values["rate"] > 0
    (tmp_path / "train" / "metrics.jsonl").unlink()
    assert train.run(config, track=Silent()).values == values
    assert read_manifest(tmp_path / "train")["counts"] == values
