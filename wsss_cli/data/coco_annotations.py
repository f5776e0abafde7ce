"""Reads annotation files of COCO."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wsss_cli.data.class_names import require_class_names
from wsss_cli.data.label_rows import LabelRow
from wsss_cli.errors import WsssError, listing
from wsss_cli.reserved_names import names_background


@dataclass(frozen=True)
class CocoAnnotations:
    """The used content of an annotation file.

    Attributes:
        path: The file.
        class_names: Names in the order of COCO's category numbers.
        labels: Labels 1..C by category number; 0 for categories that are the background.
        images: Entries of the images by COCO's image number.
        objects: Annotations by image number.
        problems: Sentences on annotations whose labels are lost.
    """

    path: Path
    class_names: tuple[str, ...]
    labels: Mapping[int, int]
    images: Mapping[int, Mapping[str, Any]]
    objects: Mapping[int, Sequence[Mapping[str, Any]]]
    problems: Sequence[str] = field(default=())

    def rows(self, split: str | None, prefix: str = "") -> dict[int, LabelRow]:
        """Make a row for each image; crowds count as objects.

        If the file has no annotation at all, its images are unlabelled, not negatives.
        """
        labels = {
            number: {
                self.labels[annotation["category_id"]]
                for annotation in self.objects.get(number, ())
            }
            - {0}
            for number in self.images
        }
        return {
            number: LabelRow(
                f"{prefix}{image['file_name']}",
                frozenset(self.class_names[label - 1] for label in labels[number])
                if self.objects
                else None,
                split,
                f"{self.path.name}, image {number}",
            )
            for number, image in self.images.items()
        }

    def about_images(self, list_name: str) -> list[str]:
        """Report how many images show no class, and why.

        Args:
            list_name: Name of the list, for the message.
        """
        if not self.objects:
            return [
                f"{self.path.name} annotates no image, so those of {list_name} count as unlabelled"
            ]
        positive = sum(
            any(self.labels[annotation["category_id"]] for annotation in of_image)
            for of_image in self.objects.values()
        )
        negatives = len(self.images) - positive
        background = sorted(str(number) for number, label in self.labels.items() if not label)
        unlabelled = [
            f"{negatives:,} images of {list_name} have no object, so they show none of the classes"
        ]
        category = f"the category {', '.join(background)} of {self.path.name} is the background"
        return (unlabelled if negatives else []) + (
            [f"{category}, which is no class"] if background else []
        )


def read_annotations(path: Path, *, regions: bool) -> CocoAnnotations:
    """Read a file.

    Args:
        path: The file.
        regions: Whether to keep the regions of objects, which are most of the file.

    Raises:
        WsssError: It is no COCO JSON.
    """

    def without_regions(entry: dict[str, Any]) -> dict[str, Any]:
        entry.pop("segmentation", None)
        return entry

    try:
        with path.open(encoding="utf-8-sig") as file:
            content = json.load(file, object_hook=None if regions else without_regions)
        _require_objects(path, content)
        return _checked(path, content)
    except (ValueError, RecursionError) as error:
        raise WsssError(f"{path} cannot be read as JSON ({error}); restore the file") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise WsssError(
            f"{path} is no COCO annotation file: it lacks or misuses {error}; it should have "
            "images (id, file_name), annotations (image_id, category_id) and categories (id, name)"
        ) from error


def _require_objects(path: Path, content: Mapping[str, Any]) -> None:
    """Refuse files of COCO without objects.

    Raises:
        WsssError: The annotations are panoptic ones, or captions.
    """
    first: Mapping[str, Any] = next(iter(content["annotations"]), {})
    kinds = {"segments_info": "panoptic segments", "caption": "captions"}
    for key, kind in kinds.items():
        if key in first and "category_id" not in first:
            raise WsssError(
                f"{path} holds {kind}, of which no labels are read; give the file of objects, "
                "which COCO calls instances_*.json"
            )


def _checked(path: Path, content: Mapping[str, Any]) -> CocoAnnotations:
    categories = {int(entry["id"]): str(entry["name"]).strip() for entry in content["categories"]}
    background = {number for number, name in categories.items() if names_background(name)}
    order = sorted(set(categories) - background)
    names = require_class_names([categories[number] for number in order], path)
    labels = {number: label for label, number in enumerate(order, start=1)}
    labels |= dict.fromkeys(background, 0)
    images: dict[Any, Mapping[str, Any]] = {
        _number(entry["id"]): entry for entry in content["images"]
    }
    if not images or len(images) != len(content["images"]):
        raise WsssError(f"{path} names no image, or one number twice; correct it")
    for image in images.values():
        if not isinstance(image["file_name"], str):
            raise TypeError("file_name")
    objects: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    lost: dict[str, list[str]] = defaultdict(list)
    for raw in content["annotations"]:
        entry = {
            **raw,
            "image_id": _number(raw["image_id"]),
            "category_id": _number(raw["category_id"]),
        }
        if entry["category_id"] not in labels or entry["image_id"] not in images:
            lost["categories" if entry["image_id"] in images else "images"].append(
                f"annotation {entry.get('id')} of image {entry['image_id']} and category "
                f"{entry['category_id']}"
            )
            continue
        objects[entry["image_id"]].append(entry)
    problems = [
        f"{path}: {len(examples):,} annotations are of {kind} that the file does not have: "
        f"{listing(examples, most=3)}; correct it"
        for kind, examples in lost.items()
    ]
    return CocoAnnotations(path, names, labels, images, objects, problems)


def _number(written: object) -> object:
    """Number of an image or a category, which some programs write as text."""
    return int(written) if isinstance(written, str) and written.isdecimal() else written
