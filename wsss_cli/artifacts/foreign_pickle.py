"""Numpy files of other tools that hold a pickled dictionary of arrays: read without unpickling.

``np.save`` of a dictionary writes a header and a pickle, and a pickle is a program. Python's own
unpickler runs it; here it is only followed, operation by operation, and what it may call is the six
names that arrays and tensors are made of. For each of them there is a harmless substitute, so
neither numpy's nor torch's functions receive anything from the file but bytes of numbers; torch
opens storages with ``weights_only`` (PEP 3154 and ``pickletools`` describe the operations).
"""

import io
import math
import pickletools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.image_size import is_holdable
from wsss_cli.artifacts.plain_file import NOT_PLAIN, is_plain
from wsss_cli.errors import WsssError, first_line

Array = npt.NDArray[Any]

# An array of an image's maps is smaller; a dictionary of a few arrays has some hundred operations.
_MOST_BYTES = 2**31
_MOST_OPERATIONS = 20_000
_NUMBERS = re.compile(r"[iuf][1248]|b1")
# What following a pickle of nonsense raises: of too few operands, of other types.
_NONSENSE = (
    *(ValueError, KeyError, IndexError, TypeError, AttributeError),
    *(OverflowError, MemoryError, RuntimeError, EOFError),
)


class _ForbiddenError(Exception):
    """The pickle asks for something that no dictionary of arrays needs."""


@dataclass(eq=False)
class _Type:
    """Stand-in for ``numpy.dtype``: ``f4``, and the order of bytes that is set later."""

    code: str
    order: str = "="


@dataclass(eq=False)
class _Reconstructed:
    """Stand-in for a numpy array, whose content is set later."""

    content: Any = None


@dataclass(frozen=True)
class _Global:
    """A name of the pickle that is known, and what calling it does."""

    name: str
    call: Callable[..., Any] | None


def read_foreign_array(
    path: Path, *, operations: int = _MOST_OPERATIONS
) -> Array | dict[str | int, Array]:
    """Read a numpy file that holds an array of numbers or a pickled dictionary of such arrays.

    Args:
        path: The file.
        operations: The most that a pickle may have; an array takes some thirty.

    Returns:
        The array; or the dictionary, with keys that are text or integers. Values that are numbers
        become arrays without axes.

    Raises:
        WsssError: It is missing, broken or too large, or the pickle names anything but arrays,
            tensors and dictionaries. No code of the file is run.
    """
    try:
        if not is_plain(path):
            raise WsssError(f"{path} cannot be read: {NOT_PLAIN}")
        if path.stat().st_size > _MOST_BYTES:
            raise WsssError(f"{path} has more than {_MOST_BYTES:,} bytes, too many to be read")
        content = path.read_bytes()
    except FileNotFoundError:
        raise WsssError(f"{path} does not exist") from None
    except OSError as error:
        raise WsssError(f"{path} cannot be read ({error.strerror})") from error
    try:
        return _read(io.BytesIO(content), operations)
    except _ForbiddenError as error:
        raise WsssError(
            f"{path} is a pickle that asks for {error}, and only arrays, tensors and dictionaries "
            "are read; nothing in it was run: get the file from another source, or save its arrays "
            "anew"
        ) from None
    except _NONSENSE as error:
        reason = first_line(error)[:200]
        raise WsssError(
            f"{path} holds no numpy array or dictionary of arrays ({reason}); restore the file"
        ) from error


def _read(file: IO[bytes], operations: int) -> Array | dict[str | int, Array]:
    try:
        header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[np.lib.format.read_magic(file)]
        shape, _, dtype = header(file)
    except Exception as error:  # numpy raises whatever its parsers meet
        raise ValueError("its header is no numpy array's") from error
    if dtype != np.dtype(object):
        if not is_holdable(shape, dtype.itemsize) or not _NUMBERS.fullmatch(dtype.str[1:]):
            raise ValueError(f"its array is {shape} of {dtype}")
        file.seek(0)
        return cast("Array", np.load(file, allow_pickle=False))
    if shape != ():
        raise ValueError(f"its objects have the shape {shape}")
    outer = _Followed(operations).follow(file)
    content = outer.content if isinstance(outer, _Reconstructed) else None
    if not isinstance(content, dict):
        raise TypeError("its object is no dictionary")
    return {key: _numbers(key, value) for key, value in content.items()}


