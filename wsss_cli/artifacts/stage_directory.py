"""One stage's artifact: a directory with a manifest, complete only when the manifest says so."""

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from itertools import takewhile
from os.path import realpath
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from wsss_cli import ranks
from wsss_cli.artifacts import divergence
from wsss_cli.artifacts.atomic import PARTIAL_SUFFIX, read_json, unwritable, write_json
from wsss_cli.artifacts.fingerprint import fingerprint
from wsss_cli.artifacts.metrics_log import METRICS_FILE
from wsss_cli.artifacts.stage_commands import command_to_make, recorded_command
from wsss_cli.artifacts.tensorboard_events import EVENTS
from wsss_cli.artifacts.trackers import RUNS_FILE
from wsss_cli.configs.stages import STAGES
from wsss_cli.errors import DivergenceError, UsageError, WsssError, near_path

SCHEMA = 1
MANIFEST = "manifest.json"
LOCK = ".lock"
# Status of an artifact whose files are being removed to make room for another.
REMOVING = "removing"
WAY_OUT = "pass --overwrite to replace it, or --run DIR to keep both"
ANOTHER_VERSION = "it was made by another version of this stage"
# Logs of a stage at work: where there is nothing else, nothing was made.
_LOGS = frozenset({METRICS_FILE, EVENTS, RUNS_FILE})
_PACKAGES = ("wsss-cli", "torch", "torchvision", "numpy", "opencv-python", "h5py", "pillow")


@dataclass(frozen=True)
class Input:
    """Something a stage reads: where it lies and what it is."""

    path: Path
    fingerprint: str


