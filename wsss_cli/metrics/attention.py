"""Segmentation quality of attention maps at every threshold, in one pass over the maps."""

import torch
from torch import Tensor

from wsss_cli.metrics.segmentation import IGNORE, require_labels


class ThresholdCurve:
    """Confusion matrices of thresholded attention, one per threshold.

    At threshold t a pixel belongs to the class whose map is largest there (the first on ties)
    where that value is at least t, and to the background elsewhere. The winner does not depend on
    t, so one count over (winner, truth, thresholds passed) and a cumulative sum give all curves.
    """

    def __init__(self, num_labels: int, thresholds: Tensor) -> None:
        """Prepare empty counts.

        Args:
            num_labels: Labels including background.
            thresholds: (T,) ascending.
        """
        self.num_labels = num_labels
        self.thresholds = torch.as_tensor(thresholds, dtype=torch.float32).contiguous()
        buckets = len(self.thresholds) + 1
        # counts[b, truth, winner]: pixels whose score passes exactly the first b thresholds
        self._counts = torch.zeros(buckets, num_labels, num_labels, dtype=torch.int64)

    def update(self, maps: Tensor, class_ids: Tensor, target: Tensor) -> None:
        """Count one image.

        Args:
            maps: (K, H, W) attention of the present classes, in [0, 1]; K may be 0.
            class_ids: (K,) integers 1..C.
            target: (H, W) integer labels; 255 is not counted.

        Raises:
            ValueError: A class id or a target value is no label.
        """
        maps, target = torch.as_tensor(maps), torch.as_tensor(target)
        class_ids = torch.as_tensor(class_ids).long()
        require_labels("target", target, self.num_labels)
        require_labels("class_ids", class_ids, self.num_labels)
        valid = target != IGNORE
        # Background that no threshold passes: the answer where no class is present.
        nothing = maps.new_full((1, *maps.shape[1:]), -torch.inf)
        score, index = torch.cat((maps, nothing))[:, valid].float().max(dim=0)  # (pixels,)
        winner = torch.cat((class_ids, class_ids.new_zeros(1)))[index]
        passed = torch.searchsorted(self.thresholds, score, right=True)
        cells = (passed * self.num_labels + target[valid].long()) * self.num_labels + winner
        self._counts += torch.bincount(cells, minlength=self._counts.numel()).view_as(self._counts)

    def confusions(self) -> Tensor:
        """(T, L, L) int64 confusion matrix at each threshold, rows target, columns prediction."""
        total = self._counts.sum(dim=0)  # (L, L) by truth and winner
        found = self._counts.flip(0).cumsum(0).flip(0)[1:]  # (T, L, L) at or above the threshold
        confusion = found.clone()
        confusion[:, :, 0] += (total - found).sum(dim=-1)  # below it: background
        return confusion
