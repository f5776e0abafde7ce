"""HDF5 files with a group per image: shards of images and an index that links to them.

The attention file and the score file are such files. A shard is made in memory and appears when
it is whole; the index names every image and links to its group in its shard, by relative paths, so
the directory can be moved. A single file without links has the same layout to a reader.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import ENOSPC
from functools import cached_property
from io import BytesIO
from pathlib import Path, PurePosixPath
from shutil import disk_usage
from types import MappingProxyType, TracebackType
from typing import Any, ClassVar, Self

import h5py
import numpy as np

from wsss_cli.artifacts.atomic import partial_name, unwritable, write_bytes
from wsss_cli.artifacts.file_names import names_a_file
from wsss_cli.artifacts.fingerprint import file_fingerprint, files_fingerprint
from wsss_cli.artifacts.foreign_hdf5 import require_readable
from wsss_cli.artifacts.image_size import is_believable, is_holdable
from wsss_cli.artifacts.stage_commands import command_to_make
from wsss_cli.artifacts.stage_directory import MANIFEST, read_manifest
from wsss_cli.command_line import command_line
from wsss_cli.errors import WsssError, listing
from wsss_cli.reserved_names import reason_against

SHARDS = "shards"
_ALL_SHARDS = f"{SHARDS}/*.h5"
# A kill loses at most one shard; an index of ten thousand images still links to few files.
SHARD_IMAGES = 128
# Bytes that must stay free beside an image's maps, for what HDF5 writes when it closes the file.
_ROOM_BESIDE = 2**24
# What h5py raises where something is not what it was taken for.
ODDITIES = (
    *(KeyError, OSError, AttributeError, IndexError, TypeError, ValueError),
    *(RuntimeError, OverflowError, MemoryError),
)


@dataclass(frozen=True)
class Layout:
    """One kind of these files.

    Attributes:
        content: What the file holds of each image, for messages.
        schema: Version of the layout.
        index: Name of the index in its stage's directory.
        stage: The stage that makes such a file.
        option: The option that usually names one.
        extra: The option of the stage without which it makes none, as a field; None without.
    """

    content: str
    schema: int
    index: str
    stage: str
    option: str
    extra: str | None = None

    def maker(self, path: Path) -> str:
        """The command that makes the file that is, or should be, at a path."""
        extras: dict[str, Any] = {self.extra: True} if self.extra else {}
        if path.name == self.index and path.parent.name == self.stage:
            return command_to_make(path.parent.parent, self.stage, **extras)
        return command_line(self.stage, **extras)


@contextmanager
def published_whole(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file that is made in memory and written at once when it is whole.

    The HDF5 library does not survive a full disk: it goes on failing while its handles are
    closed, and ends in a segmentation fault. Plain bytes can be written without it.

    Raises:
        WsssError: The disk is full.
    """
    content = BytesIO()
    with h5py.File(content, "w") as file:
        yield file
    write_bytes(path, content.getvalue())


@contextmanager
def published_on_disk(path: Path) -> Iterator[Callable[[int], h5py.File]]:
    """An HDF5 file too large for the memory: made under a temporary name, renamed when it is whole.

    Yields:
        A function that takes the number of bytes about to be added and returns the file. It keeps
        the HDF5 library from meeting a full disk, which it does not survive.

    Raises:
        WsssError: The disk is full or the folder cannot be written to; nothing is left behind.
    """
    partial = partial_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(partial, "w") as file:

            def with_room_for(count: int) -> h5py.File:
                if disk_usage(partial.parent).free < count + _ROOM_BESIDE:
                    raise OSError(ENOSPC, "no space left")
                return file

            yield with_room_for
        with partial.open("rb+") as written:
            os.fsync(written.fileno())  # its bytes are on the disk before its name is
        partial.replace(path)
    except BaseException as error:
        with suppress(OSError):  # the first error is the one to tell
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise unwritable(path, error) from error
        raise


def hdf5_version() -> str:
    """Version of the HDF5 library that h5py is built on."""
    return str(h5py.version.hdf5_version)


def shard_path(directory: Path, number: int) -> Path:
    """Where a shard lies."""
    return directory / SHARDS / f"{number:05d}.h5"


def add_group(file: h5py.File, layout: Layout, image_id: str, size: tuple[int, int]) -> h5py.Group:
    """A new group for an image of the size (H, W)."""
    group = file.create_group(image_id)
    group.attrs["schema"] = layout.schema
    group.attrs["height"], group.attrs["width"] = size
    return group


