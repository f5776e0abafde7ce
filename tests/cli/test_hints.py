"""Commands that messages print do what the message says when they are pasted."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from conftest import Command, Outcome, TinyVoc

from wsss_cli.command_line import command_line


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained run, under a name that a shell would take for two."""
    return Path(shutil.copytree(trained, tmp_path / "my run"))


def _printed(text: str) -> list[list[str]]:
    """The arguments of each command line in backticks."""
    lines = [
        line for quoted in re.findall(r"`(wsss [^`]+)`", text) for line in quoted.split(" && ")
    ]
    commands = [shlex.split(line) for line in lines]
    assert all(command[0] == "wsss" for command in commands)
    return [command[1:] for command in commands]


def _paste(wsss: Command, text: str) -> Outcome:
    """Run the one command that a message prints."""
    (command,) = _printed(text)
    outcome = wsss(*command)
    assert outcome.code == 0, outcome.err
    return outcome


@pytest.fixture
def segmented(wsss: Command, voc: TinyVoc, run: Path) -> Path:
    """The run gone on with to predictions, with other settings than the defaults."""
    settings = "--supervision full --iterations 3 --batch-size 2 --crop 32 --amp off --scales 1"
    outcome = wsss("segment", "--run", run, "--data", voc.root, *settings.split())
    assert outcome.code == 0, outcome.err
    return run


def test_the_run_is_named_unless_the_command_takes_it_anyway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WSSS_RUN", raising=False)
    here, there = Path("runs/default"), Path("my runs/it's")
    assert command_line("attend", run=here) == "wsss attend"
    assert shlex.split(command_line("attend", run=there)) == ["wsss", "attend", "--run", str(there)]
    monkeypatch.setenv("WSSS_RUN", str(there))
    assert command_line("attend", run=there) == "wsss attend"
    assert command_line("attend", run=here) == "wsss attend --run runs/default"
    assert command_line("attend", run=there, always_run=True).endswith("""'my runs/it'"'"'s'""")


def test_stages_that_are_missing_are_named_with_run_and_data(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    run = tmp_path / "an empty run"
    outcome = wsss("evaluate", "--run", run, "--data", voc.root)
    commands = _printed(outcome.err)
    assert [command[0] for command in commands] == ["train", "attend", "proxy", "segment"]
    for command in commands:
        assert command[command.index("--run") + 1] == str(run)
    assert commands[0][commands[0].index("--data") + 1] == str(voc.root)


def test_saliency_maps_are_made_by_the_command_that_proxy_names(wsss: Command, run: Path) -> None:
    refused = wsss("proxy", "--run", run, "--rule", "seenet")
    (command,) = (c for c in _printed(refused.err) if len(c) > 1)
    assert wsss(*command).code == 0
    assert wsss("proxy", "--run", run).code == 0


def test_an_unfinished_stage_is_finished_by_the_command_printed(
    wsss: Command, voc: TinyVoc, run: Path
) -> None:
    manifest = run / "attend" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "status": "running"}))
    refused = wsss("proxy", "--run", run, "--saliency", voc.saliency)
    assert refused.code == 2
    _paste(wsss, refused.err)
    assert wsss("proxy", "--run", run, "--saliency", voc.saliency).code == 0


def test_lost_predictions_and_label_maps_are_made_again_by_the_command_printed(
    wsss: Command, voc: TinyVoc, segmented: Path
) -> None:
    next((segmented / "segment/predictions").glob("*.png")).unlink()
    refused = wsss("evaluate", "--run", segmented)
    assert refused.code == 1
    _paste(wsss, refused.err)
    assert wsss("evaluate", "--run", segmented).code == 0


def test_scores_that_crf_needs_are_added_by_the_command_printed(
    wsss: Command, segmented: Path
) -> None:
    before = (segmented / "segment/checkpoint.pt").stat().st_mtime_ns
    refused = wsss("crf", "--run", segmented)
    assert refused.code == 1
    assert "--iterations" not in refused.err
    _paste(wsss, refused.err)
    assert wsss("crf", "--run", segmented).code == 0
    assert (segmented / "segment/checkpoint.pt").stat().st_mtime_ns == before


