"""``wsss evaluate`` on anybody's folders: what it compares, what it names, what it refuses."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import Command, Outcome, TinyVoc, draw_voc
from PIL import Image

from wsss_cli.artifacts.label_png import voc_palette, write_label_map
from wsss_cli.data.voc import VOC_CLASSES
from wsss_cli.metrics.boundary import boundary_overlap
from wsss_cli.metrics.segmentation import iou_of
from wsss_cli.metrics.trimap import trimap_overlaps
from wsss_cli.stages.evaluate import label_maps

CLASSES = ["square", "disc", "cross"]


def _truth(voc: TinyVoc, image_id: str) -> np.ndarray:
    return np.array(Image.open(voc.mask(image_id)))


def _folder(voc: TinyVoc, folder: Path, wrong: float, seed: int = 0) -> Path:
    """The truth with some of its pixels changed; no 255."""
    rng = np.random.default_rng(seed)
    for image_id in voc.train_ids:
        labels = _truth(voc, image_id)
        labels[(rng.random(labels.shape) < wrong) | (labels == 255)] = 0
        write_label_map(folder / f"{image_id}.png", labels)
    return folder


def _refused(outcome: Outcome, code: int, *named: object) -> None:
    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.err.splitlines()[-1].startswith("error: ")
    for text in named:
        assert str(text) in outcome.err


@pytest.fixture
def better(voc: TinyVoc, tmp_path: Path) -> Path:
    return _folder(voc, tmp_path / "better", 0.1)


@pytest.fixture
def worse(voc: TinyVoc, tmp_path: Path) -> Path:
    return _folder(voc, tmp_path / "worse", 0.5)


def _evaluate(voc: TinyVoc, folder: Path, *more: object) -> list[object]:
    return ["evaluate", "--pred", folder, "--data", voc.root, "--split", "train", *more]


def _slow_scores(predicted: np.ndarray, true: np.ndarray) -> tuple[float, dict[str, float]]:
    """The mean over what either has, and the IoU of what the truth has, one label at a time."""
    scored = true != 255
    every, of_truth = [], {}
    for label, name in enumerate(["background", *CLASSES]):
        mine, theirs = (predicted == label) & scored, (true == label) & scored
        if not (mine | theirs).any():
            continue
        every.append((mine & theirs).sum() / (mine | theirs).sum())
        if theirs.any():
            of_truth[name] = every[-1]
    return float(np.mean(every)), of_truth


@pytest.mark.parametrize("block", [64, 5])
def test_every_image_has_its_scores_and_every_score_its_pixels(
    wsss: Command,
    voc: TinyVoc,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    block: int,
) -> None:
    monkeypatch.setattr(label_maps, "_BLOCK", block)
    folder = _folder(voc, tmp_path / "odd", 0.2)
    strange, hole = voc.train_ids[1], voc.train_ids[2]
    labels = _truth(voc, strange)
    labels[labels == 255] = 0
    labels[5:9, 5:9] = 1  # a square that is not there
    write_label_map(folder / f"{strange}.png", labels)
    labels = _truth(voc, hole)
    labels[20:30] = 255
    write_label_map(folder / f"{hole}.png", labels)

    values = wsss(*_evaluate(voc, folder, "--json")).values
    assert list(values["per_image"]) == voc.train_ids
    square = np.zeros((4, 4), int)
    missed = np.zeros(4, int)
    for image_id in voc.train_ids:
        predicted, true = (
            np.array(Image.open(folder / f"{image_id}.png")),
            _truth(voc, image_id),
        )
        miou, ious = _slow_scores(predicted, true)
        found = values["per_image"][image_id]
        assert found["miou"] == pytest.approx(miou, abs=1e-6)
        assert found["iou"] == pytest.approx(ious, abs=1e-6)
        for row in range(4):
            missed[row] += ((true == row) & (predicted == 255)).sum()
            for column in range(4):
                square[row, column] += ((true == row) & (predicted == column)).sum()
    assert (missed > 0).any()
    assert values["confusion"] == square.tolist()
    assert values["unpredicted"] == missed.tolist()
    excluded = wsss(*_evaluate(voc, folder, "--json", "--predicted-ignore", "excluded")).values
    assert excluded["confusion"] == square.tolist()
    assert excluded["unpredicted"] == [0, 0, 0, 0]


@pytest.mark.parametrize("what", ["prediction", "attention"])
def test_what_makes_an_image_difficult_stands_beside_its_scores(
    wsss: Command, voc: TinyVoc, tmp_path: Path, what: str
) -> None:
    own = draw_voc(tmp_path / "own")
    plain, empty = own.train_ids[1], own.train_ids[2]
    labels = np.zeros((48, 64), np.uint8)
    Image.fromarray(labels).save(own.mask(empty))
    labels[::8, ::8] = labels[1::8, ::8] = labels[::8, 1::8] = labels[1::8, 1::8] = 2
    Image.fromarray(labels).save(own.mask(plain))
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(own.image(plain))
    scored = ["--pred", voc.root / "SegmentationClass"]
    if what == "attention":
        attention = tmp_path / "attention.h5"
        with h5py.File(attention, "w") as file:
            for image_id in own.train_ids:
                file[f"{image_id}/maps"] = np.zeros((1, 6, 8), np.float16)
                file[f"{image_id}/class_ids"] = np.ones(1, np.uint8)
                file[image_id].attrs.update(height=48, width=64)
        scored = ["--what", "attention", "--attention", attention]
    command = ["evaluate", *scored, "--data", own.root, "--run", tmp_path, "--json"]
    without = wsss(*command).values["per_image"]
    values = wsss(*command, "--difficulty").values["per_image"]
    assert (values[plain]["regions"], values[plain]["colours_shared"]) == (6 * 8, 1)
    assert (values[empty]["regions"], values[empty]["colours_shared"]) == (0, None)
    for one in values.values():
        assert 0 <= (one.pop("colours_shared") or 0) <= 1
        del one["regions"]
    assert values == without


def test_photographs_to_be_looked_at_must_be_there_and_fit(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    own = draw_voc(tmp_path / "own")
    masks = own.root / "SegmentationClass"
    command = ["evaluate", "--difficulty", "--pred", masks, "--gt", masks, "--run", tmp_path]
    _refused(wsss(*command), 2, "--difficulty looks at the photographs; pass --data DIR")
    command += ["--data", own.root]
    lost = own.image(own.train_ids[0])
    Image.new("RGB", (48, 64)).save(lost)
    _refused(wsss(*command), 1, lost, own.mask(own.train_ids[0]), "its sides are exchanged")
    lost.unlink()
    _refused(wsss(*command), 1, f"1 images are missing from {lost.parent}: {lost.stem}")


def test_two_folders_are_compared_on_the_same_images(
    wsss: Command, voc: TinyVoc, better: Path, worse: Path
) -> None:
    found = wsss(*_evaluate(voc, better, "--against", worse, "--json")).values
    other = wsss(*_evaluate(voc, worse, "--json")).values
    against = found["against"]
    assert against["miou"] == pytest.approx(other["miou"])
    assert against["difference"] == pytest.approx(found["miou"] - other["miou"])
    assert 0 < against["low"] <= against["difference"] <= against["high"]
    assert against["real"] is True
    assert found["interval"]["low"] < found["miou"] < found["interval"]["high"]
    text = wsss(*_evaluate(voc, better, "--against", worse)).out
    assert "which is real" in text


def test_a_folder_beside_its_own_copy_does_not_differ(
    wsss: Command, voc: TinyVoc, better: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(better, tmp_path / "copy")
    against = wsss(*_evaluate(voc, better, "--against", copy, "--json")).values["against"]
    assert (against["difference"], against["low"], against["high"]) == (0, 0, 0)
    assert against["real"] is False
    _refused(wsss(*_evaluate(voc, better, "--against", better)), 2, "what is scored itself")


def test_the_draws_follow_the_seed(wsss: Command, voc: TinyVoc, better: Path) -> None:
    first, again, other = (
        wsss(*_evaluate(voc, better, "--json", "--seed", seed)).values["interval"]
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_what_cannot_be_compared_is_one_sentence(
    wsss: Command, voc: TinyVoc, better: Path, worse: Path, tmp_path: Path
) -> None:
    lost = voc.train_ids[3]
    (worse / f"{lost}.png").unlink()
    _refused(wsss(*_evaluate(voc, better, "--against", worse)), 1, "--against", lost)
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    _refused(wsss(*_evaluate(voc, better, "--against", nothing)), 2, "neither a segment folder")


def test_images_of_a_split_must_all_be_there(wsss: Command, voc: TinyVoc, better: Path) -> None:
    lost = voc.train_ids[5]
    (better / f"{lost}.png").unlink()
    _refused(wsss(*_evaluate(voc, better)), 1, "1 of the 12 images of train", lost)
    _refused(
        wsss("evaluate", "--pred", better, "--gt", voc.root / "SegmentationClass",
             "--split", "train"), 2, "--data DIR",
    )  # fmt: skip


def test_masks_without_a_prediction_are_listed(wsss: Command, voc: TinyVoc, better: Path) -> None:
    lost = voc.train_ids[5]
    (better / f"{lost}.png").unlink()
    folders = [
        "--pred",
        better,
        "--gt",
        voc.root / "SegmentationClass",
        "--data",
        voc.root,
    ]
    outcome = wsss("evaluate", *folders, "--json")
    assert outcome.values["missing_predictions"] == sorted([lost, *voc.val_ids])
    assert lost in outcome.err
    assert lost in wsss("evaluate", *folders, "-q").out


def test_masks_without_attention_are_listed_too(wsss: Command, voc: TinyVoc, trained: Path) -> None:
    """Of a file that somebody names; the run's own is of the list that it was made for."""
    file = trained / "attend/attention.h5"
    base = ["evaluate", "--what", "attention", "--data", voc.root, "--json"]
    outcome = wsss(*base, "--attention", file)
    assert outcome.values["missing_predictions"] == voc.val_ids
    assert voc.val_ids[0] in outcome.err


