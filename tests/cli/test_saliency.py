"""``wsss saliency`` with a network whose answer can be computed by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Command, Outcome, TinyVoc
from onnx_file import write_weighted_channels
from PIL import Image

from wsss_cli.artifacts.stage_directory import read_manifest
from wsss_cli.data.images import read_image
from wsss_cli.models.saliency_network import SaliencyNetwork
from wsss_cli.models.unsupervised_saliency import UnsupervisedSaliency
from wsss_cli.ops.robust_background import robust_background_saliency
from wsss_cli.stages.saliency import passes

RED = (1.0, 0.0, 0.0)


@pytest.fixture
def red(tmp_path: Path) -> Path:
    """A network that finds red salient."""
    return write_weighted_channels(tmp_path / "red.onnx", RED)


def _saliency(wsss: Command, voc: TinyVoc, run: Path, model: Path, *arguments: object) -> Outcome:
    return wsss("saliency", "--data", voc.root, "--run", run, "--model", model, *arguments)


def _grey(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_map_is_the_stretched_answer_at_image_size(tmp_path: Path) -> None:
    """Weights (1, 2, 3) on channels divided by the largest value and by ImageNet's deviation."""
    network = SaliencyNetwork(write_weighted_channels(tmp_path / "n.onnx", (1.0, 2.0, 3.0)), 32)
    image = np.random.default_rng(0).integers(0, 200, (32, 32, 3)).astype(np.uint8)
    expected = np.zeros((32, 32))
    for row in range(32):
        for column in range(32):
            red, green, blue = image[row, column] / image.max()
            expected[row, column] = red / 0.229 + 2 * green / 0.224 + 3 * blue / 0.225
    expected = (expected - expected.min()) / (expected.max() - expected.min())
    found = network.saliency(image).astype(float)
    assert np.abs(found - 255 * expected).max() <= 1


def test_numbers_of_another_family_of_networks(red: Path) -> None:
    """Red less 0.5, divided by 0.25, by the logistic function."""
    image = np.zeros((32, 32, 3), np.uint8)
    image[..., 0] = np.arange(32) * 8
    image[0, 0, 1] = 255  # the largest value, by which all are divided
    network = SaliencyNetwork(red, 32, (0.5,), (0.25,), sigmoid=True)
    logits = (image[..., 0] / 255 - 0.5) / 0.25
    expected = np.round(255 / (1 + np.exp(-logits)))
    assert np.abs(network.saliency(image).astype(float) - expected).max() <= 1


def test_preset_of_a_family_stands_for_its_settings(
    wsss: Command, voc: TinyVoc, red: Path, tmp_path: Path
) -> None:
    made = ("saliency", "--model", red, "--data", voc.root, "--run", tmp_path, "--size", 32)
    assert wsss(*made, "--preset", "birefnet").code == 0
    assert wsss(*made, "--sigmoid", "--json").values["status"] == "up to date"
    other = wsss(*made)
    assert other.code == 2
    assert "sigmoid" in other.err
    assert wsss(*made, "--mean", "0.5", "--mean", "0.5").code == 2
    alone = wsss("saliency", "--model", "unsupervised", "--data", voc.root, "--sigmoid")
    assert alone.code == 2
    assert "--sigmoid" in alone.err


def test_flat_and_black_images_have_no_saliency(red: Path) -> None:
    network = SaliencyNetwork(red, 32)
    for value in (0, 70):
        (found,) = passes(network, np.full((20, 30, 3), value, np.uint8), 1)
        assert found.shape == (20, 30)
        assert not found.any()


def test_second_pass_sees_the_image_with_the_salient_part_painted_over(red: Path) -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[:8, :8, 0] = 250  # the first pass finds this
    image[20:28, 20:28, 0] = 160  # and the second one, as 124, the mean, is less red
    network = SaliencyNetwork(red, 32)
    first, second = passes(network, image, 2)
    assert (first[:8, :8] == 255).all()
    assert (first[20:28, 20:28] < 0.7 * 255).all()
    assert (second[20:28, 20:28] == 255).all()
    assert (second[:8, :8] == round(255 * 124 / 160)).all()
    assert image[0, 0, 0] == 250  # the caller's image is left alone


