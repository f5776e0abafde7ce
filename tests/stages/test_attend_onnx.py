"""Attention of networks that other tools have exported as ONNX."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from conftest import CLASSES, Command, TinyVoc
from torch import Tensor, nn

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.data.images import read_image
from wsss_cli.data.resizing import resize_image
from wsss_cli.ops.attention import fuse_branches

C = len(CLASSES)


class _Scores(nn.Module):
    """Scores of the classes at each position, and another output that says nothing of them."""

    def __init__(self, num_classes: int = C) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 6, 3, stride=4, padding=1), nn.ReLU())
        self.last = nn.Conv2d(6, num_classes, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.last(self.trunk(images))
        return scores.mean(dim=(2, 3)), scores


class _Features(_Scores):
    """Features, and the weights of the classifier."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.trunk(images), self.last.weight[:, :, 0, 0] * 1.0


def _exported(
    path: Path, network: nn.Module, *, batch: int | None = None, side: int | None = None
) -> Path:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    dims = {0: batch, 2: side, 3: side}
    dynamic = {axis: torch.export.Dim.DYNAMIC for axis, size in dims.items() if size is None}
    images = torch.zeros(batch or 2, 3, side or 48, side or 64)
    program = torch.onnx.export(
        network.eval(), (images,), dynamic_shapes=(dynamic,), dynamo=True, verbose=False
    )
    assert program is not None
    program.save(str(path), external_data=False)
    return path


def _maps(run: Path) -> dict[str, npt.NDArray[np.float16]]:
    with AttentionFile(run / "attend" / "attention.h5") as file:
        return {image_id: file.read(image_id).maps for image_id in file.image_ids}


@pytest.mark.parametrize(
    ("kind", "batch"), [(_Scores, None), (_Scores, 1), (_Features, None)], ids=str
)
def test_maps_are_those_of_torch(
    voc: TinyVoc, wsss: Command, tmp_path: Path, kind: type[_Scores], batch: int | None
) -> None:
    torch.manual_seed(0)
    network = kind().eval()
    file = _exported(tmp_path / "net.onnx", network, batch=batch)
    run = tmp_path / "run"
    asked = ["attend", "--model", file, "--data", voc.root, "--run", run, "--size", 64]
    asked += ["--mean", 0.5, "--deviation", 0.25, "--amp", "off"]
    done = wsss(*asked)
    assert done.code == 0, done.err
    got, seen = _maps(run), 0
    with AttentionFile(run / "attend" / "attention.h5") as attention:
        for image_id, maps in got.items():
            outline = attention.outline(image_id)
            photograph = read_image(voc.image(image_id))
            view = torch.from_numpy(resize_image(photograph, (64, 64))).permute(2, 0, 1)[None]
            both = (torch.cat((view, view.flip(-1))) / 255 - 0.5) / 0.25
            with torch.inference_mode():
                scores = network.last(network.trunk(both))
                if kind is _Features:
                    scores = scores - network.last.bias[:, None, None]
            raw = torch.stack((scores[0], scores[1].flip(-1)), dim=1)  # (C, 2, h, w)
            expected = fuse_branches(raw, outline.size)[outline.class_ids.astype(int) - 1]
            np.testing.assert_allclose(maps, expected, atol=1e-3)
            assert outline.logits is not None
            np.testing.assert_allclose(outline.logits, scores[0].mean(dim=(1, 2)), atol=1e-4)
            seen += len(maps)
    assert seen
    assert wsss(*asked, "--json").values["status"] == "up to date"
    assert set(read_manifest(run / "attend")["inputs"]) == {"data", "model"}
    assert not wsss("show", run, "--json").values["stages"]["attend"]["stale"]
    proxies = wsss("proxy", "--rule", "threshold", "--run", run)
    assert proxies.code == 0, proxies.err
    torch.manual_seed(1)
    _exported(file, kind(), batch=batch)
    assert wsss("show", run, "--json").values["stages"]["attend"]["stale"]


def test_features_can_be_redrawn_by_prototypes(voc: TinyVoc, wsss: Command, tmp_path: Path) -> None:
    where = ["--data", voc.root, "--size", 64, "--prototypes"]
    file = _exported(tmp_path / "features.onnx", _Features())
    done = wsss("attend", "--model", file, *where, "--run", tmp_path / "a")
    assert done.code == 0, done.err
    file = _exported(tmp_path / "scores.onnx", _Scores())
    refused = wsss("attend", "--model", file, *where, "--run", tmp_path / "b")
    assert refused.code == 2
    assert "--prototypes" in refused.err
    assert str(file) in refused.err


def test_our_own_export_attends_as_its_checkpoint_does(
    voc: TinyVoc, wsss: Command, lively_checkpoint: Path, tmp_path: Path
) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    file = tmp_path / "ours.onnx"
    assert wsss("export-network", lively_checkpoint, "-o", file).code == 0
    where = ["--data", voc.root, "--size", 64, "--no-flip", "--amp", "off"]
    for source in (["--checkpoint", lively_checkpoint], ["--model", file]):
        done = wsss("attend", *source, *where, "--run", tmp_path / source[0][2:])
        assert done.code == 0, done.err
    theirs, ours = _maps(tmp_path / "model"), _maps(tmp_path / "checkpoint")
    # The file's branches are fused on the grid, those of the checkpoint at the image's size.
    for image_id, maps in ours.items():
        assert np.abs(theirs[image_id].astype(float) - maps).mean() < 0.05
        if len(maps):
            assert np.corrcoef(theirs[image_id].ravel(), maps.ravel())[0, 1] > 0.9
    refused = wsss("attend", "--model", file, "--mean", 0.5, *where, "--run", tmp_path / "again")
    assert refused.code == 2
    assert "--mean" in refused.err


def test_what_it_cannot_work_with_is_named(
    voc: TinyVoc, wsss: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(file: Path, *options: object) -> str:
        where = ["--data", voc.root, "--run", tmp_path / "run", "--size", 64]
        outcome = wsss("attend", "--model", file, *where, *options)
        assert outcome.code in (1, 2), outcome.err
        assert "Traceback" not in outcome.err
        assert str(file) in outcome.err
        assert not (tmp_path / "run" / "attend").exists()
        return outcome.err

    other = refused(_exported(tmp_path / "other.onnx", _Scores(C + 1)))
    assert str(C) in other
    fixed = _exported(tmp_path / "fixed.onnx", _Scores(), side=48)
    assert "64" in refused(fixed)
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    refused(tmp_path / "broken.onnx")
    monkeypatch.setattr("wsss_cli.models.onnx_network.PACKAGE", "runtime_of_nobody")
    assert "onnxruntime" in refused(fixed)
