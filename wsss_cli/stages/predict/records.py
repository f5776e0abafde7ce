"""The record of each picture that was predicted: ``OUT/records/NAME.json``, written first.

A picture is done when it has a record and all files that the record names are there. A stop between
them leaves a record of files that are missing, never files that nobody knows. So it costs only the
pictures at work, further pictures join those that are there, a photograph that was changed is
noticed, and a file of somebody else is never taken for ours.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from wsss_cli.artifacts.atomic import read_json, write_json
from wsss_cli.artifacts.fingerprint import file_fingerprint
from wsss_cli.errors import UsageError, WsssError

RECORDS = "records"
# Keys of a record that name files, by path or as a mapping of paths.
_FILES = ("label_map", "maps", "overlay", "numbers", "video")
# Kinds of files that we write; a record can name no others.
_SUFFIXES = frozenset({".png", ".jpg", ".h5", ".mp4"})


@dataclass(frozen=True)
class Source:
    """The file that a result was made of.

    Attributes:
        path: Where it lay.
        bytes: Its size.
        sha256: Hash of its bytes.
    """

    path: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> "Source":
        """Look at a file, all of it."""
        return cls(str(path.absolute()), path.stat().st_size, file_fingerprint(path))

    def is_of(self, path: Path) -> bool:
        """Whether a file has the same content, wherever it lies; read if it has the same size."""
        return path.stat().st_size == self.bytes and file_fingerprint(path) == self.sha256


def record_path(out: Path, name: str) -> Path:
    """Where the record of a picture lies."""
    return out / RECORDS / f"{name}.json"


def read_record(out: Path, name: str) -> dict[str, Any] | None:
    """The record of a picture; None where there is none that is whole."""
    try:
        record = read_json(record_path(out, name))
        Source(**record["source"])
        _ = [record["size"], record["classes"]]
        paths = _paths(record)
    except (OSError, WsssError, KeyError, TypeError, AttributeError):
        return None
    return record if all(_is_inside(path) for path in paths) else None


def claim(
    out: Path,
    name: str,
    source: Source,
    facts: Mapping[str, Any],
    kept: Iterable[PurePosixPath] = (),
) -> None:
    """Record the files that a picture gets, before the first of them is there.

    Args:
        out: The folder of results.
        name: The name of the picture's results.
        source: The picture.
        facts: Its record.
        kept: Files of the former record that stay; the others are removed.

    Raises:
        UsageError: A file of somebody else has one of these names.
        WsssError: The disk is full.
    """
    former = read_record(out, name)
    own = files_of(former) if former else []
    require_free(out, source.path, files_of(facts), own)
    for path in set(own) - set(kept):
        (out / path).unlink(missing_ok=True)
    write_json(record_path(out, name), {"source": vars(source), **facts})


def require_free(
    out: Path, source: str | Path, paths: Iterable[PurePosixPath], own: Iterable[PurePosixPath]
) -> None:
    """Refuse to overwrite what a picture's record does not know.

    Args:
        out: The folder of results.
        source: The picture, for the message.
        paths: The files that it will get.
        own: Those that records know.

    Raises:
        UsageError: One is there and is not known.
    """
    paths = set(paths)
    for folder in sorted({parent for path in paths for parent in path.parents[:-1]}):
        if (out / folder).is_symlink():
            raise UsageError(
                f"{out / folder} is a link, and what is made of {source} would be written through "
                "it; remove it, or choose another --out"
            )
    for path in sorted(paths - set(own)):
        if (out / path).exists() or (out / path).is_symlink():
            raise UsageError(
                f"{out / path} is there and was not made of {source} by this command; move it "
                "away, or choose another --out"
            )


def files_of(record: Mapping[str, Any]) -> list[PurePosixPath]:
    """The files that a record names, relative to the folder of results."""
    return [PurePosixPath(path) for path in _paths(record)]


def is_whole(out: Path, record: Mapping[str, Any]) -> bool:
    """Whether all files that a record names are there."""
    return all((out / path).is_file() for path in files_of(record))


def whole_parts(out: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    """What a record says of maps, overlay and numbers, of each of which all files are there."""
    parts = {key: record[key] for key in _FILES if record.get(key)}
    return {key: value for key, value in parts.items() if is_whole(out, {key: value})}


def forget(out: Path, name: str) -> None:
    """Remove a record and, before it, the files that it names."""
    record = read_record(out, name)
    for path in files_of(record) if record else []:
        (out / path).unlink(missing_ok=True)
    record_path(out, name).unlink(missing_ok=True)


def recorded_names(out: Path) -> Iterator[str]:
    """The names of all pictures that have a record."""
    for path in sorted((out / RECORDS).rglob("*.json")):
        yield path.relative_to(out / RECORDS).with_suffix("").as_posix()


def all_files(out: Path) -> set[PurePosixPath]:
    """The files that all records name, relative to the folder of results."""
    records = (read_record(out, name) for name in recorded_names(out))
    return {path for record in records if record for path in files_of(record)}


def _paths(record: Mapping[str, Any]) -> list[str]:
    paths = []
    for key in _FILES:
        value = record.get(key)
        paths += list(value.values()) if isinstance(value, Mapping) else [value] if value else []
    return paths


def _is_inside(path: str) -> bool:
    """Whether a path out of a file leads to a file of ours below the folder of results."""
    native = Path(path)
    inside = not native.is_absolute() and not native.drive and ".." not in native.parts
    return inside and native.suffix in _SUFFIXES
