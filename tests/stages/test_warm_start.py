"""``train --start``: going on from another training, with the same method or another."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TinyVoc
from torch import Tensor

from wsss_cli.artifacts.checkpoint import read_checkpoint
from wsss_cli.configs.methods import METHODS
from wsss_cli.configs.train import TrainConfig
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.methods.network_file import CHECKPOINT_KIND, build_network
from wsss_cli.models.pretrained import InitialWeights
from wsss_cli.models.warm_start import take_heads
from wsss_cli.stages import train
from wsss_cli.tracking import Silent

# So small a rate leaves every weight where it started, to float32's last digits.
STILL: dict[str, Any] = {"lr": 1e-12, "iterations": 1, "weight_decay": 0.0}


def _config(voc: TinyVoc, run: Path, **settings: Any) -> TrainConfig:
    common = {"backbone": "tiny", "iterations": 3, "batch_size": 4, "crop": 32, "lr": 0.05}
    return TrainConfig(run=run, data=voc.root, amp="off", **{**common, **settings})


def _weights(run: Path) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = read_checkpoint(run / "train" / "checkpoint.pt", CHECKPOINT_KIND)[
        "network"
    ]
    return tensors


@pytest.fixture(scope="module")
def cam(voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a short CAM training."""
    run = tmp_path_factory.mktemp("cam")
    train.run(_config(voc, run, method="cam"), track=Silent())
    return run / "train" / "checkpoint.pt"


@pytest.mark.parametrize("own_head", [False, True])
def test_every_head_starts_from_the_one_there_is(
    voc: TinyVoc, cam: Path, tmp_path: Path, own_head: bool
) -> None:
    config = _config(voc, tmp_path, start=cam, share_background_head=not own_head, **STILL)
    train.run(config, track=Silent())
    begun, found = _weights(cam.parent.parent), _weights(tmp_path)
    heads = ["head_a", "head_b", *(["head_c"] if own_head else [])]
    assert {name.split(".")[0] for name in found} == {"trunk", *heads}
    for name, tensor in found.items():
        if "running" in name or "num_batches" in name:
            continue
        part, _, layer = name.partition(".")
        source = begun[f"head_a.{layer}"] if part in heads else begun[name]
        torch.testing.assert_close(tensor, source, rtol=0, atol=1e-6)


def test_a_head_that_is_there_is_kept_and_one_without_place_left_out(
    voc: TinyVoc, tmp_path: Path
) -> None:
    seenet, again, single = (tmp_path / name for name in ("seenet", "again", "single"))
    train.run(_config(voc, seenet), track=Silent())
    checkpoint = seenet / "train" / "checkpoint.pt"
    train.run(_config(voc, again, start=checkpoint, **STILL), track=Silent())
    train.run(_config(voc, single, start=checkpoint, method="cam", **STILL), track=Silent())
    layer = "head_b.score.weight"
    assert not torch.equal(_weights(seenet)[layer], _weights(seenet)["head_a.score.weight"])
    torch.testing.assert_close(_weights(again)[layer], _weights(seenet)[layer], rtol=0, atol=1e-6)
    assert not any(name.startswith("head_b") for name in _weights(single))


