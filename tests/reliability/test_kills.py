"""Every stage, killed or interrupted at random moments, ends with the bytes of an undisturbed run.

``WSSS_KILLS=20`` asks for twenty moments a stage instead of one; docs/reliability.md has what came
of it.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import pytest
import torch
from conftest import Command, TinyVoc, draw_voc
from PIL import Image
from processes import PATIENCE, started, wait_until

pytestmark = pytest.mark.slow

MOMENTS = int(os.environ.get("WSSS_KILLS", "1"))
COMPARISON = """
seeds = [0]
[train]
backbone = "tiny"
iterations = 12
batch-size = 4
crop = 32
lr = 0.02
checkpoint-every = 2
[attend]
size = 32
[settings.CAM]
train.method = "cam"
[settings.SeeNet]
"""
ROUNDS = """
[train]
backbone = "tiny"
iterations = 12
batch-size = 4
crop = 32
lr = 0.02
[attend]
size = 32
[segment]
iterations = 12
batch-size = 4
crop = 32
scales = [1.0]
flip = false
checkpoint-every = 3
[[relabel]]
proxy.rule = "masked"
"""
# What a stage reads of the run it works in.
NEEDS = {
    "train": (),
    "attend": ("train",),
    "proxy": ("train", "attend"),
    "refine": ("train", "attend", "proxy"),
    "segment": ("train", "attend", "proxy"),
    "predict": (),
    "crf": ("train", "segment"),
    "compare": (),
    "rounds": (),
}


@dataclass(frozen=True)
class Work:
    """Something to be done, how it looks when it is, and how long that took from its claim on."""

    arguments: Callable[[Path], list[object]]
    needs: tuple[Path, ...]
    result: Mapping[str, object]
    seconds: float


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> TinyVoc:
    """Images enough for three shards of attention."""
    return draw_voc(tmp_path_factory.mktemp("crowd"), train=280, val=40)


@pytest.fixture(scope="module")
def undisturbed(crowd: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Work]:
    """Every work done once without a disturbance."""
    base = tmp_path_factory.mktemp("undisturbed")
    run, data = base / "run", ["--data", crowd.root]
    (base / "methods.toml").write_text(COMPARISON)
    (base / "rounds.toml").write_text(ROUNDS)
    learn = "--batch-size 4 --crop 48 --lr 0.01 --checkpoint-every 3"
    commands: dict[str, Callable[[Path], list[object]]] = {
        "train": lambda place: [
            *f"train --backbone tiny --iterations 60 --snapshot-every 20 {learn}".split(),
            *("--run", place, *data),
        ],
        "attend": lambda place: ["attend", "--size", "96", "--heatmaps", "--run", place],
        "proxy": lambda place: ["proxy", "--saliency", crowd.saliency, "--run", place],
        "refine": lambda place: [
            *f"refine --edges --iterations 12 --radius 3 --steps 8 {learn}".split(),
            *("--run", place),
        ],
        "segment": lambda place: [
            *f"segment --model tiny --iterations 30 --probabilities {learn}".split(),
            *("--run", place),
        ],
        "predict": lambda place: [
            *("segment", "--checkpoint", run / "segment" / "checkpoint.pt", "--split", "train"),
            *("--run", place, *data),
        ],
        "crf": lambda place: ["crf", "--uncertainty", "--preset", "irn", "--run", place],
        "compare": lambda place: [
            *("compare", base / "methods.toml", "--saliency", crowd.saliency),
            *("--out", place, *data),
        ],
        "rounds": lambda place: [
            *("rounds", base / "rounds.toml", "--saliency", crowd.saliency),
            *("--out", place, *data),
        ],
    }
    done = {}
    for name, arguments in commands.items():
        place = base / name if name in ("predict", "compare", "rounds") else run
        before = set(_claims(place))
        with started([*arguments(place), "-q"]) as process:
            wait_until(process, lambda: bool(set(_claims(place)) - before))  # noqa: B023
            begun = time.monotonic()
            _, err = process.communicate(timeout=PATIENCE)
            seconds = time.monotonic() - begun
        assert process.returncode == 0, err
        needs = tuple(run / stage for stage in NEEDS[name])
        made = [place / name] if place == run else [place]
        done[name] = Work(arguments, needs, _result(place, made), seconds)
    return done


def _claims(place: Path) -> Iterator[Path]:
    return place.rglob(".lock") if place.exists() else iter(())


def _result(place: Path, folders: list[Path]) -> dict[str, object]:
    """What lies there, by path: a hash of the bytes; of JSON with times and places the rest."""
    found: dict[str, object] = {}
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        if path.is_dir() or path.name in (".lock", "compare.md", "compare.csv", "rounds.md"):
            continue  # the tables' texts hold seconds and places of their JSON
        name = str(path.relative_to(place))
        if path.suffix == ".jsonl":
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            found[name] = _without_times(lines, str(place))
        elif path.suffix == ".json":
            found[name] = _without_times(json.loads(path.read_text()), str(place))
        else:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _without_times(value: Any, place: str) -> Any:
    of_this_time = ("started", "finished", "rate", "written", "skipped", "time")
    if isinstance(value, dict):
        return {
            key: _without_times(inner, place)
            for key, inner in value.items()
            if key not in of_this_time and "second" not in key
        }
    if isinstance(value, list):
        return [_without_times(inner, place) for inner in value]
    return value.replace(place, "PLACE") if isinstance(value, str) else value


def _require_no_half_file(place: Path) -> None:
    """Whatever has a final name can be read to its end."""
    for path in place.rglob("*"):
        if path.is_dir() or path.name.startswith("."):
            continue
        if path.suffix == ".png":
            with Image.open(path) as image:
                image.load()
        elif path.suffix == ".h5":
            with h5py.File(path) as file:
                file.visititems(lambda _, item: item[()] if isinstance(item, h5py.Dataset) else 0)
        elif path.suffix == ".pt":
            torch.load(path, weights_only=True)
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".jsonl":  # it grows in place: a last half line is left out
            whole, _, _ = path.read_text().rpartition("\n")
            assert all(json.loads(line) for line in whole.splitlines())


@pytest.mark.parametrize("moment", range(MOMENTS))
@pytest.mark.parametrize(
    "how",
    [signal.SIGKILL, signal.SIGINT, signal.SIGTERM],
    ids=["killed", "interrupted", "terminated"],
)
@pytest.mark.parametrize("name", NEEDS)
def test_disturbed_at_any_moment_it_ends_with_the_same_bytes(
    undisturbed: dict[str, Work],
    fresh: Command,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    name: str,
    how: signal.Signals,
    moment: int,
) -> None:
    work, place = undisturbed[name], tmp_path / "run"
    for stage in work.needs:
        shutil.copytree(stage, place / stage.name)
    before = set(_claims(place))
    delay = random.Random(f"{name} {how} {moment}").random() * work.seconds
    with started([*work.arguments(place), "-q"]) as process:
        wait_until(process, lambda: bool(set(_claims(place)) - before))
        time.sleep(delay)
        process.send_signal(how)
        _, err = process.communicate(timeout=PATIENCE)
    record_property("ended", process.returncode)
    if how == signal.SIGKILL:
        assert process.returncode in (-how, 0)
    else:
        # At the very end, Python has given the signal back to the system: the shell says the same.
        assert process.returncode in (128 + how, -how, 0), err
        assert "Traceback" not in err
    _require_no_half_file(place)
    again = fresh(*work.arguments(place), "-q")
    assert again.code == 0, again.err
    made = [place] if name in ("predict", "compare", "rounds") else [place / name]
    result = _result(place, made)
    assert result.keys() == work.result.keys()
    other = [path for path in result if result[path] != work.result[path]]
    assert [(path, result[path]) for path in other] == [(path, work.result[path]) for path in other]
