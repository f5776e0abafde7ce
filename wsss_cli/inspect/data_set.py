"""``wsss data check``: what a data set holds, what is wrong with it, and who will use what."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os.path import realpath
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from wsss_cli.artifacts.fingerprint import file_fingerprint
from wsss_cli.configs.data import DataCheckConfig
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.images import Header, NotUsed, check_images, is_transparent, read_header
from wsss_cli.data.label_summary import summarise
from wsss_cli.data.layouts import find_data_set
from wsss_cli.data.map_sizes import about_turned_masks, require_size
from wsss_cli.data.mask_survey import shown_labels
from wsss_cli.errors import WsssError, listing
from wsss_cli.stages.image_loop import each_image
from wsss_cli.stages.mask_check import (
    mask_problem,
    mask_warnings,
    survey_masks,
    unused_masks,
)
from wsss_cli.stages.result import Report
from wsss_cli.tracking import Track

# Below this a network's strides leave nothing of an image.
SMALL = 32


@dataclass(frozen=True)
class Look:
    """What one image and its mask show.

    Attributes:
        size: (H, W); None where it cannot be read.
        problem: What is wrong with the photograph or its mask.
        header: What the photograph says of itself.
        shown: Labels of its mask as :func:`~wsss_cli.data.mask_survey.shown_labels` has them; None
            without a mask that can be read.
        unsure: Whether it has a mask, of which the size cannot tell if it is of the turned picture.
        transparent: Whether the photograph has pixels that are not opaque.
    """

    size: tuple[int, int] | None = None
    problem: str | None = None
    header: Header | None = None
    shown: npt.NDArray[np.bool_] | None = None
    unsure: bool = False
    transparent: bool = False


@dataclass
class Findings:
    """What goes into the report: problems stop a command, warnings spoil a result."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def warn(self, image_ids: Sequence[str], sentence: str) -> None:
        """Warn of images, if there are any."""
        if image_ids:
            self.warnings.append(f"{len(image_ids)} {sentence}: {listing(image_ids)}")


def run(config: DataCheckConfig, *, track: Track) -> Report:
    """Look at everything that the commands would use.

    Raises:
        WsssError: There is no data set, or it cannot even be listed.
    """
    data_set = find_data_set(config.data, "DATA")
    findings = Findings(problems=list(data_set.problems))
    lists = {split: data_set.usable_ids(split) for split in data_set.splits()}
    findings.problems += _unusable_lists(data_set, lists)
    every = list(dict.fromkeys(image_id for ids in lists.values() for image_id in ids))
    present = _labels(data_set, lists, findings)
    looks = _looks(config, data_set, every, track)
    findings.problems += [look.problem for look in looks.values() if look.problem]
    _look_at_masks(data_set, looks, present, findings)
    if not config.quick:
        findings.warnings += data_set.about_masks()
    copies = _copies(data_set, [image_id for image_id in every if looks[image_id].size], track)
    used = {data_set.image_path(image_id) for image_id in every}
    strangers = [str(path) for path in data_set.pictures() if path not in used] if every else []
    _warn(findings, data_set, lists, present, looks, copies)
    sizes = [look.size for look in looks.values() if look.size]
    values = {
        "data": str(data_set.root),
        "layout": data_set.layout,
        "images": len(every),
        "class_names": list(data_set.class_names),
        "lists": {split: len(ids) for split, ids in lists.items()},
        "images_of_class": _counts(data_set, lists, present),
        "negatives": {
            split: sum(present.get(image_id) == frozenset() for image_id in ids)
            for split, ids in lists.items()
        },
        "cooccurrence": _cooccurrence(data_set, present),
        "height": _range([height for height, _ in sizes]),
        "width": _range([width for _, width in sizes]),
        "masks": {split: _with_mask(data_set, ids) for split, ids in lists.items()},
        "uses": _uses(data_set, lists),
        "not_listed": strangers,
        "duplicates": copies,
        "remarks": [
            *_remarks(data_set, findings),
            *_through_links(data_set, every),
            *_deep(data_set, looks),
        ],
        "warnings": findings.warnings,
        "problems": list(dict.fromkeys(findings.problems)),
    }
    return Report("data check", None, False, values)


def _remarks(data_set: DataSet, findings: Findings) -> list[str]:
    """The data set's remarks, but for lists without pictures, which are problems here."""
    return [remark for remark in data_set.remarks if remark not in findings.problems]


