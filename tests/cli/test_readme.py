"""The README's commands do what the README says."""

import re
import shlex
from pathlib import Path

import pytest
from conftest import Command, TinyVoc

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
LINES = [line for block in BLOCKS for line in block.splitlines() if line.startswith("wsss ")]
CHAIN = next(block.splitlines() for block in BLOCKS if "wsss train" in block)

# What keeps the chain short; everything else is as the README has it.
TINY = """
[train]
backbone = "tiny"
iterations = 4
batch_size = 4
crop = 32
[attend]
size = 32
[segment]
iterations = 2
batch_size = 2
crop = 32
"""


def test_the_five_lines_run_as_they_stand_in_an_empty_directory(
    voc: TinyVoc, tmp_path: Path, fresh: Command
) -> None:
    assert [line.split()[1] for line in CHAIN] == [
        "train", "attend", "proxy", "segment", "evaluate",
    ]  # fmt: skip
    (tmp_path / "VOC2012").symlink_to(voc.root)
    (tmp_path / "saliency_maps").symlink_to(voc.saliency)
    (tmp_path / "short.toml").write_text(TINY)
    for line in CHAIN:
        done = fresh(*shlex.split(line)[1:], "--config", "short.toml", cwd=tmp_path)
        assert done.code == 0, done.err
    assert "mIoU" in done.out


@pytest.mark.parametrize("line", LINES)
def test_every_command_of_the_readme_is_understood(line: str, wsss: Command) -> None:
    """A command without its data fails, but for the data, not for an unknown option."""
    command, *options = shlex.split(line)[1:]
    understood = set(re.findall(r"--[\w-]+", wsss(command, "--help").out))
    for option in options:
        if option.startswith("--"):
            assert option in understood, option


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.sh")), ids=lambda p: p.stem)
def test_every_command_of_the_examples_is_understood(path: Path, wsss: Command) -> None:
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    calls = ("wsss ", "shared ")  # the function that starts several processes
    lines = [line.split() for line in text.splitlines() if line.strip().startswith(calls)]
    assert lines or "multi_node.sh" in text
    for _, command, *words in lines:
        understood = set(re.findall(r"--[\w-]+", wsss(command, "--help").out))
        assert {word for word in words if word.startswith("--")} <= understood


def test_both_set_up_commands_are_there() -> None:
    set_up = [line for block in BLOCKS for line in block.splitlines() if "python3 -m venv" in line]
    assert [line.rsplit("/", 1)[-1] for line in set_up] == ["wsss demo", "pytest"]
