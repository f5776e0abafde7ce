"""Prediction of videos: each frame is a picture, and the overlays are a video again."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from itertools import repeat
from typing import Any

from wsss_cli.artifacts.video_file import Video, new_video, opened_video
from wsss_cli.data.images import Pixels
from wsss_cli.data.loading import prefetch
from wsss_cli.data.photo_arguments import Photograph
from wsss_cli.errors import WsssError
from wsss_cli.stages.predict.plan import PredictPlan
from wsss_cli.stages.predict.records import Source, claim
from wsss_cli.stages.predict.tasks import video_path
from wsss_cli.tracking import Track

# A file that ends so much before its own account of frames was cut off.
_WHOLE = 0.95


def predict_video(plan: PredictPlan, video: Photograph, track: Track) -> None:
    """Write a video of overlays, frame by frame in bounded memory.

    Raises:
        WsssError: It cannot be read, or its overlays cannot be written.
    """
    source = Source.of(video.path)
    seen: dict[int, dict[str, Any]] = {}
    with (
        opened_video(video.path) as reader,
        closing(_overlays(plan, reader, seen)) as frames,
    ):
        outline = reader.outline
        if not outline.fps_known:
            track.note(f"{video.path} does not say its frame rate; {outline.fps:g} is assumed")
        first = next(frames, None)
        if first is None:
            raise WsssError(f"{video.path} is not a readable video (it has no frame)")
        size = first.shape[0], first.shape[1]
        count = 0
        with new_video(plan.out / video_path(video), size, outline.fps) as writer:
            steps = track.steps(
                _from(first, frames),
                total=outline.frames,
                label=f"predicting {video.path.name}",
                unit="frames",
            )
            for frame in steps:
                writer.write(frame)
                count += 1
            facts = {
                "video": video_path(video),
                "size": list(size),
                "fps": outline.fps,
                "frames": count,
                "declared_frames": outline.frames,
                "classes": [_over(count, totals) for totals in seen.values()],
            }
            # Before the video has its name, which it gets when the writer ends.
            claim(plan.out, video.name, source, facts)


def break_off(record: Mapping[str, Any]) -> str | None:
    """Why the record of a video is not of all of it; None where it is."""
    count, declared = record.get("frames"), record.get("declared_frames")
    if not isinstance(count, int) or not isinstance(declared, int):
        return None
    if count >= _WHOLE * declared - 1:
        return None
    return f"it breaks off after {count} of {declared} frames, whose overlays are written"


def _overlays(
    plan: PredictPlan, reader: Video, seen: dict[int, dict[str, Any]]
) -> Generator[Pixels, None, None]:
    """Each frame with what was found, which is added to ``seen`` by class."""
    size = None
    with closing(_ahead(reader.frames())) as decoded:
        for frame in decoded:
            size = size or frame.shape
            if frame.shape != size:
                raise WsssError(f"{reader.path} changes the size of its frames")
            prediction = plan.predictor.predict(frame)
            for record in prediction.classes():
                sums = seen.setdefault(record["id"], {**record, "share": 0.0, "frames": 0})
                sums["frames"] += 1
                if "share" in record:
                    sums["share"] += record["share"]
                else:
                    sums["probability"] = max(sums["probability"], record["probability"])
            yield prediction.overlay(frame)


def _over(frames: int, sums: dict[str, Any]) -> dict[str, Any]:
    """The sums of a class as means over all frames; a probability is the largest one."""
    if "probability" in sums:
        return {key: value for key, value in sums.items() if key != "share"}
    return {**sums, "share": round(sums["share"] / frames, 6)}


def _from(first: Pixels, others: Iterator[Pixels]) -> Iterator[Pixels]:
    yield first
    yield from others


def _ahead(frames: Iterator[Pixels]) -> Generator[Pixels, None, None]:
    """The same frames, the next one decoded while the network looks at one."""
    # Closed before the file is: FFmpeg never returns from reading what is closed meanwhile.
    with closing(prefetch(lambda _: next(frames, None), repeat(None), workers=1)) as decoded:
        for frame in decoded:
            if frame is None:
                return
            yield frame
