"""``wsss proxy``: turn attention and saliency into proxy ground truth."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from inspect import signature
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from wsss_cli import ranks
from wsss_cli.artifacts.atomic import write_together
from wsss_cli.artifacts.attention_file import AttentionFile, ImageAttention
from wsss_cli.artifacts.label_png import label_map_bytes, read_label_map
from wsss_cli.artifacts.stage_directory import StageDirectory
from wsss_cli.command_line import command_line
from wsss_cli.configs.common import record
from wsss_cli.configs.crf import PRESETS
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.proxy_rules import maps_of, options_of
from wsss_cli.configs.results import LABEL_FOLDERS
from wsss_cli.configs.setting import option
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.images import Pixels, check_images
from wsss_cli.data.label_folder import grey_files, png_files
from wsss_cli.data.loading import prefetch
from wsss_cli.data.map_sizes import read_fitted_saliency, require_size
from wsss_cli.data.resizing import enlarge_maps
from wsss_cli.data.saliency_maps import require_saliency
from wsss_cli.device import one_thread_each, resolve_device, resolve_workers
from wsss_cli.errors import WsssError
from wsss_cli.labels import IGNORE
from wsss_cli.ops import proxy_labels
from wsss_cli.stages.attention_check import require_labelled_classes
from wsss_cli.stages.image_loop import Share, pipeline
from wsss_cli.stages.input_kinds import (
    attention_input,
    images_input,
    pictures_input,
)
from wsss_cli.stages.inputs import (
    data_if_known,
    find_attention,
    require_photographs,
    rule_prediction,
    rule_saliency,
)
from wsss_cli.stages.label_map_check import require_predicted_classes
from wsss_cli.stages.label_shares import LabelShares, count_pixels, warnings
from wsss_cli.stages.result import Report, make, result_directory
from wsss_cli.stages.salient_share import BLACK_BELOW
from wsss_cli.tracking import Track

LABELS = LABEL_FOLDERS["proxy"]

# Images that go through each step together. Reading, the rule and writing do not fit into a
# processor's caches beside each other: an image at a time takes longer, a tenth on an idle machine
# and almost half beside other work (performance.md). More gain little, and of large photographs an
# interrupt waits seconds for each; with the CRF, which takes longer than all the steps, for one.
BLOCK = 4
# Label maps that wait for the disk together, and that a kill loses; with the CRF none waits.
WRITTEN_TOGETHER = 64


@dataclass(frozen=True)
class ProxyPlan:
    """Everything checked before the first label map.

    Attributes:
        class_names: Names of classes 1..C, None where neither data nor attention tell.
        potential: Second attention file; None for a rule that takes none.
        grey_maps: The map of each image, by the option that named their folder.
        predictions: The predicted label map of each image, for a rule that revises labels.
    """

    config: ProxyConfig
    attention: Path
    potential: Path | None
    data_set: DataSet | None
    class_names: tuple[str, ...] | None
    image_ids: list[str]
    grey_maps: dict[str, dict[str, Path]]
    predictions: dict[str, Path]
    device: torch.device
    directory: StageDirectory

    @property
    def num_labels(self) -> int:
        """Labels including background, as far as the classes are known."""
        return IGNORE if self.class_names is None else len(self.class_names) + 1

    def describe(self) -> dict[str, Any]:
        """Describe what would be done, for ``--dry-run``."""
        return {
            **record(self.config),
            "attention": str(self.attention),
            "images": len(self.image_ids),
            "device": str(self.device),
        }


@dataclass(frozen=True)
class LabelCount:
    """The counts of one image.

    Attributes:
        resized: Whether a saliency map had another size than the image.
        pixels: (256,) pixels of each label.
        class_ids: (K,) classes that its attention has maps of.
        black: Whether it has such classes, but a saliency map that marks nothing.
    """

    resized: bool
    pixels: npt.NDArray[np.int64]
    class_ids: npt.NDArray[np.uint8]
    black: bool


@dataclass(frozen=True)
class LabelledImage:
    """What has been made of an image and is not on the disk yet.

    Attributes:
        image_id: Its id.
        png: Bytes of the file of its label map.
        count: The counts of the label map.
    """

    image_id: str
    png: bytes
    count: LabelCount


@dataclass(frozen=True)
class Evidence:
    """What a rule looks at in one image of H x W pixels.

    Attributes:
        attention: Maps of the present classes, of any size.
        grey_maps: (H, W) uint8 saliency by option: the maps that the rule needs, and of those that
            it takes the ones that are there.
        resized: Whether a grey map had another size than the image.
        photograph: (H, W, 3) uint8 RGB, for a rule that looks at it and for a CRF.
        potential: A second attention of the same classes, for a rule that takes one.
        prediction: (H, W) uint8 labels, for a rule that revises labels.
    """

    attention: ImageAttention
    grey_maps: Mapping[str, Pixels]
    resized: bool
    photograph: Pixels | None
    potential: ImageAttention | None
    prediction: Pixels | None


def prepare(config: ProxyConfig, track: Track) -> ProxyPlan:
    """Check attention, saliency and the run before any work.

    Raises:
        WsssError: Something is missing or broken.
    """
    attention = find_attention(config.attention, config.run, config.data)
    folders = rule_saliency(config)
    prediction = rule_prediction(config)
    data_set = data_if_known(config)
    require_photographs(config, data_set)
    # Rules take less time than the way to a GPU and back; the CRF does not.
    device = resolve_device("cpu" if config.viewer is None else config.device)
    known_names = data_set.class_names if data_set is not None else None
    with AttentionFile(attention, known_names) as file:
        image_ids = file.image_ids
        grey_maps = {
            name: dict(zip(image_ids, grey_files(folder, image_ids, option(name)), strict=True))
            for name, folder in folders.items()
        }
        for name, folder in folders.items():
            for sentence in require_saliency(folder, list(grey_maps[name].values()), option(name)):
                track.note(sentence)
        if config.attention is not None and data_set is not None:
            for sentence in require_labelled_classes(file, data_set, image_ids):
                track.note(sentence)
        inputs = {"attention": attention_input(file)}
        potential = _potential(config, attention)
        if potential is not None:
            with AttentionFile(
                potential, file.class_names, option="--potential-attention"
            ) as second:
                second.require(image_ids)
                inputs["potential_attention"] = attention_input(second)
        for name, folder in folders.items():
            inputs[name] = pictures_input(folder, grey_maps[name].values())
        if config.viewer is not None and data_set is not None:
            check_images(map(data_set.image_path, image_ids))
            inputs["images"] = images_input(data_set, image_ids)
        predictions: dict[str, Path] = {}
        if prediction is not None:
            paths = png_files(prediction, image_ids, "--prediction")
            predictions = dict(zip(image_ids, paths, strict=True))
            for sentence in require_predicted_classes(
                prediction, predictions, file, config.workers
            ):
                track.note(sentence)
            inputs["prediction"] = pictures_input(prediction, paths)
        class_names = file.class_names
    directory = result_directory(
        "proxy",
        config,
        inputs,
        data=None if data_set is None else data_set.root,
        class_names=class_names,
        device=device,
    )
    return ProxyPlan(
        config,
        attention,
        potential,
        data_set,
        class_names,
        image_ids,
        grey_maps,
        predictions,
        device,
        directory,
    )


def run(config: ProxyConfig, *, track: Track) -> Report:
    """Write a label map per image, leaving out those that are there.

    Raises:
        WsssError: The inputs are wrong or the disk is full.
    """
    plan = prepare(config, track)
    return make(plan.directory, _label_images, plan, track, overwrite=config.overwrite)


def _label_images(plan: ProxyPlan, track: Track) -> dict[str, Any]:
    """Write the label maps that are not there; returns the counts."""
    config = plan.config
    plan.directory.begin(overwrite=config.overwrite)
    for name in maps_of(config.rule):
        if name not in plan.grey_maps:
            track.note(f"without {option(name)}, the rule {config.rule} uses one saliency map")
    folder = plan.directory.path / LABELS
    share = Share(plan.image_ids, lambda i: not (folder / f"{i}.png").exists())
    missing = set(share.missing)
    resized = black = negatives = 0
    shares = LabelShares()
    with (
        opened_attention(plan) as (file, potential),
        one_thread_each(),
    ):
        workers = resolve_workers(config.workers)
        kept = [image_id for image_id in share.items if image_id not in missing]
        size = BLOCK if config.viewer is None else 1
        firsts = range(0, len(share.missing), size)
        blocks = [share.missing[first : first + size] for first in firsts]
        together = WRITTEN_TOGETHER if config.viewer is None else 1
        labelled = chain.from_iterable(
            pipeline(
                blocks,
                partial(_label, plan, file, potential),
                partial(_collected, count=together),
                partial(_write, folder),
                config.workers,
            )
        )
        for count in chain(
            prefetch(partial(_count_kept, plan, file), kept, workers),
            share.follow(labelled, track, "labelling"),
        ):
            shares.add(count.pixels, count.class_ids.tolist())
            if count.resized and not resized:
                track.note("some saliency maps differ in size from their image and are resized")
            resized += count.resized
            black += count.black
            negatives += not len(count.class_ids)
    resized, black, negatives = (sum(ranks.counted(n)) for n in (resized, black, negatives))
    by_label = shares.values(plan.class_names)
    return {
        **share.made(),
        "negatives": negatives,
        **by_label,
        "saliency_resized": resized,
        "warnings": _warnings(config, by_label, black),
    }


def _warnings(config: ProxyConfig, shares: dict[str, Any], black: int) -> list[str]:
    """Say what is odd about the label maps, and where to look for the reason."""
    sentences = warnings(shares, "label maps")
    dark = f"{black:,} saliency maps of images that show a class are black or nearly so"
    if not sentences:
        return [dark] if black else []
    draw = command_line("attend", heatmaps=True, run=config.run)
    evidence = "the attention" if config.attention else f"the attention (`{draw}` draws it)"
    if maps_of(config.rule):
        evidence += " and the saliency maps, which should be bright on objects and dark elsewhere"
    if config.chosen.revises:
        evidence += f", and at --prediction {config.prediction}"
    advised = [*sentences[:-1], f"{sentences[-1]}; look at {evidence}"]
    return [*advised, dark] if black else advised


def _count_kept(plan: ProxyPlan, file: AttentionFile, image_id: str) -> LabelCount:
    """Count the label map that an earlier command has written."""
    path = plan.directory.path / LABELS / f"{image_id}.png"
    pixels = count_pixels(read_label_map(path, num_labels=plan.num_labels), None)
    outline = file.outline(image_id)
    fitted = _grey_maps(plan, image_id, outline.size).values()
    return LabelCount(
        any(resized for _, resized in fitted),
        pixels,
        outline.class_ids,
        _marks_nothing(outline.class_ids, [grey for grey, _ in fitted]),
    )


def _marks_nothing(class_ids: npt.NDArray[np.uint8], grey_maps: Iterable[Pixels]) -> bool:
    """Whether an image shows a class, but one of its saliency maps no object."""
    return len(class_ids) > 0 and any(grey.max() < BLACK_BELOW for grey in grey_maps)


def _potential(config: ProxyConfig, attention: Path) -> Path | None:
    """The second attention of a rule that takes one: the file given, else the first one."""
    if "potential" not in signature(_labeller(config)).parameters:
        return None
    return config.potential_attention or attention


def _labeller(config: ProxyConfig) -> Callable[..., torch.Tensor]:
    """The function that makes labels of attention: the rule's, or that of the rule it revises."""
    return proxy_labels.rule_function(config.chosen.revises or config.rule)


