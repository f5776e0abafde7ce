"""Files appear complete or not at all."""

import contextlib
import errno
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from wsss_cli.errors import UsageError, WsssError

PARTIAL_SUFFIX = ".partial"


def write_atomically(
    path: Path, write: Callable[[IO[bytes]], None], *, keep_as: Path | None = None
) -> None:
    """Write to a temporary name in the same folder, flush, fsync and rename.

    Args:
        path: The final name; its folder is made when missing.
        write: Receives the open binary file.
        keep_as: Name in the same folder that a file already at ``path`` is kept under.

    Raises:
        WsssError: The disk is full or the folder cannot be written to; nothing is left behind.
    """
    partial = partial_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())  # its bytes are on the disk before its name is
        if keep_as is not None and path.exists():
            path.replace(keep_as)
        partial.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise unwritable(path, error) from error
        raise


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write several files as :func:`write_atomically` does one, waiting for the disk once.

    The system begins to write all of them before the first is waited for, so that the disk takes
    them together. None has its final name before the bytes of all are on the disk.

    Args:
        contents: Bytes by final name, of so few files that all may be open.

    Raises:
        WsssError: The disk is full or a folder cannot be written to; no part of a file is left.
    """
    path = Path()
    partials: dict[Path, Path] = {}
    try:
        with contextlib.ExitStack() as stack:
            files = []
            for path, content in contents.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                partials[path] = partial_name(path)
                file = stack.enter_context(partials[path].open("wb"))
                file.write(content)
                file.flush()
                if hasattr(os, "posix_fadvise"):  # begins to write, and does not wait
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                files.append(file)
            for file in files:
                os.fsync(file.fileno())
        for path, partial in partials.items():
            partial.replace(path)
    except BaseException as error:
        for partial in partials.values():
            with contextlib.suppress(OSError):  # the first error is the one to tell
                partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise unwritable(path, error) from error
        raise


def require_place(path: Path, option: str) -> None:
    """Refuse a place where no file can be made, before there is anything to write.

    Args:
        path: The file to be; its folder may be missing.
        option: The option that names it, for the message.

    Raises:
        UsageError: It is a folder, or what should be its folder is a file or read-only.
    """
    if path.is_dir():
        raise UsageError(f"{option} {path} is a folder; name a file")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"{option} {path}: {folder} is not a writable folder; choose another")


def require_free(path: Path, option: str, *, overwrite: bool) -> None:
    """Refuse a place where no file can be made, or where one is that is to stay.

    Args:
        path: The file to be.
        option: The option that names it, for the message.
        overwrite: Whether ``--overwrite`` is given.

    Raises:
        UsageError: As :func:`require_place`, or a file is there.
    """
    require_place(path, option)
    if path.exists() and not overwrite:
        raise UsageError(
            f"{option} {path} exists; pass --overwrite to replace it, or name another file"
        )


def partial_name(path: Path) -> Path:
    """The temporary name of ``path``, different for each process."""
    return path.with_name(f".{path.name}.{os.getpid()}{PARTIAL_SUFFIX}")


def write_json(path: Path, content: Any) -> None:  # noqa: ANN401 - JSON is what it is
    """Write indented JSON with a final newline, atomically."""
    text = json.dumps(finite(content), indent=2, ensure_ascii=False) + "\n"
    # Bytes of file names that are no UTF-8 become JSON's own escapes, and come back as they were.
    content_bytes = text.encode(errors="backslashreplace")
    write_atomically(path, lambda file: _write_all(file, content_bytes))


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of ours.

    Raises:
        FileNotFoundError: There is no such file.
        NotADirectoryError: One of its folders is a file.
        WsssError: It is incomplete, or not an object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (ValueError, OSError, RecursionError) as error:
        raise WsssError(f"{path} cannot be read as JSON ({error}); restore or remove it") from error
    if not isinstance(content, dict):
        raise WsssError(f"{path} is not a manifest of wsss, nor another JSON object; move it away")
    return content


def write_bytes(path: Path, content: bytes, *, keep_as: Path | None = None) -> None:
    """Write bytes atomically, as :func:`write_atomically` does."""
    write_atomically(path, lambda file: _write_all(file, content), keep_as=keep_as)


def finite(value: Any) -> Any:  # noqa: ANN401 - JSON values
    """JSON has no nan and no infinity: an undefined number becomes null."""
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def unwritable(path: Path, error: OSError) -> WsssError:
    """Explain why a file could not be written and what to do about it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return WsssError(
            f"the disk is full: {path} could not be written; what was finished is kept, free some "
            "space and run the same command again to continue"
        )
    return WsssError(f"{path} cannot be written ({error.strerror}); choose another folder")


def _write_all(file: IO[bytes], content: bytes) -> None:
    file.write(content)
