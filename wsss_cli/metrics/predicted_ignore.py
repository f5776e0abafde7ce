"""What a predicted 255 counts as, settled in the label maps instead of in their counts.

Scores that look at places need the maps; :meth:`Tally.counted` does the same to counts.
"""

import numpy as np
import numpy.typing as npt

from wsss_cli.labels import IGNORE

LabelMap = npt.NDArray[np.uint8]


def settled(
    prediction: LabelMap, target: LabelMap, predicted_ignore: str
) -> tuple[LabelMap, LabelMap]:
    """Both maps with what is not scored as 255 in both.

    Args:
        prediction: (H, W) uint8 labels or 255.
        target: (H, W) uint8 labels or 255.
        predicted_ignore: ``false-negative`` leaves a predicted 255 as it is, no label at all;
            ``background`` turns it into 0; ``excluded`` ignores the truth there too.

    Returns:
        Prediction and target. Where the target is 255 the prediction is; the reverse holds with
        ``background`` and ``excluded`` only.
    """
    if predicted_ignore == "background":
        prediction = np.where(prediction == IGNORE, np.uint8(0), prediction)
    elif predicted_ignore == "excluded":
        target = np.where(prediction == IGNORE, prediction, target)
    return np.where(target == IGNORE, target, prediction), target
