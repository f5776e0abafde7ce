"""A stage's artifact: new, resumable, complete or another one, and what --overwrite removes."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from wsss_cli import ranks
from wsss_cli.artifacts.stage_directory import (
    Input,
    StageDirectory,
    read_manifest,
    require_complete,
)
from wsss_cli.errors import DivergenceError, UsageError, WsssError


@pytest.fixture
def directory(tmp_path: Path) -> StageDirectory:
    return StageDirectory(
        path=tmp_path / "run" / "proxy",
        stage="proxy",
        stage_version=1,
        settings={"w": 200.0, "rule": "seenet", "steps": (3, 5), "seed": 0},
        inputs={"attention": Input(tmp_path / "a.h5", "f1")},
        owned=("labels/*.png", "losses.csv"),
        details={"class_names": ["a"], "seed": 0},
    )


def _put(directory: StageDirectory, name: str) -> Path:
    path = directory.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_directory_that_is_not_there_is_new(directory: StageDirectory) -> None:
    assert directory.state() == "new"
    assert not directory.path.exists()


def test_begun_is_resumable_and_only_completed_is_complete(directory: StageDirectory) -> None:
    directory.begin()
    assert directory.state() == "resumable"
    assert read_manifest(directory.path)["status"] == "running"
    directory.complete({"images": 3})
    assert directory.state() == "complete"
    assert read_manifest(directory.path)["counts"] == {"images": 3}


def test_counts_are_known_of_the_same_finished_result_alone(directory: StageDirectory) -> None:
    assert directory.recorded_counts() == {}
    directory.begin()
    assert directory.recorded_counts() == {}
    directory.complete({"images": 3})
    assert directory.recorded_counts() == {"images": 3}
    assert replace(directory, stage_version=2).recorded_counts() == {}


def test_begun_again_is_unfinished_again_and_keeps_its_start(directory: StageDirectory) -> None:
    directory.begin()
    manifest = read_manifest(directory.path)
    path = directory.path / "manifest.json"
    path.write_text(json.dumps({**manifest, "started": "2020-01-01T00:00:00+00:00"}))
    directory.begin()
    assert read_manifest(directory.path)["started"] == "2020-01-01T00:00:00+00:00"


def test_manifest_records_what_the_result_came_from(directory: StageDirectory) -> None:
    directory.begin()
    directory.complete({})
    manifest = read_manifest(directory.path)
    assert manifest["stage"] == "proxy"
    assert manifest["settings"] == {"w": 200.0, "rule": "seenet", "steps": [3, 5], "seed": 0}
    assert manifest["inputs"]["attention"]["fingerprint"] == "f1"
    assert manifest["class_names"] == ["a"]
    assert {"python", "torch", "wsss-cli"} <= manifest["versions"].keys()
    assert manifest["started"] <= manifest["finished"]


@pytest.mark.parametrize("complete", [False, True])
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"settings": {"w": 1.0, "rule": "seenet", "steps": (3, 5), "seed": 0}}, "w 200.0 there"),
        ({"settings": {"w": 200.0, "rule": "seenet", "steps": (3, 6), "seed": 0}}, "steps"),
        ({"settings": {"w": 200.0, "rule": "seenet", "steps": (3, 5)}}, "seed 0 there"),
        (
            {"settings": {"w": 200.0, "rule": "seenet", "steps": (3, 5), "seed": 0, "new": None}},
            "settings",
        ),
        ({"inputs": {"attention": Input(Path("a.h5"), "f2")}}, "input attention has changed"),
        ({"inputs": {}}, "input attention is left out now"),
        ({"stage_version": 2}, "another version"),
    ],
)
def test_another_result_is_refused_with_what_differs_and_two_ways_out(
    directory: StageDirectory, change: dict[str, object], named: str, complete: bool
) -> None:
    directory.begin()
    _put(directory, "labels/a.png")
    if complete:
        directory.complete({})
    with pytest.raises(UsageError) as refusal:
        replace(directory, **change).state()
    message = str(refusal.value)
    assert named in message
    assert "--overwrite" in message
    assert "--run" in message
    assert "rule" not in message  # only what differs is named


@pytest.mark.parametrize("logged", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        {"settings": {"w": 1.0}},
        {"inputs": {"attention": Input(Path("a.h5"), "f2")}},
        {"stage_version": 2},
    ],
)
def test_what_was_stopped_before_anything_was_made_gives_way(
    directory: StageDirectory, change: dict[str, object], logged: bool
) -> None:
    directory = replace(directory, owned=("labels/*.png", "metrics.jsonl"), scratch=("resume.pt",))
    directory.begin()
    stranger = _put(directory, "notes.txt")
    log = _put(directory, "metrics.jsonl") if logged else None
    other = replace(directory, **change)
    assert other.state() == "new"
    other.begin()
    assert read_manifest(other.path)["fingerprint"] == other.fingerprint
    assert log is None or not log.exists()
    assert stranger.exists()
    _put(other, "resume.pt")
    with pytest.raises(UsageError, match="--overwrite"):
        directory.state()


LOSS = "the loss became nan"


@pytest.fixture
def diverging(directory: StageDirectory) -> StageDirectory:
    """A training that has diverged at step 41 and kept iteration 20."""
    directory = replace(
        directory,
        settings={"lr": 0.1, "seed": 0},
        owned=("checkpoint.pt",),
        scratch=("resume.pt",),
        lowerable=("lr",),
    )
    directory.begin()
    _put(directory, "resume.pt")
    directory.diverge(DivergenceError(LOSS, 41, 20))
    return directory


def _lowered(directory: StageDirectory, lr: float, **settings: object) -> StageDirectory:
    return replace(directory, settings={**directory.settings, "lr": lr, **settings})


def test_a_training_that_diverged_goes_on_with_a_lower_rate_and_nothing_else(
    diverging: StageDirectory,
) -> None:
    assert _lowered(diverging, 0.01).state() == "resumable"
    with pytest.raises(UsageError, match=r"nan at iteration 41.*resume\.pt.*a lower --lr.*0\.01"):
        diverging.state()
    for other in (
        _lowered(diverging, 0.2),
        _lowered(diverging, 0.01, seed=1),
        replace(_lowered(diverging, 0.01), inputs={}),
        replace(_lowered(diverging, 0.01), stage_version=2),
        replace(_lowered(diverging, 0.01), lowerable=()),
    ):
        with pytest.raises(UsageError, match="--overwrite"):
            other.state()
        assert other.state(overwrite=True) == "new"
    assert diverging.state(overwrite=True) == "new"


def test_a_result_of_two_rates_is_that_of_the_second_command_and_says_so(
    diverging: StageDirectory,
) -> None:
    second, third = _lowered(diverging, 0.01), _lowered(diverging, 0.001)
    second.begin()
    assert (second.path / "resume.pt").exists()
    assert second.state() == "resumable"
    _put(second, "checkpoint.pt")
    second.complete({})
    assert second.state() == "complete"
    manifest = read_manifest(second.path)
    assert manifest["earlier_settings"] == [{"until": 20, "lr": 0.1}]
    assert manifest["settings"]["lr"] == 0.01
    assert "diverged" not in manifest
    assert manifest["fingerprint"] not in (diverging.fingerprint, second.fingerprint)
    for other in (diverging, third):
        with pytest.raises(UsageError, match="--overwrite"):
            other.state()


def test_rates_that_made_no_step_are_not_told_and_those_that_did_are(
    diverging: StageDirectory,
) -> None:
    second, third, fourth = (_lowered(diverging, lr) for lr in (0.01, 0.001, 0.0001))
    second.begin()
    assert "--overwrite" in second.diverge(DivergenceError(LOSS, 25, 20))
    third.begin()
    assert read_manifest(third.path)["earlier_settings"] == [{"until": 20, "lr": 0.1}]
    assert "--overwrite" not in third.diverge(DivergenceError(LOSS, 70, 60))
    fourth.begin()
    assert fourth.earlier_settings() == [{"until": 20, "lr": 0.1}, {"until": 60, "lr": 0.001}]


def test_a_training_that_diverged_with_nothing_kept_gives_way_but_is_not_repeated(
    diverging: StageDirectory,
) -> None:
    (diverging.path / "resume.pt").unlink()
    diverging.diverge(DivergenceError(LOSS, 3, None))
    with pytest.raises(UsageError, match="a lower --lr"):
        diverging.state()
    for other in (_lowered(diverging, 0.01), _lowered(diverging, 0.1, seed=1)):
        assert other.state() == "new"
    _lowered(diverging, 0.01).begin()
    assert diverging.earlier_settings() == []


def test_lowered_twice_a_training_that_lost_its_state_begins_anew(
    diverging: StageDirectory,
) -> None:
    second, third = _lowered(diverging, 0.01), _lowered(diverging, 0.001)
    second.begin()
    assert second.earlier_settings() == [{"until": 20, "lr": 0.1}]
    second.diverge(DivergenceError(LOSS, 21, None))
    assert third.state() == "new"
    third.begin()
    assert third.earlier_settings() == []
    assert not (diverging.path / "resume.pt").exists()
    assert read_manifest(third.path)["fingerprint"] == third.fingerprint


def test_place_of_an_input_does_not_matter(directory: StageDirectory) -> None:
    directory.begin()
    moved = replace(directory, inputs={"attention": Input(Path("elsewhere.h5"), "f1")})
    assert moved.state() == "resumable"


def test_files_without_a_manifest_are_refused(directory: StageDirectory) -> None:
    _put(directory, "labels/a.png")
    with pytest.raises(UsageError, match=r"a\.png but no manifest\.json"):
        directory.state()


def test_foreign_files_beside_are_no_hindrance(directory: StageDirectory) -> None:
    _put(directory, "notes.txt")
    assert directory.state() == "new"


def test_overwrite_removes_what_is_owned_and_nothing_else(directory: StageDirectory) -> None:
    directory.begin()
    directory.complete({})
    owned = [_put(directory, name) for name in ("labels/a.png", "losses.csv")]
    kept = [_put(directory, name) for name in ("labels/a.txt", "notes.txt", "deep/labels/b.png")]
    other = replace(directory, settings={"w": 1.0})
    assert other.state(overwrite=True) == "new"
    assert all(path.exists() for path in owned + kept)
    other.begin(overwrite=True)
    assert not any(path.exists() for path in owned)
    assert all(path.exists() for path in kept)
    assert other.state() == "resumable"


def test_overwrite_removes_what_an_earlier_version_declared(directory: StageDirectory) -> None:
    earlier = replace(directory, owned=("old/*.bin",), stage_version=0)
    earlier.begin()
    old = _put(directory, "old/a.bin")
    directory.begin(overwrite=True)
    assert not old.exists()


def test_removal_that_was_stopped_is_finished(
    directory: StageDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = replace(directory, settings={"w": 1.0})
    earlier.begin()
    old = [_put(directory, name) for name in ("labels/a.png", "losses.csv")]
    earlier.complete({})
    unlink = Path.unlink

    def stopped(path: Path, missing_ok: bool = False) -> None:
        if path.name == "losses.csv":
            raise KeyboardInterrupt
        unlink(path, missing_ok)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "unlink", stopped)
        directory.begin(overwrite=True)
    assert old[1].exists()
    assert directory.state() == "new"  # without --overwrite too: that has been said
    directory.begin()
    assert not any(path.exists() for path in old)
    assert directory.state() == "resumable"


def test_overwriting_that_was_stopped_goes_on_where_it_was(directory: StageDirectory) -> None:
    """`run the same command again` must hold with --overwrite too."""
    directory.begin()
    directory.complete({})
    finished = _put(directory, "labels/a.png")
    directory.begin(overwrite=True)
    assert not finished.exists()
    begun = _put(directory, "labels/b.png")
    assert directory.state(overwrite=True) == "resumable"
    directory.begin(overwrite=True)
    assert begun.exists()


@pytest.mark.parametrize("pattern", ["../*.txt", "{outside}/*.txt", "a/../../*.txt"])
def test_manifest_cannot_make_overwrite_leave_its_directory(
    directory: StageDirectory, pattern: str
) -> None:
    directory.begin()
    manifest = read_manifest(directory.path)
    owned = [pattern.format(outside=directory.path.parent)]
    (directory.path / "manifest.json").write_text(
        json.dumps({**manifest, "status": "complete", "owned": owned, "files": {}, "counts": {}})
    )
    outside = directory.path.parent / "mine.txt"
    outside.write_text("x")
    _put(directory, "a/x")
    directory.begin(overwrite=True)
    assert outside.exists()


def test_overwrite_without_a_manifest_leaves_strangers_alone(directory: StageDirectory) -> None:
    stranger = _put(directory, "labels/drawn_by_hand.png")
    with contextlib.suppress(WsssError):
        directory.begin(overwrite=True)
    assert stranger.exists()


def test_overwrite_leaves_another_programs_manifest_alone(directory: StageDirectory) -> None:
    stranger = _put(directory, "labels/drawn_by_hand.png")
    manifest = directory.path / "manifest.json"
    manifest.write_text('{"name": "another program"}')
    with contextlib.suppress(WsssError):
        directory.begin(overwrite=True)
    assert stranger.exists()


def test_what_a_kill_left_under_a_temporary_name_is_removed(directory: StageDirectory) -> None:
    directory.begin()
    leftovers = [_put(directory, name) for name in (".a.1.partial", "labels/.b.png.2.partial")]
    done = _put(directory, "labels/a.png")
    directory.begin()
    assert not any(path.exists() for path in leftovers)
    assert done.exists()


def test_manifest_without_the_lines_of_a_finished_stage_is_not_enough(
    directory: StageDirectory,
) -> None:
    with pytest.raises(UsageError, match=r"wsss proxy .*--run .* first or pass --proxy DIR"):
        require_complete(directory.path, "proxy", instead="--proxy DIR")
    directory.begin()
    with pytest.raises(UsageError, match="wsss proxy --run"):
        require_complete(directory.path, "proxy", instead="--proxy DIR")
    directory.complete({"images": 1})
    found = require_complete(directory.path, "proxy", instead="--proxy DIR")
    assert found["counts"] == {"images": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "is not a manifest of wsss"),
        ('{"status": "complete"}', "is not a manifest of wsss"),
        ('{"status": "x", "fingerprint": "x", "stage": "x", "schema": 99}', "schema 99"),
    ],
)
def test_file_that_is_no_manifest_of_ours_is_refused(
    tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(WsssError, match=message):
        read_manifest(tmp_path)


def test_claim_keeps_others_out_until_it_ends(directory: StageDirectory) -> None:
    with (
        directory.claimed(),
        pytest.raises(WsssError, match="another wsss"),
        replace(directory).claimed(),
    ):
        pass
    with directory.claimed():
        directory.begin()
    assert directory.state() == "resumable"


def test_claim_without_a_beginning_leaves_nothing(directory: StageDirectory) -> None:
    run = directory.path.parent
    with pytest.raises(KeyError), directory.claimed():
        raise KeyError
    assert not run.exists()
    run.mkdir()
    with directory.claimed():
        pass
    assert list(run.iterdir()) == []


def test_scratch_outlives_a_kill_but_not_completion(directory: StageDirectory) -> None:
    directory = replace(directory, owned=("labels/*.png",), scratch=("resume.pt",))
    directory.begin()
    scratch, label = _put(directory, "resume.pt"), _put(directory, "labels/a.png")
    directory.begin()
    assert scratch.exists()
    directory.complete({})
    assert not scratch.exists()
    assert label.exists()
    assert directory.state() == "complete"


def test_scratch_left_by_a_stop_at_the_very_end_goes_with_the_next_command(
    directory: StageDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = replace(directory, scratch=("resume.pt", "resume.earlier.pt"))
    directory.begin()
    left = [_put(directory, name) for name in directory.scratch]

    def stopped(path: Path, *, missing_ok: bool = False) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(Path, "unlink", stopped)
        with pytest.raises(KeyboardInterrupt):
            directory.complete({})
    assert directory.state() == "complete"
    assert all(path.exists() for path in left)
    with directory.claimed():  # another process works here: nothing is touched, nothing waits
        directory.tidy()
        assert all(path.exists() for path in left)
    directory.tidy()
    assert not any(path.exists() for path in left)
    assert directory.state() == "complete"


def test_new_files_of_one_kind_do_not_stand_in_for_lost_ones_of_another(
    directory: StageDirectory,
) -> None:
    directory.begin()
    lost = _put(directory, "labels/a.png")
    directory.complete({})
    _put(directory, "losses.csv")
    lost.unlink()
    assert directory.state() == "resumable"


@pytest.mark.parametrize("read", ["losses.csv", "labels", "labels/a.png"])
def test_overwriting_never_removes_what_is_to_be_read(directory: StageDirectory, read: str) -> None:
    """Once it is gone, a stopped stage could not be run again by the same command."""
    directory.begin()
    kept = [_put(directory, name) for name in ("labels/a.png", "losses.csv")]
    directory.complete({})
    circular = replace(directory, inputs={"proxy": Input(directory.path / read, "f2")})
    for attempt in (circular.state, circular.begin):
        with pytest.raises(UsageError, match=f"--overwrite would remove .*{read}"):
            attempt(overwrite=True)
    assert all(path.exists() for path in kept)
    assert read_manifest(directory.path)["status"] == "complete"
    beside = replace(directory, inputs={"proxy": Input(_put(directory, "own.txt"), "f2")})
    assert beside.state(overwrite=True) == "new"
    around = replace(directory, inputs={"images": Input(directory.path.parent, "f2")})
    assert around.state(overwrite=True) == "new"


def test_rank_with_other_settings_than_the_first_is_refused(
    directory: StageDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = replace(directory, settings={**directory.settings, "seed": 7}, inputs={})
    monkeypatch.setattr(ranks, "agreed", lambda decide: decide())
    assert directory.state() == "new"
    monkeypatch.setattr(ranks, "agreed", lambda _: json.loads(json.dumps(first._described())))
    with pytest.raises(UsageError, match=r"\(seed 7 there, 0 now; its input attention has changed"):
        directory.state()


def test_rank_that_does_not_see_what_the_first_began_is_refused(
    directory: StageDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "first", lambda: False)
    with pytest.raises(WsssError, match="on a file system that all machines share"):
        directory.begin()


def test_rank_waits_for_the_claim_of_the_first(
    directory: StageDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[str] = []
    monkeypatch.setattr(ranks, "wait_for_all", lambda: met.append("all"))
    for first in (True, False):
        monkeypatch.setattr(ranks, "first", lambda first=first: first)
        with directory.claimed():
            met.append("work")
    assert met == ["all", "work"] * 2
