"""What a dry run says: settings that matter, in words, and what the run will take."""

import json
import re
import shutil
from pathlib import Path

import pytest
from conftest import Command, TinyVoc, train_arguments

from wsss_cli.configs.stages import CHAIN
from wsss_cli.inspect.estimates.costs import Estimate, added

STAGES = [stage for stage in CHAIN if stage != "predict"]


def _arguments(stage: str, voc: TinyVoc, run: Path) -> list[str]:
    if stage == "train":
        return train_arguments(voc, run)
    return {
        "attend": ["attend", "--size", "64", "--amp", "off"],
        "saliency": ["saliency", "--model", "unsupervised"],
        "proxy": ["proxy", "--saliency", str(voc.saliency)],
        "segment": [
            "segment",
            "--iterations",
            "2",
            "--batch-size",
            "2",
            "--crop",
            "32",
            "--amp",
            "off",
        ],
        "refine": [
            "refine",
            "--edges",
            "--iterations",
            "2",
            "--crop",
            "32",
            "--steps",
            "2",
            "--amp",
            "off",
        ],
        "crf": ["crf"],
        "evaluate": ["evaluate"],
    }[stage] + ["--run", str(run)]


@pytest.mark.parametrize("stage", STAGES)
def test_a_plan_has_no_python_and_an_estimate(
    wsss: Command, voc: TinyVoc, chained: Path, tmp_path: Path, stage: str
) -> None:
    run = Path(shutil.copytree(chained, tmp_path / "run"))
    shutil.rmtree(run / stage, ignore_errors=True)
    arguments = [*_arguments(stage, voc, run), "--dry-run"]
    done = wsss(*arguments)
    assert done.code == 0, done.err
    assert not re.search(r"\b(None|True|False|PosixPath)\b|[()\[\]{}']", _without_paths(done.out))
    for unit in (r"\d+ (s|min|h)\b", "on disk", "of memory"):
        assert re.search(unit, done.out), done.out
    estimate = wsss(*arguments, "--json").values["estimate"]
    assert set(estimate) == {"seconds", "bytes_on_disk", "memory_bytes"}
    assert estimate["seconds"] > 0
    assert isinstance(estimate["bytes_on_disk"], int)
    assert isinstance(estimate["memory_bytes"], int)
    assert estimate["bytes_on_disk"] > 0
    assert estimate["memory_bytes"] > 2**20


def _without_paths(text: str) -> str:
    return re.sub(r"/\S+", "PATH", text)


def test_settings_of_other_methods_and_those_of_the_command_are_left_out(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    text = wsss(*train_arguments(voc, tmp_path / "run"), "--method", "cam", "--dry-run").out
    for absent in ("delta", "gain", "acol", "erase", "workers", "overwrite", "tracker"):
        assert absent not in text.replace(str(tmp_path), "").replace(str(voc.root), "")
    for present in ("method", "iterations", "batch size", "lr steps"):
        assert present in text
    values = wsss(*train_arguments(voc, tmp_path / "run"), "--dry-run", "--json").values
    assert values["lr_steps"] == [15000]
    assert values["overwrite"] is False
    assert values["head_channels"] is None


def test_what_is_complete_takes_nothing_more(wsss: Command, voc: TinyVoc, chained: Path) -> None:
    values = wsss(*_arguments("attend", voc, chained), "-n", "--json").values
    assert values["found"] == "complete"
    assert values["estimate"]["seconds"] == 0
    assert values["estimate"]["bytes_on_disk"] == 0
    assert "nothing is left to do" in wsss(*_arguments("attend", voc, chained), "-n").out


def test_bytes_are_about_those_that_are_written(
    wsss: Command, voc: TinyVoc, chained: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(chained / "train", run / "train")
    planned = wsss(*_arguments("attend", voc, run), "-n", "--json").values["estimate"]
    assert wsss(*_arguments("attend", voc, run)).code == 0
    written = sum(path.stat().st_size for path in (run / "attend").rglob("*.h5"))
    assert planned["bytes_on_disk"] <= written < 3 * planned["bytes_on_disk"]
    before = [path.stat().st_size for path in (chained / "train").glob("*.pt")]
    plan = wsss(*train_arguments(voc, tmp_path / "other"), "-n", "--json").values["estimate"]
    assert sum(before) < plan["bytes_on_disk"] < 8 * sum(before)


def test_more_iterations_and_larger_batches_take_longer(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    def seconds(*more: object) -> float:
        plan = wsss(*train_arguments(voc, tmp_path / "run"), *more, "-n", "--json").values
        return float(plan["estimate"]["seconds"])

    assert seconds("--iterations", 40000) > 3 * seconds("--iterations", 4000)
    assert seconds("--batch-size", 64) > 3 * seconds("--batch-size", 4)


def test_an_unfinished_training_goes_on_at_the_speed_of_its_log(
    wsss: Command, voc: TinyVoc, trained: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    manifest = run / "train" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "status": "running"}))
    line = {"iteration": 2, "losses": {}, "lr": 0.1, "images_per_second": 0.5}
    (run / "train" / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    values = wsss(*train_arguments(voc, run), "-n", "--json").values
    assert values["found"] == "resumable"
    assert values["estimate"]["seconds"] == pytest.approx(2 * 4 / 0.5)


def test_parts_add_up_to_the_sum_of_times_and_the_most_memory() -> None:
    both = added(Estimate(1.5, 10, 300), Estimate(2.0, 20, 200))
    assert both == Estimate(3.5, 30, 300)
    assert added(Estimate(None, 1, 1), Estimate(2.0, 2, 2)).seconds == 2.0


def test_verbose_says_the_same_settings_before_the_start(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    done = wsss(*train_arguments(voc, tmp_path / "run"), "--verbose")
    assert done.code == 0
    assert "batch size" in done.err
    assert "None" not in done.err
