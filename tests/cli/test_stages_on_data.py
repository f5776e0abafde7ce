"""What reaches the networks: every image with its own labels, its own map, a new view each time."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import torch
from conftest import CLASSES, COLOURS, TinyVoc, annotation_xml, classes_of
from PIL import Image

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.label_png import read_label_map, write_label_map
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.evaluate import EvaluateConfig
from wsss_cli.configs.methods import METHODS, learns_from_saliency
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.train import TrainConfig
from wsss_cli.methods import network_file
from wsss_cli.models.classifier import Classifier
from wsss_cli.models.deeplab_largefov import DeepLabLargeFOV
from wsss_cli.models.trunks import build_trunk
from wsss_cli.ops.attention import fuse_branches
from wsss_cli.stages import attend, evaluate, proxy, segment, train
from wsss_cli.stages.segment import training
from wsss_cli.tracking import Silent

Seen = list[tuple[torch.Tensor, torch.Tensor]]


@pytest.fixture
def plain(own_voc: TinyVoc) -> TinyVoc:
    """A tree whose training images have one class each, and its colour everywhere but for noise."""
    for index, image_id in enumerate(own_voc.train_ids):
        column = index % 3
        rng = np.random.default_rng(index)
        pixels = np.array(COLOURS[column]) + rng.integers(-15, 16, (48, 64, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(own_voc.image(image_id), quality=95)
        own_voc.annotation(image_id).write_text(annotation_xml([CLASSES[column]]))
    return own_voc


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Filled with the batches that a classifier learns from: images and labels."""
    batches: Seen = []
    real = Classifier.losses

    def losses(
        network: Classifier, images: torch.Tensor, labels: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        batches.append((images.clone(), labels.clone()))
        return real(network, images, labels)

    monkeypatch.setattr(Classifier, "losses", losses)
    return batches


def test_every_view_is_learned_with_the_labels_of_its_image(
    plain: TinyVoc, tmp_path: Path, seen: Seen
) -> None:
    config = TrainConfig(
        run=tmp_path / "run",
        data=plain.root,
        method="cam",
        backbone="tiny",
        iterations=9,
        batch_size=4,
        crop=32,
    )
    train.run(config, track=Silent())
    assert len(seen) == 9
    views: dict[int, list[torch.Tensor]] = defaultdict(list)
    colours = torch.tensor(COLOURS).float()
    for images, labels in seen:
        assert images.shape == (4, 3, 32, 32)
        assert labels.shape == (4, 3)
        for image, row in zip(images, labels, strict=True):
            distance = (image.float().mean(dim=(1, 2)) - colours).norm(dim=1)
            assert row.tolist() == [float(column == distance.argmin()) for column in range(3)]
            views[int(distance.argmin())].append(image)
    # Three epochs of four images a class: views repeat by chance at most.
    for same_class in views.values():
        assert len(same_class) == 12
        assert len({view.numpy().tobytes() for view in same_class}) > 9


def test_one_image_is_seen_otherwise_in_every_epoch(
    plain: TinyVoc, tmp_path: Path, seen: Seen
) -> None:
    plain.split("one").write_text(plain.train_ids[0])
    config = TrainConfig(
        run=tmp_path / "run",
        data=plain.root,
        split="one",
        method="cam",
        backbone="tiny",
        iterations=5,
        batch_size=2,
        crop=32,
    )
    train.run(config, track=Silent())
    views = {image.numpy().tobytes() for images, _ in seen for image in images}
    assert len(views) > 7  # of 10; two views of so small an image may be equal by chance


def test_every_pixel_is_learned_with_its_own_label(
    own_voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Photographs whose colour is their label, in large patches that outlive JPEG."""
    colours = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)])
    masks = tmp_path / "masks"
    for index, image_id in enumerate(own_voc.train_ids):
        coarse = np.random.default_rng(index).integers(0, 4, (3, 4)).astype(np.uint8)
        labels = coarse.repeat(16, axis=0).repeat(16, axis=1)
        Image.fromarray(colours[labels].astype(np.uint8)).save(
            own_voc.image(image_id), quality=100, subsampling=0
        )
        write_label_map(masks / f"{image_id}.png", labels)
    inputs, targets = [], []
    real_forward, real_loss = DeepLabLargeFOV.forward, training.segmentation_loss

    def forward(network: DeepLabLargeFOV, images: torch.Tensor) -> torch.Tensor:
        if network.training:
            inputs.append(images.clone())
        return real_forward(network, images)

    def loss(logits: torch.Tensor, label_maps: torch.Tensor) -> torch.Tensor:
        targets.append(label_maps.clone())
        return real_loss(logits, label_maps)

    monkeypatch.setattr(DeepLabLargeFOV, "forward", forward)
    monkeypatch.setattr(training, "segmentation_loss", loss)
    config = SegmentConfig(
        run=tmp_path / "run",
        data=own_voc.root,
        proxy=masks,
        model="tiny",
        iterations=3,
        batch_size=2,
        accumulate=2,
        crop=48,
    )
    segment.run(config, track=Silent())
    assert len(inputs) == len(targets) == 6
    numbers = torch.tensor(colours).float()
    for images, label_maps in zip(inputs, targets, strict=True):
        assert label_maps.shape == (2, 48, 48)
        distance = (images.float()[:, None] - numbers[None, :, :, None, None]).norm(dim=2)
        sure = (distance.amin(dim=1) < 60) & (label_maps != 255)
        assert sure.float().mean() > 0.4
        assert (distance.argmin(dim=1) == label_maps)[sure].all()


def test_every_image_gets_its_own_attention(
    voc: TinyVoc, lively_checkpoint: Path, tmp_path: Path
) -> None:
    """The stage against one image at a time, read and resized here."""
    config = AttendConfig(
        run=tmp_path / "run",
        data=voc.root,
        checkpoint=lively_checkpoint,
        size=40,
        batch_size=5,
        amp="off",
    )
    attend.run(config, track=Silent())
    network = network_file.load_network(lively_checkpoint)[0]
    with AttentionFile(tmp_path / "run" / "attend" / "attention.h5") as file:
        assert file.class_names == CLASSES
        for index, image_id in enumerate(voc.train_ids):
            found = file.read(image_id)
            assert found.class_ids.tolist() == [column + 1 for column in classes_of(index)]
            assert found.size == (48, 64)
            pixels = np.array(Image.open(voc.image(image_id)))
            small = cv2.resize(pixels, (40, 40), interpolation=cv2.INTER_AREA)
            image = torch.from_numpy(small).permute(2, 0, 1)[None]
            labels = torch.zeros(1, 3)
            labels[0, classes_of(index)] = 1
            with torch.inference_mode():
                upright = network.attention(image, labels)
                mirrored = network.attention(image.flip(-1), labels).maps.flip(-1)
                both = torch.cat((upright.maps, mirrored), dim=1)
                expected = fuse_branches(both, (48, 64)).numpy()
            assert np.abs(found.maps - expected).max() < 2e-3
            np.testing.assert_allclose(found.logits, upright.logits[0], atol=1e-4)


def test_every_image_gets_its_own_prediction(voc: TinyVoc, tmp_path: Path) -> None:
    config = SegmentConfig(
        run=tmp_path / "run",
        data=voc.root,
        supervision="full",
        model="tiny",
        iterations=12,
        batch_size=6,
        crop=64,
        lr=0.05,
        amp="off",
    )
    segment.run(config, track=Silent())
    network, model, names = segment.load_network(tmp_path / "run" / "segment" / "checkpoint.pt")
    assert (model, names) == ("tiny", CLASSES)
    folder = tmp_path / "run" / "segment" / "predictions"
    assert {path.stem for path in folder.iterdir()} == set(voc.val_ids)
    values = set()
    for image_id in voc.val_ids:
        pixels = torch.from_numpy(np.array(Image.open(voc.image(image_id))))
        with torch.inference_mode():
            logits = network.eval()(pixels.permute(2, 0, 1)[None])
        found = np.array(Image.open(folder / f"{image_id}.png"))
        # Scores that tie up to rounding may fall either way.
        assert (found == logits[0].argmax(dim=0).numpy()).mean() > 0.999
        values |= set(np.unique(found).tolist())
    assert values <= {0, 1, 2, 3}


def _proxy_by_hand(
    maps: np.ndarray, class_ids: list[int], saliency: np.ndarray, config: ProxyConfig
) -> np.ndarray:
    """Pixel by pixel from algorithm 1, and the advice of the paper's author."""
    label_map = np.zeros(saliency.shape, np.uint8)
    for place in np.ndindex(saliency.shape):
        d = float(saliency[place]) / 255
        scores = {0: 1 - d}
        for class_id, one in zip(class_ids, maps, strict=True):
            a = max(float(one[place]), config.attention_floor)
            scores[class_id] = (config.w + 1) / (config.w / a + 1 / d) if a > 0 < d else 0.0
        label = max(scores, key=lambda c: scores[c])
        conflict, salient = config.ignore_conflicts, config.ignore_salient
        if label and conflict is not None and (maps[(slice(None), *place)] > conflict).sum() > 1:
            label = 255
        if not label and salient is not None and d > salient:
            label = 255
        label_map[place] = label
    return label_map


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        ({}, {0, 1, 2, 3}),
        ({"w": 1.0}, {0, 1, 2, 3}),
        ({"attention_floor": 0.0}, {0, 1, 2, 3}),
        ({"attention_floor": 0.6}, {0, 1, 2, 3}),
        ({"ignore_conflicts": 0.5}, {0, 1, 2, 3, 255}),
        ({"ignore_salient": 0.3}, {0, 1, 2, 3, 255}),
    ],
)
def test_proxy_of_every_image_is_that_of_its_attention_and_saliency(
    voc: TinyVoc, tmp_path: Path, settings: dict[str, float], values: set[int]
) -> None:
    rng = np.random.default_rng(0)
    saliency = tmp_path / "saliency"
    saliency.mkdir()
    given = {}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for index, image_id in enumerate(voc.train_ids):
            class_ids = [column + 1 for column in classes_of(index)]
            maps = rng.random((len(class_ids), 12, 16)).astype(np.float32) ** 2
            grey = rng.integers(0, 256, (12, 16)).astype(np.uint8)
            file[f"{image_id}/maps"], file[f"{image_id}/class_ids"] = maps, class_ids
            Image.fromarray(grey).save(saliency / f"{image_id}.png")
            given[image_id] = (maps, class_ids, grey)
    run, source = tmp_path / "run", {"attention": tmp_path / "a.h5", "saliency": saliency}
    config = ProxyConfig(run=run, **source, **settings)
    proxy.run(config, track=Silent())
    seen = set()
    for image_id, (maps, class_ids, grey) in given.items():
        found = read_label_map(run / "proxy" / "labels" / f"{image_id}.png")
        expected = _proxy_by_hand(maps, class_ids, grey, config)
        # Scores that tie up to rounding may fall either way.
        assert (found == expected).mean() > 0.99
        seen |= set(np.unique(found).tolist())
    assert seen == values