@contextmanager
def opened_attention(plan: ProxyPlan) -> Iterator[tuple[AttentionFile, AttentionFile | None]]:
    """The attention file and, for a rule that takes one, the second, while they are open."""
    with ExitStack() as stack:
        first = stack.enter_context(AttentionFile(plan.attention, plan.class_names))
        if plan.potential is None:
            yield first, None
            return
        yield first, stack.enter_context(AttentionFile(plan.potential, plan.class_names))


def _label(
    plan: ProxyPlan,
    file: AttentionFile,
    potential: AttentionFile | None,
    image_ids: Sequence[str],
) -> list[LabelledImage]:
    """Make the label maps of a few images, step by step."""
    evidence = {i: read_evidence(plan, file, potential, i) for i in image_ids}
    label_maps = {i: label_image(plan.config, seen, plan.device) for i, seen in evidence.items()}
    pngs = {i: label_map_bytes(label_map) for i, label_map in label_maps.items()}
    return [
        LabelledImage(
            i,
            pngs[i],
            LabelCount(
                seen.resized,
                count_pixels(label_maps[i], seen.attention.class_ids),
                seen.attention.class_ids,
                _marks_nothing(seen.attention.class_ids, seen.grey_maps.values()),
            ),
        )
        for i, seen in evidence.items()
    ]


