"""Every setting of every stage, beside those of the other runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wsss_cli.configs.stages import STAGES
from wsss_cli.inspect.report.run_records import RunRecord


@dataclass(frozen=True)
class SettingsRow:
    """One setting of all runs."""

    name: str
    cells: Sequence[str]
    differs: bool


@dataclass(frozen=True)
class SettingsTable:
    """One stage of all runs."""

    stage: str
    rows: Sequence[SettingsRow]


def settings_tables(records: Sequence[RunRecord]) -> list[SettingsTable]:
    """A table for each stage that any run has."""
    tables = []
    for stage in STAGES:
        columns = [_facts(record.manifests.get(stage)) for record in records]
        names = dict.fromkeys(name for column in columns for name in column)
        if not names:
            continue
        rows = []
        for name in names:
            cells = [column.get(name, "") for column in columns]
            apart = not name.startswith(_OF_EACH_RUN) and len(set(cells)) > 1
            rows.append(SettingsRow(name, cells, apart))
        tables.append(SettingsTable(stage, rows))
    return tables


# What no two runs share says nothing about what was tried.
_OF_EACH_RUN = ("run", "started", "finished", "fingerprint", "status", "input: ", "made: ")
_FACTS = ("status", "started", "finished", "device", "fingerprint", "stage_version")


def _facts(manifest: Mapping[str, Any] | None) -> dict[str, str]:
    """Settings, inputs, counts and versions as text, by name."""
    if manifest is None:
        return {}
    resolved = manifest.get("settings", {})  # what was left open when the command was typed
    facts = {**resolved, **manifest.get("config", {}), **resolved}
    facts |= {
        f"input: {role}": recorded["path"] for role, recorded in manifest.get("inputs", {}).items()
    }
    counts = manifest.get("counts") or {}
    facts |= {f"made: {name}": value for name, value in counts.items() if name not in facts}
    facts |= {name: manifest[name] for name in _FACTS if name in manifest}
    facts |= {f"version: {name}": text for name, text in manifest.get("versions", {}).items()}
    return {name: _shown(value) for name, value in facts.items()}


def _shown(value: Any) -> str:  # noqa: ANN401 - JSON values
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    return str(value)