def _unusable_lists(data_set: DataSet, lists: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Why there is no list to train on, and why lists hold no image."""
    for split in dict.fromkeys((data_set.training_split(), *lists)):
        if lists.get(split):
            continue
        try:
            data_set.image_ids(split)
        except WsssError as error:
            if not str(error).startswith(tuple(data_set.problems)):
                yield str(error)


def _labels(
    data_set: DataSet, lists: Mapping[str, Sequence[str]], findings: Findings
) -> dict[str, frozenset[str]]:
    """Names of the classes in each image whose labels can be read.

    Without labels an image cannot be trained on; of another list it is only worth a warning.
    """
    present: dict[str, frozenset[str]] = {}
    for split, ids in lists.items():
        failures = []
        for image_id in ids:
            try:
                row = data_set.labels([image_id])[0]
            except WsssError as error:
                failures.append(str(error))
            else:
                names = (data_set.class_names[column] for column in np.flatnonzero(row))
                present[image_id] = frozenset(names)
        if split == data_set.training_split():
            findings.problems += failures
        elif failures:
            findings.warnings.append(
                f"{len(failures)} images of {split} have no readable labels, so there are neither "
                "attention maps of given labels nor baselines for them: "
                + listing(failures, most=3)
            )
    return present


def _looks(
    config: DataCheckConfig,
    data_set: DataSet,
    image_ids: Sequence[str],
    track: Track,
) -> dict[str, Look]:
    def look(image_id: str) -> Look:
        path = data_set.image_path(image_id)
        try:
            if config.quick:
                (size,) = check_images([path])
            else:
                height, width, _ = data_set.read_image(image_id).shape
                size = height, width
            header = read_header(path)
        except WsssError as error:
            return Look(problem=str(error))
        problem, classes_shown = None, None
        if not config.quick:
            try:
                classes_shown = _shown(data_set, image_id, size)
            except WsssError as error:
                problem = str(error)
        unsure = header.turned_unseen and data_set.has_mask(image_id)
        transparent = header.alpha and (config.quick or is_transparent(path))
        return Look(size, problem, header, classes_shown, unsure, transparent)

    seen = each_image(image_ids, look, track, "looking at pictures", config.workers)
    return dict(zip(image_ids, seen, strict=True))


def _shown(data_set: DataSet, image_id: str, size: tuple[int, int]) -> npt.NDArray[np.bool_] | None:
    """The labels that an image's mask shows.

    Raises:
        WsssError: The mask is broken or of another size.
    """
    truth = data_set.true_label_map(image_id)
    if truth is None:
        return None
    require_size(f"the mask of {image_id}", truth.shape, size)
    return shown_labels(truth, len(data_set.class_names))


def _look_at_masks(
    data_set: DataSet,
    looks: Mapping[str, Look],
    present: Mapping[str, frozenset[str]],
    findings: Findings,
) -> None:
    """Compare all masks with the labels: what is wrong with a whole set is one sentence."""
    classes_shown = {
        image_id: look.shown for image_id, look in looks.items() if look.shown is not None
    }
    survey = survey_masks(data_set, classes_shown, present)
    problem = mask_problem(data_set, survey)
    if problem is not None:
        findings.problems.append(problem)
    else:
        findings.warnings += mask_warnings(survey)


def _copies(data_set: DataSet, image_ids: Sequence[str], track: Track) -> list[list[str]]:
    """Ids of images with the same bytes, in groups; only files of equal size are read."""
    by_size: dict[int, list[str]] = defaultdict(list)
    for image_id in image_ids:
        by_size[data_set.image_path(image_id).stat().st_size].append(image_id)
    suspects = [image_id for ids in by_size.values() if len(ids) > 1 for image_id in ids]
    by_content: dict[str, list[str]] = defaultdict(list)
    for image_id in track.steps(suspects, total=len(suspects), label="comparing pictures"):
        by_content[file_fingerprint(data_set.image_path(image_id))].append(image_id)
    return [ids for ids in by_content.values() if len(ids) > 1]


def _warn(
    findings: Findings,
    data_set: DataSet,
    lists: Mapping[str, Sequence[str]],
    present: Mapping[str, frozenset[str]],
    looks: Mapping[str, Look],
    copies: Sequence[Sequence[str]],
) -> None:
    training = lists.get(data_set.training_split(), ())
    training_labels = [present[image_id] for image_id in training if image_id in present]
    if training_labels:
        labels = np.array(
            [[name in names for name in data_set.class_names] for names in training_labels]
        )
        summary, advice = (
            summarise(data_set.class_names, labels),
            f"images of {data_set.training_split()}",
        )
        findings.problems += filter(None, [summary.problem(advice)])
        findings.warnings += summary.warnings(advice)
    first, second = set(training), set(lists.get(SegmentConfig.split, ()))
    findings.warn(sorted(first & second), f"images are trained on and in {SegmentConfig.split} too")
    for ids in copies:
        leaks = first & set(ids) and (second - first) & set(ids)
        where = f", of which some are trained on and some in {SegmentConfig.split}" if leaks else ""
        differing = len({present.get(image_id) for image_id in ids}) > 1
        differ = ", labelled differently" if differing else ""
        findings.warnings.append(
            f"the same picture {len(ids)} times{where}{differ}: {listing(ids)}"
        )
    findings.warnings += unused_masks(data_set, list(looks))
    headers = {image_id: look.header for image_id, look in looks.items() if look.header}
    findings.warn(
        [
            f"{image_id} ({header.format})"
            for image_id, header in headers.items()
            if not header.suffixed
        ],
        "pictures are of another format than their ending says",
    )
    findings.warn(
        [image_id for image_id, header in headers.items() if header.turned],
        "pictures are turned by viewers (EXIF), but not here; turn their pixels for upright ones",
    )
    unsure = [image_id for image_id, look in looks.items() if look.unsure]
    findings.warnings += filter(None, [about_turned_masks(unsure)])
    findings.warn(
        [image_id for image_id, header in headers.items() if header.several],
        "pictures have several pages or frames, of which the first is used",
    )
    findings.warn(
        [image_id for image_id, look in looks.items() if look.transparent],
        "pictures have transparency (alpha), which is not used",
    )
    findings.warn(
        [image_id for image_id, look in looks.items() if look.size and min(look.size) < SMALL],
        f"pictures have a side under {SMALL} pixels",
    )


def _deep(data_set: DataSet, looks: Mapping[str, Look]) -> list[str]:
    """Say how photographs of 16 bits are made 8."""
    headers = [look.header for look in looks.values() if look.header is not None]
    return NotUsed(deep=sum(header.deep for header in headers)).remarks(lambda: data_set.bits)


def _counts(
    data_set: DataSet, lists: Mapping[str, Sequence[str]], present: Mapping[str, frozenset[str]]
) -> dict[str, dict[str, int]]:
    """Images of each class, by list."""
    counted = {
        split: Counter(name for image_id in ids for name in present.get(image_id, ()))
        for split, ids in lists.items()
    }
    return {
        name: {split: counts[name] for split, counts in counted.items()}
        for name in data_set.class_names
    }


def _cooccurrence(
    data_set: DataSet, present: Mapping[str, frozenset[str]]
) -> dict[str, dict[str, int]]:
    """How many images show two classes together, of those that any do."""
    pairs = Counter(
        (first, second)
        for names in present.values()
        for first in names
        for second in names
        if first != second
    )
    return {
        first: {
            second: pairs[first, second] for second in data_set.class_names if pairs[first, second]
        }
        for first in data_set.class_names
    }


def _range(values: Sequence[int]) -> list[float] | None:
    """Least, middle and largest."""
    return [min(values), median(values), max(values)] if values else None


def _with_mask(data_set: DataSet, image_ids: Sequence[str]) -> int:
    paths = (data_set.mask_path(image_id) for image_id in image_ids)
    return sum(path is not None and path.exists() for path in paths)


def _uses(data_set: DataSet, lists: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """What each command will do with the data set by default."""
    training, predicted = data_set.training_split(), SegmentConfig.split
    there = listing([split for split, ids in lists.items() if ids]) or "none"

    def of(split: str) -> str:
        if lists.get(split):
            return f"the {len(lists[split]):,} images of {split}"
        return f"nothing until told --split NAME: there is no list {split}, there is {there}"

    if data_set.masks is None:
        scored = f"no masks are known; {data_set.masks_advice}"
    else:
        shares = [
            f"{_with_mask(data_set, lists[split]):,} of {len(lists[split]):,} of {split}"
            for split in dict.fromkeys((predicted, training))
            if split in lists
        ]
        scored = f"masks in {data_set.masks.name}: {', '.join(shares)}"
    return {
        "train": of(training),
        "attend, proxy": f"as trained: {of(training)}",
        "segment": f"learns from the proxies, predicts {of(predicted)}",
        "evaluate": scored,
    }


def _through_links(data_set: DataSet, image_ids: Sequence[str]) -> list[str]:
    """Say how many pictures lie elsewhere: links are followed, for whoever made them meant it."""
    home = data_set.root if data_set.root.is_dir() else data_set.root.parent
    paths = [data_set.image_path(image_id) for image_id in image_ids]
    inside = [path for path in paths if path.is_relative_to(home)]
    # Not Path.resolve, which raises where links lead in a circle.
    away = sum(not Path(realpath(path)).is_relative_to(realpath(home)) for path in inside)
    return [f"{away} pictures are links to other places"] if away else []
