"""``wsss show RUN``: sizes, what is stale, and that the commands it names make it fresh again."""

import json
import os
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Command, TinyVoc, annotation_xml, draw_voc, train_arguments
from filelock import FileLock
from onnx_file import write_weighted_channels
from PIL import Image

from wsss_cli.data.images import read_image
from wsss_cli.inspect.show.staleness import _FINGERPRINTS

SHORT = ["--iterations", "2", "--batch-size", "2", "--crop", "32", "--amp", "off"]
CORRECTED = ["--label-correction", "adele", "--iterations", "25"]  # the fewest of so few images
EDGES = ["--edges", *SHORT, "--radius", "3", "--steps", "2"]
SMALL = ["--size", "64", "--amp", "off", "--no-flip"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for a tree and for runs on it that the tests copy as one."""
    return tmp_path_factory.mktemp("place")


def _chain(wsss: Command, place: Path) -> tuple[TinyVoc, Path]:
    """A tree and a whole run on it, made once for the module and copied by :func:`_copied`."""
    if (place / "run/crf").exists():
        return _data_set(place), place / "run"
    voc, run = draw_voc(place / "own"), place / "run"
    common = ["--run", run]
    for arguments in (
        train_arguments(voc, run),
        ["attend", *common, *SMALL],
        ["proxy", *common, "--saliency", voc.saliency],
        ["segment", *common, *SHORT, "--scales", "1", "--no-flip", "--probabilities"],
        ["crf", *common],
        ["evaluate", *common],
    ):
        done = wsss(*arguments)
        assert done.code == 0, done.err
    return voc, run


def _data_set(base: Path) -> TinyVoc:
    root = base / "own/VOC2012"
    ids = sorted(path.stem for path in (root / "JPEGImages").iterdir())
    return TinyVoc(root, base / "own/saliency", ids[:12], ids[12:])


@pytest.fixture
def chain(wsss: Command, place: Path) -> tuple[TinyVoc, Path]:
    """The tree and the run; each test puts back what it changes, or works on a copy of the run."""
    return _chain(wsss, place)


@pytest.fixture
def run(chain: tuple[TinyVoc, Path], tmp_path: Path) -> Path:
    """A copy of the run in another folder."""
    return Path(shutil.copytree(chain[1], tmp_path / "elsewhere"))


def _show(wsss: Command, run: Path) -> dict[str, Any]:
    shown = wsss("show", run, "--json")
    assert shown.code == 0, shown.err
    stages: dict[str, Any] = shown.values["stages"]
    return stages


def _states(stages: dict[str, Any]) -> dict[str, str]:
    return {
        f"{stage} {role}": given["state"]
        for stage, found in stages.items()
        for role, given in found["inputs"].items()
    }


def test_nothing_is_stale_in_runs_that_nobody_touched(
    wsss: Command, chain: tuple[TinyVoc, Path], tmp_path: Path
) -> None:
    """Every recipe of every input: a stage and its re-reading must not drift apart."""
    voc, whole = chain
    base = ["--data", voc.root]
    model = write_weighted_channels(tmp_path / "red.onnx", (1.0, 0.0, 0.0))
    soft = tmp_path / "soft"
    soft.mkdir()
    for image_id in voc.val_ids:
        np.save(soft / f"{image_id}.npy", np.full((4, 5, 6), 0.25, np.float32))
    regions = tmp_path / "regions"
    regions.mkdir()
    for image_id in voc.train_ids:
        height, width = read_image(voc.image(image_id)).shape[:2]
        np.save(regions / f"{image_id}.npy", np.ones((height, width), np.uint8))
    start, trained = whole / "train/checkpoint.pt", whole / "segment/checkpoint.pt"
    attention = whole / "attend/attention.h5"
    saliency = ["--saliency", voc.saliency]
    # Masks of the data stand for the predictions of a first round.
    masked = ["--rule", "masked", "--prediction", voc.root / "SegmentationClass"]
    commands: dict[str, list[list[object]]] = {
        "round": [
            [
                *train_arguments(voc, tmp_path / "round"),
                "--erase",
                attention,
                "--method",
                "aepsl",
            ],
            ["attend", *SMALL],
            ["saliency", "--model", model, "--passes", "2"],
            ["proxy", "--rule", "dcsp"],
            ["segment", *base, *SHORT, "--supervision", "full", "--weights", start],
        ],
        "learned": [
            [*train_arguments(voc, tmp_path / "learned"), "--method", "eps", *saliency],
            ["attend", *SMALL],
            ["proxy", "--rule", "nsrom", "--potential-attention", attention, *saliency],
        ],
        "onward": [
            [*train_arguments(voc, tmp_path / "onward"), "--start", start],
            ["attend", *SMALL, "--labels", "predicted"],
            ["proxy", "--rule", "irn"],
            ["refine", *EDGES, "--weights", "none"],
            [
                *("segment", *SHORT, "--prohibitive", "--pixel-weights", voc.saliency),
                *(*CORRECTED, "--corrected", voc.root / "SegmentationClass"),
                *("--classifier", start),
            ],
        ],
        "second": [["proxy", *base, "--attention", attention, *masked, *saliency]],
        "foreign": [
            ["proxy", *base, "--attention", attention, "--rule", "threshold", "--crf", "psa"],
            ["segment", *base, "--restrict-to-labels", "--checkpoint", trained],
            ["refine", *base, "--attention", attention, "--regions", regions],
            ["crf", *base, "--scores", soft],
        ],
    }
    roles = {name.split()[1] for name in _states(_show(wsss, whole))}
    for name, lines in commands.items():
        for line in lines:
            done = wsss(*line, "--run", tmp_path / name)
            assert done.code == 0, done.err
    for one in (whole, *(tmp_path / name for name in commands)):
        stages = _show(wsss, one)
        assert set(_states(stages).values()) == {"same"}, _states(stages)
        assert not any(found["stale"] or found["again"] for found in stages.values())
        roles |= {name.split()[1] for name in _states(stages)}
    assert roles == set(_FINGERPRINTS)


def test_sizes_are_those_of_the_files(wsss: Command, run: Path) -> None:
    shown = wsss("show", run, "--json").values
    for name, found in {**shown["stages"], **shown["others"]}.items():
        files = [p for p in (run / name).rglob("*") if p.is_file() and not p.name.startswith(".")]
        assert found["files"] == len(files)
        assert found["bytes"] == sum(len(path.read_bytes()) for path in files)
    assert set(shown["others"]) == {"evaluate"}
    labels = len(list((run / "crf/labels").iterdir()))
    assert f"{labels + 1} files" in next(
        line for line in wsss("show", run).out.splitlines() if line.startswith("  crf")
    )


def test_what_follows_a_new_training_is_stale_until_made_again(
    wsss: Command, chain: tuple[TinyVoc, Path], run: Path
) -> None:
    again = [*train_arguments(chain[0], run), "--seed", "3", "--overwrite"]
    assert wsss(*again).code == 0
    stages = _show(wsss, run)
    stale = {stage: found["stale"] for stage, found in stages.items() if found["stale"]}
    assert list(stale) == ["attend", "proxy", "segment", "crf"]
    assert "input checkpoint" in stale["attend"][0]
    assert "attend" in stale["proxy"][0]
    assert "proxy" in stale["segment"][0]
    text = wsss("show", run).out
    assert text.count("STALE") == 4
    settings = {stage: found["settings"] for stage, found in stages.items()}
    for stage in stale:
        command = stages[stage]["again"]
        assert command in text
        done = wsss(*shlex.split(command)[1:])
        assert done.code == 0, done.err
    stages = _show(wsss, run)
    assert not any(found["stale"] for found in stages.values())
    assert settings == {stage: found["settings"] for stage, found in stages.items()}


def test_what_another_version_made_is_stale_until_made_again(wsss: Command, run: Path) -> None:
    manifest = run / "proxy/manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "stage_version": 0}))
    stages = _show(wsss, run)
    assert stages["proxy"]["stale"] == ["it was made by another version of this stage"]
    assert not stages["attend"]["stale"]
    assert "proxy" in stages["segment"]["stale"][0]
    done = wsss(*shlex.split(stages["proxy"]["again"])[1:])
    assert done.code == 0, done.err
    assert not any(found["stale"] for found in _show(wsss, run).values())


def test_changed_labels_masks_and_maps_are_noticed(
    wsss: Command, chain: tuple[TinyVoc, Path], run: Path
) -> None:
    voc, _ = chain
    annotation = voc.annotation(voc.train_ids[0])
    saliency = voc.saliency / f"{voc.train_ids[1]}.png"
    before = annotation.read_text(), saliency.read_bytes()
    try:
        annotation.write_text(annotation_xml(["cross"]))
        states = _states(_show(wsss, run))
        changed = {name for name, state in states.items() if state == "changed"}
        # Predictions and refinement look at photographs, not at labels.
        assert changed == {"train data", "attend data"}
        annotation.write_text(before[0])
        Image.fromarray(255 - np.asarray(Image.open(saliency))).save(saliency)
        stages = _show(wsss, run)
        assert [s for s in stages if stages[s]["stale"]] == ["proxy", "segment", "crf"]
    finally:
        annotation.write_text(before[0])
        saliency.write_bytes(before[1])
    mask = next((run / "proxy/labels").glob("*.png"))
    Image.fromarray(np.full((48, 64), 1, np.uint8)).save(mask)
    stages = _show(wsss, run)
    assert [s for s in stages if stages[s]["stale"]] == ["segment", "crf"]
    assert "input supervision" in stages["segment"]["stale"][0]


def test_a_foreign_file_that_was_replaced_is_noticed(
    wsss: Command, chain: tuple[TinyVoc, Path], tmp_path: Path
) -> None:
    _, whole = chain
    foreign = tmp_path / "theirs.h5"
    shutil.copy(whole / "attend/shards/00000.h5", foreign)
    run = tmp_path / "their run"
    arguments = ["--rule", "threshold", "--attention", foreign, "--run", run]
    assert wsss("proxy", *arguments).code == 0
    assert _states(_show(wsss, run)) == {"proxy attention": "same"}
    foreign.write_bytes(foreign.read_bytes()[:-1] + b"x")
    assert _states(_show(wsss, run)) == {"proxy attention": "changed"}
    foreign.write_bytes(foreign.read_bytes()[:100])
    assert _states(_show(wsss, run)) == {"proxy attention": "unreadable"}
    foreign.unlink()
    stages = _show(wsss, run)
    assert _states(stages) == {"proxy attention": "missing"}
    assert not stages["proxy"]["stale"]
    assert "is not there any more" in wsss("show", run).out


def test_a_run_may_be_moved_and_shown_from_anywhere(
    wsss: Command,
    chain: tuple[TinyVoc, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    voc, _ = chain
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run = Path("runs/one")  # recorded as such: relative to the folder of that day
    assert wsss(*train_arguments(voc, run)).code == 0
    assert wsss("attend", "--run", run, *SMALL).code == 0
    assert wsss("proxy", "--run", run, "--rule", "threshold").code == 0
    moved = Path(shutil.move(tmp_path / "here/runs/one", tmp_path / "there/two"))
    monkeypatch.chdir(tmp_path / "there")
    assert set(_states(_show(wsss, moved)).values()) == {"same"}
    assert set(_states(_show(wsss, Path("two"))).values()) == {"same"}
    checkpoint = _show(wsss, moved)["attend"]["inputs"]["checkpoint"]["path"]
    assert Path(checkpoint) == moved / "train/checkpoint.pt"


def test_what_is_not_whole_is_called_so_with_the_command_that_goes_on(
    wsss: Command, run: Path
) -> None:
    lost = next((run / "proxy/labels").glob("*.png"))
    lost.unlink()
    manifest = run / "crf/manifest.json"
    manifest.write_text(manifest.read_text().replace('"complete"', '"running"'))
    with FileLock(run / "crf/.lock"):  # as its process holds it
        found = _show(wsss, run)["crf"]
        assert (found["in_progress"], found["unfinished"], found["again"]) == (True, [], None)
        assert "crf      being made right now" in wsss("show", run).out
    stages = _show(wsss, run)
    assert not stages["crf"]["in_progress"]
    assert "labels/*.png" in stages["proxy"]["unfinished"][0]
    assert "stopped" in stages["crf"]["unfinished"][0]
    assert wsss("show", run).out.count("NOT WHOLE") == 2
    for stage in ("proxy", "crf"):
        assert wsss(*shlex.split(stages[stage]["again"])[1:]).code == 0
    assert lost.exists()
    stages = _show(wsss, run)
    assert not any(found["unfinished"] for found in stages.values())


def test_old_manifests_are_shown_as_far_as_they_go(wsss: Command, tmp_path: Path) -> None:
    """Fields that later versions added are missing in them, and files were once a sum."""
    folder = tmp_path / "run/attend"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(
        '{"schema": 1, "status": "complete", "fingerprint": "f", "stage": "attend", "files": 3,'
        '"settings": {}, "counts": {}, "inputs": {"weather": {"path": "sun", "fingerprint": "g"},'
        f'"data": {{"path": "{os.fspath(tmp_path)}", "fingerprint": "h"}}}}}}'
    )
    stages = _show(wsss, tmp_path / "run")
    assert _states(stages) == {"attend weather": "unknown", "attend data": "unreadable"}
    text = wsss("show", tmp_path / "run").out
    assert "input weather" in text


def test_a_training_that_went_on_from_another_is_gone_on_with_by_its_start(
    wsss: Command, chain: tuple[TinyVoc, Path], tmp_path: Path
) -> None:
    voc, whole = chain
    start = whole / "train/checkpoint.pt"
    onward = tmp_path / "onward"
    assert wsss(*train_arguments(voc, onward), "--start", start).code == 0
    (onward / "train/checkpoint.pt").unlink()
    again = shlex.split(_show(wsss, onward)["train"]["again"])
    assert again[again.index("--start") + 1] == str(start)
    assert wsss(*again[1:]).code == 0
