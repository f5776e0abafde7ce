"""Settings of ``wsss saliency``: saliency maps from a given network, or without one."""

from dataclasses import dataclass

from wsss_cli.configs.common import CommonConfig, check

UNSUPERVISED = "unsupervised"


@dataclass(frozen=True)
class SaliencyModel:
    """One way to saliency maps.

    Attributes:
        title: What it is.
        paper: Where it is from.
    """

    title: str
    paper: str


SALIENCY_MODELS = {
    "FILE.onnx": SaliencyModel(
        "a network with the interface of U2-Net, from a file",
        "Qin et al., Pattern Recognition 2020",
    ),
    UNSUPERVISED: SaliencyModel(
        "robust background detection, without weights; weaker than a network",
        "Zhu et al., CVPR 2014",
    ),
}


@dataclass(frozen=True)
class SaliencyConfig(CommonConfig):
    """Settings of the saliency maps.

    Attributes:
        model: ONNX file of a network with U2-Net's interface (``models/saliency_network.py``), or
            ``unsupervised`` (``ops/robust_background.py``), which needs none and is weaker; one of
            them must be given.
        split: List of images; None is the one trained on.
        size: Side of the square that images are resized to, in pixels (320 in U2-Net); of
            ``unsupervised`` the longer side.
        passes: 2 looks a second time, at the image with what was salient painted over (DCSP).
    """

    model: str | None = None
    split: str | None = None
    size: int = 320
    passes: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.size >= 32, "size", "must be 32 or more")
        check(self.passes in (1, 2), "passes", "must be 1 or 2")

    @property
    def way(self) -> str:
        """The model's name in the table."""
        return UNSUPERVISED if self.model == UNSUPERVISED else "FILE.onnx"

    def idle(self) -> frozenset[str]:
        """Nothing is random; a network counts by the content of its file."""
        return frozenset({"seed"} if self.model == UNSUPERVISED else {"seed", "model"})
