"""A saliency network computed by onnxruntime and by OpenCV."""

from pathlib import Path

import numpy as np
import pytest
from onnx_file import write_weighted_channels

from wsss_cli.models.saliency_network import SaliencyNetwork, _network, _OpenCvNetwork


@pytest.mark.parametrize("size", [32, 48])
def test_both_answer_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    pytest.importorskip("onnxruntime")
    path = write_weighted_channels(tmp_path / "n.onnx", (1.0, -2.0, 3.0))
    image = np.random.default_rng(0).integers(0, 200, (size, size, 3)).astype(np.uint8)
    # A size that the file was not exported for is left to OpenCV.
    assert isinstance(_network(path, size), _OpenCvNetwork) == (size != 32)
    ours = SaliencyNetwork(path, size).saliency(image)
    monkeypatch.setattr("wsss_cli.models.saliency_network.has_onnxruntime", lambda: False)
    theirs = SaliencyNetwork(path, size).saliency(image)
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert len(np.unique(ours)) > 100
