"""A given saliency network, run by onnxruntime where it is installed, else by OpenCV.

On VOC's photographs the two differ by one grey level in one or two of 10,000 pixels.

The interface is that of U2-Net (Qin et al., "U2-Net: Going Deeper with Nested U-Structure for
Salient Object Detection", Pattern Recognition 2020) as its ONNX exports have it: input 1 x 3 x S x
S, RGB divided by the image's largest value, less ImageNet's mean, by its deviation; the first
output is the map, whose range is stretched to [0, 1]. Other networks subtract and divide by other
numbers, or answer with logits.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from wsss_cli.configs.saliency import where_to_get_a_network
from wsss_cli.errors import UsageError, WsssError, first_line
from wsss_cli.models.onnx_network import PACKAGE, OnnxNetwork, has_onnxruntime

# Of ImageNet, for RGB in 0..1.
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
# OpenCV quotes names out of the file in its messages, which need not be text.
_REFUSALS = (cv2.error, UnicodeDecodeError)


class SaliencyNetwork:
    """A network from an ONNX file. Not to be used by two threads at once."""

    def __init__(
        self,
        path: Path,
        size: int,
        mean: Sequence[float] | None = None,
        deviation: Sequence[float] | None = None,
        *,
        sigmoid: bool = False,
    ) -> None:
        """Read the file.

        Args:
            path: ONNX file.
            size: Side S of the square input, in pixels.
            mean: Of pixels in 0..1, one number or three; None is ImageNet's.
            deviation: The same; None is ImageNet's.
            sigmoid: The answer is logits.

        Raises:
            UsageError: It is missing; the message says where there is one.
            WsssError: It is not an ONNX file, or has operations that neither computes.
        """
        self.path, self.size, self._sigmoid = path, size, sigmoid
        self._mean = _MEAN if mean is None else np.array(mean, np.float32)
        self._deviation = _DEVIATION if deviation is None else np.array(deviation, np.float32)
        if not path.exists():
            raise UsageError(f"--model {path} does not exist; {where_to_get_a_network()}")
        self._first_output = _network(path, size).first_output

    def seen(self, height: int, width: int) -> tuple[int, int]:
        """(h, w) that an image is to be resized to: the square, whatever its shape."""
        del height, width
        return self.size, self.size

    def saliency(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The saliency of an (S, S, 3) uint8 RGB image, as (h, w) uint8 of the network's own size.

        Raises:
            WsssError: The network answers with something else than one map.
        """
        pixels = image.astype(np.float32) / max(int(image.max()), 1)
        pixels = (pixels - self._mean) / self._deviation
        try:
            answer = self._first_output(np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]))
        except WsssError as error:
            raise WsssError(f"{error}; pass the --size that it was exported with") from error
        if answer.ndim != 4 or answer.shape[:2] != (1, 1) or not np.isfinite(answer).all():
            raise WsssError(
                f"{self.path} answers with {' x '.join(map(str, answer.shape))} values instead of "
                "1 x 1 x height x width finite ones; it is not a network like U2-Net"
            )
        answer_map = answer[0, 0]  # (h, w)
        in_range = _probability(answer_map) if self._sigmoid else _stretched(answer_map)
        grey: npt.NDArray[np.uint8] = np.round(255 * in_range).astype(np.uint8)
        return grey


def _network(path: Path, size: int) -> "OnnxNetwork | _OpenCvNetwork":
    """The network, run by onnxruntime if it can be.

    That refuses a size other than the one that was exported, which OpenCV may well compute.
    """
    if has_onnxruntime():
        network = OnnxNetwork(path)
        if network.takes_image(size, size):
            return network
    return _OpenCvNetwork(path)


class _OpenCvNetwork:
    """A network of one input, which OpenCV computes."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            WsssError: It is not an ONNX file, or has operations that OpenCV lacks.
        """
        self._path = path
        try:
            content = np.frombuffer(path.read_bytes(), np.uint8)
            self._network = cv2.dnn.readNetFromONNX(content)
        except OSError as error:
            raise WsssError(f"{path} cannot be read ({error.strerror}); check the path") from error
        except _REFUSALS as error:
            reason = first_line(error)[-120:]
            raise WsssError(
                f"{path} cannot be read as an ONNX network ({reason}); export it again, or "
                f"pip install 'wsss-cli[{PACKAGE}]', which has more operations than OpenCV"
            ) from error
        self._output = self._network.getUnconnectedOutLayersNames()[0]

    def first_output(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
        """What the first output answers for a (1, 3, S, S) image.

        Raises:
            WsssError: It cannot be computed on an image of this size.
        """
        try:
            self._network.setInput(image)
            return np.asarray(self._network.forward(self._output))
        except _REFUSALS as error:
            raise WsssError(
                f"{self._path} cannot be computed on {image.shape[2]} x {image.shape[3]} pixels "
                f"({first_line(error)[-120:]})"
            ) from error


def _stretched(answer_map: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """From the least to the largest value; 0 where they are equal."""
    lowest, span = float(answer_map.min()), float(answer_map.max() - answer_map.min())
    return (answer_map - lowest) / (span or 1)


def _probability(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The logistic function, without an overflow for large negative numbers."""
    half: npt.NDArray[np.float64] = 0.5 * np.tanh(0.5 * logits.astype(np.float64)) + 0.5
    return half
