"""Both trainings on a card: the steps of the CPU, resumed there and elsewhere."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from conftest import TinyVoc
from fake_card import waits
from torch import Tensor
from two_devices import on_card, require_equal, same_on_both

from wsss_cli import ranks
from wsss_cli.artifacts.attention_file import INDEX
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.train import TrainConfig
from wsss_cli.stages import proxy, segment, train
from wsss_cli.stages.optimisation import loss_window
from wsss_cli.tracking import Silent

Settings = dict[str, Any]
Place = Callable[[], AbstractContextManager[None]]

SMALL: Settings = {"iterations": 2, "batch_size": 4, "crop": 32, "lr": 0.05, "amp": "off"}
ONE_VIEW: Settings = {"scales": (1.0,), "flip": False, "model": "tiny"}

METHODS: dict[str, Settings] = {
    "seenet": {},
    "seenet_own_head": {"share_background_head": False},
    "seenet_no_background": {"background_branch": False},
    "seenet_zeroed": {"sign_flip": False, "delta_background": 0.5, "head_channels": 16},
    "seenet_frozen": {"frozen_blocks": 2},
    "cam": {"method": "cam"},
    "aepsl": {"method": "aepsl"},
    "acol": {"method": "acol"},
    "gain": {"method": "gain"},
    "gain_frozen": {"method": "gain", "frozen_blocks": 4},
}


class Stopping(Silent):
    """Stops a training after its first step."""

    def steps(self, items: Iterable[Any], *, label: str, **_: Any) -> Iterator[Any]:  # type: ignore[override]
        for number, item in enumerate(items):
            if label == "training" and number == 1:
                raise KeyboardInterrupt
            yield item


@pytest.fixture(autouse=True)
def every_step_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_window, "LOG_EVERY", 1)


@pytest.fixture(scope="module")
def proxies(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Label maps of the training images."""
    run = tmp_path_factory.mktemp("proxies")
    attention = trained / "attend" / INDEX
    proxy.run(ProxyConfig(run=run, attention=attention, rule="threshold"), track=Silent())
    return run / "proxy" / "labels"


@pytest.mark.parametrize("name", METHODS)
def test_attention_networks_learn_the_same(
    voc: TinyVoc, trained: Path, tmp_path: Path, name: str
) -> None:
    settings = {**SMALL, **METHODS[name], "snapshot_every": 1}
    if name == "aepsl":
        settings["erase"] = trained / "attend" / INDEX
    stage = same_on_both(
        train, partial(TrainConfig, data=voc.root, backbone="tiny"), tmp_path, **settings
    )
    first, last = (stage / "snapshots" / f"00000{n}.pt" for n in (1, 2))
    assert first.read_bytes() != last.read_bytes()


def test_a_training_goes_on_from_another_one(voc: TinyVoc, trained: Path, tmp_path: Path) -> None:
    start = trained / "train" / "checkpoint.pt"
    config = partial(TrainConfig, data=voc.root, backbone="tiny", share_background_head=False)
    same_on_both(train, config, tmp_path, start=start, **SMALL)


@pytest.mark.parametrize("name", ["proxy", "prohibitive", "weighted", "corrected", "full"])
def test_segmentation_networks_learn_the_same(
    voc: TinyVoc, trained: Path, proxies: Path, tmp_path: Path, name: str
) -> None:
    settings: dict[str, Settings] = {
        "proxy": {"proxy": proxies},
        "prohibitive": {
            "proxy": proxies,
            "prohibitive": True,
            "attention": trained / "attend" / INDEX,
        },
        "weighted": {"proxy": proxies, "pixel_weights": voc.saliency},
        "corrected": {"proxy": proxies, "label_correction": "adele", "iterations": 31},
        "full": {"supervision": "full", "accumulate": 2, "frozen_blocks": 1},
    }
    config = partial(SegmentConfig, data=voc.root, **ONE_VIEW)
    same_on_both(segment, config, tmp_path, **{**SMALL, **settings[name]})


@pytest.mark.parametrize("then", [on_card, nullcontext], ids=["there", "here"])
@pytest.mark.parametrize("name", ["seenet", "gain", "segment"])
def test_a_training_stopped_on_the_card_goes_on(
    voc: TinyVoc, tmp_path: Path, name: str, then: Place
) -> None:
    """There, and from the state left there also on the CPU: to the weights of one that ran on."""
    common = {**SMALL, "data": voc.root, "checkpoint_every": 1}
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    if name == "segment":
        full = partial(SegmentConfig, supervision="full", accumulate=2, **common, **ONE_VIEW)
        stage, configs = segment, [full(run=run) for run in (whole, halved)]
    else:
        method = partial(TrainConfig, method=name, backbone="tiny", **common)
        stage, configs = train, [method(run=run) for run in (whole, halved)]
    directory = stage.__name__.rpartition(".")[2]
    stage.run(configs[0], track=Silent())
    with on_card(), pytest.raises(KeyboardInterrupt):
        stage.run(configs[1], track=Stopping())
    assert (halved / directory / "resume.pt").exists()
    with then():
        stage.run(configs[1], track=Silent())
    require_equal(halved / directory, whole / directory)


# Not GAIN: of its pairs of image and class there are as many as labels on the card say.
@pytest.mark.parametrize("name", ["seenet", "cam", "aepsl", "acol", "segment"])
def test_a_step_does_not_wait_for_the_card(
    voc: TinyVoc, trained: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three further steps wait once: for the losses of the log."""
    monkeypatch.setattr(loss_window, "LOG_EVERY", 3)
    waited = []
    for iterations in (3, 6):
        common = {**SMALL, "data": voc.root, "iterations": iterations, "run": tmp_path / "run"}
        common["lr"] = 1e-4
        config: Any
        if name == "segment":
            config = SegmentConfig(supervision="full", **common, **ONE_VIEW, overwrite=True)
        else:
            erase = trained / "attend" / INDEX if name == "aepsl" else None
            settings = {**common, **METHODS[name], "erase": erase, "overwrite": True}
            settings["held_out"] = 0.0
            config = TrainConfig(backbone="tiny", **settings)
        waits.clear()
        with on_card():
            (segment if name == "segment" else train).run(config, track=Silent())
        waited.append(Counter(waits))
    assert waited[1] - waited[0] == {"tolist": 1}


def test_one_rank_of_two_stays_on_the_card(
    voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the other rank's images were this one's: sums are twice its own."""

    def summed(tensor: Tensor) -> Tensor:
        return tensor.mul_(2)

    for name, stands_in in {
        "world": lambda: 2,
        "rank": lambda: 0,
        "agreed": lambda decide: decide(),
        "gathered": lambda value: [value, value],
        "counted": lambda number: [number, number],
        "summed": summed,
        "data_parallel": lambda module: module,  # the mean of two equal gradients
    }.items():
        monkeypatch.setattr(ranks, name, stands_in)
    same_on_both(train, partial(TrainConfig, data=voc.root, backbone="tiny"), tmp_path, **SMALL)
