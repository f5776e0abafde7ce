"""``wsss show``."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from textwrap import wrap
from typing import Annotated, Any

from typer import Argument, Option

from wsss_cli.artifacts.atomic import read_json
from wsss_cli.artifacts.stage_directory import STAGES, read_manifest
from wsss_cli.cli import options
from wsss_cli.cli.conversation import errors_as_sentences
from wsss_cli.cli.conversation import show as print_result
from wsss_cli.configs.common import CommonConfig
from wsss_cli.configs.evaluate import SCORED_STAGE
from wsss_cli.configs.proxy_rules import RULES
from wsss_cli.configs.saliency import SALIENCY_MODELS
from wsss_cli.configs.segmentation_models import SEGMENTATION_MODELS
from wsss_cli.errors import UsageError
from wsss_cli.methods.table import METHODS


def show(
    runs: Annotated[
        list[Path],
        Argument(
            metavar="RUN",
            help="Directory of the run; with --image several, one below the other.",
            show_default=f"$WSSS_RUN, else {CommonConfig.run}",
        ),
    ] = [],  # noqa: B006 - Typer copies it; the variable is read below, for it holds one path
    image: Annotated[
        list[str],
        Option(help="Draw what each branch makes of the image of this id (give several times)."),
    ] = [],  # noqa: B006
    methods: Annotated[
        bool, Option("--methods", help="List the attention systems and proxy rules instead.")
    ] = False,
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Show what a run holds, or what each branch of its network makes of an image.

    \b
    Examples:
      wsss show
      wsss show runs/cam --json
      wsss show --image 2007_000033 --image 2007_000129
      wsss show --image 2007_000033 runs/cam runs/seenet
      wsss show --methods

    A run holds stages, whether they are complete, their settings and scores. Pictures show the
    attention prior, the zones, every branch's map and the true mask, where there are such, and go
    to RUN/pictures/ID.png, of the first run given.
    """  # noqa: D301
    with errors_as_sentences(debug=debug):
        runs = runs or [Path(os.environ.get("WSSS_RUN") or CommonConfig.run)]
        if methods:
            print_result(_systems(), _systems_text, as_json=json)
            return
        if image:
            from wsss_cli.stages import picture

            report = picture.run(runs, image)
            print_result(report.values, _paths, as_json=json)
            return
        if len(runs) > 1:
            raise UsageError("several runs are shown beside each other with --image ID only")
        print_result(summarise(runs[0]), _text, as_json=json)


def summarise(run: Path) -> dict[str, Any]:
    """Collect manifests and scores of a run.

    Raises:
        UsageError: There is no run.
    """
    stages, fingerprints = {}, {}
    for stage in STAGES:
        try:
            manifest = read_manifest(run / stage)
        except FileNotFoundError:
            continue
        fingerprints[stage] = manifest["fingerprint"]
        kept = ("status", "settings", "counts", "started", "finished", "data", "device")
        stages[stage] = {key: manifest[key] for key in kept if key in manifest}
    scores = {path.stem: read_json(path) for path in sorted((run / "evaluate").glob("*.json"))}
    for what, values in scores.items():
        now = fingerprints.get(SCORED_STAGE.get(what, ""))
        values["of_this_result"] = values.get("artifact_fingerprint") == now
    if not stages and not scores:
        raise UsageError(f"{run} holds no run; start one with wsss train --data DIR --run {run}")
    return {"run": str(run), "stages": stages, "scores": scores}


def _systems() -> dict[str, Any]:
    return {
        "methods": {
            name: {k: v for k, v in asdict(m).items() if k not in ("module", "options")}
            for name, m in METHODS.items()
        },
        "saliency": {name: asdict(model) for name, model in SALIENCY_MODELS.items()},
        "rules": {name: {"title": rule.title, "paper": rule.paper} for name, rule in RULES.items()},
        "models": {
            name: {"title": model.title, "paper": model.paper, "backbone": model.backbone}
            for name, model in SEGMENTATION_MODELS.items()
        },
    }


def _systems_text(systems: Mapping[str, Any]) -> str:
    lines = ["wsss train --method"]
    for name, method in systems["methods"].items():
        lines.append(f"  {name:<10} {method['title']}, {method['paper']}")
        lines += wrap(
            "here: " + method["here"], 88, initial_indent=" " * 13, subsequent_indent=" " * 13
        )
    lines.append("wsss saliency --model")
    for name, model in systems["saliency"].items():
        lines += [f"  {name}", f"{'':<13}{model['title']}, {model['paper']}"]
    lines.append("wsss proxy --rule")
    for name, rule in systems["rules"].items():
        lines.append(f"  {name:<10} {rule['title']}, {rule['paper']}")
    lines.append("wsss segment --model")
    for name, model in systems["models"].items():
        lines += [f"  {name}", f"{'':<13}{model['title']}, {model['paper']}"]
    return "\n".join(lines)


def _paths(values: Mapping[str, Any]) -> str:
    return "\n".join(picture["path"] for picture in values["pictures"])


def _text(summary: Mapping[str, Any]) -> str:
    lines = [summary["run"]]
    for stage in STAGES:
        found = summary["stages"].get(stage)
        if found is None:
            lines.append(f"  {stage:<8} not there")
            continue
        when = found.get("finished", found.get("started", ""))
        lines.append(f"  {stage:<8} {found['status']}  {when}  {found.get('device', '')}")
        lines.append("           " + _pairs(found["settings"]))
        if "counts" in found:
            lines.append("           " + _pairs(found["counts"]))
    for what, scores in summary["scores"].items():
        miou = "not defined" if scores["miou"] is None else f"{100 * scores['miou']:.1f}"
        convention = scores.get("predicted_ignore")
        lines.append(
            f"  {what:<10} mIoU {miou} on {scores['images']} images against "
            f"{scores['ground_truth']}"
            + (f", a predicted 255 as {convention}" if convention else "")
            + ("" if scores["of_this_result"] else "; OF AN EARLIER RESULT, evaluate again")
        )
    return "\n".join(lines)


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)
