"""The TOML file of rounds: tables as in ``--config``, and a table for each further round."""

from collections.abc import Mapping
from pathlib import Path

from wsss_cli.artifacts.file_names import CHECKPOINT_FILE
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
from wsss_cli.configs.common import CommonConfig
from wsss_cli.configs.methods import learns_from_saliency
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.proxy_rules import RULES, maps_of
from wsss_cli.configs.results import LABEL_FOLDERS, RESULTS, WEIGHTS_FOLDER
from wsss_cli.configs.rounds import Link, Round, RoundsConfig
from wsss_cli.configs.segment import PREDICTION, SegmentConfig
from wsss_cli.configs.segmentation_models import SEGMENTATION_MODELS, model_of
from wsss_cli.configs.setting import check, settings_of
from wsss_cli.configs.train import TrainConfig
from wsss_cli.errors import UsageError, did_you_mean
from wsss_cli.tracking import Silent

FIRST = ("train", "attend", "proxy", "segment")
RELABEL = "relabel"
LATER = ("crf", "proxy", "segment")
# What the file cannot set, and where it comes from instead.
DECIDED = {
    **DECIDED_FOR_ALL,
    "run": "it follows from --out and the round",
    "seed": "pass --seed",
    "attention": "every round uses that of the first",
    "checkpoint": "every round uses its own networks",
    "prediction": "it is that of the network before",
    "scores": "they are those of the network before",
    "logits": "the scores are those of the network before",
    "probabilities": "they are kept where a round needs them",
    "pixel_weights": "set crf.uncertainty in the same [[relabel]]",
    "restrict_to_labels": "training images are always predicted so, others never",
    "train_split": "set split in [train]",
    "supervision": "every round learns from its own labels",
    "proxy": "every round learns from its own labels",
    "corrected": "every round learns from its own labels",
    "submission": "pack the predictions of a round by `wsss segment --checkpoint`",
}


def read_rounds(config: RoundsConfig) -> list[Round]:
    """Build and check the configs of every round.

    Raises:
        UsageError: The file cannot be read, or has a table, an option or a value that is wrong; or
            there is no data set.
    """
    path = config.file
    tables = read_tables(path)
    astray = sorted(set(tables) - {*FIRST, RELABEL})
    if astray:
        raise UsageError(
            f"{path} has {astray[0]}, which no rounds have; there may be the tables "
            f"{', '.join(FIRST)} and [[{RELABEL}]] for each further round"
            f"{did_you_mean(astray[0], (*FIRST, RELABEL))}"
        )
    later = tables.get(RELABEL, [])
    if not isinstance(later, list) or not all(isinstance(table, dict) for table in later):
        raise UsageError(f"{path}: each further round is a table in two brackets, [[{RELABEL}]]")
    first = {stage: options_in(Place(path, stage), tables, stage, DECIDED) for stage in FIRST}
    if config.data is None:
        raise UsageError("rounds need a data set; pass --data PATH (`wsss data -h` tells which)")
    maker = _Maker(config, first)
    rounds = [maker.first()]
    for number, table in enumerate(later, start=2):
        place = Place(path, f"{RELABEL} number {number - 1}")
        unknown = sorted(set(table) - set(LATER))
        if unknown:
            raise place.error(
                f"has {unknown[0]}, which is none of {', '.join(LATER)}"
                f"{did_you_mean(unknown[0], LATER)}"
            )
        options = {
            stage: options_in(place, table, stage, DECIDED) for stage in LATER if stage in table
        }
        rounds.append(maker.later(place, number, options, rounds[-1]))
    links = [link.config for each in rounds for link in each.links]
    check(
        config.saliency is None or any(getattr(c, "saliency", None) is not None for c in links),
        "saliency",
        f"is read in no round of {path}, whose methods and rules need none",
        "leave it out, or choose a proxy.rule that reads it",
    )
    require_weights_used(path, config.weights, links)
    return rounds


