"""Whether label maps that somebody names are of the classes that they are taken for."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from os.path import realpath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.configs.attend import PREDICTED
from wsss_cli.configs.results import RESULTS
from wsss_cli.data.loading import prefetch
from wsss_cli.data.map_sizes import require_size
from wsss_cli.data.mask_survey import ImageLabels, MaskSurvey, shown_labels
from wsss_cli.device import resolve_workers
from wsss_cli.errors import WsssError, listing
from wsss_cli.labels import IGNORE
from wsss_cli.stages.mask_check import white_in_folder

_FOLDERS = {(result.stage, result.folder) for result in RESULTS.values()}


def recorded_classes(folder: Path) -> tuple[str, ...]:
    """The class names that a stage recorded whose label maps a folder holds; none of another."""
    there = Path(realpath(folder))  # Path.resolve raises where links lead in a circle
    manifest = _manifest(there.parent)
    if (manifest.get("stage"), there.name) not in _FOLDERS:
        manifest = _manifest(there)
        if manifest.get("stage") != "predict":  # whose label maps lie beside its manifest
            return ()
    names = manifest.get("class_names")
    return tuple(map(str, names)) if isinstance(names, list) else ()


def _manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder; empty where there is none that can be read."""
    with suppress(OSError, WsssError):
        return read_manifest(folder)
    return {}


def require_recorded_classes(
    folder: Path, option: str | None, class_names: Sequence[str] | None, where: Path
) -> bool:
    """Refuse label maps of a stage that recorded other classes.

    Args:
        folder: Where the label maps lie.
        option: The option that named the folder, for the message; None where none did.
        class_names: Names of classes 1..C; None where nobody knows them.
        where: What has these classes, for the message.

    Returns:
        Whether the folder is known to be of these classes.

    Raises:
        WsssError: It is known to be of others.
    """
    recorded = recorded_classes(folder)
    if not recorded or class_names is None:
        return False
    if recorded != tuple(class_names):
        named = str(folder) if option is None else f"{option} {folder}"
        raise WsssError(
            f"{named} holds label maps of the classes {listing(recorded)}, but {where} has "
            f"{listing(class_names)}; give label maps of these classes, or, where only the names "
            "differ, a copy of the folder"
        )
    return True


def require_predicted_classes(
    folder: Path, predictions: Mapping[str, Path], file: AttentionFile, workers: int | None
) -> list[str]:
    """Refuse predictions of other classes than the attention of their images.

    What a stage recorded with these classes may be the work of a network that learned little.

    Args:
        folder: Where the predictions lie, given by ``--prediction``.
        predictions: The predicted label map of each image.
        file: The attention.
        workers: Threads that decode.

    Returns:
        What is odd about them and may be meant, a sentence each.

    Raises:
        WsssError: They are of other classes, show none, or one is broken or of another size.
    """
    names = file.class_names or tuple(f"class {label}" for label in range(1, IGNORE))
    made_by_stage = require_recorded_classes(folder, "--prediction", file.class_names, file.path)

    def look(item: tuple[str, Path]) -> npt.NDArray[np.bool_]:
        image_id, path = item
        label_map = read_label_map(path, num_labels=len(names) + 1)
        require_size(str(path), label_map.shape, file.outline(image_id).size)
        return shown_labels(label_map, len(names))

    shown = prefetch(look, predictions.items(), resolve_workers(workers))
    labels = None
    if file.labels != PREDICTED:
        rows = np.zeros((len(predictions), len(names)), np.bool_)
        for row, image_id in zip(rows, predictions, strict=True):
            row[file.outline(image_id).class_ids.astype(np.int64) - 1] = True
        labels = ImageLabels(rows, np.ones(len(rows), np.bool_))
    survey = MaskSurvey.of(names, dict(zip(predictions, shown, strict=True)), labels)
    held = survey.without_class()
    if held is not None:
        way_out = white_in_folder(folder) if survey.is_binary else "look at what made them"
        problem: str | None = f"the {len(predictions)} predictions hold {held}; {way_out}"
    else:
        problem = survey.contradiction(
            "prediction", "look at what the network has learned" if made_by_stage else None
        )
    if problem is None:
        return []
    if not made_by_stage:
        raise WsssError(f"--prediction {folder}: {problem}")
    return [f"--prediction {folder}: {problem}"]
