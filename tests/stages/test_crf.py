"""``wsss crf``: soft maps of any origin, refined, scored by name, resumed and refused."""

import shlex
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from conftest import HEIGHT, WIDTH, Command, TinyVoc

from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.artifacts.stage_commands import recorded_command
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.configs.common import record
from wsss_cli.configs.crf import PRESETS, CrfConfig
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.data.images import read_image
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.ops.dense_crf import dense_crf
from wsss_cli.stages import crf, segment
from wsss_cli.tracking import Silent

SHAPE = (4, HEIGHT, WIDTH)


def _soft(seed: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Logits as a network gives them: smooth."""
    coarse = 3 * torch.randn(1, 4, 5, 6, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(coarse, shape[1:], mode="bicubic")[0]
    return smooth.numpy()


def _softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=0))
    result: np.ndarray = exponentials / exponentials.sum(axis=0)
    return result


@pytest.fixture
def logits(voc: TinyVoc, tmp_path: Path) -> Path:
    """Logits of the validation images."""
    folder = tmp_path / "logits"
    folder.mkdir()
    for seed, image_id in enumerate(voc.val_ids):
        np.save(folder / f"{image_id}.npy", _soft(seed))
    return folder


@pytest.fixture
def probabilities(logits: Path, tmp_path: Path) -> Path:
    """The same as probabilities, compressed."""
    folder = tmp_path / "probabilities"
    folder.mkdir()
    for path in logits.glob("*.npy"):
        np.savez_compressed(folder / f"{path.stem}.npz", _softmax(np.load(path)))
    return folder


def _labels(run: Path) -> dict[str, np.ndarray]:
    return {path.stem: read_label_map(path) for path in sorted((run / "crf/labels").glob("*.png"))}


def _config(voc: TinyVoc, run: Path, scores: Path, **settings: Any) -> CrfConfig:
    return CrfConfig(run=run, data=voc.root, scores=scores, **settings)


def test_label_maps_are_the_best_of_the_crf(
    voc: TinyVoc, logits: Path, probabilities: Path, tmp_path: Path
) -> None:
    crf.run(_config(voc, tmp_path / "a", probabilities, preset="irn"), track=Silent())
    crf.run(_config(voc, tmp_path / "b", logits, logits=True, preset="irn"), track=Silent())
    found = _labels(tmp_path / "a")
    assert sorted(found) == sorted(voc.val_ids)
    changed = 0
    for image_id, label_map in found.items():
        soft = _softmax(np.load(logits / f"{image_id}.npy"))
        photograph = torch.from_numpy(read_image(voc.image(image_id)))
        marginals = dense_crf(torch.from_numpy(soft), photograph, PRESETS["irn"])
        assert np.array_equal(label_map, marginals.argmax(dim=0).numpy())
        changed += int((label_map != soft.argmax(axis=0)).sum())
        assert float((_labels(tmp_path / "b")[image_id] == label_map).mean()) > 0.999
    assert changed > 100


def test_numbers_given_take_the_place_of_the_presets(
    voc: TinyVoc, probabilities: Path, tmp_path: Path
) -> None:
    """All six of another preset are that preset, but for its name."""
    own = asdict(PRESETS["psa"])
    crf.run(_config(voc, tmp_path / "psa", probabilities, preset="psa"), track=Silent())
    crf.run(_config(voc, tmp_path / "oaa", probabilities, preset="oaa"), track=Silent())
    crf.run(_config(voc, tmp_path / "own", probabilities, preset="oaa", **own), track=Silent())
    psa, oaa, same = (_labels(tmp_path / name) for name in ("psa", "oaa", "own"))
    assert all(np.array_equal(psa[i], same[i]) for i in voc.val_ids)
    assert not all(np.array_equal(psa[i], oaa[i]) for i in voc.val_ids)
    recorded = read_manifest(tmp_path / "psa" / "crf")["settings"]
    assert recorded == {"preset": "psa", "logits": False, **own}


def test_command_shown_for_a_preset_of_a_file_beside_all_six_numbers_repeats_the_result(
    wsss: Command, voc: TinyVoc, probabilities: Path, tmp_path: Path
) -> None:
    file, run = tmp_path / "wsss.toml", tmp_path / "run"
    file.write_text('[crf]\npreset = "oaa"\n')
    given = CrfConfig(run=run, data=voc.root, scores=probabilities, **asdict(PRESETS["psa"]))
    command = recorded_command("crf", {"config": record(given)}, run)
    assert wsss(*shlex.split(command)[1:], "--config", file).code == 0
    shown = recorded_command("crf", read_manifest(run / "crf"), run)
    assert "--preset" not in shown
    assert " up to date: " in wsss(*shlex.split(shown)[1:]).out


@pytest.mark.parametrize("as_logits", [False, True])
def test_smaller_maps_span_the_photograph(voc: TinyVoc, tmp_path: Path, as_logits: bool) -> None:
    """Corner on corner; between samples linearly, of logits before the softmax."""
    image_id = voc.val_ids[0]
    small, large = np.zeros((4, 2, 2), np.float32), np.zeros(SHAPE, np.float32)
    small[1] = [[-2, 2], [2, 6]] if as_logits else [[0.1, 0.3], [0.4, 0.9]]
    small[0] = 1 if as_logits else 1 - small[1]
    for y, x in np.ndindex(HEIGHT, WIDTH):
        v, u = y / (HEIGHT - 1), x / (WIDTH - 1)
        corners = small[:, [0, 0, 1, 1], [0, 1, 0, 1]]  # (L, 4)
        large[:, y, x] = corners @ [(1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u]
    large = _softmax(large) if as_logits else large
    (tmp_path / "soft").mkdir()
    np.save(tmp_path / "soft" / f"{image_id}.npy", small)
    config = _config(voc, tmp_path / "run", tmp_path / "soft", logits=as_logits, preset="dcsp")
    crf.run(config, track=Silent())
    photograph = torch.from_numpy(read_image(voc.image(image_id)))
    expected = dense_crf(torch.from_numpy(large), photograph, PRESETS["dcsp"]).argmax(dim=0)
    found = _labels(tmp_path / "run")[image_id]
    assert float((found == expected.numpy()).mean()) > 0.999
    assert len(np.unique(found)) > 1


def test_scores_kept_by_segment_give_what_segment_would_have_refined(
    voc: TinyVoc, tmp_path: Path
) -> None:
    run, refined = tmp_path / "run", tmp_path / "refined"
    small: dict[str, Any] = {"model": "tiny", "iterations": 1, "batch_size": 2, "crop": 32}
    common: dict[str, Any] = {"data": voc.root, "scales": (1.0,), "flip": False, "amp": "off"}
    segment.run(
        SegmentConfig(run=run, supervision="full", probabilities=True, **small, **common),
        track=Silent(),
    )
    checkpoint = run / "segment" / "checkpoint.pt"
    segment.run(
        SegmentConfig(run=refined, checkpoint=checkpoint, crf="oaa", **common), track=Silent()
    )
    report = crf.run(CrfConfig(run=run, preset="oaa"), track=Silent())
    assert report.values["images"] == len(voc.val_ids)
    for image_id, found in _labels(run).items():
        theirs = read_label_map(refined / "segment" / "predictions" / f"{image_id}.png")
        assert np.array_equal(found, theirs)


def test_it_is_resumed_up_to_date_and_refused_like_any_stage(
    wsss: Command, voc: TinyVoc, probabilities: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    asked = ["crf", "--scores", probabilities, "--data", voc.root, "--run", run, "--json"]
    plan = wsss(*asked, "--dry-run").values
    assert (plan["images"], plan["iterations"], plan["found"]) == (4, 10, "new")
    assert not run.exists()
    assert wsss(*asked).values["written"] == 4
    assert wsss(*asked).values["status"] == "up to date"
    lost = run / "crf" / "labels" / f"{voc.val_ids[1]}.png"
    before = lost.read_bytes()
    lost.unlink()
    again = wsss(*asked).values
    assert (again["written"], again["skipped"]) == (1, 3)
    assert lost.read_bytes() == before
    refused = wsss(*asked, "--bilateral-xy", 40)
    assert refused.code == 2
    assert "bilateral_xy 121 there, 40.0 now" in refused.err
    np.savez_compressed(probabilities / f"{voc.val_ids[0]}.npz", _softmax(_soft(99)))
    assert "input scores" in wsss(*asked).err
    assert wsss(*asked, "--overwrite").values["written"] == 4


def test_evaluate_and_show_know_it_by_name(
    wsss: Command, voc: TinyVoc, probabilities: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert f"wsss crf --run {run}" in wsss("evaluate", "--what", "crf", "--run", run).err
    crf.run(_config(voc, run, probabilities), track=Silent())
    scores = wsss("evaluate", "--what", "crf", "--run", run, "--json").values
    labels, masks = run / "crf" / "labels", voc.root / "SegmentationClass"
    same = wsss("evaluate", "--pred", labels, "--gt", masks, "--data", voc.root, "--json").values
    assert (scores["miou"], scores["images"]) == (same["miou"], 4)
    summary = wsss("show", run, "--json").values
    assert summary["stages"]["crf"]["settings"]["preset"] == "largefov"
    assert summary["scores"]["crf"]["of_this_result"] is True
    assert "crf" in wsss("show", run).out


def test_threads_change_nothing(voc: TinyVoc, probabilities: Path, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    for workers in (0, 3):
        config = _config(voc, tmp_path / str(workers), probabilities, workers=workers)
        crf.run(config, track=Silent())
    assert torch.get_num_threads() == before
    one, three = _labels(tmp_path / "0"), _labels(tmp_path / "3")
    assert all(np.array_equal(one[i], three[i]) for i in voc.val_ids)


def test_impossible_inputs_are_refused_in_one_sentence(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path
) -> None:
    soft, run = tmp_path / "soft", tmp_path / "run"
    soft.mkdir()

    def refused(code: int, *named: str, options: tuple[str, ...] = ()) -> None:
        asked = ["crf", "--scores", soft, "--data", own_voc.root, "--run", run, "--overwrite"]
        outcome = wsss(*asked, *options)
        assert outcome.code == code, outcome.err
        said = outcome.err.splitlines()[-1]
        assert said.startswith("error: ")
        assert all(name in said for name in named), said

    refused(2, "holds neither ID.npy nor ID.npz")
    np.save(soft / "nobody.npy", _softmax(_soft(0)))
    refused(1, "1 images are missing", "nobody.jpg")
    (soft / "nobody.npy").unlink()
    path = soft / f"{own_voc.val_ids[0]}.npy"
    np.save(path, _soft(0))
    refused(1, path.name, "holds no probabilities", "pass --logits")
    np.save(path, _softmax(_soft(0)).swapaxes(1, 2))
    refused(1, "64 x 48, but its photograph is 48 x 64")
    np.save(path, _softmax(_soft(0))[:3])
    refused(1, path.name, "it should be (4, h, w)")
    np.save(path, _softmax(_soft(0)))
    refused(1, path.name, "holds probabilities", "leave --logits out", options=("--logits",))
    own_voc.image(own_voc.val_ids[0]).unlink()
    refused(1, "1 images are missing", own_voc.val_ids[0])
    unknown = wsss("crf", "--scores", soft, "--run", tmp_path / "other")
    assert (unknown.code, "does not know its data set yet" in unknown.err) == (2, True)


def test_wrong_maps_cost_no_earlier_result(
    voc: TinyVoc, probabilities: Path, logits: Path, tmp_path: Path
) -> None:
    config = _config(voc, tmp_path, probabilities)
    crf.run(config, track=Silent())
    before = _labels(tmp_path)
    with pytest.raises(WsssError, match="--logits"):
        crf.run(replace(config, scores=logits, overwrite=True), track=Silent())
    assert before.keys() == _labels(tmp_path).keys()
    assert read_manifest(tmp_path / "crf")["status"] == "complete"


def test_what_scores_there_are_is_said(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    run = ["--run", tmp_path / "run", "--data", voc.root]
    refused = wsss("crf", *run)
    assert f"wsss segment --run {run[1]}`" in refused.err and "--scores" in refused.err
    missing = tmp_path / "scores.h5"
    assert str(missing) in wsss("crf", *run, "--scores", missing).err
    with h5py.File(missing, "w") as file:
        group = file.create_group(voc.val_ids[0])
        group.attrs["height"], group.attrs["width"] = 47, 64
        group.create_dataset("scores", data=_soft(0, (4, 6, 8)).astype(np.float16))
    refused = wsss("crf", *run, "--scores", missing)
    assert refused.code == 1
    assert all(size in refused.err for size in ("47 x 64", "48 x 64"))
    refused = wsss("crf", *run, "--scores", missing, "--logits")
    assert refused.code == 2
    assert "--logits" in refused.err


def test_settings_are_those_of_the_preset_unless_given() -> None:
    config = CrfConfig(preset="oaa")
    assert config.chosen == PRESETS["oaa"]
    assert replace(config, iterations=5).chosen == replace(PRESETS["oaa"], iterations=5)
    with pytest.raises(UsageError, match="--bilateral-rgb"):
        CrfConfig(bilateral_rgb=-1.0)