def test_contours_are_scored_over_the_data_set(wsss: Command, voc: TinyVoc, worse: Path) -> None:
    found = wsss(*_evaluate(voc, worse, "--boundaries", "--json")).values
    boundary, trimap = 0, 0
    for image_id in voc.train_ids:
        maps = np.array(Image.open(worse / f"{image_id}.png")), _truth(voc, image_id)
        boundary = boundary + boundary_overlap(*maps, 4, "false-negative")
        trimap = trimap + trimap_overlaps(*maps, 4, "false-negative")
    assert found["boundary_iou"] == pytest.approx(float(iou_of(boundary).nanmean()))
    assert found["trimap"]["miou"] == pytest.approx(iou_of(trimap).nanmean(dim=-1).tolist())
    assert list(found["per_class_boundary_iou"]) == ["background", *CLASSES]
    assert "boundary IoU" in wsss(*_evaluate(voc, worse, "--boundaries")).out
    assert "boundary_iou" not in wsss(*_evaluate(voc, worse, "--json")).values


def test_the_style_of_the_truth_is_said(
    wsss: Command, voc: TinyVoc, better: Path, tmp_path: Path
) -> None:
    assert wsss(*_evaluate(voc, better, "--json")).values["ground_truth_style"] == "sbd"
    gt = tmp_path / "gt"
    for number, image_id in enumerate(voc.train_ids):
        labels = _truth(voc, image_id)
        if number:
            touching = np.zeros(labels.shape, bool)
            touching[:, 1:] |= labels[:, 1:] != labels[:, :-1]
            touching[:, :-1] |= labels[:, 1:] != labels[:, :-1]
            labels[touching] = 255
        write_label_map(gt / f"{image_id}.png", labels)
    found = wsss(*_evaluate(voc, better, "--gt", gt, "--json")).values
    assert found["ground_truth_style"] == "mixed"
    assert found["ground_truth_styles"] == {"sbd": 1, "voc": 11}


