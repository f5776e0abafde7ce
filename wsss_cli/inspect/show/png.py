"""Explains PNG files: label maps, saliency, weights of pixels, colours that should be labels."""

from pathlib import Path
from typing import Any

from wsss_cli.artifacts.label_png import PngLook, look
from wsss_cli.command_line import command_line
from wsss_cli.configs.results import LABEL_FOLDERS, RESULTS, WEIGHTS_FOLDER
from wsss_cli.inspect.show.explanation import Explanation, Writer
from wsss_cli.labels import IGNORE

# Without palette and manifest, values tell labels from greys: labels are few and small.
_MOST_LABELS = 32
_LARGEST_LABEL = 127
_LABEL_STAGES = {RESULTS[name].stage for name in LABEL_FOLDERS}
# From here on a pixel counts as salient where a number is needed: the middle of the range.
_SALIENT = 128


def explain_png(path: Path, writer: Writer | None) -> Explanation:
    """Say which of these a PNG is; its stage knows, else its palette or its values tell."""
    png = look(path)
    stage = None if writer is None else writer.manifest["stage"]
    if png.pixels is None:
        return _colours(png, stage)
    if path.parent.name == WEIGHTS_FOLDER and stage == RESULTS["crf"].stage:
        return _grey(path, png, png.pixels, stage)
    if png.mode == "P" or stage in _LABEL_STAGES:
        return _label_map(png, png.pixels, writer, "")
    if stage is None and _few_and_small(png.pixels):
        return _label_map(png, png.pixels, writer, ", by its few small values")
    return _grey(path, png, png.pixels, stage)


def _label_map(
    png: PngLook, pixels: dict[int, int], writer: Writer | None, why: str
) -> Explanation:
    names = ["background", *(writer.class_names if writer is not None else ())]
    total = sum(pixels.values())

    def name(label: int) -> str:
        named = label < len(names) and (label == 0 or len(names) > 1)
        return names[label] if named else f"label {label}"

    shares = {name(label): n / total for label, n in pixels.items() if label != IGNORE}
    facts = {
        **_size(png),
        "palette": png.palette or "none, 8-bit grey",
        "share_of_class": shares,
        "share_of_255": pixels.get(IGNORE, 0) / total,
    }
    return Explanation(f"a label map{why}", facts)


def _grey(path: Path, png: PngLook, pixels: dict[int, int], stage: str | None) -> Explanation:
    total = sum(pixels.values())
    facts = {
        **_size(png),
        "least": min(pixels),
        "largest": max(pixels),
        "mean": sum(value * n for value, n in pixels.items()) / total,
        "share_from_128_on": sum(n for value, n in pixels.items() if value >= _SALIENT) / total,
    }
    if stage == "saliency":
        return Explanation("a saliency map", facts)
    if stage is not None:
        return Explanation("how much each pixel counts, for `wsss segment --pixel-weights`", facts)
    only_ends = set(pixels) <= {0, IGNORE}
    convert = command_line("data masks", path.parent, "OUT", white=1)
    advice = (
        "it has 0 and 255 only: saliency that somebody has thresholded, or a label map without any "
        f"class; where 255 is an object, `{convert}` makes it class 1"
    )
    return Explanation("a grey map, such as saliency", facts, advice if only_ends else None)


def _colours(png: PngLook, stage: str | None) -> Explanation:
    facts = {**_size(png), "mode": png.mode}
    if png.decoded_palette:
        return Explanation("a label map decoded to colours", facts, f"it {png.odd}")
    if stage is not None:
        return Explanation("a picture for people to look at", facts)
    kind = "a picture in colour" if png.mode in ("RGB", "RGBA") else "a PNG of another kind"
    return Explanation(kind, facts, f"it {png.odd}")


def _few_and_small(pixels: dict[int, int]) -> bool:
    labels = set(pixels) - {IGNORE}
    if set(pixels) == {0, IGNORE}:
        return False
    return len(labels) <= _MOST_LABELS and max(labels, default=IGNORE) <= _LARGEST_LABEL


def _size(png: PngLook) -> dict[str, Any]:
    return {"height": png.size[0], "width": png.size[1]}
