"""Whatever is wrong is one sentence on stderr that names it, and a code of 1 or 2."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from conftest import Command, Outcome, TinyVoc, annotation_xml, train_arguments
from PIL import Image


def _refused(outcome: Outcome, code: int, *parts: object) -> None:
    assert outcome.code == code, outcome.err
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert "--debug" not in outcome.err  # the way out for errors that nobody foresaw
    lines = outcome.err.splitlines()
    assert [line for line in lines if line.startswith("error: ")] == lines[-1:]
    for part in parts:
        assert str(part) in lines[-1]


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained run."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def _proxies(voc: TinyVoc, folder: Path) -> Path:
    """The true masks of the training images, as label maps to learn from."""
    folder.mkdir()
    for image_id in voc.train_ids:
        shutil.copy(voc.mask(image_id), folder)
    return folder


def test_folder_that_is_no_voc_tree(wsss: Command, tmp_path: Path) -> None:
    outcome = wsss("train", "--data", tmp_path, "--run", tmp_path / "run")
    _refused(outcome, 2, f"--data {tmp_path}", "JPEGImages")
    _refused(wsss("train", "--data", tmp_path / "nowhere"), 2, "does not exist")


def test_missing_list(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    outcome = wsss(*train_arguments(voc, tmp_path / "run"), "--split", "trainval")
    _refused(outcome, 2, "trainval.txt does not exist", "train, val", "--split")


def test_missing_photographs_are_all_named(wsss: Command, own_voc: TinyVoc, tmp_path: Path) -> None:
    for image_id in own_voc.train_ids[:3]:
        own_voc.image(image_id).unlink()
    outcome = wsss(*train_arguments(own_voc, tmp_path / "run"))
    _refused(outcome, 1, "3 images are missing", *own_voc.train_ids[:3])


@pytest.mark.parametrize("kept", [0.5, 0.95])
def test_truncated_photograph(wsss: Command, own_voc: TinyVoc, tmp_path: Path, kept: float) -> None:
    path = own_voc.image(own_voc.train_ids[-1])
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    outcome = wsss(*train_arguments(own_voc, tmp_path / "run"))
    _refused(outcome, 1, path, "not a readable image")
    assert not (tmp_path / "run").exists()


def test_photograph_that_is_spoiled_inside_and_whole_at_its_end(
    wsss: Command, own_voc: TinyVoc, run: Path
) -> None:
    """Found only while decoding: the earlier work stays, the sentence is the same."""
    path = own_voc.image(own_voc.train_ids[-1])
    Image.new("RGB", (64, 48)).save(path, format="PNG")  # under the name of a JPEG
    path.write_bytes(path.read_bytes()[:60])
    arguments = ["attend", "--run", run, "--data", own_voc.root, "--overwrite"]
    _refused(wsss(*arguments, "--size", "64"), 1, path)


def test_unknown_class(wsss: Command, own_voc: TinyVoc, tmp_path: Path) -> None:
    own_voc.annotation(own_voc.train_ids[0]).write_text(annotation_xml(["zebra"]))
    outcome = wsss(*train_arguments(own_voc, tmp_path / "run"))
    _refused(outcome, 1, f"{own_voc.train_ids[0]}.xml", "'zebra'", "classes.txt")


def test_images_of_which_none_has_a_label(wsss: Command, own_voc: TinyVoc, tmp_path: Path) -> None:
    for image_id in own_voc.train_ids:
        own_voc.annotation(image_id).write_text(annotation_xml([]))
    outcome = wsss(*train_arguments(own_voc, tmp_path / "run"))
    _refused(outcome, 1, "all 12 images of train", "none of")
    assert not (tmp_path / "run").exists()


def test_missing_annotation(wsss: Command, own_voc: TinyVoc, tmp_path: Path) -> None:
    own_voc.annotation(own_voc.train_ids[0]).unlink()
    outcome = wsss(*train_arguments(own_voc, tmp_path / "run"))
    _refused(outcome, 1, "lacks the XML", own_voc.train_ids[0])


def test_missing_saliency_maps_are_all_named(wsss: Command, own_voc: TinyVoc, run: Path) -> None:
    gone = own_voc.train_ids[1::2]
    for image_id in gone:
        (own_voc.saliency / f"{image_id}.png").unlink()
    outcome = wsss("proxy", "--run", run, "--saliency", own_voc.saliency)
    _refused(outcome, 1, "--saliency", "6 of 12", *gone)
    assert not (run / "proxy").exists()


def test_no_saliency_at_all(wsss: Command, run: Path, tmp_path: Path) -> None:
    _refused(wsss("proxy", "--run", run, "--rule", "seenet"), 2, "--saliency DIR")
    _refused(wsss("proxy", "--run", run, "--w", "3"), 2, "--saliency DIR")
    outcome = wsss("proxy", "--run", run, "--saliency", tmp_path / "nowhere")
    _refused(outcome, 2, "--saliency", tmp_path / "nowhere", "does not exist")


def test_broken_saliency_map(wsss: Command, own_voc: TinyVoc, run: Path) -> None:
    path = own_voc.saliency / f"{own_voc.train_ids[5]}.png"
    path.write_bytes(path.read_bytes()[:60])
    outcome = wsss("proxy", "--run", run, "--saliency", own_voc.saliency)
    _refused(outcome, 1, path, "not a readable image")


def test_attention_that_is_no_hdf5(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_text("no HDF5")
    source = ["--attention", tmp_path / "a.h5", "--run", tmp_path / "run"]
    outcome = wsss("proxy", *source, "--saliency", voc.saliency)
    _refused(outcome, 1, "a.h5 is not a readable HDF5 file")
    outcome = wsss("evaluate", "--what", "attention", *source, "--data", voc.root)
    _refused(outcome, 1, "a.h5 is not a readable HDF5 file")


def test_attention_whose_shard_is_lost(wsss: Command, voc: TinyVoc, run: Path) -> None:
    (run / "attend" / "shards" / "00000.h5").unlink()
    outcome = wsss("proxy", "--run", run, "--saliency", voc.saliency)
    _refused(outcome, 1, "shards/00000.h5")


def _foreign(path: Path, voc: TinyVoc, **changes: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        for image_id in voc.train_ids:
            values = {"maps": np.zeros((1, 48, 64), np.float32), "class_ids": np.array([1])}
            for name, value in {**values, **changes}.items():
                file[f"{image_id}/{name}"] = value
    return path


def test_attention_of_another_size_than_its_image(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    path = _foreign(tmp_path / "a.h5", voc, maps=np.zeros((1, 20, 20), np.float32))
    arguments = ["--what", "attention", "--attention", path, "--data", voc.root]
    outcome = wsss("evaluate", *arguments)
    _refused(outcome, 1, "20 x 20", "64 x 48", voc.train_ids[0])


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"class_ids": np.array([9])}, id="class id beyond the data set's"),
        pytest.param({"logits": np.zeros(1, np.float32)}, id="fewer logits than classes"),
        pytest.param({"logits": np.zeros((2, 3), np.float32)}, id="logits of two dimensions"),
    ],
)
def test_attention_of_other_classes_than_the_data_set(
    wsss: Command, voc: TinyVoc, tmp_path: Path, changes: dict[str, np.ndarray]
) -> None:
    path = _foreign(tmp_path / "a.h5", voc, **changes)
    arguments = ["--what", "attention", "--attention", path, "--data", voc.root]
    _refused(wsss("evaluate", *arguments), 1, path)


def test_checkpoint_of_another_class_count(
    wsss: Command, own_voc: TinyVoc, run: Path, tmp_path: Path
) -> None:
    with (own_voc.root / "classes.txt").open("a") as file:
        file.write("triangle\n")
    checkpoint = ["--checkpoint", run / "train" / "checkpoint.pt", "--run", tmp_path / "other"]
    outcome = wsss("attend", *checkpoint, "--data", own_voc.root)
    _refused(outcome, 1, "3 classes", "has 4", "triangle")


def test_checkpoint_of_another_stage_or_kind(
    wsss: Command, voc: TinyVoc, run: Path, tmp_path: Path
) -> None:
    other = ["--data", voc.root, "--run", tmp_path / "other"]
    trained = run / "train" / "checkpoint.pt"
    outcome = wsss("segment", "--checkpoint", trained, *other)
    _refused(outcome, 1, "checkpoint for attention", "segmentation")
    torch.save({"x": torch.ones(1)}, tmp_path / "foreign.pt")
    outcome = wsss("attend", "--checkpoint", tmp_path / "foreign.pt", *other)
    _refused(outcome, 1, "foreign.pt is not a checkpoint of wsss")
    trained.write_bytes(trained.read_bytes()[:1000])
    outcome = wsss("attend", "--checkpoint", trained, *other)
    _refused(outcome, 1, "checkpoint.pt cannot be read")
    _refused(wsss("attend", "--checkpoint", tmp_path / "no.pt", *other), 2, "does not exist")


def test_weights_of_another_shape(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save({"features.0.weight": torch.zeros(8, 3, 3, 3)}, path)
    outcome = wsss(*train_arguments(voc, tmp_path / "run"), "--weights", path)
    _refused(outcome, 1, path, "features.0.weight is 8x3x3x3 instead of 24x3x3x3", "is missing")


def test_weights_that_do_not_fit_leave_the_run_alone(
    wsss: Command, voc: TinyVoc, run: Path, tmp_path: Path
) -> None:
    path = tmp_path / "w.pt"
    torch.save({"features.0.weight": torch.zeros(8, 3, 3, 3)}, path)
    outcome = wsss(*train_arguments(voc, run), "--weights", path, "--overwrite")
    assert outcome.code == 1
    assert (run / "train" / "checkpoint.pt").exists()


def test_weights_that_are_not_there(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    outcome = wsss(*train_arguments(voc, tmp_path / "run"), "--weights", "imagnet")
    _refused(outcome, 2, "--weights imagnet", "imagenet or none")


def test_predictions_in_colour(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    folder = _proxies(voc, tmp_path / "masks")
    path = folder / f"{voc.train_ids[2]}.png"
    Image.open(path).convert("RGB").save(path)
    gt = ["--gt", voc.root / "SegmentationClass", "--data", voc.root]
    _refused(wsss("evaluate", "--pred", folder, *gt), 1, path, "RGB")


def test_prediction_of_another_size(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    folder = _proxies(voc, tmp_path / "masks")
    path = folder / f"{voc.train_ids[2]}.png"
    Image.fromarray(np.zeros((5, 6), np.uint8)).save(path)
    gt = ["--gt", voc.root / "SegmentationClass", "--data", voc.root]
    _refused(wsss("evaluate", "--pred", folder, *gt), 1, path, "6 x 5", "64 x 48")


def test_predictions_of_other_images(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    folder = _proxies(voc, tmp_path / "masks")
    (tmp_path / "truth").mkdir()
    outcome = wsss("evaluate", "--pred", folder, "--gt", tmp_path / "truth")
    _refused(outcome, 1, "none of the 12 images", tmp_path / "truth")


@pytest.mark.parametrize("spoil", ["colour", "value", "size", "photograph"])
def test_bad_label_map_is_found_before_training(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path, spoil: str
) -> None:
    folder = _proxies(own_voc, tmp_path / "masks")
    path = folder / f"{own_voc.train_ids[7]}.png"
    if spoil == "colour":
        Image.open(path).convert("RGB").save(path)
    elif spoil == "photograph":
        own_voc.image(own_voc.train_ids[7]).unlink()
    else:
        shape = (48, 64) if spoil == "value" else (5, 6)
        Image.fromarray(np.full(shape, 4 if spoil == "value" else 1, np.uint8)).save(path)
    run = tmp_path / "run"
    settings = ["--data", own_voc.root, "--run", run, "--model", "tiny", "--iterations", 1]
    outcome = wsss("segment", "--proxy", folder, *settings)
    _refused(outcome, 1, path.stem)
    assert not run.exists()


def test_checkpoint_of_another_model_names_both(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    base = ["segment", "--data", voc.root, "--run", tmp_path / "run"]
    short = ["--iterations", 1, "--batch-size", 2, "--crop", 32, "--scales", 1]
    assert wsss(*base, "--supervision", "full", "--model", "tiny", *short).code == 0
    checkpoint = tmp_path / "run/segment/checkpoint.pt"
    other = ["segment", "--data", voc.root, "--run", tmp_path / "other"]
    outcome = wsss(*other, "--checkpoint", checkpoint, "--model", "deeplab-largefov-vgg16")
    _refused(outcome, 2, checkpoint, "holds tiny", "--model deeplab-largefov-vgg16", "leave")


def test_label_maps_that_are_missing_are_listed_unless_others_are_to_be_learned_from(
    wsss: Command, own_voc: TinyVoc, tmp_path: Path
) -> None:
    folder = _proxies(own_voc, tmp_path / "masks")
    lost = own_voc.train_ids[3:5]
    for image_id in lost:
        (folder / f"{image_id}.png").unlink()
    run = tmp_path / "run"
    settings = ["--data", own_voc.root, "--run", run, "--model", "tiny", "--iterations", 1]
    command = ["segment", "--proxy", folder, *settings]
    _refused(wsss(*command), 1, "2 of the 12 images of train", *lost, "--train-split")
    assert not run.exists()
    _refused(wsss(*command, "--train-split", "none"), 2, "none.txt", "choose with --train-split")
    _refused(wsss(*command, "--train-split", "../x"), 2, "--train-split '../x'")
    kept = [image_id for image_id in own_voc.train_ids if image_id not in lost]
    own_voc.split("kept").write_text("\n".join(kept))
    shutil.copy(folder / f"{kept[0]}.png", folder / "strange.png")
    done = wsss(*command, "--train-split", "kept", "--scales", 1, "--json")
    assert done.code == 0, done.err
    assert done.values["training_images"] == len(kept)
    assert "strange" in done.err


@pytest.mark.parametrize(
    ("arguments", "stage"),
    [
        ("attend", "train"),
        ("proxy --saliency s", "attend"),
        ("segment --model tiny", "proxy"),
        ("evaluate", "segment"),
        ("evaluate --what proxy", "proxy"),
        ("evaluate --what attention", "attend"),
    ],
)
def test_stage_whose_input_has_not_been_made_names_the_stage_to_run(
    wsss: Command,
    voc: TinyVoc,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: str,
    stage: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s").mkdir()
    outcome = wsss(*arguments.split(), "--data", voc.root, "--run", "a run")
    _refused(outcome, 2, "first or pass --")
    commands = outcome.err.split("`")[1].split(" && ")
    assert commands[0] == f"wsss train --data {voc.root} --run 'a run'"
    assert commands[-1].startswith(f"wsss {stage} ")
    assert commands[-1].endswith("--run 'a run'")


def test_stage_whose_input_is_unfinished_says_so(wsss: Command, voc: TinyVoc, run: Path) -> None:
    path = run / "attend" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "status": "running"}))
    outcome = wsss("proxy", "--run", run, "--saliency", voc.saliency)
    _refused(outcome, 2, "unfinished", f"`wsss attend --run {run} --amp off --size 64`")


def test_loss_that_is_no_number_before_any_checkpoint_says_that_nothing_was_kept(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    outcome = wsss(*train_arguments(voc, tmp_path / "run"), "--lr", "1e30")
    _refused(outcome, 1, "the loss became", "nothing was kept yet", "a lower --lr")
    assert "--overwrite" not in outcome.err


def test_unknown_device(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    outcome = wsss(*train_arguments(voc, tmp_path / "run"), "--device", "abacus")
    _refused(outcome, 2, "--device must be auto, cpu, cuda or cuda:N")


def test_run_that_is_a_file(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    outcome = wsss(*train_arguments(voc, tmp_path / "run"))
    _refused(outcome, 2, tmp_path / "run")
    assert (tmp_path / "run").read_text() == "mine"


def test_manifest_of_another_program(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    (tmp_path / "run" / "train").mkdir(parents=True)
    (tmp_path / "run" / "train" / "manifest.json").write_text("{}")
    outcome = wsss(*train_arguments(voc, tmp_path / "run"))
    _refused(outcome, 1, "manifest.json is not a manifest of wsss", "another --run")


def test_attention_of_an_image_without_area(wsss: Command, voc: TinyVoc, tmp_path: Path) -> None:
    path = _foreign(tmp_path / "a.h5", voc)
    with h5py.File(path, "a") as file:
        file[voc.train_ids[0]].attrs.update(height=0, width=-3)
    source = ["--attention", path, "--run", tmp_path / "run"]
    _refused(wsss("proxy", *source, "--saliency", voc.saliency), 1, path, voc.train_ids[0])


@pytest.mark.parametrize("name", ["classes.txt", "ImageSets/Segmentation/train.txt"])
def test_text_that_is_not_utf8(wsss: Command, own_voc: TinyVoc, tmp_path: Path, name: str) -> None:
    (own_voc.root / name).write_bytes("caf\xe9\n".encode("latin-1"))
    _refused(wsss(*train_arguments(own_voc, tmp_path / "run")), 1, own_voc.root / name)


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """No weights are there, and what would be downloaded is noted instead."""
    begun: list[str] = []

    def download(url: str, *_: object, **__: object) -> None:
        begun.append(url)
        raise OSError("no network in tests")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    return begun


def test_weights_that_cannot_be_downloaded(
    wsss: Command, voc: TinyVoc, tmp_path: Path, downloads: list[str]
) -> None:
    outcome = wsss("train", "--data", voc.root, "--run", tmp_path / "run")
    _refused(outcome, 1, "cannot be downloaded", "--weights FILE", "--weights none")
    assert len(downloads) == 1
    assert "528 MB" in outcome.err.splitlines()[-2]
    assert not (tmp_path / "run").exists()


def test_dry_run_downloads_nothing(
    wsss: Command, voc: TinyVoc, tmp_path: Path, downloads: list[str]
) -> None:
    wsss("train", "--data", voc.root, "--run", tmp_path / "run", "--dry-run")
    assert not downloads


def test_nothing_is_downloaded_for_a_stage_whose_input_is_missing(
    wsss: Command, voc: TinyVoc, tmp_path: Path, downloads: list[str]
) -> None:
    outcome = wsss("segment", "--data", voc.root, "--run", tmp_path / "run")
    assert not downloads
    _refused(outcome, 2, f"wsss proxy --saliency DIR --run {tmp_path / 'run'}` first")


@pytest.fixture
def nothing_to_score(
    wsss: Command, voc: TinyVoc, run: Path, tmp_path: Path
) -> tuple[Outcome, Path]:
    """An evaluation against masks that are ignored everywhere, and where its file would be."""
    truth = tmp_path / "truth"
    truth.mkdir()
    for image_id in voc.train_ids:
        Image.fromarray(np.full((48, 64), 255, np.uint8)).save(truth / f"{image_id}.png")
    assert wsss("proxy", "--run", run, "--saliency", voc.saliency).code == 0
    outcome = wsss("evaluate", "--what", "proxy", "--run", run, "--gt", truth, "--json")
    return outcome, run / "evaluate" / "proxy.json"


def test_score_of_nothing_is_refused(nothing_to_score: tuple[Outcome, Path]) -> None:
    outcome, path = nothing_to_score
    _refused(outcome, 1, "truth")
    assert not path.exists()
