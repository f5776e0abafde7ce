"""A stage on the CPU and on the card of paper: both give the same, and nothing stays behind."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import logged
from fake_card import CARD, card

from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.stages import crf
from wsss_cli.stages.attend import plan as attend_plan
from wsss_cli.stages.proxy import plan as proxy_plan
from wsss_cli.stages.refine import plan as refine_plan
from wsss_cli.stages.segment import plan as segment_plan
from wsss_cli.stages.train import plan as train_plan
from wsss_cli.tracking import Silent

# What a card is for: networks, and the filter of the CRF.
HEAVY = ("aten::convolution", "aten::_embedding_bag")
# Files that tell of the device and the clock.
TELLING = {"manifest.json", "metrics.jsonl", ".lock"}


@contextmanager
def on_card() -> Iterator[None]:
    """Within, whatever device a stage is asked for is the card."""
    with pytest.MonkeyPatch.context() as patch, card(*HEAVY):
        for module in (train_plan, attend_plan, proxy_plan, refine_plan, crf, segment_plan):
            patch.setattr(module, "resolve_device", lambda name: CARD)
        yield


def made(stage: Path) -> dict[str, bytes]:
    """The files of a stage but for what tells of the device and the clock."""
    paths = (path for path in sorted(stage.rglob("*")) if path.is_file())
    return {str(p.relative_to(stage)): p.read_bytes() for p in paths if p.name not in TELLING}


def require_equal(there: Path, here: Path) -> None:
    """The files of a stage are the same to the byte, and its log but for the clock."""
    found, expected = made(there), made(here)
    assert expected
    assert list(found) == list(expected)
    assert [name for name in found if found[name] != expected[name]] == []
    if (here / "metrics.jsonl").exists():
        assert logged(there) == logged(here)


def same_on_both(
    stage: ModuleType, config: Callable[..., Any], base: Path, **settings: Any
) -> Path:
    """Run a stage here and there and compare what it made.

    Args:
        stage: Has ``run``; its name is that of its directory.
        config: Makes its settings, given ``run`` and the settings.
        base: Where two runs may be made.
        settings: Of the stage.

    Returns:
        The stage's directory that was made on the CPU.
    """
    name = stage.__name__.rpartition(".")[2]
    here, there = base / "cpu" / name, base / "card" / name
    stage.run(config(run=here.parent, **settings), track=Silent())
    with on_card():
        stage.run(config(run=there.parent, **settings), track=Silent())
    assert read_manifest(there)["device"] == str(CARD)
    require_equal(there, here)
    return here
