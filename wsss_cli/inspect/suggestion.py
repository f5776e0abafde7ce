"""``wsss suggest``: the images whose label maps are most worth correcting by hand."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wsss_cli.artifacts.atomic import require_free, write_bytes
from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.configs.common import CommonConfig
from wsss_cli.configs.suggest import SuggestConfig
from wsss_cli.data.label_folder import png_files, png_ids
from wsss_cli.data.map_sizes import require_size
from wsss_cli.data.resizing import enlarge_maps
from wsss_cli.errors import UsageError
from wsss_cli.metrics.agreement import differences_by_class
from wsss_cli.stages.image_loop import each_image
from wsss_cli.stages.inputs import data_if_known, find_attention, find_proxies
from wsss_cli.stages.label_map_check import require_recorded_classes
from wsss_cli.stages.result import Report
from wsss_cli.tracking import Track


@dataclass(frozen=True)
class _Inputs:
    """What is looked at.

    Attributes:
        file: The attention, while it is open.
        label_maps: That of each image.
        num_labels: Labels including background; None where the classes are not known.
    """

    file: AttentionFile
    label_maps: Mapping[str, Path]
    num_labels: int | None


def run(config: SuggestConfig, *, track: Track) -> Report:
    """Rank the images that have attention and a label map.

    Raises:
        UsageError: No image is left to correct.
        WsssError: Something is missing or broken.
    """
    started = time.monotonic()
    if config.out is not None:
        require_free(config.out, "--out", overwrite=config.overwrite)
    folder = find_proxies(config.proxy, config.run, config.data)
    data_set = data_if_known(CommonConfig(run=config.run, data=config.data))
    known = None if data_set is None else data_set.class_names
    corrected = set() if config.corrected is None else set(png_ids(config.corrected, "--corrected"))
    with AttentionFile(find_attention(config.attention, config.run, config.data), known) as file:
        image_ids = [image_id for image_id in file.image_ids if image_id not in corrected]
        if not image_ids:
            raise UsageError(
                f"--corrected {config.corrected} has all {len(file.image_ids)} images of "
                f"{file.path}; nothing is left to correct"
            )
        if config.count > len(image_ids):
            track.note(f"only {len(image_ids)} images are left to correct")
        names = file.class_names
        require_recorded_classes(
            folder, None if config.proxy is None else "--proxy", names, file.path
        )
        inputs = _Inputs(
            file,
            dict(zip(image_ids, png_files(folder, image_ids, "--proxy"), strict=True)),
            None if names is None else len(names) + 1,
        )
        differences = list(
            each_image(
                image_ids,
                lambda image_id: _look(inputs, image_id),
                track,
                "looking",
                config.workers,
            )
        )
        of_all = len(file.image_ids)
    suggested = _suggested(image_ids, differences, names, config.count)
    if config.out is not None:
        lines = "".join(f"{each['image']}\n" for each in suggested)
        write_bytes(config.out, lines.encode())
    return Report(
        "suggest",
        None,
        False,
        {
            "images": of_all,
            "corrected": of_all - len(image_ids),
            "suggested": suggested,
            "out": None if config.out is None else str(config.out),
            "seconds": round(time.monotonic() - started, 2),
        },
    )


def _look(inputs: _Inputs, image_id: str) -> dict[int, float]:
    """How far each class of an image differs."""
    attention = inputs.file.read(image_id)
    path = inputs.label_maps[image_id]
    label_map = read_label_map(path, num_labels=inputs.num_labels)
    require_size(str(path), label_map.shape, attention.size)
    maps = enlarge_maps(attention.maps, attention.size)
    return differences_by_class(maps, attention.class_ids, label_map)


def _suggested(
    image_ids: Sequence[str],
    differences: Sequence[Mapping[int, float]],
    class_names: Sequence[str] | None,
    count: int,
) -> list[dict[str, Any]]:
    """The images that differ most; of equal ones the first comes first."""
    totals = np.array([sum(by_class.values()) for by_class in differences])
    order = np.argsort(-totals, kind="stable")[:count]

    def name(class_id: int) -> str:
        return str(class_id) if class_names is None else class_names[class_id - 1]

    return [
        {
            "image": image_ids[index],
            "difference": round(float(totals[index]), 4),
            "by_class": {
                name(class_id): round(each, 4)
                for class_id, each in sorted(differences[index].items(), key=lambda item: -item[1])
            },
        }
        for index in order
    ]