def _collected(
    blocks: Iterator[list[LabelledImage]], count: int
) -> Iterator[Sequence[LabelledImage]]:
    """As many labelled images together as are written together."""
    images = chain.from_iterable(blocks)
    while together := list(islice(images, count)):
        yield together


def _write(folder: Path, images: Sequence[LabelledImage]) -> list[LabelCount]:
    """Write label maps; returns their counts."""
    write_together({folder / f"{image.image_id}.png": image.png for image in images})
    return [image.count for image in images]


def read_evidence(
    plan: ProxyPlan, file: AttentionFile, potential: AttentionFile | None, image_id: str
) -> Evidence:
    """Read everything that the config's rule looks at in an image.

    Raises:
        WsssError: A map cannot be read, or is of another size or of other classes.
    """
    attention = file.read(image_id)
    grey_maps = _grey_maps(plan, image_id, attention.size)
    return Evidence(
        attention,
        {name: grey for name, (grey, _) in grey_maps.items()},
        any(resized for _, resized in grey_maps.values()),
        _photograph(plan, image_id),
        None if potential is None else _same_classes(potential, image_id, attention),
        _prediction(plan, image_id, attention.size),
    )


def _prediction(plan: ProxyPlan, image_id: str, size: tuple[int, int]) -> Pixels | None:
    """The label map that a network predicts for an image, where the rule looks at one.

    Raises:
        WsssError: It has values that are no label, or another size.
    """
    if not plan.predictions:
        return None
    path = plan.predictions[image_id]
    prediction = read_label_map(path, num_labels=plan.num_labels)
    require_size(str(path), prediction.shape, size)
    return prediction


