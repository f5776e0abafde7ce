"""The TOML file of a comparison: tables as in ``--config``, and a table for each setting.

Every run's chain is written as command lines, and these are parsed as any command line is. So the
file means what the commands mean, and the lines printed below the table are those that were run.
"""

import re
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import typer

from wsss_cli.cli.config_command import given_parameters, stage_command
from wsss_cli.cli.run_command import config_from
from wsss_cli.cli.wrapping import click_command
from wsss_cli.configs.compare import CompareConfig, ComparedRun
from wsss_cli.configs.methods import learns_from_saliency
from wsss_cli.configs.presets import with_preset
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.proxy_rules import RULES, maps_of
from wsss_cli.configs.stages import CHAIN
from wsss_cli.configs.train import TrainConfig
from wsss_cli.errors import UsageError, did_you_mean

STAGES = ("train", "attend", "proxy", "evaluate")
# What the file cannot set, and where it comes from instead.
DECIDED = {
    "run": "it follows from --out, the setting and the seed",
    "seed": "the seeds stand in the list `seeds`",
    "overwrite": "a comparison never replaces a result",
    "data": "pass --data",
    "saliency": "pass --saliency",
    "device": "pass --device",
    "workers": "pass --workers",
    "checkpoint": "every run attends with its own",
    "start": "add a table [start] for a training that all settings go on from",
    "attention": "every run uses its own",
    "what": "attention and proxies are both scored",
    "pred": "every run's own proxies are scored",
    "baselines": "they are always scored",
}
START = "start"
# No setting's folder begins so.
START_FOLDER = "_start"
Table = Mapping[str, Any]


@dataclass(frozen=True)
class _Place:
    """A table of the file, for messages."""

    file: Path
    table: str

    def error(self, what: str) -> UsageError:
        return UsageError(f"{self.file}: [{self.table}] {what}")


def read_comparison(config: CompareConfig) -> list[ComparedRun]:
    """Build and check the configs of every run, seed by seed within each setting.

    Raises:
        UsageError: The file cannot be read, or has a table, an option or a value that is wrong.
    """
    path = config.file
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read as TOML: {error}") from error
    astray = sorted(set(tables) - {*STAGES, START, "seeds", "settings"})
    if astray:
        raise UsageError(
            f"{path} has {astray[0]}, which no comparison has; there may be `seeds` and the tables "
            f"{', '.join(STAGES)}, {START} and settings.NAME"
            f"{did_you_mean(astray[0], (*STAGES, START, 'seeds', 'settings'))}"
        )
    seeds, settings = _seeds(path, tables.get("seeds", [0])), _settings(path, tables)
    shared = {stage: _options(path, tables, stage) for stage in STAGES}
    start = _options(path, tables, START, stage="train") if START in tables else None
    folders = _folders(path, settings)
    runs = []
    for name, table in settings.items():
        where = f"settings.{name}" if re.fullmatch(r"[\w-]+", name) else f'settings."{name}"'
        by_setting = {
            stage: _options(path, table, stage, where=f"{where}.{stage}") for stage in STAGES
        }
        if "evaluate" in table:
            raise _Place(path, where).error(
                "cannot have an evaluate table: all settings are scored alike; move it to "
                "[evaluate]"
            )
        place = _Place(path, where)
        fewer = _seeds(path, table.get("seeds", seeds))
        if not set(fewer) <= set(seeds):
            raise place.error(f"has other seeds than the comparison's {seeds}; take some of these")
        for seed in fewer:
            directory = config.out / folders[name] / f"seed-{seed}"
            runs.append(_run(config, place, name, seed, directory, shared, by_setting, start))
    return runs


def _seeds(path: Path, seeds: object) -> list[int]:
    integers = [seed for seed in seeds if type(seed) is int] if isinstance(seeds, list) else []
    if not integers or integers != seeds or len(set(integers)) < len(integers):
        raise UsageError(f"{path}: seeds must be a list of different integers, such as [0, 1]")
    return integers


def _settings(path: Path, tables: Table) -> dict[str, Table]:
    settings = tables.get("settings")
    if not isinstance(settings, dict) or not settings:
        raise UsageError(
            f"{path} names no setting; add a table for each, such as [settings.seenet]"
        )
    for name, table in settings.items():
        if not isinstance(table, dict):
            raise UsageError(f"{path}: settings.{name} must be a table, such as [settings.{name}]")
        astray = sorted(set(table) - {*STAGES, "seeds"})
        if astray:
            raise UsageError(
                f"{path}: [settings.{name}] has {astray[0]}, which is no stage; write it as "
                f"STAGE.OPTION, such as train.{astray[0]}, with one of {', '.join(STAGES)}"
                f"{did_you_mean(astray[0], STAGES)}"
            )
    return settings