@dataclass(frozen=True)
class StageDirectory:
    """The result that a stage is about to make, compared with what is there already.

    Attributes:
        path: The directory, ``RUN/STAGE``.
        stage: Name of the stage.
        stage_version: Raised when the stage's code changes its results.
        settings: The fields that change the result, JSON values.
        inputs: The stage's inputs by role.
        owned: Glob patterns, relative to ``path``, of the files that make up the artifact.
        details: Further facts for the manifest: class names, seed, device and the like.
        scratch: Patterns of further files that only the unfinished artifact needs.
        extras: Patterns of further files of the stage, written on request: as much its own as
            the others, but the artifact is whole without them.
        option: The option that names the directory, for messages.
        lowerable: Settings with lower values of which a training that diverged may go on.
        reusable: Names of files there that this result is made of as well as another one is.
        leftovers: Names of files there that an earlier result left for another one than this; they
            are no stranger's, and :meth:`begin` removes them.
    """

    path: Path
    stage: str
    stage_version: int
    settings: Mapping[str, Any]
    inputs: Mapping[str, Input]
    owned: Sequence[str]
    details: Mapping[str, Any]
    scratch: Sequence[str] = ()
    extras: Sequence[str] = ()
    option: str = "--run"
    lowerable: Sequence[str] = ()
    reusable: Sequence[str] = ()
    leftovers: Sequence[str] = ()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over stage, version, settings and input fingerprints."""
        return self._fingerprint_after([])

    def _fingerprint_after(self, earlier: Sequence[Mapping[str, Any]]) -> str:
        """The fingerprint of a result that was begun with earlier settings."""
        identity = self._identity()
        return fingerprint({**identity, divergence.EARLIER: earlier} if earlier else identity)

    def _described(self) -> dict[str, Any]:
        """The identity and its fingerprint, as the manifest has them."""
        return {
            "fingerprint": self.fingerprint,
            **self._identity(),
            "inputs": {
                role: {"path": str(source.path), "fingerprint": source.fingerprint}
                for role, source in self.inputs.items()
            },
        }

    def _identity(self) -> dict[str, Any]:
        return {
            "stage": self.stage,
            "stage_version": self.stage_version,
            "settings": dict(self.settings),
            "inputs": {role: source.fingerprint for role, source in self.inputs.items()},
        }

    def recorded(self) -> bool:
        """Whether what lies there, finished or not, is what this describes.

        Raises:
            WsssError: Its manifest is not one of ours.
        """
        try:
            return self._is_of(read_manifest(self.path))
        except FileNotFoundError:
            return False

    def _is_of(self, manifest: Mapping[str, Any]) -> bool:
        """Whether a manifest describes what this does, earlier settings aside."""
        earlier = manifest.get(divergence.EARLIER, [])
        return bool(manifest["fingerprint"] == self._fingerprint_after(earlier))

    def state(
        self,
        *,
        overwrite: bool = False,
        way_out: str = WAY_OUT,
    ) -> str:
        """Compare with what is on the disk: ``new``, ``resumable`` or ``complete``.

        A complete artifact from which files have vanished is resumable: they are made again. So
        is an unfinished one of the same settings with ``overwrite``: it was begun by overwriting,
        and a stop must not cost more because of that. So is a training that diverged, if what may
        be lowered is the only difference and is lower now; without a kept state it is new. Where
        an unfinished stage has made nothing, or what is reusable alone, anything may be made.

        Args:
            overwrite: Whatever lies there is to be replaced.
            way_out: The advice of a refusal.

        Raises:
            UsageError: Another result lies there; the message names what differs. Or the same
                training has diverged. Or what is to be replaced is read. Or this rank is to make
                another result than the first.
        """
        first = ranks.agreed(lambda: _as_json(self._described()))
        if first["fingerprint"] != self.fingerprint:
            raise UsageError(
                f"this process was started with different settings than rank 0 "
                f"({self._differences(first)}); start all with the same command, data and devices"
            )
        return ranks.agreed(lambda: self._state_here(overwrite, way_out))

    def _state_here(self, overwrite: bool, way_out: str) -> str:
        """The state as this process sees it."""
        try:
            manifest = read_manifest(self.path)
        except FileNotFoundError:
            found = [path.name for pattern in self._all for path in self.path.glob(pattern)]
            strangers = [n for n in found if n not in (*self.reusable, *self.leftovers)]
            if strangers:
                raise UsageError(
                    f"{self.path} contains {strangers[0]} but no {MANIFEST}, so wsss did not "
                    f"create it; move it away or choose another {self.option}"
                ) from None
            return "new"
        if manifest["status"] == REMOVING:
            return "new"  # whoever asked for the overwriting was stopped in the middle of it
        same = self._is_of(manifest)
        running = manifest["status"] == "running"
        diverged = running and divergence.DIVERGED in manifest
        if overwrite and not (same and running and not diverged):
            self._spare_inputs(manifest)
            return "new"
        if running and not same and kept_files(self.path, manifest).keys() <= {*self.reusable}:
            return "new"
        if diverged and self._is_lowered(manifest):
            return "new" if manifest[divergence.DIVERGED]["kept"] is None else "resumable"
        if diverged and same:
            stop = manifest[divergence.DIVERGED]
            raise UsageError(
                f"{self.path}: with these settings {stop['what']} at iteration "
                f"{stop['iteration']}; {self._advice(manifest)}"
            )
        if not same:
            raise UsageError(
                f"{self.path} holds another result ({self._differences(manifest)}); {way_out}"
            )
        complete = manifest["status"] == "complete" and not lacking(self.path, manifest)
        return "complete" if complete else "resumable"

    def _spare_inputs(self, manifest: Mapping[str, Any]) -> None:
        """Refuse to remove what the stage is about to read: a stop would leave neither."""
        # Not Path.resolve, which raises where links lead in a circle.
        removed = [Path(realpath(path)) for path in _declared(self.path, manifest)]
        for source in self.inputs.values():
            path = source.path.resolve()
            inside = self.path.resolve() in path.parents
            if inside and any(path in (each, *each.parents) for each in removed):
                raise UsageError(
                    f"--overwrite would remove {source.path}, which is to be read; choose another "
                    f"{self.option}"
                )

    def _is_lowered(self, manifest: Mapping[str, Any]) -> bool:
        """Whether this differs from what a manifest describes by lower settings only."""
        identity = _as_json(self._identity())
        before = {role: source["fingerprint"] for role, source in manifest["inputs"].items()}
        return (
            all(identity[name] == manifest.get(name) for name in ("stage", "stage_version"))
            and identity["inputs"] == before
            and divergence.lowered(manifest, identity["settings"], self.lowerable)
        )

    @property
    def _all(self) -> tuple[str, ...]:
        return (*self.owned, *self.scratch, *self.extras)

    def _count_files(self) -> dict[str, int]:
        return {pattern: sum(1 for _ in self.path.glob(pattern)) for pattern in self.owned}

    def _differences(self, manifest: Mapping[str, Any]) -> str:
        settings, inputs = manifest.get("settings", {}), manifest.get("inputs", {})
        changed = [
            f"{name} {settings.get(name)} there, {self.settings.get(name)} now"
            for name in sorted({*settings, *self.settings})
            if settings.get(name) != _as_json(self.settings.get(name))
        ]
        for role in sorted({*inputs, *self.inputs}):
            now = self.inputs.get(role)
            if now is None:
                changed.append(f"its input {role} is left out now")
            elif inputs.get(role, {}).get("fingerprint") != now.fingerprint:
                changed.append(f"its input {role} has changed")
        if manifest.get("stage_version") != self.stage_version:
            changed.append(ANOTHER_VERSION)
        if manifest.get("stage") != self.stage:
            changed.append("its manifest is from another stage")
        return "; ".join(changed) or "it was made by a version of wsss with other settings"

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Be the only command that writes here; the claim of a killed process is void.

        The first rank claims for all, and the others go on when it has. Where nothing is begun
        meanwhile, nothing is left behind, no folder either.

        Raises:
            WsssError: Another process works here, or the directory cannot be written to.
        """
        if not ranks.first():
            ranks.wait_for_all()
            yield
            return
        made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            claim = FileLock(self.path / LOCK, timeout=0).acquire()
        except Timeout:
            raise WsssError(
                f"another wsss is working in {self.path}; wait until it is done, or choose "
                f"another {self.option}"
            ) from None
        except OSError as error:
            raise unwritable(self.path, error) from error
        with claim:
            try:
                ranks.wait_for_all()
                yield
            finally:
                if not (self.path / MANIFEST).exists():
                    (self.path / LOCK).unlink(missing_ok=True)
                    with suppress(OSError):  # somebody else's files came in
                        for folder in made:
                            folder.rmdir()

    def begin(self, *, overwrite: bool = False) -> None:
        """Make the directory ready to write to, and say in its manifest that it is unfinished.

        The first rank does; the others wait for it.

        To be called by who has :meth:`claimed` it. What an earlier kill left under a temporary
        name is removed, and so are leftovers; with ``overwrite`` also what the earlier manifest
        declares the stage's own, but for what is reusable, and nothing else.

        Raises:
            UsageError: One of the stage's folders is a link to somewhere else.
            WsssError: The ranks do not share the file system.
        """
        if ranks.first():
            self._begin(overwrite)
        ranks.wait_for_all()
        if not (self.path / MANIFEST).exists():
            raise WsssError(
                f"{self.path / MANIFEST} was written by the first process but is not there for "
                f"this one; choose a {self.option} on a file system that all machines share"
            )

    def _begin(self, overwrite: bool) -> None:
        self._refuse_links()
        previous = {}
        if self._state_here(overwrite, WAY_OUT) == "new":
            self._remove_owned()
        else:
            previous = read_manifest(self.path)
        self._remove_leftovers()
        earlier = divergence.earlier_settings(previous, self.lowerable)
        self._write("running", {"started": previous.get("started", _now())}, earlier)

    def diverge(self, stop: DivergenceError) -> str:
        """Say in the manifest that the training diverged; returns what to do about it."""
        manifest = read_manifest(self.path)
        manifest[divergence.DIVERGED] = {
            "what": stop.reason,
            "iteration": stop.iteration,
            "kept": stop.kept,
        }
        if ranks.first():
            write_json(self.path / MANIFEST, manifest)
        return self._advice(manifest)

    def _advice(self, manifest: Mapping[str, Any]) -> str:
        state = self.path / self.scratch[0] if self.scratch else self.path
        return divergence.advice(manifest, self.lowerable, str(state))

    def earlier_settings(self) -> list[dict[str, Any]]:
        """Settings that were in force before, if this goes on from a training that diverged."""
        return list(read_manifest(self.path).get(divergence.EARLIER, []))

    def recorded_counts(self) -> dict[str, Any]:
        """The counts of this very result if it was finished, though files may have vanished since.

        To be asked before :meth:`begin`, which forgets them. Empty where there are none; the same
        on every rank.
        """

        def recorded() -> dict[str, Any]:
            try:
                manifest = read_manifest(self.path)
            except FileNotFoundError:
                return {}
            finished = manifest["status"] == "complete" and self._is_of(manifest)
            return dict(manifest["counts"]) if finished else {}

        return ranks.agreed(recorded)

    def reopen(self) -> None:
        """Make a complete directory ready for extras; to be called by who has claimed it.

        Raises:
            UsageError: As :meth:`begin`.
        """
        if ranks.first():
            self._refuse_links()
            self._remove_leftovers()
        ranks.wait_for_all()

    def _refuse_links(self) -> None:
        for pattern in self._all:
            parents = Path(pattern).parts[:-1]
            folder = self.path.joinpath(*takewhile(lambda name: "*" not in name, parents))
            if folder.is_symlink():
                raise UsageError(
                    f"{folder} is a link, and what the stage writes and replaces must be its own; "
                    f"remove the link or choose another {self.option}"
                )

    def _remove_leftovers(self) -> None:
        # A video's temporary name ends as the video's, by which OpenCV chooses the format.
        for leftover in self.path.rglob(f".*{PARTIAL_SUFFIX}*"):
            leftover.unlink(missing_ok=True)
        for name in self.leftovers:
            (self.path / name).unlink(missing_ok=True)

    def complete(self, counts: Mapping[str, Any]) -> None:
        """Declare the artifact whole when every rank is done; the manifest is written last.

        What only an unfinished stage needs is removed afterwards, so a kill at any moment leaves
        either the means to go on or the whole.
        """
        ranks.wait_for_all()
        if ranks.first():
            self._complete(counts)
        ranks.wait_for_all()  # nobody looks for a whole artifact before it is one

    def _complete(self, counts: Mapping[str, Any]) -> None:
        running = read_manifest(self.path)
        facts = {"started": running["started"], "finished": _now(), "files": self._count_files()}
        earlier = running.get(divergence.EARLIER, [])
        self._write("complete", {**facts, "counts": dict(counts)}, earlier)
        self._remove_scratch()

    def tidy(self) -> None:
        """Remove from a whole artifact the scratch of a command that was stopped at its end.

        Nothing waits for it: where another process works here, or nothing can be removed, the
        scratch stays.
        """
        if ranks.first() and any(any(self.path.glob(pattern)) for pattern in self.scratch):
            with suppress(Timeout, OSError), FileLock(self.path / LOCK, timeout=0):
                self._remove_scratch()

    def _remove_scratch(self) -> None:
        for pattern in self.scratch:
            for path in self.path.glob(pattern):
                path.unlink(missing_ok=True)

    def _write(
        self, status: str, facts: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]
    ) -> None:
        manifest = {
            "schema": SCHEMA,
            "status": status,
            **self._described(),
            "fingerprint": self._fingerprint_after(earlier),
            **({divergence.EARLIER: list(earlier)} if earlier else {}),
            **self.details,
            "owned": list(self._all),
            "versions": _versions(),
            **facts,
        }
        write_json(self.path / MANIFEST, manifest)

    def _remove_owned(self) -> None:
        try:
            manifest = read_manifest(self.path)
        except FileNotFoundError:
            return
        # Said first, and replaced by another manifest last: a kill in between must leave neither a
        # manifest that vouches for lost files nor files of which nobody knows whose they are.
        write_json(self.path / MANIFEST, {**manifest, "status": REMOVING})
        for path in _declared(self.path, manifest):
            if path.name not in self.reusable:
                path.unlink(missing_ok=True)