def _numbers(key: str | int, value: Any) -> Array:  # noqa: ANN401 - a value of any pickle
    """The array behind a value.

    Raises:
        TypeError: It is something else.
    """
    if isinstance(value, _Reconstructed):
        value = value.content
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, list | tuple) and all(type(each) is int for each in value):
        return np.array(value, np.int64)
    if type(value) in (int, float):
        return np.array(value)
    raise TypeError(f"{str(key)[:50]!r} is no array")


@dataclass
class _Followed:
    """The state of a pickle that is being followed: its stack and what it has remembered."""

    operations: int
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def follow(self, file: IO[bytes]) -> Any:  # noqa: ANN401 - whatever the pickle is of
        """The object that the pickle is of.

        Raises:
            _ForbiddenError: An operation or a name is not among those known.
        """
        for number, (operation, argument, _) in enumerate(pickletools.genops(file)):
            if number > self.operations:
                raise ValueError(f"it has more than {self.operations:,} operations")
            if operation.name == "STOP":
                return self.stack.pop()
            act = _ACTS.get(operation.name)
            if act is not None:
                act(self, argument)
            elif operation.name in _LITERALS:
                self.stack.append(argument)
            elif operation.name not in ("PROTO", "FRAME"):
                raise _ForbiddenError(f"the operation {operation.name}")
        raise EOFError("it is cut off")

    def pop_to_mark(self) -> list[Any]:
        """Take everything above the last mark from the stack."""
        mark = self.marks.pop()
        values = self.stack[mark:]
        del self.stack[mark:]
        return values

    def pop(self, count: int) -> tuple[Any, ...]:
        """Take so many values from the stack."""
        if count > len(self.stack):
            raise IndexError("it is cut off")
        values = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        return values

    def push_global(self, module: str, name: str) -> None:
        """Push the stand-in for a name.

        Raises:
            _ForbiddenError: It is not known.
        """
        full = f"{module}.{name}"
        if full not in _GLOBALS:
            raise _ForbiddenError(full[:200])
        self.stack.append(_Global(full, _GLOBALS[full]))

    def set_items(self, values: list[Any]) -> None:
        """Add pairs of keys and values to the dictionary on top of the stack."""
        target = self.stack[-1]
        if type(target) is not dict:
            raise TypeError("it adds items to what is no dictionary")
        for key, value in zip(values[::2], values[1::2], strict=True):
            # Hashing tuples that hold each other would take for ever.
            if type(key) not in (str, int):
                raise TypeError("a key is neither text nor a number")
            target[key] = value

    def append(self, values: list[Any]) -> None:
        """Add values to the list on top of the stack."""
        if type(self.stack[-1]) is not list:
            raise TypeError("it appends to what is no list")
        self.stack[-1].extend(values)

    def call(self) -> None:
        """Call a stand-in with the tuple above it."""
        function, arguments = self.pop(2)
        if not isinstance(function, _Global) or function.call is None:
            name = function.name if isinstance(function, _Global) else type(function).__name__
            raise _ForbiddenError(f"a call of {name}")
        if type(arguments) is not tuple:
            raise TypeError("it calls without a tuple")
        self.stack.append(function.call(*arguments))

    def build(self) -> None:
        """Set the state of a stand-in."""
        target, state = self.stack[-2], self.stack.pop()
        if isinstance(target, _Type):
            if state[1] not in ("<", ">", "|", "="):
                raise ValueError("a type has another order of bytes than there is")
            target.order = state[1]
        elif isinstance(target, _Reconstructed):
            target.content = _content(*state)
        else:
            raise _ForbiddenError(f"a state for {type(target).__name__}")


def _content(version: int, shape: Any, kind: Any, fortran: bool, data: Any) -> Any:  # noqa: ANN401
    """What an array of these bytes holds: an array of numbers, or one object."""
    del version
    if not isinstance(kind, _Type):
        raise TypeError("an array has no type")
    if kind.code == "O8":
        if shape != () or type(data) is not list or len(data) != 1:
            raise ValueError("it has an array of objects")
        return data[0]
    dtype = np.dtype(f"{kind.order}{kind.code}")
    _require_shape(shape, dtype.itemsize)
    if type(data) is not bytes or len(data) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"an array of the shape {shape} has other bytes")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _require_shape(shape: Any, itemsize: int) -> None:  # noqa: ANN401 - a value of any pickle
    """Refuse sides that are no numbers, or of more values than maps of an image have."""
    sides = isinstance(shape, tuple) and all(type(n) is int and 0 <= n < 2**31 for n in shape)
    if not sides or len(shape) > 8 or not is_holdable(shape, itemsize):
        raise ValueError("an array has an impossible shape")


