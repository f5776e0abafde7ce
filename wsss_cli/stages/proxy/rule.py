"""A rule of ``wsss proxy``, applied to one image."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import signature

import numpy as np
import torch

from wsss_cli.artifacts.attention_file import ImageAttention
from wsss_cli.configs.crf import PRESETS
from wsss_cli.configs.proxy import ProxyConfig
from wsss_cli.configs.proxy_rules import options_of
from wsss_cli.data.images import Pixels
from wsss_cli.data.resizing import enlarge_maps
from wsss_cli.ops import proxy_labels


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
    label = labeller(config)
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


def labeller(config: ProxyConfig) -> Callable[..., torch.Tensor]:
    """The function that makes labels of attention: the rule's, or that of the rule it revises."""
    return proxy_labels.rule_function(config.chosen.revises or config.rule)
