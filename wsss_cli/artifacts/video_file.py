"""Videos, read and written frame by frame by OpenCV's FFmpeg."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.atomic import PARTIAL_SUFFIX, unwritable
from wsss_cli.artifacts.image_size import is_believable
from wsss_cli.artifacts.video_formats import DEMUXERS, is_video
from wsss_cli.errors import WsssError

Pixels = npt.NDArray[np.uint8]

# MPEG-4 in MP4: what FFmpeg writes everywhere without further libraries.
SUFFIX = ".mp4"
_CODEC = "mp4v"
# Frames a second where a video does not say, or says what no camera does.
USUAL_FPS = 25.0
_FASTEST = 240.0
_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
# Only files, only these formats: none of them then opens another file or an address.
_ONLY_FILES = f"protocol_whitelist;file|format_whitelist;{','.join(DEMUXERS)}"


@dataclass(frozen=True)
class VideoOutline:
    """What a video says of itself.

    Attributes:
        size: (H, W) of a frame, as it is shown.
        fps: Frames a second.
        fps_known: Whether the file says so.
        frames: How many there are, by the file's own account; 0 where it has none.
    """

    size: tuple[int, int]
    fps: float
    fps_known: bool
    frames: int


class Video:
    """A video that is being read.

    Attributes:
        path: The file.
        outline: What it says of itself.
    """

    def __init__(self, path: Path) -> None:
        """Open a file.

        Raises:
            WsssError: It is no video, or none that can be read.
        """
        self.path = path
        if not is_video(path):
            raise WsssError(f"{path} is no MP4, MOV, AVI, MKV or WebM video")
        before = os.environ.get(_OPTIONS)
        os.environ[_OPTIONS] = _ONLY_FILES
        _hush()
        try:
            # An absolute path cannot be taken for an address.
            self._capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
        except (cv2.error, UnicodeError) as error:
            raise self._unreadable(str(error)) from error
        finally:
            if before is None:
                del os.environ[_OPTIONS]
            else:
                os.environ[_OPTIONS] = before
        if not self._capture.isOpened():
            raise self._unreadable("its streams cannot be opened")
        width = int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if not is_believable(height, width):
            raise self._unreadable(f"its frames would be {width} x {height}")
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        has_fps = isfinite(fps) and 0 < fps <= _FASTEST
        frames = float(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.outline = VideoOutline(
            (height, width),
            fps if has_fps else USUAL_FPS,
            has_fps,
            int(frames) if isfinite(frames) and 0 < frames < 2**31 else 0,
        )

    def frames(self) -> Iterator[Pixels]:
        """Every frame as (H, W, 3) RGB, until the file ends or cannot be read on."""
        while True:
            try:
                read, frame = self._capture.read()
            except cv2.error as error:
                raise self._unreadable(str(error)) from error
            if not read or frame is None:
                return
            if frame.ndim == 2:
                frame = cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)
            yield np.ascontiguousarray(frame[:, :, ::-1])

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def _unreadable(self, reason: str) -> WsssError:
        line = next(iter(reason.strip().splitlines()), "")
        return WsssError(f"{self.path} is not a readable video ({line})")


@contextmanager
def opened_video(path: Path) -> Iterator[Video]:
    """A :class:`Video` that is closed in the end."""
    video = Video(path)
    try:
        yield video
    finally:
        video.close()


class VideoWriter:
    """A video that is being written; it has its name only when it is whole."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        """Begin a video of (H, W) frames."""
        self._path = path
        self._frames = 0
        self._partial = path.with_name(f".{path.stem}.{os.getpid()}{PARTIAL_SUFFIX}{SUFFIX}")
        self._padding = size[0] % 2, size[1] % 2  # the codec takes even sides only
        coded_size = (size[1] + self._padding[1], size[0] + self._padding[0])
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._partial.touch()
        except OSError as error:
            raise unwritable(path, error) from error
        _hush()
        code = cv2.VideoWriter.fourcc(*_CODEC)
        self._writer = cv2.VideoWriter(str(self._partial), cv2.CAP_FFMPEG, code, fps, coded_size)
        if not self._writer.isOpened():
            self._partial.unlink(missing_ok=True)
            raise WsssError(
                f"{path} cannot be written: this OpenCV has no encoder for {_CODEC}, or the size "
                f"{size[1]} x {size[0]} is not one of its; install opencv-python from PyPI"
            )

    def write(self, frame: Pixels) -> None:
        """Add an (H, W, 3) RGB frame."""
        frame = np.ascontiguousarray(frame[:, :, ::-1])
        if any(self._padding):
            below, right = self._padding
            frame = np.pad(frame, ((0, below), (0, right), (0, 0)), mode="edge")
        self._writer.write(frame)
        self._frames += 1

    def finish(self) -> None:
        """Give the video its name.

        Raises:
            WsssError: Not all of it could be written.
        """
        self._writer.release()
        try:
            # OpenCV does not say that the disk is full.
            with opened_video(self._partial) as video:
                if video.outline.frames < self._frames:
                    raise WsssError("frames are missing")
            with self._partial.open("rb+") as file:
                os.fsync(file.fileno())
            self._partial.replace(self._path)
        except OSError as error:
            self.discard()
            raise unwritable(self._path, error) from error
        except WsssError:
            self.discard()
            raise WsssError(f"{self._path} could not be written whole; is the disk full?") from None

    def discard(self) -> None:
        """Leave nothing behind."""
        self._writer.release()
        self._partial.unlink(missing_ok=True)


@contextmanager
def new_video(path: Path, size: tuple[int, int], fps: float) -> Iterator[VideoWriter]:
    """A video to be written, which exists only if the block ends well.

    Args:
        path: The final name.
        size: (H, W) of its frames; odd sides become even by a repeated line.
        fps: Frames a second.

    Raises:
        WsssError: It cannot be written.
    """
    writer = VideoWriter(path, size, fps)
    try:
        yield writer
    except BaseException:
        writer.discard()
        raise
    writer.finish()


def _hush() -> None:
    """Keep both libraries from writing to the terminal: what goes wrong is said in a sentence."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
