"""The TOML file of a comparison: tables as in ``--config``, and a table for each setting.

Every run's chain is written as command lines, and these are parsed as any command line is. So the
file means what the commands mean, and the lines printed below the table are those that were run.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from wsss_cli.cli.chain_file import (
    DECIDED_FOR_ALL,
    Place,
    Table,
    arguments_of,
    command_of,
    options_in,
    parsed,
    read_tables,
    require_weights_used,
)
from wsss_cli.configs.compare import CompareConfig, ComparedRun
from wsss_cli.configs.methods import learns_from_saliency
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.proxy_rules import RULES, maps_of
from wsss_cli.configs.train import TrainConfig
from wsss_cli.errors import UsageError, did_you_mean

STAGES = ("train", "attend", "proxy", "evaluate")
# What the file cannot set, and where it comes from instead.
DECIDED = {
    **DECIDED_FOR_ALL,
    "run": "it follows from --out, the setting and the seed",
    "seed": "the seeds stand in the list `seeds`",
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


def read_comparison(config: CompareConfig) -> list[ComparedRun]:
    """Build and check the configs of every run, seed by seed within each setting.

    Raises:
        UsageError: The file cannot be read, or has a table, an option or a value that is wrong.
    """
    path = config.file
    tables = read_tables(path)
    astray = sorted(set(tables) - {*STAGES, START, "seeds", "settings"})
    if astray:
        raise UsageError(
            f"{path} has {astray[0]}, which no comparison has; there may be `seeds` and the tables "
            f"{', '.join(STAGES)}, {START} and settings.NAME"
            f"{did_you_mean(astray[0], (*STAGES, START, 'seeds', 'settings'))}"
        )
    seeds, settings = _seeds(path, tables.get("seeds", [0])), _settings(path, tables)
    shared = {stage: options_in(Place(path, stage), tables, stage, DECIDED) for stage in STAGES}
    start = None
    if START in tables:
        start = options_in(Place(path, START), tables, START, DECIDED, stage="train")
    folders = _folders(path, settings)
    runs = []
    reference_seeds: list[int] = []
    for name, table in settings.items():
        where = f"settings.{name}" if re.fullmatch(r"[\w-]+", name) else f'settings."{name}"'
        by_setting = {
            stage: options_in(Place(path, f"{where}.{stage}"), table, stage, DECIDED)
            for stage in STAGES
        }
        if "evaluate" in table:
            raise Place(path, where).error(
                "cannot have an evaluate table: all settings are scored alike; move it to "
                "[evaluate]"
            )
        place = Place(path, where)
        fewer = _seeds(path, table.get("seeds", seeds))
        if not set(fewer) <= set(seeds):
            raise place.error(f"has other seeds than the comparison's {seeds}; take some of these")
        reference_seeds = reference_seeds or fewer
        if not set(fewer) & set(reference_seeds):
            raise place.error(
                f"has none of the seeds {reference_seeds} of the first setting, with which it is "
                "compared; give it one of them"
            )
        for seed in fewer:
            directory = config.out / folders[name] / f"seed-{seed}"
            runs.append(_run(config, place, name, seed, directory, shared, by_setting, start))
    trainings = [training for run in runs for training in (run.start, run.train)]
    require_weights_used(path, config.weights, trainings)
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


def _run(
    config: CompareConfig,
    place: Place,
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

    def learned_maps(options: Table) -> Table:
        """The saliency maps, for a training whose method learns from them."""
        method = str({**shared["train"], **options}.get("method", TrainConfig.method))
        return {"saliency": config.saliency} if learns_from_saliency(method) else {}

    training = {"data": config.data, "seed": seed, **device, **workers, **shared["train"]}
    before: list[tuple[str, Table]] = []
    origin: Table = weights
    if start is not None:
        started = config.out / START_FOLDER / f"seed-{seed}"
        before = [
            ("train", {"run": started, **training, **learned_maps(start), **weights, **start})
        ]
        origin = {"weights": None, "start": started / "train" / "checkpoint.pt"}
    of_proxy = {**shared["proxy"], **by_setting["proxy"]}
    # Of another kind than text it is refused below, with all other values.
    rule = str(of_proxy.get("rule", ProxyConfig.rule))
    sees_saliency = rule not in RULES or "saliency" in maps_of(rule)
    drawn_in = {"saliency": config.saliency if sees_saliency else None}
    of_labels = {"what": "proxy", "baselines": True, "saliency": config.saliency}
    chain: list[tuple[str, Table]] = [
        (
            "train",
            {**training, **learned_maps(by_setting["train"]), **origin, **by_setting["train"]},
        ),
        ("attend", {**device, **workers, **shared["attend"], **by_setting["attend"]}),
        ("proxy", {**drawn_in, **device, **workers, **of_proxy}),
        ("evaluate", {"what": "attention", **workers, **shared["evaluate"]}),
        ("evaluate", {**of_labels, **workers, **shared["evaluate"]}),
    ]
    chain = [*before, *((stage, {"run": directory, **values}) for stage, values in chain)]
    lines = [(stage, arguments_of(place, stage, values)) for stage, values in chain]
    configs = [parsed(place, *line) for line in lines]
    *first, train, attend, proxy, attention, labels = configs
    return ComparedRun(
        setting=name,
        seed=seed,
        start=first[0] if first else None,
        train=train,
        attend=attend,
        proxy=proxy,
        attention=attention,
        labels=labels,
        commands=tuple(
            command_of(place, *line, values, made)
            for line, (_, values), made in zip(lines, chain, configs, strict=True)
        ),
    )
