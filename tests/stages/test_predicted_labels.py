"""Attention of the labels that the network itself predicts, on images with and without any."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from conftest import CLASSES, Command, TinyVoc, train_arguments
from PIL import Image

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.checkpoint import read_checkpoint, write_checkpoint
from wsss_cli.methods.network_file import load_network
from wsss_cli.metrics.localisation import Localisation
from wsss_cli.ops.predicted_labels import predicted_labels

SHORT = ["--size", "64", "--amp", "off", "--batch-size", "5", "--json"]


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        ([0.0, -0.1, 3.0], [1, 0, 1]),  # sigmoid(0) is one half, which is enough
        ([-3.0, -0.1, -5.0], [0, 1, 0]),  # none passes, so the surest one
        ([-2.0, -2.0, -2.0], [1, 0, 0]),  # of equals the first
        ([9.0, 8.0, 7.0], [1, 1, 1]),
    ],
)
def test_labels_by_hand(logits: list[float], expected: list[int]) -> None:
    assert predicted_labels(torch.tensor([logits])).tolist() == [expected]
    half = predicted_labels(torch.tensor([logits, logits[::-1]]).bfloat16())
    assert half.tolist() == [expected, predicted_labels(torch.tensor([logits[::-1]])).tolist()[0]]


@pytest.fixture(scope="module")
def undecided(
    lively_checkpoint: Path, voc: TinyVoc, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The lively network, its classes' scores shifted to the middle of what the images get."""
    network, _, _ = load_network(lively_checkpoint)
    logits = torch.tensor([_logits(network, voc.image(i), 64) for i in voc.train_ids])
    content = read_checkpoint(lively_checkpoint, "attention")
    shift = logits.quantile(0.6, dim=0)
    for name, tensor in content["network"].items():
        if name.startswith("head_a") and name.endswith("bias") and tensor.shape == shift.shape:
            tensor -= shift
    path = tmp_path_factory.mktemp("undecided") / "checkpoint.pt"
    write_checkpoint(path, "attention", content)
    return path


def _logits(network: torch.nn.Module, path: Path, side: int) -> list[float]:
    """Class logits of one image, with nothing of the stage: its own resizing and its own pass."""
    import cv2

    pixels = np.array(Image.open(path).convert("RGB"))
    square = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_LINEAR)
    images = torch.from_numpy(square).permute(2, 0, 1)[None]
    with torch.no_grad():
        scores = network.head_a(network.trunk(images))  # type: ignore[operator, union-attr]
    return [float(scores[0, column].mean()) for column in range(scores.shape[1])]


def _expected(logits: Sequence[float]) -> list[int]:
    """Class ids: a logit of 0 or more is a sigmoid of one half or more."""
    found = [column + 1 for column, logit in enumerate(logits) if logit >= 0]
    return found or [max(range(len(logits)), key=lambda column: logits[column]) + 1]


def test_maps_are_those_of_the_classes_that_the_network_finds(
    wsss: Command, voc: TinyVoc, undecided: Path, tmp_path: Path
) -> None:
    base = ["attend", "--data", voc.root, "--checkpoint", undecided, *SHORT]
    done = wsss(*base, "--run", tmp_path / "own", "--labels", "predicted")
    assert done.code == 0, done.err
    network, _, _ = load_network(undecided)
    with AttentionFile(tmp_path / "own/attend/attention.h5") as file:
        found = {i: file.read(i) for i in voc.train_ids}
        assert file.labels == "predicted"
    kinds = set()
    for image_id in voc.train_ids:
        logits = _logits(network, voc.image(image_id), 64)
        assert found[image_id].logits == pytest.approx(logits, abs=1e-3)
        expected = _expected(logits)
        assert found[image_id].class_ids.tolist() == expected
        kinds.add((len(expected), max(logits) >= 0))
    assert len(kinds) > 2, "the images should differ in how many classes are found"
    assert done.values["maps"] == sum(len(one.class_ids) for one in found.values())

    # A class's map does not depend on why it was asked for: where both have it, it is the same.
    assert wsss(*base, "--run", tmp_path / "given").code == 0
    both = 0
    with AttentionFile(tmp_path / "given/attend/attention.h5") as file:
        assert file.labels == "given"
        for image_id in voc.train_ids:
            given = file.read(image_id)
            for row, class_id in enumerate(given.class_ids.tolist()):
                if class_id in found[image_id].class_ids:
                    own = found[image_id].class_ids.tolist().index(class_id)
                    assert np.allclose(given.maps[row], found[image_id].maps[own], atol=2e-3)
                    both += 1
    assert both


