"""README and docs/ as tests read them: commands, code blocks, links."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)


def text(name: str) -> str:
    """Return a page, such as ``README.md`` or ``docs/usage.md``."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    """Return the fenced blocks of a page that are in the language."""
    return [content for kind, content in _BLOCK.findall(text(name)) if kind == language]


def commands(name: str) -> Iterator[str]:
    """Yield the command lines of a page in order, continued lines joined.

    Those of a block in ``sh`` are all its lines; of one without a language, which shows output too,
    those behind a prompt.
    """
    for kind, content in _BLOCK.findall(text(name)):
        for line in content.replace("\\\n", " ").splitlines():
            if kind == "sh" and line.strip() and not line.startswith("#"):
                yield " ".join(line.split())
            elif not kind and line.startswith("$ "):
                yield " ".join(line[2:].split())
