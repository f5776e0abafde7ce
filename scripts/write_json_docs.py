"""Write docs/json.md from the schemas in wsss_cli/schemas, which are what is maintained."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wsss_cli import schemas

PAGE = Path(__file__).parent.parent / "docs" / "json.md"
INTRODUCTION = """\
# What --json prints

With `--json` a command prints one object on stdout and nothing else there, whatever its exit code,
unless it ends with an error before it has a result. Scores are fractions, which `unit` says; sizes
are in bytes, times in seconds. A number that is not defined is `null`. The schemas (JSON Schema,
draft 2020-12) are in [wsss_cli/schemas](../wsss_cli/schemas), and a test holds every command to
them. This page is written from them by `python scripts/write_json_docs.py`.

A dry run of a stage (`--dry-run --json`) prints its settings by the names of the options, with
underscores, then `found` (`new`, `resumable` or `complete`), `estimate` (`seconds`,
`bytes_on_disk`, `memory_bytes`), and what its table in `plans.json` has.
"""


def page() -> str:
    """Write the whole page."""
    sections = [INTRODUCTION]
    for name in schemas.names():
        schema = schemas.load(name)
        rows = "\n".join(_rows(schema))
        sections.append(
            f"## {schema['title']}\n\n| key | type | meaning |\n|---|---|---|\n{rows}\n"
        )
    return "\n".join(sections)


def _rows(schema: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """Yield a line for each key, with the keys of an object below its own."""
    required = schema.get("required", ())
    for key, value in schema.get("properties", {}).items():
        optional = "" if key in required else ", not always"
        about = value.get("description", "").replace("|", "\\|")
        yield f"| `{before}{key}` | {_kind(value)}{optional} | {about} |"
        yield from _below(value, f"{before}{key}")


def _below(value: Mapping[str, Any], path: str) -> Iterator[str]:
    yield from _rows(value, f"{path}.")
    inner = value.get("items") or value.get("additionalProperties")
    if isinstance(inner, Mapping):
        yield from _below(inner, f"{path}[]" if "items" in value else f"{path}.*")


def _kind(value: Mapping[str, Any]) -> str:
    if "enum" in value:
        return " or ".join("`null`" if word is None else f"`{word}`" for word in value["enum"])
    kinds = value.get("type", "any")
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
