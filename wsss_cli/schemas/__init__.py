"""JSON Schemas (draft 2020-12) of what ``--json`` prints, a file for each command.

A schema has every key with a description; a key that is not in it fails a test. docs/json.md is
written from these files by ``scripts/write_json_docs.py``.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

from wsss_cli.configs.common import WorkConfig
from wsss_cli.configs.setting import settings_of

_FOLDER = Path(__file__).parent
_PLANS = "plans"
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", Path: "string"}


def names() -> list[str]:
    """Names of the schemas, such as ``evaluate`` and ``show_run``, without plans."""
    return sorted(path.stem for path in _FOLDER.glob("*.json") if path.stem != _PLANS)


def load(name: str) -> dict[str, Any]:
    """Load the schema of a command's result.

    Args:
        name: One of :func:`names`.
    """
    schema: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return schema


def plan_schema(stage: str, config_type: type[WorkConfig]) -> dict[str, Any]:
    """Make the schema of a stage's dry run: its settings and the keys in ``plans.json``.

    Args:
        stage: Name of the stage.
        config_type: Its config.
    """
    plans = load(_PLANS)["$defs"]
    settings = {
        field.name: {"description": about.help, **_type(field.type)}
        for field, about in settings_of(config_type)
    }
    beside = {**plans[stage]["properties"], **plans["every"]["properties"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"wsss {stage} --dry-run --json",
        "type": "object",
        "properties": {**settings, **beside},
        "required": ["estimate"],
        "additionalProperties": False,
    }


def _type(annotation: Any) -> Mapping[str, Any]:  # noqa: ANN401 - a type
    """The JSON type of a field; a number may be an integer, and null is none of the others."""
    choices = get_args(annotation) if get_origin(annotation) is not tuple else (annotation,)
    kinds, items = [], {}
    for kind in choices or (annotation,):
        if kind is NoneType:
            kinds.append("null")
        elif get_origin(kind) is tuple:
            kinds.append("array")
            items = {"items": _type(get_args(kind)[0])}
        else:
            kinds.append(_TYPES[kind])
    return {"type": kinds if len(kinds) > 1 else kinds[0], **items}