def test_palette_png_decoded_to_colours_is_recognised(
    wsss: Command, voc: TinyVoc, better: Path
) -> None:
    path = better / f"{voc.train_ids[0]}.png"
    Image.fromarray(voc_palette()[np.array(Image.open(path))]).save(path)
    _refused(wsss(*_evaluate(voc, better)), 1, path, "all its colours are those of VOC's palette")


@pytest.mark.parametrize(
    ("mode", "named"),
    [("RGBA", "RGBA pixels, not labels"), ("I;16", "16 bits"), ("1", "one-bit pixels")],
)
@pytest.mark.parametrize("folder", ["prediction", "truth"])
def test_other_pixels_than_labels_are_named(
    wsss: Command,
    voc: TinyVoc,
    better: Path,
    tmp_path: Path,
    folder: str,
    mode: str,
    named: str,
) -> None:
    gt = Path(shutil.copytree(voc.root / "SegmentationClass", tmp_path / "gt"))
    path = (better if folder == "prediction" else gt) / f"{voc.train_ids[0]}.png"
    Image.new(mode, (64, 48)).save(path)
    outcome = wsss(*_evaluate(voc, better, "--gt", gt, "--json"))
    _refused(outcome, 1, path, named)


@pytest.mark.parametrize("folder", ["prediction", "rival", "truth"])
def test_the_file_with_a_value_that_is_no_label_is_named(
    wsss: Command, voc: TinyVoc, better: Path, worse: Path, tmp_path: Path, folder: str
) -> None:
    gt = Path(shutil.copytree(voc.root / "SegmentationClass", tmp_path / "gt"))
    odd = {"prediction": better, "rival": worse, "truth": gt}[folder]
    path = odd / f"{voc.train_ids[1]}.png"
    labels = np.array(Image.open(path))
    labels[0, 0] = 4  # there are three classes
    write_label_map(path, labels)
    outcome = wsss(*_evaluate(voc, better, "--gt", gt, "--against", worse))
    _refused(outcome, 1, path, "has the value 4", "neither a label")


