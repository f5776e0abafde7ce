"""The schedule of ``wsss train``: rates by hand, parameter groups, clipping, views and colours."""

import colorsys
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from conftest import Command, TinyVoc, logged
from torch import Tensor, nn

from wsss_cli.configs.common import settings
from wsss_cli.configs.train import TrainConfig
from wsss_cli.data.augmentation import jitter_colours, random_view
from wsss_cli.errors import UsageError
from wsss_cli.methods.network_file import build_network, load_network, write_network
from wsss_cli.models.pretrained import InitialWeights
from wsss_cli.ops.losses import multilabel_loss
from wsss_cli.stages import train
from wsss_cli.stages.optimisation import loss_window
from wsss_cli.stages.optimisation import trainer as training_loop
from wsss_cli.stages.optimisation.kept_states import KeptStates
from wsss_cli.stages.optimisation.solver import parameter_groups
from wsss_cli.stages.optimisation.trainer import Loss, Trainer
from wsss_cli.stages.train import training
from wsss_cli.tracking import Silent


def _config(**changes: Any) -> TrainConfig:
    return TrainConfig(**{"lr": 0.8, "iterations": 100, "lr_steps": (40, 60), **changes})


# Iteration: rate, each worked out on paper. 0.9 is the power of the polynomial.
STEP = {0: 0.8, 39: 0.8, 40: 0.08, 59: 0.08, 60: 0.008, 99: 0.008}
POLY = {0: 0.8, 50: 0.8 * 0.535886731, 90: 0.8 * 0.125892541, 99: 0.8 * 0.0158489319}
WARM_STEP = {0: 0.2, 1: 0.4, 2: 0.6, 3: 0.8, 4: 0.8, 40: 0.08}
WARM_PAST_A_STEP = {0: 0.016, 38: 0.624, 39: 0.64, 40: 0.0656, 49: 0.08, 50: 0.08}


@pytest.mark.parametrize(
    ("changes", "rates"),
    [
        ({}, STEP),
        ({"lr_policy": "step"}, STEP),
        ({"lr_policy": "poly", "lr_steps": TrainConfig.lr_steps}, POLY),
        ({"warmup": 4}, WARM_STEP),
        ({"warmup": 50}, WARM_PAST_A_STEP),
        ({"warmup": 0}, STEP),
    ],
)
def test_learning_rate_by_hand(changes: dict[str, Any], rates: dict[int, float]) -> None:
    config = _config(**changes)
    for iteration, rate in rates.items():
        assert config.learning_rate(iteration) == pytest.approx(rate, rel=1e-6), iteration


def test_a_network_of_a_training_that_ended_in_its_warmup_can_be_loaded(tmp_path: Path) -> None:
    """No command accepts such a training any more."""
    config = TrainConfig(method="cam", backbone="tiny", warmup=50, iterations=40)
    with pytest.raises(UsageError, match=r"--warmup must be below --iterations"):
        config.check_command()
    network = build_network(config, 3, InitialWeights())
    write_network(tmp_path / "checkpoint.pt", config, ("a", "b", "c"), network)
    assert load_network(tmp_path / "checkpoint.pt")[1].warmup == 50


def test_steps_are_not_of_the_polynomial() -> None:
    with pytest.raises(UsageError, match="--lr-steps"):
        _config(lr_policy="poly")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loss_reduction", "sum"),
        ("lr_policy", "step"),
        ("warmup", 0),
        ("head_lr_factor", 1.0),
        ("colour_jitter", 0.0),
        ("scale_low", 1.0),
        ("scale_high", 1.0),
        ("output_stride", 16),
    ],
)
def test_saying_a_default_does_not_make_another_result(name: str, value: object) -> None:
    """Of what was added later: neither it nor its absence is in the fingerprint."""
    plain = settings(TrainConfig())
    assert name not in plain
    assert settings(replace(TrainConfig(), **{name: value})) == plain


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loss_reduction", "mean"),
        ("lr_policy", "poly"),
        ("warmup", 1),
        ("head_lr_factor", 10.0),
        ("clip_norm", 1.0),
        ("colour_jitter", 0.3),
        ("scale_low", 0.9),
        ("scale_high", 1.1),
        ("output_stride", 8),
    ],
)
def test_saying_something_else_does(name: str, value: object) -> None:
    assert settings(replace(TrainConfig(), **{name: value}))[name] == value


