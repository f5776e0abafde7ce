"""The work of ``wsss predict`` after all checks: pictures, videos, and what is told of them."""

import time
from pathlib import Path
from typing import Any

from wsss_cli import ranks
from wsss_cli.artifacts.image_groups import write_links
from wsss_cli.artifacts.stage_directory import MANIFEST
from wsss_cli.data.photo_arguments import Photograph
from wsss_cli.errors import WsssError, listing
from wsss_cli.stages.image_loop import Share
from wsss_cli.stages.predict.pictures import Failure, predict_pictures
from wsss_cli.stages.predict.places import STAGE
from wsss_cli.stages.predict.plan import PredictPlan
from wsss_cli.stages.predict.records import (
    all_files,
    forget,
    is_whole,
    read_record,
    recorded_names,
)
from wsss_cli.stages.predict.tasks import Task
from wsss_cli.stages.predict.videos import break_off, predict_video
from wsss_cli.stages.result import Report
from wsss_cli.tracking import Track


def predict(plan: PredictPlan, track: Track) -> Report:
    """Predict what has no result yet, and report what is there then.

    Raises:
        UsageError: Other results lie in the folder.
        WsssError: The disk is full.
    """
    directory, overwrite = plan.directory, plan.config.overwrite
    started = time.monotonic()
    todo = plan.todo()
    due = len(todo.tasks) + len(todo.videos)
    failures: list[Failure] = []
    idle = not due and todo.state == "complete" and not _lacks_index(plan)
    if not idle:
        with directory.claimed():
            if todo.state == "new" and ranks.first() and (plan.out / MANIFEST).exists():
                _clear(plan, track)
            directory.begin(overwrite=overwrite)
            failures = _predict(plan, todo.tasks, todo.videos, track)
            _write_index(plan)
            counts = {
                "pictures": len(plan.photographs.pictures),
                "videos": len(plan.photographs.videos),
            }
            directory.complete(counts)
    return _report(plan, failures, due, started, up_to_date=idle)


def _predict(
    plan: PredictPlan, tasks: list[Task], videos: list[Task], track: Track
) -> list[Failure]:
    """Predict pictures, then videos; returns what could not be, by all ranks."""
    changed = [task.picture.path.name for task in (*tasks, *videos) if task.changed]
    if changed:
        track.note(
            f"changed since they were predicted, and predicted again: {listing(changed, most=5)}"
        )
    left = {task.picture.name: task for task in tasks}
    share = Share(plan.photographs.pictures, lambda picture: int(picture.name in left))
    steps = predict_pictures(plan, [left[picture.name] for picture in share.missing])
    outcomes = share.follow(steps, track, "predicting")
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    for task in ranks.mine(videos):
        try:
            predict_video(plan, task.picture, track)
        except WsssError as error:
            failures.append(Failure(task.picture, str(error)))
        except OSError as error:
            failures.append(Failure(task.picture, error.strerror or str(error)))
    return [failure for part in ranks.gathered(failures) for failure in part]


def _clear(plan: PredictPlan, track: Track) -> None:
    """Remove the results of other settings, each file before the record that knows it."""
    names = list(recorded_names(plan.out))
    names_now = {picture.name for picture in (*plan.photographs.pictures, *plan.photographs.videos)}
    lost = [name for name in names if name not in names_now]
    if lost:
        track.note(f"results of pictures not given now are removed too: {listing(lost, most=5)}")
    for name in names:
        forget(plan.out, name)


def _numbers_there(plan: PredictPlan) -> dict[str, Path]:
    """The HDF5 file of each picture that has one, by the picture's id, of all calls."""
    if not (plan.out / plan.predictor.layout.content).is_dir():
        return {}  # without reading the record of every picture
    paths = (plan.out / path for path in sorted(all_files(plan.out)) if path.suffix == ".h5")
    return {path.stem: path for path in paths if path.is_file()}


def _lacks_index(plan: PredictPlan) -> bool:
    there = _numbers_there(plan)
    return bool(there) and not (plan.out / plan.predictor.layout.index).exists()


def _write_index(plan: PredictPlan) -> None:
    """Link the numbers of all pictures that have some."""
    ranks.wait_for_all()
    if not ranks.first():
        return
    there = _numbers_there(plan)
    index = plan.out / plan.predictor.layout.index
    if there:
        write_links(
            index, plan.predictor.layout, there, plan.predictor.class_names, plan.predictor.about
        )
    else:
        index.unlink(missing_ok=True)


def _report(
    plan: PredictPlan, failures: list[Failure], due: int, started: float, *, up_to_date: bool
) -> Report:
    """Report on the results that are there now."""
    failed = {str(path): reason for path, reason in plan.photographs.unreadable.items()}
    failed |= {str(failure.picture.path): failure.reason for failure in failures}
    not_made = {failure.picture.name for failure in failures}
    for video in plan.photographs.videos:
        record = read_record(plan.out, video.name)
        if record is None or video.name in not_made or not is_whole(plan.out, record):
            continue
        why = break_off(record)
        if why is not None:
            failed[str(video.path)] = why

    def described(pictures: list[Photograph]) -> list[dict[str, Any]]:
        made = [picture for picture in pictures if picture.name not in not_made]
        records = [(picture, read_record(plan.out, picture.name)) for picture in made]
        return [
            _described(plan.out, picture, record)
            for picture, record in records
            if record is not None and is_whole(plan.out, record)
        ]

    seconds = time.monotonic() - started
    made = due - len(failures)
    total = len(plan.photographs.pictures) + len(plan.photographs.videos)
    values = {
        "checkpoint": str(plan.checkpoint),
        "kind": plan.kind,
        "class_names": list(plan.predictor.class_names),
        "images": len(plan.photographs.pictures),
        "written": made,
        "skipped": total - due,
        "seconds": round(seconds, 2),
        "pictures": described(plan.photographs.pictures),
        "videos": described(plan.photographs.videos),
        "failed": [{"file": file, "reason": reason} for file, reason in failed.items()],
        "remarks": plan.photographs.remarks,
    }
    if plan.config.probabilities:
        values[plan.predictor.layout.content] = str(plan.out / plan.predictor.layout.index)
    failure = None
    if failed:
        examples = listing([f"{file} ({reason})" for file, reason in failed.items()], most=5)
        failure = (
            f"{len(failed)} of {total + len(plan.photographs.unreadable)} files could not be "
            f"predicted, the others are done: {examples}"
        )
    return Report(STAGE, plan.out, up_to_date, values, failure)


def _described(out: Path, picture: Photograph, record: dict[str, Any]) -> dict[str, Any]:
    """A record as the report has it: paths as they can be opened, nothing about its making."""
    facts = {key: value for key, value in record.items() if key not in ("source", "numbers")}
    for key in ("label_map", "overlay", "video"):
        if facts.get(key):
            facts[key] = str(out / facts[key])
    if "maps" in facts:
        facts["maps"] = {name: str(out / path) for name, path in facts["maps"].items()}
    return {"file": str(picture.path), **facts}
