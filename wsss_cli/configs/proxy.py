"""Settings of ``wsss proxy``: proxy ground truth from attention and saliency."""

from dataclasses import dataclass, fields
from pathlib import Path

from wsss_cli.configs.common import CommonConfig, check, choice
from wsss_cli.configs.crf import PRESETS
from wsss_cli.configs.proxy_rules import RULES, Rule, rules_with


@dataclass(frozen=True)
class ProxyConfig(CommonConfig):
    """Settings of the proxy labels.

    Most belong to some of the rules only (``configs/proxy_rules.py``); where two rules share one
    and None is the default, each has a default of its own.

    Attributes:
        attention: Attention file; None takes the run's.
        saliency: Folder of saliency maps, PNG by image id.
        second_saliency: The same of the images whose salient part, from 0.7 on, has been painted
            with the mean colour; None does without.
        rule: How attention and saliency become labels.
        w: Weight of attention against saliency in the harmonic mean (200 in the paper).
        attention_floor: Least attention of a present class. The paper's rule is 0: there, a
            pixel without attention is background however salient it is, which costs more than
            the attention gains (docs/results-diary.md).
        attention_cut: Attention below this counts as none.
        background_score: Constant score of the background.
        ignore_conflicts: Ignore object pixels where two classes' attention exceeds this.
        ignore_salient: Ignore background pixels whose saliency exceeds this.
        crf: Preset of the dense CRF that refines the labels; None leaves them as they are.
    """

    attention: Path | None = None
    saliency: Path | None = None
    second_saliency: Path | None = None
    rule: str = "seenet"
    w: float = 200.0
    attention_floor: float = 0.1
    attention_cut: float | None = None
    background_score: float | None = None
    ignore_conflicts: float | None = None
    ignore_salient: float | None = None
    crf: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        choice("rule", self.rule, tuple(RULES))
        for name in self._of_other_rules():
            check(
                getattr(self, name) == getattr(ProxyConfig, name),
                name,
                f"belongs to the rule {' or '.join(rules_with(name))}, not to {self.rule}; leave "
                "it out or choose another --rule",
            )
        if self.crf is not None:
            choice("crf", self.crf, tuple(PRESETS))
            check(
                not self.chosen.sees_image,
                "crf",
                f"would be a second one: the rule {self.rule} has a CRF of its own; leave it out",
            )
        check(self.w > 0, "w", "must be above 0")
        for field in (
            "attention_floor",
            "attention_cut",
            "background_score",
            "ignore_conflicts",
            "ignore_salient",
        ):
            value = getattr(self, field)
            check(value is None or 0 <= value <= 1, field, "must be in [0, 1]")

    @property
    def chosen(self) -> Rule:
        """What is known of the rule."""
        return RULES[self.rule]

    @property
    def viewer(self) -> str | None:
        """Who looks at the photographs, as a message names it; None if nobody does."""
        if self.chosen.sees_image:
            return f"the rule {self.rule}"
        return None if self.crf is None else f"--crf {self.crf}"

    def idle(self) -> frozenset[str]:
        """Nothing is random, and neither the settings of other rules nor no CRF say anything."""
        without_crf = {"crf"} if self.crf is None else set()
        return frozenset({"seed", *without_crf, *self._of_other_rules()})

    def _of_other_rules(self) -> list[str]:
        names = [field.name for field in fields(self)]
        return [name for name in names if rules_with(name) and name not in self.chosen.options]
