"""Write docs/options.md from the commands' own help, which is what is maintained."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from typer.core import TyperCommand, TyperGroup

from wsss_cli.cli.app import app
from wsss_cli.cli.wrapping import help_row

PAGE = Path(__file__).parent.parent / "docs" / "options.md"
INTRODUCTION = """\
# Every option of every command

Written from the commands' help by `python scripts/write_options_docs.py`; a test holds the page to
it. `wsss COMMAND -h` prints the same with examples. What the commands are for, and when to use
which option, is in [usage.md](usage.md).
"""
# An option that so many commands have, with the same meaning, is listed once.
SHARED_BY = 5

Row = tuple[str, str]


def page() -> str:
    """Write the whole page."""
    rows = {name: list(_rows(name, command)) for name, command in commands()}
    counts = Counter(row for table in rows.values() for row in table)
    shared = [row for row in counts if counts[row] >= SHARED_BY]
    sections = [INTRODUCTION, _section("Options that many commands share", "", shared)]
    for name, command in commands():
        about = (command.get_short_help_str(limit=200) or "").replace("\\b", "")
        common = [row for row in rows[name] if row in shared]
        if common:
            about += "\n\nShared: " + ", ".join(f"`{_first_name(row)}`" for row in common) + "."
        particular = [row for row in rows[name] if row not in shared]
        sections.append(_section(f"wsss {name}", about, particular))
    return "\n".join(sections)


def commands() -> Iterator[tuple[str, TyperCommand]]:
    """Yield every command that does something, such as ``data check``, in the order of the help."""
    root = app
    assert isinstance(root, TyperGroup)
    return _below(root, "")


def _below(group: TyperGroup, before: str) -> Iterator[tuple[str, TyperCommand]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _below(command, f"{before}{name} ")
        elif isinstance(command, TyperCommand):
            yield f"{before}{name}", command


def _rows(name: str, command: TyperCommand) -> Iterator[Row]:
    # Typer may bring its own copy of Click, so the context is made by the command.
    # A command keeps the help option that it was first asked for, so it is told both names.
    context = command.make_context(
        name, [], resilient_parsing=True, help_option_names=["-h", "--help"]
    )
    for parameter in command.params:
        row = help_row(parameter, context)
        if row is not None:
            names, about = row
            yield names, " ".join(about.split())


def _first_name(row: Row) -> str:
    """Return ``--run`` of ``--run <path>`` and ``--dry-run`` of ``-n, --dry-run``."""
    return next(word.strip(",") for word in row[0].split() if word.startswith("--"))


def _section(title: str, about: str, rows: list[Row]) -> str:
    lines = [f"## {title}", "", about] if about else [f"## {title}"]
    if rows:
        lines += ["", "| option | what it does |", "|---|---|"]
        lines += [f"| `{names}` | {_cell(text)} |" for names, text in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Escape what Markdown and HTML would read as their own."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