def _type(code: Any, *_: Any) -> _Type:  # noqa: ANN401 - a value of any pickle
    if not isinstance(code, str) or not (code == "O8" or _NUMBERS.fullmatch(code)):
        raise ValueError(f"an array is of the type {str(code)[:20]!r}")
    return _Type(code)


def _storage(content: Any) -> Any:  # noqa: ANN401 - torch's tensor
    """(N,) tensor of the numbers behind a tensor, as torch saved them."""
    import torch  # takes a second, and few files need it

    if type(content) is not bytes:
        raise TypeError("a storage is no bytes")
    try:
        storage = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its parsers meet
        raise ValueError(f"a storage of a tensor cannot be loaded: {error}") from error
    if not isinstance(storage, torch.TypedStorage):
        raise TypeError("a storage of a tensor is something else")
    return torch.empty(0, dtype=storage.dtype).set_(storage)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Array:  # noqa: ANN401
    """A tensor's numbers as an array.

    Raises:
        ValueError: It reaches beyond its storage.
    """
    import torch

    if not isinstance(storage, torch.Tensor):
        raise TypeError("a tensor has no storage")
    _require_shape(size, 8)
    _require_shape(stride, 0)
    if type(offset) is not int or offset < 0 or len(stride) != len(size):
        raise ValueError("a tensor has impossible strides")
    last = offset + sum((side - 1) * step for side, step in zip(size, stride, strict=True))
    # A stride of 0 would make any number of values out of one.
    if 0 not in size and (last >= len(storage) or math.prod(size) > len(storage)):
        raise ValueError("a tensor reaches beyond its storage")
    numbers = storage.as_strided(size, stride, offset)
    if numbers.dtype == torch.bfloat16:
        numbers = numbers.float()
    return np.array(numbers.numpy())


def _array(*_: Any) -> _Reconstructed:  # noqa: ANN401 - its arguments say nothing
    return _Reconstructed()


def _ordered(*_: Any) -> dict[str, Any]:  # noqa: ANN401 - empty in a tensor
    return {}


_GLOBALS: Mapping[str, Callable[..., Any] | None] = {
    "numpy.core.multiarray._reconstruct": _array,
    "numpy._core.multiarray._reconstruct": _array,
    "numpy.ndarray": None,  # named, and never called
    "numpy.dtype": _type,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch.storage._load_from_bytes": _storage,
    "collections.OrderedDict": _ordered,
}

_LITERALS = frozenset(
    {
        *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
        *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    }
)


def _push(make: Callable[[], Any]) -> Callable[[_Followed, Any], None]:
    return lambda state, _: state.stack.append(make())


def _tuple_of(count: int) -> Callable[[_Followed, Any], None]:
    return lambda state, _: state.stack.append(state.pop(count))


def _put(state: _Followed, index: int) -> None:
    state.memo[index] = state.stack[-1]


_ACTS: Mapping[str, Callable[[_Followed, Any], None]] = {
    "MARK": lambda state, _: state.marks.append(len(state.stack)),
    "NONE": _push(lambda: None),
    "NEWTRUE": _push(lambda: True),
    "NEWFALSE": _push(lambda: False),
    "EMPTY_DICT": _push(dict),
    "EMPTY_LIST": _push(list),
    "EMPTY_TUPLE": _push(tuple),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "TUPLE": lambda state, _: state.stack.append(tuple(state.pop_to_mark())),
    "MEMOIZE": lambda state, _: _put(state, len(state.memo)),
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "BINGET": lambda state, index: state.stack.append(state.memo[index]),
    "LONG_BINGET": lambda state, index: state.stack.append(state.memo[index]),
    "GLOBAL": lambda state, names: state.push_global(*names.split(" ", 1)),
    "STACK_GLOBAL": lambda state, _: state.push_global(*map(str, state.pop(2))),
    "SETITEM": lambda state, _: state.set_items(list(state.pop(2))),
    "SETITEMS": lambda state, _: state.set_items(state.pop_to_mark()),
    "APPEND": lambda state, _: state.append(list(state.pop(1))),
    "APPENDS": lambda state, _: state.append(state.pop_to_mark()),
    "REDUCE": lambda state, _: state.call(),
    "BUILD": lambda state, _: state.build(),
}
