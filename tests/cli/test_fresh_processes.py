"""The installed command in fresh processes: the whole chain, and kills at any moment."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import Command, TinyVoc, clean_environment, logged, script
from PIL import Image
from processes import PATIENCE, started, wait_until

pytestmark = pytest.mark.slow


def test_chain_runs_as_it_stands_says_up_to_date_and_is_scored(
    fresh: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    environment = {"WSSS_RUN": str(tmp_path / "run")}
    commands = [
        f"train --data {voc.root} --backbone tiny --iterations 20 --batch-size 4 --crop 32 "
        "--lr 0.01 --checkpoint-every 7",
        "attend --flip --size 64",
        f"proxy --saliency {voc.saliency}",
        "segment --iterations 10 --batch-size 2 --crop 48",
    ]
    for command in commands:
        done = fresh(*command.split(), env=environment, cwd=tmp_path)
        assert done.code == 0, done.err
        assert "Traceback" not in done.err
    for command in commands:
        again = fresh(*command.split(), env=environment, cwd=tmp_path)
        assert again.code == 0, again.err
        assert " up to date: " in again.out.splitlines()[0]
    scored = fresh("evaluate", "--json", env=environment, cwd=tmp_path)
    assert scored.code == 0, scored.err
    assert {"miou", "per_class", "pixel_accuracy", "images", "coverage"} <= scored.values.keys()
    assert set(scored.values["per_class"]) == {"background", "square", "disc", "cross"}
    assert (scored.values["images"], scored.values["coverage"]) == (4, 1.0)
    written = {str(path.relative_to(tmp_path / "run")) for path in (tmp_path / "run").glob("*/*")}
    stages = ("train", "attend", "proxy", "segment")
    assert written == {
        *(f"{stage}/.lock" for stage in stages),
        "train/manifest.json",
        "train/checkpoint.pt",
        "train/metrics.jsonl",
        "attend/manifest.json",
        "attend/attention.h5",
        "attend/shards",
        "proxy/manifest.json",
        "proxy/labels",
        "segment/manifest.json",
        "segment/checkpoint.pt",
        "segment/metrics.jsonl",
        "segment/predictions",
        "evaluate/prediction.json",
    }
    for path in (tmp_path / "run").glob("*/manifest.json"):
        assert json.loads(path.read_text())["status"] == "complete"
    labels = tmp_path / "run" / "proxy" / "labels"
    assert {path.stem for path in labels.iterdir()} == set(voc.train_ids)
    for image_id in voc.train_ids:
        with Image.open(labels / f"{image_id}.png") as image:
            assert image.mode == "P"
            allowed = {0, *np.unique(np.array(Image.open(voc.mask(image_id)))).tolist()}
            assert set(np.unique(np.array(image)).tolist()) <= allowed


def _kill_when(arguments: list[str], condition: Callable[[], bool]) -> None:
    """SIGKILL the command as soon as the condition holds; it must not have finished by then."""
    with started(arguments) as process:
        wait_until(process, condition)
        process.kill()
        process.wait()
        assert process.returncode == -signal.SIGKILL


def _written(path: Path) -> int | None:
    """When a file was written, in nanoseconds; inodes are used again, so they do not tell."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _changed(path: Path) -> Callable[[], bool]:
    """Whether a file is there, and another one than now."""
    before = _written(path)
    return lambda: _written(path) not in (None, before)


def _partials(folder: Path) -> list[Path]:
    return list(folder.rglob("*.partial"))


def _train(voc: TinyVoc, run: Path, method: str) -> list[str]:
    settings = "--backbone tiny --iterations 150 --batch-size 8 --crop 64 --lr 0.01"
    every = ["--checkpoint-every", "2", "--method", method]
    return ["train", "--data", str(voc.root), "--run", str(run), *settings.split(), *every]