@pytest.mark.parametrize("method", ["cam", "acol", "gain"])
def test_every_method_attends_what_it_predicts(
    wsss: Command, voc: TinyVoc, tmp_path: Path, method: str
) -> None:
    run = tmp_path / "run"
    assert wsss(*train_arguments(voc, run), "--method", method).code == 0
    done = wsss("attend", "--run", run, "--labels", "predicted", "--scales", "1", *SHORT)
    assert done.code == 0, done.err
    assert done.values["maps"] >= done.values["images"] == 12


def test_it_is_another_result_and_needs_no_annotation(
    wsss: Command, own_voc: TinyVoc, undecided: Path, tmp_path: Path
) -> None:
    base = ["attend", "--data", own_voc.root, "--checkpoint", undecided, *SHORT]
    assert wsss(*base, "--run", tmp_path / "run").code == 0
    other = wsss(*base, "--run", tmp_path / "run", "--labels", "predicted")
    assert other.code == 2
    assert "labels" in other.err
    shutil.rmtree(own_voc.root / "Annotations")
    assert wsss(*base, "--run", tmp_path / "bare").code == 1
    predicted = [*base, "--run", tmp_path / "bare", "--labels", "predicted"]
    assert wsss(*predicted).code == 0
    # What the annotations say is none of its business.
    (own_voc.root / "Annotations").mkdir()
    own_voc.annotation(own_voc.train_ids[0]).write_text("<annotation/>")
    assert wsss(*predicted).values["status"] == "up to date"
    # A shard that has vanished is made again, and the count is of all maps.
    first = wsss(*predicted).values["maps"]
    next((tmp_path / "bare/attend/shards").glob("*.h5")).unlink()
    assert wsss(*predicted).values["maps"] == first


def test_a_folder_of_pictures_can_be_attended_and_labelled(
    wsss: Command, voc: TinyVoc, undecided: Path, tmp_path: Path
) -> None:
    photos, run = tmp_path / "photos", tmp_path / "run"
    shutil.copytree(voc.root / "JPEGImages", photos / "summer")
    data = ["--data", photos]
    assert "classes.txt" in wsss("attend", *data, "--checkpoint", undecided, "--run", run).err
    (photos / "classes.txt").write_text("\n".join(CLASSES))
    arguments = ["attend", *data, "--checkpoint", undecided, "--run", run, *SHORT]
    refused = wsss(*arguments)
    assert refused.code == 1
    assert "have no label" in refused.err
    assert wsss(*arguments, "--labels", "predicted").values["images"] == 16
    done = wsss("proxy", "--run", run, "--rule", "threshold", "--json")
    assert done.code == 0, done.err
    assert done.values["images"] == 16
    # So can rows of a CSV that say nothing.
    rows = "".join(f"{path.name},\n" for path in sorted((photos / "summer").iterdir())[:3])
    (photos / "labels.csv").write_text(f"image,labels\n{rows}")
    csv = ["attend", *data, "--checkpoint", undecided, "--run", tmp_path / "csv", *SHORT]
    assert wsss(*csv, "--labels", "predicted").values["images"] == 3


def test_rounds_refuse_labels_of_their_own(
    wsss: Command, voc: TinyVoc, undecided: Path, tmp_path: Path
) -> None:
    base = ["attend", "--data", voc.root, "--checkpoint", undecided, *SHORT]
    assert wsss(*base, "--run", tmp_path / "one").code == 0
    before = tmp_path / "one/attend/attention.h5"
    done = wsss(*base, "--run", tmp_path / "two", "--erase", before, "--labels", "predicted")
    assert done.code == 2
    assert "--erase" in done.err


def _scores_by_loops(file: Path, masks: Path, threshold: float) -> tuple[list[float], int, int]:
    """Labels' IoU, maps of absent classes, classes without a map: pixel by pixel."""
    intersection, union = [0] * 4, [0] * 4
    absent = without = 0
    with h5py.File(file) as attention:
        for image_id in attention:
            ids = attention[image_id]["class_ids"][()].tolist()
            maps = attention[image_id]["maps"][()].astype(np.float32)
            truth = np.array(Image.open(masks / f"{image_id}.png"))
            shown = set(truth.ravel().tolist()) - {0, 255}
            absent += len(set(ids) - shown)
            without += len(shown - set(ids))
            for y in range(truth.shape[0]):
                for x in range(truth.shape[1]):
                    true, label, best = int(truth[y, x]), 0, threshold
                    if true == 255:
                        continue
                    for class_id, value in zip(ids, maps[:, y, x].tolist(), strict=True):
                        if value > best or (label == 0 and value >= best):
                            label, best = class_id, value
                    for one in {true, label}:
                        union[one] += 1
                    intersection[true] += true == label
    return [i / u for i, u in zip(intersection, union, strict=True)], absent, without