def _folders(path: Path, settings: Mapping[str, object]) -> dict[str, str]:
    """A folder's name for each setting: its letters and digits."""
    folders = {name: re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") for name in settings}
    for name, folder in folders.items():
        twins = [other for other in folders if folders[other] == folder]
        if not folder:
            raise UsageError(f"{path}: the setting {name!r} needs a letter or a digit in its name")
        if len(twins) > 1:
            raise UsageError(
                f"{path}: the settings {', '.join(map(repr, twins))} would share the folder "
                f"{folder}; their names must differ in letters or digits"
            )
    return folders


def _options(
    path: Path, tables: Table, name: str, *, stage: str | None = None, where: str | None = None
) -> dict[str, Any]:
    """The options in a table by field, checked by name only.

    Args:
        path: The file, for messages.
        tables: All tables.
        name: That of the table, which may be missing.
        stage: Whose options they are; None is the one of that name.
        where: What the table is called in messages, unless by its name.
    """
    stage = stage or name
    table, place = tables.get(name, {}), _Place(path, where or name)
    if not isinstance(table, dict):
        raise place.error("must be a table of options")
    names = {field.name for field in fields(CHAIN[stage])}
    options = {}
    for typed, value in table.items():
        option = typed.replace("-", "_")
        if option not in names:
            near = did_you_mean(option.replace("_", "-"), [n.replace("_", "-") for n in names])
            raise place.error(f"has no option {typed}; see `wsss {stage} --help`{near}")
        if option in DECIDED:
            raise place.error(f"cannot set {typed}: {DECIDED[option]}")
        options[option] = value
    return options


def _run(
    config: CompareConfig,
    place: _Place,
    name: str,
    seed: int,
    directory: Path,
    shared: Mapping[str, Table],
    by_setting: Mapping[str, Table],
    start: Table | None,
) -> ComparedRun:
    weights = {"weights": config.weights} if config.weights is not None else {}
    device = {"device": config.device} if config.device != CompareConfig.device else {}
    workers = {"workers": config.workers}
    method = str({**shared["train"], **by_setting["train"]}.get("method", TrainConfig.method))
    learnt = {"saliency": config.saliency} if learns_from_saliency(method) else {}
    training = {"data": config.data, "seed": seed, **device, **workers, **shared["train"]}
    before: list[tuple[str, Table]] = []
    origin: Table = weights
    if start is not None:
        started = config.out / START_FOLDER / f"seed-{seed}"
        before = [("train", {"run": started, **training, **weights, **start})]
        origin = {"weights": None, "start": started / "train" / "checkpoint.pt"}
    of_proxy = {**shared["proxy"], **by_setting["proxy"]}
    # Of another kind than text it is refused below, with all other values.
    rule = str(of_proxy.get("rule", ProxyConfig.rule))
    sees_saliency = rule not in RULES or "saliency" in maps_of(rule)
    drawn_in = {"saliency": config.saliency if sees_saliency else None}
    of_labels = {"what": "proxy", "baselines": True, "saliency": config.saliency}
    chain: list[tuple[str, Table]] = [
        ("train", {**training, **learnt, **origin, **by_setting["train"]}),
        ("attend", {**device, **workers, **shared["attend"], **by_setting["attend"]}),
        ("proxy", {**drawn_in, **workers, **of_proxy}),
        ("evaluate", {"what": "attention", **workers, **shared["evaluate"]}),
        ("evaluate", {**of_labels, **workers, **shared["evaluate"]}),
    ]
    chain = [*before, *((stage, {"run": directory, **values}) for stage, values in chain)]
    lines = [(stage, _arguments(place, stage, values)) for stage, values in chain]
    *first, train, attend, proxy, attention, labels = (_parsed(place, *line) for line in lines)
    return ComparedRun(
        setting=name,
        seed=seed,
        start=first[0] if first else None,
        train=train,
        attend=attend,
        proxy=proxy,
        attention=attention,
        labels=labels,
        commands=tuple(shlex.join(("wsss", stage, *arguments)) for stage, arguments in lines),
    )


def _arguments(place: _Place, stage: str, values: Table) -> list[str]:
    """Values by field as arguments of the stage's command; None is left out."""
    flags = {
        parameter.name: bool(parameter.secondary_opts)
        for parameter in _command(stage).params
        if getattr(parameter, "is_flag", False)
    }
    several = {p.name for p in _command(stage).params if getattr(p, "multiple", False)}
    arguments = []
    for name, value in values.items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, dict) or (isinstance(value, list) and name not in several):
            raise place.error(f"takes one value for {stage}.{name}, not {value!r}")
        if isinstance(value, list) and not value:
            raise place.error(f"takes one value or more for {stage}.{name}, not an empty list")
        if (name in flags) is not isinstance(value, bool) and value is not None:
            kind = "true or false" if name in flags else "a value"
            raise place.error(f"takes {kind} for {stage}.{name}, not {str(value).lower()}")
        if isinstance(value, bool):
            if value or flags[name]:
                arguments.append(option if value else f"--no-{option[2:]}")
        elif value is not None:
            listed = value if isinstance(value, Sequence) and name in several else [value]
            arguments += [part for one in listed for part in _pair(option, str(one))]
    return arguments


def _pair(option: str, value: str) -> list[str]:
    """An option and its value; joined where the value looks like an option itself."""
    return [f"{option}={value}"] if value.startswith("-") else [option, value]


def _parsed(place: _Place, stage: str, arguments: list[str]) -> Any:  # noqa: ANN401 - its config
    try:
        context = _command(stage).make_context(stage, list(arguments))
        config = config_from(CHAIN[stage], context.params)
        return with_preset(stage, config, given_parameters(context))
    except typer.BadParameter as error:
        raise place.error(f"does not fit {stage}: {error.format_message()}") from error
    except UsageError as error:
        raise place.error(f"does not fit {stage}: {error}") from error


@cache
def _command(stage: str) -> Any:  # noqa: ANN401 - Typer's own copy of a Click command
    command = click_command(stage, stage_command(stage))
    for parameter in command.params:
        parameter.envvar = None  # what the comparison takes from there it passes on
    return command
