"""A comparison for people, in Markdown: shares in per cent, what is certain in bold."""

from collections.abc import Mapping, Sequence

from wsss_cli.chains.comparison_table import COLUMNS, Cell, Column, Compared, Row
from wsss_cli.metrics.bootstrap import RESAMPLES, Difference
from wsss_cli.stages.evaluate import FIXED_THRESHOLD, MATCHED_RECALL


def page(
    rows: Sequence[Row],
    differences: Sequence[Compared],
    *,
    images: int,
    seeds: Sequence[int],
    commands: Mapping[str, Sequence[str]],
    first_seeds: Mapping[str, int],
) -> str:
    """The whole of compare.md.

    Args:
        rows: A setting each.
        differences: Differences of every other setting from the first.
        images: How many were scored.
        seeds: All of them; a setting may have fewer.
        commands: By setting, those of its first seed's run.
        first_seeds: By setting.
    """
    spread = "mean ± standard deviation (n - 1)" if len(seeds) > 1 else "no deviation, none leads"
    parts = [
        "# Comparison\n",
        f"{images} images, seeds {', '.join(map(str, seeds))} ({spread}). mAP and mIoU in per "
        f"cent; background lit: the share of the background that carries a class where "
        f"{MATCHED_RECALL:.0%} of the object pixels carry theirs, in per cent, lower is better. "
        "**Bold** leads its column by more than the larger deviation of the two in front.\n",
        rows_as_markdown(rows, len(seeds)),
    ]
    if differences:
        parts += [
            f"Difference in mIoU and where it lies for 95 % of {RESAMPLES} draws of the images, "
            "with replacement, the same draws for both; each image's counts are averaged over the "
            "seeds that both have. The choice of images is in the interval, the choice of seeds is "
            "not. **Bold** leaves out 0.\n",
            differences_as_markdown(differences),
        ]
    parts += ["## Commands\n", _seeds_sentence(seeds)]
    for setting, lines in commands.items():
        seed = first_seeds[setting]
        other = "" if seed == seeds[0] else f", with seed {seed}"
        parts.append(f"{setting}{other}:\n\n```sh\n" + "\n".join(lines) + "\n```\n")
    return "\n".join(parts)


def _seeds_sentence(seeds: Sequence[int]) -> str:
    others = " The other seeds differ in `--seed` and `--run`." if len(seeds) > 1 else ""
    return f"With seed {seeds[0]}.{others}\n"


def rows_as_markdown(rows: Sequence[Row], seeds: int) -> str:
    """The table of scores, leads in bold; a row of fewer seeds says how many."""
    lines = [table_line(["setting", *(column.title for column in COLUMNS)])]
    lines.append("|---" * (len(COLUMNS) + 1) + "|")
    for row in rows:
        cells = {column.name: _shown(row.cells[column.name], column) for column in COLUMNS}
        low, high = min(row.thresholds), max(row.thresholds)
        cells["attention_best"] += f" ({low:g})" if low == high else f" ({low:g} to {high:g})"
        num_seeds = len(row.thresholds)
        title = (
            row.setting if num_seeds == seeds else f"{row.setting} ({num_seeds} of {seeds} seeds)"
        )
        lines.append(table_line([_cell(title), *cells.values()]))
    return "\n".join(lines) + "\n"


def differences_as_markdown(differences: Sequence[Compared]) -> str:
    """The paired differences in points of mIoU, bold where the interval leaves 0 out."""
    against = f"against {_cell(differences[0].reference)}"
    lines = [table_line([against, f"attention at {FIXED_THRESHOLD}", "proxy"]), "|---|---|---|"]
    for difference in differences:
        intervals = interval_text(difference.attention), interval_text(difference.proxy)
        lines.append(table_line([_cell(difference.setting), *intervals]))
    return "\n".join(lines) + "\n"


def interval_text(difference: Difference) -> str:
    """A difference in points with its interval, bold where that leaves 0 out."""
    mean, low, high = (100 * x for x in (difference.difference, difference.low, difference.high))
    text = f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"
    return f"**{text}**" if difference.real else text


def _shown(cell: Cell, column: Column) -> str:
    if cell.mean is None:
        return "–"
    text = f"{column.factor * cell.mean:.{column.digits}f}"
    if cell.deviation is not None:
        text += f" ± {column.factor * cell.deviation:.{column.digits}f}"
    return f"**{text}**" if cell.leads else text


def table_line(cells: Sequence[str]) -> str:
    """Cells as a row of a table."""
    return "| " + " | ".join(cells) + " |"


def _cell(text: str) -> str:
    """A text as a cell: a bar would end it."""
    return text.replace("|", "\\|")
