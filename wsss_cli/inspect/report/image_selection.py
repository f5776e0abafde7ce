"""Which images a page shows; the rule of each gallery stands beside it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wsss_cli.configs.results import RESULTS
from wsss_cli.data.data_set import DataSet
from wsss_cli.errors import WsssError
from wsss_cli.metrics.difficulty import LEAST_SHARE, Difficulty, difficulty
from wsss_cli.stages.image_loop import each_image
from wsss_cli.tracking import Track

# From so many separate regions of one class on an image counts as one of many instances.
MANY = 4
# The share of the images whose objects look most like their background.
ALIKE = 0.1
# Classes that have pictures of their own; with more, those with the lowest IoU.
MOST_CLASSES = 24


@dataclass(frozen=True)
class Gallery:
    """Some images, and the rule that chose them.

    Attributes:
        what: What the scores are of that chose them.
        key: Its name in the JSON.
        title: For people.
        rule: How they were chosen, as a sentence.
        image_ids: In the order shown, and why each is there.
        matching: How many images the rule is about.
        class_id: The class that it is about; None where it is about all.
    """

    what: str
    key: str
    title: str
    rule: str
    image_ids: Mapping[str, str]
    matching: int
    class_id: int | None = None


Scores = Mapping[str, Mapping[str, Any]]
"""By image id, as ``wsss evaluate`` keeps them."""


def extremes(result: str, scores: Scores, limit: int) -> list[Gallery]:
    """The best, the median and the worst images."""
    ranked = _ranked(scores, lambda noun: noun["miou"])
    noun, several = RESULTS[result].noun, RESULTS[result].nouns
    about = f"by the mIoU of their {noun} alone, of {len(ranked)} images"
    selection = {
        "worst": (ranked[:limit], "The lowest"),
        "median": (_middle(ranked, limit), "Those in the middle"),
        "best": (ranked[::-1][:limit], "The highest"),
    }
    return [
        Gallery(
            result,
            f"{result}-{key}",
            f"{key.capitalize()} {several}",
            f"{rule} {about}.",
            {image_id: _standing(image_id, ranked) for image_id in image_ids},
            len(ranked),
        )
        for key, (image_ids, rule) in selection.items()
        if image_ids
    ]


def failures(
    result: str, scores: Scores, difficulties: Mapping[str, Difficulty], limit: int
) -> list[Gallery]:
    """The failures that the SeeNet line of work reports: the worst images of three kinds."""
    ranked = _ranked(scores, lambda one: one["miou"])
    together = [i for i in ranked if len(_classes(scores[i])) > 1]
    many = [i for i in ranked if i in difficulties and difficulties[i].regions >= MANY]
    by_colour = sorted(
        (i for i in ranked if i in difficulties and not math.isnan(difficulties[i].colours_shared)),
        key=lambda i: -difficulties[i].colours_shared,
    )
    looks_alike = set(by_colour[: math.ceil(ALIKE * len(by_colour))])
    alike = [i for i in ranked if i in looks_alike]
    lowest = f"lowest mIoU of their {RESULTS[result].noun}"
    return [
        Gallery(
            result,
            "co-occurring-classes",
            "Classes that occur together",
            f"Of the {len(together)} images whose truth has two classes or more, the {lowest}.",
            {i: f"{len(_classes(scores[i]))} classes" for i in together[:limit]},
            len(together),
        ),
        Gallery(
            result,
            "many-instances",
            "Many instances",
            f"Of the {len(many)} images whose truth has {MANY} separate regions of one class or "
            f"more, each at least {LEAST_SHARE:.1%} of the image, the {lowest}.",
            {i: f"{difficulties[i].regions} regions of a class" for i in many[:limit]},
            len(many),
        ),
        Gallery(
            result,
            "object-like-background",
            "Objects that look like their background",
            f"Of the {len(alike)} images ({ALIKE:.0%}) whose objects share most of their colours "
            f"with the background, the {lowest}.",
            {
                i: f"{difficulties[i].colours_shared:.0%} of the colours shared"
                for i in alike[:limit]
            },
            len(alike),
        ),
    ]


def of_classes(result: str, scores: Scores, values: Mapping[str, Any]) -> list[Gallery]:
    """The best, the median and the worst image of every class, among those that show it.

    Args:
        result: What was scored.
        scores: Score of each image.
        values: All scores of the same evaluation.
    """
    names = list(values["per_class"])
    order = sorted(
        (i for i, name in enumerate(names) if i and values["per_class"][name] is not None),
        key=lambda i: values["per_class"][names[i]],
    )[:MOST_CLASSES]
    galleries = []
    for class_id in sorted(order):
        name = names[class_id]
        having = {i: score for i, score in scores.items() if score["iou"].get(name) is not None}
        ranked = _ranked(having, lambda score, name=name: score["iou"][name])  # type: ignore[misc]
        selection = dict.fromkeys([*ranked[:1], *_middle(ranked, 1), *ranked[-1:]])
        galleries.append(
            Gallery(
                result,
                f"class-{name}",
                name,
                f"The worst, the median and the best of the {len(ranked)} images that have it, by "
                f"its IoU in their {RESULTS[result].noun}.",
                {image_id: _standing(image_id, ranked) for image_id in selection},
                len(ranked),
                class_id,
            )
        )
    return galleries


def without_scores(result: str, image_ids: Sequence[str], limit: int) -> list[Gallery]:
    """Evenly spread images, where there is nothing to choose by."""
    count = min(limit, len(image_ids))
    selection = [image_ids[(2 * n + 1) * len(image_ids) // (2 * count)] for n in range(count)]
    rule = f"Spread evenly over the {len(image_ids)} images: there are no scores to choose by."
    return [
        Gallery(
            result,
            f"{result}-any",
            f"Some {RESULTS[result].nouns}",
            rule,
            dict.fromkeys(selection, ""),
            count,
        )
    ]


def difficulties_of(
    data_set: DataSet, image_ids: Sequence[str], workers: int | None, track: Track
) -> dict[str, Difficulty]:
    """Look at the photographs and the truth of all images; what cannot be read is left out."""

    def look(index: int) -> Difficulty | None:
        image_id = image_ids[index]
        try:
            target = data_set.true_label_map(image_id)
            image = data_set.read_image(image_id)
        except WsssError:
            return None
        if target is None or target.shape != image.shape[:2]:
            return None
        return difficulty(image, target)

    looked = each_image(range(len(image_ids)), look, track, "looking for failures", workers)
    pairs = zip(image_ids, looked, strict=True)
    return {image_id: entry for image_id, entry in pairs if entry is not None}


def _classes(score: Mapping[str, Any]) -> list[str]:
    return [name for name in score["iou"] if name != "background"]


def _ranked(scores: Scores, key: Callable[[Mapping[str, Any]], float | None]) -> list[str]:
    """Ids from the worst to the best; equals in the order of their ids."""
    keys = {image_id: key(score) for image_id, score in scores.items()}
    return sorted((i for i, v in keys.items() if v is not None), key=lambda i: (keys[i], i))


def _middle(ranked: Sequence[str], limit: int) -> list[str]:
    start = max(0, (len(ranked) - limit) // 2)
    return list(ranked[start : start + limit])


def _standing(image_id: str, ranked: Sequence[str]) -> str:
    return f"rank {len(ranked) - ranked.index(image_id)} of {len(ranked)}"
