"""Other tools' masks as numbers: grey in any number of bits or channels, or VOC's colours.

Which of these are labels, and whether white is an object, the pixels do not say.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from wsss_cli.artifacts.label_png import decoded_palette
from wsss_cli.artifacts.picture_formats import DECODING_ERRORS, JPEG, open_picture
from wsss_cli.artifacts.pixel_values import equal_channels, stored_grey
from wsss_cli.errors import WsssError

WHITE = 255
# Grey from which on a pixel between black and white counts as white.
MIDDLE = 128
# A file with few values between 0 and 255, all dark, holds labels with a border, no blurred edge.
_MOST_LABELS = 32

Values = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ForeignMask:
    """A mask file of another tool.

    Attributes:
        path: The file.
        values: (H, W) numbers; of one bit, 0 and 255.
        lossy: Whether it is a JPEG, whose numbers are not quite those that were saved.
    """

    path: Path
    values: Values
    lossy: bool

    @property
    def is_binary(self) -> bool:
        """Whether it shows white, and nothing between black and white but a blurred edge."""
        return bool((self.values == WHITE).any()) and not self._holds_labels()

    @property
    def blurred(self) -> bool:
        """Whether pixels lie between black and white."""
        return bool(((self.values > 0) & (self.values < WHITE)).any())

    def labels(self) -> Values:
        """The numbers as labels.

        Raises:
            WsssError: JPEG has changed them.
        """
        if self.lossy and self.blurred:
            raise WsssError(
                f"{self.path} is a JPEG, whose compression has changed label numbers; give the "
                "masks as they were before, or as PNG (masks of black and white: pass --white)"
            )
        return self.values

    def painted(self, label: int) -> Values:
        """(H, W) label map in which white is a label and black the background.

        Raises:
            WsssError: It holds labels already, which would be lost.
        """
        if self._holds_labels():
            between = np.unique(self.values[(self.values > 0) & (self.values < WHITE)])
            raise WsssError(
                f"{self.path} holds the values {', '.join(map(str, between[:5]))} beside black and "
                "white, so it is a label map, in which 255 is to be ignored; convert it as such"
            )
        return np.where(self.values >= MIDDLE, label, 0).astype(np.uint8)

    def _holds_labels(self) -> bool:
        between = np.unique(self.values[(self.values > 0) & (self.values < WHITE)])
        dark = between.size and between.max() < MIDDLE
        return bool(dark and between.size <= _MOST_LABELS and not self.lossy)


def read_foreign_mask(path: Path) -> ForeignMask:
    """Read a mask of another tool.

    Raises:
        WsssError: It is missing, broken, or holds colours other than VOC's.
    """
    try:
        with open_picture(path) as image:
            values = _values(image)
            lossy = image.format == JPEG
            mode = image.mode
    except FileNotFoundError:
        raise WsssError(f"{path} does not exist") from None
    except DECODING_ERRORS as error:
        raise WsssError(f"{path} is not a readable image ({error}); restore the file") from error
    if values is None:
        raise WsssError(
            f"{path} holds {mode} pixels that are neither grey nor VOC's colours of labels; save "
            "the numbers of the classes as 8-bit grey or palette PNG"
        )
    return ForeignMask(path, values, lossy)


def _values(image: Image.Image) -> Values | None:
    if image.mode in ("L", "P"):
        return stored_grey(image)
    if image.mode == "1":
        return np.asarray(image.convert("L"))
    if image.mode.startswith("I"):
        deep = np.asarray(image)
        return (
            deep.astype(np.uint8) if deep.size and deep.min() >= 0 and deep.max() <= WHITE else None
        )
    grey = equal_channels(image)
    return decoded_palette(image) if grey is None else grey
