"""An HTML page of ours: written piece by piece, and nobody else's page is replaced."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from wsss_cli.artifacts.atomic import require_place, write_atomically
from wsss_cli.errors import UsageError

MARK = "<!doctype html><!-- made by wsss report -->"
"""How every page of ours begins."""
_MEMORY = '<script type="application/json" id="memory">'


def require_page_place(path: Path, option: str) -> None:
    """Refuse a place where no page can be made, before there is anything to write.

    Args:
        path: The page to be.
        option: The option that names it, for the message.

    Raises:
        UsageError: It is a folder, cannot be written to, or holds a file that is no page of ours.
    """
    require_place(path, option)
    if path.exists():
        with path.open("rb") as file:
            if file.read(len(MARK)) != MARK.encode():
                raise UsageError(
                    f"{path} is not a page of wsss, so it is left alone; move it away or "
                    f"choose another {option}"
                )


def memory_element(content: Any) -> str:  # noqa: ANN401 - any JSON value
    """An element that shows nothing and keeps a value in a page."""
    text = json.dumps(content).replace("<", r"\u003c")  # so that no name ends the element
    return f"{_MEMORY}{text}</script>"


def read_memory(path: Path) -> tuple[str, Any]:
    """The text of a page of ours and the value kept in it; None where there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return "", None
    if not text.startswith(MARK) or _MEMORY not in text:
        return text, None
    start = text.rindex(_MEMORY) + len(_MEMORY)
    try:
        return text, json.loads(text[start : text.index("</script>", start)])
    except ValueError:
        return text, None


def write_page(path: Path, pieces: Iterable[str]) -> int:
    """Write a page as its pieces come, atomically; only one piece is in memory.

    Returns:
        The size in bytes.

    Raises:
        WsssError: The disk is full or the folder cannot be written to.
    """

    def write(file: IO[bytes]) -> None:
        file.write(MARK.encode())
        for piece in pieces:
            file.write(piece.encode(errors="backslashreplace"))

    write_atomically(path, write)
    return path.stat().st_size
