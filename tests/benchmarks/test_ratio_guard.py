"""The comparison of two files of ratios, the run of all benchmarks, and what these ask for."""

import argparse
import ast
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from math import isnan, nan
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Import from the folder of scripts, and forget their short names afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(BENCHMARKS)
    yield
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(BENCHMARKS)):
            del sys.modules[name]


def compared(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kept: list,
    new: list,
    *options: str,
    machine: str = "the same",
) -> int:
    import guard
    import ratio_file

    for name, rows, where in (("kept", kept, "the same"), ("new", new, machine)):
        measured = ratio_file.Measured("2024-01-01T00:00:00+00:00", where, {"torch": "2"}, rows)
        ratio_file.write(tmp_path / name, measured)
    arguments = ["guard.py", str(tmp_path / "kept"), str(tmp_path / "new"), *options]
    monkeypatch.setattr(sys, "argv", arguments)
    return guard.main()


@pytest.mark.parametrize(
    ("higher", "value", "code"),
    [
        (False, 2.0, 0),
        (False, 2.29, 0),
        (False, 2.31, 1),
        (False, 0.1, 0),  # ten times better
        (True, 2.0, 0),
        (True, 1.71, 0),
        (True, 1.69, 1),
        (True, 40.0, 0),
    ],
)
def test_the_direction_decides_what_is_worse(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    higher: bool,
    value: float,
    code: int,
) -> None:
    from ratios import Ratio

    before = Ratio("ours", "theirs", 2.0, higher=higher)
    fine = Ratio("ours", "another", 1.0)
    after = [fine, replace(before, value=value)]
    assert compared(tmp_path, monkeypatch, [before, fine], after) == code
    printed = capsys.readouterr().out
    assert (f"worse: ours / theirs: 2.00, now {value:.2f}" in printed) == bool(code)
    assert "another" not in printed


def test_the_tolerance_is_the_one_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ratios import Ratio

    before, after = [Ratio("a", "b", 1.0)], [Ratio("a", "b", 1.3)]
    assert compared(tmp_path, monkeypatch, before, after, "--tolerance", "0.25") == 1
    assert compared(tmp_path, monkeypatch, before, after, "--tolerance", "0.35") == 0


def test_a_row_that_is_gone_or_has_no_value_any_more_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ratios import Ratio

    kept = [
        Ratio("a", "b", 1.0),
        Ratio("a", "c", 1.0),
        Ratio("never", "measured", nan, missing="nobody was there"),
    ]
    new = [Ratio("a", "c", nan, missing="c is not installed"), Ratio("d", "e", 9.0)]
    assert compared(tmp_path, monkeypatch, kept, new) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:-1] == ["missing: a / b", "missing: a / c: c is not installed"]
    assert lines[-1].startswith("2 of 3 rows")
    assert compared(tmp_path, monkeypatch, kept, kept) == 0


def test_another_machine_is_said_and_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ratios import Ratio

    rows = [Ratio("a", "b", 1.0)]
    assert compared(tmp_path, monkeypatch, rows, rows, machine="a bigger one") == 0
    assert "another machine: the same; now a bigger one" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["{}", '{"rows": 3}', "[]", "no JSON", None])
def test_a_file_of_something_else_is_refused_in_a_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str | None,
) -> None:
    import guard

    if content is not None:
        (tmp_path / "kept.json").write_text(content)
    names = [str(tmp_path / name) for name in ("kept.json", "new.json")]
    monkeypatch.setattr(sys, "argv", ["guard.py", *names])
    with pytest.raises(SystemExit) as stopped:
        guard.main()
    assert stopped.value.code == 2
    assert f"error: {names[0]}" in capsys.readouterr().err


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    import ratio_file
    from ratios import Ratio

    rows = [Ratio("a", "b", 1.25, 1.5), Ratio("a", "c", nan, 3, higher=True, missing="no c")]
    written = ratio_file.Measured("2024-01-01", "a machine", {"torch": "2"}, rows)
    ratio_file.write(tmp_path / "file.json", written)
    found = ratio_file.read(tmp_path / "file.json")
    assert found.rows[0] == rows[0]
    assert isnan(found.rows[1].value)
    assert replace(found.rows[1], value=0) == replace(rows[1], value=0)
    assert replace(found, rows=[]) == replace(written, rows=[])


def test_what_fails_is_named_and_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import all_ratios
    from ratios import Ratio, table

    monkeypatch.syspath_prepend(tmp_path)
    scripts = {
        "raising": "raise ValueError('too\\nbad')",
        "leaving": "raise SystemExit('no photographs')",
        "dying": "import os; os.abort()",
        "silent": "return []",
        "working": "from ratios import Ratio; return [Ratio('a', number, 2.0, 1.5)]",
    }
    for name, body in scripts.items():
        (tmp_path / f"{name}.py").write_text(f"def measure(number='b'):\n    {body}\n")
    monkeypatch.setattr(
        all_ratios,
        "BENCHMARKS",
        {**{name: {} for name in scripts}, "working": {"number": "given"}, "absent": {}}
        | {"wanting": {"number": "not_given"}},
    )
    given = argparse.Namespace(given="c", not_given=None)
    found = {name: all_ratios.ratios_of(name, given) for name in all_ratios.BENCHMARKS}
    assert found.pop("working") == [Ratio("a", "c", 2.0, 1.5)]
    reasons = {name: row.missing for name, (row,) in found.items()}
    assert reasons["raising"] == "ValueError: too bad"
    assert reasons["leaving"] == "no photographs"
    assert reasons["dying"].startswith("BrokenProcessPool: ")
    assert reasons["silent"] == "it gave no row"
    assert reasons["absent"] == "ModuleNotFoundError: No module named 'absent'"
    assert reasons["wanting"] == "not given: not_given"
    for name, rows in found.items():
        assert f"| {name} |  | not measured: {reasons[name]} |  |" in table(rows)


@pytest.mark.parametrize("script", sorted(BENCHMARKS.glob("*.py")), ids=lambda path: path.stem)
def test_a_script_asks_the_package_for_what_it_has(script: Path) -> None:
    """Scripts run once in a while, so nothing else tells that a name has moved."""
    tree, named = ast.parse(script.read_text()), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("wsss_cli"):
            module = import_module(str(node.module))
            for alias in node.names:
                has = hasattr(module, alias.name)
                inner = f"{node.module}.{alias.name}"
                value = getattr(module, alias.name) if has else import_module(inner)
                named[alias.asname or alias.name] = value
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            value = named.get(node.value.id)
            if isinstance(value, type | ModuleType):
                assert hasattr(value, node.attr), f"{node.value.id}.{node.attr}"
