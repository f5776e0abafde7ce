"""Prediction of pictures, one after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wsss_cli.artifacts.overlay import write_overlay
from wsss_cli.data.exif_orientation import as_seen, stored_size
from wsss_cli.data.images import Pixels, read_image
from wsss_cli.data.photo_arguments import Photograph
from wsss_cli.device import resolve_workers
from wsss_cli.errors import UsageError, WsssError
from wsss_cli.stages.image_loop import pipeline
from wsss_cli.stages.predict.plan import PredictPlan, numbers_id
from wsss_cli.stages.predict.predictor import Prediction
from wsss_cli.stages.predict.records import Source, claim, files_of
from wsss_cli.stages.predict.tasks import Task

# Of decoded pictures that wait for the network, in threads: cameras' are 36 MB or more each.
_WAITING_BYTES = 2**29


@dataclass(frozen=True)
class Failure:
    """A picture that could not be predicted, and why."""

    picture: Photograph
    reason: str


def predict_pictures(plan: PredictPlan, tasks: list[Task]) -> Iterator[Failure | Photograph]:
    """Predict pictures, decoding ahead in threads and writing behind in one.

    Returns:
        Each picture, when its files are written, or why it could not be predicted.
    """
    out = plan.out

    def load(task: Task) -> tuple[Task, Pixels, Source] | Failure:
        picture = task.picture
        try:
            source = Source.of(picture.path)
            return task, as_seen(read_image(picture.path), picture.orientation), source
        except WsssError as error:
            return Failure(picture, _reason(error))
        except OSError as error:
            return Failure(picture, error.strerror or str(error))

    def compute(
        pictures: Iterator[tuple[Task, Pixels, Source] | Failure],
    ) -> Iterator[tuple[Task, Pixels, Source, Prediction] | Failure]:
        for loaded in pictures:
            if isinstance(loaded, Failure):
                yield loaded
                continue
            task, image, source = loaded
            prediction = None
            name = task.picture.name
            if task.kept and (plan.extras(name).keys() - task.kept.keys()) <= {"overlay"}:
                try:
                    prediction = plan.predictor.read(out, name, task.picture.orientation)
                except WsssError as error:
                    yield Failure(task.picture, str(error))
                    continue
            yield task, image, source, prediction or plan.predictor.predict(image)

    def write(
        predicted: tuple[Task, Pixels, Source, Prediction] | Failure,
    ) -> Failure | Photograph:
        if isinstance(predicted, Failure):
            return predicted
        task, image, source, prediction = predicted
        try:
            _write(plan, task, image, source, prediction)
        except UsageError as error:
            return Failure(task.picture, str(error))
        except OSError as error:
            return Failure(task.picture, error.strerror or str(error))
        return task.picture

    return pipeline(tasks, load, compute, write, _workers(plan, tasks))


def _write(
    plan: PredictPlan, task: Task, image: Pixels, source: Source, prediction: Prediction
) -> None:
    """Write what is made of a picture, its record first."""
    out, name, orientation = plan.out, task.picture.name, task.picture.orientation
    extras = {key: path for key, path in plan.extras(name).items() if key not in task.kept}
    files = {**(task.kept or prediction.map_files(name)), **extras}
    height, width = image.shape[:2]
    facts: dict[str, Any] = {
        "size": list(stored_size((height, width), orientation)),
        "exif_orientation": orientation,
        **dict(sorted(files.items())),
        "classes": prediction.classes(),
    }
    claim(out, name, source, facts, files_of(task.kept))
    if not task.kept:
        prediction.write_maps(out, name, orientation)
    if "overlay" in extras:
        write_overlay(out / extras["overlay"], prediction.overlay(image))
    if "numbers" in extras:
        prediction.write_numbers(out / extras["numbers"], numbers_id(name), orientation)


def _workers(plan: PredictPlan, tasks: list[Task]) -> int:
    """Threads that decode: fewer where pictures are so large that those waiting fill the memory."""
    largest = max((3 * task.picture.size[0] * task.picture.size[1] for task in tasks), default=1)
    return min(resolve_workers(plan.config.workers), max(1, _WAITING_BYTES // (2 * largest)))


def _reason(error: WsssError) -> str:
    """Why a picture cannot be read, without the advice for lists of a data set."""
    return f"it is no readable picture ({error.__cause__})" if error.__cause__ else str(error)
