"""``wsss segment --label-correction``: what is learned, when, and that a stop changes nothing."""

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Command, TinyVoc

from wsss_cli.artifacts.checkpoint import read_checkpoint
from wsss_cli.artifacts.label_png import write_label_map
from wsss_cli.artifacts.metrics_log import read_metrics
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.data.layouts import find_data_set
from wsss_cli.errors import UsageError
from wsss_cli.labels import IGNORE
from wsss_cli.ops.early_learning import corrected_labels, has_slowed, overlap_counts
from wsss_cli.stages import segment
from wsss_cli.stages.segment import label_correction, training
from wsss_cli.tracking import Silent

IMAGES = 12
PER_STEP = 4
STEPS_AN_EPOCH = IMAGES // PER_STEP


class Noting(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


class StoppedAt(Silent):
    """Interrupts the training in the middle of an epoch."""

    def __init__(self, step: int) -> None:
        self.step = step

    def steps(self, items: Any, *, label: str, **_: Any) -> Any:
        for number, item in enumerate(items):
            if label == "training" and number == self.step:
                raise KeyboardInterrupt
            yield item


@pytest.fixture
def noisy(voc: TinyVoc, tmp_path: Path) -> Path:
    """Label maps of the training images, each of a class that the image has and of background."""
    folder = tmp_path / "noisy"
    for image_id, labels in zip(
        voc.train_ids, find_data_set(voc.root).labels(voc.train_ids), strict=True
    ):
        label_map = np.zeros((48, 64), np.uint8)
        label_map[8:40, 8:40] = 1 + int(labels.argmax())
        label_map[:4] = IGNORE
        write_label_map(folder / f"{image_id}.png", label_map)
    return folder


@pytest.fixture
def config(voc: TinyVoc, noisy: Path) -> Any:
    return partial(
        SegmentConfig,
        data=voc.root,
        proxy=noisy,
        model="tiny",
        iterations=24,
        lr=0.01,
        batch_size=PER_STEP,
        crop=64,
        amp="off",
        scales=(1.0,),
        flip=False,
        label_correction="adele",
    )


def _weights(run: Path) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = read_checkpoint(
        run / "segment" / "checkpoint.pt", "segmentation"
    )["network"]
    return tensors


def test_a_label_is_corrected_from_the_epoch_on_in_which_its_growth_has_slowed(
    config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step learns from the labels that a slow reading of the definition gives it."""
    given: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]] = []
    learned: list[torch.Tensor] = []
    real_step = label_correction.LabelCorrection.correct
    real_loss = training.segmentation_loss

    def spy(self: Any, *tensors: torch.Tensor) -> torch.Tensor:
        given.append(tuple(tensor.detach().clone() for tensor in tensors))  # type: ignore[arg-type]
        return real_step(self, *tensors)

    def loss(logits: torch.Tensor, labels: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
        learned.append(labels.clone())
        return real_loss(logits, labels, *weights)

    monkeypatch.setattr(label_correction.LabelCorrection, "correct", spy)
    monkeypatch.setattr(training, "segmentation_loss", loss)
    track = Noting()
    report = segment.run(config(run=tmp_path / "run"), track=track)
    assert len(given) == len(learned) == 24
    slowed: set[int] = set()
    agreement: list[list[float]] = []
    replaced = 0
    for first in range(0, 24, STEPS_AN_EPOCH):
        both, either = np.zeros(4), np.zeros(4)
        for step in range(first, first + STEPS_AN_EPOCH):
            logits, labels, correctable, inside = given[step]
            possible = correctable.clone()
            possible[:, [label for label in range(4) if label not in slowed]] = False
            expected = corrected_labels(logits, logits.argmax(dim=1), labels, possible, inside)
            assert torch.equal(learned[step], expected)
            replaced += int((expected != labels).sum())
            known = labels != IGNORE
            for label in range(4):
                is_seen, is_given = logits.argmax(1) == label, labels == label
                both[label] += int((is_seen & is_given & known).sum())
                either[label] += int(((is_seen | is_given) & known).sum())
        agreement.append([b / e if e else 0.0 for b, e in zip(both, either, strict=True)])
        slowed |= {label for label in range(4) if has_slowed([row[label] for row in agreement])}
    assert slowed
    assert replaced > 100
    told = [line for line in track.said if "replaces labels as" in line]
    assert len(told) >= 1
    lines = read_metrics(tmp_path / "run" / "segment")
    assert report.values["replaced_labels"] == lines[-1]["replaced_labels"] > 0
    assert "replaced_labels" not in lines[0]  # of the first ten steps, before any was corrected


def test_a_stop_in_the_middle_of_an_epoch_changes_nothing(config: Any, tmp_path: Path) -> None:
    segment.run(config(run=tmp_path / "whole"), track=Silent())
    for step in (7, 10):  # of what was left
        with pytest.raises(KeyboardInterrupt):
            segment.run(config(run=tmp_path / "halved"), track=StoppedAt(step))
        kept = read_checkpoint(tmp_path / "halved" / "segment" / "resume.pt", "resume")
        assert len(kept["memory"]["agreement"]) == kept["iteration"] // STEPS_AN_EPOCH
    segment.run(config(run=tmp_path / "halved"), track=Silent())
    whole, halved = _weights(tmp_path / "whole"), _weights(tmp_path / "halved")
    assert all(torch.equal(whole[name], halved[name]) for name in whole)


def test_only_labels_of_the_image_are_put_in_and_no_map_that_people_corrected_changes(
    voc: TinyVoc, noisy: Path, config: Any, tmp_path: Path
) -> None:
    people = tmp_path / "people"
    people.mkdir()
    for image_id in voc.train_ids[:3]:
        shutil.copy(noisy / f"{image_id}.png", people)
    settings = config(run=tmp_path / "run", corrected=people)
    found = segment.prepare(settings, Silent()).correctable
    assert found is not None
    labels = find_data_set(voc.root).labels(voc.train_ids)
    assert not found[:3].any()
    assert not found[:, 0].any()
    assert np.array_equal(found[3:, 1:], labels[3:])


def test_it_is_another_result_than_without_and_which_labels_there_are_counts(
    own_voc: TinyVoc, config: Any, tmp_path: Path
) -> None:
    def fingerprint(**settings: Any) -> str:
        plan = segment.prepare(
            config(run=tmp_path / "run", data=own_voc.root, **settings), Silent()
        )
        return plan.directory.fingerprint

    corrected = fingerprint()
    assert fingerprint(label_correction=None) != corrected
    annotation = own_voc.root / "Annotations" / f"{own_voc.train_ids[0]}.xml"
    text = annotation.read_text()
    present = find_data_set(own_voc.root).labels(own_voc.train_ids)[0]
    names = find_data_set(own_voc.root).class_names
    other = names[int(np.flatnonzero(~present)[0])]
    annotation.write_text(
        text.replace(
            "</annotation>",
            f"<object><name>{other}</name>"
            "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax>"
            "<ymax>9</ymax></bndbox></object></annotation>",
        )
    )
    assert fingerprint() != corrected


def test_too_few_epochs_are_refused_with_how_many_iterations_it_takes(
    wsss: Command, voc: TinyVoc, noisy: Path, tmp_path: Path
) -> None:
    line = ["segment", "--data", voc.root, "--proxy", noisy, "--model", "tiny", "--crop", "32"]
    line += ["--run", tmp_path / "run", "--label-correction", "adele", "--batch-size", 5]
    refused = wsss(*line, "--iterations", 10)  # the fourth pass ends with the last of them
    assert (refused.code, "to at least 11" in refused.err) == (2, True), refused.err
    assert not (tmp_path / "run").exists()
    assert wsss(*line, "--iterations", 11, "--dry-run").code == 0
    done = wsss(*line, "--iterations", 20, "--lr", "0.05", "--scales", "1", "--no-flip")
    assert ("learned with a corrected label" in done.out) == (
        "no label was corrected" not in done.out
    )
    assert done.code == 0, done.err


@pytest.mark.parametrize(("images", "per_step"), [(4, 16), (12, 5), (12, 4), (12, 12), (13, 12)])
def test_exactly_the_trainings_that_can_correct_are_accepted(
    monkeypatch: pytest.MonkeyPatch, images: int, per_step: int
) -> None:
    monkeypatch.setattr(label_correction, "has_slowed", lambda course: len(course) >= 4)
    correction = label_correction.LabelCorrection(
        ("a",), images, per_step, torch.device("cpu"), Silent()
    )
    iterations = 1
    while not dict(correction.state()["since"]):
        with pytest.raises(UsageError, match="--iterations"):
            settings = SegmentConfig(
                label_correction="adele", batch_size=per_step, iterations=iterations
            )
            label_correction.require_epochs(settings, images)
        correction.after_step(iterations)
        iterations += 1
    label_correction.require_epochs(replace(settings, iterations=iterations), images)


def test_a_training_that_corrects_nothing_says_so(
    config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_correction, "has_slowed", lambda _: False)
    report = segment.run(config(run=tmp_path / "run", iterations=13), track=Silent())
    assert report.values["replaced_labels"] is None
    assert any("no label was corrected" in line for line in report.values["warnings"])


def test_a_correction_that_no_line_of_the_log_has_is_reported_also_after_a_stop(
    config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins after step 12 of 13: the log has one line, of the first ten."""
    monkeypatch.setattr(label_correction, "has_slowed", lambda course: len(course) >= 4)
    settings = config(run=tmp_path / "run", iterations=13)

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(segment, "predict", stop)
        with pytest.raises(KeyboardInterrupt):
            segment.run(settings, track=Silent())
    report = segment.run(settings, track=Silent())
    assert "replaced_labels" not in read_metrics(tmp_path / "run" / "segment")[-1]
    assert 0 <= report.values["replaced_labels"] <= 1
    assert not any("no label was corrected" in line for line in report.values["warnings"])


def test_a_correction_that_the_log_alone_told_outlives_it(
    config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_correction, "has_slowed", lambda course: len(course) >= 4)
    settings = config(run=tmp_path / "run", iterations=20)
    before = segment.run(settings, track=Silent()).values
    assert before["replaced_labels"] is not None
    (tmp_path / "run" / "segment" / "metrics.jsonl").unlink()
    after = segment.run(settings, track=Silent()).values
    for name in ("replaced_labels", "warnings"):
        assert after[name] == before[name]


def _course(steps: int) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Steps of four images whose labels are predicted ever more often, for three epochs."""
    chance = torch.Generator().manual_seed(0)
    course = []
    for step in range(steps):
        labels = torch.randint(0, 4, (PER_STEP, 8, 8), generator=chance)
        logits = torch.randn(PER_STEP, 4, 8, 8, generator=chance)
        boost = 6 * min(1.0, (step // STEPS_AN_EPOCH + 1) / 3)
        logits += boost * torch.nn.functional.one_hot(labels, 4).permute(0, 3, 1, 2)
        labels[torch.rand(labels.shape, generator=chance) < 0.2] = 0
        possible = torch.ones(PER_STEP, 4, dtype=torch.bool)
        course.append((logits, labels, possible, torch.ones(labels.shape, dtype=torch.bool)))
    return course


def _correction() -> label_correction.LabelCorrection:
    return label_correction.LabelCorrection(
        ("a", "b", "c"), IMAGES, PER_STEP, torch.device("cpu"), Silent()
    )


def test_a_label_that_is_still_learned_is_not_corrected() -> None:
    """Half of the picture is sure of label 1, the other half of label 2; given is background."""
    correction = _correction()
    inside = torch.ones(PER_STEP, 8, 8, dtype=torch.bool)
    possible = torch.ones(PER_STEP, 4, dtype=torch.bool)
    for epoch in range(1, 9):
        labels = torch.zeros(PER_STEP, 8, 8, dtype=torch.int64)
        labels[:, :, :3], labels[:, :, 5:] = 1, 2
        logits = torch.zeros(PER_STEP, 4, 8, 8)
        logits[:, 1, :, :4] = 9.0  # the same in every epoch
        logits[:, 2, :epoch, 4:] = 9.0  # a row more in each
        for step in range((epoch - 1) * STEPS_AN_EPOCH + 1, epoch * STEPS_AN_EPOCH + 1):
            found = correction.correct(logits, labels, possible, inside)
            correction.after_step(step)
    assert (found[:, :, 3] == 1).all()
    assert torch.equal(found[:, :, 4:], labels[:, :, 4:])


class Ranks:
    """Two threads in the place of two processes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.own = threading.local()
        self.shared: list[torch.Tensor | None] = [None, None]
        self.barrier = threading.Barrier(2, timeout=60)
        monkeypatch.setattr(label_correction.ranks, "summed", self.summed)
        monkeypatch.setattr(label_correction.ranks, "first", lambda: self.own.rank == 0)

    def summed(self, tensor: torch.Tensor) -> torch.Tensor:
        self.shared[self.own.rank] = tensor.clone()
        self.barrier.wait()
        first, second = self.shared
        assert first is not None
        assert second is not None
        self.barrier.wait()
        return tensor.copy_(first + second)

    def run(self, work: Callable[[int], Any]) -> list[Any]:
        def of_rank(rank: int) -> Any:
            self.own.rank = rank
            return work(rank)

        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(of_rank, range(2)))


def test_two_processes_that_were_stopped_correct_what_one_corrects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    course = _course(24)
    alone, expected, logged = _correction(), [], []
    for step, given in enumerate(course, 1):
        expected.append(alone.correct(*given))
        alone.after_step(step)
        if step % 10 == 0:
            logged.append(alone.logged(step))
    assert any(
        not torch.equal(e, labels) for e, (_, labels, _, _) in zip(expected, course, strict=True)
    )
    ranks = Ranks(monkeypatch)

    def work(rank: int, steps: range, before: Any) -> tuple[list[torch.Tensor], list[Any], Any]:
        correction, corrected, shares = _correction(), [], []
        if before is not None:
            correction.restore(before)
        for step in steps:
            mine = (tensor[rank * 2 : rank * 2 + 2] for tensor in course[step - 1])
            corrected.append(correction.correct(*mine))
            correction.after_step(step)
            if step % 10 == 0:
                shares.append(correction.logged(step))
        return corrected, shares, correction.state()

    for stop in (2, 17):  # in the middle of an epoch, before and after the first correction
        halves = ranks.run(partial(work, steps=range(1, stop + 1), before=None))
        assert halves[0][2]["agreement"] == halves[1][2]["agreement"]
        rest = ranks.run(partial(work, steps=range(stop + 1, 25), before=halves[0][2]))
        parts = [
            torch.cat((first, second))
            for (first, second) in (
                *zip(halves[0][0], halves[1][0], strict=True),
                *zip(rest[0][0], rest[1][0], strict=True),
            )
        ]
        assert all(torch.equal(p, e) for p, e in zip(parts, expected, strict=True))
        assert halves[0][1] + rest[0][1] == logged


def test_a_step_takes_the_largest_logits_once_and_gives_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beside labels and counts by two passes over the logits, to the bit, also where they tie."""
    generator = torch.Generator().manual_seed(0)
    correction = label_correction.LabelCorrection(("a", "b"), 4, 4, torch.device("cpu"), Silent())
    correction.restore(
        {"agreement": [], "since": [(1, 4), (2, 4)], "overlap": torch.zeros(2, 3),
         "replaced": torch.zeros(2)}
    )  # fmt: skip
    logits = (6 * torch.randn(4, 3, 9, 7, generator=generator)).round()  # many are equal
    logits[0, :, 0] = torch.tensor([40.0, 40.0, 0.0])[:, None]
    logits[1, :, 3, 3] = torch.tensor([20.0, 20.000002, 0.0])  # equal as probabilities
    given = torch.randint(0, 3, (4, 9, 7), generator=generator)
    given[:, :2] = IGNORE
    correctable = torch.tensor([[True, True, False]] * 2 + [[True, False, True]] * 2)
    inside = torch.rand(4, 9, 7, generator=generator) > 0.1

    probability, predicted = logits.softmax(dim=1).max(dim=1)
    slowed = correctable & torch.tensor([False, True, True])
    allowed = slowed.gather(1, predicted.flatten(1)).view_as(predicted)
    expected = torch.where(allowed & inside & (probability > 0.8), predicted, given)
    counts = overlap_counts(logits.argmax(dim=1), given, 3)

    calls: list[str] = []
    for name in ("argmax", "max"):
        real = getattr(torch.Tensor, name)

        def counted(self: Any, *args: Any, real: Any = real, name: str = name, **more: Any) -> Any:
            calls.append(name)
            return real(self, *args, **more)

        monkeypatch.setattr(torch.Tensor, name, counted)
    corrected = correction.correct(logits, given, correctable, inside)
    monkeypatch.undo()
    assert torch.equal(corrected, expected)
    assert not torch.equal(corrected, given)
    assert torch.equal(correction.state()["overlap"], counts)
    assert len(calls) == 1
