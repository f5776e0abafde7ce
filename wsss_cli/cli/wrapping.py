"""Long lines on a terminal break between words; commands, paths and what is piped stay whole."""

import re
import shutil
import sys
from collections.abc import Callable, Sequence
from inspect import cleandoc
from textwrap import wrap
from typing import IO, Any

import typer
from typer.core import TyperCommand, TyperGroup

from wsss_cli.configs.setting import field_of
from wsss_cli.configs.stages import in_vain

# What is never broken: a command in backticks, or anything without a space.
_UNIT = re.compile(r"`[^`\n]*`[^\s]*|\S+")
# Columns that a description has at least, and how far it is indented where it would have fewer.
_LEAST_COLUMN, _INDENT = 40, 6


def fold(text: str, width: int) -> str:
    """Break lines that are longer than the width between words.

    Args:
        text: Lines; what follows a line's first one is indented a little more than it.
        width: Columns; a single word may take more.
    """
    return "\n".join(_folded(line, width) for line in text.split("\n"))


def _folded(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    indent = line[: len(line) - len(line.lstrip())]
    lines, current = [], ""
    end = 0
    for unit in _UNIT.finditer(line):
        space = line[end : unit.start()]
        end = unit.end()
        if current.strip() and len(current) + len(space) + len(unit[0]) > width:
            lines.append(current)
            current = f"{indent}  {unit[0]}"
        else:
            current += space + unit[0]
    return "\n".join([*lines, current])


def folded_for(stream: IO[str], text: str) -> str:
    """The text as the stream's reader sees it whole: folded on a terminal, unchanged elsewhere."""
    return fold(text, shutil.get_terminal_size().columns) if stream.isatty() else text


def columns(limit: int = 100) -> int:
    """The width of text that is laid out for stdout."""
    if not sys.stdout.isatty():
        return limit
    return max(40, min(limit, shutil.get_terminal_size().columns))


# Those of the Click that Typer brings, or of the one beside it.
_ClickContext: Any = TyperCommand.context_class
_Formatter: Any = _ClickContext.formatter_class


class _WholeWords(_Formatter):  # type: ignore[misc]
    """Help whose lines break at spaces alone, not at hyphens nor inside long words."""

    def write_text(self, text: str) -> None:
        """Write paragraphs; one that has an indented line keeps its lines."""
        indent = " " * self.current_indent
        paragraphs = []
        for paragraph in cleandoc(text).split("\n\n"):
            lines = paragraph.split("\n")
            if any(line.startswith(" ") for line in lines):
                paragraphs.append("\n".join(f"{indent}{line}" for line in lines))
                continue
            lines = _wrapped(" ".join(paragraph.split()), self.width - self.current_indent)
            paragraphs.append("\n".join(f"{indent}{line}" for line in lines))
        self.write("\n\n".join(paragraphs) + "\n")

    def write_dl(
        self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Write options or commands and what they are, in two columns."""
        first_column = min(col_max, max(len(name) for name, _ in rows)) + col_spacing
        if self.width - first_column < _LEAST_COLUMN:
            first_column = _INDENT
        for name, text in rows:
            start = f"{'':{self.current_indent}}{name}"
            lines = _wrapped(text, max(_LEAST_COLUMN, self.width - first_column - 2))
            if lines and len(name) <= first_column - col_spacing:
                self.write(f"{start:{first_column + self.current_indent}}{lines.pop(0)}\n")
            else:
                self.write(f"{start}\n")
            for line in lines:
                self.write(f"{'':{first_column + self.current_indent}}{line}\n")


def _wrapped(text: str, width: int) -> list[str]:
    return wrap(text, width, break_long_words=False, break_on_hyphens=False)


class _Context(_ClickContext):  # type: ignore[misc]
    formatter_class = _WholeWords


class Command(TyperCommand):
    """A command with such help, whose options stand under the headings of their panels."""

    context_class = _Context

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - Click's
        """Read the command line; say so where an option would change nothing here."""
        try:
            rest: list[str] = super().parse_args(ctx, args)
        except Exception as error:
            name = getattr(error, "option_name", "")  # of Click's NoSuchOption
            vain = in_vain(ctx.info_name, field_of(name)) if name else None
            if vain is None:
                raise
            ctx.fail(f"No such option: {name}, {vain}")
        return rest

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - Click's, as brought
        """Write the arguments, then the options under their headings."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):
            row = help_row(parameter, ctx)
            if row is None:
                continue
            heading = getattr(parameter, "rich_help_panel", None) or "Options"
            if parameter.param_type_name == "argument":
                heading = "Arguments"
            elif parameter.name == "help":
                heading = list(sections)[-1]
            sections.setdefault(heading, []).append(row)
        for heading, rows in sections.items():
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)


def help_row(parameter: Any, ctx: Any) -> tuple[str, str] | None:  # noqa: ANN401 - Click's
    """An option or argument and what it is, as the help has it; None for a hidden one.

    Of a switch that is off by default, the name that switches it off is left out.
    """
    record = parameter.get_help_record(ctx)
    if record is None or not parameter.secondary_opts or parameter.default:
        return record  # type: ignore[no-any-return]
    names, text = record
    return names.split(" / ")[0], text.replace(
        "[default: " + parameter.secondary_opts[0][2:] + "]", ""
    ).strip()


class Group(TyperGroup):
    """A group of commands with such help."""

    context_class = _Context

    def get_params(self, ctx: Any) -> Any:  # noqa: ANN401 - Click's
        """The options of the group itself, each with yes or no as its value.

        Typer's own are None unless given, and for None it imports Pydantic, which takes longer than
        all the rest of a help.
        """
        switches = super().get_params(ctx)
        for switch in switches:
            switch.default = bool(switch.default)
        return switches

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - Click's
        """Write each command and the first sentence of its help."""
        del ctx
        about = getattr(self.commands, "about", lambda name: self.commands[name].help or "")
        rows = [(name, first_sentence(about(name))) for name in self.commands]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def first_sentence(text: str) -> str:
    """The first sentence of a command's help, in one line."""
    paragraph = " ".join(cleandoc(text).split("\n\n")[0].split())
    return paragraph.split(". ")[0].rstrip(".") + "."


def click_command(name: str, function: Callable[..., None] | typer.Typer) -> Any:  # noqa: ANN401
    """Make a command of a function, or a group of a Typer of its own.

    Returns:
        A command of the Click that Typer brings, or of the one beside it.
    """
    if isinstance(function, typer.Typer):
        group = typer.main.get_command(function)
        group.name = name
        return group
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name, cls=Command)(function)
    return typer.main.get_command(alone)
