"""``wsss evaluate`` opens with a verdict, and scores where baselines lack maps."""

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Command, TinyVoc, draw_voc
from PIL import Image

from wsss_cli.artifacts.label_png import write_label_map
from wsss_cli.stages.evaluate.verdict import verdict


def _values(miou: float, low: float, **baselines: float) -> dict[str, Any]:
    return {"what": "prediction", "miou": miou, "interval": {"low": low}, "baselines": baselines}


@pytest.mark.parametrize(
    ("miou", "low", "standing", "said"),
    [
        (0.608, 0.58, "below", "below painting the saliency map"),
        (0.657, 0.62, "below", "painting the saliency map"),
        (0.666, 0.64, "level", "hardly above painting the saliency map"),
        (0.700, 0.68, "above", "above painting the saliency map"),
    ],
)
def test_verdict_compares_with_the_best_baseline(
    miou: float, low: float, standing: str, said: str
) -> None:
    found = verdict(_values(miou, low, background=0.18, saliency_best_label=0.657, centre_box=0.3))
    assert (found.standing, found.baseline) == (standing, "saliency_best_label")
    assert said in found.sentence
    assert found.sentence.startswith(f"mIoU {100 * miou:.1f}")
    assert "65.7" in found.sentence


def test_verdict_of_attention_names_its_threshold_and_that_nothing_better_was_asked_for() -> None:
    values = {**_values(0.5, 0.4, background=0.2), "what": "attention", "best_threshold": 0.35}
    found = verdict(values)
    assert found.standing == "above"
    assert "0.35" in found.sentence
    assert "--baselines" in found.sentence


def test_verdict_of_earlier_scores_and_of_none() -> None:
    assert verdict({"what": "proxy", "miou": 0.5}).standing is None
    assert "50.0" in verdict({"what": "proxy", "miou": 0.5}).sentence
    assert verdict({"what": "proxy", "miou": None}).standing is None
    assert verdict({"what": "proxy", "miou": float("nan")}).standing is None


def _predictions(voc: TinyVoc, folder: Path, image_ids: list[str], wrong: float) -> Path:
    rng = np.random.default_rng(0)
    for image_id in image_ids:
        labels = np.array(Image.open(voc.mask(image_id)))
        labels[(rng.random(labels.shape) < wrong) | (labels == 255)] = 0
        write_label_map(folder / f"{image_id}.png", labels)
    return folder


@pytest.mark.parametrize(("wrong", "standing"), [(0.02, "above"), (1.0, "below")])
def test_scores_open_with_the_verdict(
    wsss: Command, voc: TinyVoc, tmp_path: Path, wrong: float, standing: str
) -> None:
    folder = _predictions(voc, tmp_path / "maps", voc.train_ids, wrong)
    arguments = ["evaluate", "--pred", folder, "--data", voc.root, "--split", "train"]
    values = wsss(*arguments, "--json").values
    assert values["verdict_standing"] == standing
    assert values["verdict_baseline"] == "background"
    text = wsss(*arguments)
    assert text.code == 0
    assert text.out.splitlines()[0] == values["verdict"]
    painted = wsss(*arguments, "--baselines", "--saliency", voc.saliency, "--json").values
    assert painted["verdict_baseline"] != "background"
    assert f"{100 * max(painted['baselines'].values()):.1f}" in painted["verdict"]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> tuple[TinyVoc, Path]:
    """The default chain: saliency of the training images alone, predictions of val."""
    from wsss_cli.configs.attend import AttendConfig
    from wsss_cli.configs.proxy import ProxyConfig
    from wsss_cli.configs.segment import SegmentConfig
    from wsss_cli.configs.train import TrainConfig
    from wsss_cli.stages import attend, proxy, segment, train
    from wsss_cli.tracking import Silent

    base = tmp_path_factory.mktemp("chain")
    voc, run = draw_voc(base), base / "run of mine"
    for image_id in voc.val_ids:
        (voc.saliency / f"{image_id}.png").unlink()
    where: dict[str, Any] = {"run": run, "data": voc.root, "amp": "off"}
    small = {"iterations": 4, "batch_size": 4, "crop": 32}
    train.run(TrainConfig(**where, **small, backbone="tiny", lr=0.01), track=Silent())
    attend.run(AttendConfig(**where, size=64), track=Silent())
    proxy.run(ProxyConfig(run=run, saliency=voc.saliency), track=Silent())
    segment.run(SegmentConfig(**where, **small, scales=(1.0,), flip=False), track=Silent())
    return voc, run


