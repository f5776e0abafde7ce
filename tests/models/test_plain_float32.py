"""What ``--amp off`` promises: float32 with all its bits, on a card too."""

import torch

from wsss_cli.device import resolve_device


def test_a_card_is_not_let_multiply_with_fewer_bits() -> None:
    torch.backends.cudnn.allow_tf32 = True  # as torch begins
    resolve_device("cpu")
    assert not torch.backends.cudnn.allow_tf32