class _Noticing(Trainer):
    """A trainer that does not train: what it was made with is what matters."""

    made: ClassVar[list[Trainer]] = []

    def train(self, *_: Any, **__: Any) -> None:
        self.made.append(self)
        raise KeyboardInterrupt


@pytest.mark.parametrize("factor", [None, 10.0])
@pytest.mark.parametrize("method", ["cam", "seenet", "acol", "gain"])
def test_heads_alone_have_a_rate_of_their_own(
    voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, factor: float | None
) -> None:
    monkeypatch.setattr(training, "Trainer", _Noticing)
    monkeypatch.setattr(_Noticing, "made", [])
    config = TrainConfig(
        run=tmp_path, data=voc.root, backbone="tiny", method=method, head_lr_factor=factor
    )
    with pytest.raises(KeyboardInterrupt):
        train.run(config, track=Silent())
    (trainer,) = _Noticing.made
    names = {id(parameter): name for name, parameter in trainer.network.named_parameters()}
    seen = set()
    for group in trainer.optimiser.param_groups:
        for parameter in group["params"]:
            name = names[id(parameter)]
            seen.add(name)
            expected = (factor or 1) * (2 if name.endswith("bias") else 1)
            expected = expected if name.startswith("head") else expected / (factor or 1)
            assert group["lr_factor"] == expected, name
            assert group["weight_decay"] == (0 if name.endswith("bias") else 0.0002), name
    assert seen == set(names.values())


