"""The log of a training can be read at any moment, and holds each line once."""

import json
from pathlib import Path

import pytest

from wsss_cli.artifacts.metrics_log import METRICS_FILE, MetricsLog, read_metrics
from wsss_cli.errors import WsssError


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
    log = MetricsLog(tmp_path, [])
    for count in (1, 2, 3):
        log.add(_line(10 * count))
        text = (tmp_path / METRICS_FILE).read_text()
        assert text.endswith("}\n")
        assert [json.loads(line)["iteration"] for line in text.splitlines()] == [
            10 * n for n in range(1, count + 1)
        ]
    assert read_metrics(tmp_path) == [_line(10), _line(20), _line(30)]


def test_half_a_line_is_left_out_and_overwritten_by_who_goes_on(tmp_path: Path) -> None:
    MetricsLog(tmp_path, [_line(10), _line(20)])
    path = tmp_path / METRICS_FILE
    path.write_bytes(path.read_bytes() + b'{"iteration": 30, "lo')
    assert read_metrics(tmp_path) == [_line(10), _line(20)]
    MetricsLog(tmp_path, [_line(10)]).add(_line(20))  # killed before 20 was kept
    assert read_metrics(tmp_path) == [_line(10), _line(20)]


@pytest.mark.parametrize("text", ["[1]\n", "{}\n", "iteration,a\n10,2.25\n", '{"iteration": 1}\n'])
def test_something_else_is_no_log(tmp_path: Path, text: str) -> None:
    (tmp_path / METRICS_FILE).write_text(text)
    with pytest.raises(WsssError, match=r"metrics\.jsonl"):
        read_metrics(tmp_path)
