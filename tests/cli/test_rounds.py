"""Systems that work in rounds, as chains of the ordinary stages on a tiny drawn tree."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from conftest import CLASSES, Command, TinyVoc, annotation_xml, classes_of, train_arguments
from torch.nn import functional

from wsss_cli.artifacts.attention_file import AttentionFile, ImageAttention, write_shard
from wsss_cli.artifacts.label_png import read_label_map, write_label_map
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.train import TrainConfig
from wsss_cli.data.images import read_image
from wsss_cli.data.mined_regions import paint_over
from wsss_cli.data.resizing import resize_image
from wsss_cli.methods import network_file
from wsss_cli.models.classifier import Classifier
from wsss_cli.ops.attention import fuse_branches
from wsss_cli.ops.prohibitive import label_confidence, prohibitive_labels
from wsss_cli.stages import attend, segment, train
from wsss_cli.stages.attend.network_attention import attention_of
from wsss_cli.stages.segment import training
from wsss_cli.stages.segment.views import merged_logits
from wsss_cli.tracking import Silent

MEAN = np.array([124, 117, 104], np.uint8)


def _train(voc: TinyVoc, run: Path, **settings: Any) -> TrainConfig:
    common = {"backbone": "tiny", "iterations": 4, "batch_size": 4, "crop": 32, "lr": 0.01}
    return TrainConfig(run=run, data=voc.root, method="aepsl", amp="off", **common, **settings)


def _attend(run: Path, **settings: Any) -> AttendConfig:
    return AttendConfig(run=run, size=64, amp="off", batch_size=2, **settings)


def _maps(path: Path) -> dict[str, ImageAttention]:
    with AttentionFile(path) as file:
        return {image_id: file.read(image_id) for image_id in file.image_ids}


@pytest.fixture(scope="module")
def mined(voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Attention drawn by hand: a bright rectangle in every image, elsewhere for each class."""
    path = tmp_path_factory.mktemp("mined") / "mined.h5"
    with write_shard(path) as write:
        for index, image_id in enumerate(voc.train_ids):
            columns = classes_of(index)
            maps = np.zeros((len(columns), 48, 64), np.float16)
            for row, column in enumerate(columns):
                maps[row, 4:24, 6 + 18 * column : 22 + 18 * column] = 1
            ids = np.array(columns, np.uint8) + 1
            logits = np.array([index / 4, 1, -1], np.float32)
            write(image_id, ImageAttention(maps, ids, (48, 64), logits))
    return path


