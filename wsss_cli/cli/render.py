"""Reports as text for people."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from wsss_cli.errors import listing

Values = Mapping[str, Any]

# Classes that are named where there are many.
_LOWEST = 5
_SIZES = ("bytes", "kB", "MB", "GB", "TB")


def size_text(number: float) -> str:
    """A number of bytes for people: ``532 bytes``, ``1.5 MB``."""
    for unit in _SIZES[:-1]:
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} {_SIZES[-1]}"


def any_stage(values: Values) -> str:
    """The outcome of a stage without a text of its own."""
    beside = ("stage", "status", "directory", "warnings")
    return _lines(values, *(f"{name} {v}" for name, v in values.items() if name not in beside))


def train(values: Values) -> str:
    """The outcome of ``wsss train``."""
    losses = ", ".join(f"{name} {loss:.3f}" for name, loss in values["losses"].items())
    alone = values.get("frequency_loss")  # not there in results of earlier versions
    lines = [
        f"{values['images']} images{_negatives(values)}, {values['iterations']} iterations in "
        f"{values['seconds']} s",
        f"last losses: {losses or 'none logged'}"
        + ("" if alone is None else f"; knowing the label frequencies alone gives {alone:.3f}"),
    ]
    if "classification" in values:
        lines += _classification(values["classification"])
    return _lines(values, *lines)


def _classification(measured: Values) -> list[str]:
    """The mAP that a training ended with, and the classes that it is lowest for."""
    if measured["map"] is None:
        return [f"no mAP: no class in the {measured['images']} images of {measured['list']}"]
    kind = "held-out images" if measured["held_out"] else "images that it has learned from"
    lines = [
        f"mAP {100 * measured['map']:.1f} on {measured['images']} {kind} of {measured['list']} "
        f"(guessing gives {100 * measured['guessing']:.1f})"
    ]
    precisions = [
        (value, name) for name, value in measured["per_class"].items() if value is not None
    ]
    if len(precisions) > _LOWEST:
        lowest = ", ".join(
            f"{name} {100 * value:.1f}" for value, name in sorted(precisions)[:_LOWEST]
        )
        lines.append(f"lowest average precision: {lowest}")
    return lines


def _negatives(values: Values) -> str:
    """How many of the images show none of the classes, where some do."""
    return f" ({values['negatives']:,} negatives)" if values.get("negatives") else ""


def _maps(values: Values) -> str:
    """How many maps there are, and how many of them show nothing."""
    empty = f", {values['empty_maps']} of them empty" if values.get("empty_maps") else ""
    return f"{values['maps']} maps of {values['images']} images{_negatives(values)}{empty}"


def attend(values: Values) -> str:
    """The outcome of ``wsss attend``."""
    made = _maps(values)
    if "heatmaps" in values:
        made += f", {values['heatmaps']} heatmaps drawn"
        if values["empty_heatmaps"]:
            made += f" ({values['empty_heatmaps']} of empty maps)"
    return _lines(values, made, _work(values))


def refine(values: Values) -> str:
    """The outcome of ``wsss refine``."""
    learned = [f"edges learned in {values['training_seconds']} s"] if values["losses"] else []
    return _lines(values, *learned, _maps(values), _work(values))


def saliency(values: Values) -> str:
    """The outcome of ``wsss saliency``."""
    share = f", {values['salient']:.1%} of the pixels salient" if "salient" in values else ""
    black = f", {values['black_maps']} maps black" if values.get("black_maps") else ""
    return _lines(values, f"saliency of {values['images']} images{share}{black}", _work(values))


def proxy(values: Values) -> str:
    """The outcome of ``wsss proxy``."""
    return _lines(
        values,
        f"{values['images']} label maps{_negatives(values)}: {_shares(values)}",
        _work(values),
    )


def segment(values: Values) -> str:
    """The outcome of ``wsss segment``."""
    if not values["training_images"]:
        lines = ["predicted with a trained network"]
    else:
        loss = values["losses"].get("segmentation")
        beside = "" if loss is None else f", last loss {loss:.3f}"
        lines = [
            f"trained on {values['training_images']} images in {values['training_seconds']} s"
            + beside
        ]
        replaced = values.get("replaced_labels")
        if replaced is not None:
            lines.append(f"{replaced:.1%} of the last steps' pixels learned with a corrected label")
        start = values["initial_weights"]
        lines.append(f"from {start['trunk']}; fc6, fc7: {start['fc6_fc7']}")
    scores = f", soft scores in {values['scores']}" if "scores" in values else ""
    packed = f", packed in {values['submission']}" if "submission" in values else ""
    beside = f": {_shares(values)}" if "objects" in values else ""
    lines.append(f"{values['images']} predictions{beside}{scores}{packed}")
    return _lines(values, *lines, _work(values))


# Pictures of which each gets a line of its own.
_PICTURES_TOLD = 20


def predict(values: Values) -> str:
    """The outcome of ``wsss predict``: each picture's classes if they are few, and all classes."""
    pictures, videos = values["pictures"], values["videos"]
    made = f"{values['written']} predicted, {values['skipped']} there before, {values['seconds']} s"
    counts = [(len(pictures), "picture"), (len(videos), "video")]
    counted = [f"{count} {noun}{'s' * (count != 1)}" for count, noun in counts if count]
    lines = [f"{' and '.join(counted)}: {made}"]
    told = [*pictures, *videos] if len(pictures) <= _PICTURES_TOLD else videos
    lines += [f"{entry['file']}: {_classes(entry['classes'])}" for entry in told]
    if len(pictures) > _PICTURES_TOLD:
        lines += _class_table(pictures)
    empty = [entry["file"] for entry in pictures if not entry["classes"]]
    if empty and len(pictures) > 1:
        lines.append(
            f"nothing found in {len(empty)} of {len(pictures)} pictures: {listing(empty, most=5)}"
        )
    return _lines(values, *lines)


