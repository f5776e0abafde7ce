"""``wsss evaluate`` for scripts: a limit that fails, and units of what it prints."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Command, TinyVoc
from PIL import Image


def _half_right(voc: TinyVoc, folder: Path) -> Path:
    """Predictions that are the truth of every other image and background elsewhere."""
    folder.mkdir()
    for number, image_id in enumerate(voc.val_ids):
        if number % 2:
            shutil.copy(voc.mask(image_id), folder)
            continue
        size = np.array(Image.open(voc.mask(image_id))).shape
        Image.fromarray(np.zeros(size, np.uint8)).save(folder / f"{image_id}.png")
    return folder


@pytest.fixture
def arguments(voc: TinyVoc, tmp_path: Path) -> list[object]:
    """The evaluation of predictions that are right by half, but for its limit."""
    return [
        "evaluate",
        "--pred",
        _half_right(voc, tmp_path / "masks"),
        "--data",
        voc.root,
    ]


def test_a_score_below_the_limit_ends_with_1_after_the_json(
    wsss: Command, arguments: list[object]
) -> None:
    miou = wsss(*arguments, "--json").values["miou"]
    assert 0.01 < miou < 0.99
    above = wsss(*arguments, "--json", "--fail-under", miou + 0.005)
    assert above.code == 1
    assert above.values["miou"] == miou
    (sentence,) = (line for line in above.err.splitlines() if line.startswith("error: "))
    assert f"{miou:.4f}" in sentence
    assert "--fail-under" in sentence
    for least in (miou - 0.005, 0):
        assert wsss(*arguments, "--json", "--fail-under", least).code == 0


def test_a_limit_in_per_cent_is_a_question(wsss: Command, arguments: list[object]) -> None:
    for limit, meant in (("40", "0.4"), ("-0.1", None), ("nan", None)):
        outcome = wsss(*arguments, "--fail-under", limit)
        assert outcome.code == 2
        assert outcome.out == ""
        assert "--fail-under" in outcome.err
        assert meant is None or meant in outcome.err


def test_a_score_of_nothing_is_below_every_limit(
    wsss: Command, voc: TinyVoc, arguments: list[object], tmp_path: Path
) -> None:
    truth = tmp_path / "truth"
    truth.mkdir()
    for image_id in voc.val_ids:
        size = np.array(Image.open(voc.mask(image_id))).shape
        Image.fromarray(np.full(size, 255, np.uint8)).save(truth / f"{image_id}.png")
    outcome = wsss(*arguments, "--gt", truth, "--json", "--fail-under", 0)
    assert outcome.code != 0


def test_json_has_fractions_and_text_has_per_cent(wsss: Command, arguments: list[object]) -> None:
    values = wsss(*arguments, "--json").values
    assert values["unit"] == "fraction"
    text = wsss(*arguments).out
    totals = [line for line in text.splitlines() if re.match(r"mIoU +\d", line)]
    assert len(totals) == 2  # the verdict, and the last row of the table
    for total in totals:
        assert f"{100 * values['miou']:.1f}" in total
        assert "%" in total
    (heading,) = (line for line in text.splitlines() if line.startswith("class "))
    assert "per cent" in heading
