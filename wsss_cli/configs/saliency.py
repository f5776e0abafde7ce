"""Settings of ``wsss saliency``: saliency maps from a given network, or without one."""

from dataclasses import dataclass

from wsss_cli.configs.channels import check_channels
from wsss_cli.configs.common import CommonConfig, OverwriteConfig
from wsss_cli.configs.presets import PRESETS
from wsss_cli.configs.setting import Role, check, setting
from wsss_cli.errors import UsageError

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
class PublishedNetwork:
    """A saliency network that can be downloaded.

    Attributes:
        title: What it is, and who published it.
        license: Its licence, by the SPDX identifier.
        size: Size of the file, for people.
        url: Where it is published.
        checksum: Checksum of the file, as published or computed: ``sha256:...`` or ``md5:...``.
    """

    title: str
    license: str
    size: str
    url: str
    checksum: str


_RELEASE = "https://github.com/danielgatis/rembg/releases/download/v0.0.0"
# The MD5 checksums are those that rembg verifies its downloads by; the SHA-256 is that of the file.
PUBLISHED_NETWORKS = (
    PublishedNetwork(
        "small U2-Net",
        "Apache-2.0",
        "4,574,861 bytes",
        f"{_RELEASE}/u2netp.onnx",
        "sha256:309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
    ),
    PublishedNetwork(
        "U2-Net",
        "Apache-2.0",
        "about 176 MB",
        f"{_RELEASE}/u2net.onnx",
        "md5:60024c5c889badc19c04ad937298a77b",
    ),
)


def where_to_get_a_network() -> str:
    """Say which networks can be downloaded where, for messages that ask for ``--model``."""
    networks = "; ".join(
        f"{network.url} ({network.title}, {network.license}, {network.size}, {network.checksum})"
        for network in PUBLISHED_NETWORKS
    )
    return (
        f"networks to download: {networks}; or --model {UNSUPERVISED}, which needs no file and is "
        "weaker"
    )


@dataclass(frozen=True)
class SaliencyConfig(OverwriteConfig, CommonConfig):
    """Make saliency maps with a given network, or without one.

    Examples:
      wsss saliency --model u2netp.onnx
      wsss saliency --model u2netp.onnx --data VOC2012 --split val --run runs/val
      wsss saliency --model u2netp.onnx --passes 2 && wsss proxy --rule dcsp
      wsss saliency --model isnet-general-use.onnx --preset isnet
      wsss saliency --model unsupervised

    Writes RUN/saliency/maps/ID.png, where wsss proxy finds them, and with --passes 2 also
    RUN/saliency/second_maps/ID.png. Runs on the CPU. unsupervised is robust background detection
    (Zhu et al., CVPR 2014): it needs no file, and finds less than a network does.
    """

    # Role.RESULT, though a path: the stage records the content of the file beside it.
    model: str | None = setting(
        None,
        "ONNX file of a network such as U2-Net, or unsupervised: no weights, weaker.",
        exists=True,
        words=(UNSUPERVISED,),
    )
    split: str | None = setting(None, "List of images.", unset="the one trained on")
    size: int = setting(
        320,
        "Side of the square (unsupervised: the longer side) that images are resized to, in pixels.",
        at_least=32,
    )
    preset: str | None = setting(
        None,
        "Settings of another family of networks, wherever no other is given: --size, --mean, "
        "--deviation and --sigmoid.",
        role=Role.WORK,
        choices=tuple(PRESETS["saliency"]),
        unset="U2-Net's",
    )
    mean: tuple[float, ...] | None = setting(
        None,
        "Mean that is subtracted from pixels in 0..1 before the network; one number, or three for "
        "RGB.",
        unset="ImageNet's",
        later=True,
    )
    deviation: tuple[float, ...] | None = setting(
        None,
        "Standard deviation that they are then divided by; one number, or three for RGB.",
        above=0,
        unset="ImageNet's",
        later=True,
    )
    sigmoid: bool = setting(
        False,
        "The network answers with logits; otherwise the range of its answer is stretched to 0..1.",
    )
    passes: int = setting(
        1,
        "2 looks again at the image with what was salient painted over (DCSP).",
        at_least=1,
        at_most=2,
    )

    @property
    def way(self) -> str:
        """The model's name in the table."""
        return UNSUPERVISED if self.model == UNSUPERVISED else "FILE.onnx"

    def required_model(self) -> str:
        """The model given.

        Raises:
            UsageError: None is given; the message says where to get one.
        """
        if self.model is None:
            raise UsageError(
                f"no saliency network is given; pass --model FILE.onnx; {where_to_get_a_network()}"
            )
        return self.model

    def __post_init__(self) -> None:
        super().__post_init__()
        check_channels(mean=self.mean, deviation=self.deviation)
        given = [name for name in ("mean", "deviation", "sigmoid") if getattr(self, name)]
        network = self.model != UNSUPERVISED
        check(
            network or not given,
            (*given, "model")[0],
            f"is of networks, and {UNSUPERVISED} is none",
            "leave it out",
        )

    def idle(self) -> frozenset[str]:
        """A network counts by the content of its file."""
        idle = set() if self.model == UNSUPERVISED else {"model"}
        return frozenset(idle if self.sigmoid else {*idle, "sigmoid"})
