"""``wsss show``."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from textwrap import wrap
from typing import Annotated, Any

from typer import Argument, Option

from wsss_cli.cli import options
from wsss_cli.cli.run_command import errors_as_sentences
from wsss_cli.cli.run_command import show as print_result
from wsss_cli.cli.show_text import file_text, run_text, runs_text
from wsss_cli.cli.wrapping import columns
from wsss_cli.configs.methods import METHODS
from wsss_cli.configs.proxy_rules import RULES, maps_of
from wsss_cli.configs.saliency import SALIENCY_MODELS
from wsss_cli.configs.segmentation_models import SEGMENTATION_MODELS
from wsss_cli.configs.setting import check
from wsss_cli.errors import UsageError


def show(
    paths: Annotated[
        list[Path],
        Argument(
            metavar="PATH",
            help="A run, a folder of runs, or any file; with --image runs, one below the other.",
            show_default=options.RUNS_DEFAULT,
        ),
    ] = [],  # noqa: B006 - Typer copies it; the variable is read below, for it holds one path
    run: options.NamedRuns = [],  # noqa: B006
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
    """Show what a run holds, what a file is, or what each branch of a network makes of an image.

    Examples:
      wsss show
      wsss show runs
      wsss show --run runs/cam --json
      wsss show runs/cam/attend/attention.h5
      wsss show their_masks/2007_000033.png
      wsss show --image 2007_000033 --image 2007_000129
      wsss show --image 2007_000033 runs/cam runs/seenet
      wsss show --methods

    A run holds stages: whether they are complete, their settings, sizes and scores, and which are
    stale, since what they were made of, or the stage itself, has changed; the command that makes
    them again stands beside. Of a folder of runs there is a table. A file may be HDF5, PNG, a
    checkpoint, a manifest, scores, a log, soft maps, TOML or an archive, another tool's too.
    Pictures show the attention prior, the zones, every branch's map and the true mask, where there
    are such, and go to RUN/pictures/ID.png, of the first run given.
    """
    with errors_as_sentences(debug=debug):
        if methods:
            looked_at = bool(paths or run or image)
            check(not looked_at, "methods", "looks at no run or file", "leave it or the others out")
            print_result(_systems(), _systems_text, as_json=json)
            return
        paths = list(options.named_runs(paths, run, argument="PATH"))
        if image:
            from wsss_cli.stages.early_checks import require_trained

            for path in paths:
                require_trained(path)
            from wsss_cli.inspect import branch_picture

            report = branch_picture.run(paths, image)
            print_result(report.values, _paths, as_json=json)
            return
        if len(paths) > 1:
            raise UsageError("several runs are shown beside each other with --image ID only")
        (path,) = paths
        from wsss_cli.artifacts.stage_directory import MANIFEST

        if path.is_dir() and not (path / MANIFEST).exists():
            from wsss_cli.inspect.show.run_contents import summarise
            from wsss_cli.inspect.show.runs_folder import find_runs, is_run, list_runs

            if not is_run(path) and next(find_runs(path), None) is not None:
                print_result(list_runs(path), runs_text, as_json=json)
                return
            print_result(summarise(path), run_text, as_json=json)
            return
        from wsss_cli.inspect.show.explain import explain

        print_result(explain(path), file_text, as_json=json)


def _systems() -> dict[str, Any]:
    return {
        "methods": {
            name: {**asdict(method), "from_features": method.from_features}
            for name, method in METHODS.items()
        },
        "saliency": {name: asdict(model) for name, model in SALIENCY_MODELS.items()},
        "rules": {
            name: {
                "title": rule.title,
                "paper": rule.paper,
                "needs_saliency": bool(maps_of(name, needed=True)),
                "leaves_mask": rule.leaves_mask,
                "ignores": rule.ignores,
            }
            for name, rule in RULES.items()
        },
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
            "here: " + method["here"],
            columns(),
            initial_indent=" " * 13,
            subsequent_indent=" " * 13,
            break_on_hyphens=False,
        )
    lines.append("wsss saliency --model")
    for name, model in systems["saliency"].items():
        lines += [f"  {name}", f"{'':<13}{model['title']}, {model['paper']}"]
    lines.append("wsss proxy --rule")
    for name, rule in systems["rules"].items():
        lines.append(f"  {name:<10} {rule['title']}, {rule['paper']}")
        lines.append(f"{'':<13}{_saliency_of(rule)}; {_doubt_of(rule)}")
    lines.append("wsss segment --model")
    for name, model in systems["models"].items():
        lines += [f"  {name}", f"{'':<13}{model['title']}, {model['paper']}"]
    return "\n".join(lines)


def _saliency_of(rule: Mapping[str, Any]) -> str:
    if not rule["needs_saliency"]:
        return "needs no saliency"
    return f"needs saliency and {'leaves' if rule['leaves_mask'] else 'stays inside'} its mask"


def _doubt_of(rule: Mapping[str, Any]) -> str:
    return "ignores doubtful pixels (255)" if rule["ignores"] else "labels every pixel"


def _paths(values: Mapping[str, Any]) -> str:
    return "\n".join(picture["path"] for picture in values["pictures"])
