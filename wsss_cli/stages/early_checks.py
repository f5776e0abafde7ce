"""Wrong usage of a stage that can be told before torch is imported, which takes seconds.

Each check here is one that the stage makes as well, in the same words; nothing here imports torch.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wsss_cli.artifacts.atomic import require_place
from wsss_cli.artifacts.html_page import require_page_place
from wsss_cli.artifacts.stage_directory import read_manifests, require_complete
from wsss_cli.artifacts.trackers import require_tracker
from wsss_cli.command_line import FOLDER, command_line
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.backbones import weights_of
from wsss_cli.configs.crf import CrfConfig
from wsss_cli.configs.evaluate import EvaluateConfig
from wsss_cli.configs.predict import PredictConfig
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.refine import RefineConfig
from wsss_cli.configs.report import ReportConfig
from wsss_cli.configs.results import RESULTS
from wsss_cli.configs.saliency import SaliencyConfig
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.segmentation_models import SEGMENTATION_MODELS, model_of
from wsss_cli.configs.setting import option
from wsss_cli.configs.train import TrainConfig
from wsss_cli.data.label_folder import grey_files, require_folder, require_pngs
from wsss_cli.errors import UsageError, near_path
from wsss_cli.models.onnx_network import require_onnxruntime
from wsss_cli.stages.inputs import (
    data_if_known,
    find_attention,
    find_data,
    find_masks,
    find_proxies,
    find_scores,
    require_arrays,
    require_photographs,
    rule_prediction,
    rule_saliency,
    trained_split,
    training_saliency,
    training_settings,
)
from wsss_cli.stages.predict.places import find_checkpoint, require_own_folder


def check_usage(stage: str, config: Any) -> None:  # noqa: ANN401 - each stage's own
    """Refuse what a stage cannot be meant to do.

    Args:
        stage: Name of the stage.
        config: Its config.

    Raises:
        WsssError: An earlier stage, a list, a folder or the data set is missing or wrong.
    """
    _CHECKS.get(stage, find_data)(config)


def require_run(run: Path) -> dict[str, dict[str, Any]]:
    """The manifests of a run by stage.

    Raises:
        UsageError: The folder does not exist, or holds no run.
    """
    manifests = read_manifests(run)
    if not manifests:
        if not run.exists():
            near = near_path(run)
            if near:
                raise UsageError(f"{run} does not exist{near}")
        start = command_line("train", data=FOLDER, run=run)
        raise UsageError(f"{run} holds no run; start one with `{start}`")
    return manifests


def require_trained(run: Path) -> None:
    """Refuse a run without a finished training, whose network could be looked at.

    Raises:
        UsageError: There is none.
    """
    require_complete(run / "train", "train", instead="another RUN")


def check_report(config: ReportConfig) -> None:
    """Refuse a page about nothing, or one that has no place.

    Raises:
        UsageError: A run holds nothing, or there is no place for the page.
    """
    for run in config.runs:
        require_run(run)
    require_page_place(config.page, "--out")


def _require_attention_file(path: Path | None) -> None:
    """Refuse a file that is no attention; None is that of the run, which a stage has written."""
    if path is not None:
        # Here, since what reads HDF5 takes a fifth of a second.
        from wsss_cli.artifacts.attention_file import AttentionFile

        with AttentionFile(path):
            pass


def _find_attention(config: ProxyConfig | RefineConfig | SegmentConfig | EvaluateConfig) -> None:
    """Refuse attention that is not there, or a file given that is none."""
    find_attention(config.attention, config.run, config.data)
    _require_attention_file(config.attention)


def _require_score_file(path: Path | None) -> None:
    """As :func:`_require_attention_file`, of soft scores, which may also be a folder."""
    if path is not None and path.is_file():
        from wsss_cli.artifacts.score_file import ScoreFile

        with ScoreFile(path):
            pass


def _train(config: TrainConfig) -> None:
    require_tracker(config.tracker)
    data_set = find_data(config)
    data_set.image_ids(config.split or data_set.training_split())
    if config.start is None:
        weights_of(config.weights, config.backbone)
    saliency = training_saliency(config)
    if saliency is None:
        return
    if saliency.is_file():
        _require_attention_file(saliency)
    else:
        require_folder(saliency, "--saliency")


def _attend(config: AttendConfig) -> None:
    if config.model is not None:
        require_onnxruntime(f"--model {config.model}")
    elif config.checkpoint is None:
        require_complete(
            config.run / "train", "train", instead="--checkpoint FILE", data=config.data
        )
    data_set = find_data(config)
    data_set.image_ids(trained_split(config.split, config.run, data_set))


def _saliency(config: SaliencyConfig) -> None:
    config.required_model()
    data_set = find_data(config)
    data_set.image_ids(trained_split(config.split, config.run, data_set))


def _proxy(config: ProxyConfig) -> None:
    for name, folder in rule_saliency(config).items():
        require_folder(folder, option(name))
    prediction = rule_prediction(config)
    if prediction is not None:
        require_pngs(prediction, "--prediction")
    _find_attention(config)
    require_photographs(config, data_if_known(config))


def _require_proxies(config: RefineConfig | SegmentConfig) -> None:
    folder = find_proxies(config.proxy, config.run, config.data)
    if config.proxy is not None:
        require_pngs(folder, "--proxy")


def _refine(config: RefineConfig) -> None:
    config.require_way()
    if config.regions is not None:
        require_folder(config.regions, "--regions")
    if config.edges:
        _require_proxies(config)
        backbone = config.backbone or training_settings(config.run).get("backbone", "vgg16")
        weights_of(config.weights, backbone)
    _find_attention(config)
    find_data(config)


def _segment(config: SegmentConfig) -> None:
    if config.submission is not None:
        require_place(config.submission, "--submission")
    require_tracker(config.tracker)
    data_set = find_data(config)
    data_set.image_ids(config.split)
    if config.checkpoint is not None:
        return
    split = trained_split(config.train_split, config.run, data_set)
    data_set.image_ids(split, option="--train-split")
    if config.supervision == "full":
        find_masks(data_set)
    else:
        _require_proxies(config)
    if config.corrected is not None:
        require_pngs(config.corrected, "--corrected")
    if config.pixel_weights is not None:
        grey_files(config.pixel_weights, data_set.image_ids(split), "--pixel-weights")
    backbone = training_settings(config.run).get("backbone", "vgg16")
    model = config.model or model_of(backbone)
    weights_of(config.weights, SEGMENTATION_MODELS[model].backbone)
    if config.prohibitive:
        _find_attention(config)


def _crf(config: CrfConfig) -> None:
    find_data(config)
    scores = find_scores(config.scores, config.run, config.data)
    require_arrays(scores, logits=config.logits)
    _require_score_file(config.scores)


def _evaluate(config: EvaluateConfig) -> None:
    stage = RESULTS[config.what].stage
    data_set = data_if_known(config, stage)
    if config.what == "attention":
        _find_attention(config)
    elif config.pred is None:
        require_complete(config.run / stage, stage, instead="--pred DIR", data=config.data)
    else:
        require_pngs(config.pred, "--pred")
    if config.gt is not None:
        require_folder(config.gt, "--gt")
    elif data_set is not None:
        require_folder(find_masks(data_set), "--gt")
    else:
        raise UsageError("the true masks are not known; pass --gt DIR or --data DIR")
    if data_set is not None:
        if config.split is not None:
            data_set.image_ids(config.split)
        return
    needing = {
        "--split": (config.split is not None, "is a list of the data set"),
        "--difficulty": (config.difficulty, "looks at the photographs"),
        "--baselines": (config.baselines, "needs the image-level labels"),
    }
    for name, (asked, why) in needing.items():
        if asked:
            raise UsageError(f"{name} {why}; pass --data DIR")


def _predict(config: PredictConfig) -> None:
    find_checkpoint(config.checkpoint)
    require_own_folder(config.out)  # it looks for the photographs before it imports torch, too


_CHECKS: Mapping[str, Callable[[Any], None]] = {
    "train": _train,
    "attend": _attend,
    "saliency": _saliency,
    "proxy": _proxy,
    "refine": _refine,
    "segment": _segment,
    "crf": _crf,
    "evaluate": _evaluate,
    "predict": _predict,
}