def test_default_chain_is_scored_and_the_commands_for_the_baselines_work_as_they_stand(
    wsss: Command, chain: tuple[TinyVoc, Path]
) -> None:
    voc, run = chain
    outcome = wsss("evaluate", "--run", run, "--baselines", "--json")
    assert outcome.code == 0, outcome.err
    values = outcome.values
    assert values["images"] == len(voc.val_ids)
    assert set(values["baselines"]) == {"background", "centre_box"}
    painted = {"saliency_first_label", "saliency_best_label", "saliency_predicted_label"}
    assert set(values["baselines_missing"]) == painted
    for missing in values["baselines_missing"].values():
        assert missing["reason"]
        assert set(missing["commands"][:-1]) <= set(values["baselines_commands"])
        assert missing["commands"][-1].startswith("wsss evaluate ")
    kept = json.loads((run / "evaluate" / "prediction.json").read_text())
    assert kept["baselines_missing"] == values["baselines_missing"]
    text = wsss("evaluate", "--run", run, "--baselines").out
    *making, again = values["baselines_commands"]
    assert [shlex.split(command)[1] for command in making] == ["saliency", "attend"]
    for command in (*making, again):
        assert command in text
        outcome = wsss(*shlex.split(command)[1:], "--json")
        assert outcome.code == 0, outcome.err
    scored = outcome.values
    assert set(scored["baselines"]) == {"background", "centre_box", *painted}
    assert "baselines_missing" not in scored
    assert scored["miou"] == values["miou"]
    shown = wsss(*shlex.split(again)[1:]).out
    assert all(name.replace("_", " ") in shown for name in painted)


def test_baselines_of_attention_are_scored_beside_it(
    wsss: Command, chain: tuple[TinyVoc, Path]
) -> None:
    run = chain[1]
    attention = wsss("evaluate", "--run", run, "--what", "attention", "--baselines", "--json")
    assert attention.code == 0, attention.err
    of_proxies = wsss("evaluate", "--run", run, "--what", "proxy", "--baselines", "--json")
    assert attention.values["baselines"] == pytest.approx(of_proxies.values["baselines"])
    assert len(attention.values["baselines"]) == 5
    assert "baselines_missing" not in attention.values
    plain = wsss("evaluate", "--run", run, "--what", "attention", "--json").values
    assert plain["baselines"] == {
        "background": pytest.approx(attention.values["baselines"]["background"])
    }


def test_labels_that_are_not_known_cost_their_baselines_only(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path
) -> None:
    folder = _predictions(own_voc, tmp_path / "maps", own_voc.val_ids, 0.1)
    for image_id in own_voc.val_ids:
        own_voc.annotation(image_id).unlink()
    arguments = ["evaluate", "--pred", folder, "--baselines", "--saliency", own_voc.saliency]
    outcome = wsss(*arguments, "--data", own_voc.root, "--run", tmp_path / "none", "--json")
    assert outcome.code == 0, outcome.err
    assert set(outcome.values["baselines"]) == {"background"}
    assert outcome.values["baselines_missing"]["centre_box"]["reason"]


def test_saliency_that_was_named_must_be_there(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    folder = _predictions(voc, tmp_path / "maps", voc.val_ids, 0.1)
    (tmp_path / "some").mkdir()
    arguments = [
        "evaluate",
        "--pred",
        folder,
        "--data",
        voc.root,
        "--split",
        "val",
        "--baselines",
    ]
    outcome = wsss(*arguments, "--saliency", tmp_path / "some")
    assert outcome.code == 1
    assert voc.val_ids[0] in outcome.err


def test_everything_background_counts_what_is_predicted_255_as_well(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    folder, undecided = tmp_path / "maps", tmp_path / "undecided"
    for image_id in voc.train_ids:
        labels = np.array(Image.open(voc.mask(image_id)))
        write_label_map(folder / f"{image_id}.png", np.where(labels == 255, 0, 0 * labels))
        labels[:, :20] = 255
        labels[0, 20:] = 0
        write_label_map(undecided / f"{image_id}.png", labels)
    arguments = ["evaluate", "--data", voc.root, "--split", "train", "--json", "--pred"]
    as_folder = wsss(*arguments, folder)
    beside = wsss(*arguments, undecided)
    assert beside.code == 0, beside.err
    if as_folder.code == 0:
        assert beside.values["baselines"]["background"] == pytest.approx(as_folder.values["miou"])
