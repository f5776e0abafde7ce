"""``wsss crf``: refine soft maps of any origin by the dense CRF."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wsss_cli import ranks
from wsss_cli.artifacts.label_png import write_label_map
from wsss_cli.artifacts.plain_png import write_png
from wsss_cli.artifacts.score_file import ScoreFile
from wsss_cli.artifacts.soft_map_folder import SoftMapFolder
from wsss_cli.artifacts.stage_directory import StageDirectory
from wsss_cli.configs.common import record
from wsss_cli.configs.crf import CrfConfig
from wsss_cli.configs.results import LABEL_FOLDERS, WEIGHTS_FOLDER
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.images import check_images
from wsss_cli.data.loading import prefetch
from wsss_cli.data.map_sizes import if_turned
from wsss_cli.data.mask_survey import known_labels
from wsss_cli.device import one_thread_each, resolve_device, resolve_workers
from wsss_cli.errors import WsssError
from wsss_cli.ops.dense_crf import refined_labels
from wsss_cli.ops.pixel_weights import crf_uncertainty, pixel_weights
from wsss_cli.ops.score_grid import evenly, interpolate_at, label_probabilities
from wsss_cli.stages.image_loop import Share
from wsss_cli.stages.input_kinds import images_input, scores_input
from wsss_cli.stages.inputs import find_data, find_scores, require_arrays
from wsss_cli.stages.label_shares import shares_of_files, warnings
from wsss_cli.stages.result import Report, make, result_directory
from wsss_cli.tracking import Track

REFINED, WEIGHTS = LABEL_FOLDERS["crf"], WEIGHTS_FOLDER

SoftMaps = ScoreFile | SoftMapFolder


@dataclass(frozen=True)
class CrfPlan:
    """Everything checked before the first image."""

    config: CrfConfig
    data_set: DataSet
    scores: Path
    image_ids: list[str]
    device: torch.device
    directory: StageDirectory

    def describe(self) -> dict[str, Any]:
        """Describe what would be done, for ``--dry-run``."""
        return {
            **record(self.config),
            **asdict(self.config.chosen),
            "data": str(self.data_set.root),
            "scores": str(self.scores),
            "images": len(self.image_ids),
            "device": str(self.device),
        }


def prepare(config: CrfConfig, track: Track) -> CrfPlan:
    """Check soft maps, photographs, device and the run before any work.

    Raises:
        WsssError: Something is missing or broken.
    """
    del track
    if "preset" in config.without_effect():  # then its name makes no other result
        config = replace(config, preset=CrfConfig.preset)
    data_set = find_data(config)
    scores = find_scores(config.scores, config.run, config.data)
    device = resolve_device(config.device)
    with _opened(scores, config, data_set) as maps:
        image_ids = maps.image_ids
        sizes = check_images(map(data_set.image_path, image_ids))
        # What is wrong with one is mostly wrong with all: seen now, it costs no earlier result.
        _probabilities(maps, image_ids[0], sizes[0], torch.device("cpu"))
        soft_maps = scores_input(maps)
    directory = result_directory(
        "crf",
        config,
        {"scores": soft_maps, "images": images_input(data_set, image_ids)},
        data=data_set.root,
        class_names=data_set.class_names,
        device=device,
        resolved=asdict(config.chosen),
    )
    return CrfPlan(
        config=config,
        data_set=data_set,
        scores=scores,
        image_ids=image_ids,
        device=device,
        directory=directory,
    )


@contextmanager
def _opened(scores: Path, config: CrfConfig, data_set: DataSet) -> Iterator[SoftMaps]:
    """The folder of arrays or the score file that lies there."""
    if scores.is_dir():
        yield SoftMapFolder(scores, len(data_set.class_names) + 1, logits=config.logits)
        return
    require_arrays(scores, logits=config.logits)
    with ScoreFile(scores, data_set.class_names) as file:
        yield file


def run(config: CrfConfig, *, track: Track) -> Report:
    """Write a label map per image, with ``--uncertainty`` also weights; leave out what is there.

    Raises:
        WsssError: The inputs are wrong or the disk is full.
    """
    plan = prepare(config, track)
    report = make(plan.directory, _refine_images, plan, track, overwrite=config.overwrite)
    if not config.uncertainty:
        return report
    # They are no part of the result, so a complete one may lack them.
    missing = not ranks.agreed(lambda: all(not _lacking(plan, i) for i in plan.image_ids))
    if missing:
        with plan.directory.claimed():
            plan.directory.reopen()
            _make(plan, track)
    return replace(
        report,
        up_to_date=report.up_to_date and not missing,
        values={**report.values, "weights": str(plan.directory.path / WEIGHTS)},
    )


def _refine_images(plan: CrfPlan, track: Track) -> dict[str, Any]:
    """Write what is not there; returns the counts."""
    plan.directory.begin(overwrite=plan.config.overwrite)
    made = _make(plan, track)
    shares = shares_of_files(
        [_path(plan, REFINED, image_id) for image_id in plan.image_ids],
        known_labels(plan.data_set, plan.image_ids),
        plan.config.workers,
    ).values(plan.data_set.class_names)
    return {**made, **shares, "warnings": warnings(shares, "label maps")}


def _make(plan: CrfPlan, track: Track) -> dict[str, Any]:
    """Write the label maps and weights that are not there; returns how many images that were."""
    share = Share(plan.image_ids, lambda image_id: bool(_lacking(plan, image_id)))
    with _opened(plan.scores, plan.config, plan.data_set) as maps, one_thread_each():

        def refine(image_id: str) -> None:
            lacking = _lacking(plan, image_id)
            for folder, pixels in _refined(plan, maps, image_id, lacking).items():
                write = write_label_map if folder == REFINED else write_png
                write(_path(plan, folder, image_id), pixels.numpy())

        refined = prefetch(refine, share.missing, resolve_workers(plan.config.workers))
        for _ in share.follow(refined, track, "refining"):
            pass
    return share.made()


def _wanted(plan: CrfPlan) -> list[str]:
    """Folders that are to have a picture of every image."""
    return [REFINED, WEIGHTS] if plan.config.uncertainty else [REFINED]


def _lacking(plan: CrfPlan, image_id: str) -> list[str]:
    """Those of the folders that have none of an image yet."""
    return [folder for folder in _wanted(plan) if not _path(plan, folder, image_id).exists()]


def _path(plan: CrfPlan, folder: str, image_id: str) -> Path:
    return plan.directory.path / folder / f"{image_id}.png"


def refined_image(plan: CrfPlan, image_id: str) -> dict[str, Tensor]:
    """What the stage makes of one image, (H, W) uint8 by folder, without writing it."""
    with _opened(plan.scores, plan.config, plan.data_set) as maps:
        return _refined(plan, maps, image_id, _wanted(plan))


def _refined(
    plan: CrfPlan, maps: SoftMaps, image_id: str, folders: Sequence[str]
) -> dict[str, Tensor]:
    """(H, W) uint8 of one image by folder, on the CPU: its label map and its weights, of 255."""
    image = torch.from_numpy(plan.data_set.read_image(image_id)).to(plan.device)
    height, width = image.shape[:2]
    probabilities = _probabilities(maps, image_id, (height, width), plan.device)
    pixels = {}
    if REFINED in folders:
        pixels[REFINED] = refined_labels(probabilities, image, plan.config.chosen).cpu()
    if WEIGHTS in folders:
        weights = pixel_weights(crf_uncertainty(probabilities, image, plan.config.chosen))
        pixels[WEIGHTS] = (255 * weights).round().to(torch.uint8).cpu()
    return pixels


def _probabilities(
    maps: SoftMaps, image_id: str, size: tuple[int, int], device: torch.device
) -> Tensor:
    """(L, H, W) float32 probabilities of one image.

    Raises:
        WsssError: The maps are of another image, by their size.
    """
    if isinstance(maps, ScoreFile):
        image = maps.read(image_id)
        if image.size != size:
            raise _misfit(maps.path, f"image {image_id} is recorded as", image.size, size)
        return label_probabilities(torch.from_numpy(image.scores).to(device), size)
    soft = torch.from_numpy(maps.read(image_id)).to(device)  # (L, h, w)
    if soft.shape[1] > size[0] or soft.shape[2] > size[1]:
        raise _misfit(maps.path, f"the maps of {image_id} are", soft.shape[1:], size)
    if maps.logits:
        return label_probabilities(soft, size)
    for dim, side in zip((-2, -1), size, strict=True):
        soft = interpolate_at(soft, evenly(side, soft.shape[dim]), dim)
    return soft


def _misfit(path: Path, subject: str, sides: Any, size: tuple[int, int]) -> WsssError:  # noqa: ANN401
    return WsssError(
        f"{path}: {subject} {sides[0]} x {sides[1]}, but its photograph is {size[0]} x {size[1]} "
        "(height x width); give maps of these photographs, of their size or smaller"
        f"{if_turned(tuple(sides), size)}"
    )
