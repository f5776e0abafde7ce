"""The worth of a score in a sentence: beside what is reached without learning any shape."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

BELOW, LEVEL, ABOVE = "below", "level", "above"

_TITLES = {
    "background": "calling everything background",
    "saliency_first_label": "painting the saliency map with the image's first label",
    "saliency_best_label": "painting the saliency map with the image's surest label",
    "saliency_predicted_label": "painting the saliency map with the label predicted",
    "centre_box": "a box in the middle of each image",
}


@dataclass(frozen=True)
class Verdict:
    """The worth of a score.

    Attributes:
        sentence: For people, in per cent.
        standing: ``below`` the best baseline, ``level`` with it, which it beats by less than the
            uncertainty, or ``above``; None where nothing can be compared.
        baseline: Name of the best baseline.
    """

    sentence: str
    standing: str | None
    baseline: str | None


def verdict(values: Mapping[str, Any]) -> Verdict:
    """Compare a score with the best of its baselines.

    Args:
        values: The report of ``wsss evaluate``, of this version or an earlier one: ``miou``, with
            ``interval``, ``baselines``, ``baselines_missing`` and ``best_threshold`` where there.
    """
    miou = values["miou"]
    if miou is None or not isfinite(miou):
        return Verdict("no pixel was scored, so there is no mIoU", None, None)
    score = f"mIoU {100 * miou:.1f} %"
    if values.get("what") == "attention":
        score += f" at the best threshold, {values['best_threshold']}"
    baselines = {
        name: value
        for name, value in (values.get("baselines") or {}).items()
        if value is not None and isfinite(value)
    }
    if not baselines:
        return Verdict(f"{score}; nothing is scored beside it", None, None)
    name = max(baselines, key=lambda each: baselines[each])
    best = baselines[name]
    title = f"{_TITLES.get(name, name.replace('_', ' '))}: {100 * best:.1f} %"
    low = (values.get("interval") or {}).get("low")
    if miou <= best:
        standing, sentence = BELOW, f"{score}, {'below' if miou < best else 'no more than'} {title}"
    elif low is not None and best >= low:
        standing = LEVEL
        sentence = f"{score}, hardly above {title} (less than the uncertainty of the score)"
    else:
        standing, sentence = ABOVE, f"{score}, above {title}"
    return Verdict(sentence + _not_compared(baselines, values), standing, name)


def _not_compared(baselines: Mapping[str, float], values: Mapping[str, Any]) -> str:
    """Say what the comparison lacks."""
    if values.get("baselines_missing"):
        return f" ({len(values['baselines_missing'])} other baselines lack maps)"
    if set(baselines) == {"background"}:
        return " (--baselines compares with more)"
    return ", the best of what learns no shape"
