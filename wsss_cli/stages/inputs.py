"""Where a stage finds what earlier stages made."""

from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsss_cli.artifacts.stage_commands import recorded_command
from wsss_cli.artifacts.stage_directory import MANIFEST, read_manifest, require_complete
from wsss_cli.command_line import command_line
from wsss_cli.configs.common import CommonConfig
from wsss_cli.configs.methods import learns_from_saliency
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.proxy_rules import RuleOptions, maps_of
from wsss_cli.configs.results import LABEL_FOLDERS
from wsss_cli.configs.saliency import UNSUPERVISED
from wsss_cli.configs.setting import settings_of
from wsss_cli.configs.stages import STAGES
from wsss_cli.configs.train import TrainConfig
from wsss_cli.data.class_names import CLASSES_FILE
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.tracking import Track

if TYPE_CHECKING:
    from wsss_cli.data.data_set import DataSet

MAPS, SECOND_MAPS = "maps", "second_maps"
"""Folders of ``wsss saliency``: of the image, and of what is left when that is painted over."""


# What is needed to read data sets and HDF5 files is imported where they are read: whether an input
# is there at all can be said at once.
_READ: ContextVar[dict[Path, "DataSet"] | None] = ContextVar("data sets read", default=None)


@contextmanager
def data_sets_read_once() -> Iterator[None]:
    """Within, a data set that is asked for again is the one read before.

    What is looked at before torch is imported and by the stage itself is one reading: a data set's
    annotations may be half a gigabyte.
    """
    token = _READ.set({})
    try:
        yield
    finally:
        _READ.reset(token)


def _data_set(path: Path) -> "DataSet":
    from wsss_cli.data.layouts import find_data_set

    read = _READ.get()
    if read is None:
        return find_data_set(path)
    resolved = path.resolve()
    if resolved not in read:
        read[resolved] = find_data_set(path)
    return read[resolved]


def find_data(config: CommonConfig) -> "DataSet":
    """The data set given, else the one that an earlier stage of the run was given.

    Raises:
        UsageError: Neither is there, or there is no data set.
    """
    data_set = data_if_known(config)
    if data_set is None:
        raise UsageError(
            f"{config.run} does not know its data set yet; pass --data PATH (`wsss data --help` "
            "lists what it may be)"
        )
    return data_set


def find_masks(data_set: "DataSet") -> Path:
    """The folder of the data set's true masks.

    Raises:
        UsageError: It has none; the message says how to come to some.
    """
    if data_set.masks is None:
        raise UsageError(f"{data_set.root} has no true masks; {data_set.masks_advice}")
    return data_set.masks


def masks_there(
    image_ids: Sequence[str], data_set: "DataSet | None", gt: Path | None
) -> dict[str, Path]:
    """The true masks that are there, by image.

    Args:
        image_ids: Images to be scored.
        data_set: Knows its own masks; may be None where a folder is given.
        gt: Folder of masks ``ID.png`` in their place.
    """
    if gt is not None:
        masks = {image_id: gt / f"{image_id}.png" for image_id in image_ids}
    else:
        assert data_set is not None
        own = {image_id: data_set.mask_path(image_id) for image_id in image_ids}
        masks = {image_id: path for image_id, path in own.items() if path is not None}
    return {image_id: path for image_id, path in masks.items() if path.is_file()}


def require_same_classes(
    checkpoint: Path, class_names: tuple[str, ...], data_set: "DataSet"
) -> None:
    """Refuse a network of other classes than the data set's.

    Raises:
        WsssError: Names both lists of classes.
    """
    if class_names != data_set.class_names:
        # Photographs that happen to show some of the classes only, which a CSV or folders tell.
        some = set(data_set.class_names) < set(class_names)
        advice = f"; write all of them into a {CLASSES_FILE} beside the photographs" if some else ""
        raise WsssError(
            f"{checkpoint} was trained on {len(class_names)} classes ({', '.join(class_names)}), "
            f"but {data_set.root} has {len(data_set.class_names)} "
            f"({', '.join(data_set.class_names)}){advice}"
        )


