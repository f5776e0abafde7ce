"""How far it is from the command to the network: a stack that a person can hold in mind."""

import traceback
from pathlib import Path
from typing import Any

import pytest
from conftest import Command, TinyVoc, train_arguments

import wsss_cli
from wsss_cli.stages.attend import plan

MOST_FRAMES = 9


def test_few_functions_stand_between_command_and_network(
    voc: TinyVoc, tmp_path: Path, wsss: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, load = Path(wsss_cli.__file__).parent, plan.load_network
    stacks: list[list[str]] = []

    def watched(path: Path) -> Any:
        network, *others = load(path)
        attention = network.attention

        def recording(*arguments: Any, **options: Any) -> Any:
            frames = traceback.extract_stack()
            inner = [frame for frame in frames if Path(frame.filename).is_relative_to(package)]
            stacks.append([f"{Path(f.filename).name}:{f.name}" for f in inner])
            return attention(*arguments, **options)

        monkeypatch.setattr(network, "attention", recording)
        return (network, *others)

    assert wsss(*train_arguments(voc, tmp_path / "run")).code == 0
    monkeypatch.setattr(plan, "load_network", watched)
    assert wsss("attend", "--run", tmp_path / "run").code == 0
    stack = stacks[0]
    between = stack[stack.index("config_command.py:command") + 1 :]
    assert between[0] == "run_command.py:run_stage"
    assert len(between) <= MOST_FRAMES, between
