"""The default scales of prediction follow the range that the network was trained with."""

import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Command, TinyVoc

from wsss_cli.artifacts.checkpoint import read_checkpoint, write_checkpoint
from wsss_cli.artifacts.stage_commands import recorded_command
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.configs.scales import DEEPLAB_SCALES, default_scales
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.errors import WsssError
from wsss_cli.stages import segment
from wsss_cli.stages.segment.network_file import read_network
from wsss_cli.tracking import Silent

SMALL: dict[str, Any] = {"model": "tiny", "iterations": 1, "batch_size": 2, "crop": 32}


class Notes(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def _training(voc: TinyVoc, run: Path, **settings: Any) -> SegmentConfig:
    return SegmentConfig(
        run=run, data=voc.root, supervision="full", amp="off", **{**SMALL, **settings}
    )


@pytest.fixture(scope="module")
def halved(voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose network was trained on photographs of half their size to their whole size."""
    run = tmp_path_factory.mktemp("halved")
    segment.run(_training(voc, run, scale_low=0.5, scale_high=1.0), track=Silent())
    return run


@pytest.fixture
def without_range(halved: Path, tmp_path: Path) -> Path:
    """A checkpoint as earlier versions wrote it, in a folder of its own."""
    path = tmp_path / "elsewhere" / "network.pt"
    path.parent.mkdir()
    content = read_checkpoint(halved / "segment" / "checkpoint.pt", "segmentation")
    write_checkpoint(
        path,
        "segmentation",
        {name: value for name, value in content.items() if not name.startswith("scale_")},
    )
    return path


def _scales(voc: TinyVoc, run: Path, checkpoint: Path, **settings: Any) -> Any:
    config = SegmentConfig(run=run, data=voc.root, checkpoint=checkpoint, amp="off", **settings)
    return segment.prepare(config, Silent()).scales


@pytest.mark.parametrize(
    ("scale_low", "scale_high", "expected"),
    [
        (0.7, 1.3, (0.75, 1.0)),
        (0.5, 1.0, (0.5, 0.75, 1.0)),
        (0.5, 1.5, (0.5, 0.75, 1.0)),
        (1.1, 1.6, (pytest.approx(1.76**0.5),)),
        (1.0, 1.0, (1.0,)),
        (0.8, 0.9, (pytest.approx(0.72**0.5),)),
        (2.0, 8.0, (4.0,)),
    ],
)
def test_default_scales_are_those_of_deeplab_up_to_1_within_the_training_range(
    scale_low: float, scale_high: float, expected: tuple[float, ...]
) -> None:
    assert default_scales(scale_low, scale_high) == expected


def test_training_predicts_within_its_own_range_and_its_manifest_says_so(
    wsss: Command, voc: TinyVoc, halved: Path, tmp_path: Path
) -> None:
    manifest = read_manifest(halved / "segment")
    assert manifest["settings"]["scales"] == manifest["config"]["scales"] == [0.5, 0.75, 1.0]
    assert read_network(halved / "segment" / "checkpoint.pt").scale_range == (0.5, 1.0)
    asked = ["segment", "--data", voc.root, "--supervision", "full", "--model", "tiny"]
    plan = wsss(*asked, "--run", tmp_path, "--dry-run", "--json").values
    assert plan["scales"] == [0.75, 1.0]
    again = recorded_command("segment", manifest, halved)
    words = shlex.split(again)
    assert [words[n + 1] for n, word in enumerate(words) if word == "--scales"] == [
        "0.5",
        "0.75",
        "1.0",
    ]


def test_default_equals_its_scales_given_one_by_one(
    wsss: Command, voc: TinyVoc, halved: Path, tmp_path: Path
) -> None:
    asked = ["segment", "--data", voc.root, "--checkpoint", halved / "segment/checkpoint.pt"]
    asked += ["--run", tmp_path, "--json"]
    assert wsss(*asked).code == 0
    given = [word for scale in (0.5, 0.75, 1.0) for word in ("--scales", scale)]
    assert wsss(*asked, *given).values["status"] == "up to date"
    other = wsss(*asked, "--scales", 1)
    assert other.code == 2
    assert "scales" in other.err


def test_given_network_is_asked_at_the_scales_of_its_own_training(
    voc: TinyVoc, halved: Path, tmp_path: Path
) -> None:
    checkpoint = halved / "segment" / "checkpoint.pt"
    assert _scales(voc, tmp_path, checkpoint) == (0.5, 0.75, 1.0)
    # These are settings of a training, which does not take place.
    assert _scales(voc, tmp_path, checkpoint, scale_low=1.0, scale_high=1.5) == (
        0.5,
        0.75,
        1.0,
    )
    assert _scales(voc, tmp_path, checkpoint, scales=(1.5,)) == (1.5,)


def test_range_of_an_earlier_checkpoint_is_in_the_manifest_beside_it(
    voc: TinyVoc, halved: Path, without_range: Path, tmp_path: Path
) -> None:
    shutil.copy(halved / "segment" / "manifest.json", without_range.parent)
    assert _scales(voc, tmp_path, without_range) == (0.5, 0.75, 1.0)


def test_range_that_nothing_records_is_assumed_and_said(
    wsss: Command, voc: TinyVoc, without_range: Path, tmp_path: Path
) -> None:
    asked = ["segment", "--data", voc.root, "--checkpoint", without_range, "--run", tmp_path]
    done = wsss(*asked)
    assert done.code == 0
    assert read_manifest(tmp_path / "segment")["settings"]["scales"] == [0.75, 1.0]
    assert all(word in done.err for word in (without_range.name, "0.75, 1;", "--scales"))
    quiet = wsss(*asked, *(word for s in (0.75, 1) for word in ("--scales", s)))
    assert "does not record" not in quiet.err


@pytest.mark.parametrize(
    "spoilt",
    [{"scale_low": "small"}, {"scale_high": None}, {"scale_low": -1.0}, {"scale_low": 2.0}],
)
def test_checkpoint_with_an_impossible_range_is_refused(
    halved: Path, tmp_path: Path, spoilt: dict[str, Any]
) -> None:
    content = read_checkpoint(halved / "segment" / "checkpoint.pt", "segmentation")
    write_checkpoint(tmp_path / "spoilt.pt", "segmentation", {**content, **spoilt})
    with pytest.raises(WsssError, match=r"spoilt\.pt"):
        read_network(tmp_path / "spoilt.pt")


def test_run_begun_at_the_five_former_scales_goes_on_with_them(
    voc: TinyVoc, tmp_path: Path
) -> None:
    five = _training(voc, tmp_path, scales=DEEPLAB_SCALES)
    segment.run(five, track=Silent())
    folder = tmp_path / "segment"
    before = {path.name: path.read_bytes() for path in folder.rglob("*.p*")}
    unsaid, track = replace(five, scales=None), Notes()
    assert segment.run(unsaid, track=track).up_to_date
    assert any("0.5, 0.75, 1, 1.25, 1.5" in note and "--scales" in note for note in track.notes)
    # An unfinished one too: what is missing is made at the same scales.
    lost = sorted((folder / "predictions").iterdir())[0]
    lost.unlink()
    assert not segment.run(unsaid, track=Silent()).up_to_date
    assert {path.name: path.read_bytes() for path in folder.rglob("*.p*")} == before
    # Who replaces it gets the present default.
    plan = segment.prepare(replace(unsaid, overwrite=True), Silent())
    assert plan.scales == (0.75, 1.0)


def test_run_of_other_settings_or_scales_is_not_taken_for_a_former_one(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    asked = ["segment", "--data", voc.root, "--supervision", "full", "--model", "tiny"]
    asked += ["--iterations", 1, "--batch-size", 2, "--crop", 32, "--run", tmp_path]
    assert wsss(*asked, "--scales", 1).code == 0
    assert wsss(*asked).code == 2
    assert wsss(*asked, "--lr", 0.1, "--scales", 1).code == 2


def test_a_checkpoint_shows_the_scales_of_its_training(wsss: Command, halved: Path) -> None:
    facts = wsss("show", halved / "segment" / "checkpoint.pt", "--json").values
    assert (facts["facts"]["scale_low"], facts["facts"]["scale_high"]) == (0.5, 1.0)