def find_attention(path: Path | None, run: Path, data: Path | None = None) -> Path:
    """The attention file given, else the run's.

    Args:
        path: The path that the option names, if any.
        run: The run.
        data: The data set given, for the command that a refusal names.

    Raises:
        UsageError: There is neither.
    """
    if path is not None:
        return path
    require_complete(run / "attend", "attend", instead="--attention FILE", data=data)
    from wsss_cli.artifacts.attention_file import INDEX

    return run / "attend" / INDEX


def find_proxies(path: Path | None, run: Path, data: Path | None = None) -> Path:
    """The folder of label maps given, else that of the run's proxy labels.

    Args:
        path: The path that the option names, if any.
        run: The run.
        data: The data set given, for the command that a refusal names.

    Raises:
        UsageError: There is neither.
    """
    if path is not None:
        return path
    require_complete(run / "proxy", "proxy", instead="--proxy DIR", data=data)
    return run / "proxy" / LABEL_FOLDERS["proxy"]


def find_scores(path: Path | None, run: Path, data: Path | None = None) -> Path:
    """The soft maps given, else the score file of the run's segmentation.

    Args:
        path: The path that the option names, if any.
        run: The run.
        data: The data set given, for the command that a refusal names.

    Raises:
        UsageError: There are neither.
    """
    if path is not None:
        return path
    require_complete(run / "segment", "segment", instead="--scores PATH", data=data)
    from wsss_cli.artifacts.score_file import INDEX

    return run / "segment" / INDEX


def require_arrays(scores: Path, *, logits: bool) -> None:
    """Refuse ``--logits`` for what is no folder: a score file says itself what it holds.

    Raises:
        UsageError: It is none.
    """
    if logits and not scores.is_dir():
        raise UsageError(f"--logits is for folders; {scores} is to be a score file, leave it out")


def saliency_folders(run: Path) -> dict[str, Path]:
    """The folders of maps that ``wsss saliency`` made in the run, by the option they stand for.

    Raises:
        UsageError: It began and has not finished.
    """
    directory = run / "saliency"
    if not (directory / MANIFEST).exists():
        return {}
    manifest = require_complete(directory, "saliency", instead="--saliency DIR")
    passes = manifest.get("settings", {}).get("passes")
    if passes not in (1, 2):
        again = recorded_command("saliency", manifest, run, overwrite=True)
        raise WsssError(
            f"{directory} does not record its --passes; run `{again}` or pass --saliency DIR"
        )
    folders = {"saliency": directory / MAPS, "second_saliency": directory / SECOND_MAPS}
    return dict(islice(folders.items(), passes))


def rule_saliency(config: ProxyConfig) -> dict[str, Path]:
    """The folders of grey maps that a proxy rule works with, by option.

    Raises:
        UsageError: It needs one that is not given.
    """
    names, needed = maps_of(config.rule), maps_of(config.rule, needed=True)
    folders = {name: getattr(config, name) for name in names}
    if needed and not any(folders.values()):  # maps of the user are not mixed with the run's
        made = saliency_folders(config.run)
        folders = {name: made.get(name) for name in names}
    for name in needed:
        if folders[name] is None:
            raise _without_saliency(f"the rule {config.rule}", config)
    return {name: folder for name, folder in folders.items() if folder is not None}


def rule_prediction(config: ProxyConfig) -> Path | None:
    """The folder of predicted label maps of a rule that revises labels; None for another rule.

    Raises:
        UsageError: It is not given.
    """
    if not config.chosen.revises:
        return None
    if config.prediction is None:
        raise UsageError(
            f"the rule {config.rule} revises labels by what a network predicts for the images; "
            "pass --prediction DIR, such as the predictions of `wsss segment` on the training split"
        )
    return config.prediction


