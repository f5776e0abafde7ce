"""Stages shared by several processes give what one process gives, also where one of them dies."""

import json
import shutil
import signal
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from conftest import TinyVoc, annotation_xml, draw_voc
from onnx_file import write_weighted_channels
from torchrun import PATIENCE, ranks_started, run_ranks

pytestmark = pytest.mark.slow

NETWORK = "red.onnx"
LEARN = "--batch-size 6 --crop 48 --lr 0.01 --checkpoint-every 2 --amp off"


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> TinyVoc:
    """Images enough for three shards of attention, and a saliency network that finds red."""
    voc = draw_voc(tmp_path_factory.mktemp("crowd"), train=280, val=41)
    write_weighted_channels(voc.root / NETWORK, (1.0, 0.0, 0.0))
    return voc


# A training that moves nothing leaves the weights that the others start from.
STILL = "--iterations 1 --lr 1e-20"


def _train(crowd: TinyVoc, run: Path, iterations: int = 4) -> list[object]:
    settings = f"--method cam --backbone tiny --iterations {iterations} {LEARN}"
    return ["train", "--data", crowd.root, "--run", run, *settings.split()]


def _segment(crowd: TinyVoc, run: Path) -> list[object]:
    settings = f"--model tiny --supervision full --iterations 6 --accumulate 2 {LEARN} --scales 1"
    return ["segment", "--data", crowd.root, "--run", run, *settings.split()]


def _refine(crowd: TinyVoc, run: Path, start: Path) -> list[object]:
    """Learn edges of the attention and the proxies of ``start``."""
    settings = f"--edges --backbone tiny --iterations 4 {LEARN} --radius 3 --steps 8".split()
    given = ["--attention", start / "attend" / "attention.h5", "--proxy", start / "proxy/labels"]
    return ["refine", "--data", crowd.root, "--run", run, *given, *settings]


def _network(path: Path) -> dict[str, torch.Tensor]:
    content = torch.load(path, weights_only=True)
    assert isinstance(content["network"], dict)
    return content["network"]


def _require_close(found: Path, expected: Path, start: Path) -> None:
    """The same weights up to rounding, beside what the training has moved them by.

    Not to the last digits: once a rounding has moved a maximum of a pooling to its neighbour, the
    trainings are different ones, a little.
    """
    ours, theirs, before = (
        torch.cat([tensor.flatten().double() for tensor in _network(path).values()])
        for path in (found, expected, start)
    )
    moved = float((theirs - before).norm())
    assert moved > 0
    assert float((ours - theirs).norm()) < 0.01 * moved


def _files(folder: Path) -> dict[str, bytes]:
    kept = [path for path in folder.rglob("*") if path.suffix in (".h5", ".png")]
    assert kept
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


