"""``wsss report``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from wsss_cli import ranks
from wsss_cli.cli import options
from wsss_cli.cli.path_checks import require_existing_data
from wsss_cli.cli.run_command import choose_track, errors_as_sentences, show
from wsss_cli.configs.report import ReportConfig


def report(
    runs: Annotated[
        list[Path],
        Argument(
            metavar="RUN",
            help="Directory of the run; several become columns.",
            show_default=options.RUNS_DEFAULT,
        ),
    ] = list(ReportConfig.runs),  # noqa: B006 - Typer copies it
    run: options.NamedRuns = [],  # noqa: B006 - Typer copies it
    out: Annotated[
        Path | None, Option(help="The page to write.", show_default="report.html in the first RUN")
    ] = ReportConfig.out,
    images: Annotated[int, Option(help="Images in each gallery, 0 to 12.")] = ReportConfig.images,
    data: options.Data = ReportConfig.data,
    workers: options.Workers = ReportConfig.workers,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Make one HTML page of a run, or of several side by side.

    \b
    Examples:
      wsss report
      wsss report runs/cam runs/seenet --out cam_and_seenet.html
      wsss report --images 6 --json

    The page has scores, curves, confusion matrix, every setting, and pictures of the best, median
    and worst images and of three kinds of failure. It is a single file without anything from the
    network. Its scores are those of RUN/evaluate, so evaluate first.
    """  # noqa: D301
    with errors_as_sentences(debug=debug):
        ranks.require_alone("wsss report")
        require_existing_data(data)
        config = ReportConfig(tuple(options.named_runs(runs, run)), out, data, images, workers)
        from wsss_cli.stages.early_checks import check_report

        check_report(config)
        from wsss_cli.inspect import report as page

        found = page.run(config, track=choose_track(quiet=quiet))
        status = "up to date" if found.up_to_date else "complete"
        show({"stage": found.stage, "status": status, **found.values}, _text, as_json=json)


def _text(values: Mapping[str, Any]) -> str:
    size = f"{values['bytes'] / 1e6:.1f} MB, {values['pictures']} images"
    if values["status"] == "up to date":
        size += "; up to date, so nothing was drawn again"
    return "\n".join([f"{values['page']}: {size}", *(f"  {line}" for line in values["remarks"])])
