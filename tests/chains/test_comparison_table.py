"""The table of a comparison by hand: means, deviations and who leads."""

import csv
import io
import math
from typing import Any

import pytest

from wsss_cli.chains.comparison_page import differences_as_markdown, page, rows_as_markdown
from wsss_cli.chains.comparison_table import COLUMNS, Compared, Row, as_csv, as_json, build_rows
from wsss_cli.metrics.bootstrap import Difference

NAMES = [column.name for column in COLUMNS]


def _seed(**scores: float | None) -> dict[str, float | None]:
    """The scores of one seed: half where not said."""
    return {**dict.fromkeys(NAMES, 0.5), "best_threshold": 0.4, **scores}


def _leaders(rows: list[Row], name: str) -> list[str]:
    return [row.setting for row in rows if row.cells[name].leads]


def test_mean_and_deviation_are_those_of_hand() -> None:
    (row,) = build_rows({"a": [_seed(proxy=0.25), _seed(proxy=0.5), _seed(proxy=1.0)]})
    cell = row.cells["proxy"]
    mean = 7 / 12
    squares = (0.25 - mean) ** 2 + (0.5 - mean) ** 2 + (1.0 - mean) ** 2
    assert cell.mean == pytest.approx(mean)
    assert cell.deviation == pytest.approx(math.sqrt(squares / 2))
    assert cell.values == (0.25, 0.5, 1.0)


@pytest.mark.parametrize(
    ("second", "leads"),
    [
        ([0.50, 0.54], True),  # ahead by .10, deviations .014 and .028
        ([0.41, 0.59], False),  # ahead by .12, deviation .127 of the second
        ([0.62, 0.62], False),  # means of .62 and .62
    ],
)
def test_best_leads_only_by_more_than_the_larger_deviation(
    second: list[float], leads: bool
) -> None:
    scores = {
        "b": [_seed(proxy=value) for value in second],
        "a": [_seed(proxy=0.61), _seed(proxy=0.63)],
        "far behind": [_seed(proxy=0.0), _seed(proxy=0.3)],
    }
    assert _leaders(build_rows(scores), "proxy") == (["a"] if leads else [])


def test_less_is_better_where_background_is_lit_and_time_is_spent() -> None:
    for name in ("background_lit", "seconds_per_iteration"):
        rows = build_rows({"a": [_seed(**{name: 0.1})] * 2, "b": [_seed(**{name: 0.9})] * 2})
        assert _leaders(rows, name) == ["a"]
    rows = build_rows({"a": [_seed(proxy=0.1)] * 2, "b": [_seed(proxy=0.9)] * 2})
    assert _leaders(rows, "proxy") == ["b"]


def test_a_baseline_is_not_ranked() -> None:
    rows = build_rows({n: [_seed(painted_saliency=x)] * 2 for n, x in (("a", 0.1), ("b", 0.9))})
    assert _leaders(rows, "painted_saliency") == []


def test_one_seed_has_no_deviation_and_nobody_leads() -> None:
    rows = build_rows({"a": [_seed(proxy=0.9)], "b": [_seed(proxy=0.1)]})
    assert rows[0].cells["proxy"].deviation is None
    assert not any(cell.leads for row in rows for cell in row.cells.values())
    assert "±" not in rows_as_markdown(rows, 1)
    assert "**" not in rows_as_markdown(rows, 1)


def test_score_that_a_seed_lacks_is_no_score_and_does_not_lead() -> None:
    scores = {
        "a": [_seed(background_lit=0.01), _seed(background_lit=None)],
        "b": [_seed(background_lit=0.2), _seed(background_lit=0.2)],
    }
    rows = build_rows(scores)
    assert rows[0].cells["background_lit"].mean is None
    assert _leaders(rows, "background_lit") == []
    assert "–" in rows_as_markdown(rows, 2).splitlines()[2]


def _table(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_markdown_shows_per_cent_deviations_leads_and_thresholds() -> None:
    a = {"attention_best": 0.4, "seconds_per_iteration": 1.25}
    scores = {
        "CAM": [_seed(proxy=0.5, **a, best_threshold=0.3), _seed(proxy=0.52, **a)],
        "See|Net": [_seed(proxy=0.7, **a), _seed(proxy=0.72, **a)],
    }
    header, cam, seenet = _table(rows_as_markdown(build_rows(scores), 2))
    cells = dict(zip(header, cam, strict=True))
    assert cells["setting"] == "CAM"
    assert cells["attention, best threshold"] == "40.0 ± 0.0 (0.3 to 0.4)"
    assert cells["proxy"] == "51.0 ± 1.4"  # (.02 / 2) * sqrt(2)
    assert cells["s/iteration"] == "1.250 ± 0.000"
    cells = dict(zip(header, seenet, strict=True))
    assert cells["setting"] == r"See\|Net"
    assert cells["attention, best threshold"] == "40.0 ± 0.0 (0.4)"
    assert cells["proxy"] == "**71.0 ± 1.4**"


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (0.01, 0.03, "**+2.0 [+1.0, +3.0]**"),
        (-0.01, 0.05, "+2.0 [-1.0, +5.0]"),
    ],
)
def test_difference_is_bold_where_its_interval_leaves_out_zero(
    low: float, high: float, shown: str
) -> None:
    nothing = Difference(0.0, 0.0, 0.0)
    text = differences_as_markdown([Compared("b", "a", nothing, Difference(0.02, low, high))])
    assert _table(text) == [
        ["against a", "attention at 0.3", "proxy"],
        ["b", "+0.0 [+0.0, +0.0]", shown],
    ]


def test_csv_and_json_hold_the_same_numbers() -> None:
    scores: dict[str, Any] = {
        "a": [_seed(proxy=0.25, background_lit=None), _seed(proxy=0.5)],
        'b, "so-called"': [_seed(proxy=0.5), _seed(proxy=0.75)],
    }
    rows = build_rows(scores)
    lines = list(csv.DictReader(io.StringIO(as_csv(rows))))
    for line, row in zip(lines, as_json(rows), strict=True):
        assert (line["setting"], line["seeds"]) == (row["setting"], "2")
        for name, cell in row["scores"].items():
            for end in ("mean", "deviation"):
                shown, number = line[f"{name}_{end}"], cell[end]
                assert (shown == "") is (number is None)
                assert number is None or float(shown) == pytest.approx(number, rel=1e-5)
    assert lines[0]["proxy_mean"] == "0.375"
    assert lines[0]["background_lit_mean"] == ""


def test_page_has_the_commands_of_every_setting() -> None:
    rows = build_rows({"a": [_seed()], "b": [_seed()]})
    commands = {"a": ["wsss train --method cam"], "b": ["wsss train"]}
    text = page(rows, [], images=7, seeds=[3], commands=commands, first_seeds={"a": 3, "b": 3})
    assert "7 images, seeds 3 (no deviation" in text
    assert "a:\n\n```sh\nwsss train --method cam\n```" in text
    assert "The other seeds" not in text
