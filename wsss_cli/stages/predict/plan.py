"""The plan of ``wsss predict``: everything checked before the first picture."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from wsss_cli.artifacts.checkpoint import checkpoint_kind
from wsss_cli.artifacts.fingerprint import file_fingerprint
from wsss_cli.artifacts.stage_directory import Input, StageDirectory
from wsss_cli.configs.predict import PredictConfig
from wsss_cli.data.photo_arguments import Photograph, Photographs
from wsss_cli.data.pictures import picture_id
from wsss_cli.device import resolve_device, resolve_precision
from wsss_cli.errors import UsageError, WsssError, listing
from wsss_cli.stages.predict.attention import load_attention
from wsss_cli.stages.predict.places import STAGE
from wsss_cli.stages.predict.predictor import Predictor
from wsss_cli.stages.predict.records import RECORDS, all_files, require_free
from wsss_cli.stages.predict.segmentation import label_path, load_segmentation
from wsss_cli.stages.predict.tasks import (
    Task,
    overlay_path,
    task_of,
    task_of_video,
    video_path,
)
from wsss_cli.tracking import Track

# Raised when the code changes its results.
VERSION = 1
# Files made on request beside the maps.
_EXTRAS = ("overlay", "probabilities")
WAY_OUT = "pass --overwrite to replace it, or another --out to keep both"


@dataclass(frozen=True)
class PredictPlan:
    """Everything checked before the first picture.

    Attributes:
        checkpoint: The network's file.
        kind: ``segmentation`` or ``attention``.
        predictor: The network, ready to look.
        photographs: The photographs that the arguments name.
    """

    config: PredictConfig
    checkpoint: Path
    kind: str
    predictor: Predictor
    photographs: Photographs
    device: torch.device
    precision: str
    directory: StageDirectory

    @property
    def out(self) -> Path:
        """The folder of results."""
        return self.directory.path

    def todo(self) -> "Todo":
        """List what is left to do.

        Raises:
            UsageError: Other results or files lie in the folder.
        """
        config, photographs = self.config, self.photographs
        state = self.directory.state(overwrite=config.overwrite, way_out=WAY_OUT)
        if state == "new":
            removed = all_files(self.out)
            for picture in (*photographs.pictures, *photographs.videos):
                require_free(self.out, picture.path, self.known_files(picture), removed)
            return Todo(
                state,
                [Task(picture) for picture in photographs.pictures],
                [Task(video) for video in photographs.videos],
            )
        tasks = [
            task_of(self.out, picture, self.known_files(picture), self.extras(picture.name).keys())
            for picture in photographs.pictures
        ]
        videos = [task_of_video(self.out, video) for video in photographs.videos]
        return Todo(
            state,
            [task for task in tasks if task is not None],
            [task for task in videos if task is not None],
        )

    def known_files(self, photograph: Photograph) -> list[PurePosixPath]:
        """The files that one will get; maps of classes are not known before these are found."""
        name = photograph.name
        if photograph in self.photographs.videos:
            return [PurePosixPath(video_path(photograph))]
        maps = [label_path(name)] if self.kind == "segmentation" else []
        return list(map(PurePosixPath, [*maps, *self.extras(name).values()]))

    def extras(self, name: str) -> dict[str, str]:
        """The files asked for beside a picture's maps, as its record names them."""
        paths = {}
        if self.config.overlay:
            paths["overlay"] = overlay_path(name)
        if self.config.probabilities:
            paths["numbers"] = f"{self.predictor.layout.content}/{numbers_id(name)}.h5"
        return paths

    def state(self, *, overwrite: bool) -> str:
        """How the result stands, of the pictures and videos given now."""
        del overwrite  # which is a setting here
        todo = self.todo()
        open_again = todo.state == "complete" and (todo.tasks or todo.videos)
        return "resumable" if open_again else todo.state

    def describe(self) -> dict[str, Any]:
        """Describe what would be done, for ``--dry-run``."""
        classifier = self.config.classifier
        return {
            "checkpoint": str(self.checkpoint),
            **({} if classifier is None else {"classifier": str(classifier)}),
            "kind": self.kind,
            "classes": ", ".join(self.predictor.class_names),
            "pictures": len(self.photographs.pictures),
            "videos": len(self.photographs.videos),
            "unreadable": len(self.photographs.unreadable),
            "out": str(self.out),
            **{name: True for name in _EXTRAS if getattr(self.config, name)},
            **{k: v for k, v in self.predictor.settings.items() if k != "kind"},
            "device": str(self.device),
            "precision": self.precision,
        }


