"""Progress counts what is done, times have labels, and lines break between words."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Command, TinyVoc, train_arguments

from wsss_cli.cli import progress
from wsss_cli.cli.progress import Lines, Pace
from wsss_cli.cli.wrapping import fold
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.stages import CHAIN
from wsss_cli.stages import attend
from wsss_cli.tracking import Silent


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress.time, "monotonic", clock.monotonic)
    return clock


def test_times_have_labels_and_are_those_of_what_is_done() -> None:
    assert Pace(0, 10, 5).times == "5 s so far"
    assert Pace(4, 16, 10).times == "10 s so far, 40 s left"
    assert Pace(4, 16, 10).rate == "0.4/s"
    assert Pace(10, 0, 90).times == "1 min 30 s so far, 0 s left"


def test_batches_count_by_their_images_from_the_first_one_on(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """A batch of 16 takes 8 s, and 64 of 128 images were there before."""

    def batches() -> Iterator[list[int]]:
        for start in range(64, 128, 16):
            clock.now += 8
            yield list(range(start, start + 16))

    steps = Lines().steps(batches(), total=128, label="attending", done=64, size=len)
    for _ in steps:
        pass
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first == "attending: 80/128 images, 2/s, 8 s so far, 24 s left"
    assert last == "attending: 128/128 images in 32 s"


class Counting(Silent):
    """Adds up what is counted."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.total = self.done = 0

    def steps(
        self,
        items: Iterable[Any],
        *,
        total: int,
        label: str,
        done: int = 0,
        size: Callable[[Any], int] = lambda _: 1,
        **_: Any,
    ) -> Iterator[Any]:
        if label != "attending":
            yield from items
            return
        self.total, self.done = total, done
        for item in items:
            yield item
            self.seen.append(size(item))


def test_attend_counts_the_images_of_each_batch_also_after_it_was_stopped(
    voc: TinyVoc, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsss_cli.stages.attention_maps.SHARD_IMAGES", 5)
    run = tmp_path / "run"
    shutil.copytree(trained / "train", run / "train")
    config = AttendConfig(run=run, size=64, batch_size=2, amp="off")
    whole = Counting()
    attend.run(config, track=whole)
    assert (whole.done, whole.total) == (0, 12)
    assert whole.seen == [2, 2, 1, 2, 2, 1, 2]
    (run / "attend" / "shards" / "00001.h5").unlink()
    resumed = Counting()
    attend.run(config, track=resumed)
    assert (resumed.done, resumed.total) == (7, 12)
    assert sum(resumed.seen) == 5


COMMANDS = (
    *CHAIN,
    *("show", "report", "check", "compare", "demo", "doctor", "import", "data", "data check"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_breaks_between_words_alone(
    wsss: Command, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    words = {}
    for width in (50, 80, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        text, _, _ = wsss(*command.split(), "-h").out.partition("\nCommands:\n")  # cut to fit
        words[width] = Counter(text.split())
    assert words[50] == words[80] == words[200]


def test_lines_are_folded_between_words_and_commands_stay_whole() -> None:
    path = "/a/very/long/path/that/is/longer/than/the/width/of/the/terminal/file.png"
    command = "`wsss attend --run 'my run' --data VOC2012 --flip --size 224`"
    text = f"error: {path} is not there; run {command} first or pass --attention FILE\n  short"
    folded = fold(text, 40)
    assert folded.split() == text.split()
    assert path in folded
    assert command in folded
    lines = folded.split("\n")
    assert lines[-1] == "  short"
    assert all(len(line) <= 40 for line in lines if path not in line and command not in line)
    assert fold("short", 40) == "short"
    assert fold("", 40) == ""


def test_what_is_piped_is_not_folded(wsss: Command, tmp_path: Path) -> None:
    outcome = wsss("saliency")
    assert len(outcome.err.splitlines()) == 1
    assert len(outcome.err) > 200


def test_a_training_says_its_times(
    wsss: Command, voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "FIRST_LINE_AFTER", 0.0)
    err = wsss(*train_arguments(voc, tmp_path / "run")).err
    (line,) = (line for line in err.splitlines() if "so far" in line)
    assert " left" in line
