"""What ``wsss show`` tells, as text for people."""

from collections.abc import Mapping
from typing import Any

from wsss_cli.cli.render import size_text
from wsss_cli.configs.stages import STAGES
from wsss_cli.errors import listing

Values = Mapping[str, Any]

_INDENT = " " * 11
# Of a list in a file's facts; --json has all.
_LISTED = 25


def run_text(summary: Values) -> str:
    """A run: a few lines for each stage, a line for each kind of scores."""
    lines = [summary["run"]]
    for stage in STAGES:
        stage_summary = summary["stages"].get(stage)
        lines += (
            [f"  {stage:<8} not there"] if stage_summary is None else _stage(stage, stage_summary)
        )
    for name, used in summary["others"].items():
        lines.append(f"  {name:<8} {_size(used)}")
    lines += [_scores(result, scores) for result, scores in summary["scores"].items()]
    return "\n".join(lines)


def runs_text(listed: Values) -> str:
    """The runs in a folder: a row for each."""
    runs = listed["runs"]
    stages = [s for s in STAGES if any(s in run.get("stages", {}) for run in runs)]
    subjects = list(dict.fromkeys(result for run in runs for result in run.get("miou", {})))
    rows = [["run", "method", *stages, *(f"mIoU {result}" for result in subjects), "size"]]
    for run in runs:
        scores = [run.get("miou", {}).get(result) for result in subjects]
        rows.append(
            [
                run["run"],
                run.get("method") or "-",
                *(run.get("stages", {}).get(stage, "-") for stage in stages),
                *("-" if score is None else f"{100 * score:.1f}" for score in scores),
                size_text(run["bytes"]),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    errors = [f"{run['run']}: {run['error']}" for run in runs if "error" in run]
    units = ["mIoU in per cent"] if subjects else []
    return "\n".join([*(line.rstrip() for line in lines), *units, *errors])


def _stage(stage: str, summary: Values) -> list[str]:
    when = summary.get("finished", summary.get("started", ""))
    status = "being made right now" if summary["in_progress"] else summary["status"]
    about = f"{status}  {when}  {summary.get('device', '')}".rstrip()
    lines = [
        f"  {stage:<8} {about}  {_size(summary)}",
        _INDENT + _pairs(summary.get("settings", {})),
    ]
    for before in summary.get("earlier_settings", []):
        rates = {name: value for name, value in before.items() if name != "until"}
        lines.append(f"{_INDENT}{_pairs(rates)} until iteration {before['until']}")
    if "counts" in summary:
        lines.append(_INDENT + _pairs(_few_words(summary["counts"])))
        lines += [f"{_INDENT}warning: {said}" for said in summary["counts"].get("warnings", ())]
    for role, standing in summary["inputs"].items():
        if standing["state"] in _NOT_COMPARED:
            why = standing.get("why", standing["path"])
            lines.append(f"{_INDENT}its input {role} {_NOT_COMPARED[standing['state']]}: {why}")
    reasons = [("STALE", summary["stale"]), ("NOT WHOLE", summary["unfinished"])]
    told = [f"{word}, for {' and '.join(said)}" for word, said in reasons if said]
    if told:
        run = f"; run: {summary['again']}" if summary["again"] else ""
        lines.append(f"{_INDENT}{'; '.join(told)}{run}")
    return lines


_NOT_COMPARED = {
    "missing": "is not there any more, so it is not known whether it has changed",
    "unreadable": "cannot be compared",
    "unknown": "is not known to this version, so it is not compared",
}


def _scores(result: str, scores: Values) -> str:
    miou = "not defined" if scores["miou"] is None else f"{100 * scores['miou']:.1f} %"
    convention = scores.get("predicted_ignore")
    return (
        f"  {result:<10} mIoU {miou} on {scores['images']} images against {scores['ground_truth']}"
        + (f", a predicted 255 as {convention}" if convention else "")
        + ("" if scores["of_this_result"] else "; OF AN EARLIER RESULT, evaluate again")
    )


def file_text(explanation: Values) -> str:
    """A file: what it is, a line for each fact, who wrote it, and what to do about it."""
    facts = {
        name: value for name, value in explanation["facts"].items() if value not in (None, [], {})
    }
    width = max(map(len, [*facts, "written by"]))
    lines = [f"{explanation['path']}: {explanation['what']} ({size_text(explanation['bytes'])})"]
    lines += [
        f"  {name.replace('_', ' '):<{width}}  {_value(value, share=name.startswith('share_'))}"
        for name, value in facts.items()
    ]
    writer = explanation["written_by"]
    if writer is not None:
        lines.append(f"  {'written by':<{width}}  {_writer(writer)}")
    if explanation["advice"]:
        lines.append(f"  {explanation['advice']}")
    return "\n".join(lines)


def _writer(writer: Values) -> str:
    version = f" of wsss {writer['version']}" if writer["version"] else ""
    when = f" {writer['finished']}" if writer["finished"] else ""
    return f"{writer['stage']}{version}, {writer['status']}{when}: {_pairs(writer['settings'])}"


def _value(value: Any, *, share: bool) -> str:  # noqa: ANN401 - JSON values
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_value(v, share=share)}" for k, v in value.items() if v is not None)
    if isinstance(value, list):
        return listing([_value(item, share=share) for item in value], most=_LISTED)
    if isinstance(value, float):
        return f"{value:.1%}" if share else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _few_words(counts: Values) -> Values:
    """Counts as numbers and short texts; what is told class by class is in the JSON."""
    words = {}
    for name, value in counts.items():
        if isinstance(value, Mapping):
            numbers = {key: number for key, number in value.items() if isinstance(number, float)}
            if numbers and not name.endswith("_by_class"):
                words[name] = " ".join(f"{key} {number:.4g}" for key, number in numbers.items())
        elif not isinstance(value, list):
            words[name] = f"{value:.4g}" if isinstance(value, float) else value
    return words


def _pairs(values: Values) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)


def _size(used: Values) -> str:
    return f"{used['files']:,} files, {size_text(used['bytes'])}"
