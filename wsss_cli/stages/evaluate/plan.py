"""The plan of ``wsss evaluate``: everything checked before the first image."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from wsss_cli.artifacts.attention_file import INDEX, AttentionFile
from wsss_cli.artifacts.stage_commands import recorded_command
from wsss_cli.artifacts.stage_directory import read_manifest, require_complete
from wsss_cli.configs.common import record
from wsss_cli.configs.evaluate import EvaluateConfig
from wsss_cli.configs.results import LABEL_FOLDERS, RESULTS
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.images import check_images
from wsss_cli.data.label_folder import (
    other_files,
    png_files,
    png_ids,
    require_folder,
)
from wsss_cli.data.map_sizes import turned_masks
from wsss_cli.data.mask_survey import ImageLabels, known_labels
from wsss_cli.errors import UsageError, WsssError, listing
from wsss_cli.stages.attention_check import require_labelled_classes
from wsss_cli.stages.evaluate.baseline_inputs import find_baselines, missing_baselines
from wsss_cli.stages.evaluate.baselines import Baselines
from wsss_cli.stages.evaluate.chosen_threshold import ChosenThreshold, recorded_threshold
from wsss_cli.stages.evaluate.label_names import names_without_data_set
from wsss_cli.stages.image_loop import each_image
from wsss_cli.stages.inputs import data_if_known, find_attention, find_masks, masks_there
from wsss_cli.stages.label_map_check import require_recorded_classes
from wsss_cli.tracking import Track

T = TypeVar("T")


@dataclass(frozen=True)
class EvaluatePlan:
    """Everything checked before the first image.

    Attributes:
        class_names: Names of classes 1..C.
        source: Scored folder or file.
        rival: Folder or file of the same kind that it is compared with on the same images.
        image_ids: Images that have both a prediction and a truth.
        without_truth: How many predictions have no mask.
        missing_predictions: Masks of ``--gt`` that have no label map in ``--pred``.
        truth: True label map of each image.
        photographs: Photograph of each image, if they are to be looked at; else none.
        baselines: Baselines to score beside it, if asked for.
        baselines_missing: Those that cannot be scored, with the reason and the way to them, as JSON
            values; empty where all can or none is asked for.
        labels: Origin of the labels that attention is of, ``given`` or ``predicted``; None where
            its file does not say, and of label maps.
        threshold: The threshold of another run's evaluation, if asked for.
        data_set: The data set, where it is known.
        image_labels: Image-level labels of the images, where a data set is known.
    """

    config: EvaluateConfig
    class_names: tuple[str, ...]
    source: Path
    rival: Path | None
    image_ids: list[str]
    without_truth: int
    missing_predictions: list[str]
    truth: list[Path]
    photographs: list[Path]
    baselines: Baselines | None
    baselines_missing: Mapping[str, Any]
    labels: str | None
    threshold: ChosenThreshold | None
    data_set: DataSet | None
    image_labels: ImageLabels | None

    @property
    def in_rounds(self) -> bool:
        """Whether the run's attention is merged with that of earlier rounds."""
        of_run = self.config.what == "attention" and self.config.attention is None
        return of_run and "erase" in read_manifest(self.config.run / "attend")["inputs"]

    @property
    def keeps_scores(self) -> bool:
        """Whether the scores are kept in the run: not those of foreign folders and files."""
        foreign = self.config.attention if self.config.what == "attention" else self.config.pred
        return foreign is None

    @property
    def num_labels(self) -> int:
        """Labels including background."""
        return len(self.class_names) + 1

    def each(self, work: Callable[[int], T], track: Track, label: str = "scoring") -> Iterable[T]:
        """Results of ``work`` on every image, in order, with progress; the ranks share the work."""
        return each_image(range(len(self.image_ids)), work, track, label, self.config.workers)

    def describe(self) -> dict[str, Any]:
        """Describe what would be done, for ``--dry-run``."""
        return {
            **record(self.config),
            "source": str(self.source),
            "labels": self.labels,
            "against": None if self.rival is None else str(self.rival),
            "ground_truth": str(self.truth[0].parent),
            "images": len(self.image_ids),
            "without_ground_truth": self.without_truth,
            "without_prediction": len(self.missing_predictions),
        }


