"""Whether another tool's attention is of the classes that the images have."""

from collections.abc import Sequence

import numpy as np

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.configs.attend import PREDICTED
from wsss_cli.data.data_set import DataSet
from wsss_cli.data.mask_survey import MaskSurvey, known_labels
from wsss_cli.errors import WsssError, listing


def require_labelled_classes(
    file: AttentionFile, data_set: DataSet, image_ids: Sequence[str]
) -> list[str]:
    """Refuse attention whose maps are of classes that the labels do not name, image after image.

    So is attention without any map where labels name classes: all of it would be background.
    Labels that a network has predicted may be as wrong as they are.

    Args:
        file: The attention.
        data_set: Has the labels of its images.
        image_ids: Images to look at; of those that the data set does not label nothing is known.

    Returns:
        Sentences about the images whose maps are not those of their labels, where these are few.

    Raises:
        WsssError: Maps and labels disagree, or there is no map at all.
    """
    if file.labels == PREDICTED:
        return []
    num_classes = len(data_set.class_names)
    classes_of = {}
    for image_id in image_ids:
        classes = np.zeros(num_classes + 2, np.bool_)
        classes[file.outline(image_id).class_ids] = True
        classes_of[image_id] = classes
    survey = MaskSurvey.of(
        data_set.class_names, classes_of, known_labels(data_set, list(classes_of))
    )
    lacking = [f"{image_id} ({', '.join(names)})" for image_id, names in survey.lacking()]
    if lacking and not survey.classes.any():
        raise WsssError(
            f"{file.path} holds no map of any class, though the labels name some for "
            f"{len(lacking):,} of its {len(classes_of):,} images: {listing(lacking)}; make it "
            "again with maps of these classes"
        )
    problem = survey.contradiction(
        "map",
        "give the attention of these images, with class_ids in the order of the data set's classes "
        f"({', '.join(data_set.class_names[:5])}{', ...' if num_classes > 5 else ''})",
    )
    if problem is not None:
        raise WsssError(f"{file.path}: {problem}")
    beyond = [f"{image_id} ({', '.join(names)})" for image_id, names in survey.beyond_labels()]
    sentences = []
    if lacking:
        sentences.append(
            f"{len(lacking):,} images have no map of a class that their labels name, so it is "
            f"background there: {listing(lacking)}"
        )
    if beyond:
        sentences.append(
            f"{len(beyond):,} images have maps of classes that their labels do not name: "
            f"{listing(beyond)}"
        )
    return [f"{file.path}: {sentence}" for sentence in sentences]
