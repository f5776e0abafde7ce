"""Rules that turn attention, saliency and image-level labels into proxy ground truth.

One paper a file, each a pure function: the attention of the present classes, their ids, the
saliency or the photograph where the rule needs it, and its thresholds become a label map. A rule
imports another one only where its paper builds on it; what they share is in ``scores``,
``assignment`` and ``ignore_masks``. ``configs/proxy_rules.py`` has them by name.
"""

from collections.abc import Callable
from importlib import import_module

from torch import Tensor

from wsss_cli.ops.proxy_labels.assignment import refined_label
from wsss_cli.ops.proxy_labels.beyond import beyond_proxy
from wsss_cli.ops.proxy_labels.dcsp import dcsp_proxy
from wsss_cli.ops.proxy_labels.drs import drs_proxy
from wsss_cli.ops.proxy_labels.ignore_masks import ignore_conflicts, ignore_salient_background
from wsss_cli.ops.proxy_labels.irn import irn_proxy
from wsss_cli.ops.proxy_labels.masked import masked_proxy
from wsss_cli.ops.proxy_labels.nsrom import nsrom_proxy
from wsss_cli.ops.proxy_labels.oaa import oaa_proxy
from wsss_cli.ops.proxy_labels.seenet import seenet_proxy
from wsss_cli.ops.proxy_labels.threshold import threshold_proxy

__all__ = [
    "beyond_proxy",
    "dcsp_proxy",
    "drs_proxy",
    "ignore_conflicts",
    "ignore_salient_background",
    "irn_proxy",
    "masked_proxy",
    "nsrom_proxy",
    "oaa_proxy",
    "refined_label",
    "rule_function",
    "seenet_proxy",
    "threshold_proxy",
]


def rule_function(name: str) -> Callable[..., Tensor]:
    """The function of a rule by the rule's name: ``NAME_proxy`` in the module ``NAME``."""
    function: Callable[..., Tensor] = getattr(import_module(f"{__name__}.{name}"), f"{name}_proxy")
    return function