def write_index(
    directory: Path,
    layout: Layout,
    shards: Sequence[Sequence[str]],
    class_names: Sequence[str],
    about: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Link every image id to its group in its shard, by relative paths.

    Args:
        directory: ``RUN/STAGE``.
        layout: Kind of the file.
        shards: Image ids of each shard.
        class_names: Names of classes 1..C.
        about: Further attributes of the index.
    """
    places = {
        image_id: shard_path(directory, number)
        for number, image_ids in enumerate(shards)
        for image_id in image_ids
    }
    write_links(directory / layout.index, layout, places, class_names, about)


def write_links(
    index: Path,
    layout: Layout,
    places: Mapping[str, Path],
    class_names: Sequence[str],
    about: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write an index of files that each hold some images.

    Args:
        index: The file to write.
        layout: Its kind.
        places: The file that holds each image, below the index's folder, by image id.
        class_names: Names of classes 1..C.
        about: Further attributes of the index.
    """
    with published_whole(index) as file:
        file.attrs["schema"] = layout.schema
        file.attrs["class_names"] = list(class_names)
        file.attrs.update(about)
        for image_id, group in places.items():
            target = group.relative_to(index.parent).as_posix()
            file[image_id] = h5py.ExternalLink(target, f"/{image_id}")


class ImageGroups:
    """Read access to what concerns all images; each kind of file reads its own groups.

    Opening reads no names, for a million of them take seconds: an image is looked up by its own.

    Attributes:
        layout: The kind of the file.
        path: The file.
        class_names: Names of classes 1..C; None if the file has none.
    """

    layout: ClassVar[Layout]

    def __init__(
        self, path: Path, class_names: Sequence[str] | None = None, *, option: str | None = None
    ) -> None:
        """Open the file and check what it says of itself.

        Args:
            path: The index, or a whole file of another tool.
            class_names: Those of the data set; the file's own must be the same.
            option: The option that names this file, for the message; None is the usual one.

        Raises:
            WsssError: It is missing, no HDF5 file, empty, of another schema or of other classes, or
                a stage's index that has lost some of its shards.
        """
        self.path = path
        layout = self.layout
        if not path.exists():
            option = option or layout.option
            raise WsssError(
                f"{path} does not exist; run `{layout.maker(path)}` or pass {option} FILE"
            )
        if path.is_dir():
            raise WsssError(f"{path} is a folder; give the HDF5 file in it")
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise WsssError(
                f"{path} is not a readable HDF5 file ({error}); give {layout.content} as "
                f"`{layout.maker(path)}` writes it"
            ) from error
        try:
            schema, recorded_names = self._says()
            self.image_count = len(self._file)
        except ODDITIES as error:
            raise self._broken(error) from error
        if schema != layout.schema:
            raise WsssError(
                f"{path} has {layout.content} schema {schema}, this wsss reads {layout.schema}"
            )
        if not self.image_count:
            raise WsssError(f"{path} holds no image; it should have one group per image id")
        reason = (
            None if recorded_names is None or self._is_own() else reason_against(recorded_names)
        )
        if reason is not None:
            raise WsssError(f"{path}: its attribute class_names {reason}")
        if (
            recorded_names is not None
            and class_names is not None
            and recorded_names != tuple(class_names)
        ):
            raise WsssError(
                f"{path} has the classes {listing(recorded_names)}, the data set "
                f"{listing(list(class_names))}; give that of this data set, or --data of its own"
            )
        self.class_names = recorded_names if class_names is None else tuple(class_names)
        self._trusted_targets: set[str] = set()
        shards = self._recorded_shards()
        self._shards_are_there = shards is not None
        if shards is not None:
            there = set(path.parent.glob(_ALL_SHARDS))
            if len(there) < shards:
                every = (shard_path(path.parent, number) for number in range(shards))
                first = next(shard for shard in every if shard not in there)
                raise WsssError(
                    f"{path} links to {shards - len(there)} of {shards} files that are missing: "
                    f"{first.relative_to(path.parent)} is the first; restore them, or run "
                    f"`{layout.maker(path)}` to make them again"
                )

    @cached_property
    def image_ids(self) -> list[str]:
        """Ids of all images, one group each, in the order of their names, or as they were written.

        The files that these lie in are there.

        Raises:
            WsssError: A name is no image id, or a link leads outside the folder or to nothing.
        """
        try:
            names = self._names()
        except ODDITIES as error:
            raise self._broken(error) from error
        image_ids = [name.decode(errors="surrogateescape") for name in names]
        for name, image_id in zip(names, image_ids, strict=True):
            if not names_a_file(image_id):
                shown = image_id if image_id.isprintable() else name
                raise WsssError(
                    f"{self.path} has a group {shown!r}, which is not an image id (a printable "
                    "file name of at most 200 bytes)"
                )
        self._require_files()
        return image_ids

    def _names(self) -> list[bytes]:
        """Names of all groups, in the order in which h5py has them."""
        root = self._file["/"].id
        names: list[bytes] = []
        if root.get_create_plist().get_link_creation_order() & h5py.h5p.CRT_ORDER_TRACKED:
            root.links.iterate(names.append, idx_type=h5py.h5.INDEX_CRT_ORDER)
            return names
        # Asked for them in order, the library makes a table of all first: twice the time.
        root.links.iterate(names.append, order=h5py.h5.ITER_NATIVE)
        return sorted(names)

    def __contains__(self, image_id: str) -> bool:
        """Whether the file has an image; its group may still be odd."""
        try:
            return names_a_file(image_id) and self._file.id.links.exists(image_id.encode())
        except ODDITIES as error:
            raise self._broken(error) from error

    def _says(self) -> tuple[int, tuple[str, ...] | None]:
        """Schema and class names, as the file's attributes have them."""
        schema = int(self._attribute(self._file, "schema", self.layout.schema))
        stored = self._attribute(self._file, "class_names")
        if stored is not None and np.ndim(stored) != 1:
            raise TypeError("class_names is not a list")
        return schema, None if stored is None else tuple(str(name) for name in stored)

    def fingerprint(self) -> str:
        """The stage's fingerprint for its own index, else that of all bytes linked."""
        if self._is_own():
            return str(read_manifest(self.path.parent)["fingerprint"])
        self._check_targets(self._linked)
        linked = [self.path.parent / target for target in sorted(self._linked)]
        return files_fingerprint([self.path, *linked]) if linked else file_fingerprint(self.path)

    def _is_own(self) -> bool:
        """Whether a stage's manifest lies beside its index."""
        return (self.path.parent / MANIFEST).exists() and self.path.name == self.layout.index

    def require(self, image_ids: Sequence[str]) -> None:
        """Refuse a file that lacks some images.

        Raises:
            WsssError: Names the images that are missing, or the files that they should lie in.
        """
        missing = [image_id for image_id in image_ids if image_id not in self]
        if missing:
            raise WsssError(
                f"{self.path} lacks the {self.layout.content} of {len(missing)} of "
                f"{len(image_ids)} images: {listing(missing)}; make it of the same --split, or "
                "give another file"
            )
        self._require_files()

    def arrays(self, image_id: str) -> dict[str, tuple[tuple[int, ...], str]]:
        """Shape and type of every array of an image, without reading their values.

        Raises:
            WsssError: The image cannot be read.
        """
        try:
            group = self._group(image_id)
            return {name: (group[name].shape, str(group[name].dtype)) for name in group}
        except ODDITIES as error:
            raise self._unreadable(image_id, error) from error

    @property
    def schema(self) -> int:
        """Version of the layout."""
        return self.layout.schema

    @property
    def files(self) -> int:
        """How many files the maps lie in, this one or those that it links to."""
        return len(self._linked) or 1

    @cached_property
    def _homes(self) -> tuple[Path, Path]:
        """Names of the file's own folder, with links in them and without."""
        folder = self.path.parent
        return Path(os.path.normpath(folder.absolute())), folder.resolve()

    def _group(self, image_id: str) -> h5py.Group:
        """The group of an image, which must hold its data itself."""
        self._check_link(image_id)
        group = self._file[image_id]
        if not isinstance(group, h5py.Group):
            raise self._odd(image_id, "is an array, not a group of arrays")
        opened = Path(os.path.normpath(Path(group.file.filename).absolute()))
        if not any(opened.is_relative_to(home) for home in self._homes):
            raise self._odd(image_id, f"lies in {opened}, outside the file's own folder")
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise self._odd(image_id, f"holds {name} as a link instead of as data")
        return group

    def _attribute(self, owner: h5py.Group, name: str, default: Any = None) -> Any:  # noqa: ANN401 - h5py's
        """Value of an attribute of the file or a group; the default where there is none.

        Raises:
            ValueError: The library should not read it; h5py has more to raise.
        """
        require_readable(owner, name)
        return owner.attrs.get(name, default)

    def _data(
        self, image_id: str, group: h5py.Group, name: str, *, most: int | None = None
    ) -> h5py.Dataset:
        """An array of a group, not read yet; it must lie in this very file, and not be huge.

        Args:
            image_id: Whose group.
            group: Where it stands.
            name: Name of the array.
            most: Values that it may hold; None is as many as an image's maps may have.
        """
        member = group.get(name)
        if not isinstance(member, h5py.Dataset):
            raise self._odd(image_id, f"has no array {name}")
        if member.external or member.is_virtual:
            raise self._odd(image_id, f"keeps {name} in other files")
        if member.dtype.hasobject:  # strings of any length: see foreign_hdf5.py
            raise self._odd(image_id, f"has {name} that are no numbers")
        size = member.dtype.itemsize
        if not is_holdable(member.shape, size) or (most is not None and member.size > most):
            raise self._odd(image_id, f"has {name} of the shape {member.shape}, which is too large")
        require_readable(member)
        return member

    def _require_size(self, image_id: str, height: int, width: int) -> None:
        if not is_believable(height, width):
            raise self._odd(image_id, f"has the size {height} x {width}, which no image has")

    def _broken(self, error: Exception) -> WsssError:
        return WsssError(
            f"{self.path} cannot be read as HDF5 ({error}); restore the file, or remove it and run "
            f"`{self.layout.maker(self.path)}` again"
        )

    def _unreadable(self, image_id: str, error: Exception) -> WsssError:
        try:
            link = self._file.get(image_id, getlink=True)
        except ODDITIES:
            link = None
        if not isinstance(link, h5py.ExternalLink):
            return self._odd(image_id, f"cannot be read ({error})")
        return WsssError(
            f"{self.path.parent / link.filename}: image {image_id} cannot be read ({error}); "
            f"restore the file, or remove it and run `{self.layout.maker(self.path)}` again"
        )

    def _odd(self, image_id: str, problem: str) -> WsssError:
        return WsssError(f"{self.path}: image {image_id} {problem}; docs/formats.md has the layout")

    def _recorded_shards(self) -> int | None:
        """How many shards the stage's manifest counted; None where it has not."""
        if not self._is_own():
            return None
        try:
            manifest = read_manifest(self.path.parent)
        except (WsssError, FileNotFoundError):  # the one to tell is whoever asks for more of it
            return None
        files = manifest.get("files")
        if manifest["status"] != "complete" or not isinstance(files, Mapping):
            return None
        count = files.get(_ALL_SHARDS)
        return count if isinstance(count, int) else None

    def _require_files(self) -> None:
        """Refuse a file that links to others which are not there, or outside its folder.

        Where the shards have been counted, links are checked when they are followed: reading those
        of a million images takes seconds.

        Raises:
            WsssError: As :meth:`_check_targets`.
        """
        if not self._shards_are_there:
            self._check_targets(self._linked)

    @cached_property
    def _linked(self) -> set[str]:
        """Files that the index links to, relative to its folder.

        Raises:
            WsssError: The file is broken.
        """
        links = self._file.id.links
        external: list[bytes] = []

        def note(name: bytes, about: h5py.h5l.LinkInfo) -> None:
            if about.type == h5py.h5l.TYPE_EXTERNAL:
                external.append(name)

        try:
            links.iterate(note, info=True, order=h5py.h5.ITER_NATIVE)
            return {os.fsdecode(links.get_val(name)[0]) for name in external}
        except ODDITIES as error:
            raise self._broken(error) from error

    def _check_link(self, image_id: str) -> None:
        """Refuse to follow the link of an image to where it must not lead.

        Raises:
            KeyError: There is no such image.
            WsssError: As :meth:`_check_targets`.
        """
        link = self._file.get(image_id, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            if link.filename not in self._trusted_targets:
                self._check_targets({link.filename})
        elif isinstance(link, h5py.SoftLink):  # it may lead to any other
            self._check_targets(self._linked)

    def _check_targets(self, targets: Set[str]) -> None:
        """Every link must lead to a file below the index's folder, and that file must exist.

        Raises:
            WsssError: One does not.
        """
        for target in targets:
            inside = PurePosixPath(target)
            if inside.is_absolute() or ".." in inside.parts:
                raise WsssError(f"{self.path} links to {target}, outside its own folder")
        lost = sorted(target for target in targets if not _exists(self.path.parent / target))
        if lost:
            raise WsssError(f"{self.path} links to files that are missing: {listing(lost)}")
        self._trusted_targets |= targets

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # the name is too long for one
        return False
