"""The proxy rules by name, and which options belong to which. Importing this imports no torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One way from attention to labels.

    The options are named as the fields of ``ProxyConfig``. The first three kinds are also named as
    the arguments of the function, which is called with ``attention``, ``class_ids`` and those.

    Attributes:
        title: What it does, in a few words.
        paper: Where it is from.
        function: Its name in ``wsss_cli.ops.proxy_labels``.
        needs: Folders of grey maps it cannot do without.
        takes: Folders of grey maps it uses where they are given.
        settings: Its numbers.
        afterwards: Ways to ignore more pixels of its labels, for rules that ignore none.
    """

    title: str
    paper: str
    function: str
    needs: tuple[str, ...] = ("saliency",)
    takes: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    afterwards: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """Every option that belongs to the rule."""
        return self.needs + self.takes + self.settings + self.afterwards


RULES = {
    "seenet": Rule(
        "weighted harmonic mean against missing saliency",
        "Hou et al., NeurIPS 2018",
        "seenet_proxy",
        settings=("w", "attention_floor"),
        afterwards=("ignore_conflicts", "ignore_salient"),
    ),
    "dcsp": Rule(
        "harmonic mean against a constant",
        "Chaudhry et al., BMVC 2017",
        "dcsp_proxy",
        takes=("second_saliency",),
        settings=("background_score",),
        afterwards=("ignore_conflicts",),
    ),
    "oaa": Rule(
        "attention against missing saliency, doubt ignored",
        "Jiang et al., ICCV 2019",
        "oaa_proxy",
        settings=("attention_cut",),
    ),
    "drs": Rule(
        "attention inside the saliency's mask, doubt ignored",
        "Kim et al., AAAI 2021",
        "drs_proxy",
        settings=("attention_cut",),
    ),
    "threshold": Rule(
        "attention against a constant, no saliency",
        "as seeds are cut out of CAM",
        "threshold_proxy",
        needs=(),
        settings=("background_score",),
        afterwards=("ignore_conflicts",),
    ),
}


def rules_with(option: str) -> list[str]:
    """Names of the rules that an option belongs to; none for an option of the whole stage."""
    return [name for name, rule in RULES.items() if option in rule.options]