@pytest.fixture(scope="module")
def alone(crowd: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process makes of everything."""
    run = tmp_path_factory.mktemp("alone") / "run"
    for arguments in _chain(crowd, run, run):
        run_ranks(1, arguments)
    return run


def _chain(crowd: TinyVoc, run: Path, start: Path) -> list[list[object]]:
    """The stages with the networks of ``start``, which if it is this run are trained first."""
    checkpoint = ["--checkpoint", start / "train" / "checkpoint.pt"]
    network = ["--checkpoint", start / "segment" / "checkpoint.pt"]
    here = ["--run", run]
    shared = ["--data", crowd.root, *here]
    trainings = [_train(crowd, run)] if run == start else []
    predicting = ["segment", *network, *shared, "--scales", "1", "--amp", "off"]
    segment = _segment(crowd, run) if run == start else predicting
    walking = ["--checkpoint", start / "refine" / "checkpoint.pt", "--steps", "8", "--amp", "off"]
    walking = ["refine", *shared, "--attention", start / "attend" / "attention.h5", *walking]
    segment += ["--split", "train"]  # images enough for three shards
    return [
        *trainings,
        ["attend", *checkpoint, *shared, "--size", "64", "--heatmaps"],
        ["saliency", "--model", crowd.root / NETWORK, "--size", "32", "--passes", "2", *shared],
        ["proxy", "--saliency", crowd.saliency, *here],
        _refine(crowd, run, start) if run == start else walking,
        segment,
        [*segment, "--probabilities"],
        ["crf", "--uncertainty", "--preset", "oaa", *shared],
        ["evaluate", "--what", "proxy", "--baselines", *shared],
        ["evaluate", "--what", "attention", "--localisation", *shared],
        ["evaluate", "--boundaries", "--difficulty", *shared],
    ]


@pytest.mark.parametrize("world", [2, 3])
def test_stages_of_several_processes_leave_the_files_of_one(
    crowd: TinyVoc, alone: Path, tmp_path: Path, world: int
) -> None:
    run = tmp_path / "run"
    for arguments in _chain(crowd, run, alone):
        printed = run_ranks(world, [*arguments, "--json"])
        assert json.loads(printed[0])["status"] == "complete"
        assert printed[1:] == [""] * (world - 1)
    for stage in ("attend", "saliency", "proxy", "refine", "segment", "crf"):
        assert _files(run / stage) == _files(alone / stage)
    for path in (alone / "evaluate").glob("*.json"):
        assert _scores(run / "evaluate" / path.name) == _scores(path)


def _scores(path: Path) -> dict[str, object]:
    """What an evaluation found, wherever that lies."""
    found = json.loads(path.read_text())
    return {name: found[name] for name in found.keys() - {"source", "artifact_fingerprint"}}


# Kills the rank that is told to die when it gives the file told its name, or opens it. With the
# group of the ranks still there, an interpreter's ending aborts now and then: here it always does.
DYING = """
import atexit, os, signal, sys

victim, last, *sys.argv[1:] = sys.argv[1:]

def die(event, details):
    if event in ("open", "os.rename") and any(str(each).endswith(last) for each in details):
        os.kill(os.getpid(), signal.SIGKILL)

if os.environ["RANK"] == victim:
    sys.addaudithook(die)
else:
    atexit.register(os._exit, 134)
from wsss_cli.__main__ import main
main()
"""


def _kill(arguments: list[object], victim: int, last: str) -> str:
    """Run a command in two processes, of which one is killed at a file and the other must end.

    Returns:
        What the other one says.
    """
    dying = ["-c", DYING, victim, last, *arguments, "--workers", "1"]
    with ranks_started(2, dying, sys.executable) as processes:
        ended = [process.communicate(timeout=PATIENCE) for process in processes]
    assert processes[victim].returncode == -signal.SIGKILL, ended
    assert processes[1 - victim].returncode == 1
    out, said = ended[1 - victim]
    assert out == ""
    assert "other ranks" in said
    assert "run the same command again to continue" in said
    return said


@pytest.mark.parametrize(
    # Of 280 images in shards of 128, the second rank has every other one, or the second shard.
    ("stage", "victim", "last", "kept", "world", "written"),
    [
        ("attend", 0, "shards/00002.h5", 2, 3, 24),
        ("saliency", 1, "saliency/maps/2024_000101.png", 2 * (140 + 50), 3, 90),
        ("proxy", 1, "labels/2024_000101.png", 140 + 50, 1, 90),
        ("refine", 0, "shards/00002.h5", 2, 3, 24),
        # Label maps outlive the shard they are made with, which is made again.
        ("segment", 1, "predictions/2024_000200.png", 2 + 152 + 72, 3, 128),
        ("crf", 1, "labels/2024_000101.png", 2 * (140 + 50), 1, 90),
    ],
)
def test_a_stage_that_a_rank_dies_in_is_continued_by_another_number_of_ranks(
    crowd: TinyVoc,
    alone: Path,
    tmp_path: Path,
    stage: str,
    victim: int,
    last: str,
    kept: int,
    world: int,
    written: int,
) -> None:
    arguments = _prepared(stage, crowd, alone, tmp_path)
    assert "Traceback" not in _kill(arguments, victim, last)
    folder = tmp_path / stage
    assert json.loads((folder / "manifest.json").read_text())["status"] == "running"
    times = {folder / name: (folder / name).stat().st_mtime_ns for name in _files(folder)}
    assert len(times) == kept
    printed = json.loads(run_ranks(world, [*arguments, "--json"])[0])
    assert (printed["status"], printed["written"]) == ("complete", written)
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert _files(folder) == _files(alone / stage)
    assert not list(folder.rglob("*.partial"))


def test_an_evaluation_that_a_rank_dies_in_leaves_no_scores_and_is_done_again(
    crowd: TinyVoc, alone: Path, tmp_path: Path
) -> None:
    arguments = _prepared("evaluate", crowd, alone, tmp_path)
    # Scores travel 64 at a time: a first lot has.
    for more in ([], ["--debug"]):
        said = _kill([*arguments, *more], 1, "SegmentationClass/2024_000201.png")
        assert ("Traceback" in said) == bool(more)
        assert not (tmp_path / "evaluate").exists()
    run_ranks(1, arguments)
    (scores,) = (tmp_path / "evaluate").iterdir()
    assert _scores(scores) == _scores(alone / "evaluate" / scores.name)


def _prepared(stage: str, crowd: TinyVoc, alone: Path, run: Path) -> list[object]:
    """The chain's last command of a stage, in a run that has what that reads."""
    needs = {"proxy": "attend", "crf": "segment", "evaluate": "segment"}
    if stage in needs:
        shutil.copytree(alone / needs[stage], run / needs[stage])
    return [each for each in _chain(crowd, run, alone) if each[0] == stage][-1]


@pytest.mark.parametrize("world", [2, 3])
def test_training_of_several_processes_ends_with_the_weights_of_one(
    crowd: TinyVoc, alone: Path, tmp_path: Path, world: int
) -> None:
    start = tmp_path / "start"
    trainings = {"train": _train, "segment": _segment, "refine": partial(_refine, start=alone)}
    for stage, command in trainings.items():
        run_ranks(world, command(crowd, tmp_path))
        run_ranks(1, [*command(crowd, start), *STILL.split()])
        paths = (run / stage / "checkpoint.pt" for run in (tmp_path, alone, start))
        _require_close(*paths)


@pytest.mark.parametrize(
    # The zones of SeeNet have sharp borders: where batches are normalised, as in the tiny trunk, a
    # rounding moves a position across one, and the steps differ. VGG16 normalises none.
    "settings",
    ["--method seenet --backbone vgg16 --weights none", "--method gain --backbone tiny"],
)
def test_methods_of_several_branches_learn_the_same_in_several_processes(
    crowd: TinyVoc, tmp_path: Path, settings: str
) -> None:
    learn = f"{settings} --iterations 2 --batch-size 4 --crop 48 --lr 0.01 --amp off"
    for name, world, more in (("shared", 3, ""), ("alone", 1, ""), ("start", 1, STILL)):
        run = ["--data", crowd.root, "--run", tmp_path / name]
        run_ranks(world, ["train", *run, *learn.split(), *more.split()])
    names = ("shared", "alone", "start")
    _require_close(*(tmp_path / name / "train" / "checkpoint.pt" for name in names))


def test_gain_learns_the_same_where_a_process_has_only_negatives(tmp_path: Path) -> None:
    voc = draw_voc(tmp_path)
    for image_id in voc.train_ids[3:]:  # so most halves of a batch of four show no class
        voc.annotation(image_id).write_text(annotation_xml([]))
    settings = ["--method", "gain", "--backbone", "tiny", *LEARN.split(), "--batch-size", "4"]
    train = ["train", "--data", voc.root, "--held-out", "0", *settings]
    run_ranks(1, [*train, "--run", tmp_path / "start", *STILL.split()])
    for processes in (1, 2):
        run = ["--run", tmp_path / str(processes), "--iterations", "4"]
        run_ranks(processes, [*train, *run])
    one, two, start = (tmp_path / name / "train" / "checkpoint.pt" for name in ("1", "2", "start"))
    _require_close(two, one, start)


def _losses(stage: Path) -> list[dict[str, float]]:
    lines = (stage / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["losses"] for line in lines]


def test_a_rank_that_dies_ends_all_and_another_number_of_ranks_goes_on(
    crowd: TinyVoc, tmp_path: Path
) -> None:
    whole, killed, start = (tmp_path / name for name in ("whole", "killed", "start"))
    slowly = ["--lr", "0.0001"]  # so that roundings stay what they are for so long
    run_ranks(1, [*_train(crowd, start), *STILL.split()])
    run_ranks(1, [*_train(crowd, whole, 40), *slowly])
    with ranks_started(3, [*_train(crowd, killed, 40), *slowly]) as processes:
        deadline = time.monotonic() + PATIENCE
        while not (killed / "train" / "resume.pt").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        processes[1].kill()
        ended = [process.communicate(timeout=PATIENCE) for process in processes]
    assert processes[1].returncode == -signal.SIGKILL
    for number in (0, 2):
        assert processes[number].returncode == 1
        assert "other ranks" in ended[number][1]
        assert "Traceback" not in ended[number][1]
    assert not (killed / "train" / "checkpoint.pt").exists()
    run_ranks(2, [*_train(crowd, killed, 40), *slowly])
    _require_close(*(run / "train" / "checkpoint.pt" for run in (killed, whole, start)))
    found, expected = (_losses(run / "train") for run in (killed, whole))
    assert len(expected) == 4
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3)