class Noting(Silent):
    """Keeps what is said of the start."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        if "--start" in text:
            self.said.append(text)


ONLY_A: dict[str, Any] = {"method": "cam"}
OWN_C: dict[str, Any] = {"share_background_head": False}
EPS: dict[str, Any] = {"method": "eps", "saliency": Path("saliency")}


@pytest.mark.parametrize(
    ("begun", "then", "said"),
    [
        ({}, ONLY_A, ["head_b is left out, as this network has none"]),
        (OWN_C, ONLY_A, ["head_b and head_c are left out, as this network has none"]),
        (OWN_C, {}, ["head_c is left out, as this network has none"]),
        ({"method": "acol"}, ONLY_A, ["head_b is left out, as this network has none"]),
        (ONLY_A, {}, ["it has no head_b, which begins as its head_a"]),
        (ONLY_A, OWN_C, ["it has no head_b and head_c, which begin as its head_a"]),
        ({"method": "acol"}, OWN_C, ["it has no head_c, which begins as its head_a"]),
        (ONLY_A, EPS, ["head_a has no map of the background there, so that begins new"]),
        (
            EPS,
            ONLY_A,
            ["the map of the background of head_a is left out, as this network has none"],
        ),
        (
            EPS,
            {},
            [
                "the map of the background of head_a is left out, as this network has none",
                "it has no head_b, which begins as its head_a without the map of the background",
            ],
        ),
        (
            {},
            EPS,
            [
                "head_b is left out, as this network has none",
                "head_a has no map of the background there, so that begins new",
            ],
        ),
        (ONLY_A, {"method": "aepsl"}, []),
        ({"method": "acol"}, {}, []),
        ({}, {"method": "acol"}, []),
        ({"method": "sipe"}, {"method": "sipe"}, []),
    ],
)
def test_what_a_start_does_not_give_and_what_it_gives_in_vain_is_told(
    voc: TinyVoc, begun: dict[str, Any], then: dict[str, Any], said: list[str]
) -> None:
    """No tensor of the source is left out without being named, nor one of the network new."""
    network, source = (
        build_network(_config(voc, Path("run"), **each), 3, InitialWeights())
        for each in (then, begun)
    )
    told = take_heads(network, source.state_dict(), source="there.pt")
    assert told == [f"--start there.pt: {sentence}" for sentence in said]
    text = " ".join(said)
    heads = [{n.split(".")[0] for n, _ in net.named_parameters()} for net in (network, source)]
    for head in heads[0] ^ heads[1]:
        assert head in text


def test_a_training_tells_which_heads_of_its_start_it_has_no_place_for(
    voc: TinyVoc, tmp_path: Path
) -> None:
    seenet, single = tmp_path / "seenet", tmp_path / "single"
    train.run(_config(voc, seenet), track=Silent())
    checkpoint = seenet / "train" / "checkpoint.pt"
    track = Noting()
    train.run(_config(voc, single, start=checkpoint, method="cam"), track=track)
    assert track.said == [f"--start {checkpoint}: head_b is left out, as this network has none"]


def test_start_counts_by_content(voc: TinyVoc, cam: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pt"
    other.write_bytes(cam.read_bytes())
    plain = train.prepare(_config(voc, tmp_path), Silent())
    started = train.prepare(_config(voc, tmp_path, start=cam), Silent())
    moved = train.prepare(_config(voc, tmp_path, start=other), Silent())
    assert started.directory.fingerprint == moved.directory.fingerprint
    trunk_alone = train.prepare(_config(voc, tmp_path, weights=str(cam)), Silent())
    fingerprints = {p.directory.fingerprint for p in (plain, started, trunk_alone)}
    assert len(fingerprints) == 3


def test_what_does_not_fit_is_refused(voc: TinyVoc, cam: Path, tmp_path: Path) -> None:
    config = _config(voc, tmp_path, start=cam)
    with pytest.raises(UsageError, match="--backbone tiny"):
        train.prepare(replace(config, backbone="vgg16"), Silent())
    with pytest.raises(UsageError, match="--weights"):
        replace(config, weights="none")
    with pytest.raises(WsssError, match="--head-channels"):
        train.prepare(replace(config, head_channels=7), Silent())
    assert not (tmp_path / "train").exists()
    with pytest.raises(WsssError, match="does not exist"):
        train.prepare(replace(config, start=tmp_path / "gone.pt"), Silent())


def test_without_a_start_the_heads_are_new(voc: TinyVoc, cam: Path, tmp_path: Path) -> None:
    plan = train.prepare(_config(voc, tmp_path, weights=str(cam)), Silent())
    network = build_network(plan.config, 3, plan.weights)
    found, begun = network.state_dict(), _weights(cam.parent.parent)
    assert torch.equal(found["trunk.features.0.weight"], begun["trunk.features.0.weight"])
    assert not torch.equal(found["head_a.score.weight"], begun["head_a.score.weight"])


def test_a_training_does_not_replace_what_it_starts_from(voc: TinyVoc, tmp_path: Path) -> None:
    config = _config(voc, tmp_path, method="cam")
    train.run(config, track=Silent())
    begun = tmp_path / "train" / "checkpoint.pt"
    before = begun.read_bytes()
    with pytest.raises(UsageError, match="--overwrite would remove"):
        train.run(replace(config, start=begun, overwrite=True), track=Silent())
    assert begun.read_bytes() == before


@pytest.mark.parametrize("channels", [0, 8])
def test_maps_of_the_classes_go_on_with_and_without_one_of_the_background(
    voc: TinyVoc, tmp_path: Path, channels: int
) -> None:
    """From CAM to EPS, whose new map is the last one, and back."""
    plain, more, less = (tmp_path / name for name in ("plain", "more", "less"))
    settings: dict[str, Any] = {"head_channels": channels}
    train.run(_config(voc, plain, method="cam", **settings), track=Silent())
    start = plain / "train" / "checkpoint.pt"
    settings |= STILL
    eps = _config(voc, more, start=start, method="eps", saliency=voc.saliency, **settings)
    train.run(eps, track=Silent())
    start = more / "train" / "checkpoint.pt"
    train.run(_config(voc, less, start=start, method="cam", **settings), track=Silent())
    for layer in ("weight", "bias"):
        name = f"head_a.score.{layer}"
        begun, grown, back = (_weights(run)[name] for run in (plain, more, less))
        assert (len(begun), len(grown), len(back)) == (3, 4, 3)
        torch.testing.assert_close(grown[:3], begun, rtol=0, atol=1e-6)
        torch.testing.assert_close(back, begun, rtol=0, atol=1e-6)
    assert grown[3].abs() < 1e-6  # a new bias
    assert _weights(more)["head_a.score.weight"][3].abs().max() > 1e-3


NOT_SIPE = [name for name in METHODS if name != "sipe"]


def _built(method: str, head_channels: int | None) -> torch.nn.Module:
    needed: dict[str, Any] = {"saliency": Path("saliency")} if method == "eps" else {}
    config = TrainConfig(
        run=Path("run"),
        data=Path("data"),
        backbone="tiny",
        method=method,
        head_channels=head_channels,
        **needed,
    )
    network: torch.nn.Module = build_network(config, 3, InitialWeights())
    return network


@pytest.mark.parametrize("method", NOT_SIPE)
@pytest.mark.parametrize("begun", NOT_SIPE)
@pytest.mark.parametrize(("channels", "begun_channels"), [(0, None), (None, 0), (0, 8), (8, None)])
def test_no_layer_of_a_head_is_left_out(
    method: str, begun: str, channels: int | None, begun_channels: int | None
) -> None:
    """A score layer alone would stand on features that it has not learned on."""
    network, source = _built(method, channels), _built(begun, begun_channels)
    width = source.trunk.channels if begun_channels is None else begun_channels
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(WsssError, match=rf"pass --head-channels {width} .*--weights there\.pt"):
        take_heads(network, source.state_dict(), source="there.pt")
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("method", NOT_SIPE)
@pytest.mark.parametrize("begun", NOT_SIPE)
@pytest.mark.parametrize("channels", [0, 8, None])
def test_heads_of_the_same_layers_go_on_in_any_method(
    method: str, begun: str, channels: int | None
) -> None:
    network, source = _built(method, channels), _built(begun, channels)
    take_heads(network, source.state_dict(), source="there.pt")
    tensors = source.state_dict()
    for name, tensor in network.state_dict().items():
        head, _, layer = name.partition(".")
        if head.startswith("head_"):
            same = tensors.get(name, tensors[f"head_a.{layer}"])
            assert torch.equal(tensor[:3], same[:3]), name


@pytest.mark.parametrize("method", NOT_SIPE)
def test_sipe_whose_head_is_of_another_kind_is_told(method: str) -> None:
    sipe = _built("sipe", None)
    for network, source in ((sipe, _built(method, 0)), (_built(method, 0), sipe)):
        with pytest.raises(WsssError, match=r"head_a\..*the same --method"):
            take_heads(network, source.state_dict(), source="there.pt")
    take_heads(sipe, _built("sipe", None).state_dict(), source="there.pt")


def test_linear_heads_do_not_go_on_from_convolutions(
    voc: TinyVoc, cam: Path, tmp_path: Path
) -> None:
    config = _config(voc, tmp_path, start=cam, method="cam", head_channels=0)
    with pytest.raises(WsssError, match=f"--head-channels is 0 here .*--weights {cam}"):
        train.prepare(config, Silent())
