"""Photographs turned upright, and results turned back."""

import numpy as np
import pytest

from wsss_cli.data.exif_orientation import as_seen, as_stored, stored_size


@pytest.mark.parametrize("orientation", range(1, 9))
def test_stored_size_is_that_of_the_array_turned_back(orientation: int) -> None:
    upright = np.arange(6).reshape(2, 3)
    stored = as_stored(upright, orientation)
    assert stored.shape == stored_size((2, 3), orientation)
    assert np.array_equal(as_seen(stored, orientation), upright)