def test_truncated_and_absent_files_are_named(
    wsss: Command, voc: TinyVoc, better: Path, tmp_path: Path
) -> None:
    path = better / f"{voc.train_ids[2]}.png"
    path.write_bytes(path.read_bytes()[:50])
    _refused(wsss(*_evaluate(voc, better)), 1, path, "not a readable PNG")
    (tmp_path / "empty").mkdir()
    _refused(wsss(*_evaluate(voc, tmp_path / "empty")), 2, tmp_path / "empty", "holds no PNG")


def test_proxies_that_have_vanished_are_missed(
    wsss: Command, voc: TinyVoc, trained: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    assert wsss("proxy", "--run", run, "--saliency", voc.saliency).code == 0
    next((run / "proxy" / "labels").glob("*.png")).unlink()
    outcome = wsss("evaluate", "--what", "proxy", "--run", run)
    _refused(outcome, 1, "11 of the 12 label maps", "wsss proxy")


def _attention(path: Path, voc: TinyVoc, image_ids: list[str], scale: float) -> Path:
    """The truth as attention of the strength ``scale``, half as strong on the left."""
    with h5py.File(path, "w") as file:
        for image_id in image_ids:
            labels = _truth(voc, image_id)
            present = [c for c in (1, 2, 3) if (labels == c).any()]
            maps = scale * np.stack([labels == c for c in present]).astype(np.float32)
            maps[..., :32] /= 2
            maps += 0.1
            file[f"{image_id}/maps"] = maps
            file[f"{image_id}/class_ids"] = present
    return path


def test_attention_is_compared_each_at_its_best_threshold(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    """Both separate object and background perfectly, though at different thresholds."""
    strong, weak = (
        _attention(tmp_path / f"{scale}.h5", voc, voc.train_ids, scale) for scale in (0.9, 0.2)
    )
    arguments = ["evaluate", "--what", "attention", "--attention", strong, "--data", voc.root]
    found = wsss(*arguments, "--against", weak, "--json").values
    assert found["miou"] == found["against"]["miou"] == 1
    assert (found["against"]["difference"], found["against"]["real"]) == (0, False)
    assert found["interval"]["low"] == found["interval"]["high"] == 1
    assert found["best_threshold"] == found["against"]["best_threshold"] == 0.11
    assert list(found["per_image"]) == voc.train_ids
    assert {one["miou"] for one in found["per_image"].values()} == {1}
    assert set(found["per_image"][voc.train_ids[0]]["iou"]) == {"background", "square", "disc"}
    few = _attention(tmp_path / "few.h5", voc, voc.train_ids[:5], 0.5)
    _refused(wsss(*arguments, "--against", few), 1, few, voc.train_ids[5])


def test_attention_that_is_the_truth_finds_every_box(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for image_id in voc.train_ids:
            labels = _truth(voc, image_id)
            present = [c for c in (1, 2, 3) if (labels == c).any()]
            file[f"{image_id}/maps"] = np.stack([labels == c for c in present]).astype(np.float32)
            file[f"{image_id}/class_ids"] = present
    arguments = ["evaluate", "--what", "attention", "--attention", tmp_path / "a.h5"]
    found = wsss(*arguments, "--data", voc.root, "--localisation", "--json").values
    assert found["max_box_acc_v2"] == found["pixel_average_precision"] == 1
    assert "max_box_acc_v2" not in wsss(*arguments, "--data", voc.root, "--json").values


def test_threshold_of_another_split_is_applied(
    wsss: Command, voc: TinyVoc, trained: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(trained, tmp_path / "other"))
    theirs = _attention(tmp_path / "theirs.h5", voc, voc.val_ids, 0.8)
    arguments = ["evaluate", "--what", "attention", "--data", voc.root]
    mine = [*arguments, "--attention", theirs, "--threshold-from", other, "--json"]
    _refused(wsss(*mine), 2, "has no scores yet", "--run")
    assert wsss(*arguments, "--run", other).code == 0
    path = other / "evaluate" / "attention.json"
    scores = json.loads(path.read_text())
    path.write_text(json.dumps({**scores, "best_threshold": 0.6}))
    found = wsss(*mine).values
    assert found["best_threshold"] == 0.11
    assert found["at_chosen"]["threshold"] == 0.6
    curve = found["curve"]
    at = curve["thresholds"].index(0.6)
    assert found["at_chosen"]["miou"] == pytest.approx(curve["miou"][at], abs=1e-6)
    # There the left half of the objects, of .5, is lost.
    assert curve["recall"][at] < 1
    assert curve["precision"][curve["thresholds"].index(0.11)] == 1
    own = [*arguments, "--run", other, "--threshold-from", other]
    _refused(wsss(*own), 2, "scored this very attention")
    path.write_text(json.dumps({**scores, "artifact_fingerprint": "another"}))
    _refused(wsss(*mine), 2, "of an earlier result")


def _two_folders(root: Path, true: list[int], predicted: list[int]) -> list[object]:
    """A command that scores a label map of some labels, side by side, against another one."""
    for name, labels in (("gt", true), ("pred", predicted)):
        image = np.repeat(np.array([labels], np.uint8), 4, axis=0)
        write_label_map(root / name / "x.png", image)
    return ["evaluate", "--pred", root / "pred", "--gt", root / "gt", "--run", root / "none"]


@pytest.mark.parametrize(
    ("true", "predicted", "most"),
    [([0, 1, 1, 255], [0, 1, 0, 0], 1), ([0, 1, 25, 3], [0, 1, 25, 25], 25), ([0, 1], [0, 7], 7)],
)
def test_labels_whose_names_nobody_knows_are_numbered(
    wsss: Command, tmp_path: Path, true: list[int], predicted: list[int], most: int
) -> None:
    outcome = wsss(*_two_folders(tmp_path, true, predicted), "--json")
    assert outcome.code == 0, outcome.err
    values = outcome.values
    names = ["background", *(f"class {label}" for label in range(1, most + 1))]
    assert list(values["per_class"]) == names
    for label, name in enumerate(names):
        hits = sum(t == p == label for t, p in zip(true, predicted, strict=True))
        either = sum(label in (t, p) and t != 255 for t, p in zip(true, predicted, strict=True))
        assert values["per_class"][name] == (pytest.approx(hits / either) if either else None)
    assert "so their labels are numbered" in outcome.err
    assert "--data DIR" in outcome.err
    assert "aeroplane" not in outcome.err


def test_names_are_those_of_the_tree_that_the_true_masks_lie_in(
    wsss: Command, tmp_path: Path
) -> None:
    """VOC's own, which is documented, or those of its classes.txt; not where it is no data set."""
    command = _two_folders(tmp_path, [0, 1, 2, 3], [0, 1, 2, 2])
    masks = tmp_path / "VOC2012" / "SegmentationClass"
    masks.parent.mkdir()
    shutil.move(tmp_path / "gt", masks)
    command[4] = masks
    numbered = wsss(*command, "--json").values["per_class"]
    assert list(numbered) == ["background", "class 1", "class 2", "class 3"]
    for folder, ending in (("JPEGImages", "jpg"), ("Annotations", "xml")):
        (masks.parent / folder).mkdir()
        (masks.parent / folder / f"x.{ending}").touch()
    outcome = wsss(*command, "--json")
    assert list(outcome.values["per_class"]) == ["background", *VOC_CLASSES]
    assert list(outcome.values["per_class"].values())[:4] == list(numbered.values())
    assert f"named as those of {masks.parent}" in outcome.err
    (masks.parent / "classes.txt").write_text("cat\ndog\ncow\n")
    assert list(wsss(*command, "--json").values["per_class"]) == ["background", "cat", "dog", "cow"]
    # A label that they do not name is refused, as with a data set.
    (masks.parent / "classes.txt").write_text("cat\ndog\n")
    _refused(wsss(*command), 1, "x.png", "3")


@pytest.mark.parametrize("naming", ["pred", "gt", "against"])
def test_names_are_those_that_a_stage_recorded_with_the_label_maps(
    wsss: Command, tmp_path: Path, naming: str
) -> None:
    command = _two_folders(tmp_path, [0, 1, 2, 3], [0, 1, 2, 2])
    stage = tmp_path / "run" / "proxy"
    if naming == "against":
        shutil.copytree(tmp_path / "pred", stage / "labels")
        command += ["--against", stage / "labels"]
    else:
        stage.mkdir(parents=True)
        shutil.move(tmp_path / naming, stage / "labels")
        command[2 if naming == "pred" else 4] = stage / "labels"
    manifest = {"schema": 1, "status": "complete", "fingerprint": "f", "stage": "proxy"}
    manifest |= {"files": {}, "counts": {}, "settings": {}, "inputs": {}}
    manifest |= {"class_names": ["cat", "dog", "cow"]}
    (stage / "manifest.json").write_text(json.dumps(manifest))
    outcome = wsss(*command, "--json")
    assert outcome.code == 0, outcome.err
    assert list(outcome.values["per_class"]) == ["background", "cat", "dog", "cow"]
    assert f"named as those of {stage / 'labels'}" in outcome.err
    # Two that recorded different classes do not belong together.
    other = tmp_path / "other" / "crf"
    shutil.copytree(stage / "labels", other / "labels")
    manifest |= {"stage": "crf", "class_names": ["cat", "cow", "dog"]}
    (other / "manifest.json").write_text(json.dumps(manifest))
    if naming == "against":
        command[4] = other / "labels"
    else:
        command += ["--against", other / "labels"]
    _refused(wsss(*command), 1, other / "labels", "cat, cow, dog")


@pytest.mark.parametrize("named", [True, False])
def test_attention_without_a_data_set_has_the_names_of_its_file_or_numbers(
    wsss: Command, tmp_path: Path, named: bool
) -> None:
    _two_folders(tmp_path, [0, 1, 2, 3], [0])
    with h5py.File(tmp_path / "attention.h5", "w") as file:
        file["x/maps"] = np.ones((1, 4, 4), np.float16)
        file["x/class_ids"] = np.array([2], np.uint8)
        if named:
            file.attrs["class_names"] = ["cat", "dog", "cow"]
    outcome = wsss(
        *("evaluate", "--what", "attention", "--attention", tmp_path / "attention.h5"),
        *("--gt", tmp_path / "gt", "--run", tmp_path / "none", "--json"),
    )
    assert outcome.code == 0, outcome.err
    names = ["cat", "dog", "cow"] if named else ["class 1", "class 2", "class 3"]
    assert list(outcome.values["per_class"]) == ["background", *names]
