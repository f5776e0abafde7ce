"""Curves as SVG that takes its colours from the page around it, light or dark."""

import io
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wsss_cli.metrics.bootstrap import CONFIDENCE

# In inches of 72 units: as many units wide as a phone has points, so that text is as large there.
_SIZE = (4.9, 2.9)
# Colours that stand for variables of the page's style.
_INK, _RULE = "#010203", "#040506"
SERIES = 6
GREY = 5  # the number of the series that keeps in the background
_SERIES = tuple(f"#0a0b{10 + number}" for number in range(SERIES))
_VARIABLES = {
    _INK: "var(--ink)",
    _RULE: "var(--rule)",
    **{colour: f"var(--series-{number})" for number, colour in enumerate(_SERIES)},
}
_LOOK: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "wsss",
    "font.size": 9.5,
    "axes.edgecolor": _RULE,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _RULE,
    "grid.linewidth": 0.5,
    "text.color": _INK,
    "xtick.color": _RULE,
    "ytick.color": _RULE,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    # Names come from files: a dollar sign in them is no formula.
    "text.parse_math": False,
}

Curve = tuple[Sequence[float], Sequence[float]]


class Plots:
    """Makes plots, and keeps their ids apart.

    Args:
        name: Begins every id; each one on a page has another.
    """

    def __init__(self, name: str) -> None:
        self._name, self._count = name, 0

    def curves(
        self,
        title: str,
        lines: Mapping[str, Curve],
        *,
        across: str,
        up: str,
        marks: Mapping[str, float] | None = None,
        legend: bool = False,
    ) -> str:
        """Lines over a common axis.

        Args:
            title: Title, and alternative text for screen readers.
            lines: x and y by name; nan leaves a gap.
            across: Name of the x axis.
            up: Name of the y axis.
            marks: By the name of a line the x of its point to be marked.
            legend: Also name a line that is alone.
        """
        with self._figure(title) as (axes, svg):
            for number, (name, (x, y)) in enumerate(lines.items()):
                colour = _SERIES[number % SERIES]
                dash = "-" if number < SERIES else "--"
                alone = sum(map(math.isfinite, y)) == 1  # a line through one point is not seen
                axes.plot(
                    x, y, color=colour, label=_label(name), ls=dash, marker="o" if alone else None
                )
                at = (marks or {}).get(name)
                if at is not None and at in x:
                    height = y[list(x).index(at)]
                    axes.plot([at], [height], "o", color=colour, ms=5)
            axes.set_xlabel(across)
            axes.set_ylabel(up)
            axes.set_ylim(bottom=0)
            if legend or len(lines) > 1:
                axes.legend()
        return svg[0]

    def intervals(
        self, title: str, rows: Sequence[tuple[str, float, float | None, float | None, int]]
    ) -> str:
        """Scores as points, with the interval in which they would lie for other images.

        Args:
            title: Title, and alternative text.
            rows: Name, score, low and high end (None where not known) and number of the series,
                from top to bottom; scores in per cent.
        """
        with self._figure(title, height=0.7 + 0.24 * len(rows)) as (axes, svg):
            for row_number, (_, score, low, high, series) in enumerate(rows):
                colour = _SERIES[series % SERIES]
                if low is not None and high is not None:
                    axes.plot([low, high], [row_number, row_number], color=colour, lw=2, alpha=0.55)
                axes.plot([score], [row_number], "o", color=colour, ms=5.5)
            axes.set_yticks(range(len(rows)), [row[0] for row in rows])
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.set_xlim(left=0)
            axes.grid(axis="y", visible=False)
            axes.set_xlabel(f"mIoU, % (line: {CONFIDENCE:.0%} interval)")
            axes.tick_params(axis="y", length=0)
        return svg[0]

    def spread(self, title: str, scores: Mapping[str, Sequence[float]]) -> str:
        """How many images have which score, a line for each run.

        Args:
            title: Title, and alternative text.
            scores: Score of every image, in per cent, by run.
        """
        edges = list(range(0, 101, 5))
        with self._figure(title) as (axes, svg):
            for number, (name, values) in enumerate(scores.items()):
                colour = _SERIES[number % SERIES]
                counts = [0] * (len(edges) - 1)
                for value in values:
                    counts[min(int(value // 5), len(counts) - 1)] += 1
                axes.stairs(counts, edges, color=colour, label=_label(name), lw=1.6)
                if len(scores) == 1:
                    axes.stairs(counts, edges, color=colour, fill=True, alpha=0.25)
            axes.set_xlim(0, 100)
            axes.set_xlabel("mIoU of one image, %")
            axes.set_ylabel("images")
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))
            if len(scores) > 1:
                axes.legend()
        return svg[0]

    @contextmanager
    def _figure(self, title: str, height: float | None = None) -> Iterator[tuple[Axes, list[str]]]:
        """Axes to draw on; afterwards the list holds the SVG."""
        elements: list[str] = []
        self._count += 1
        with rc_context(_LOOK), warnings.catch_warnings():
            # Of letters that matplotlib's own font lacks; the page's fonts will have them.
            warnings.filterwarnings("ignore", "Glyph")
            figure = Figure(figsize=(_SIZE[0], height or _SIZE[1]), layout="constrained")
            yield figure.add_subplot(), elements
            content = io.StringIO()
            nothing: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))
            figure.savefig(content, format="svg", transparent=True, metadata=nothing)
        elements.append(_fit_page(content.getvalue(), title, f"{self._name}-{self._count}"))


def _label(name: str) -> str:
    """A name for the legend, which leaves out what begins with an underscore."""
    return f"\u200b{name}" if name.startswith("_") else name


def _fit_page(svg: str, title: str, prefix: str) -> str:
    """Make a drawing a part of a page: own ids, the page's colours and letters, no addresses."""
    svg = svg[svg.index("<svg") :]
    head, body = svg.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', head)
    assert box is not None
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{prefix}-', body)
    body = re.sub(r'\b(?:xlink:)?href="#', f'href="#{prefix}-', body)
    body = body.replace("url(#", f"url(#{prefix}-")
    body = re.sub(r"font-family:[^;\"]*;?", "", body)
    body = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", body)
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, variable)
    label = title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return f'<svg {box[0]} role="img" aria-label="{label}">{body}'