def read_manifest(directory: Path) -> dict[str, Any]:
    """Read a stage directory's manifest.

    Raises:
        FileNotFoundError: There is none.
        WsssError: It is not one of ours.
    """
    path = directory / MANIFEST
    try:
        content = read_json(path)
    except NotADirectoryError:
        raise UsageError(
            f"{directory.parent} is a file, not the folder of a run; choose another --run"
        ) from None
    if "schema" in content and content["schema"] != SCHEMA:
        raise WsssError(
            f"{path} has schema {content.get('schema')}, this version of wsss reads {SCHEMA}; use "
            "the version that wrote it or start a new --run"
        )
    if not _is_manifest(content):
        raise WsssError(f"{path} is not a manifest of wsss; move it away or choose another --run")
    return content


def read_manifests(run: Path) -> dict[str, dict[str, Any]]:
    """The manifests of a run by stage, in the order of the chain; not of stages without one.

    Raises:
        WsssError: One is not ours.
    """
    manifests = {}
    for stage in STAGES:
        with suppress(FileNotFoundError):
            manifests[stage] = read_manifest(run / stage)
    return manifests


def kept_files(directory: Path, manifest: Mapping[str, Any]) -> dict[str, int]:
    """How many files of each declared pattern there are, logs left out; of those that have any."""
    counts = {
        pattern: len(_declared(directory, {"owned": [pattern]}))
        for pattern in manifest.get("owned", [])
        if pattern not in _LOGS
    }
    return {pattern: count for pattern, count in counts.items() if count}