def _average_precision_by_hand(logits: np.ndarray, true: np.ndarray) -> float:
    """Mean over classes of the best precision from each true image on, images by falling score."""
    of_classes = []
    for column in range(logits.shape[1]):
        order = sorted(range(len(logits)), key=lambda row: -logits[row, column])
        hits = [true[row, column] for row in order]
        precisions = [sum(hits[: n + 1]) / (n + 1) for n, hit in enumerate(hits) if hit]
        if precisions:
            best = [max(precisions[n:]) for n in range(len(precisions))]
            of_classes.append(sum(best) / len(best))
    return sum(of_classes) / len(of_classes)


def test_scores_count_maps_of_absent_classes_and_classes_without_a_map(
    wsss: Command, voc: TinyVoc, undecided: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    base = ["attend", "--data", voc.root, "--checkpoint", undecided, "--run", run, *SHORT]
    assert wsss(*base, "--labels", "predicted").code == 0
    file, masks = run / "attend/attention.h5", voc.root / "SegmentationClass"
    text = wsss("evaluate", "--what", "attention", "--run", run).out
    values = wsss(
        "evaluate", "--what", "attention", "--run", run, "--localisation", "--json"
    ).values
    threshold = float(np.float32(values["best_threshold"]))
    ious, absent, without = _scores_by_loops(file, masks, threshold)
    assert absent
    assert without
    assert list(values["per_class"].values()) == pytest.approx(ious)
    assert values["labels"] == "predicted"
    assert (values["maps_of_absent_classes"], values["classes_without_map"]) == (absent, without)
    assert f"the network predicts: {absent} of classes that are absent, and {without}" in text
    # The mAP is of the classes that the masks show, not of those predicted, where it would be 1.
    with AttentionFile(file) as attention:
        ids = attention.image_ids
        logits = np.stack([attention.outline(i).logits for i in ids])
    shown = [set(np.unique(np.array(Image.open(masks / f"{i}.png"))).tolist()) for i in ids]
    true = np.array([[c in one for c in (1, 2, 3)] for one in shown])
    expected = _average_precision_by_hand(logits, true)
    assert values["classification_map"] == pytest.approx(expected)
    assert expected < 0.999
    _foreign_file_says_nothing(wsss, file, voc, tmp_path / "other.h5")


def test_an_image_that_shows_no_class_is_scored_too(
    wsss: Command, own_voc: TinyVoc, undecided: Path, tmp_path: Path
) -> None:
    mask = own_voc.mask(own_voc.train_ids[0])
    Image.fromarray(np.zeros_like(np.array(Image.open(mask)))).save(mask)
    run = ["--run", tmp_path / "run"]
    base = ["attend", "--data", own_voc.root, "--checkpoint", undecided, *run, *SHORT]
    assert wsss(*base, "--labels", "predicted").code == 0
    done = wsss("evaluate", "--what", "attention", *run, "--json")
    assert done.code == 0, done.err
    assert done.values["images"] == len(own_voc.train_ids)


def _foreign_file_says_nothing(wsss: Command, file: Path, voc: TinyVoc, other: Path) -> None:
    with h5py.File(file) as ours, h5py.File(other, "w") as theirs:
        for image_id in ours:
            theirs.copy(ours[image_id], image_id)
    arguments = ["evaluate", "--what", "attention", "--attention", other, "--data", voc.root]
    assert wsss(*arguments, "--json").values["labels"] is None
    assert "labels" in wsss(*arguments).out


def test_a_class_without_a_map_is_a_miss_of_boxes_and_pixels() -> None:
    """A perfect case and a missed one of 40 pixels beside its 60: half the boxes, 60 of 100."""
    truth = np.zeros((20, 30), bool)
    truth[:10, :6] = True
    counts = Localisation()
    counts.add(truth.astype(np.float32), truth, np.ones_like(truth))
    other = np.zeros_like(truth)
    other[10:, 10:14] = True
    counts.add_missing(other)
    assert counts.box_accuracy() == pytest.approx(1 / 2)
    # 60 at precision 1; the other 540 pixels of the map, lit at 0 only, gain nothing.
    assert counts.pixel_average_precision() == pytest.approx(60 / 100)
    # A map of a class that is absent is no case, but what it lights is wrong.
    ramp = np.tile(np.linspace(0, 1, 30, dtype=np.float32), (20, 1))  # 20 pixels reach 1
    counts.add(ramp, np.zeros_like(truth), np.ones_like(truth))
    assert counts.box_accuracy() == pytest.approx(1 / 2)
    assert counts.pixel_average_precision() == pytest.approx(60 / 100 * 60 / 80)