def with_rule_at_hand(
    config: ProxyConfig, given: Set[str], track: Track, *, redrawn: bool | None = None
) -> ProxyConfig:
    """Choose a rule that needs no saliency where there is none and no rule was asked for.

    Of these rules irn leads on maps as a network gives them, threshold on those that were redrawn
    along colours already (docs/results-diary.md) and beside a CRF that was asked for.

    Args:
        config: Settings of the proxy labels.
        given: Fields that were given; an option of some rules asks for one of them.
        track: Told of the choice.
        redrawn: Whether the attention is redrawn along colours; None asks its file's stage.
    """
    of_rules = {"rule", *(field.name for field, _ in settings_of(RuleOptions))}
    if given & of_rules or saliency_folders(config.run):
        return config
    if redrawn is None:
        redrawn = _is_redrawn(config.attention, config.run)
    rule = "threshold" if redrawn or config.crf is not None else "irn"
    track.note(
        f"there are no saliency maps, so the rule is {rule}; labels with saliency are better: pass "
        "--saliency DIR, or make them with `wsss saliency` first"
    )
    return replace(config, rule=rule)


def _is_redrawn(attention: Path | None, run: Path) -> bool:
    """Whether an attention file, or the run's, is of a stage that redrew its maps along colours."""
    stage = run / "attend" if attention is None else attention.parent
    try:
        settings = read_manifest(stage).get("settings", {})
    except (OSError, WsssError):
        return False
    return bool(settings.get("colour_steps"))


def training_saliency(config: TrainConfig) -> Path | None:
    """The maps that a method learns from, a folder or a file; None for one that learns from none.

    Raises:
        UsageError: It needs them, and none are given or made in the run, or a file is given that is
            no attention.
    """
    if not learns_from_saliency(config.method):
        return None
    path = config.saliency or saliency_folders(config.run).get("saliency")
    if path is None:
        raise _without_saliency(f"the method {config.method}", config)
    if path.is_file():
        # Here, since what reads HDF5 takes a fifth of a second.
        from wsss_cli.artifacts.foreign_hdf5 import is_hdf5

        if not is_hdf5(path):
            raise UsageError(
                f"--saliency {path} is neither a folder of grey pictures nor an attention file; "
                "give one of them"
            )
    return path


def _without_saliency(who: str, config: CommonConfig) -> UsageError:
    make = command_line("saliency", model=UNSUPERVISED, data=config.data, run=config.run)
    return UsageError(
        f"{who} needs saliency maps; pass --saliency DIR (grey PNG by image id), or make them "
        f"first: `{make}` (a network is better; `wsss saliency` says where to get one)"
    )


def require_photographs(config: ProxyConfig, data_set: "DataSet | None") -> None:
    """Refuse a rule or a CRF that looks at photographs where no data set is known.

    Raises:
        UsageError: None is.
    """
    if config.viewer is not None and data_set is None:
        raise UsageError(f"{config.viewer} looks at the photographs; pass --data DIR")


def training_settings(run: Path) -> dict[str, Any]:
    """The recorded config of the run's training, empty where it has none."""
    try:
        config: dict[str, Any] = read_manifest(run / "train").get("config", {})
    except FileNotFoundError:
        return {}
    return config


def trained_weights(run: Path, backbone: str) -> str | None:
    """The initial weights of the run's training; None where it had another trunk."""
    trained = training_settings(run)
    return trained.get("weights") if trained.get("backbone") == backbone else None


def trained_split(split: str | None, run: Path, data_set: "DataSet") -> str:
    """The split, else the one that the run was trained on, else the data set's training list."""
    return split or training_settings(run).get("split") or data_set.training_split()


def data_if_known(config: CommonConfig, scored: str | None = None) -> "DataSet | None":
    """The data set given or recorded, None where there is neither.

    Args:
        config: Settings of the stage that asks.
        scored: Stage whose own data set counts before that of the stages before it.

    Raises:
        UsageError: The path given or recorded is no data set, or no longer there.
    """
    if config.data is not None:
        return _data_set(config.data)
    for stage in (*([scored] if scored else []), *STAGES):
        try:
            recorded = read_manifest(config.run / stage).get("data")
        except FileNotFoundError:
            continue
        if recorded:
            return _data_set(Path(recorded))
    return None
