"""Reports as text for people."""

from collections.abc import Mapping
from typing import Any

Values = Mapping[str, Any]


def train(values: Values) -> str:
    """The outcome of ``wsss train``."""
    losses = ", ".join(f"{name} {loss:.3f}" for name, loss in values["losses"].items())
    return _lines(
        values,
        f"{values['images']} images, {values['iterations']} iterations in {values['seconds']} s",
        f"last losses: {losses or 'none logged'}",
    )


def attend(values: Values) -> str:
    """The outcome of ``wsss attend``."""
    drawn = f", {values['heatmaps']} heatmaps drawn" if "heatmaps" in values else ""
    return _lines(
        values, f"{values['maps']} maps of {values['images']} images{drawn}", _work(values)
    )


def saliency(values: Values) -> str:
    """The outcome of ``wsss saliency``."""
    return _lines(values, f"saliency of {values['images']} images", _work(values))


def proxy(values: Values) -> str:
    """The outcome of ``wsss proxy``."""
    return _lines(
        values,
        f"{values['images']} label maps, {values['ignored']:.1%} of the pixels ignored",
        _work(values),
    )


def segment(values: Values) -> str:
    """The outcome of ``wsss segment``."""
    if not values["training_images"]:
        lines = ["predicted with a trained network"]
    else:
        loss = values["losses"].get("segmentation")
        shown = "" if loss is None else f", last loss {loss:.3f}"
        lines = [
            f"trained on {values['training_images']} images in {values['training_seconds']} s"
            + shown
        ]
        start = values["initial_weights"]
        lines.append(f"from {start['trunk']}; fc6, fc7: {start['fc6_fc7']}")
    scores = f", soft scores in {values['scores']}" if "scores" in values else ""
    packed = f", packed in {values['submission']}" if "submission" in values else ""
    made = f"{values['images']} predictions{scores}{packed}"
    return _lines(values, *lines, made, _work(values))


def crf(values: Values) -> str:
    """The outcome of ``wsss crf``."""
    return _lines(values, f"{values['images']} label maps", _work(values))


def evaluate(values: Values) -> str:
    """The scores: a table of classes, then the summary."""
    width = max(len(name) for name in values["per_class"])
    rows = [f"{'class':<{width}}    IoU"]
    for name, score in values["per_class"].items():
        rows.append(f"{name:<{width}}  {'absent' if score is None else f'{100 * score:5.1f}'}")
    rows.append("-" * (width + 7))
    rows.append(f"{'mIoU':<{width}}  {100 * values['miou']:5.1f}")
    facts = [
        "",
        f"{values['what']} of {values['images']} images against {values['ground_truth']}",
        f"pixel accuracy {values['pixel_accuracy']:.1%}, coverage {values['coverage']:.1%}",
    ]
    if values["what"] == "attention":
        facts.append(f"at the threshold {values['best_threshold']}, the best for these very images")
        recall, lit = values["matched_recall"], values["background_lit_at_recall"]
        facts.append(
            f"no threshold finds {recall:.0%} of the object pixels"
            if lit is None
            else f"where {recall:.0%} of the object pixels are found, {lit:.1%} of the background "
            "is lit"
        )
        if values["classification_map"] is not None:
            facts.append(f"classification mAP {100 * values['classification_map']:.1f}")
    else:
        facts.append(f"a predicted 255 counts as {values['predicted_ignore']}")
    if values.get("baselines"):
        facts.append("mIoU without learning a shape:")
        for name, score in values["baselines"].items():
            facts.append(f"  {name.replace('_', ' '):<22} {100 * score:5.1f}")
    return "\n".join(rows + facts)


def _work(values: Values) -> str:
    return (
        f"{values['written']} written, {values['skipped']} skipped, {values['seconds']} s, "
        f"{values['rate']} a second"
    )


def _lines(values: Values, *lines: str) -> str:
    head = f"{values['stage']} {values['status']}: {values['directory']}"
    return "\n".join((head, *(f"  {line}" for line in lines)))
