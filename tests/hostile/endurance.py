"""What every reader of foreign files must do: answer, or refuse with a sentence; soon, and small.

Each test draws as many cases as ``WSSS_HOSTILE`` says (25 unless set). By default they are the same
ones every time; with the variable set they are new ones.
"""

import atexit
import os
import re
import resource
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from wsss_cli.errors import WsssError

T = TypeVar("T")
GIB = 2**30
SECONDS = 20
TOLD = os.environ.get("WSSS_HOSTILE")

# Cases tried, by reader and what became of them.
tried: Counter[tuple[str, str]] = Counter()


@atexit.register
def _tell() -> None:
    """Show the counts at the end of a long run."""
    for reader in sorted({reader for reader, _ in tried}) if TOLD else ():
        read, refused = tried[reader, "read"], tried[reader, "refused"]
        print(f"{reader:<24} {read + refused:>8} cases: {read} read, {refused} refused")


hostile = settings(
    max_examples=int(TOLD or 25),
    derandomize=TOLD is None,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def endures(reader: str, read: Callable[[], T], *, memory: int = GIB) -> T | None:
    """What a reader gives; None where it refuses. Anything else fails the test.

    Args:
        reader: For the count of cases.
        read: Calls it.
        memory: Bytes that it may take beside what the process has.
    """
    try:
        with _limits(memory):
            found = read()
    except WsssError as error:
        tried[reader, "refused"] += 1
        assert str(error).strip()
        assert "\n" not in str(error), f"more than one line: {error}"
        return None
    tried[reader, "read"] += 1
    return found


@contextmanager
def _limits(memory: int) -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError(f"the reader takes more than {SECONDS} s")

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGPROF, late)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + memory, hard))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
        signal.signal(signal.SIGPROF, before)


@st.composite
def spoiled(draw: Any, whole: bytes) -> bytes:
    """Bytes of a good file with a few places changed, cut out, doubled or cut off."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        span = draw(st.sampled_from((1, 1, 2, 4, 8, 64)))
        kind = draw(st.sampled_from(("change", "change", "drop", "double", "insert", "end")))
        if kind == "change":
            content[at : at + span] = draw(st.binary(min_size=span, max_size=span))
        elif kind == "drop":
            del content[at : at + span]
        elif kind == "double":
            content[at:at] = content[at : at + span] * draw(st.integers(1, 50))
        elif kind == "insert":
            content[at:at] = draw(st.binary(max_size=16))
        else:
            del content[at:]
    return bytes(content)


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder and what is in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


# Names that lead elsewhere, or that file systems and terminals stumble over.
ODD_NAMES = (
    "../../x", "/etc/passwd", "..", ".", "", "a/b", "a\\b", "C:\\x", "a\0b", "x" * 300, "-rf",
    "a\nb", "\x1b[31m", "\u202egpj", "con", "~", "$(id)", "%s", "a b", "\ud800", "ﬁ", "é" * 120,
)  # fmt: skip
odd_names = st.sampled_from(ODD_NAMES) | st.text(max_size=12)
encodable = odd_names.filter(lambda name: not re.search("[\ud800-\udfff]", name))

# Anything that JSON or TOML may hold where something else is expected.
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | encodable,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(encodable, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def altered(draw: Any, good: Any) -> Any:
    """A JSON value in which a few places, however deep, hold something else or are gone."""
    value = good
    for _ in range(draw(st.integers(1, 3))):
        value = _altered_once(draw, value)
    return value


def _altered_once(draw: Any, value: Any) -> Any:
    if isinstance(value, dict) and value and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(value)))
        if not draw(st.integers(0, 4)):
            return {name: inner for name, inner in value.items() if name != key}
        return {**value, key: _altered_once(draw, value[key])}
    if isinstance(value, list) and value and draw(st.integers(0, 5)):
        at = draw(st.integers(0, len(value) - 1))
        if not draw(st.integers(0, 4)):
            return value[:at] + value[at + 1 :]
        return [*value[:at], _altered_once(draw, value[at]), *value[at + 1 :]]
    return draw(json_values)
