"""``wsss check``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Exit, Option

from wsss_cli.cli import options
from wsss_cli.cli.path_checks import require_existing, require_existing_data
from wsss_cli.cli.run_command import errors_as_sentences
from wsss_cli.cli.run_command import show as print_result
from wsss_cli.configs.common import CommonConfig


def check(
    file: Annotated[
        Path, Argument(metavar="FILE", help="Archive of label maps, ours or another tool's.")
    ],
    data: options.Data = CommonConfig.data,
    run: options.Run = CommonConfig.run,
    split: Annotated[str, Option(help="List of the images that it should hold.")] = "test",
    json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Check an archive for PASCAL VOC's evaluation server before it is sent.

    \b
    Examples:
      wsss check test.tar.gz
      wsss check their_masks.tar.gz --data VOC2012 --split val --json

    It must hold results/VOC2012/Segmentation/comp6_test_cls/ID.png for every image of the list and
    nothing else: 8-bit palette or grey, labels from 0 to the number of classes without 255, of the
    size of the photograph. Exit code 1 when it does not.
    """  # noqa: D301
    with errors_as_sentences(debug=debug):
        require_existing("FILE", file)
        require_existing_data(data)
        from wsss_cli.inspect import submission as stage

        report = stage.run(CommonConfig(data=data, run=run), file, split)
        print_result(report.values, _text, as_json=json)
        if not report.values["valid"]:
            raise Exit(1)


def _text(values: Mapping[str, Any]) -> str:
    if values["valid"]:
        return f"{values['archive']}: valid, {values['images']} label maps of {values['split']}"
    return "\n".join(
        (f"{values['archive']}: not valid", *(f"  {problem}" for problem in values["problems"]))
    )
