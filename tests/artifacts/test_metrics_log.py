"""The log of a training can be read at any moment, and holds each line once."""

import json
from pathlib import Path

import pytest

from wsss_cli.artifacts.metrics_log import METRICS_FILE, MetricsLog, read_metrics
from wsss_cli.errors import UsageError, WsssError


def _line(iteration: int) -> dict[str, object]:
    return {
        "iteration": iteration,
        "losses": {"a": iteration / 8, "b": 0.5},
        "lr": 0.001,
        "images_per_second": 12.5,
        "time": f"2026-01-02T03:04:{iteration:02d}+00:00",
    }


def test_every_line_is_there_as_soon_as_it_is_added(tmp_path: Path) -> None:
    assert read_metrics(tmp_path) == []
    log = MetricsLog(tmp_path, [], tensorboard=False)
    for count in (1, 2, 3):
        log.add(_line(10 * count))
        text = (tmp_path / METRICS_FILE).read_text()
        assert text.endswith("}\n")
        assert [json.loads(line)["iteration"] for line in text.splitlines()] == [
            10 * n for n in range(1, count + 1)
        ]
    log.close()
    assert read_metrics(tmp_path) == [_line(10), _line(20), _line(30)]


def test_half_a_line_is_left_out_and_overwritten_by_who_goes_on(tmp_path: Path) -> None:
    MetricsLog(tmp_path, [_line(10), _line(20)], tensorboard=False).close()
    path = tmp_path / METRICS_FILE
    path.write_bytes(path.read_bytes() + b'{"iteration": 30, "lo')
    assert read_metrics(tmp_path) == [_line(10), _line(20)]
    MetricsLog(tmp_path, [_line(10)], tensorboard=False).add(_line(20))  # killed before 20 was kept
    assert read_metrics(tmp_path) == [_line(10), _line(20)]


@pytest.mark.parametrize("text", ["[1]\n", "{}\n", "iteration,a\n10,2.25\n", '{"iteration": 1}\n'])
def test_something_else_is_no_log(tmp_path: Path, text: str) -> None:
    (tmp_path / METRICS_FILE).write_text(text)
    with pytest.raises(WsssError, match=r"metrics\.jsonl"):
        read_metrics(tmp_path)


def test_events_without_tensorboard_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsss_cli.artifacts.tensorboard_events.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"pip install 'wsss-cli\[tensorboard\]'"):
        MetricsLog(tmp_path, [], tensorboard=True)


def test_events_are_the_lines_once_after_a_resumption_too(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    first = MetricsLog(tmp_path, [], tensorboard=True)
    for iteration in (10, 20):
        first.add(_line(iteration))
    first.close()
    second = MetricsLog(tmp_path, [_line(10)], tensorboard=True)
    second.add(_line(20))
    second.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {"loss/a", "loss/b", "lr", "images_per_second"}
    found = [(e.step, e.value, e.wall_time) for e in events.Scalars("loss/a")]
    # 2026-01-02T03:04:10 is 1767323050 s after 1970, counted by `date -d`.
    assert found == [(10, 1.25, 1767323050.0), (20, 2.5, 1767323060.0)]
