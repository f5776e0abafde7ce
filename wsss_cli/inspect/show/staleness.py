"""Whether a stage's inputs have changed since its manifest recorded them.

The fingerprints are those that the stages ask for themselves, :mod:`wsss_cli.stages.input_kinds`;
here is which files a manifest's input was made of.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.score_file import ScoreFile
from wsss_cli.artifacts.soft_map_folder import SoftMapFolder
from wsss_cli.artifacts.stage_commands import moved_path
from wsss_cli.configs.attend import GIVEN
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.label_folder import grey_files, label_maps_there, png_files
from wsss_cli.data.layouts import find_data_set
from wsss_cli.errors import WsssError
from wsss_cli.stages.input_kinds import (
    attention_input,
    file_input,
    images_input,
    pictures_input,
    regions_input,
    scores_input,
    supervision_input,
)
from wsss_cli.stages.inputs import trained_split

SAME, CHANGED, MISSING, UNREADABLE, UNKNOWN = "same", "changed", "missing", "unreadable", "unknown"
# Initial weights that lie in no file of the user's.
_NO_FILES = ("imagenet", "none")
Manifest = Mapping[str, Any]


class InputsNow:
    """Looks at the inputs of a run's stages; what several of them read is looked at once.

    Attributes:
        run: The run, where it lies now.
    """

    def __init__(self, run: Path) -> None:
        """Look at the inputs of this run."""
        self.run = run
        self._data_sets: dict[Path, DataSet] = {}
        self._images: dict[tuple[Path, str, bool], str] = {}

    def compare(self, manifest: Manifest, role: str) -> dict[str, str]:
        """How an input stands: its path, its ``state``, and why where it cannot be read."""
        recorded = manifest["inputs"][role]
        path = moved_path(self.run, manifest, recorded["path"])
        said = {"path": str(path)}
        fingerprint = _FINGERPRINTS.get(role)
        if fingerprint is None or (role in ("weights", "start") and recorded["path"] in _NO_FILES):
            return {**said, "state": UNKNOWN if fingerprint is None else SAME}
        if not path.exists():
            return {**said, "state": MISSING}
        try:
            now = fingerprint(self, manifest, path)
        except (WsssError, OSError, KeyError, TypeError) as error:
            return {**said, "state": UNREADABLE, "why": str(error)}
        return {**said, "state": SAME if now == recorded["fingerprint"] else CHANGED}

    def images(self, manifest: Manifest, root: Path, *, labelled: bool) -> str:
        """The fingerprint of a stage's list of images."""
        split = manifest["settings"]["split"]
        key = (root, split, labelled)
        if key not in self._images:
            data_set = self._data_set(root)
            image_ids = data_set.image_ids(split)
            labels = data_set.labels(image_ids) if labelled else None
            self._images[key] = images_input(data_set, image_ids, labels).fingerprint
        return self._images[key]

    def _data_set(self, root: Path) -> DataSet:
        if root not in self._data_sets:
            self._data_sets[root] = find_data_set(root)
        return self._data_sets[root]

    def _learned_from(self, manifest: Manifest, data_set: DataSet) -> list[str]:
        """The images that a segmentation network learns from."""
        split = trained_split(manifest["settings"].get("train_split"), self.run, data_set)
        return data_set.image_ids(split)

    def _input(self, manifest: Manifest, role: str) -> Path:
        return moved_path(self.run, manifest, manifest["inputs"][role]["path"])

    def data(self, manifest: Manifest, root: Path) -> str:
        """Images and labels; without the labels where the network predicted its own."""
        labelled = manifest["settings"].get("labels", GIVEN) == GIVEN
        return self.images(manifest, root, labelled=labelled)

    def listed_images(self, manifest: Manifest, root: Path) -> str:
        """Images by the list of the stage, else those of its attention or its soft maps."""
        if "split" in manifest["settings"]:
            labelled = bool(manifest["settings"].get("restrict_to_labels"))
            return self.images(manifest, root, labelled=labelled)
        if "attention" in manifest["inputs"]:
            with AttentionFile(self._input(manifest, "attention")) as file:
                image_ids = file.image_ids
        else:
            with _soft_maps(self._input(manifest, "scores")) as maps:
                image_ids = maps.image_ids
        return images_input(self._data_set(root), image_ids).fingerprint

    def file(self, manifest: Manifest, path: Path) -> str:
        """The bytes of one file."""
        del manifest
        return file_input(path).fingerprint

    def attention(self, manifest: Manifest, path: Path) -> str:
        """An attention file, ours or another tool's."""
        del manifest
        with AttentionFile(path) as file:
            return attention_input(file).fingerprint

    def scores(self, manifest: Manifest, path: Path) -> str:
        """A score file or a folder of soft maps."""
        del manifest
        with _soft_maps(path) as maps:
            return scores_input(maps).fingerprint

    def saliency(self, manifest: Manifest, path: Path) -> str:
        """Grey maps of the images that have attention, or of a training's list; or its teacher."""
        if path.is_file():
            return self.attention(manifest, path)
        if "attention" in manifest["inputs"]:
            with AttentionFile(self._input(manifest, "attention")) as file:
                image_ids = file.image_ids
        else:
            data_set = self._data_set(self._input(manifest, "data"))
            image_ids = data_set.image_ids(manifest["settings"]["split"])
        paths = grey_files(path, image_ids, "--saliency")
        return pictures_input(path, paths).fingerprint

    def label_maps(self, manifest: Manifest, folder: Path, *, option: str) -> str:
        """Label maps of the images that have attention."""
        with AttentionFile(self._input(manifest, "attention")) as file:
            paths = png_files(folder, file.image_ids, option)
        return pictures_input(folder, paths).fingerprint

    def regions(self, manifest: Manifest, folder: Path) -> str:
        """Files of the regions of the images that have attention."""
        # What reads them needs torch and OpenCV, which nothing else here does.
        from wsss_cli.data.region_files import find_regions, region_paths

        with AttentionFile(self._input(manifest, "attention")) as file:
            files = region_paths(find_regions(folder, file.image_ids))
        return regions_input(folder, files).fingerprint

    def image_labels(self, manifest: Manifest, root: Path) -> str:
        """Labels of the images that a segmentation network learns from."""
        data_set = self._data_set(root)
        image_ids = self._learned_from(manifest, data_set)
        return images_input(data_set, image_ids, data_set.labels(image_ids)).fingerprint

    def pixel_weights(self, manifest: Manifest, folder: Path) -> str:
        """Grey maps of the images that a segmentation network learns from."""
        data_set = self._data_set(self._input(manifest, "images"))
        paths = grey_files(folder, self._learned_from(manifest, data_set), "--pixel-weights")
        return pictures_input(folder, paths).fingerprint

    def supervision(self, manifest: Manifest, source: Path) -> str:
        """Label maps to learn from, and their images."""
        full = manifest["settings"]["supervision"] == "full"
        data_set = self._data_set(source if full else self._input(manifest, "images"))
        image_ids = self._learned_from(manifest, data_set)
        if full:
            masks = [data_set.training_mask_path(image_id) for image_id in image_ids]
            paths = [path for path in masks if path is not None]
        else:
            paths = label_maps_there(source, image_ids)
        return supervision_input(source, paths, data_set, image_ids).fingerprint

    def corrected(self, manifest: Manifest, folder: Path) -> str:
        """Corrected label maps of the images that a segmentation network learns from."""
        data_set = self._data_set(self._input(manifest, "images"))
        image_ids = self._learned_from(manifest, data_set)
        return pictures_input(folder, label_maps_there(folder, image_ids)).fingerprint


@contextmanager
def _soft_maps(path: Path) -> Iterator[ScoreFile | SoftMapFolder]:
    if path.is_dir():
        yield SoftMapFolder(path, 0, logits=False)  # only listed here, no map is read
        return
    with ScoreFile(path) as file:
        yield file


_FINGERPRINTS: Mapping[str, Callable[[InputsNow, Manifest, Path], str]] = {
    "data": InputsNow.data,
    "images": InputsNow.listed_images,
    **dict.fromkeys(("weights", "start", "checkpoint", "classifier", "model"), InputsNow.file),
    **dict.fromkeys(("attention", "erase", "potential_attention"), InputsNow.attention),
    **dict.fromkeys(("saliency", "second_saliency"), InputsNow.saliency),
    "prediction": partial(InputsNow.label_maps, option="--prediction"),
    "proxy": partial(InputsNow.label_maps, option="--proxy"),
    "regions": InputsNow.regions,
    "scores": InputsNow.scores,
    "supervision": InputsNow.supervision,
    "corrected": InputsNow.corrected,
    "pixel_weights": InputsNow.pixel_weights,
    "image_labels": InputsNow.image_labels,
}