def _step(directory: Path, clip_norm: float | None, rate: float) -> tuple[Tensor, Tensor]:
    """The gradients of one step, worked out apart, and how far the step went."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 3))
    batch = torch.randn(6, 5)
    before = nn.utils.parameters_to_vector(network.parameters()).detach().clone()
    network(batch).square().sum().backward()
    gradient = torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
    groups = parameter_groups(network.named_parameters(), 0.0)
    for group in groups:
        group["lr_factor"] = 1.0
    trainer = Trainer(
        network,
        torch.optim.SGD(groups, lr=rate),
        learning_rate=lambda _: rate,
        directory=directory,
        seed=0,
        checkpoint_every=100,
        images_per_step=6,
        clip_norm=clip_norm,
    )
    trainer.train(
        lambda _: [(batch,)],
        lambda x: {"a": Loss(network(x).square().sum(), 6)},
        1,
        Silent(),
    )
    moved = before - nn.utils.parameters_to_vector(network.parameters()).detach()
    return gradient, moved / rate


@pytest.mark.parametrize("iterations", [20, 25])
def test_seconds_are_those_of_the_steps_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, iterations: int
) -> None:
    now = 0.0

    def spend(seconds: float) -> None:
        nonlocal now
        now += seconds

    clock = SimpleNamespace(monotonic=lambda: now)
    for module in (training_loop, loss_window):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(KeptStates, "write", lambda *_, **__: spend(1000))

    def losses_of(x: Tensor) -> dict[str, Loss]:
        spend(1)
        return {"a": Loss(network(x).square().mean(), 1)}

    def measure(_: int) -> dict[str, Any]:
        spend(100)
        return {}

    network = nn.Linear(1, 1)
    trainer = Trainer(
        network,
        torch.optim.SGD(parameter_groups(network.named_parameters(), 0.0), lr=0.01),
        learning_rate=lambda _: 0.01,
        directory=tmp_path,
        seed=0,
        checkpoint_every=7,
        images_per_step=1,
        also_logged=measure,
    )
    trainer.train(lambda _: [(torch.ones(1, 1),)] * iterations, losses_of, iterations, Silent())
    assert trainer.seconds == iterations
    assert [line["images_per_second"] for line in trainer.history] == [1, 1]


@pytest.mark.parametrize("share", [None, 0.25, 4.0])
def test_a_longer_gradient_is_scaled_down_to_the_norm(tmp_path: Path, share: float | None) -> None:
    norm = float(_step(tmp_path / "a", None, 0.01)[0].norm())
    gradient, moved = _step(tmp_path / "b", None if share is None else share * norm, 0.01)
    length = math.sqrt(sum(float(value) ** 2 for value in gradient))
    expected = gradient * min(1.0, (share or 1.0) * norm / length)
    torch.testing.assert_close(moved, expected, rtol=1e-3, atol=1e-3)


def test_mean_over_the_classes_is_the_sum_divided_by_their_number() -> None:
    logits, labels = torch.randn(4, 7), (torch.rand(4, 7) > 0.5).float()
    weights = torch.rand(4)
    slow = 0.0
    for b in range(4):
        for c in range(7):
            p = 1 / (1 + math.exp(-float(logits[b, c])))
            slow -= float(weights[b]) * math.log(p if labels[b, c] else 1 - p)
    summed = multilabel_loss(logits, labels, weights)
    mean = multilabel_loss(logits, labels, weights, reduction="mean")
    assert float(summed) == pytest.approx(slow / 4, rel=1e-5)
    assert float(mean) == pytest.approx(slow / 28, rel=1e-5)


@pytest.mark.parametrize("method", ["cam", "aepsl", "acol", "seenet"])
def test_every_loss_follows_the_reduction(method: str) -> None:
    images = torch.rand(2, 3, 32, 32) * 255
    labels = torch.tensor([[1.0, 0, 0, 1, 0], [0, 1, 0, 0, 0]])
    found = {}
    for reduction in ("sum", "mean"):
        torch.manual_seed(0)
        config = TrainConfig(method=method, backbone="tiny", loss_reduction=reduction)
        network = build_network(config, 5, InitialWeights()).eval()
        found[reduction] = network.losses(images, labels)
    for name, loss in found["sum"].items():
        assert found["mean"][name].item() == pytest.approx(loss.item() / 5, rel=1e-5), name


def test_knowing_nothing_is_judged_by_the_same_reduction(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    """The entropy of the labels: a mean loss must not be compared with a sum."""
    common = f"train --data {voc.root} --backbone tiny --method cam --iterations 2 --batch-size 2"
    common += " --crop 32 --held-out 0 --amp off --json --lr 1e-6"
    values = {
        reduction: wsss(
            *common.split(), "--run", tmp_path / reduction, "--loss-reduction", reduction
        ).values
        for reduction in ("sum", "mean")
    }
    for name in ("frequency_loss", "classification_loss"):
        assert values["mean"][name] == pytest.approx(values["sum"][name] / 3, rel=1e-4)


def test_divergence_stays_one_under_clipping(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    """A step of a bounded length at an absurd rate ends in no number, and is told as ever."""
    command = f"train --data {voc.root} --backbone tiny --method cam --iterations 40 --batch-size 2"
    outcome = wsss(
        *f"{command} --crop 32 --held-out 0 --amp off --lr 1e38 --clip-norm 1e30".split(),
        "--run",
        tmp_path,
    )
    assert outcome.code == 1
    assert "--lr" in outcome.err.splitlines()[-1]


def test_all_of_the_schedule_together_resumes_to_the_same_bytes(
    voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def config(name: str) -> TrainConfig:
        return TrainConfig(
            run=tmp_path / name,
            data=voc.root,
            backbone="tiny",
            iterations=8,
            batch_size=2,
            crop=32,
            lr=0.02,
            lr_policy="poly",
            warmup=5,
            head_lr_factor=5.0,
            clip_norm=0.5,
            colour_jitter=0.4,
            scale_low=0.8,
            scale_high=1.6,
            checkpoint_every=1,
            amp="off",
        )

    train.run(config("whole"), track=Silent())
    batches = training._batches

    def three(*args: Any) -> Any:
        for number, batch in enumerate(batches(*args)):
            if number == 3:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(training, "_batches", three)
    with pytest.raises(KeyboardInterrupt):
        train.run(config("halves"), track=Silent())
    monkeypatch.setattr(training, "_batches", batches)
    train.run(config("halves"), track=Silent())
    ends = [load_network(tmp_path / n / "train" / "checkpoint.pt")[0] for n in ("whole", "halves")]
    first, second = (network.state_dict() for network in ends)
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert len(logged(tmp_path / "halves" / "train")) == len(logged(tmp_path / "whole" / "train"))


def test_scale_sets_how_much_of_the_short_side_is_seen() -> None:
    """Of a ramp of grey levels down the rows, a crop sees the crop's share of the short side."""
    ramp = np.linspace(0, 255, 512).astype(np.uint8)
    image = np.repeat(np.repeat(ramp[:, None, None], 700, axis=1), 3, axis=2)
    seen = []
    for seed in range(200):
        view = random_view(image, 56, np.random.default_rng(seed), scales=(1.0, 3.0))[0]
        assert view.shape == (56, 56, 3)
        seen.append((int(view[-1, 0, 0]) - int(view[0, 0, 0])) / 255)
    assert min(seen) == pytest.approx(7 / 8 / 3, abs=0.03)
    assert max(seen) == pytest.approx(7 / 8, abs=0.03)
    low = random_view(image, 56, np.random.default_rng(0), scales=(0.1, 0.1))[0]
    assert int(low[-1, 0, 0]) - int(low[0, 0, 0]) > 245  # never less than the crop: all is seen
    wide = np.repeat(
        image.transpose(1, 0, 2)[:512], 2, axis=1
    )  # 512 rows, a ramp over 1024 columns
    part = random_view(wide, 64, np.random.default_rng(0), scales=(0.1, 0.1))[0]
    across = abs(int(part[0, -1, 0]) - int(part[0, 0, 0])) / 255
    assert across == pytest.approx(0.5, abs=0.02)  # as wide as it is high