def test_small_saliency_is_enlarged_to_its_image(
    voc: TinyVoc, trained: Path, tmp_path: Path
) -> None:
    saliency = tmp_path / "saliency"
    saliency.mkdir()
    for image_id in voc.train_ids:
        with Image.open(voc.saliency / f"{image_id}.png") as image:
            image.resize((32, 24)).save(saliency / f"{image_id}.png")
    where = {"run": tmp_path / "run", "attention": trained / "attend" / "attention.h5"}
    report = proxy.run(ProxyConfig(**where, saliency=saliency), track=Silent())
    assert report.values["saliency_resized"] == 12
    found = read_label_map(tmp_path / "run" / "proxy" / "labels" / f"{voc.train_ids[0]}.png")
    assert found.shape == (48, 64)


def _trunk_file(path: Path) -> dict[str, torch.Tensor]:
    torch.manual_seed(7)
    features = build_trunk("tiny").features.state_dict()
    torch.save({f"features.{name}": tensor for name, tensor in features.items()}, path)
    return {f"trunk.features.{name}": tensor for name, tensor in features.items()}


def _run_either(stage: str, run: Path, voc: TinyVoc, **settings: object) -> dict[str, object]:
    """Train a network of either stage for two iterations; its tensors."""
    where = {"run": run, "data": voc.root, "iterations": 2, "batch_size": 2, "crop": 32}
    if stage == "train":
        train.run(TrainConfig(**where, backbone="tiny", **settings), track=Silent())
    else:
        config = SegmentConfig(**where, model="tiny", supervision="full", **settings)
        segment.run(config, track=Silent())
    checkpoint = torch.load(run / stage / "checkpoint.pt", weights_only=True)
    return dict(checkpoint["network"])


