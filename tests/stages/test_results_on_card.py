"""Attention, predictions and label maps made on a card are those made on the CPU."""

import json
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import HEIGHT, WIDTH, Command, TinyVoc, train_arguments
from two_devices import on_card, require_equal, same_on_both

from wsss_cli.artifacts.attention_file import INDEX, AttentionFile
from wsss_cli.artifacts.checkpoint import read_checkpoint, write_checkpoint
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.crf import CrfConfig
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.results import LABEL_FOLDERS
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.stages import STAGES
from wsss_cli.configs.train import TrainConfig
from wsss_cli.stages import attend, crf, proxy, segment, train
from wsss_cli.stages.segment import views
from wsss_cli.tracking import Silent

Settings = dict[str, Any]

WAYS: dict[str, Settings] = {
    "seenet": {"flip": True, "scales": (1.0, 0.75)},
    "cam": {"flip": False, "heatmaps": True},
    "acol": {"flip": True, "labels": "predicted"},
    "gain": {"flip": True, "scales": (1.0, 0.75), "labels": "predicted"},
    "aepsl": {"flip": False, "scales": (0.75, 1.0)},
}
VIEWS: dict[str, Settings] = {
    "mean": {"scales": (1.0, 0.75), "flip": True},
    "max": {"scales": (1.0, 0.75), "flip": True, "merge": "max", "probabilities": True},
    "tiles": {"scales": (1.0, 1.5), "flip": False, "probabilities": True},
    "crf": {"scales": (1.0,), "flip": False, "crf": "irn"},
    "restricted": {"scales": (1.0,), "restrict_to_labels": True, "probabilities": True},
    "restricted_crf": {"scales": (1.0,), "restrict_to_labels": True, "crf": "dcsp"},
}


@pytest.fixture(scope="module")
def segmenting(voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a segmentation network with random scores."""
    run = tmp_path_factory.mktemp("segmenting")
    small: Settings = {"iterations": 1, "batch_size": 2, "crop": 32, "scales": (1.0,)}
    config = SegmentConfig(
        run=run, data=voc.root, model="tiny", supervision="full", amp="off", **small
    )
    segment.run(config, track=Silent())
    path = run / "segment" / "checkpoint.pt"
    content = read_checkpoint(path, "segmentation")
    weight = content["network"]["classifier.score.weight"]
    weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)))
    write_checkpoint(path, "segmentation", content)
    return path


@pytest.mark.parametrize("method", WAYS)
def test_attention_is_the_same(voc: TinyVoc, trained: Path, tmp_path: Path, method: str) -> None:
    before = trained / "attend" / INDEX if method == "aepsl" else None
    config = TrainConfig(
        run=tmp_path / "run",
        data=voc.root,
        method=method,
        backbone="tiny",
        iterations=1,
        batch_size=4,
        crop=32,
        amp="off",
        erase=before,
    )
    train.run(config, track=Silent())
    checkpoint = tmp_path / "run" / "train" / "checkpoint.pt"
    found = same_on_both(
        attend,
        partial(AttendConfig, data=voc.root, checkpoint=checkpoint, erase=before),
        tmp_path,
        size=64,
        batch_size=5,
        amp="off",
        **WAYS[method],
    )
    with AttentionFile(found / INDEX) as file:
        assert all(file.read(image_id).maps.max() > 0 for image_id in file.image_ids)


@pytest.mark.parametrize("name", VIEWS)
def test_predictions_are_the_same(
    voc: TinyVoc,
    segmenting: Path,
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if name == "tiles":
        monkeypatch.setattr(views, "MOST_PIXELS", HEIGHT * WIDTH)
        monkeypatch.setattr(views, "TILE", 7)
        monkeypatch.setattr(views, "CONTEXT", 2)
    config = partial(SegmentConfig, data=voc.root, checkpoint=segmenting, amp="off")
    found = same_on_both(segment, config, tmp_path, **VIEWS[name])
    labels = [read_label_map(path) for path in (found / "predictions").glob("*.png")]
    assert len(np.unique(labels)) > 1


@pytest.mark.parametrize(
    "settings",
    [
        {"crf": "largefov", "ignore_conflicts": 0.5, "ignore_salient": 0.1},
        {"rule": "irn"},
    ],
    ids=lambda settings: settings.get("rule", "seenet"),
)
def test_proxies_are_the_same(
    voc: TinyVoc, trained: Path, tmp_path: Path, settings: Settings
) -> None:
    config = partial(ProxyConfig, data=voc.root, attention=trained / "attend" / INDEX, workers=2)
    grey = {} if "rule" in settings else {"saliency": voc.saliency}
    same_on_both(proxy, config, tmp_path, **grey, **settings)


@pytest.mark.parametrize("logits", [False, True])
def test_soft_maps_are_refined_the_same(voc: TinyVoc, tmp_path: Path, logits: bool) -> None:
    folder = tmp_path / "soft"
    folder.mkdir()
    generator = torch.Generator().manual_seed(1)
    for image_id in voc.val_ids:
        soft = 3 * torch.randn(4, 6, 8, generator=generator)
        np.save(folder / f"{image_id}.npy", (soft if logits else soft.softmax(dim=0)).numpy())
    config = partial(CrfConfig, data=voc.root, scores=folder, workers=2)
    same_on_both(crf, config, tmp_path, logits=logits)


def test_a_whole_chain_on_the_card(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    """From the command line, with what looks at results beside it: scores and pictures."""
    edges = "--edges --weights none --iterations 2 --batch-size 2 --crop 32 --radius 3 --steps 2"
    full = "--supervision full --model tiny --iterations 2 --crop 32 --scales 1 --probabilities"
    for run, place in ((tmp_path / "cpu", nullcontext()), (tmp_path / "card", on_card())):
        lines: list[list[object]] = [
            train_arguments(voc, run),
            ["attend", "--run", run, "--size", 64, "--amp", "off"],
            ["saliency", "--run", run, "--model", "unsupervised"],
            ["proxy", "--run", run],
            ["refine", "--run", run, *edges.split(), "--amp", "off"],
            ["segment", "--run", run, *full.split(), "--amp", "off"],
            ["crf", "--uncertainty", "--run", run],
            *(["evaluate", "--run", run, "--what", what] for what in (*LABEL_FOLDERS, "attention")),
            ["show", run, "--image", voc.train_ids[0]],
        ]
        with place:
            outcomes = [wsss(*line) for line in lines]
        assert [outcome.err for outcome in outcomes if outcome.code] == []
    for name in STAGES:
        require_equal(tmp_path / "card" / name, tmp_path / "cpu" / name)
    for what in (*LABEL_FOLDERS, "attention"):
        found, expected = (
            json.loads((tmp_path / where / "evaluate" / f"{what}.json").read_text())
            for where in ("card", "cpu")
        )
        assert {**found, "source": None} == {**expected, "source": None}
