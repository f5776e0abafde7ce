"""``wsss report``: one HTML page of a run, or of several side by side."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from wsss_cli import __version__
from wsss_cli.artifacts.html_page import require_page_place, write_page
from wsss_cli.artifacts.label_png import voc_palette
from wsss_cli.configs.report import ReportConfig
from wsss_cli.labels import IGNORE
from wsss_cli.stages.page import choosing
from wsss_cli.stages.page.choosing import Gallery
from wsss_cli.stages.page.curves import loss_plots, score_plots
from wsss_cli.stages.page.figures import Figure, figures
from wsss_cli.stages.page.numbers import TITLES, Evaluations
from wsss_cli.stages.page.pictures import KINDS, STAGE_OF, RunPictures, open_pictures
from wsss_cli.stages.page.records import RunRecord, read_runs
from wsss_cli.stages.page.settings import settings_tables
from wsss_cli.stages.report import Report
from wsss_cli.tracking import Track

# Of all pictures together: a row of six is some 30 kB, so that a page stays below 5 MB a run.
MOST_IMAGES = 120
_TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class ShownGallery:
    """A gallery with its pictures, which are made when they are asked for.

    Attributes:
        gallery: What it is about.
        kinds: The pictures that there are of any of its images.
        lacks: Those that there are of other images only.
        figures: One for each image.
    """

    gallery: Gallery
    kinds: Sequence[str]
    lacks: Sequence[str]
    figures: Iterator[Figure]


def run(config: ReportConfig, *, track: Track) -> Report:
    """Write the page.

    Raises:
        UsageError: A run holds nothing, or there is no place for the page.
        WsssError: A file of a run is broken.
    """
    records = read_runs(config.runs, config.data)
    require_page_place(config.page, "--out")
    evaluations = Evaluations(records)
    subject = evaluations.subject()
    galleries = _choose(records, subject, config, track)
    image_ids = list(dict.fromkeys(i for gallery in galleries for i in gallery.image_ids))
    with ExitStack() as stack:
        pictures = [stack.enter_context(open_pictures(r, image_ids)) for r in records]
        remarks = [_remarks(one) for one in pictures]
        template = _environment().get_template("page.html")
        size = write_page(
            config.page,
            template.generate(
                title=" and ".join(record.name for record in records),
                records=records,
                remarks=list(zip(records, remarks, strict=True)),
                numbers=evaluations,
                subject=subject,
                what=TITLES.get(subject or "", ""),
                class_names=records[0].class_names,
                colours=_colours(records[0].class_names),
                plots=score_plots(records, subject) if subject else [],
                losses=loss_plots(records),
                galleries=_shown(galleries, pictures, track),
                kinds=_kinds(pictures, image_ids),
                settings=settings_tables(records),
                differs=_scored_on(records, subject),
                version=__version__,
                when=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            ),
        )
    values = {
        "page": str(config.page),
        "bytes": size,
        "runs": [str(record.path) for record in records],
        "pictures": len(image_ids),
        "galleries": {
            gallery.key: {
                "rule": gallery.rule,
                "matching": gallery.matching,
                "images": dict(gallery.image_ids),
            }
            for gallery in galleries
        },
        "remarks": [
            f"{record.name}: {remark}"
            for record, of_run in zip(records, remarks, strict=True)
            for remark in of_run
        ],
    }
    return Report("report", config.page.parent, False, values)


def _choose(
    records: Sequence[RunRecord], subject: str | None, config: ReportConfig, track: Track
) -> list[Gallery]:
    """The galleries, by the first run, up to ``MOST_IMAGES`` images in all."""
    first, most = records[0], config.images
    if not most or first.tree is None:
        return []
    scores = first.scores.get(subject or "", {}).get("per_image")
    if subject is None or scores is None:
        found = _without_scores(first, most)
    else:
        looked = choosing.difficulties_of(first.tree, list(scores), config.workers, track)
        found = choosing.extremes(subject, scores, most)
        found += choosing.failures(subject, scores, looked, most)
        others = first.scores.get("proxy", {}).get("per_image", {})
        if subject != "proxy" and others and not set(others) & set(scores):
            found += choosing.extremes("proxy", others, most)
        found += choosing.of_classes(subject, scores, first.scores[subject])
    kept: list[Gallery] = []
    seen: set[str] = set()
    for gallery in found:
        seen |= gallery.image_ids.keys()
        if len(seen) > MOST_IMAGES:
            break
        kept.append(gallery)
    return kept


def _without_scores(record: RunRecord, most: int) -> list[Gallery]:
    """Images of the last stage that has made label maps, else of none."""
    for what in ("crf", "prediction", "proxy"):
        folder = record.path / STAGE_OF[what]
        made = sorted(path.stem for path in folder.glob("*/*.png"))
        if made:
            return choosing.without_scores(what, made, most)
    return []


def _remarks(pictures: RunPictures) -> list[str]:
    return [*pictures.record.remarks, *pictures.remarks]


def _shown(
    galleries: Sequence[Gallery],
    pictures: Sequence[RunPictures],
    track: Track,
) -> Iterator[ShownGallery]:
    """Galleries whose figures are made one after another; an image that was shown is named only."""
    shown: dict[str, str] = {}

    def counted() -> Iterator[Figure]:
        for gallery in galleries:
            yield from figures(gallery, pictures, shown)

    made = track.steps(counted(), total=sum(len(g.image_ids) for g in galleries), label="drawing")
    every = _kinds(pictures, [i for gallery in galleries for i in gallery.image_ids])
    for gallery in galleries:
        kinds = _kinds(pictures, list(gallery.image_ids))
        lacks = [kind for kind in every if gallery.image_ids and kind not in kinds]
        yield ShownGallery(gallery, kinds, lacks, (next(made) for _ in gallery.image_ids))
    next(made, None)  # so that the progress ends


def _kinds(pictures: Sequence[RunPictures], image_ids: Sequence[str]) -> list[str]:
    """Which pictures any run has of any of the images."""
    found = {kind for one in pictures for kind in one.kinds(image_ids)}
    return [kind for kind in KINDS if kind in found]


def _scored_on(records: Sequence[RunRecord], subject: str | None) -> bool:
    """Whether the runs were scored on different images, which makes columns incomparable."""
    sets = [set(r.scores.get(subject or "", {}).get("per_image", {})) for r in records]
    return len({frozenset(one) for one in sets if one}) > 1


def _colours(class_names: Sequence[str]) -> Mapping[str, str]:
    """The colour of each label as CSS has it."""
    palette = voc_palette()
    labels = {**dict(enumerate(["background", *class_names])), IGNORE: "not scored"}
    return {name: "#" + bytes(palette[label]).hex() for label, name in labels.items()}


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,  # names of classes, images and folders come from outside
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
