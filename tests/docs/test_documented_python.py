"""The Python of README and docs/ runs, and docs/python.md has the signatures of the code."""

import importlib
import inspect
import re
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from conftest import TinyVoc
from pages import blocks, text

import wsss_cli

BUILDING_BLOCKS = [
    block for block in blocks("docs/python.md", "python") if "import wsss" not in block
]
# Given to every stage called from a page, so that it takes seconds.
SHORT: dict[str, dict[str, Any]] = {
    "train": {"backbone": "tiny", "iterations": 4, "batch_size": 4, "crop": 32, "amp": "off"},
    "attend": {"size": 48, "amp": "off"},
    "segment": {"model": "tiny", "iterations": 2, "batch_size": 2, "crop": 32, "amp": "off"},
}
STAGES = ("train", "attend", "saliency", "proxy", "segment", "crf", "evaluate")


@pytest.mark.parametrize("block", BUILDING_BLOCKS, ids=lambda block: block.split()[-1][:20])
def test_building_blocks_run(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(block, "docs/python.md", "exec"), {})
    assert capsys.readouterr().out


def test_signatures_are_as_documented() -> None:
    content = text("docs/python.md")
    sections = re.split(r"^### .*`(wsss_cli[\w.]*)`$", content, flags=re.MULTILINE)[1:]
    checked = 0
    for module, section in zip(sections[::2], sections[1::2], strict=True):
        outside = re.sub(r"```.*?```", "", section, flags=re.DOTALL)
        for name, arguments in re.findall(r"`(\w+)\(([^`)]+)\)`", outside):
            function = getattr(importlib.import_module(module), name)
            parameters = list(inspect.signature(function).parameters.values())
            for shown, parameter in zip(arguments.split(", "), parameters, strict=False):
                argument, _, default = shown.partition("=")
                assert argument == parameter.name, (name, shown)
                if default:
                    assert parameter.default == eval(default), (name, shown)
                else:
                    assert parameter.default is inspect.Parameter.empty, (name, shown)
            left = parameters[len(arguments.split(", ")) :]
            assert all(p.default is not inspect.Parameter.empty for p in left), name
            checked += 1
    assert checked >= 15


@pytest.mark.parametrize(
    "page", [pytest.param(p, marks=pytest.mark.slow) for p in ("README.md", "docs/python.md")]
)
def test_the_chain_runs(
    page: str, voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The options beside the documented ones keep the stages short."""
    (block,) = (block for block in blocks(page, "python") if "import wsss_cli as wsss" in block)
    (tmp_path / "VOC2012").symlink_to(voc.root)
    (tmp_path / "saliency_maps").symlink_to(voc.saliency)
    monkeypatch.chdir(tmp_path)
    for stage in STAGES:
        function = getattr(wsss_cli, stage)
        short = SHORT.get(stage, {})
        # Set as a name of the module, so that it goes again and `__getattr__` answers as before.
        monkeypatch.setitem(vars(wsss_cli), stage, partial(_call, function, short))
    exec(compile(block, page, "exec"), {})


def _call(function: Callable[..., Any], short: dict[str, Any], **options: Any) -> Any:
    return function(**{**short, **options})


def test_the_reader_of_attention_runs(
    trained: Path, voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = blocks("docs/formats.md", "python")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "default").symlink_to(trained)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(textwrap.dedent(block).replace("2007_000039", voc.train_ids[0]), names)
    assert names["maps"].ndim == 3
