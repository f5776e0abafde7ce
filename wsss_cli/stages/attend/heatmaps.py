"""``wsss attend --heatmaps``: every map drawn over its image."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from wsss_cli import ranks
from wsss_cli.artifacts.attention_file import INDEX, AttentionFile
from wsss_cli.artifacts.file_names import class_word
from wsss_cli.artifacts.heatmap_png import write_heatmap
from wsss_cli.data.resizing import enlarge_maps
from wsss_cli.stages.attend.plan import AttendPlan
from wsss_cli.stages.empty_maps import are_empty
from wsss_cli.stages.image_loop import Share
from wsss_cli.tracking import Track

HEATMAPS = "heatmaps"


def draw_heatmaps(plan: AttendPlan, track: Track) -> tuple[int, int]:
    """Draw the heatmaps that are missing; returns their number, and how many are of empty maps."""
    folder = plan.directory.path / HEATMAPS
    names = plan.data_set.class_names
    drawn = empty = 0
    with AttentionFile(plan.directory.path / INDEX) as file:

        def paths(image_id: str) -> list[Path]:
            class_ids = file.outline(image_id).class_ids.tolist()
            return [folder / f"{image_id}_{class_word(names[c - 1], c)}.png" for c in class_ids]

        def draw(image_id: str) -> npt.NDArray[np.float32]:
            attention, image = file.read(image_id), plan.data_set.read_image(image_id)
            maps = enlarge_maps(attention.maps, attention.size)
            for path, attention_map in zip(paths(image_id), maps, strict=True):
                write_heatmap(path, image, attention_map)
            return maps

        share = Share(plan.image_ids, lambda i: not all(path.exists() for path in paths(i)))
        for maps in share.follow(map(draw, share.missing), track, "drawing"):
            drawn += len(maps)
            empty += int(are_empty(maps).sum())
    return sum(ranks.counted(drawn)), sum(ranks.counted(empty))