def test_maps_are_cut_where_their_image_is() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (40, 60), np.uint8)
    image = np.repeat(grey[:, :, None], 3, axis=2)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        view, cut = random_view(image, 32, rng, grey, scales=(1.0, 2.0))
        difference = view[:, :, 0].astype(int) - cut
        assert np.abs(difference).mean() < 12  # another interpolation, the same place


def test_colours_without_strength_stay() -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)
    assert np.array_equal(jitter_colours(image, 0.0, np.random.default_rng(1)), image)


class _Factors:
    """A generator whose next three numbers are known."""

    def __init__(self, *factors: float) -> None:
        self.factors = factors

    def uniform(self, low: float, high: float, size: int) -> np.ndarray:
        assert all(low <= factor <= high for factor in self.factors)
        assert size == 3
        return np.array(self.factors)


def test_brightness_contrast_and_saturation_by_loops() -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8)
    found: Any = jitter_colours(image, 0.5, _Factors(1.2, 0.7, 0.6))  # type: ignore[arg-type]
    bright = [[[1.2 * int(v) for v in pixel] for pixel in row] for row in image]
    mean = sum(v for row in bright for pixel in row for v in pixel) / image.size
    for y in range(3):
        for x in range(4):
            pixel = [mean + 0.7 * (v - mean) for v in bright[y][x]]
            # The weights of the eye, which colorsys has in YIQ (to two digits).
            grey = colorsys.rgb_to_yiq(*pixel)[0]
            for c in range(3):
                expected = min(255.0, max(0.0, grey + 0.6 * (pixel[c] - grey)))
                assert int(found[y, x, c]) == pytest.approx(expected, abs=1.5)


def test_jitter_and_scales_are_a_function_of_their_generator() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    views = [jitter_colours(image, 0.4, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert np.array_equal(views[0], views[1])
    assert not np.array_equal(views[0], views[2])
