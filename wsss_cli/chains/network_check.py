"""What would end the training of a round's network, as far as it can be told before its labels."""

from wsss_cli.artifacts.trackers import require_tracker
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.configs.segmentation_models import SEGMENTATION_MODELS, model_of
from wsss_cli.configs.train import TrainConfig
from wsss_cli.data.data_set import DataSet
from wsss_cli.methods.network_file import load_network
from wsss_cli.models.pretrained import initial_weights
from wsss_cli.stages.inputs import require_same_classes
from wsss_cli.stages.segment.features import require_pretrained
from wsss_cli.stages.segment.label_correction import require_epochs
from wsss_cli.tracking import Silent


def check_network(
    config: SegmentConfig, attention: TrainConfig, images: int, data_set: DataSet
) -> None:
    """Refuse a network that could not be trained, whatever its labels will be.

    Args:
        config: Its settings.
        attention: Those of the attention network, on whose backbone it stands by default.
        images: How many images it learns from.
        data_set: Where they are from.

    Raises:
        WsssError: Its weights, its classifier, its tracker or its iterations do not do.
    """
    require_tracker(config.tracker)
    if config.label_correction is not None:
        require_epochs(config, images)
    backbone = SEGMENTATION_MODELS[config.model or model_of(attention.backbone)].backbone
    weights = initial_weights(config.weights, backbone, Silent())
    if config.classifier is not None and config.classifier.exists():  # or a round makes it
        require_same_classes(config.classifier, load_network(config.classifier)[2], data_set)
    if config.heads_only:
        require_pretrained(weights)