@pytest.mark.parametrize("method", ["seenet", "cam"])
def test_training_killed_twice_ends_with_the_bytes_of_an_uninterrupted_one(
    fresh: Command, voc: TinyVoc, tmp_path: Path, method: str
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert fresh(*_train(voc, whole, method)).code == 0
    for _ in range(2):
        _kill_when(_train(voc, killed, method), _changed(killed / "train" / "resume.pt"))
        assert not (killed / "train" / "checkpoint.pt").exists()
        assert json.loads((killed / "train" / "manifest.json").read_text())["status"] == "running"
    done = fresh(*_train(voc, killed, method))
    assert done.code == 0, done.err
    assert "resuming at iteration" in done.err
    checkpoints = [(run / "train" / "checkpoint.pt").read_bytes() for run in (killed, whole)]
    assert checkpoints[0] == checkpoints[1]
    assert logged(killed / "train") == logged(whole / "train")
    assert not (killed / "train" / "resume.pt").exists()
    assert not _partials(killed)


def test_a_second_process_on_a_run_is_told_and_disturbs_nothing(
    fresh: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with started(_train(voc, run, "cam")) as first:
        wait_until(first, _changed(run / "train" / "resume.pt"))
        first.send_signal(signal.SIGSTOP)  # it must be there still when the second one asks
        second = fresh(*_train(voc, run, "cam"))
        first.send_signal(signal.SIGCONT)
        assert second.code == 1
        assert "another wsss" in second.err
        first.wait(PATIENCE)
        assert first.returncode == 0
    assert " up to date: " in fresh(*_train(voc, run, "cam")).out


def _segment(voc: TinyVoc, run: Path) -> list[str]:
    settings = "--model tiny --supervision full --iterations 80 --batch-size 3 --accumulate 2"
    more = "--crop 64 --checkpoint-every 2 --split train --lr 0.01"
    where = ["--data", str(voc.root), "--run", str(run)]
    return ["segment", *where, *settings.split(), *more.split()]


def test_segmentation_killed_in_training_and_in_prediction_ends_the_same(
    fresh: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert fresh(*_segment(voc, whole)).code == 0
    _kill_when(_segment(voc, killed), _changed(killed / "segment" / "resume.pt"))
    _kill_when(_segment(voc, killed), _changed(killed / "segment" / "checkpoint.pt"))
    done = fresh(*_segment(voc, killed))
    assert done.code == 0, done.err
    assert logged(killed / "segment") == logged(whole / "segment")
    names = ["checkpoint.pt", *(f"predictions/{i}.png" for i in voc.train_ids)]
    for name in names:
        assert (killed / "segment" / name).read_bytes() == (whole / "segment" / name).read_bytes()
    assert not _partials(killed)


@pytest.fixture(scope="module")
def many(voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> TinyVoc:
    """A tree of 260 images, two shards and a bit, made of hard links to those of the tiny tree."""
    base = tmp_path_factory.mktemp("many")
    root = base / "VOC2012"
    for folder in ("JPEGImages", "Annotations", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    ids = [f"copy_{number:04d}" for number in range(260)]
    for number, image_id in enumerate(ids):
        source = voc.train_ids[number % len(voc.train_ids)]
        os.link(voc.image(source), root / "JPEGImages" / f"{image_id}.jpg")
        os.link(voc.annotation(source), root / "Annotations" / f"{image_id}.xml")
    (root / "ImageSets" / "Segmentation" / "train.txt").write_text("\n".join(ids))
    shutil.copy(voc.root / "classes.txt", root)
    return TinyVoc(root, base, ids, [])


def test_attention_killed_after_a_shard_keeps_it_and_ends_with_the_same_bytes(
    fresh: Command, many: TinyVoc, lively_checkpoint: Path, tmp_path: Path
) -> None:
    def attend(run: Path) -> list[str]:
        checkpoint = ["--checkpoint", str(lively_checkpoint)]
        where = ["--data", str(many.root), "--run", str(run)]
        return ["attend", *checkpoint, *where, "--size", "160"]

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert fresh(*attend(whole)).code == 0
    first = killed / "attend" / "shards" / "00000.h5"
    _kill_when(attend(killed), first.exists)
    assert not (killed / "attend" / "attention.h5").exists()
    assert json.loads((killed / "attend" / "manifest.json").read_text())["status"] == "running"
    inode = first.stat().st_ino
    done = fresh(*attend(killed), "--json")
    assert done.code == 0, done.err
    assert first.stat().st_ino == inode
    assert done.values["skipped"] >= 128
    assert done.values["skipped"] + done.values["written"] == 260
    names = ["attention.h5", *(f"shards/{number:05d}.h5" for number in range(3))]
    for name in names:
        assert (killed / "attend" / name).read_bytes() == (whole / "attend" / name).read_bytes()
    with (
        h5py.File(killed / "attend" / "attention.h5") as one,
        h5py.File(whole / "attend" / "attention.h5") as other,
    ):
        assert set(one) == set(other) == set(many.train_ids)
        for image_id in many.train_ids:
            assert np.array_equal(one[image_id]["maps"], other[image_id]["maps"])
        # Copies of one photograph, in different shards and batches, have one attention.
        here, there = (one[many.train_ids[n]]["maps"][()].astype(float) for n in (3, 255))
        assert here.max() > 0.99
        assert np.abs(here - there).max() < 1e-3
    assert not _partials(killed)


def test_interrupt_is_one_sentence_with_code_130_and_the_work_goes_on(
    fresh: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert fresh(*_train(voc, whole, "cam")).code == 0
    with started(_train(voc, stopped, "cam")) as process:
        wait_until(process, _changed(stopped / "train" / "resume.pt"))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("interrupted: ")
    assert not _partials(stopped)
    assert fresh(*_train(voc, stopped, "cam")).code == 0
    name = Path("train", "checkpoint.pt")
    assert (stopped / name).read_bytes() == (whole / name).read_bytes()


def test_errors_of_a_fresh_process_are_one_sentence_without_traceback(
    fresh: Command, tmp_path: Path
) -> None:
    done = fresh("train", "--data", tmp_path, "--run", tmp_path / "run")
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1


def test_a_reader_that_has_enough_ends_the_command_in_silence() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [script(), "show", "--methods"],
        stdout=writing,
        stderr=subprocess.PIPE,
        env=clean_environment(),
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_json_on_stdout_is_all_there_is_when_everything_talks(
    fresh: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    done = fresh(*_train(voc, tmp_path / "run", "cam"), "--verbose", "--json")
    assert done.code == 0
    assert done.values["stage"] == "train"
    assert "iterations" in done.err
