"""Settings of ``wsss proxy``: proxy ground truth from attention and saliency."""

from dataclasses import dataclass
from pathlib import Path

from wsss_cli.configs.common import CommonConfig, DeviceConfig, OverwriteConfig
from wsss_cli.configs.crf import PRESETS
from wsss_cli.configs.proxy_rules import RULES, Rule, RuleOptions
from wsss_cli.configs.setting import Role, check, setting

_RULES = "; ".join(f"{name}: {rule.title} ({rule.paper})" for name, rule in RULES.items())


@dataclass(frozen=True)
class ProxyConfig(RuleOptions, OverwriteConfig, CommonConfig, DeviceConfig):
    """Turn attention and saliency into proxy ground truth.

    Examples:
      wsss proxy --saliency saliency_maps
      wsss proxy --saliency saliency_maps --w 1 --ignore-conflicts 0.7
      wsss proxy --saliency saliency_maps --rule oaa --run runs/oaa
      wsss proxy --rule threshold --background-score 0.4 --run runs/plain
      wsss proxy --rule threshold --crf dcsp --run runs/snapped
      wsss proxy --attention other_tool.h5 --saliency saliency_maps --run runs/other

    Writes RUN/proxy/labels/ID.png: palette PNG with 0 background, 1..C classes, 255 ignore.
    An option that belongs to some of the rules is refused with the others. Every image needs its
    saliency map; the missing ones are listed, none is skipped.
    """

    attention: Path | None = setting(
        None,
        "Attention file, ours or another tool's.",
        role=Role.INPUT,
        unset="RUN/attend/attention.h5",
    )
    rule: str = setting(
        "seenet",
        "How labels are made; without saliency maps it is threshold for redrawn attention or with "
        f"--crf, else irn, unless given. {_RULES}.",
        choices=tuple(RULES),
    )
    crf: str | None = setting(
        None,
        "Dense CRF that snaps the labels to the edges of the photographs, with the settings of a "
        "published system.",
        choices=tuple(PRESETS),
        unset="none",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check(
            self.crf is None or not self.chosen.sees_image,
            "crf",
            f"would be a second one: the rule {self.rule} has a CRF of its own; leave it out",
        )

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

    def without_effect(self) -> dict[str, tuple[str, str]]:
        """Where a CRF computes, without any; a rule that is not said may be one with a CRF."""
        without = super().without_effect()
        said = self.rule != ProxyConfig.rule or self.saliency is not None
        if said and self.viewer is None:
            without["device"] = (
                f"is of a CRF, and --rule {self.rule} has none",
                "leave it out, or give --crf too",
            )
        return without

    def idle(self) -> frozenset[str]:
        """No CRF goes without saying."""
        return frozenset({"crf"} if self.crf is None else ())
