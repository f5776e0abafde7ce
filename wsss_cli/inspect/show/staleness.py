"""What a stage's inputs are now, to be compared with what its manifest recorded of them.

A stage fingerprints each input by a recipe of its own; here they are by the input's role. A test
holds the two together: of a run that nobody has touched, no input may have changed.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.fingerprint import file_fingerprint, files_fingerprint, fingerprint
from wsss_cli.artifacts.score_file import ScoreFile
from wsss_cli.artifacts.soft_map_folder import array_files
from wsss_cli.artifacts.stage_commands import moved_path
from wsss_cli.configs.attend import GIVEN
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.label_folder import png_files, saliency_files
from wsss_cli.data.layouts import find_data_set
from wsss_cli.errors import WsssError
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
        recipe = _RECIPES.get(role)
        if recipe is None or (role in ("weights", "start") and recorded["path"] in _NO_FILES):
            return {**said, "state": UNKNOWN if recipe is None else SAME}
        if not path.exists():
            return {**said, "state": MISSING}
        try:
            now = recipe(self, manifest, path)
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
            self._images[key] = data_set.fingerprint(image_ids, labels)
        return self._images[key]

    def _data_set(self, root: Path) -> DataSet:
        if root not in self._data_sets:
            self._data_sets[root] = find_data_set(root)
        return self._data_sets[root]

    def _input(self, manifest: Manifest, role: str) -> Path:
        return moved_path(self.run, manifest, manifest["inputs"][role]["path"])

    def of_data(self, manifest: Manifest, root: Path) -> str:
        """Images and labels, which labels predicted by a network do without."""
        labelled = manifest["settings"].get("labels", GIVEN) == GIVEN
        return self.images(manifest, root, labelled=labelled)

    def of_images(self, manifest: Manifest, root: Path) -> str:
        """Images by the list of the stage, else those of its attention or its soft maps."""
        if "split" in manifest["settings"]:
            labelled = bool(manifest["settings"].get("restrict_to_labels"))
            return self.images(manifest, root, labelled=labelled)
        if "attention" in manifest["inputs"]:
            with AttentionFile(self._input(manifest, "attention")) as file:
                return self._data_set(root).fingerprint(file.image_ids, None)
        soft = self._input(manifest, "scores")
        if soft.is_dir():
            return self._data_set(root).fingerprint(list(array_files(soft)), None)
        with ScoreFile(soft) as scores:
            return self._data_set(root).fingerprint(scores.image_ids, None)

    def of_file(self, manifest: Manifest, path: Path) -> str:
        """The bytes of one file."""
        del manifest
        return file_fingerprint(path)

    def of_attention(self, manifest: Manifest, path: Path) -> str:
        """An attention file, ours or another tool's."""
        del manifest
        with AttentionFile(path) as file:
            return file.fingerprint()

    def of_scores(self, manifest: Manifest, path: Path) -> str:
        """A score file or a folder of soft maps."""
        del manifest
        if path.is_dir():
            return files_fingerprint(array_files(path).values())
        with ScoreFile(path) as file:
            return file.fingerprint()

    def of_grey_maps(self, manifest: Manifest, folder: Path) -> str:
        """The grey maps of the images that have attention."""
        with AttentionFile(self._input(manifest, "attention")) as file:
            return files_fingerprint(saliency_files(folder, file.image_ids, "--saliency"))

    def of_supervision(self, manifest: Manifest, place: Path) -> str:
        """Label maps to learn from, and their images."""
        of_masks = manifest["settings"]["supervision"] == "full"
        data_set = self._data_set(place if of_masks else self._input(manifest, "images"))
        split = trained_split(manifest["settings"].get("train_split"), self.run, data_set)
        image_ids = data_set.image_ids(split)
        if of_masks:
            paths = [data_set.training_mask_path(image_id) for image_id in image_ids]
        else:
            paths = list(png_files(place, image_ids, "--proxy"))
        there = [path for path in paths if path is not None]
        return fingerprint([files_fingerprint(there), data_set.fingerprint(image_ids, None)])


_RECIPES: Mapping[str, Callable[[InputsNow, Manifest, Path], str]] = {
    "data": InputsNow.of_data,
    "images": InputsNow.of_images,
    **dict.fromkeys(("weights", "start", "checkpoint", "model"), InputsNow.of_file),
    **dict.fromkeys(("attention", "erase"), InputsNow.of_attention),
    **dict.fromkeys(("saliency", "second_saliency"), InputsNow.of_grey_maps),
    "scores": InputsNow.of_scores,
    "supervision": InputsNow.of_supervision,
}