def test_training_sees_images_painted_where_they_were_mined(
    voc: TinyVoc, mined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    real = Classifier.losses

    def losses(
        network: Classifier, images: torch.Tensor, labels: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        seen.extend(images)
        return real(network, images, labels)

    monkeypatch.setattr(Classifier, "losses", losses)
    plain, erased = tmp_path / "plain", tmp_path / "erased"
    train.run(_train(voc, plain), track=Silent())
    train.run(_train(voc, erased, erase=mined), track=Silent())
    mean = torch.from_numpy(MEAN)[:, None, None]
    shares = []
    for before, after in zip(seen[:16], seen[16:], strict=True):  # the same views
        changed = (before != after).any(dim=0)
        painted = (after == mean).all(dim=0)
        shares.append(float(painted.float().mean()))
        # What is neither painted nor on the border of the paint is as it was.
        assert not bool((changed & ~_grown(painted)).any())
    assert np.mean(shares) > 0.1
    assert read_manifest(erased / "train")["inputs"]["erase"]["path"] == str(mined)


def _grown(mask: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.max_pool2d(mask.float()[None], 5, 1, 2)[0] > 0


@pytest.fixture(scope="module")
def lively(lively_checkpoint: Path, voc: TinyVoc, tmp_path_factory: Any) -> Path:
    """A checkpoint of one-branch rounds whose maps are not zero."""
    from wsss_cli.artifacts.checkpoint import read_checkpoint, write_checkpoint

    content = read_checkpoint(lively_checkpoint, "attention")
    content["config"]["method"] = "aepsl"
    content["network"] = {k: v for k, v in content["network"].items() if "head_b" not in k}
    path = tmp_path_factory.mktemp("round") / "checkpoint.pt"
    write_checkpoint(path, "attention", content)
    return path


def test_attention_of_a_round_is_the_maximum_of_old_maps_and_those_of_erased_images(
    voc: TinyVoc, mined: Path, lively: Path, tmp_path: Path
) -> None:
    config = _attend(tmp_path / "round", data=voc.root, checkpoint=lively, erase=mined)
    attend.run(config, track=Silent())
    network, _, _ = network_file.load_network(lively)
    merged, old = _maps(tmp_path / "round" / "attend" / "attention.h5"), _maps(mined)
    from_new = 0
    for index, image_id in enumerate(voc.train_ids):
        erased = paint_over(
            read_image(voc.image(image_id)), old[image_id].maps.astype(np.float32), 0.8, MEAN
        )
        pixels = torch.from_numpy(resize_image(erased, (64, 64))).permute(2, 0, 1)[None]
        labels = torch.zeros(1, 3)
        labels[0, classes_of(index)] = 1
        with torch.inference_mode():
            new = fuse_branches(attention_of(network, pixels, labels, flip=True).maps, (48, 64))
        expected = np.maximum(new.numpy(), old[image_id].maps)
        assert np.abs(merged[image_id].maps - expected).max() < 2e-3
        assert merged[image_id].class_ids.tolist() == [c + 1 for c in classes_of(index)]
        from_new += int((merged[image_id].maps > old[image_id].maps).sum())
        assert np.array_equal(merged[image_id].logits, old[image_id].logits)
    assert from_new > 1000


def test_two_rounds_chain_and_what_was_mined_stays_mined(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    small = ["--size", "64", "--amp", "off", "--json"]
    assert wsss(*train_arguments(voc, first), "--method", "aepsl").code == 0
    assert wsss("attend", "--run", first, *small).code == 0
    mined = first / "attend" / "attention.h5"
    train_again = [*train_arguments(voc, second), "--method", "aepsl", "--erase", mined]
    assert wsss(*train_again).code == 0
    outcome = wsss("attend", "--run", second, *small)
    assert outcome.code == 0, outcome.err
    before, after = _maps(mined), _maps(second / "attend" / "attention.h5")
    assert all((after[i].maps >= before[i].maps).all() for i in voc.train_ids)
    used = read_manifest(second / "attend")["inputs"]["erase"]
    assert used["path"] == str(mined)
    assert used == read_manifest(second / "train")["inputs"]["erase"]
    assert wsss(*train_again, "--json").values["status"] == "up to date"
    assert wsss("attend", "--run", second, *small).values["status"] == "up to date"
    # Otherwise erased is otherwise trained and otherwise attended.
    assert "input erase" in wsss(*train_again[:-2]).err
    assert "erase_threshold" in wsss(*train_again, "--erase-threshold", "0.5").err
    wsss("attend", "--run", first, *small, "--no-flip", "--overwrite")
    outcome = wsss("attend", "--run", second, *small)
    assert outcome.code == 2
    assert "has changed since" in outcome.err


def test_stopped_attention_of_a_round_ends_as_an_uninterrupted_one(
    voc: TinyVoc,
    mined: Path,
    lively: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wsss_cli.stages.attention_maps.SHARD_IMAGES", 4)
    config = _attend(tmp_path / "whole", data=voc.root, checkpoint=lively, erase=mined)
    attend.run(config, track=Silent())
    attend.run(replace(config, run=tmp_path / "stopped"), track=Silent())
    folder = tmp_path / "stopped" / "attend"
    (folder / "shards" / "00001.h5").unlink()
    (folder / "attention.h5").unlink()
    report = attend.run(replace(config, run=tmp_path / "stopped"), track=Silent())
    assert (report.values["written"], report.values["skipped"]) == (4, 8)
    for path in sorted((tmp_path / "whole" / "attend" / "shards").iterdir()):
        assert path.read_bytes() == (folder / "shards" / path.name).read_bytes()


def _refused(outcome: Any, code: int, *parts: object) -> None:
    assert outcome.code == code, outcome.err
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    for part in parts:
        assert str(part) in outcome.err


def test_attention_that_does_not_fit_is_refused_in_one_sentence(
    wsss: Command, own_voc: TinyVoc, mined: Path, tmp_path: Path
) -> None:
    def erasing(path: Path) -> Any:
        return wsss(*train_arguments(own_voc, tmp_path / "run"), "--erase", path, "--quiet")

    _refused(erasing(tmp_path / "no.h5"), 2, "--erase", "no.h5 does not exist")
    lacking = Path(shutil.copy(mined, tmp_path / "lacking.h5"))
    with h5py.File(lacking, "a") as file:
        del file[own_voc.train_ids[3]], file[own_voc.train_ids[5]]
    _refused(erasing(lacking), 1, "lacks the attention of 2 of 12", *own_voc.train_ids[3:6:2])
    foreign = Path(shutil.copy(mined, tmp_path / "foreign.h5"))
    with h5py.File(foreign, "a") as file:
        file.attrs["class_names"] = ["dog", "cat", "cow"]
    _refused(erasing(foreign), 1, "dog, cat, cow", ", ".join(CLASSES))
    own_voc.annotation(own_voc.train_ids[1]).write_text(annotation_xml([CLASSES[2]]))
    _refused(erasing(mined), 1, own_voc.train_ids[1], CLASSES[1], CLASSES[2], "--erase")
    assert not (tmp_path / "run").exists()


def test_round_does_not_replace_what_it_erases_by(
    wsss: Command, trained: Path, voc: TinyVoc, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    own = run / "attend" / "attention.h5"
    outcome = wsss("attend", "--run", run, "--erase", own, "--overwrite", "--size", "64")
    _refused(outcome, 2, "own --run")
    assert own.exists()


def test_scale_of_one_is_the_plain_attention_and_more_are_their_maximum(
    voc: TinyVoc, lively: Path, tmp_path: Path
) -> None:
    found = {}
    for name, settings in {
        "plain": {},
        "one": {"scales": (1.0,)},
        "half": {"size": 32},
        "both": {"scales": (1.0, 0.5)},
    }.items():
        config = _attend(tmp_path / name, data=voc.root, checkpoint=lively)
        attend.run(replace(config, **settings), track=Silent())
        found[name] = _maps(tmp_path / name / "attend" / "attention.h5")
    differing = 0
    for image_id in voc.train_ids:
        plain, one, half, both = (found[name][image_id] for name in found)
        assert np.array_equal(plain.maps, one.maps)
        assert np.array_equal(both.maps, np.maximum(plain.maps, half.maps))
        assert np.array_equal(both.logits, plain.logits)
        differing += int((half.maps > plain.maps).any() and (half.maps < plain.maps).any())
    assert differing > 4


@pytest.fixture(scope="module")
def segmented(voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a network with random scores, which sees every class everywhere."""
    from wsss_cli.artifacts.checkpoint import read_checkpoint, write_checkpoint

    run = tmp_path_factory.mktemp("segmented")
    settings = {"model": "tiny", "iterations": 1, "batch_size": 2, "crop": 32, "amp": "off"}
    segment.run(
        SegmentConfig(run=run, data=voc.root, supervision="full", **settings), track=Silent()
    )
    path = run / "segment" / "checkpoint.pt"
    content = read_checkpoint(path, "segmentation")
    weight = content["network"]["classifier.score.weight"]
    weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)))
    write_checkpoint(path, "segmentation", content)
    return path


def test_restricted_prediction_is_the_best_of_background_and_own_labels(
    voc: TinyVoc, segmented: Path, tmp_path: Path
) -> None:
    config = SegmentConfig(
        run=tmp_path / "plain",
        data=voc.root,
        checkpoint=segmented,
        split="train",
        scales=(0.5, 0.75, 1.0, 1.25, 1.5),
        amp="off",
    )
    segment.run(config, track=Silent())
    segment.run(replace(config, run=tmp_path / "own", restrict_to_labels=True), track=Silent())
    network, _, _ = segment.load_network(segmented)
    network.eval()
    strangers = agreeing = 0
    for index, image_id in enumerate(voc.train_ids):
        plain, own = (
            read_label_map(tmp_path / run / "segment" / "predictions" / f"{image_id}.png")
            for run in ("plain", "own")
        )
        allowed = [0, *(column + 1 for column in classes_of(index))]
        assert set(np.unique(own)) <= set(allowed)
        strangers += int((~np.isin(plain, allowed)).sum())
        with torch.inference_mode():
            logits = merged_logits(
                network,
                read_image(voc.image(image_id)),
                config.scales,
                flip=config.flip,
                merge=config.merge,
                device=torch.device("cpu"),
            )
        scores = functional.interpolate(
            logits[None, allowed], plain.shape, mode="bilinear", align_corners=True
        )
        best = np.array(allowed)[scores[0].argmax(dim=0)]
        agreeing += int((own == best).sum())
    assert agreeing > 0.999 * len(voc.train_ids) * plain.size  # stored scores are rounded
    assert strangers > 1000


def test_predictions_restricted_to_labels_are_learned_from_in_a_second_round(
    wsss: Command, voc: TinyVoc, segmented: Path, tmp_path: Path
) -> None:
    where = ["--data", voc.root, "--amp", "off", "--json"]
    relabel = ["segment", "--run", tmp_path / "relabel", "--checkpoint", segmented, *where]
    assert wsss(*relabel, "--split", "train", "--restrict-to-labels").code == 0
    outcome = wsss(*relabel, "--split", "train")
    _refused(outcome, 2, "restrict_to_labels True there, False now")
    again = ["segment", "--run", tmp_path / "2", "--model", "tiny", "--iterations", 2, *where]
    folder = tmp_path / "relabel" / "segment" / "predictions"
    outcome = wsss(*again, "--proxy", folder, "--batch-size", 2, "--crop", 32)
    assert outcome.code == 0, outcome.err
    assert outcome.values["training_images"] == 12


def test_prohibitive_training_adds_the_online_label_of_every_view(
    voc: TinyVoc, mined: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step's loss is that of a slow step made of the same logits, labels and scores."""
    masks = tmp_path / "masks"
    for index, image_id in enumerate(voc.train_ids):  # the mask names its image
        write_label_map(masks / f"{image_id}.png", np.full((48, 64), index % 3 + 1, np.uint8))
    seen: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    real = training.prohibitive_labels

    def spy(logits: torch.Tensor, v: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        seen.append((logits, v, inside))
        return real(logits, v, inside)

    monkeypatch.setattr(training, "prohibitive_labels", spy)
    config = SegmentConfig(
        run=tmp_path / "run",
        data=voc.root,
        proxy=masks,
        attention=mined,
        prohibitive=True,
        model="tiny",
        iterations=10,
        batch_size=3,
        crop=64,  # larger than the images, so that every view has edges
        amp="off",
    )
    report = segment.run(config, track=Silent())
    assert report.values["losses"].keys() == {"segmentation", "prohibitive"}
    known = _maps(mined)
    rows = {
        tuple(label_confidence(a.logits, a.class_ids.tolist()).tolist()) for a in known.values()
    }
    losses = []
    for logits, v, inside in seen:
        assert {tuple(row.tolist()) for row in v} <= rows
        assert 0 < int(inside.sum()) < inside.numel()
        labels = prohibitive_labels(logits, v, inside)
        log_p = logits.detach().double().log_softmax(dim=1)
        losses.append(
            np.mean(
                [-float(log_p[b, labels[b, y, x], y, x]) for b, y, x in inside.nonzero().tolist()]
            )
        )
    assert report.values["losses"]["prohibitive"] == pytest.approx(np.mean(losses), rel=1e-4)
    assert len({tuple(row.tolist()) for _, v, _ in seen for row in v}) > 6


def test_prohibitive_training_needs_class_scores_of_its_images(
    wsss: Command, voc: TinyVoc, mined: Path, tmp_path: Path
) -> None:
    arguments = ["segment", "--data", voc.root, "--run", tmp_path / "run", "--model", "tiny"]
    arguments += ["--supervision", "full", "--prohibitive", "--quiet"]
    _refused(wsss(*arguments), 2, "wsss attend --run ", "` first or pass --attention FILE")
    without = Path(shutil.copy(mined, tmp_path / "without.h5"))
    with h5py.File(without, "a") as file:
        del file[voc.train_ids[2]]["logits"]
    _refused(wsss(*arguments, "--attention", without), 1, "no logits", voc.train_ids[2])
    with h5py.File(without, "a") as file:
        del file[voc.train_ids[4]]
    _refused(wsss(*arguments, "--attention", without), 1, "lacks", voc.train_ids[4])