@dataclass(frozen=True)
class Todo:
    """The work that is left.

    Attributes:
        state: How the folder of results stands: ``new``, ``resumable`` or ``complete``, which says
            nothing of pictures that it does not know.
        tasks: Tasks of the pictures.
        videos: Tasks of the videos.
    """

    state: str
    tasks: list[Task]
    videos: list[Task]


def prepare(
    config: PredictConfig, checkpoint: Path, photographs: Photographs, track: Track
) -> PredictPlan:
    """Load the network and check what remains to be checked.

    Raises:
        WsssError: The checkpoint or all pictures cannot be read.
        UsageError: Options do not belong together.
    """
    if not photographs.pictures and not photographs.videos:
        raise WsssError(f"nothing to predict: {photographs.unreadable_listing}")
    if config.probabilities:
        _check_ids(photographs)
    device = resolve_device(config.device)
    precision = resolve_precision(config.amp, device)
    kind = checkpoint_kind(checkpoint)
    predictor: Predictor
    if kind == "segmentation":
        predictor = load_segmentation(config, checkpoint, device, precision, track)
    elif kind == "attention":
        predictor = load_attention(config, checkpoint, device, precision)
    else:
        raise WsssError(
            f"{checkpoint} is a checkpoint for {kind}; give one of a finished `wsss segment` or "
            "`wsss train`"
        )
    undrawable = predictor.drawing.undrawable
    if undrawable and (config.overlay or photographs.videos):
        track.note(
            f"no font here has the letters of {listing(undrawable)}: overlays show the class's "
            "number instead"
        )
    about_sizes = predictor.remark([picture.size for picture in photographs.pictures])
    if about_sizes:
        track.note(about_sizes)
    directory = StageDirectory(
        path=config.out,
        stage=STAGE,
        stage_version=VERSION,
        settings={**predictor.settings, "precision": precision},
        inputs={
            name: Input(path, file_fingerprint(path))
            for name, path in (("checkpoint", checkpoint), ("classifier", config.classifier))
            if path is not None
        },
        owned=(),
        extras=(f"{RECORDS}/**/*", predictor.layout.index),  # the records know the others
        details={"class_names": list(predictor.class_names), "device": str(device)},
        option="--out",
    )
    return PredictPlan(
        config=config,
        checkpoint=checkpoint,
        kind=kind,
        predictor=predictor,
        photographs=photographs,
        device=device,
        precision=precision,
        directory=directory,
    )


def numbers_id(name: str) -> str:
    """Name a picture as in the HDF5 file: as in a data set of the same folder."""
    return picture_id(PurePosixPath(f"{name}.png"))


def _check_ids(photographs: Photographs) -> None:
    if photographs.videos:
        raise UsageError(
            f"--probabilities is of pictures, and {photographs.videos[0].path} is a video; predict "
            "it without, or into another --out"
        )
    ids: dict[str, Path] = {}
    for picture in photographs.pictures:
        other = ids.setdefault(numbers_id(picture.name), picture.path)
        if other != picture.path:
            raise UsageError(
                f"--probabilities: {other} and {picture.path} would both be "
                f"{numbers_id(picture.name)} in the HDF5 file; rename one of them"
            )
