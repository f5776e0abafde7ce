"""An ONNX file, run by onnxruntime on the CPU."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wsss_cli import ranks
from wsss_cli.errors import UsageError, WsssError, first_line

PACKAGE = "onnxruntime"
"""The package, which is an extra of the same name."""

Array = npt.NDArray[np.generic]


def has_onnxruntime() -> bool:
    """Whether the package is installed; nothing is imported."""
    return find_spec(PACKAGE) is not None


def require_onnxruntime(why: str) -> None:
    """Refuse to go on without the package.

    Args:
        why: The beginning of the message: what needs it.

    Raises:
        UsageError: It is not installed.
    """
    if not has_onnxruntime():
        raise UsageError(f"{why} needs onnxruntime; pip install 'wsss-cli[{PACKAGE}]'")


class OnnxNetwork:
    """A network of any inputs and outputs. Not to be used by two threads at once.

    Attributes:
        path: The file.
        inputs: Shape of each input by name; a side that may vary is None.
        outputs: Names of the outputs.
        metadata: What whoever wrote the file has noted in it.
    """

    def __init__(self, path: Path) -> None:
        """Read the file, whose weights must be in it.

        Args:
            path: ONNX file.

        Raises:
            UsageError: onnxruntime is not installed.
            WsssError: It is missing or no ONNX file, or has operations that onnxruntime lacks.
        """
        require_onnxruntime(str(path))
        import onnxruntime

        self.path = path
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, (os.cpu_count() or 1) // ranks.local_world())
        # Threads that wait by spinning would take the time of those that decode photographs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                path.read_bytes(),
                options,
                providers=["CPUExecutionProvider"],
                enable_fallback=0,  # which would print that it tries the same once more
            )
        except FileNotFoundError:
            raise WsssError(f"{path} does not exist; check the path") from None
        except OSError as error:
            raise WsssError(f"{path} cannot be read ({error.strerror}); check the path") from error
        except Exception as error:  # onnxruntime's own kinds have nothing in common but this
            reason = first_line(error)[-160:]
            raise WsssError(
                f"{path} cannot be read as an ONNX network ({reason}); export it again, "
                "with its weights in the file"
            ) from error
        self.inputs = {each.name: _sides(each.shape) for each in self._session.get_inputs()}
        self.outputs = [each.name for each in self._session.get_outputs()]
        self.metadata = dict(self._session.get_modelmeta().custom_metadata_map)

    def takes_image(self, height: int, width: int) -> bool:
        """Whether the only input may be one image, (1, 3, height, width)."""
        shapes = list(self.inputs.values())
        sides = (1, 3, height, width)
        return (
            len(shapes) == 1
            and len(shapes[0]) == len(sides)
            and all(a in (b, None) for a, b in zip(shapes[0], sides, strict=True))
        )

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Compute all outputs, by name.

        Raises:
            WsssError: They cannot be computed on inputs of these shapes and types.
        """
        try:
            return dict(zip(self.outputs, self._session.run(None, dict(inputs)), strict=True))
        except Exception as error:
            shapes = ", ".join(
                f"{name} {' x '.join(map(str, array.shape))}" for name, array in inputs.items()
            )
            raise WsssError(
                f"{self.path} cannot be computed on {shapes} ({first_line(error)[-160:]})"
            ) from error

    def first_output(self, image: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
        """What the first output answers for a (1, 3, H, W) image, the only input.

        Raises:
            WsssError: It cannot be computed on an image of this size.
        """
        answer = self.run({next(iter(self.inputs)): image})[self.outputs[0]]
        return np.asarray(answer, np.float32)


def _sides(shape: Any) -> tuple[int | None, ...]:  # noqa: ANN401 - as onnxruntime has it
    return tuple(side if isinstance(side, int) else None for side in shape)
