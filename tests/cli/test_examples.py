"""The example scripts, run as they stand on a tiny drawn tree."""

import re
import shutil
import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TinyVoc, classes_of, clean_environment, script
from onnx_file import write_weighted_channels

from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.models.trunks import build_trunk

EXAMPLES = Path(__file__).parents[2] / "examples"
TINY = {
    "TRAIN": "--backbone tiny --iterations 2 --batch-size 2 --crop 32 --amp off",
    # Long enough that some pixels are not background: a map of it alone teaches nothing.
    "SEGMENT": "--iterations 60 --batch-size 4 --crop 49 --lr 0.02 --amp off",
    "MODEL": "tiny",
    "SPLIT": "train",
    "PROCESSES": "2",
    "NODES": "1",
    "OMP_NUM_THREADS": "1",
}

pytestmark = pytest.mark.slow


def _run(name: str, *arguments: object) -> None:
    environment = clean_environment({**TINY, "PATH": f"{Path(script()).parent}:/usr/bin:/bin"})
    done = subprocess.run(
        ["bash", str(EXAMPLES / name), *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_rounds_of_aepsl(voc: TinyVoc, tmp_path: Path) -> None:
    _run("aepsl_rounds.sh", voc.root, voc.saliency, tmp_path)
    for number in (2, 3):
        erased = read_manifest(tmp_path / str(number) / "train")["inputs"]["erase"]["path"]
        assert erased == str((tmp_path / str(number - 1) / "attend" / "attention.h5").resolve())
    assert (tmp_path / "3" / "evaluate" / "prediction.json").is_file()


def test_second_round(voc: TinyVoc, trained: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    settings = TINY["SEGMENT"].split()
    for arguments in (
        ["proxy", "--saliency", str(voc.saliency)],
        ["segment", "--model", "tiny", "--scales", "1", *settings],
    ):
        subprocess.run([script(), *arguments, "--run", str(run), "-q"], check=True)
    _run("second_round.sh", voc.root, run)
    relabelled = Path(f"{run}-relabelled") / "segment" / "predictions"
    learned_from = read_manifest(Path(f"{run}-second") / "segment")["inputs"]["supervision"]["path"]
    assert learned_from == str(relabelled)
    for index, image_id in enumerate(voc.train_ids):
        own = {0, *(column + 1 for column in classes_of(index))}
        assert set(np.unique(read_label_map(relabelled / f"{image_id}.png"))) <= own


@pytest.mark.parametrize("with_model", [True, False])
def test_rounds_of_dcsp(voc: TinyVoc, tmp_path: Path, with_model: bool) -> None:
    model = write_weighted_channels(tmp_path / "red.onnx", (1.0, 0.0, 0.0), size=320)
    _run("dcsp_rounds.sh", voc.root, model if with_model else voc.saliency, tmp_path)
    used = read_manifest(tmp_path / "1" / "proxy")["inputs"]
    assert ("second_saliency" in used) is with_model
    learned_from = read_manifest(tmp_path / "2" / "segment")["inputs"]["supervision"]["path"]
    assert learned_from == str(tmp_path / "relabel" / "segment" / "predictions")
    assert (tmp_path / "2" / "evaluate" / "prediction.json").is_file()


@pytest.mark.parametrize("name", ["single_node.sh", "multi_node.sh"])
def test_several_processes(
    voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        head = f"127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setitem(TINY, "HEAD", head)
    monkeypatch.setitem(TINY, "SEGMENT", TINY["SEGMENT"] + " --model tiny --weights none")
    _run(name, voc.root, voc.saliency, tmp_path)
    for stage in ("train", "attend", "proxy", "segment"):
        assert read_manifest(tmp_path / stage)["status"] == "complete"
    assert (tmp_path / "evaluate" / "prediction.json").is_file()


def test_lines_of_the_workflow(voc: TinyVoc, tmp_path: Path) -> None:
    """Each `run: wsss` of it, in their order, on the drawn tree instead of photos."""
    lines = re.findall(r"run: (wsss .*)", (EXAMPLES / "github_actions.yml").read_text())
    assert [line.split()[1] for line in lines][-2:] == ["evaluate", "report"]
    (tmp_path / "photos").symlink_to(voc.root)
    environment = clean_environment({"PATH": f"{Path(script()).parent}:/usr/bin:/bin"})
    small = {"train": f"{TINY['TRAIN']} --weights {_weights(tmp_path)}", "attend": "--size 64"}
    for line in lines:
        name = line.split()[1]
        score = line.replace("--fail-under 0.3", "--fail-under 0.01")
        done = subprocess.run(
            f"{score} {small.get(name, '')}",
            shell=True,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert done.returncode == 0, (line, done.stderr[-2000:])
    assert (tmp_path / "runs" / "default" / "report.html").is_file()


def _weights(place: Path) -> Path:
    """Random weights of the tiny trunk, since heads alone need some."""
    torch.save(build_trunk("tiny").state_dict(), place / "tiny.pth")
    return place / "tiny.pth"