def _classes(classes: Sequence[Values]) -> str:
    return ", ".join(f"{each['name']} {_amount(each)}" for each in classes) or "nothing found"


def _amount(entry: Values) -> str:
    """The share of the pixels, of a small one that there is some, or a probability."""
    if "share" not in entry:
        return f"{entry['probability']:.0%}"
    return "below 0.1%" if entry["share"] < 0.001 else f"{entry['share']:.1%}"


def _class_table(pictures: Sequence[Values]) -> list[str]:
    """How many pictures have each class, the most frequent first."""
    counts = Counter(each["name"] for picture in pictures for each in picture["classes"])
    width = max(map(len, counts), default=0)
    return [f"{name:<{width}}  in {count} pictures" for name, count in counts.most_common()]


def crf(values: Values) -> str:
    """The outcome of ``wsss crf``."""
    shares = f": {_shares(values)}" if "objects" in values else ""
    weights = f", weights of pixels in {values['weights']}" if "weights" in values else ""
    return _lines(values, f"{values['images']} label maps{shares}{weights}", _work(values))


def _shares(values: Values) -> str:
    """What label maps show, as far as results of earlier versions have it."""
    parts = [f"{values['ignored']:.1%} of the pixels ignored"] if values["ignored"] else []
    if "objects" in values:
        parts.insert(0, f"{values['objects']:.1%} of the pixels are objects")
        if values["without_object"]:
            parts.append(
                f"{values['without_object']} of {values['labelled_images']} labelled images show "
                "no object"
            )
    return ", ".join(parts) or "none of the pixels ignored"


def evaluate(values: Values) -> str:
    """The scores: what they are worth in a sentence, a table of classes, then the facts."""
    width = max(len(name) for name in values["per_class"])
    rows = [values["verdict"], "", f"{'class':<{width}}    IoU     FP     FN  in per cent"]
    for name, score in values["per_class"].items():
        shares = (score, values["false_positive"][name], values["false_negative"][name])
        cells = "  absent" if score is None else "".join(f"  {100 * x:5.1f}" for x in shares)
        rows.append(f"{name:<{width}}{cells}")
    rows.append("-" * (width + 21))
    rows.append(
        f"{'mIoU':<{width}}  {100 * values['miou']:5.1f}  {_interval(values['interval'])} %"
    )
    style = _STYLES.get(str(values["ground_truth_style"]), "")
    facts = [
        "",
        f"{values['what']} of {values['images']} images against {values['ground_truth']}{style}",
        f"pixel accuracy {values['pixel_accuracy']:.1%}, class accuracy "
        f"{values['class_accuracy']:.1%}, coverage {values['coverage']:.1%}",
    ]
    if values["absent"]:
        facts.append(f"absent and left out of the mean: {listing(values['absent'])}")
    if values["missing_predictions"]:
        missing = values["missing_predictions"]
        facts.append(f"{len(missing)} masks have no prediction: {listing(missing, most=5)}")
    facts += _of_attention(values) if values["what"] == "attention" else _of_label_maps(values)
    if "against" in values:
        facts.append(_difference(values["against"]))
    if values.get("baselines"):
        facts.append("mIoU in per cent without learning a shape:")
        for name, score in values["baselines"].items():
            facts.append(f"  {name.replace('_', ' '):<24} {100 * score:5.1f}")
    if values.get("baselines_missing"):
        facts.append("not scored:")
        for name, missing in values["baselines_missing"].items():
            facts.append(f"  {name.replace('_', ' ')}: {missing['reason']}")
        if values["baselines_commands"]:
            facts += ["these commands make what is lacking and score again:"]
            facts += [f"  {command}" for command in values["baselines_commands"]]
    return "\n".join(rows + facts)