class _Maker:
    """Makes rounds of the options that the file has for them."""

    def __init__(self, config: RoundsConfig, first: Mapping[str, Table]) -> None:
        """Take the command's settings, and the options of the first round by stage."""
        self.config = config
        self.file = config.file
        self.options = first
        device = config.device if config.device != RoundsConfig.device else None
        self.work: Table = {"device": device, "workers": config.workers}
        from wsss_cli.stages.inputs import find_data

        data_set = find_data(CommonConfig(data=config.data))
        self.split = str(first["train"].get("split") or data_set.training_split())

    def directory(self, number: int, suffix: str = "") -> Path:
        """The run of a round, or with a suffix another one of it."""
        return self.config.out / f"round-{number}{suffix}"

    @property
    def attention(self) -> Path:
        """The attention of the first round, which all rounds use."""
        return self.directory(1) / "attend" / "attention.h5"

    def first(self) -> Round:
        """Attention, labels made of it, and a network."""
        config, options, run = self.config, self.options, self.directory(1)
        shared = {"run": run, **self.work}
        method = str(options["train"].get("method", TrainConfig.method))
        saliency = config.saliency if learns_from_saliency(method) else None
        place = Place(self.file, "first round")
        rule = str(options["proxy"].get("rule", ProxyConfig.rule))
        if rule in RULES and RULES[rule].revises:
            raise Place(self.file, "proxy").error(
                f"has the rule {rule}, which revises what a network predicts, and the first round "
                f"has no network before it; move it to a [[{RELABEL}]], or choose another rule"
            )
        attending: Table = {**shared, **options["attend"]}
        labelling: Table = {**shared, **self._drawn_in(options["proxy"]), **options["proxy"]}
        if config.saliency is None:
            labelling = {**labelling, "rule": _rule_at_hand(place, attending, labelling)}
        # A network to start from brings weights of its own.
        weights = None if "start" in options["train"] else config.weights
        common = {**shared, "data": config.data, "seed": config.seed}
        chain: list[tuple[str, Table]] = [
            (
                "train",
                {**common, "saliency": saliency, "weights": weights, **options["train"]},
            ),
            ("attend", attending),
            ("proxy", labelling),
            (
                "segment",
                {
                    **shared,
                    "seed": config.seed,
                    "weights": self._weights(options["segment"]),
                    **options["segment"],
                },
            ),
        ]
        return self._round(place, run, chain, run, "proxy", None)

    def later(
        self, place: Place, number: int, options: Mapping[str, Table], before: Round
    ) -> Round:
        """Labels that the network before helps to make, and another network.

        Raises:
            UsageError: The rule of the labels does not look at predictions.
        """
        config, labelled = self.config, self.directory(number, "-labels")
        shared = {"run": labelled, **self.work}
        what = "prediction"
        looked = {
            field.name: self.options["segment"][field.name]
            for field, about in settings_of(SegmentConfig)
            if field.name in self.options["segment"]
            and (field.name == "amp" or about.group == PREDICTION)
            and field.name not in ("split", "classifier")  # the labels are known here
        }
        predicted = {
            **shared,
            "data": config.data,
            "checkpoint": before.directory / "segment" / CHECKPOINT_FILE,
            **looked,
            "split": self.split,
            "restrict_to_labels": True,
            "probabilities": "crf" in options,
        }
        chain: list[tuple[str, Table]] = [("segment", predicted)]
        if "crf" in options:
            chain.append(("crf", {**shared, **options["crf"]}))
            what = "crf"
        if "proxy" in options:
            rule = str(options["proxy"].get("rule", ProxyConfig.rule))
            if rule in RULES and not RULES[rule].revises:
                revising = ", ".join(name for name, entry in RULES.items() if entry.revises)
                raise place.error(
                    f"has the proxy rule {rule}, which does not look at predictions; choose among "
                    f"{revising}, or leave proxy out"
                )
            made_of = {
                "attention": self.attention,
                "prediction": _folder(labelled, what),
                **self._drawn_in(options["proxy"]),
            }
            chain.append(("proxy", {**shared, **made_of, **options["proxy"]}))
            what = "proxy"
        weighted = options.get("crf", {}).get("uncertainty") is True
        run = self.directory(number)
        learning = {**self.options["segment"], **options.get("segment", {})}
        learned = {
            "run": run,
            **self.work,
            "data": config.data,
            "seed": config.seed,
            "model": model_of(str(self.options["train"].get("backbone", TrainConfig.backbone))),
            "weights": self._weights(learning),
            "train_split": self.split,
            "proxy": _folder(labelled, what),
            "pixel_weights": labelled / "crf" / WEIGHTS_FOLDER if weighted else None,
            "attention": self.attention if learning.get("prohibitive") is True else None,
            **learning,
        }
        chain.append(("segment", learned))
        return self._round(place, run, chain, labelled, what, before)

    def _weights(self, learning: Table) -> str | None:
        """Initial weights of a segmentation network, by its options that the file has.

        They are those of the attention network where both stand on the same backbone, in every
        round, so that rounds differ in what they learn from and not in where they start.
        """
        train = self.options["train"]
        model = SEGMENTATION_MODELS.get(str(learning.get("model")))
        if model is not None and model.backbone != train.get("backbone", TrainConfig.backbone):
            return None
        weights: str | None = train.get("start") or train.get("weights", self.config.weights)
        return weights

    def _drawn_in(self, options: Table) -> Table:
        """The saliency maps, for a rule that works with them."""
        rule = str(options.get("rule", ProxyConfig.rule))
        sees_saliency = rule not in RULES or "saliency" in maps_of(rule)
        return {"saliency": self.config.saliency if sees_saliency else None}

    def _round(
        self,
        place: Place,
        run: Path,
        chain: list[tuple[str, Table]],
        labelled: Path,
        what: str,
        before: Round | None,
    ) -> Round:
        """Parse the commands of a round, and those that score its labels and its network."""
        scores = [
            {"run": labelled, "what": what, "against": before and before.source},
            {"run": run, "what": "prediction", "against": before and before.directory},
        ]
        workers = {"workers": self.config.workers}
        whole = [*chain, *(("evaluate", {**values, **workers}) for values in scores)]
        lines = [(stage, arguments_of(place, stage, values)) for stage, values in whole]
        configs = [parsed(place, *line) for line in lines]
        *links, labels, network = configs
        return Round(
            directory=run,
            links=tuple(Link(stage, link) for (stage, _), link in zip(chain, links, strict=True)),
            source=_folder(labelled, what),
            labels=labels,
            network=network,
            commands=tuple(
                command_of(place, *line, values, made)
                for line, (_, values), made in zip(lines, whole, configs, strict=True)
            ),
        )


def _rule_at_hand(place: Place, attending: Table, labelling: Table) -> str:
    """The proxy rule where there is no saliency, chosen by the attention that is planned."""
    from wsss_cli.stages.inputs import with_rule_at_hand

    attend, proxy = (
        parsed(place, stage, arguments_of(place, stage, values))
        for stage, values in (("attend", attending), ("proxy", labelling))
    )
    given = {name for name, value in labelling.items() if value is not None}
    redrawn = bool(attend.colour_steps)
    return with_rule_at_hand(proxy, given, Silent(), redrawn=redrawn).rule


def _folder(run: Path, what: str) -> Path:
    """Folder of a run's label maps of a kind."""
    return run / RESULTS[what].stage / LABEL_FOLDERS[what]