@pytest.mark.parametrize("stage", ["train", "segment"])
def test_trunk_starts_from_the_weights_given_and_frozen_blocks_keep_them(
    voc: TinyVoc, tmp_path: Path, stage: str
) -> None:
    path = tmp_path / "w.pt"
    given = {n: t for n, t in _trunk_file(path).items() if t.ndim == 4}
    assert len(given) == 4
    still = _run_either(stage, tmp_path / "a", voc, weights=str(path), lr=1e-12)
    assert all(torch.allclose(still[name], tensor) for name, tensor in given.items())
    moved = _run_either(stage, tmp_path / "b", voc, weights=str(path), lr=0.1, frozen_blocks=2)
    kept = {name for name, tensor in given.items() if torch.equal(moved[name], tensor)}
    assert kept == {"trunk.features.0.weight", "trunk.features.4.weight"}


def test_segmentation_starts_from_what_the_training_started_from(
    voc: TinyVoc, tmp_path: Path
) -> None:
    given = _trunk_file(tmp_path / "w.pt")
    _run_either("train", tmp_path / "run", voc, weights=str(tmp_path / "w.pt"))
    found = _run_either("segment", tmp_path / "run", voc, lr=1e-12)
    name = "trunk.features.0.weight"
    assert torch.allclose(found[name], given[name])


