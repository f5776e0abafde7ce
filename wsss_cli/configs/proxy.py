"""Settings of ``wsss proxy``: proxy ground truth from attention and saliency."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.common import CommonConfig, check, choice

RULES = ("seenet",)


@dataclass(frozen=True)
class ProxyConfig(CommonConfig):
    """Settings of the proxy labels.

    Attributes:
        attention: Attention file; None takes the run's.
        saliency: Folder of saliency maps, PNG by image id.
        rule: How attention and saliency become labels.
        w: Weight of attention against saliency in the harmonic mean (200 in the paper).
        attention_floor: Least attention of a present class. The paper's rule is 0: there, a
            pixel without attention is background however salient it is, which costs more than
            the attention gains (docs/RESULTS.md).
        ignore_conflicts: Ignore object pixels where two classes' attention exceeds this.
        ignore_salient: Ignore background pixels whose saliency exceeds this.
    """

    attention: Path | None = None
    saliency: Path | None = None
    rule: str = "seenet"
    w: float = 200.0
    attention_floor: float = 0.1
    ignore_conflicts: float | None = None
    ignore_salient: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("rule", self.rule, RULES)
        check(self.w > 0, "w", "must be above 0")
        for field in ("attention_floor", "ignore_conflicts", "ignore_salient"):
            value = getattr(self, field)
            check(value is None or 0 <= value <= 1, field, "must be in [0, 1]")
