"""The interface of a trained network of any kind, for predicting pictures and videos."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from wsss_cli.artifacts.image_groups import Layout
from wsss_cli.artifacts.overlay import Drawing
from wsss_cli.data.images import Pixels


class Prediction(Protocol):
    """The prediction of one upright picture."""

    def classes(self) -> list[dict[str, Any]]:
        """The classes found: name, id, and how much of them (``share`` or ``probability``)."""
        ...

    def overlay(self, image: Pixels) -> Pixels:
        """The (H, W, 3) picture with what was found drawn on it."""
        ...

    def map_files(self, name: str) -> dict[str, Any]:
        """Name the files of the maps as the picture's record does, relative to the results."""
        ...

    def write_maps(self, out: Path, name: str, orientation: int) -> None:
        """Write the picture's maps, turned as its pixels are stored."""
        ...

    def write_numbers(self, path: Path, image_id: str, orientation: int) -> None:
        """Write the numbers behind the maps as an HDF5 file with one image."""
        ...


class Predictor(Protocol):
    """A trained network with the way in which it looks at pictures.

    Attributes:
        class_names: Names of classes 1..C.
        drawing: How these are drawn.
        layout: Layout of the HDF5 file with the numbers behind the maps.
        about: Attributes of that file.
        settings: Settings that change a result, for the fingerprint.
    """

    @property
    def class_names(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def drawing(self) -> Drawing: ...  # noqa: D102
    @property
    def layout(self) -> Layout: ...  # noqa: D102
    @property
    def about(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def settings(self) -> dict[str, Any]: ...  # noqa: D102

    def remark(self, sizes: Sequence[tuple[int, int]]) -> str | None:
        """Remark on pictures of these sizes (H, W), if anything."""
        ...

    def predict(self, image: Pixels) -> Prediction:
        """Look at an (H, W, 3) uint8 RGB picture that stands upright."""
        ...

    def read(self, out: Path, name: str, orientation: int) -> Prediction | None:
        """Read what was found before, as far as the maps tell it; None where they cannot."""
        ...
