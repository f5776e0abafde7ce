"""Stages shared by several processes give what one process gives, also where one of them dies."""

import json
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import TinyTree, draw_tree
from torchrun import PATIENCE, ranks_started, run_ranks

pytestmark = pytest.mark.slow

LEARN = "--batch-size 6 --crop 48 --lr 0.01 --checkpoint-every 2 --amp off"


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> TinyTree:
    """Images enough for three shards of attention."""
    return draw_tree(tmp_path_factory.mktemp("crowd"), train=280, val=41)


# A training that moves nothing leaves the weights that the others start from.
STILL = "--iterations 1 --lr 1e-20"


def _train(crowd: TinyTree, run: Path, iterations: int = 4) -> list[object]:
    settings = f"--method cam --backbone tiny --iterations {iterations} {LEARN}"
    return ["train", "--data", crowd.root, "--run", run, *settings.split()]


def _segment(crowd: TinyTree, run: Path) -> list[object]:
    settings = f"--model tiny --supervision full --iterations 6 --accumulate 2 {LEARN} --scales 1"
    return ["segment", "--data", crowd.root, "--run", run, *settings.split()]


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
def alone(crowd: TinyTree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process makes of everything."""
    run = tmp_path_factory.mktemp("alone") / "run"
    for arguments in _chain(crowd, run, run):
        run_ranks(1, arguments)
    return run


def _chain(crowd: TinyTree, run: Path, start: Path) -> list[list[object]]:
    """The stages after the trainings, with the networks of ``start``."""
    checkpoint = ["--checkpoint", start / "train" / "checkpoint.pt"]
    network = ["--checkpoint", start / "segment" / "checkpoint.pt"]
    here = ["--run", run]
    shared = ["--data", crowd.root, *here]
    trainings = [_train(crowd, run), _segment(crowd, run)] if run == start else []
    predicting = [] if run == start else [["segment", *network, *shared, "--scales", "1"]]
    return [
        *trainings,
        ["attend", *checkpoint, *shared, "--size", "64", "--heatmaps"],
        ["proxy", "--saliency", crowd.saliency, *here],
        *predicting,
        ["evaluate", "--what", "proxy", "--baselines", *shared],
        ["evaluate", "--what", "attention", "--localisation", *shared],
        ["evaluate", "--boundaries", *shared],
    ]


@pytest.mark.parametrize("world", [2, 3])
def test_stages_of_several_processes_leave_the_files_of_one(
    crowd: TinyTree, alone: Path, tmp_path: Path, world: int
) -> None:
    run = tmp_path / "run"
    for arguments in _chain(crowd, run, alone):
        printed = run_ranks(world, [*arguments, "--json"])
        assert json.loads(printed[0])["status"] == "complete"
        assert printed[1:] == [""] * (world - 1)
    for folder in ("attend", "proxy/labels", "segment/predictions"):
        assert _files(run / folder) == _files(alone / folder)
    for scores in (alone / "evaluate").glob("*.json"):
        ours, theirs = (
            json.loads((r / "evaluate" / scores.name).read_text()) for r in (run, alone)
        )
        for local in ("source", "artifact_fingerprint"):
            ours.pop(local)
            theirs.pop(local)
        assert ours == theirs


@pytest.mark.parametrize("world", [2, 3])
def test_training_of_several_processes_ends_with_the_weights_of_one(
    crowd: TinyTree, alone: Path, tmp_path: Path, world: int
) -> None:
    for arguments in (_train(crowd, tmp_path), _segment(crowd, tmp_path)):
        run_ranks(world, arguments)
    for stage, command in (("train", _train), ("segment", _segment)):
        start = tmp_path / "start"
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
    crowd: TinyTree, tmp_path: Path, settings: str
) -> None:
    learn = f"{settings} --iterations 2 --batch-size 4 --crop 48 --lr 0.01 --amp off"
    for name, world, more in (("shared", 3, ""), ("alone", 1, ""), ("start", 1, STILL)):
        run = ["--data", crowd.root, "--run", tmp_path / name]
        run_ranks(world, ["train", *run, *learn.split(), *more.split()])
    names = ("shared", "alone", "start")
    _require_close(*(tmp_path / name / "train" / "checkpoint.pt" for name in names))


def _losses(stage: Path) -> list[dict[str, float]]:
    lines = (stage / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["losses"] for line in lines]


def test_a_rank_that_dies_ends_all_and_another_number_of_ranks_goes_on(
    crowd: TinyTree, tmp_path: Path
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
        assert "the other ranks cannot be reached" in ended[number][1]
        assert "Traceback" not in ended[number][1]
    assert not (killed / "train" / "checkpoint.pt").exists()
    run_ranks(2, [*_train(crowd, killed, 40), *slowly])
    _require_close(*(run / "train" / "checkpoint.pt" for run in (killed, whole, start)))
    found, expected = (_losses(run / "train") for run in (killed, whole))
    assert len(expected) == 4
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3)


def test_more_processes_than_images_in_a_batch_are_refused_before_anything_is_replaced(
    crowd: TinyTree, alone: Path, tmp_path: Path
) -> None:
    shutil.copytree(alone / "train", tmp_path / "train")
    for training in (_train(crowd, tmp_path), _segment(crowd, tmp_path)):
        ended = _refused([*training, "--batch-size", "1", "--overwrite"])
        assert [code for code, _ in ended] == [2, 2]
        assert "--batch-size 1 is less than the 2 processes" in ended[0][1]
        assert ended[1][1].startswith("error of rank 1: ")
    assert (tmp_path / "train" / "checkpoint.pt").exists()


def test_what_the_first_process_alone_refuses_ends_the_others(
    crowd: TinyTree, alone: Path, tmp_path: Path
) -> None:
    shutil.copytree(alone / "train", tmp_path / "train")
    ended = _refused([*_train(crowd, tmp_path), "--seed", "9"])
    assert [code for code, _ in ended] == [2, 1]
    assert "holds another result (seed 0 there, 9 now)" in ended[0][1]
    assert "the other ranks cannot be reached" in ended[1][1]


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