def prepare(config: EvaluateConfig, track: Track) -> EvaluatePlan:
    """Check what is scored, its truth and the classes.

    Raises:
        WsssError: Something is missing.
    """
    data_set = data_if_known(config, RESULTS[config.what].stage)
    source, image_ids = _scored(config, data_set, track)
    if data_set is not None and config.what != "attention":
        option = None if config.pred is None else "--pred"
        require_recorded_classes(source, option, data_set.class_names, data_set.root)
    if config.split is not None:
        image_ids = _of_split(config.split, data_set, source, image_ids)
    gt = find_masks(data_set) if config.gt is None and data_set is not None else config.gt
    if gt is None:
        raise UsageError("the true masks are not known; pass --gt DIR or --data DIR")
    require_folder(gt, "--gt")
    if data_set is not None:
        require_recorded_classes(gt, "--gt", data_set.class_names, data_set.root)
    masks = masks_there(image_ids, data_set, config.gt)
    scored_ids = list(masks)
    if not scored_ids:
        raise WsssError(
            f"none of the {len(image_ids)} images of {source} has a mask in {gt}; check that both "
            f"are of the same data set{other_files(gt, image_ids)}"
        )
    without_truth = len(image_ids) - len(scored_ids)
    if without_truth:
        unknown = sorted(set(image_ids) - set(scored_ids))
        track.note(
            f"{without_truth} of {len(image_ids)} images have no mask in {gt}: not scored: "
            f"{listing(unknown)}{other_files(gt, unknown)}"
        )
    if data_set is not None and config.gt is None:
        on_their_side = turned_masks(data_set, scored_ids)
        if on_their_side is not None:
            track.note(on_their_side)
    missing = []
    foreign = config.attention if config.what == "attention" else config.pred
    if foreign is not None and config.split is None:
        missing = sorted(set(png_ids(gt, "--gt")) - set(scored_ids))
        if missing:
            there = other_files(source, missing) if source.is_dir() else ""
            track.note(
                f"{len(missing)} masks of {gt} have nothing in {source}: not scored: "
                f"{listing(missing)}{there} (name the images that must be there with --split)"
            )
    rival = None if config.against is None else _rival(config, data_set, scored_ids)
    if rival is not None and rival.resolve() == source.resolve():
        raise UsageError(f"--against {config.against} is what is scored itself; name another run")
    if data_set is not None:
        names = data_set.class_names
    else:
        names = names_without_data_set(config, source, list(masks.values()), rival, track)
    threshold = None
    if config.threshold_from is not None:
        threshold = recorded_threshold(config.threshold_from, scored=source)
    baselines = find_baselines(config, data_set, scored_ids) if config.baselines else None
    return EvaluatePlan(
        config=config,
        class_names=names,
        source=source,
        rival=rival,
        image_ids=scored_ids,
        without_truth=without_truth,
        missing_predictions=missing,
        truth=list(masks.values()),
        photographs=_photographs(data_set, scored_ids) if config.difficulty else [],
        baselines=baselines,
        baselines_missing=(
            missing_baselines(config, data_set, baselines)
            if baselines and baselines.lacking
            else {}
        ),
        labels=_labels(source) if config.what == "attention" else None,
        threshold=threshold,
        data_set=data_set,
        image_labels=None if data_set is None else known_labels(data_set, scored_ids),
    )


def _labels(attention: Path) -> str | None:
    with AttentionFile(attention) as file:
        return file.labels


def _scored(
    config: EvaluateConfig, data_set: DataSet | None, track: Track
) -> tuple[Path, list[str]]:
    """Find what is scored, and the ids that it must cover."""
    if config.what == "attention":
        path = find_attention(config.attention, config.run, config.data)
        with AttentionFile(path, data_set.class_names if data_set else None) as file:
            if config.attention is not None and data_set is not None:
                for sentence in require_labelled_classes(file, data_set, file.image_ids):
                    track.note(sentence)
            return path, file.image_ids
    if config.pred is not None:
        return config.pred, png_ids(config.pred, "--pred")
    stage = RESULTS[config.what].stage
    manifest = require_complete(config.run / stage, stage, instead="--pred DIR", data=config.data)
    again = recorded_command(stage, manifest, config.run)
    folder = config.run / stage / LABEL_FOLDERS[config.what]
    image_ids = png_ids(folder, "--pred")
    if config.what == "prediction" and data_set is not None:
        lost = sorted(set(data_set.image_ids(manifest["config"]["split"])) - set(image_ids))
        if lost:
            raise WsssError(
                f"{folder} lacks the predictions of {listing(lost)}; make them again: `{again}`"
            )
    made = manifest.get("counts", {}).get("images", 0)
    if len(image_ids) < made:
        raise WsssError(
            f"{folder} holds {len(image_ids)} of the {made} label maps that were made; make the "
            f"others again: `{again}`"
        )
    return folder, image_ids


def _of_split(
    split: str, data_set: DataSet | None, source: Path, image_ids: Sequence[str]
) -> list[str]:
    """The images of a list, all of which must be there."""
    if data_set is None:
        raise UsageError("--split is a list of the data set; pass --data DIR")
    listed, there = data_set.image_ids(split), set(image_ids)
    missing = [image_id for image_id in listed if image_id not in there]
    if missing:
        raise WsssError(
            f"{source} lacks {len(missing)} of the {len(listed)} images of {split}: "
            f"{listing(missing, most=50)}; make them, none is skipped silently"
        )
    return listed


def _rival(config: EvaluateConfig, data_set: DataSet | None, image_ids: Sequence[str]) -> Path:
    """Find what ``--against`` names: the same stage of another run, or a folder or file as such.

    Raises:
        WsssError: It is not there, or lacks images.
    """
    assert config.against is not None
    path, stage = config.against, RESULTS[config.what].stage
    in_run = (path / stage).is_dir()
    if in_run:
        require_complete(path / stage, stage, instead="another --against RUN")
    if config.what == "attention":
        path = path / stage / INDEX if in_run else path
        if path.is_dir():
            raise UsageError(f"--against {path} has no attention; give a run or an attention file")
        with AttentionFile(
            path, data_set.class_names if data_set else None, option="--against"
        ) as file:
            file.require(image_ids)
        return path
    folder = path / stage / LABEL_FOLDERS[config.what] if in_run else path
    if not in_run and not next(folder.glob("*.png"), None):
        raise UsageError(
            f"--against {path} has neither a {stage} folder nor label maps; give another run or a "
            f"folder with ID.png files{other_files(folder) if folder.is_dir() else ''}"
        )
    png_files(folder, image_ids, "--against")
    if data_set is not None:
        require_recorded_classes(folder, "--against", data_set.class_names, data_set.root)
    return folder


def _photographs(data_set: DataSet | None, image_ids: Sequence[str]) -> list[Path]:
    if data_set is None:
        raise UsageError("--difficulty looks at the photographs; pass --data DIR")
    paths = [data_set.image_path(image_id) for image_id in image_ids]
    check_images(paths)
    return paths
