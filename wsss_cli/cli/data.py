"""``wsss data check``, ``wsss data convert`` and ``wsss data masks``."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import typer

from wsss_cli.cli import options
from wsss_cli.cli.config_command import config_command, report_command
from wsss_cli.cli.run_command import choose_track, show
from wsss_cli.cli.wrapping import Command, Group
from wsss_cli.configs.data import DataCheckConfig, DataConvertConfig, DataMasksConfig
from wsss_cli.configs.layouts import layouts_help

Values = Mapping[str, Any]

# Of what may be thousands; --json has them all.
_SHOWN = 20
_PAIRS_SHOWN = 10
_NEGATIVES = "(none of them)"

_HELP = f"""Look at a data set before using it, or make a VOC tree of it.

Examples:
  wsss data check photos                 what is in it, what is wrong, who uses what
  wsss data convert COCO VOC_of_COCO     as a VOC tree, with masks drawn
  wsss data masks THEIRS masks           another tool's masks as label maps

--data, DATA is one of
{layouts_help()}

Names of pictures are paths below the folder, or file names, with or without ending. A picture
dogs/my dog.png has the id dogs__my_dog, by which its maps and masks are named. Masks for scores
are masks/ID.png; class names may be given their order in classes.txt, one a line.

Pictures that show none of the classes (negatives) have an empty cell or a word for nothing, a 0
in every column, no object in COCO's JSON or VOC's XML, or lie in a class folder background. The
background itself is label 0 and in no list of class names.
"""

data = typer.Typer(
    cls=Group, no_args_is_help=True, rich_markup_mode=None, add_completion=False, help=_HELP
)


@data.command(cls=Command)
@config_command(DataCheckConfig)
def check(
    config: DataCheckConfig,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Run ``wsss data check``."""
    del debug
    from wsss_cli.inspect import data_set

    report = data_set.run(config, track=choose_track(quiet=quiet))
    show({"stage": report.stage, **report.values}, _checked, as_json=json)
    if report.values["problems"]:
        raise typer.Exit(1)


def _masks_converted(values: Values) -> str:
    white = "" if values["white"] is None else f", white as class {values['white']}"
    blurred = values["blurred"]
    edges = f", {blurred} of them with greys, white from 128 on" if blurred else ""
    return (
        f"{values['stage']} {values['status']}: {values['directory']}\n"
        f"  {values['masks']:,} label maps{white}{edges}"
    )


def _converted(values: Values) -> str:
    lists = ", ".join(f"{split} {count:,}" for split, count in values["lists"].items())
    return (
        f"{values['stage']} {values['status']}: {values['directory']}\n"
        f"  {values['images']:,} images of {values['classes']} classes ({lists}), "
        f"{values['negatives']:,} negatives, {values['masks']:,} with a mask, "
        f"{values['seconds']} s"
    )


def _checked(values: Values) -> str:
    lists = ", ".join(f"{split} {count:,}" for split, count in values["lists"].items())
    lines = [
        f"{values['data']}: {values['layout']}",
        f"{values['images']:,} images ({lists or 'in no list'}), "
        f"{len(values['class_names'])} classes",
    ]
    if values["width"]:
        lines += [_size("width", values["width"]), _size("height", values["height"])]
    lines += ["", *_classes(values), *_together(values["cooccurrence"]), ""]
    width = max(map(len, values["uses"]))
    lines += [f"wsss {name:<{width}}  {use}" for name, use in values["uses"].items()]
    unused = values["not_listed"]
    if unused:
        lines += ["", f"{len(unused):,} pictures are in no list, so nothing uses them:"]
        lines += _some(unused, most=3)
    for title in ("remarks", "warnings", "problems"):
        if values[title]:
            lines += ["", f"{title}:", *_some(values[title], most=_SHOWN)]
    lines += ["", _verdict(values)]
    return "\n".join(lines)


def _verdict(values: Values) -> str:
    problems, warnings = len(values["problems"]), _count(len(values["warnings"]), "warning")
    if problems:
        again = "" if values["lists"] else "; the rest can only be checked after that"
        return f"{_count(problems, 'problem')} to be corrected first, {warnings}{again}"
    return f"nothing is broken, {warnings}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _size(name: str, least_middle_most: Sequence[float]) -> str:
    least, middle, largest = (f"{value:g}" for value in least_middle_most)
    return f"{name} {least} to {largest} pixels, half of them {middle} or less"


def _classes(values: Values) -> list[str]:
    """A table of images by class and list."""
    splits = list(values["lists"])
    width = max(len("images of"), len(_NEGATIVES), *map(len, values["class_names"]))
    rows = [f"{'images of':<{width}}" + "".join(f"  {split:>9}" for split in splits)]
    for name, counts in values["images_of_class"].items():
        rows.append(f"{name:<{width}}" + "".join(f"  {counts[split]:>9,}" for split in splits))
    negatives = values["negatives"]
    if any(negatives.values()):
        counts_of = "".join(f"  {negatives[split]:>9,}" for split in splits)
        rows.append(f"{_NEGATIVES:<{width}}{counts_of}")
    return rows


def _together(cooccurrence: Mapping[str, Mapping[str, int]]) -> list[str]:
    pairs = [
        (cooccurrence[first].get(second, 0), f"{first} + {second}")
        for first, second in combinations(cooccurrence, 2)
    ]
    pairs_shown = sorted((pair for pair in pairs if pair[0]), key=lambda pair: -pair[0])[
        :_PAIRS_SHOWN
    ]
    if not pairs_shown:
        return ["", "no image shows two classes"]
    return ["", "together: " + ", ".join(f"{names} {count:,}" for count, names in pairs_shown)]


def _some(lines: Sequence[str], *, most: int) -> list[str]:
    more = len(lines) - most
    rest = [f"  and {more:,} more: --json lists all"] if more > 0 else []
    return [f"  {line}" for line in lines[:most]] + rest


for _name, _config, _module, _text in (
    ("convert", DataConvertConfig, "conversion", _converted),
    ("masks", DataMasksConfig, "mask_conversion", _masks_converted),
):
    data.command(_name, cls=Command)(
        report_command(
            _config,
            f"data {_name}",
            f"wsss_cli.inspect.{_module}",
            _text,
            head=("status", "directory"),
        )
    )
