"""``wsss predict`` killed at any change that it makes on the disk, and continued."""

import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import Command
from new_photographs import photograph, segmentation_checkpoint, video

from wsss_cli.artifacts.score_file import ScoreFile
from wsss_cli.configs.predict import PredictConfig
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.stages import predict
from wsss_cli.stages.predict import execution
from wsss_cli.stages.result import Report
from wsss_cli.tracking import Silent


class KilledError(BaseException):
    """Stands for a SIGKILL."""


class Disk:
    """Counts the files that get or lose their names, and from one of them on changes nothing.

    Attributes:
        changes: How many there were, or were tried.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.changes, self._most = 0, float("inf")
        for name in ("replace", "unlink"):
            monkeypatch.setattr(Path, name, self._counted(getattr(Path, name)))

    def _counted(self, change: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            if self.changes >= self._most:
                raise KilledError
            self.changes += 1
            return change(*args, **kwargs)

        return counted

    @contextmanager
    def dead_after(self, changes: int) -> Iterator[None]:
        self.changes, self._most = 0, changes
        try:
            with pytest.raises(KilledError):
                yield
        finally:
            self._most = float("inf")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return segmentation_checkpoint(tmp_path_factory.mktemp("network") / "checkpoint.pt")


def _result(out: Path) -> dict[str, object]:
    """All files, hidden ones too; of the index what it links to, of the manifest nothing."""
    found: dict[str, object] = {}
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        if path.name not in (".lock", "manifest.json"):
            is_record = path.suffix == ".json"
            content = path.read_bytes()
            found[str(path.relative_to(out))] = json.loads(content) if is_record else content
    return found


class Prediction:
    """A command on photographs or videos, into any folder."""

    def __init__(self, checkpoint: Path, photos: list[Path], **options: Any) -> None:
        self._options = {"checkpoint": checkpoint, "photos": tuple(map(str, photos))}
        self._options |= {"amp": "off", "workers": 1, **options}

    def __call__(self, out: Path, **more: Any) -> Report:
        return predict.run(PredictConfig(**{**self._options, **more, "out": out}), track=Silent())


def _pictures(folder: Path) -> list[Path]:
    return [
        photograph(folder / "a.jpg", 20, 30),
        photograph(folder / "day1" / "b.png", 25, 20, 1, orientation=6),
    ]


@pytest.fixture(params=["label maps", "attention", "videos"])
def prediction(
    request: pytest.FixtureRequest, checkpoint: Path, lively_checkpoint: Path, tmp_path: Path
) -> Prediction:
    options = {"overlay": True, "probabilities": True}
    _pictures(tmp_path / "photos")
    if request.param == "label maps":
        return Prediction(checkpoint, [tmp_path / "photos"], **options)
    if request.param == "attention":
        return Prediction(lively_checkpoint, [tmp_path / "photos"], size=64, **options)
    clips = [video(tmp_path / name / "clip.mp4", 2, 32, 48) for name in ("first", "second")]
    return Prediction(checkpoint, clips)


def test_killed_anywhere_it_continues_to_what_an_undisturbed_one_leaves(
    prediction: Prediction, disk: Disk, tmp_path: Path
) -> None:
    prediction(tmp_path / "whole")
    whole, changes = _result(tmp_path / "whole"), disk.changes
    assert changes > len(whole) > 3
    for kill in range(changes):
        out = tmp_path / f"killed{kill}"
        with disk.dead_after(kill):
            prediction(out)
        report = prediction(out)
        assert report.failure is None
        assert _result(out) == whole, kill


def test_killed_anywhere_other_settings_replace_all(
    prediction: Prediction, disk: Disk, tmp_path: Path
) -> None:
    other = {"flip": False, "overwrite": True}
    prediction(tmp_path / "other", **other)
    whole = _result(tmp_path / "other")
    disk.changes = 0
    prediction(tmp_path / "undisturbed")
    for kill in range(0, disk.changes, 2):
        out = tmp_path / f"killed{kill}"
        with disk.dead_after(kill):
            prediction(out)
        prediction(out, **other)
        assert _result(out) == whole, kill


def test_killed_while_replacing_it_replaces_the_rest(
    prediction: Prediction, disk: Disk, tmp_path: Path
) -> None:
    other = {"flip": False, "overwrite": True}
    prediction(tmp_path / "other")
    disk.changes = 0
    prediction(tmp_path / "other", **other)
    whole, changes = _result(tmp_path / "other"), disk.changes
    for kill in range(1, changes, 3):
        out = tmp_path / f"killed{kill}"
        prediction(out)
        with disk.dead_after(kill):
            prediction(out, **other)
        prediction(out, **other)
        assert _result(out) == whole, kill


def test_full_disk_is_continued_after(
    prediction: Prediction, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    prediction(tmp_path / "whole")
    whole, sync = _result(tmp_path / "whole"), os.fsync
    for most in range(1, len(whole)):
        out, synced = tmp_path / f"full{most}", iter(range(most))

        def full(file: int, synced: Iterator[int] = synced) -> None:
            if next(synced, None) is None:
                raise OSError(errno.ENOSPC, "no space left")
            sync(file)

        monkeypatch.setattr(os, "fsync", full)
        with suppress(WsssError):  # a video that does not fit is a failure among others
            assert prediction(out).failure
        monkeypatch.setattr(os, "fsync", sync)
        assert prediction(out).failure is None
        assert _result(out) == whole, most


def test_video_that_vanishes_costs_no_other(checkpoint: Path, tmp_path: Path) -> None:
    clips = [video(tmp_path / f"{name}.mp4", 2, 32, 48) for name in "ab"]
    config = PredictConfig(
        checkpoint=checkpoint, photos=tuple(map(str, clips)), out=tmp_path / "out"
    )
    plan = predict.prepare(config, Silent())
    clips[0].unlink()
    report = execution.predict(plan, Silent())
    assert "a.mp4" in str(report.failure)
    assert [each["file"] for each in report.values["videos"]] == [str(clips[1])]


def test_killed_it_keeps_what_it_has_of_a_subfolder(
    checkpoint: Path, disk: Disk, tmp_path: Path
) -> None:
    for seed, name in enumerate("abc"):
        photograph(tmp_path / "photos" / "day1" / f"{name}.jpg", 20, 30, seed)
    prediction, out = Prediction(checkpoint, [tmp_path / "photos"]), tmp_path / "out"
    with disk.dead_after(4):
        prediction(out)
    before = _result(out)
    assert "day1/a.png" in before
    with pytest.raises(UsageError, match="--overwrite"):
        prediction(out, flip=False)
    assert _result(out) == before


def test_replacing_leaves_what_somebody_else_has_among_the_overlays(
    checkpoint: Path, tmp_path: Path
) -> None:
    photo, out = photograph(tmp_path / "a.jpg"), tmp_path / "out"
    prediction = Prediction(checkpoint, [photo], overlay=True, probabilities=True)
    prediction(out)
    for path in (out / "overlays" / "mine.jpg", out / "scores" / "mine.h5"):
        path.write_bytes(b"mine")
    prediction(out, flip=False, overwrite=True)
    assert (out / "overlays" / "mine.jpg").read_bytes() == b"mine"
    assert (out / "scores" / "mine.h5").read_bytes() == b"mine"
    with ScoreFile(out / "scores.h5") as scores:
        assert scores.image_ids == ["a"]


@pytest.mark.parametrize("name", ["a.png", "overlays/a.jpg", "scores/a.h5", "b.png"])
def test_file_of_somebody_else_is_refused_whatever_was_killed(
    checkpoint: Path, disk: Disk, tmp_path: Path, name: str
) -> None:
    photos = _pictures(tmp_path / "photos")
    others = [photograph(tmp_path / f"{name}.jpg", 20, 20) for name in "cd"]
    options = {"overlay": True, "probabilities": True}
    for kill in (3, 5, 7, 9):
        out = tmp_path / f"out{kill}"
        with disk.dead_after(kill):
            Prediction(checkpoint, others, **options)(out)
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_bytes(b"mine")
        for more in ({}, {"flip": False, "overwrite": True}):
            with pytest.raises(UsageError, match=name):
                Prediction(checkpoint, [*others, *photos], **options)(out, **more)
            assert (out / name).read_bytes() == b"mine"


def test_map_of_somebody_else_is_refused_whatever_is_killed(
    lively_checkpoint: Path, disk: Disk, tmp_path: Path
) -> None:
    photos = [photograph(tmp_path / f"{name}.jpg", 20, 30) for name in "ab"]
    prediction = Prediction(lively_checkpoint, photos, size=64, overlay=True, probabilities=True)
    told = prediction(tmp_path / "whole").values["pictures"]
    name = Path(next(iter(told[0]["maps"].values()))).relative_to(tmp_path / "whole")
    for kill in (2, 4, 5):
        out = tmp_path / f"out{kill}"
        Prediction(lively_checkpoint, photos[1:], size=64)(out)
        (out / name).parent.mkdir()
        (out / name).write_bytes(b"mine")
        with disk.dead_after(kill):
            prediction(out)
        for more in ({}, {"flip": False, "overwrite": True}):
            report = prediction(out, **more)
            assert str(out / name) in str(report.failure)
            assert [picture["file"] for picture in report.values["pictures"]] == [str(photos[1])]
            assert (out / name).read_bytes() == b"mine"


def test_nothing_is_written_through_a_link(checkpoint: Path, tmp_path: Path) -> None:
    photos, out = _pictures(tmp_path / "photos"), tmp_path / "out"
    prediction = Prediction(checkpoint, photos, overlay=True)
    prediction(out)
    elsewhere = (out / "overlays").rename(tmp_path / "elsewhere")
    (out / "overlays").symlink_to(elsewhere)
    before = {path: path.read_bytes() for path in elsewhere.iterdir()}
    for more in ({"flip": False, "overwrite": True}, {"probabilities": True}):
        with pytest.raises(UsageError, match="overlays is a link"):
            prediction(out, **more)
    assert {path: path.read_bytes() for path in elsewhere.iterdir()} == before


def test_show_knows_what_predict_has_written(
    wsss: Command, checkpoint: Path, tmp_path: Path
) -> None:
    out, photo = tmp_path / "out", photograph(tmp_path / "photos" / "day1" / "a.jpg", 20, 30)
    Prediction(checkpoint, [photo.parent.parent], probabilities=True)(out)
    (numbers,) = (out / "scores").iterdir()
    for path in (out / "records/day1/a.json", out / "day1/a.png", numbers):
        shown = wsss("show", path, "--json")
        assert shown.code == 0, shown.err
        assert shown.values["written_by"]["stage"] == "predict", path
    (out / "mine.png").write_bytes((out / "day1/a.png").read_bytes())
    assert wsss("show", out / "mine.png", "--json").values["written_by"] is None