def standing(directory: Path) -> str:
    """Say what an interrupted stage has made, in a sentence.

    Raises:
        WsssError: The manifest is not one of ours.
    """
    try:
        counts = kept_files(directory, read_manifest(directory))
    except FileNotFoundError:
        counts = {}
    if not counts:
        return "nothing was made yet, so other settings need no --overwrite"
    files = (f"{n} {pattern}" if "*" in pattern else pattern for pattern, n in counts.items())
    return f"{directory} keeps {', '.join(files)}; what was not finished is made again"


def _declared(directory: Path, manifest: Mapping[str, Any]) -> list[Path]:
    """The files there that a manifest declares the stage's own."""
    patterns = [Path(pattern) for pattern in manifest.get("owned", [])]
    inside = [p for p in patterns if p.parts and not p.is_absolute() and ".." not in p.parts]
    home = directory.resolve()
    paths = (path for pattern in inside for path in directory.glob(str(pattern)))
    # A pattern may lead through a link that somebody put there, whatever it says itself.
    return [p for p in paths if not p.is_dir() and p.parent.resolve().is_relative_to(home)]


def is_claimed(directory: Path) -> bool:
    """Whether a process is working in a stage's directory at this moment."""
    if not (directory / LOCK).exists():
        return False
    try:
        with FileLock(directory / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # not ours to write to, so not ours to know
        return False


def lacking(directory: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Patterns of which a complete artifact has fewer files than its manifest counted."""
    recorded = manifest.get("files") if manifest["status"] == "complete" else None
    if not isinstance(recorded, Mapping):  # some old manifests have their sum
        return []
    return [
        pattern
        for pattern, count in recorded.items()
        if sum(1 for _ in directory.glob(pattern)) < count
    ]


# Types of the fields of a manifest that are read; fields that are always there, or when complete.
_KINDS: Mapping[str, type | tuple[type, ...]] = {
    **{"status": str, "fingerprint": str, "stage": str, "settings": dict, "inputs": dict},
    **{"config": dict, "data": (str, type(None)), "owned": list, "counts": dict},
    # Some old manifests have the sum of the files.
    **{"files": (dict, int), "started": str, "finished": str},
}
_ALWAYS = frozenset({"schema", "status", "fingerprint", "stage", "settings", "inputs"})
_OF_COMPLETE = frozenset({"files", "counts"})


def _is_manifest(content: Mapping[str, Any]) -> bool:
    """Whether everything there is of the kind that it should be."""
    if not content.keys() >= _ALWAYS:
        return False
    if not all(isinstance(content[name], _KINDS[name]) for name in _KINDS if name in content):
        return False
    if content["status"] == "complete" and not content.keys() >= _OF_COMPLETE:
        return False
    inputs = content.get("inputs", {}).values()
    files = content["files"] if isinstance(content.get("files"), dict) else {}
    return (
        divergence.is_told_rightly(content)
        and all(
            isinstance(pattern, str) and "\0" not in pattern for pattern in content.get("owned", [])
        )
        and all(isinstance(count, int) for count in files.values())
        and all(isinstance(source, dict) for source in inputs)
        and all(
            isinstance(source.get(key), str) for source in inputs for key in ("path", "fingerprint")
        )
    )


def require_complete(
    directory: Path, stage: str, *, instead: str, data: Path | None = None
) -> dict[str, Any]:
    """Read the manifest of a finished earlier stage.

    Args:
        directory: ``RUN/STAGE``.
        stage: The stage that should have been run.
        instead: The option that gives the input explicitly.
        data: The data set given, for the command that the message names.

    Raises:
        UsageError: The stage has not been run or is not finished.
    """
    run = directory.parent
    try:
        manifest = read_manifest(directory)
    except FileNotFoundError:
        near = "" if run.exists() else near_path(run)
        raise UsageError(
            f"{directory} does not exist yet; run `{command_to_make(run, stage, data=data)}` first "
            f"or pass {instead}{near}"
        ) from None
    if manifest["status"] != "complete":
        raise UsageError(
            f"{directory} is unfinished; run `{recorded_command(stage, manifest, run)}` to finish "
            f"it or pass {instead}"
        )
    return manifest


def _as_json(value: Any) -> Any:  # noqa: ANN401 - tuples become lists on disk
    return json.loads(json.dumps(value))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@cache
def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions
