"""Pictures of branches from a network whose answers are known."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from conftest import CLASSES, Command, TinyVoc
from PIL import Image
from torch import Tensor

from wsss_cli.artifacts.branch_png import LINE_HEIGHT, MARGIN, TILE, TITLE_HEIGHT, ZONES
from wsss_cli.configs.train import TrainConfig
from wsss_cli.data.voc import VocDataSet
from wsss_cli.inspect import branch_picture, branches
from wsss_cli.inspect.branches import view_classes
from wsss_cli.methods.protocol import Branches, BranchMaps
from wsss_cli.ops.attention import fuse_branches, normalise_beside

ZONE_MASK = torch.tensor([[-1.0, 1.0, 0.0, -1.0]] * 3)
COLOURS = {value: np.array(colour) for value, _, colour in ZONES}


def _account(network: Any, images: Tensor, labels: Tensor) -> Branches:
    """Every class is found on the left by S_A and on the right by S_B, each in another place."""
    network.seen.append(tuple(images.shape))
    pairs = labels.nonzero()
    left, right = torch.zeros(len(pairs), 3, 4), torch.zeros(len(pairs), 3, 4)
    left[:, :, 0], right[:, :, 3] = 2.0, 8.0
    zones = ZONE_MASK.expand(len(pairs), 3, 4)
    return Branches(pairs, {"S_A": left, "S_B": right}, left / 2, zones, right / 4)


@pytest.fixture
def known_answers(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    network = SimpleNamespace(seen=[])
    monkeypatch.setattr(branches, "import_method", lambda _: SimpleNamespace(branches=_account))
    monkeypatch.setattr(branch_picture, "load_network", lambda _: (network, TrainConfig(), CLASSES))
    return network


@pytest.fixture
def own_run(trained: Path, tmp_path: Path) -> Path:
    """The trained run, with room for pictures of its own."""
    run = tmp_path / "run"
    run.mkdir()
    for stage in ("train", "attend"):
        (run / stage).symlink_to(trained / stage)
    return run


def _colours(path: Path) -> np.ndarray:
    return np.array(Image.open(path).convert("RGB")).astype(int)


def _tile(pixels: np.ndarray, row: int, column: int) -> np.ndarray:
    height = TILE * 48 // 64
    top = TITLE_HEIGHT + row * (height + 3 * LINE_HEIGHT + 2 * MARGIN)
    left = MARGIN + column * (TILE + MARGIN)
    return pixels[top : top + height, left : left + TILE]


def test_picture_shows_zones_maps_and_truth_in_their_places(
    voc: TinyVoc, own_run: Path, wsss: Command, known_answers: SimpleNamespace
) -> None:
    image_id = voc.train_ids[0]  # of two classes: two rows
    outcome = wsss("show", "--image", image_id, own_run, "--json")
    assert outcome.code == 0, outcome.err
    assert known_answers.seen == [(1, 3, 64, 64)]  # as large as the run's attention was made
    (drawn,) = outcome.values["pictures"]
    path = own_run / "pictures" / f"{image_id}.png"
    assert drawn["path"] == str(path)
    pixels = _colours(path)
    image = cv2.cvtColor(cv2.imread(str(voc.image(image_id))), cv2.COLOR_BGR2GRAY)
    for row in range(2):
        zones = _tile(pixels, row, 2)
        for column, value in enumerate((-1, 1, 0, -1)):
            x = 16 * column + 8
            for y in (4, 24, 44):
                there = 0.8 * COLOURS[value] + 0.2 * image[y, x]
                assert abs(zones[y * TILE // 64, x * TILE // 64] - there).max() <= 30
        # S_A is hot on the left, S_B on the right, fused on both, S_C at a quarter on the right
        for column, (left, right) in enumerate([(1, 0), (0, 1), (1, 1), (0, 0)], start=3):
            tile = _tile(pixels, row, column)
            assert (tile[60, 4, 0] > tile[60, 4, 2]) == left
            assert (tile[60, -5, 0] > tile[60, -5, 2]) == right
        truth = _tile(pixels, row, 7)
        assert {tuple(colour) for colour in truth.reshape(-1, 3).tolist()} >= {
            (0, 0, 0), (128, 0, 0), (0, 128, 0),
        }  # fmt: skip
    assert pixels.shape[1] == MARGIN + 8 * (TILE + MARGIN)
    first, second = drawn["rows"]
    assert [first["class"], second["class"]] == ["square", "disc"]
    assert first["zones"] == {"attention": 0.25, "potential": 0.25, "background": 0.5}
    # the square stands on the left, the disc on the right
    assert first["maps"]["S_A"]["mass_object"] > 0 == first["maps"]["S_B"]["mass_object"]
    assert second["maps"]["S_B"]["mass_object"] > 0 == second["maps"]["S_A"]["mass_object"]
    assert first["maps"]["S_C"]["strength"] == pytest.approx(
        first["maps"]["S_B"]["strength"] / 4, rel=1e-4
    )


def test_runs_are_blocks_of_rows_and_truth_is_left_out_where_there_is_none(
    own_voc: TinyVoc,
    own_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    known_answers: SimpleNamespace,
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "train").symlink_to(own_run / "train")
    monkeypatch.setattr(branch_picture, "find_data", lambda _: VocDataSet(own_voc.root))
    image_id = own_voc.train_ids[1]
    own_voc.mask(image_id).unlink()
    (drawn,) = branch_picture.run([other, own_run, other], [image_id]).values["pictures"]
    assert [shape[-1] for shape in known_answers.seen] == [224, 64, 224]
    assert Path(drawn["path"]).name == f"{image_id}_run_other.png"
    assert [row["run"] for row in drawn["rows"]] == [str(other), str(own_run), str(other)]
    assert drawn["rows"][0]["maps"] == dict.fromkeys(("S_A", "S_B", "fused", "S_C"))
    pixels = _colours(Path(drawn["path"]))
    assert pixels.shape == (
        TITLE_HEIGHT + 3 * (120 + 3 * LINE_HEIGHT + 2 * MARGIN), MARGIN + 7 * (TILE + MARGIN), 3,
    )  # fmt: skip


class _Plain:
    """A network of one branch, that knows nothing of accounts."""

    def attention(self, images: Tensor, labels: Tensor) -> BranchMaps:
        pairs = labels.nonzero()
        maps = torch.eye(4)[None, None].expand(len(pairs), 1, 4, 4)
        return BranchMaps(torch.zeros(len(images), 3), pairs, maps, images)


def test_method_without_an_account_shows_what_it_fuses() -> None:
    network: Any = _Plain()
    labels = np.array([False, True, True])
    views = view_classes(network, "cam", np.zeros((48, 64, 3), np.uint8), labels, 32)
    assert [view.class_id for view in views] == [2, 3]
    for view in views:
        assert view.prior is None and view.zones is None
        assert list(view.maps) == ["S_A"]
        expected = fuse_branches(torch.eye(4)[None, None], (48, 64))[0]
        torch.testing.assert_close(view.maps["S_A"], expected)


def test_faint_map_stays_faint_beside_a_loud_one() -> None:
    generator = torch.Generator().manual_seed(0)
    faint, loud = torch.randn(2, 5, 7, generator=generator), torch.zeros(2, 5, 7)
    loud[0] = 10 * torch.rand(5, 7, generator=generator)  # the second one is silent
    found = normalise_beside(faint, loud, (20, 28))
    for pair in range(2):
        resized = [
            cv2.resize(one[pair].numpy(), (28, 20), interpolation=cv2.INTER_CUBIC).clip(min=0)
            for one in (faint, loud)
        ]
        expected = resized[0] / max(one.max() for one in resized)
        assert np.allclose(found[pair].numpy(), expected, atol=1e-5)
    assert found[0].max() < 0.5 < found[1].max()
    assert not normalise_beside(loud * 0, loud * 0, (20, 28)).any()


def test_real_network_draws_and_is_left_as_it_was(
    voc: TinyVoc, own_run: Path, wsss: Command
) -> None:
    before = (own_run / "train" / "checkpoint.pt").read_bytes()
    outcome = wsss("show", own_run, "--image", voc.val_ids[0], "--image", voc.train_ids[1])
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines() == [
        str(own_run / "pictures" / f"{image_id}.png")
        for image_id in (voc.val_ids[0], voc.train_ids[1])
    ]
    assert (own_run / "train" / "checkpoint.pt").read_bytes() == before


def test_refusals_are_one_sentence(
    own_voc: TinyVoc, own_run: Path, tmp_path: Path, wsss: Command, monkeypatch: Any
) -> None:
    def refused(code: int, named: str, *arguments: object) -> None:
        outcome = wsss("show", *arguments)
        assert (outcome.code, outcome.out) == (code, "")
        assert named in outcome.err
        assert outcome.err.count("\n") == 1

    refused(2, "--image nobody", "--image", "nobody", own_run)
    refused(2, "no such image", "--image", "../x", own_run)
    refused(2, "wsss train --data DIR --run", "--image", "x", tmp_path)
    monkeypatch.setattr(branch_picture, "find_data", lambda _: VocDataSet(own_voc.root))
    own_voc.annotation(own_voc.val_ids[0]).unlink()
    refused(1, "lacks the XML of 1 images", "--image", own_voc.val_ids[0], own_run)


def test_show_without_an_image_needs_no_torch(trained: Path) -> None:
    code = (
        "import sys\n"
        "from wsss_cli.cli.app import app\n"
        "try:\n"
        f"    app(['show', {str(trained)!r}])\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code\n"
        "sys.exit(str([n for n in ('torch', 'torchvision', 'cv2') if n in sys.modules] or ''))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
    assert "train    complete" in done.stdout
