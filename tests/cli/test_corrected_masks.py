"""``wsss segment --corrected``: masks that people have corrected, and proxy labels for the rest."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Command, TinyVoc

from wsss_cli.artifacts.label_png import read_label_map, write_label_map
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.stages.segment.plan import prepare
from wsss_cli.tracking import Silent

SHORT = ["--model", "tiny", "--iterations", "2", "--batch-size", "2", "--crop", "32"]
SHORT += ["--amp", "off", "--scales", "1"]


@pytest.fixture
def proxies(chained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(chained / "proxy" / "labels", tmp_path / "proxies"))


@pytest.fixture
def corrected(voc: TinyVoc, tmp_path: Path) -> Path:
    """True masks of two training images."""
    folder = tmp_path / "corrected"
    folder.mkdir()
    for image_id in voc.train_ids[1:3]:
        shutil.copy(voc.mask(image_id), folder)
    return folder


def test_corrected_label_maps_take_the_place_of_proxies(
    wsss: Command, voc: TinyVoc, proxies: Path, corrected: Path, tmp_path: Path
) -> None:
    (proxies / f"{voc.train_ids[1]}.png").unlink()  # a corrected image needs no proxy
    run = tmp_path / "run"
    config = SegmentConfig(run=run, data=voc.root, proxy=proxies, corrected=corrected, model="tiny")
    plan = prepare(config, Silent())
    for image_id in voc.train_ids:
        folder = corrected if image_id in voc.train_ids[1:3] else proxies
        assert plan.supervision[image_id] == folder / f"{image_id}.png"
    line = ["segment", "--data", voc.root, "--proxy", proxies, "--run", run, *SHORT]
    asked = [*line, "--corrected", corrected]
    (corrected / f"{voc.val_ids[0]}.png").write_bytes(voc.mask(voc.val_ids[0]).read_bytes())
    outcome = wsss(*asked)
    assert outcome.code == 0, outcome.err
    assert "2 corrected" in outcome.err
    assert voc.val_ids[0] in outcome.err  # given, but not learned from
    assert wsss(*asked, "--json").values["status"] == "up to date"
    states = wsss("show", run, "--json").values["stages"]["segment"]["inputs"]
    assert states["supervision"]["state"] == states["corrected"]["state"] == "same"
    shown = corrected / f"{voc.train_ids[2]}.png"
    changed = read_label_map(shown).copy()
    changed[0, 0] = 255 - changed[0, 0] % 2 * 255
    write_label_map(shown, changed)
    states = wsss("show", run, "--json").values["stages"]["segment"]["inputs"]
    assert states["supervision"]["state"] == "same"
    assert states["corrected"]["state"] == "changed"
    refused = wsss(*asked).err
    assert "corrected" in refused
    assert "supervision" not in refused


def test_corrected_label_maps_that_cannot_be_meant_are_refused(
    wsss: Command, voc: TinyVoc, proxies: Path, corrected: Path, tmp_path: Path
) -> None:
    line = ["segment", "--data", voc.root, "--proxy", proxies, "--run", tmp_path / "run", *SHORT]
    (tmp_path / "empty").mkdir()
    for arguments in (
        ["--corrected", tmp_path / "empty"],
        ["--corrected", tmp_path / "nothing"],
        ["--corrected", corrected, "--supervision", "full"],
    ):
        outcome = wsss(*line, *arguments)
        assert outcome.code == 2
        assert "--corrected" in outcome.err
    image_id = voc.train_ids[1]
    write_label_map(corrected / f"{image_id}.png", np.full((3, 4), 1, np.uint8))
    outcome = wsss(*line, "--corrected", corrected)
    assert outcome.code == 1
    assert str(corrected / f"{image_id}.png") in outcome.err
    for path in corrected.iterdir():
        path.rename(path.with_name(f"of_nobody_{path.name}"))
    outcome = wsss(*line, "--corrected", corrected)
    assert outcome.code == 2
    assert "--corrected" in outcome.err
    assert not (tmp_path / "run" / "segment").exists()
