"""Draws the page: chooses the images, makes their pictures, and fills the template."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from wsss_cli import __version__
from wsss_cli.artifacts.fingerprint import fingerprint
from wsss_cli.artifacts.html_page import memory_element, write_page
from wsss_cli.artifacts.label_png import voc_palette
from wsss_cli.command_line import command_line
from wsss_cli.configs.report import ReportConfig
from wsss_cli.configs.results import BY_INTEREST, LABEL_FOLDERS, RESULTS
from wsss_cli.inspect.report import image_selection
from wsss_cli.inspect.report.curves import loss_plots, score_plots
from wsss_cli.inspect.report.earlier_page import EarlierPage, memory
from wsss_cli.inspect.report.figures import Figure, figures
from wsss_cli.inspect.report.image_selection import Gallery
from wsss_cli.inspect.report.numbers import Evaluations
from wsss_cli.inspect.report.pictures import KINDS, RunPictures, label_map_ids, open_pictures
from wsss_cli.inspect.report.run_records import RunRecord, read_runs
from wsss_cli.inspect.report.settings import settings_tables
from wsss_cli.labels import IGNORE
from wsss_cli.metrics.difficulty import Difficulty
from wsss_cli.stages.evaluate.verdict import verdict
from wsss_cli.stages.result import Report
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


def draw(config: ReportConfig, sources: str, earlier: EarlierPage, track: Track) -> Report:
    """Write the page.

    Args:
        config: What is reported.
        sources: Fingerprint of what the page is made from.
        earlier: The page that is there, for the pictures that it has already.
        track: Shown the progress.

    Raises:
        UsageError: A run holds nothing.
        WsssError: A file of a run is broken.
    """
    records = read_runs(config.runs, config.data)
    evaluations = Evaluations(records)
    subject = evaluations.subject()
    difficulties = _difficulties(records[0], subject, config, earlier, track)
    galleries = _choose(records, subject, difficulties, config.images)
    image_ids = list(dict.fromkeys(i for gallery in galleries for i in gallery.image_ids))
    with ExitStack() as stack:
        pictures = [stack.enter_context(open_pictures(r, image_ids, earlier)) for r in records]
        remarks = [_remarks(run_pictures) for run_pictures in pictures]
        values = _values(config, records, galleries, len(image_ids), remarks)
        previews = _pictures_and_masks(records[0], image_ids)
        scores = _fingerprint_of_scores(records[0], subject)
        template = _environment().get_template("page.html")
        size = write_page(
            config.page,
            template.generate(
                title=" and ".join(record.name for record in records),
                records=records,
                remarks=list(zip(records, remarks, strict=True)),
                numbers=evaluations,
                subject=subject,
                results=BY_INTEREST,
                verdicts=[_verdict(record, subject) for record in records],
                what=RESULTS[subject].title if subject else "",
                class_names=records[0].class_names,
                colours=_colours(records[0].class_names),
                plots=score_plots(records, subject) if subject else [],
                losses=loss_plots(records),
                no_images=_why_no_images(config, records[0]),
                galleries=_shown(galleries, pictures, track),
                kinds=_kinds(pictures, image_ids),
                settings=settings_tables(records),
                differs=_scored_on(records, subject),
                memory=memory_element(memory(sources, previews, values, scores, difficulties)),
                version=__version__,
                when=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            ),
        )
    return Report("report", config.page.parent, False, {**values, "bytes": size})


def _values(
    config: ReportConfig,
    records: Sequence[RunRecord],
    galleries: Sequence[Gallery],
    pictures: int,
    remarks: Sequence[Sequence[str]],
) -> dict[str, Any]:
    """What the command reports, but for the size of the page."""
    return {
        "page": str(config.page),
        "runs": [str(record.path) for record in records],
        "pictures": pictures,
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


def _pictures_and_masks(record: RunRecord, image_ids: Sequence[str]) -> list[Path]:
    """The files of the data set that the page shows."""
    if record.data_set is None:
        return []
    masks = (record.data_set.mask_path(image_id) for image_id in image_ids)
    return [
        *(record.data_set.image_path(image_id) for image_id in image_ids),
        *(mask for mask in masks if mask is not None),
    ]


def _fingerprint_of_scores(record: RunRecord, subject: str | None) -> str:
    return fingerprint(
        [record.scores.get(subject or ""), str(record.data_set and record.data_set.root)]
    )


def _difficulties(
    record: RunRecord,
    subject: str | None,
    config: ReportConfig,
    earlier: EarlierPage,
    track: Track,
) -> Mapping[str, Difficulty]:
    """What makes the scored images difficult: as evaluated, as the page knew it, or looked at."""
    scores = record.scores.get(subject or "", {}).get("per_image")
    if not config.images or record.data_set is None or scores is None:
        return {}
    if all("regions" in score and "colours_shared" in score for score in scores.values()):
        return {
            image_id: Difficulty(
                score["regions"],
                math.nan if score["colours_shared"] is None else score["colours_shared"],
            )
            for image_id, score in scores.items()
        }
    difficulties = earlier.difficulties_of(_fingerprint_of_scores(record, subject))
    if difficulties is not None:
        return difficulties
    return image_selection.difficulties_of(record.data_set, list(scores), config.workers, track)


def _choose(
    records: Sequence[RunRecord],
    subject: str | None,
    difficulties: Mapping[str, Difficulty],
    limit: int,
) -> list[Gallery]:
    """The galleries, by the first run, up to ``MOST_IMAGES`` images in all."""
    first = records[0]
    if not limit or first.data_set is None:
        return []
    scores = first.scores.get(subject or "", {}).get("per_image")
    if subject is None or scores is None:
        galleries = _without_scores(first, limit)
    else:
        galleries = image_selection.extremes(subject, scores, limit)
        galleries += image_selection.failures(subject, scores, difficulties, limit)
        others = first.scores.get("proxy", {}).get("per_image", {})
        if subject != "proxy" and others and not set(others) & set(scores):
            galleries += image_selection.extremes("proxy", others, limit)
        galleries += _unscored(
            first, {image_id for g in galleries for image_id in g.image_ids}, limit
        )
        galleries += image_selection.of_classes(subject, scores, first.scores[subject])
    kept: list[Gallery] = []
    seen: set[str] = set()
    for gallery in galleries:
        seen |= gallery.image_ids.keys()
        if len(seen) > MOST_IMAGES:
            break
        kept.append(gallery)
    return kept


def _without_scores(record: RunRecord, limit: int) -> list[Gallery]:
    """Images of every stage that has made label maps."""
    return _unscored(record, set(), limit)


def _unscored(record: RunRecord, image_ids: set[str], limit: int) -> list[Gallery]:
    """Images of the stages whose label maps are of none of ``image_ids``.

    Predictions are mostly of other images than the scored proxies are, and worth a look before
    anything has scored them.
    """
    galleries: list[Gallery] = []
    for result in reversed(LABEL_FOLDERS):
        made = label_map_ids(record, result)
        if made and not image_ids & set(made):
            galleries += image_selection.without_scores(result, made, limit)
            image_ids = image_ids | set(made)
    return galleries


def _why_no_images(config: ReportConfig, record: RunRecord) -> str:
    """Why a page has no galleries, as the end of a sentence."""
    if not config.images:
        return "none were asked for (--images 0)"
    if record.no_photographs is not None:
        return record.no_photographs
    return "the run has neither label maps nor scores of single images yet"


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
    kinds = {kind for run_pictures in pictures for kind in run_pictures.kinds(image_ids)}
    return [kind for kind in KINDS if kind in kinds]


def _scored_on(records: Sequence[RunRecord], subject: str | None) -> bool:
    """Whether the runs were scored on different images, which makes columns incomparable."""
    sets = [set(r.scores.get(subject or "", {}).get("per_image", {})) for r in records]
    return len({frozenset(image_ids) for image_ids in sets if image_ids}) > 1


def _verdict(record: RunRecord, subject: str | None) -> str:
    """What a run's score is worth beside its baselines, as a sentence without its stop."""
    scores = record.scores.get(subject or "")
    if scores is None or "miou" not in scores:
        return ""
    sentence = verdict(scores).sentence
    return sentence[0].upper() + sentence[1:] if not sentence.startswith("mIoU") else sentence


def _colours(class_names: Sequence[str]) -> Mapping[str, str]:
    """The colour of each label as CSS has it."""
    palette = voc_palette()
    labels = {**dict(enumerate(["background", *class_names])), IGNORE: "not scored"}
    return {name: "#" + bytes(palette[label]).hex() for label, name in labels.items()}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,  # names of classes, images and folders come from outside
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # A page may be read in another shell than it was made in, so its commands always name the run.
    environment.globals["command_line"] = partial(command_line, always_run=True)
    return environment
