"""Whether another tool's attention is of the classes that the images have."""

from collections.abc import Sequence

import numpy as np

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.configs.attend import PREDICTED
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.mask_survey import MaskSurvey, known_labels
from wsss_cli.errors import WsssError


def require_labelled_classes(
    file: AttentionFile, data_set: DataSet, image_ids: Sequence[str]
) -> None:
    """Refuse attention whose maps are of classes that the labels do not name, image after image.

    Labels that a network has predicted may be as wrong as they are.

    Args:
        file: The attention.
        data_set: Has the labels of its images.
        image_ids: Images to look at; of those that the data set does not label nothing is known.

    Raises:
        WsssError: Maps and labels disagree.
    """
    if file.labels == PREDICTED:
        return
    num_classes = len(data_set.class_names)
    shown = {}
    for image_id in image_ids:
        classes = np.zeros(num_classes + 2, np.bool_)
        classes[file.outline(image_id).class_ids] = True
        shown[image_id] = classes
    survey = MaskSurvey.of(data_set.class_names, shown, known_labels(data_set, list(shown)))
    problem = survey.contradiction(
        "map",
        "give the attention of these images, with class_ids in the order of the data set's classes "
        f"({', '.join(data_set.class_names[:5])}{', ...' if num_classes > 5 else ''})",
    )
    if problem is not None:
        raise WsssError(f"{file.path}: {problem}")
