"""``wsss export-network``: the ONNX file does what the network does."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Command, TinyVoc
from PIL import Image

from wsss_cli.artifacts.checkpoint import write_checkpoint
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.configs.train import TrainConfig
from wsss_cli.errors import WsssError
from wsss_cli.methods.network_file import import_method, write_network
from wsss_cli.models.trunks import build_trunk
from wsss_cli.stages.segment.network_file import read_network

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "run_onnx.py"


def test_the_onnx_file_gives_the_networks_logits_for_any_size(
    wsss: Command, chained: Path, voc: TinyVoc, tmp_path: Path
) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    run, out = tmp_path / "run", tmp_path / "net.onnx"
    shutil.copytree(chained, run)
    checkpoint = run / "segment" / "checkpoint.pt"
    scores = wsss("evaluate", "--run", run, "--json").values
    outcome = wsss("export-network", checkpoint, "-o", out, "--json")
    assert outcome.code == 0, outcome.err
    network, _, class_names, *_ = read_network(checkpoint)
    assert outcome.values["class_names"] == list(class_names)
    session = onnxruntime.InferenceSession(out)
    known = session.get_modelmeta().custom_metadata_map["class_names"]
    assert json.loads(known) == list(class_names)
    for size in ((48, 64), (37, 53), (64, 64), (130, 41)):
        images = 255 * torch.rand(1, 3, *size)
        with torch.inference_mode():
            expected = network.eval()(images)
        logits, labels = session.run(None, {"images": images.numpy()})
        assert np.abs(logits - expected.numpy()).max() <= 1e-4 * max(1, float(expected.abs().max()))
        assert np.array_equal(labels, logits.argmax(axis=1))
    card = out.with_suffix(".md").read_text()
    assert all(name in card for name in class_names)
    assert f"mIoU {100 * scores['miou']:.1f}" in card
    assert f"{100 * scores['interval']['high']:.1f}" in card
    photograph, label_map = voc.image(voc.val_ids[0]), tmp_path / "labels.png"
    done = subprocess.run(
        [sys.executable, EXAMPLE, out, photograph, label_map], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    image = torch.from_numpy(np.array(Image.open(photograph))).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        expected = network(image)
    logits, _ = session.run(None, {"images": image.numpy()})
    assert np.abs(logits - expected.numpy()).max() <= 1e-4 * max(1, float(expected.abs().max()))
    assert (read_label_map(label_map) == expected.argmax(dim=1)[0].numpy()).mean() > 0.999
    again = wsss("export-network", checkpoint, "-o", out)
    assert again.code == 2
    assert str(out) in again.err
    assert "--overwrite" in again.err
    out.write_bytes(b"old")
    assert wsss("export-network", checkpoint, "-o", out, "--overwrite").code == 0
    assert out.stat().st_size == outcome.values["bytes"]


def test_a_network_that_cannot_be_written_leaves_no_card(
    wsss: Command, chained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    from wsss_cli.inspect.network_export import export

    def full(path: Path, content: bytes) -> None:
        if path.suffix == ".onnx":
            raise WsssError("the disk is full")
        path.write_bytes(content)

    monkeypatch.setattr(export, "write_bytes", full)
    outcome = wsss(
        "export-network", chained / "segment" / "checkpoint.pt", "-o", tmp_path / "n.onnx"
    )
    assert outcome.code == 1
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_said(
    wsss: Command, chained: Path, voc: TinyVoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wsss_cli.inspect.network_export import export

    checkpoint, out = chained / "segment" / "checkpoint.pt", tmp_path / "net.onnx"
    for arguments, code, named in (
        ((checkpoint, "-o", tmp_path / "net.pt"), 2, "net.pt"),
        ((tmp_path / "none.pt", "-o", out), 2, "none.pt"),
    ):
        outcome = wsss("export-network", *arguments)
        assert (outcome.code, named in outcome.err) == (code, True), outcome
    monkeypatch.setattr(export, "_EXTRA", ("onnx_of_nobody",))
    outcome = wsss("export-network", checkpoint, "-o", out)
    assert outcome.code == 2
    assert "onnx_of_nobody" in outcome.err
    monkeypatch.setattr(export, "_EXTRA", ())
    edges = tmp_path / "edges.pt"
    write_checkpoint(edges, "edges", {})
    outcome = wsss("export-network", edges, "-o", out)
    assert (outcome.code, "`wsss segment` or `wsss train`" in outcome.err) == (1, True), outcome
    edges.unlink()
    for wrong in (voc.image(voc.val_ids[0]), chained / "proxy" / "manifest.json"):
        outcome = wsss("export-network", wrong, "-o", out)
        assert outcome.code == 1
        assert str(wrong) in outcome.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("method", ["cam", "aepsl", "acol", "eps", "seenet"])
def test_the_attention_of_a_method_is_what_it_draws_of_one_view(
    wsss: Command, tmp_path: Path, method: str
) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    network, checkpoint = _attention_checkpoint(tmp_path, method)
    out = tmp_path / "net.onnx"
    outcome = wsss("export-network", checkpoint, "-o", out, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.values["kind"] == "attention"
    session = onnxruntime.InferenceSession(out)
    for size in ((48, 64), (37, 53), (130, 41)):
        images, labels = _told(size)
        logits, maps = session.run(None, {"images": images.numpy(), "labels": labels.numpy()})
        _require_attention(network, images, labels, torch.tensor(logits), torch.tensor(maps))
    assert "maps" in out.with_suffix(".md").read_text()


@pytest.mark.parametrize("method", ["cam", "eps"])
def test_torchs_own_program_gives_the_same(wsss: Command, tmp_path: Path, method: str) -> None:
    network, checkpoint = _attention_checkpoint(tmp_path, method)
    out = tmp_path / "net.pt2"
    outcome = wsss("export-network", checkpoint, "-o", out, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.values["opset"] is None
    extra = {"class_names": ""}
    program = torch.export.load(out, extra_files=extra)
    assert json.loads(extra["class_names"]) == ["cat", "dog", "fox"]
    images, labels = _told((48, 70))
    _require_attention(network, images, labels, *program.module()(images, labels))


def test_maps_that_are_no_fixed_graph_are_refused_by_their_method(
    wsss: Command, tmp_path: Path
) -> None:
    for method in ("gain", "sipe"):
        _, checkpoint = _attention_checkpoint(tmp_path, method)
        outcome = wsss("export-network", checkpoint, "-o", tmp_path / "net.pt2")
        assert outcome.code == 1
        assert method in outcome.err


def _attention_checkpoint(place: Path, method: str) -> tuple[Any, Path]:
    torch.manual_seed(0)
    config = TrainConfig(backbone="tiny", method=method)
    network = import_method(method).build(build_trunk("tiny"), 3, config).eval()
    write_network(place / "checkpoint.pt", config, ["cat", "dog", "fox"], network)
    return network, place / "checkpoint.pt"


def _told(size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    return 255 * torch.rand(1, 3, *size), torch.tensor([[1.0, 0.0, 1.0]])


def _require_attention(
    network: Any, images: torch.Tensor, labels: torch.Tensor, *found: torch.Tensor
) -> None:
    logits, maps = found
    with torch.inference_mode():
        seen = network.attention(images, labels)
    expected = torch.zeros(3, *seen.maps.shape[-2:])
    for pair, branches in zip(seen.pairs.tolist(), seen.maps, strict=True):
        for branch in branches:
            rectified = branch.clamp(min=0)
            drawn = rectified / max(float(rectified.max()), 1e-8)
            expected[pair[1]] = torch.maximum(expected[pair[1]], drawn)
    torch.testing.assert_close(logits, seen.logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(maps[0], expected, rtol=1e-4, atol=1e-4)