_STYLES = {
    "voc": " (VOC style: a border of 255 is not scored)",
    "sbd": " (SBD style: no border of 255, every contour pixel counts)",
    "mixed": " (some masks with a border of 255, some without)",
}


_WHOSE_LABELS = {
    "given": "maps of the labels given to each image",
    "predicted": "maps of the labels that the network predicts: {} of classes that are absent, and "
    "{} classes that are there have none",
    None: "the attention file does not say whose labels its maps are of",
}


def _of_label_maps(values: Values) -> list[str]:
    facts = [f"a predicted 255 counts as {values['predicted_ignore']}"]
    if "boundary_iou" in values:
        curve = values["trimap"]
        near = ", ".join(
            f"{width} px {100 * miou:.1f}"
            for width, miou in zip(curve["widths"], curve["miou"], strict=True)
        )
        facts.append(f"boundary IoU {100 * values['boundary_iou']:.1f} %")
        facts.append(f"mIoU in per cent within so many pixels of a contour: {near}")
    return facts


def _of_attention(values: Values) -> list[str]:
    facts = [
        _WHOSE_LABELS[values["labels"]].format(
            values["maps_of_absent_classes"], values["classes_without_map"]
        ),
        f"at the threshold {values['best_threshold']}, the best for these very images",
    ]
    transferred = values.get("at_chosen")
    if transferred:
        facts.append(
            f"at {transferred['threshold']}, the best of {transferred['from']}: mIoU "
            f"{100 * transferred['miou']:.1f}  {_interval(transferred['interval'])} %"
        )
    recall, lit = values["matched_recall"], values["background_lit_at_recall"]
    facts.append(
        f"no threshold finds {recall:.0%} of the object pixels"
        if lit is None
        else f"where {recall:.0%} of the object pixels are found, {lit:.1%} of the background "
        "is lit"
    )
    if "max_box_acc_v2" in values:
        boxes, ranked = values["max_box_acc_v2"], values["pixel_average_precision"]
        facts.append(f"MaxBoxAccV2 {100 * boxes:.1f} %, PxAP {100 * ranked:.1f} %")
    if values["classification_map"] is not None:
        facts.append(f"classification mAP {100 * values['classification_map']:.1f} %")
    return facts


def _difference(against: Values) -> str:
    threshold = against.get("best_threshold")
    best = "" if threshold is None else f" at its best threshold {threshold}"
    verdict = "is real" if against["real"] else "may be the choice of images"
    return (
        f"against {against['source']}{best}, {100 * against['miou']:.1f}: "
        f"{100 * against['difference']:+.1f}  {_interval(against, sign='+')} %, which {verdict}"
    )


def _interval(values: Values, sign: str = "") -> str:
    low, high = (f"{100 * values[end]:{sign}.1f}" for end in ("low", "high"))
    return f"[{low}, {high}]"


def _work(values: Values) -> str:
    return (
        f"{values['written']} written, {values['skipped']} skipped, {values['seconds']} s, "
        f"{values['rate']} a second"
    )


def _lines(values: Values, *lines: str) -> str:
    head = f"{values['stage']} {values['status']}: {values['directory']}"
    warnings = [f"warning: {sentence}" for sentence in values.get("warnings", ())]
    return "\n".join((head, *(f"  {line}" for line in (*lines, *warnings))))
