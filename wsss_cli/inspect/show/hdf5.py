"""Explains HDF5 files of attention and of scores."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wsss_cli.artifacts.attention_file import INDEX, AttentionFile
from wsss_cli.artifacts.image_groups import ImageGroups
from wsss_cli.artifacts.score_file import ScoreFile
from wsss_cli.errors import WsssError
from wsss_cli.inspect.show.explanation import Explanation, Writer

# Images whose values are looked at, spread over the file, and how many values of each: so a look
# takes seconds and little memory, whatever the file claims to hold.
SAMPLE = 32
MOST_VALUES = 2**26


def explain_hdf5(path: Path, writer: Writer | None) -> Explanation:
    """Tell attention from scores by what the first image has."""
    with AttentionFile(path) as file:
        first = file.arrays(file.image_ids[0])
    if "scores" in first:
        return _scores(path)
    if "maps" in first:
        return _attention(path, writer)
    raise WsssError(
        f"{path} is an HDF5 file, but neither attention (ID/maps) nor scores (ID/scores): "
        f"{file.image_ids[0]} holds {', '.join(first) or 'nothing'}; docs/formats.md has the layout"
    )


def _attention(path: Path, writer: Writer | None) -> Explanation:
    with AttentionFile(path) as file:
        sample = _spread(file.image_ids)
        lows, highs = [], []
        outlines = [file.outline(image_id) for image_id in sample]
        kinds = [_array(file, image_id, "maps") for image_id in sample]
        for image_id, (shape, _) in zip(sample, kinds, strict=True):
            if 0 < int(np.prod(shape, dtype=object)) <= MOST_VALUES:
                maps = file.read(image_id).maps
                lows.append(float(maps.min()))
                highs.append(float(maps.max()))
        # A shard has a part of the maps, the index all of them.
        counts = None if writer is None or path.name != INDEX else writer.manifest.get("counts")
        facts = {
            **_common(file),
            "labels": file.labels,
            "maps": (counts or {}).get("maps"),
            "looked_at": {
                "images": len(sample),
                "maps": sum(len(outline.class_ids) for outline in outlines),
                "negatives": sum(not len(outline.class_ids) for outline in outlines),
                **_sizes([outline.size for outline in outlines]),
                "types": sorted({kind for _, kind in kinds}),
                "with_logits": sum(outline.logits is not None for outline in outlines),
                "least": min(lows, default=None),
                "largest": max(highs, default=None),
            },
        }
    return Explanation("attention maps, one for each class of each image", facts)


def _scores(path: Path) -> Explanation:
    with ScoreFile(path) as file:
        sample = _spread(file.image_ids)
        kinds = [_array(file, image_id, "scores") for image_id in sample]
        lows, highs, sizes = [], [], []
        for image_id, (shape, _) in zip(sample, kinds, strict=True):
            if int(np.prod(shape, dtype=object)) <= MOST_VALUES:
                image = file.read(image_id)
                finite = image.scores[np.isfinite(image.scores)]
                lows.append(float(finite.min()))
                highs.append(float(finite.max()))
                sizes.append(image.size)
        facts = {
            **_common(file),
            "looked_at": {
                "images": len(sample),
                **_sizes(sizes),
                "shapes": sorted({"x".join(map(str, shape)) for shape, _ in kinds})[:5],
                "types": sorted({kind for _, kind in kinds}),
                "least": min(lows, default=None),
                "largest": max(highs, default=None),
            },
        }
    return Explanation("soft scores of a segmentation network, a map for each label", facts)


def _array(file: ImageGroups, image_id: str, name: str) -> tuple[tuple[int, ...], str]:
    """Shape and type of one array of an image."""
    arrays = file.arrays(image_id)
    if name not in arrays:
        raise WsssError(
            f"{file.path}: image {image_id} has no {name}; docs/formats.md has the layout"
        )
    return arrays[name]


def _common(file: ImageGroups) -> dict[str, Any]:
    names = None if file.class_names is None else list(file.class_names)
    return {
        "images": file.image_count,
        "files": file.files,
        "schema": file.schema,
        "class_names": names,
    }


def _spread(image_ids: Sequence[str]) -> list[str]:
    """Some images from all over the file, its first and last ones among them."""
    places = np.linspace(0, len(image_ids) - 1, min(SAMPLE, len(image_ids))).round().astype(int)
    return [image_ids[row] for row in places.tolist()]


def _sizes(sizes: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """The range of the images' heights and widths."""
    if not sizes:
        return {}
    heights, widths = zip(*sizes, strict=True)
    sides = {"height": heights, "width": widths}
    return {name: {"from": min(values), "to": max(values)} for name, values in sides.items()}