def test_command_writes_a_map_for_each_image_and_is_resumed(
    wsss: Command, voc: TinyVoc, red: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    first = _saliency(wsss, voc, run, red, "--size", 32, "--passes", 2, "--json")
    assert first.values["status"] == "complete", first.err
    for folder in ("maps", "second_maps"):
        names = sorted(path.stem for path in (run / "saliency" / folder).iterdir())
        assert names == sorted(voc.train_ids)
    image_id = voc.train_ids[0]
    found = _grey(run / "saliency" / "maps" / f"{image_id}.png")
    image = read_image(voc.root / "JPEGImages" / f"{image_id}.jpg")
    assert found.shape == image.shape[:2]
    np.testing.assert_array_equal(found, passes(SaliencyNetwork(red, 32), image, 1)[0])
    # One map of the second pass is lost: only its image is computed again.
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*.png")}
    (run / "saliency" / "second_maps" / f"{image_id}.png").unlink()
    again = _saliency(wsss, voc, run, red, "--size", 32, "--passes", 2, "--json").values
    assert (again["written"], again["skipped"]) == (1, len(voc.train_ids) - 1)
    after = {path: path.stat().st_mtime_ns for path in run.rglob("*.png")}
    assert {path.stem for path in before if before[path] != after[path]} == {image_id}
    same = _saliency(wsss, voc, run, red, "--size", 32, "--passes", 2, "--json").values
    assert same["status"] == "up to date"


def test_network_counts_by_content_and_size_by_value(
    wsss: Command, voc: TinyVoc, red: Path, tmp_path: Path
) -> None:
    run, moved = tmp_path / "run", tmp_path / "moved.onnx"
    _saliency(wsss, voc, run, red, "--size", 32)
    moved.write_bytes(red.read_bytes())
    assert "up to date" in _saliency(wsss, voc, run, moved, "--size", 32).out
    green = write_weighted_channels(tmp_path / "green.onnx", (0.0, 1.0, 0.0))
    other = _saliency(wsss, voc, run, green, "--size", 32)
    assert other.code == 2
    assert "model" in other.err


def test_proxy_finds_the_maps_of_the_run(
    wsss: Command, voc: TinyVoc, red: Path, trained: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    checkpoint = trained / "train" / "checkpoint.pt"
    arguments = ["proxy", "--rule", "dcsp", "--data", voc.root, "--run", run]
    wsss("attend", "--run", run, "--data", voc.root, "--checkpoint", checkpoint, "-q")
    without = wsss(*arguments)
    assert without.code == 2
    assert "wsss saliency --model" in without.err
    _saliency(wsss, voc, run, red, "--size", 32, "--passes", 2)
    assert wsss(*arguments).code == 0
    inputs = read_manifest(run / "proxy")["inputs"]
    maps = run.resolve() / "saliency"
    assert inputs["saliency"]["path"] == str(maps / "maps")
    assert inputs["second_saliency"]["path"] == str(maps / "second_maps")
    # Maps of one's own are not mixed with the run's.
    own = wsss(*arguments, "--saliency", voc.saliency, "--overwrite")
    assert own.code == 0, own.err
    assert "second_saliency" not in read_manifest(run / "proxy")["inputs"]
    # Of two passes replaced by one, an empty folder is left.
    _saliency(wsss, voc, run, red, "--size", 32, "--passes", 1, "--overwrite")
    alone = wsss(*arguments, "--overwrite")
    assert alone.code == 0, alone.err
    assert "second_saliency" not in read_manifest(run / "proxy")["inputs"]


def test_unsupervised_maps_need_no_file_and_say_what_they_are(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    arguments = ("--size", 64, "--passes", 2, "--json")
    first = _saliency(wsss, voc, run, Path("unsupervised"), *arguments)
    assert first.values["status"] == "complete", first.err
    manifest = read_manifest(run / "saliency")
    assert "weaker" in manifest["model"]["title"]
    assert "Zhu et al., CVPR 2014" in manifest["model"]["paper"]
    assert set(manifest["inputs"]) == {"images"}
    image_id = voc.train_ids[1]
    image = read_image(voc.root / "JPEGImages" / f"{image_id}.jpg")
    # 16 superpixels along the longer side of 64 x 48: 4 pixels each, and the image as it is.
    expected = np.round(255 * robust_background_saliency(image, 4)).astype(np.uint8)
    np.testing.assert_array_equal(_grey(run / "saliency" / "maps" / f"{image_id}.png"), expected)
    painted = image.copy()
    painted[expected >= 178] = (124, 117, 104)  # Oxford's mean colour
    second = np.round(255 * robust_background_saliency(painted, 4)).astype(np.uint8)
    found = _grey(run / "saliency" / "second_maps" / f"{image_id}.png")
    np.testing.assert_array_equal(found, second)
    again = _saliency(wsss, voc, run, Path("unsupervised"), *arguments)
    assert again.values["status"] == "up to date"


def test_unsupervised_and_network_are_different_results(
    wsss: Command, voc: TinyVoc, red: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    _saliency(wsss, voc, run, red, "--size", 32)
    other = _saliency(wsss, voc, run, Path("unsupervised"), "--size", 32)
    assert other.code == 2
    assert "model None there, unsupervised now" in other.err


@pytest.mark.parametrize("shape", [(375, 500), (500, 333), (20, 30), (7, 2000)])
def test_unsupervised_sees_the_shape_of_the_image(shape: tuple[int, int]) -> None:
    seen = UnsupervisedSaliency(320).seen(*shape)
    assert max(seen) == 320
    assert all(side > 0 and side % 20 == 0 for side in seen)
    for side, whole in zip(seen, shape, strict=True):
        assert abs(side - 320 * whole / max(shape)) <= 10 or side == 20


def test_bad_networks_are_one_sentence(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    broken, twofold = tmp_path / "broken.onnx", tmp_path / "two.onnx"
    broken.write_bytes(b"this is no network")
    write_weighted_channels(twofold, RED, maps=2)
    for model, part in (
        (broken, "cannot be read as an ONNX network"),
        (twofold, "1 x 1 x height x width"),
    ):
        outcome = _saliency(wsss, voc, tmp_path / model.stem, model, "--size", 32)
        assert outcome.code == 1
        errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1
        assert str(model) in errors[0]
        assert part in errors[0]
        assert "Traceback" not in outcome.err
    outcome = wsss("saliency", "--data", voc.root, "--run", tmp_path / "none")
    assert (outcome.code, "--model FILE.onnx" in outcome.err) == (2, True)


def test_dry_run_writes_nothing(wsss: Command, voc: TinyVoc, red: Path, tmp_path: Path) -> None:
    outcome = _saliency(wsss, voc, tmp_path / "run", red, "-n", "--json")
    assert outcome.code == 0, outcome.err
    plan = json.loads(outcome.out)
    assert (plan["images"], plan["split"]) == (len(voc.train_ids), "train")
    assert not (tmp_path / "run").exists()
