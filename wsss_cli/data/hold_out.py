"""Chooses images to hold out of a training list, so that both sides have every class."""

import numpy as np
import numpy.typing as npt

# More images hardly improve the estimate of the mAP, and each is lost for training.
MOST_HELD_OUT = 500


def held_out_rows(labels: npt.NDArray[np.bool_], share: float, seed: int) -> npt.NDArray[np.int64]:
    """Choose images of which each class, and each image without one, has about the same share.

    After Sechidis et al., "On the Stratification of Multi-Label Data", ECML PKDD 2011: one image
    after another is taken of the class that lacks most of its share. At most half of the images of
    any class are taken, so that none is lost for the training.

    Args:
        labels: (N, C) multi-hot.
        share: Share of the images, in (0, 1).
        seed: Seed of the order in which images are taken.

    Returns:
        Rows in ascending order; fewer than the share, and perhaps none, where classes have few
        images, at most :data:`MOST_HELD_OUT`.
    """
    negative = ~labels.any(axis=1, keepdims=True)
    strata = np.concatenate((labels, negative), axis=1)  # (N, C + 1)
    order = np.random.default_rng((seed, len(labels))).permutation(len(labels))
    strata = strata[order]
    sizes = strata.sum(axis=0)
    wanted = np.maximum(share * sizes, 1e-9)  # nothing is taken from an empty stratum
    held = np.zeros_like(wanted)
    left = np.ones(len(labels), np.bool_)
    rows: list[int] = []
    for _ in range(min(MOST_HELD_OUT, round(share * len(labels)))):
        left &= ~strata[:, held + 1 > sizes / 2].any(axis=1)
        for column in np.argsort(held / wanted, kind="stable"):
            candidates = left & strata[:, column]
            row = int(candidates.argmax())  # the first in the order of the seed
            if candidates[row]:
                break
        else:
            break
        left[row] = False
        held += strata[row]
        rows.append(int(order[row]))
    return np.array(sorted(rows), np.int64)
