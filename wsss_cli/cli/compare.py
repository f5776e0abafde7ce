"""``wsss compare``."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from wsss_cli import ranks
from wsss_cli.cli import options
from wsss_cli.cli.comparison_file import read_comparison
from wsss_cli.cli.path_checks import require_existing, require_given_paths
from wsss_cli.cli.plan_text import takes_text
from wsss_cli.cli.run_command import choose_track, errors_as_sentences, show
from wsss_cli.configs.compare import CompareConfig


def compare(
    file: Annotated[Path, Argument(help="TOML file of the settings.")] = CompareConfig.file,
    out: Annotated[
        Path, Option(help="Where the runs and the tables go; a run for each setting and seed.")
    ] = CompareConfig.out,
    data: options.Data = CompareConfig.data,
    saliency: Annotated[
        Path | None, Option(help="Folder of saliency maps, grey by image id.")
    ] = CompareConfig.saliency,
    weights: options.Weights = CompareConfig.weights,
    device: options.Device = CompareConfig.device,
    workers: options.Workers = CompareConfig.workers,
    dry_run: options.DryRun = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Train, attend, make proxies and score with several settings and seeds, in one table.

    \b
    Examples:
      wsss compare methods.toml --data VOC2012 --saliency saliency_maps
      wsss compare methods.toml --data VOC2012 --saliency saliency_maps --dry-run
      wsss show runs/compare/seenet/seed-0

    \b
    The file has the tables of --config for what all settings share, and one for each setting:
      seeds = [0, 1]
      [train]
      iterations = 2000
      [settings.cam]
      train.method = "cam"
      [settings."SeeNet without S_C"]
      train.background-branch = false
      seeds = [0]
    A table [start] has the options of a training that all settings go on from.

    Writes OUT/compare.md, compare.json and compare.csv: mean and deviation over the seeds, and
    whether each setting differs from the first one by more than the choice of images explains.
    Stopped, it continues when the same command is run again; what is complete is not repeated.
    """  # noqa: D301
    with errors_as_sentences(debug=debug):
        ranks.require_alone("wsss compare")
        require_existing("FILE", file)
        given = {"data": data, "saliency": saliency, "weights": weights}
        require_given_paths("compare", given)
        config = CompareConfig(file, out, data, saliency, weights, device, workers)
        runs = read_comparison(config)
        from wsss_cli.stages.early_checks import check_usage

        check_usage("train", runs[0].start or runs[0].train)
        from wsss_cli.chains import compare as chain

        if dry_run:
            standings = chain.check(runs)
            plan = {"runs": standings, "estimate": asdict(chain.estimate(runs, standings))}
            show(plan, _plan, as_json=json)
            return
        report = chain.run(out, runs, track=choose_track(quiet=quiet))
        status = "up to date" if report.up_to_date else "complete"
        values = {"stage": "compare", "status": status, "directory": str(out), **report.values}
        page = values.pop("markdown")
        show(values, lambda v: f"compare {v['status']}: {v['directory']}\n\n{page}", as_json=json)


def _plan(values: Mapping[str, Any]) -> str:
    stages = ("start", "train", "attend", "proxy")
    lines = [
        f"{run['directory']}  "
        + ", ".join(f"{stage} {run[stage]}" for stage in stages if stage in run)
        for run in values["runs"]
    ]
    return "\n".join((*lines, f"takes {takes_text(values['estimate'])}", "nothing was done"))