@pytest.mark.parametrize("asked", [(0, 1), (1,)], ids=["all", "one"])
def test_ranks_that_are_asked_to_stop_keep_the_same_iteration(
    crowd: TinyVoc, tmp_path: Path, asked: tuple[int, ...]
) -> None:
    whole, stopped, start = (tmp_path / name for name in ("whole", "stopped", "start"))
    slowly = ["--lr", "0.0001", "--checkpoint-every", "1000"]
    run_ranks(1, [*_train(crowd, start), *STILL.split()])
    run_ranks(1, [*_train(crowd, whole, 60), *slowly])
    log = stopped / "train" / "metrics.jsonl"
    with ranks_started(2, [*_train(crowd, stopped, 60), *slowly]) as processes:
        deadline = time.monotonic() + PATIENCE
        while not (log.exists() and log.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for number in asked:
            processes[number].send_signal(signal.SIGTERM)
        ended = [process.communicate(timeout=PATIENCE)[1] for process in processes]
    assert [process.returncode for process in processes] == [128 + signal.SIGTERM] * 2
    state = torch.load(stopped / "train" / "resume.pt", weights_only=True)
    assert 10 <= state["iteration"] < 60
    for said in ended:
        assert f"iteration {state['iteration']} of 60 is kept" in said
        assert "Traceback" not in said
    run_ranks(2, [*_train(crowd, stopped, 60), *slowly])
    _require_close(*(run / "train" / "checkpoint.pt" for run in (stopped, whole, start)))
    for ours, theirs in zip(*(_losses(run / "train") for run in (stopped, whole)), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3)


def test_ranks_that_diverge_step_back_together_and_go_on_together(
    crowd: TinyVoc, tmp_path: Path
) -> None:
    training = [*_train(crowd, tmp_path, 24), "--checkpoint-every", "1"]
    ended = _refused([*training, "--lr", "1"])
    assert [code for code, _ in ended] == [1, 1]
    kept = torch.load(tmp_path / "train" / "resume.pt", weights_only=True)["iteration"]
    for _, said in ended:
        assert f"iteration {kept} is kept" in said
    run_ranks(2, [*training, "--lr", "0.001"])
    manifest = json.loads((tmp_path / "train" / "manifest.json").read_text())
    assert manifest["earlier_settings"] == [{"until": kept, "lr": 1.0}]


def test_more_processes_than_images_in_a_batch_are_refused_before_anything_is_replaced(
    crowd: TinyVoc, alone: Path, tmp_path: Path
) -> None:
    shutil.copytree(alone / "train", tmp_path / "train")
    for training in (_train(crowd, tmp_path), _segment(crowd, tmp_path)):
        ended = _refused([*training, "--batch-size", "1", "--overwrite"])
        assert [code for code, _ in ended] == [2, 2]
        assert all(fact in ended[0][1] for fact in ("--batch-size 1", "2 processes"))
        assert ended[1][1].startswith("error of rank 1: ")
    assert (tmp_path / "train" / "checkpoint.pt").exists()


def test_what_the_first_process_alone_refuses_ends_the_others(
    crowd: TinyVoc, alone: Path, tmp_path: Path
) -> None:
    shutil.copytree(alone / "train", tmp_path / "train")
    ended = _refused([*_train(crowd, tmp_path), "--seed", "9"])
    assert [code for code, _ in ended] == [2, 1]
    assert "seed 0 there, 9 now" in ended[0][1]
    assert "other ranks" in ended[1][1]


def _refused(arguments: list[object]) -> list[tuple[int, str]]:
    """Exit code and complaint of each of two processes."""
    with ranks_started(2, arguments) as processes:
        complaints = [process.communicate(timeout=PATIENCE)[1] for process in processes]
        return [(p.returncode, said) for p, said in zip(processes, complaints, strict=True)]


LEAVING = """
from pathlib import Path
from wsss_cli import ranks

ranks.gathered(None)
import torch._dynamo  # as some of what the stages use does, when it is first used
ranks.leave()
print(*(name.read_text() for name in Path("/proc/self/task").glob("*/comm")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="names of threads are read from /proc")
def test_no_thread_of_the_group_outlives_it() -> None:
    # One that lives on while Python ends takes the process down with it, now and then.
    threads = run_ranks(2, ["-c", LEAVING], sys.executable)
    assert all("python" in names and "gloo" not in names for names in threads)