def test_a_threshold_is_found_by_the_command_printed(
    wsss: Command, run: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(run, tmp_path / "other")
    scoring = ["evaluate", "--run", other, "--what", "attention", "--threshold-from", run]
    refused = wsss(*scoring)
    assert refused.code == 2
    _paste(wsss, refused.err)
    assert "has no scores" not in wsss(*scoring).err


def test_what_the_demo_and_the_report_advise_names_the_run(
    wsss: Command, run: Path, tmp_path: Path
) -> None:
    report = ["report", "--images", 0, "--out", tmp_path / "page.html", run, "--json"]
    (remark,) = (line for line in wsss(*report).values["remarks"] if "scored" in line)
    _paste(wsss, remark)
    assert not any("scored" in line for line in wsss(*report).values["remarks"])


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("my comparison.toml", ["compare", "my comparison.toml"]),
        ("my parts.toml", ["data", "check", "my parts.toml"]),
    ],
)
def test_advice_on_files_quotes_their_names(
    wsss: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    arguments: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my comparison.toml").write_text("[settings.a]\n")
    (tmp_path / "my parts.toml").write_text('images = "a"\nlabels = "b.csv"\n')
    (command,) = _printed(wsss("show", name).out)
    assert command[: len(arguments)] == arguments


def test_show_of_an_unfinished_training_names_its_command(
    wsss: Command, voc: TinyVoc, run: Path
) -> None:
    from wsss_cli.artifacts.checkpoint import write_checkpoint

    manifest = run / "train" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "status": "running"}))
    resume = run / "train" / "resume.pt"
    write_checkpoint(resume, "resume", {"iteration": 2, "network": {}})
    (command,) = _printed(wsss("show", resume).out)
    assert command[:3] == ["train", "--run", str(run)]
    assert "--iterations" in command


EXTRAS = {
    "attend": (["--heatmaps"], ["--size", "64", "--amp", "off"], ["--size", "96"]),
    "segment": (["--probabilities"], [], ["--crop", "48"]),
}


@pytest.mark.parametrize("stage", EXTRAS)
def test_an_extra_of_a_finished_result_needs_none_of_its_settings(
    wsss: Command, segmented: Path, stage: str, tmp_path: Path
) -> None:
    extra, _, other = EXTRAS[stage]
    made = (segmented / stage / "manifest.json").read_bytes()
    plain = wsss(stage, "--run", segmented)
    assert plain.code == 2  # without an extra the defaults are meant, and these differ
    differing = wsss(stage, "--run", segmented, *extra, *other)
    assert differing.code == 2
    reasons = differing.err.partition("(")[2].partition(")")[0]
    assert other[0][2:] in reasons
    assert ";" not in reasons  # the settings that nobody gave are those of the result
    (tmp_path / "c.toml").write_text(f"[{stage}]\n{other[0][2:]} = {other[1]}\n")
    assert wsss(stage, "--run", segmented, *extra, "--config", tmp_path / "c.toml").code == 2
    done = wsss(stage, "--run", segmented, *extra, "--json")
    assert done.code == 0, done.err
    assert "were made with" in done.err or "was made with" in done.err
    assert (segmented / stage / "manifest.json").read_bytes() == made
    again = wsss(stage, "--run", segmented, *extra, "--json")
    assert again.values["status"] == "up to date"


def test_predictions_of_a_finished_run_are_packed_without_its_settings(
    wsss: Command, segmented: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "val.tar.gz"
    done = wsss("segment", "--run", segmented, "--submission", archive)
    assert done.code == 0, done.err
    assert wsss("check", archive, "--run", segmented, "--split", "val").code == 0


def test_with_overwrite_the_settings_are_those_of_the_command(wsss: Command, run: Path) -> None:
    plan = wsss("attend", "--run", run, "--heatmaps", "--overwrite", "-n", "--json").values
    assert plan["size"] == 224
    plan = wsss("attend", "--run", run, "--heatmaps", "-n", "--json").values
    assert plan["size"] == 64
