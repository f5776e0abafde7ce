"""Pictures by what lists and tables call them.

The names were written on another machine, by another tool, for other folders: with backslashes, in
other letters, with the path that the picture had there. Names are only compared with the pictures
that were found; none is opened, so none leads anywhere.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from os.path import exists, normpath, realpath, relpath
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import unquote

from wsss_cli.artifacts.file_names import LONGEST
from wsss_cli.artifacts.picture_formats import PICTURE_SUFFIXES, is_picture, names_picture
from wsss_cli.errors import WsssError, listing

# Other endings of JPEG, for which nobody should convert a picture.
_RARE = {".jpe", ".jfif"}

_Ids = Mapping[str, Sequence[str]]

_CAPITALS = "{} names have other capitals than their files"
_ELSEWHERE = (
    "{} names are paths of another place; read as the pictures of the same names in {folder}"
)
_ESCAPED = "{} names are URL-encoded"


class NameIndex:
    """The pictures of a folder by the names that somebody may give them.

    A name is a path below the folder or a file name in any of its folders, with or without ending.
    Where nothing has that name, capitals do not count, and folders at its start may be left out
    that are none of these; a path of which no folder is here may name a file in any folder.
    """

    def __init__(self, folder: Path, below: Mapping[str, PurePosixPath]) -> None:
        """Index pictures.

        Args:
            folder: Where they lie.
            below: Their paths below it, by id.
        """
        self.folder = folder
        self._below = below
        self._loosely: dict[str, set[str]] = defaultdict(set)
        self._moved: dict[str, str] = {}

    def look_up(self, name: str) -> str:
        """The id of the picture that a list calls so.

        Raises:
            WsssError: The name leaves the folder, or no picture or several have it; the message is
                to be preceded by where the name stands.
        """
        for kind in self._called[:2]:
            exact = kind.get(name, ())
            if len(exact) == 1:  # most lists write it so, and hundred thousands of paths take long
                return exact[0]
        plain, absolute = self._plain_name(name)
        image_id = self._matching(plain, name, absolute=absolute)
        if image_id is None and "%" in plain:
            image_id = self._matching(_normal(unquote(plain)), name, absolute=absolute)
            if image_id is not None:
                self._loosely[_ESCAPED].add(name)
        if image_id is not None:
            return image_id
        if absolute:
            raise WsssError(f"{name!r} leads out of {self.folder}; give a path below it")
        raise WsssError(self._not_there(name, plain))

    def knows(self, name: str) -> bool:
        """Whether exactly one picture is called so."""
        try:
            self.look_up(name)
        except WsssError:
            return False
        return True

    def is_at(self, path: str) -> bool:
        """Whether a picture lies at that very path below the folder; capitals do not count."""
        try:
            plain, _ = self._plain_name(path)
        except WsssError:
            return False
        return plain in self._called[0] or plain.casefold() in self._folded[0]

    def remarks(self) -> list[str]:
        """How many of the names looked up so far are not quite those of their pictures."""
        return [
            text.format(f"{len(names):,}", folder=self.folder)
            for text, names in self._loosely.items()
        ]

    def _plain_name(self, name: str) -> tuple[str, bool]:
        """A name in the form of the index, and whether it is a path of another place.

        Raises:
            WsssError: It leads out of the folder.
        """
        path = PureWindowsPath(name)  # which knows both kinds of slashes
        absolute = bool(path.drive or path.root)
        text = path.relative_to(path.anchor).as_posix() if absolute else path.as_posix()
        if text.startswith(f"{self.folder.name}/") and not path.drive:
            absolute = False  # as DeepLab's lists call pictures: /JPEGImages/ID.jpg
        if absolute or ".." in path.parts:
            inside = self._below_folder(f"/{text}" if absolute else text)
            if inside is not None:
                text, absolute = inside, False
            elif not absolute or ".." in path.parts or exists(name):  # noqa: PTH110 - takes any name
                raise WsssError(f"{name!r} leads out of {self.folder}; give a path below it")
        first, _, rest = text.partition("/")
        if rest and first == self.folder.name and first.casefold() not in self._folders:
            text = rest
        return _normal(text), absolute

    def _below_folder(self, name: str) -> str | None:
        """A path below the folder, however it is written; None where it lies outside."""
        try:
            path = normpath(self.folder / name)
            for candidate in (path, realpath(path)) if exists(path) else (path,):  # noqa: PTH110
                for folder in (self.folder, realpath(self.folder)):
                    inside = relpath(candidate, folder)
                    if inside.split("/")[0] not in ("..", "."):
                        return inside
        except (OSError, ValueError):
            return None
        return None

    def _matching(self, plain: str, name: str, *, absolute: bool) -> str | None:
        """The id of the only picture that fits best; None where none does."""
        if not absolute:
            for kinds in (self._called, self._folded):
                for kind in kinds:
                    image_id = self._only(kind, plain, name, folded=kinds is self._folded)
                    if image_id is not None:
                        return image_id
        parts = plain.split("/")
        for start in range(0 if absolute else 1, len(parts)):
            if start and parts[start - 1].casefold() in self._folders:
                return None  # that folder is here and has no such picture
            rest = "/".join(parts[start:])
            for kinds in (self._called, self._folded):
                for kind in kinds[:2]:
                    image_id = self._only(kind, rest, name, folded=kinds is self._folded)
                    if image_id is not None:
                        return self._moved_here(image_id, plain, name)
        for kinds in (self._called, self._folded) if len(parts) > 1 else ():
            image_id = self._only(kinds[2], parts[-1], name, folded=kinds is self._folded)
            if image_id is not None:
                return self._moved_here(image_id, plain, name)
        return None

    def _only(self, kind: _Ids, plain: str, name: str, *, folded: bool) -> str | None:
        ids = kind.get(plain.casefold() if folded else plain, ())
        if len(ids) > 1:
            places = listing([str(self._below[image_id]) for image_id in ids])
            raise WsssError(f"{name!r} may be {places}; give its path below {self.folder}")
        if ids and folded:
            self._loosely[_CAPITALS].add(name)
        return ids[0] if ids else None

    def _moved_here(self, image_id: str, plain: str, name: str) -> str:
        """Refuse two paths of another place that would be one picture here."""
        first = self._moved.setdefault(image_id, plain)
        if first != plain:
            raise WsssError(
                f"{name!r} and {first!r} would both be {self._below[image_id]}; give their paths "
                f"below {self.folder}"
            )
        self._loosely[_ELSEWHERE].add(name)
        return image_id

    def _not_there(self, name: str, plain: str) -> str:
        """Why nothing has the name."""
        kinds = ", ".join(sorted(suffix[1:] for suffix in PICTURE_SUFFIXES - _RARE))
        try:
            there = len(plain.encode()) <= LONGEST and (self.folder / plain).is_file()
        except (OSError, ValueError):
            there = False
        if there:
            return f"{name!r} is none of {kinds}; convert it to one of these"
        bare = (
            str(PurePosixPath(plain).with_suffix("")) if is_picture(PurePosixPath(plain)) else plain
        )
        near = [image_id for kind in self._folded for image_id in kind.get(bare.casefold(), ())]
        hint = f" ({self._below[near[0]]} is there)" if near else ""
        return f"{name!r} is no picture below {self.folder}{hint}; add it, or leave it out"

    @cached_property
    def _folders(self) -> frozenset[str]:
        """Names of the folders that hold pictures."""
        return frozenset(
            part.casefold() for below in self._below.values() for part in below.parts[:-1]
        )

    @cached_property
    def _called(self) -> Sequence[_Ids]:
        """Ids by path, by path without ending, by name, by name without ending."""
        return self._indexed(lambda text: text)

    @cached_property
    def _folded(self) -> Sequence[_Ids]:
        """The same, where capitals do not count."""
        return self._indexed(str.casefold)

    def _indexed(self, spelling: Callable[[str], str]) -> Sequence[_Ids]:
        kinds: tuple[dict[str, list[str]], ...] = tuple(defaultdict(list) for _ in range(4))
        # As text: of a million paths, pathlib's own parts take a minute.
        for image_id, below in self._below.items():
            folder, slash, name = str(below).rpartition("/")
            small, bare = _endings(name)
            before = folder + slash
            for kind, text in zip(kinds, (before + small, before + bare, small, bare), strict=True):
                composed = text if text.isascii() else unicodedata.normalize("NFC", text)
                kind[spelling(composed)].append(image_id)
        return kinds


def _normal(text: str) -> str:
    """A path in the form of the index: composed letters, the ending of a picture in small ones.

    Lists and cameras do not agree about these.
    """
    folder, slash, name = str(PurePosixPath(text)).rpartition("/")
    return unicodedata.normalize("NFC", folder + slash + _endings(name)[0])


def _endings(name: str) -> tuple[str, str]:
    """A file's name with the ending of a picture in small letters, and without its ending."""
    at = name.rfind(".")
    if not 0 < at < len(name) - 1:  # as pathlib has it, neither ".jpg" nor "a." has one
        return name, name
    return name[:at] + name[at:].lower() if names_picture(name) else name, name[:at]
