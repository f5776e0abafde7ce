"""Explains what is text on disk: manifests, scores, comparisons, settings, logs and tables."""

import csv
import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wsss_cli.artifacts.metrics_log import METRICS_FILE, read_metrics
from wsss_cli.artifacts.stage_directory import MANIFEST, read_manifest
from wsss_cli.command_line import FOLDER, command_line
from wsss_cli.configs.stages import CHAIN
from wsss_cli.errors import WsssError
from wsss_cli.inspect.show.explanation import Explanation, Writer

Values = Mapping[str, Any]
# Text that is longer is not ours, and not read.
_MOST_BYTES = 2**26


def explain_json(path: Path, writer: Writer | None) -> Explanation:
    """Tell manifests, scores and comparisons apart by their keys."""
    del writer
    if path.name == MANIFEST:
        return _manifest(read_manifest(path.parent))
    content = _parsed(path, json.loads, "JSON")
    for keys, explain in _JSON:
        if isinstance(content, dict) and keys <= content.keys():
            try:
                return explain(content)
            except (KeyError, TypeError, AttributeError) as error:
                raise WsssError(f"{path} is incomplete ({error}); create it again") from error
    raise WsssError(f"{path} is JSON, but neither a manifest nor scores nor a comparison of wsss")


def explain_toml(path: Path, writer: Writer | None) -> Explanation:
    """Tell files of ``wsss compare``, ``wsss rounds``, ``--config`` and ``--data`` apart."""
    del writer
    content = _parsed(path, tomllib.loads, "TOML")
    if isinstance(content.get("settings"), dict):
        settings = {
            name: _flat(table) if isinstance(table, dict) else table
            for name, table in content["settings"].items()
        }
        shared = {name: table for name, table in content.items() if isinstance(table, dict)}
        shared.pop("settings")
        facts = {"seeds": content.get("seeds", [0]), "settings": settings, "of_all": _flat(shared)}
        plan = command_line("compare", path, data=FOLDER, saliency=FOLDER, dry_run=True)
        advice = f"`{plan}` checks and plans it"
        return Explanation("a comparison to be made", facts, advice)
    if "relabel" in content:
        plan = command_line("rounds", path, data=FOLDER, saliency=FOLDER, dry_run=True)
        advice = f"`{plan}` checks and plans them"
        return Explanation("rounds to be made", dict(content), advice)
    if {"images", "labels"} <= content.keys():
        advice = f"`{command_line('data check', path)}` looks at it"
        return Explanation("the parts of a data set", dict(content), advice)
    stages = {*CHAIN, "demo", "compare"}
    if content and set(content) <= stages:
        return Explanation("options of commands, for --config", {"options": _flat(content)})
    raise WsssError(
        f"{path} is TOML, but neither a comparison (settings), nor the parts of a data set "
        "(images, labels), nor options of commands"
    )


def explain_csv(path: Path, writer: Writer | None) -> Explanation:
    """A table, by its columns."""
    del writer
    rows = _parsed(path, lambda text: list(csv.reader(text.splitlines())), "CSV")
    facts = {"columns": rows[0] if rows else [], "rows": max(0, len(rows) - 1)}
    return Explanation("a table", facts)


def explain_log(path: Path, writer: Writer | None) -> Explanation:
    """The log of a training."""
    del writer
    lines = read_metrics(path.parent) if path.name == METRICS_FILE else None
    if lines is None:
        raise WsssError(f"{path} is not a log of wsss, which is named {METRICS_FILE}")
    last = lines[-1] if lines else {}
    return Explanation("the log of a training", {"lines": len(lines), "last": last})


def _manifest(manifest: Values) -> Explanation:
    facts = {
        "stage": manifest["stage"],
        "status": manifest["status"],
        "settings": manifest.get("settings", {}),
        "inputs": {role: recorded["path"] for role, recorded in manifest.get("inputs", {}).items()},
        "class_names": manifest.get("class_names"),
        "counts": manifest.get("counts"),
        "files": manifest.get("files"),
        "device": manifest.get("device"),
        "started": manifest.get("started"),
        "finished": manifest.get("finished"),
        "versions": manifest.get("versions"),
    }
    return Explanation("the manifest of a stage", facts)


def _scores(values: Values) -> Explanation:
    kept = (
        *("what", "images", "miou", "interval", "labels", "best_threshold", "predicted_ignore"),
        *("boundary_iou", "max_box_acc_v2", "pixel_average_precision", "classification_map"),
        *("coverage", "source", "ground_truth"),
    )
    facts = {name: values[name] for name in kept if name in values}
    return Explanation("scores of wsss evaluate", {**facts, "per_class": values.get("per_class")})


def _comparison(values: Values) -> Explanation:
    facts = {
        "images": values["images"],
        "seeds": values["seeds"],
        "settings": [row["setting"] for row in values["rows"]],
    }
    return Explanation("a comparison that was made: compare.md has its table", facts)


def _prediction(values: Values) -> Explanation:
    facts = {
        "of": values["source"]["path"],
        "size": values["size"],
        "classes": {
            entry["name"]: entry.get("share", entry.get("probability"))
            for entry in values["classes"]
        },
    }
    return Explanation("what wsss predict found in a picture or video", facts)


# Keys by which a JSON object is known.
_JSON: tuple[tuple[frozenset[str], Callable[[Values], Explanation]], ...] = (
    (frozenset({"status", "fingerprint", "stage"}), _manifest),
    (frozenset({"what", "miou", "per_class"}), _scores),
    (frozenset({"rows", "seeds", "differences"}), _comparison),
    (frozenset({"source", "size", "classes"}), _prediction),
)


def _parsed(path: Path, parse: Callable[[str], Any], kind: str) -> Any:  # noqa: ANN401
    if path.stat().st_size > _MOST_BYTES:
        raise WsssError(f"{path} is too large for any {kind} of wsss; it is not read")
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (ValueError, csv.Error, RecursionError) as error:
        raise WsssError(f"{path} cannot be read as {kind} ({error}); correct it") from error


def _flat(table: Values, before: str = "") -> dict[str, Any]:
    """``{"train": {"lr": 1}}`` as ``{"train.lr": 1}``."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        inner = _flat(value, f"{before}{name}.") if isinstance(value, dict) else None
        flat |= {f"{before}{name}": value} if inner is None else inner
    return flat
