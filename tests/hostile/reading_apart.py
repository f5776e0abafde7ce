"""Read HDF5 files in a process of its own, which the HDF5 library may crash, keep or fill.

``python reading_apart.py FILE...`` prints each file's name before, and what became of it after.
"""

import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from conftest import clean_environment
from endurance import GIB, SECONDS, tried

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.score_file import ScoreFile
from wsss_cli.errors import WsssError
from wsss_cli.inspect.show import hdf5  # noqa: F401 - imported late, it would count as memory taken
from wsss_cli.inspect.show.explain import explain


def read_apart(files: Sequence[Path]) -> list[bool]:
    """Whether each file is read; otherwise it is refused with a sentence that names a file.

    Raises:
        AssertionError: Anything else became of one, which is named.
    """
    done = subprocess.run(
        [sys.executable, __file__, *map(str, files)],
        capture_output=True,
        text=True,
        env={**clean_environment(), "PYTHONPATH": ":".join(sys.path)},
        check=False,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"{lines[-1:]} ended it with {done.returncode}: {done.stderr}"
    outcomes = [line.rsplit(" ", 1)[-1] for line in lines]
    assert len(outcomes) == len(files)
    for outcome in outcomes:
        tried["HDF5 with spoiled bytes", outcome] += 1
    return [outcome == "read" for outcome in outcomes]


def main() -> None:
    """Read every file in each way there is."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + GIB, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in sys.argv[1:]:
        print(name, end=" ", flush=True)
        # Python's own handlers wait until the library returns; this one is the system's.
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        print("read" if _read(Path(name)) else "refused", flush=True)


def _read(path: Path) -> bool:
    whole = _endures(path, lambda: explain(path))
    kind = ScoreFile if path.name == "scores.h5" else AttentionFile
    for of in (kind, AttentionFile, ScoreFile):

        def every(of: type[AttentionFile] | type[ScoreFile] = of) -> None:
            with of(path) as file:
                file.fingerprint()
                for image_id in file.image_ids:
                    file.read(image_id)

        read = _endures(path, every)
        whole = whole and (read or of is not kind)
    return whole


def _endures(path: Path, read: Callable[[], object]) -> bool:
    try:
        read()
    except WsssError as error:
        assert "\n" not in str(error), error
        assert str(path.parent) in str(error), f"names no file: {error}"
        return False
    return True


if __name__ == "__main__":
    main()