def test_without_flip_the_mirrored_image_is_not_looked_at(
    voc: TinyVoc, lively_checkpoint: Path, tmp_path: Path
) -> None:
    found = {}
    for flip in (False, True):
        run = tmp_path / str(flip)
        where = {"run": run, "data": voc.root, "checkpoint": lively_checkpoint}
        attend.run(AttendConfig(**where, size=64, flip=flip, amp="off"), track=Silent())
        with AttentionFile(run / "attend" / "attention.h5") as file:
            found[flip] = [file.read(image_id).maps.astype(float) for image_id in voc.train_ids]
    pairs = list(zip(found[False], found[True], strict=True))
    assert all((with_flip >= without - 2e-3).all() for without, with_flip in pairs)
    assert any((with_flip > without + 0.1).any() for without, with_flip in pairs)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_chain_learns_more_than_its_baselines(voc: TinyVoc, tmp_path: Path, method: str) -> None:
    """Ladder of numbers, rung 6: with a fixed seed, by stated margins."""
    where = {"run": tmp_path / method, "data": voc.root}
    config = TrainConfig(
        **where,
        amp="off",
        method=method,
        backbone="tiny",
        iterations=150,
        batch_size=8,
        crop=48,
        lr=0.02,
        lr_steps=(120,),
        saliency=voc.saliency if learns_from_saliency(method) else None,
    )
    train.run(config, track=Silent())
    attend.run(AttendConfig(**where, amp="off", size=96), track=Silent())
    found = evaluate.run(EvaluateConfig(**where, what="attention"), track=Silent()).values
    prevalence = 15 / 36  # of a class among the images: the precision of a guess
    assert found["classification_map"] > prevalence + 0.4
    proxy.run(ProxyConfig(**where, saliency=voc.saliency), track=Silent())
    scored = EvaluateConfig(**where, what="proxy", baselines=True)
    proxies = evaluate.run(scored, track=Silent()).values
    assert proxies["miou"] > proxies["baselines"]["background"] + 0.2
    assert proxies["miou"] > proxies["baselines"]["centre_box"] + 0.2
    settings = SegmentConfig(**where, amp="off", iterations=200, batch_size=6, crop=64, lr=0.01)
    segment.run(settings, track=Silent())
    predictions = evaluate.run(
        replace(scored, what="prediction", saliency=voc.saliency), track=Silent()
    ).values
    assert predictions["miou"] > predictions["baselines"]["background"] + 0.1