def _same_classes(file: AttentionFile, image_id: str, first: ImageAttention) -> ImageAttention:
    """The second attention of an image, its classes in the order of the first one's.

    Raises:
        WsssError: It has other classes, or is of an image of another size.
    """
    second = file.read(image_id)
    require_size(
        f"image {image_id} of {file.path}", second.size, first.size, beside="in --attention it is"
    )
    columns = {class_id: row for row, class_id in enumerate(second.class_ids.tolist())}
    class_ids = first.class_ids.tolist()
    if set(columns) != set(class_ids):
        raise WsssError(
            f"image {image_id} of {file.path} has maps of the classes {sorted(columns)}, in "
            f"--attention it has {sorted(class_ids)}; give --potential-attention of the same labels"
        )
    return replace(
        second,
        maps=second.maps[[columns[class_id] for class_id in class_ids]],
        class_ids=first.class_ids,
    )


def _grey_maps(
    plan: ProxyPlan, image_id: str, size: tuple[int, int]
) -> dict[str, tuple[Pixels, bool]]:
    """Saliency maps of an image, by option, and whether they were resized to fit it.

    Raises:
        WsssError: They cannot be read, or the photograph has another size than the attention says.
    """
    if plan.data_set is not None and plan.data_set.image_path(image_id).exists():
        (true_size,) = check_images([plan.data_set.image_path(image_id)])
        name = f"image {image_id} of {plan.attention}"
        require_size(name, size, true_size, beside="in the data it is")
    return {
        name: read_fitted_saliency(paths[image_id], size) for name, paths in plan.grey_maps.items()
    }


def _photograph(plan: ProxyPlan, image_id: str) -> Pixels | None:
    """An image, where rule or CRF look at it."""
    if plan.config.viewer is None or plan.data_set is None:
        return None
    return plan.data_set.read_image(image_id)


def label_image(config: ProxyConfig, evidence: Evidence, device: torch.device) -> Pixels:
    """Apply the config's rule to one image.

    Args:
        config: Rule and thresholds.
        evidence: What the rule looks at.
        device: Where to compute.

    Returns:
        (H, W) uint8 label map. An image of none of the classes is background, whatever stands out.
    """
    attention = evidence.attention
    if not len(attention.class_ids):
        return np.zeros(attention.size, np.uint8)
    rule = config.chosen
    maps = torch.from_numpy(enlarge_maps(attention.maps, attention.size)).to(device)  # (K, H, W)
    class_ids = torch.from_numpy(attention.class_ids).to(device)
    photograph = evidence.photograph
    image = None if photograph is None else torch.from_numpy(photograph).to(device)
    saliency = {
        name: torch.from_numpy(grey).to(device).float() / 255
        for name, grey in evidence.grey_maps.items()
    }
    inputs = dict(saliency)
    if image is not None and rule.sees_image:
        inputs["photograph"] = image
    if evidence.potential is not None:
        enlarged = enlarge_maps(evidence.potential.maps, attention.size)
        inputs["potential"] = torch.from_numpy(enlarged).to(device)
    # A setting that is None leaves the rule its own default.
    label = _labeller(config)
    named = signature(label).parameters.keys()
    options = {n: getattr(config, n) for n in options_of(config.rule) if n in named}
    options = {name: value for name, value in options.items() if value is not None}
    if config.crf is not None and image is not None:
        options["decide"] = partial(
            proxy_labels.refined_label, photograph=image, settings=PRESETS[config.crf]
        )
    label_map = label(maps, class_ids, **inputs, **options)
    if evidence.prediction is not None:
        prediction = torch.from_numpy(evidence.prediction.copy()).to(device)
        revise = proxy_labels.rule_function(config.rule)
        label_map = revise(label_map, prediction, saliency["saliency"], class_ids)
    if config.ignore_conflicts is not None:
        label_map = proxy_labels.ignore_conflicts(label_map, maps, config.ignore_conflicts)
    if config.ignore_salient is not None:
        label_map = proxy_labels.ignore_salient_background(
            label_map, saliency["saliency"], config.ignore_salient
        )
    pixels: Pixels = label_map.cpu().numpy()
    return pixels
