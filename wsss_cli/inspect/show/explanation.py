"""The explanation of one file, and the stage that wrote it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.errors import WsssError


@dataclass(frozen=True)
class Explanation:
    """What one file is.

    Attributes:
        what: A few words.
        facts: By name, JSON values.
        advice: What to do about it, where there is something to do.
    """

    what: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    advice: str | None = None


@dataclass(frozen=True)
class Writer:
    """The stage that wrote a file, as the manifest beside it has it."""

    directory: Path
    manifest: Mapping[str, Any]

    def describe(self) -> dict[str, Any]:
        """As JSON values."""
        manifest = self.manifest
        return {
            "stage": manifest["stage"],
            "directory": str(self.directory),
            "status": manifest["status"],
            "version": manifest.get("versions", {}).get("wsss-cli"),
            "finished": manifest.get("finished"),
            "settings": manifest.get("settings", {}),
        }

    @property
    def class_names(self) -> list[str]:
        """Names of classes 1..C; empty where the stage did not know them."""
        return list(self.manifest.get("class_names") or ())


def writer_of(path: Path) -> Writer | None:
    """The stage that a file belongs to; None where no manifest declares it."""
    for directory in path.absolute().parents[:2]:  # as in RUN/proxy/labels/ID.png
        inside = path.absolute().relative_to(directory)
        try:
            manifest = read_manifest(directory)
        except (WsssError, OSError):
            continue
        for pattern in manifest.get("owned", ()):
            if len(Path(pattern).parts) == len(inside.parts) and inside.match(pattern):
                return Writer(directory, manifest)
    return _predictor_of(path)


def _predictor_of(path: Path) -> Writer | None:
    """``wsss predict``, whose records know its files, at any depth."""
    from wsss_cli.stages.predict.places import STAGE
    from wsss_cli.stages.predict.records import RECORDS, all_files

    for directory in path.absolute().parents:
        try:
            manifest = read_manifest(directory)
        except (WsssError, OSError):
            continue
        inside = path.absolute().relative_to(directory)
        if manifest["stage"] == STAGE:
            known = inside.parts[0] == RECORDS or PurePosixPath(inside) in all_files(directory)
            return Writer(directory, manifest) if known else None
    return None
