"""What the page of an earlier ``wsss report`` was made from, and what of it can be used again.

A page keeps, out of sight, a fingerprint of what it was made from. While that stays the same,
nothing is drawn again. When some of it has changed, pictures with the same key are taken from the
page as they are, since maps of a network take seconds an image.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from os import scandir
from pathlib import Path
from typing import Any

from wsss_cli import __version__
from wsss_cli.artifacts.fingerprint import fingerprint
from wsss_cli.artifacts.html_page import read_memory
from wsss_cli.artifacts.thumbnail import Thumbnail
from wsss_cli.configs.report import ReportConfig
from wsss_cli.metrics.difficulty import Difficulty

# Raised when the page of the same sources looks different.
LOOK = 2
# Difficulties of more images than this are computed again instead of kept in the page.
MOST_DIFFICULTIES = 20_000
_RECORDS = ("*/manifest.json", "*/metrics.jsonl", "evaluate/*.json")
_LABEL_MAPS = ("proxy/labels", "segment/predictions", "crf/labels")
_PICTURE = re.compile(
    r'<img data-key="([0-9a-f]{64})" src="(data:image/webp;base64,[A-Za-z0-9+/=]+)" '
    r'width="(\d{1,4})" height="(\d{1,4})"'
)


@dataclass(frozen=True)
class EarlierPage:
    """A page that was made before; an empty one where there is none.

    Attributes:
        sources: Fingerprint of what it was made from.
        files: Size in bytes of every photograph and mask that it shows, by path.
        values: What the command reported.
        difficulties: Regions and shared colours of each image, and the scores they belong to.
        thumbnails: Its pictures by key.
    """

    sources: str = ""
    files: Mapping[str, int | None] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    difficulties: Mapping[str, Any] = field(default_factory=dict)
    thumbnails: Mapping[str, Thumbnail] = field(default_factory=dict)

    def pictures_unchanged(self) -> bool:
        """Whether every photograph and mask still has the size that it had."""
        return all(_size(Path(path)) == size for path, size in self.files.items())

    def thumbnail(
        self, about: Sequence[Any], draw: Callable[[], Thumbnail | None]
    ) -> Thumbnail | None:
        """The picture that the page already has, or a new one.

        Args:
            about: Everything that decides how it looks, JSON values.
            draw: Makes it, if there is anything to see.
        """
        key = fingerprint([LOOK, *about])
        if key in self.thumbnails:
            return self.thumbnails[key]
        new = draw()
        return None if new is None else new._replace(key=key)

    def difficulties_of(self, scores: str) -> dict[str, Difficulty] | None:
        """Difficulties of the images of these scores, as the page keeps them.

        Args:
            scores: Their fingerprint.
        """
        if self.difficulties.get("scores") != scores:
            return None
        return {
            image_id: Difficulty(regions, float("nan") if shared is None else shared)
            for image_id, (regions, shared) in self.difficulties["images"].items()
        }


def sources_fingerprint(config: ReportConfig) -> str:
    """Name everything that a page is made from, but for photographs and masks."""
    runs = [
        [
            str(run),
            *(_digest(run, pattern) for pattern in _RECORDS),
            *(_label_maps(run, folder) for folder in _LABEL_MAPS),
        ]
        for run in config.runs
    ]
    return fingerprint([LOOK, __version__, runs, str(config.data), config.images])


def earlier_page(path: Path) -> EarlierPage:
    """The page at a path; an empty one where there is none of ours, or it keeps nothing."""
    text, kept = read_memory(path)
    if not isinstance(kept, dict):
        return EarlierPage()
    sources, files, values, difficulties = (
        kept.get(name) for name in ("sources", "files", "values", "difficulties")
    )
    if not (
        isinstance(files, dict) and isinstance(values, dict) and isinstance(difficulties, dict)
    ):
        return EarlierPage()
    thumbnails = {
        key: Thumbnail(address, int(width), int(height), key)
        for key, address, width, height in _PICTURE.findall(text)
    }
    return EarlierPage(str(sources), files, values, difficulties, thumbnails)


def memory(
    sources: str,
    paths: Iterable[Path],
    values: Mapping[str, Any],
    scores: str,
    difficulties: Mapping[str, Difficulty],
) -> dict[str, Any]:
    """The data that a page keeps for the next ``wsss report``.

    Args:
        sources: As :func:`sources_fingerprint` gives it.
        paths: Photographs and masks that the page shows.
        values: What the command reports.
        scores: Fingerprint of the scores that chose the images.
        difficulties: Difficulties of the images that were scored.
    """
    kept = difficulties if len(difficulties) <= MOST_DIFFICULTIES else {}
    return {
        "sources": sources,
        "files": {str(path): _size(path) for path in paths},
        "values": dict(values),
        "difficulties": {
            "scores": scores if kept else "",
            "images": {
                image_id: [
                    difficulty.regions,
                    None if isnan(difficulty.colours_shared) else difficulty.colours_shared,
                ]
                for image_id, difficulty in kept.items()
            },
        },
    }


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _digest(run: Path, pattern: str) -> str:
    """SHA-256 over the names and bytes of a run's small files."""
    digest = hashlib.sha256()
    for path in sorted(run.glob(pattern)):
        if path.is_file():
            digest.update(json.dumps([str(path.relative_to(run)), _size(path)]).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _label_maps(run: Path, folder: str) -> str:
    """SHA-256 over the names and sizes of a folder's label maps, which may be many."""
    if not (run / folder).is_dir():
        return ""
    with scandir(run / folder) as entries:
        return fingerprint(sorted([entry.name, entry.stat().st_size] for entry in entries))
