"""How much a run on a data set will write."""

from dataclasses import dataclass

import torch

from wsss_cli.artifacts.feature_cache import bytes_of_features
from wsss_cli.configs.presets import configured
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.segmentation_models import model_of
from wsss_cli.configs.train import TrainConfig
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.images import check_images
from wsss_cli.errors import WsssError
from wsss_cli.methods.network_file import import_method
from wsss_cli.models import deeplab_largefov
from wsss_cli.models.trunks import build_trunk

# Images looked at for their size and labels; a data set's are much alike.
_SAMPLE = 200
# Of a label map's PNG, for each pixel: 3.6 KB on average for 200 proxies of VOC's 500 x 375.
LABEL_BYTES = 0.02
# The same of saliency maps (20 of U2-Net's) and of attention drawn over photographs (12 of VOC's).
GREY_BYTES = 0.07
HEATMAP_BYTES = 0.9
BYTES_PER_NUMBER = 4
# The state that a stopped training resumes from holds weights and momentum, and there are two of
# them while it is written: the next one is whole before the last one goes.
RESUME_COPIES = 2


@dataclass(frozen=True)
class Space:
    """Bytes that the stages of a run with default settings will write.

    Attributes:
        images: Number of images in the training list.
        sampled: How many of them were looked at.
        negatives: Images of none of the classes, about.
        attention: ``attend``: two bytes a pixel and class (exact but for the sampling).
        networks: Checkpoints of ``train`` and ``segment``, with what an unfinished one keeps.
        label_maps: ``proxy`` and ``segment``, about.
        features: ``train --preset quick``, instead of the networks' states and only while it works.
    """

    images: int
    sampled: int
    negatives: int
    attention: int
    networks: int
    label_maps: int
    features: int

    @property
    def total(self) -> int:
        """Sum of what a run with default settings writes."""
        return self.attention + self.networks + self.label_maps


def estimate(data_set: DataSet) -> Space:
    """Estimate from an even sample of the training images.

    Raises:
        WsssError: Images or labels cannot be read.
    """
    image_ids = data_set.image_ids(data_set.training_split())
    sample = image_ids[:: max(1, len(image_ids) // _SAMPLE)]
    sizes = check_images(map(data_set.image_path, sample))
    pixels = [height * width for height, width in sizes]
    maps = data_set.labels(sample).sum(axis=1).tolist()
    share = len(image_ids) / len(sample)
    attention = sum(2 * area * count for area, count in zip(pixels, maps, strict=True))
    others = _images_of(data_set, SegmentConfig.split)
    label_maps = LABEL_BYTES * sum(pixels) / len(sample) * (len(image_ids) + others)
    return Space(
        images=len(image_ids),
        sampled=len(sample),
        negatives=round(share * maps.count(0)),
        attention=round(share * attention),
        networks=_networks(len(data_set.class_names)),
        label_maps=round(label_maps),
        features=bytes_of_features(len(image_ids), _quick_features()),
    )


def _images_of(data_set: DataSet, split: str) -> int:
    try:
        return len(data_set.image_ids(split))
    except WsssError:
        return 0


def _quick_features() -> tuple[int, ...]:
    """(K, h, w) of the features of an image with the preset quick."""
    config = configured("train", TrainConfig, {"preset": "quick"})
    with torch.device("meta"):  # shapes alone
        trunk = build_trunk(config.backbone, config.stride)
        return tuple(trunk(torch.empty(1, 3, config.crop, config.crop)).shape[1:])


def _networks(num_classes: int) -> int:
    """A checkpoint of either network, and twice the state that a stopped training resumes from."""
    config = TrainConfig()
    with torch.device("meta"):  # shapes alone
        trunk = build_trunk(config.backbone, config.stride)
        attention = import_method(config.method).build(trunk, num_classes, config)
        segmentation = deeplab_largefov.build(model_of(config.backbone), num_classes + 1)
    sizes = [
        BYTES_PER_NUMBER * sum(parameter.numel() for parameter in network.parameters())
        for network in (attention, segmentation)
    ]
    return sum(sizes) + 2 * RESUME_COPIES * max(sizes)
