"""The chain on images of which some show no class, and what ``train`` says before it starts."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import Command, Outcome, TinyVoc, annotation_xml
from PIL import Image

from wsss_cli.data.layouts import find_data_set

_SMALL = "--batch-size 2 --crop 32 --amp off"
TINY = ["--backbone", "tiny", "--iterations", "2", *_SMALL.split()]
NEGATIVES = (1, 2, 6)


def _pictures(folder: Path, count: int = 6) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = np.random.default_rng(number).integers(90, 150, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"l{number}.png")


def _csv(folder: Path, *lines: str) -> Path:
    _pictures(folder)
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def _train(wsss: Command, data: Path, run: Path, *more: str) -> Outcome:
    return wsss("train", "--data", data, "--run", run, *TINY, *more)


@pytest.fixture
def negatives(own_voc: TinyVoc) -> TinyVoc:
    """The drawn tree, of which three images for training and one for validation show nothing."""
    for image_id in [*(own_voc.train_ids[i] for i in NEGATIVES), own_voc.val_ids[0]]:
        own_voc.annotation(image_id).write_text(annotation_xml([]))
        Image.new("L", (64, 48)).save(own_voc.mask(image_id))
    return own_voc


@pytest.mark.parametrize("method", ["seenet", "cam", "aepsl", "acol", "gain"])
def test_every_method_learns_and_attends(
    wsss: Command, negatives: TinyVoc, tmp_path: Path, method: str
) -> None:
    run = tmp_path / "run"
    trained = _train(wsss, negatives.root, run, "--method", method, "--json")
    assert trained.code == 0, trained.err
    assert trained.values["negatives"] == len(NEGATIVES)
    attended = wsss("attend", "--run", run, "--size", 64, "--batch-size", 2, "--json")
    assert attended.code == 0, attended.err
    assert attended.values["negatives"] == len(NEGATIVES)
    with h5py.File(run / "attend" / "attention.h5") as file:
        for number, image_id in enumerate(negatives.train_ids):
            nothing = number in NEGATIVES
            assert (file[image_id]["maps"].shape[0] == 0) is nothing
            assert file[image_id]["maps"].shape[1:] == (48, 64)
            assert len(file[image_id]["class_ids"]) == file[image_id]["maps"].shape[0]
            assert np.isfinite(file[image_id]["logits"][()]).all()


@pytest.fixture
def attended(wsss: Command, negatives: TinyVoc, tmp_path: Path) -> Path:
    run = tmp_path / "run"
    assert _train(wsss, negatives.root, run).code == 0
    assert wsss("attend", "--run", run, "--size", 64, "--heatmaps").code == 0
    return run


@pytest.mark.parametrize(
    "options",
    [
        *("--rule seenet", "--rule drs", "--rule oaa", "--rule dcsp", "--rule threshold"),
        *("--rule irn", "--rule threshold --crf irn", "--rule seenet --ignore-salient 0.5"),
    ],
)
def test_negatives_are_background_to_every_rule(
    wsss: Command, negatives: TinyVoc, attended: Path, options: str
) -> None:
    needs_saliency = options.split()[1] not in ("threshold", "irn")
    saliency = ("--saliency", negatives.saliency) if needs_saliency else ()
    proxy = wsss("proxy", "--run", attended, *options.split(), *saliency, "--json")
    assert proxy.code == 0, proxy.err
    assert proxy.values["negatives"] == len(NEGATIVES)
    for number in NEGATIVES:
        path = attended / "proxy" / "labels" / f"{negatives.train_ids[number]}.png"
        assert not np.asarray(Image.open(path)).any()
    assert wsss("proxy", "--run", attended, *options.split(), *saliency).out.count("up to date")


def test_the_rest_of_the_chain_bears_negatives(
    wsss: Command, negatives: TinyVoc, attended: Path, tmp_path: Path
) -> None:
    run = ("--run", attended)
    short = ["--iterations", "1", "--scales", "1", *_SMALL.split()]
    for line in (
        ("proxy", *run, "--rule", "seenet", "--saliency", negatives.saliency),
        ("segment", *run, *short, "--prohibitive", "--restrict-to-labels", "--probabilities"),
        ("crf", *run, "--iterations", 1),
        ("evaluate", *run, "--what", "attention", "--localisation"),
        ("evaluate", *run, "--what", "proxy", "--saliency", negatives.saliency, "--baselines"),
        ("evaluate", *run, "--difficulty"),
        ("report", attended),
        ("show", attended),
        ("show", attended / "attend" / "attention.h5"),
        ("doctor", "--data", negatives.root, *run),
    ):
        outcome = wsss(*line)
        assert outcome.code == 0, (line, outcome.out, outcome.err)
    # Of what it is told to be empty nothing is predicted.
    nothing = attended / "segment" / "predictions" / f"{negatives.val_ids[0]}.png"
    assert not np.asarray(Image.open(nothing)).any()
    second = tmp_path / "second"
    erase = ("--erase", str(attended / "attend" / "attention.h5"))
    assert _train(wsss, negatives.root, second, *erase).code == 0
    assert wsss("attend", "--run", second, "--size", 64).code == 0
    with h5py.File(second / "attend" / "attention.h5") as file:
        assert file[negatives.train_ids[1]]["maps"].shape == (0, 48, 64)
    picture = wsss("show", attended, "--image", negatives.train_ids[1])
    assert picture.code == 2
    assert "none of the classes" in picture.err


def test_baselines_that_are_told_so_find_nothing_in_negatives(
    wsss: Command, negatives: TinyVoc, attended: Path
) -> None:
    saliency = ("--saliency", negatives.saliency)
    assert wsss("proxy", "--run", attended, "--rule", "seenet", *saliency).code == 0
    from wsss_cli.stages.evaluate.baselines import Baselines

    image_id = negatives.train_ids[1]
    baselines = Baselines(
        [image_id],
        np.zeros((1, 3), np.bool_),
        [negatives.saliency / f"{image_id}.png"],
        np.array([[-1.0, 2.0, -3.0]], np.float32),
    )
    label_maps = baselines.label_maps(0, (48, 64))
    assert label_maps.pop("saliency_predicted_label").unique().tolist() == [0, 2]
    assert not any(label_map.any() for label_map in label_maps.values())


def test_check_counts_negatives_and_conversion_keeps_them(
    wsss: Command, negatives: TinyVoc, tmp_path: Path
) -> None:
    checked = wsss("data", "check", negatives.root, "--json")
    assert checked.code == 0
    assert checked.values["negatives"] == {"train": 3, "val": 1}
    photos = _csv(
        tmp_path / "photos",
        *("image,labels,split", "l0,crack,train", "l1,,train", "l2,leak,train", "l3,none,train"),
        *("l4,,val", "l5,,val"),
    )
    outcome = wsss("data", "convert", photos, tmp_path / "voc", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.values["negatives"] == 2
    assert "2 images" in outcome.err
    voc = find_data_set(tmp_path / "voc")
    assert voc.labels(voc.image_ids("train")).tolist() == [[1, 0], [0, 0], [0, 1], [0, 0]]
    assert not list((tmp_path / "voc" / "Annotations").glob("l[45].xml"))
    assert (tmp_path / "voc" / "JPEGImages" / "l4.jpg").exists()


def test_train_says_what_it_learns_from_before_its_first_step(
    wsss: Command, tmp_path: Path
) -> None:
    photos = _csv(
        tmp_path / "photos",
        *("image,labels,size", "l0,traffic light,3", "l1,nan,3", "l2,dog,3", "l3,traffic light,3"),
        "l4,dog traffic light,3",
    )
    outcome = _train(wsss, photos, tmp_path / "run")
    assert outcome.code == 0, outcome.err
    lines = outcome.err.splitlines()
    started = next(at for at, line in enumerate(lines) if "cpu in float32" in line)
    before = "\n".join(lines[:started])
    for part in (
        *("5 images", "dog (2)", "light (3)", "traffic (3)", "1 show none", "negatives"),
        *("nan", "separated by spaces", "light, traffic always come together"),
        *("columns that are not used: size", "1 pictures are in no list"),
    ):
        assert part in before, part
    dry = _train(wsss, photos, tmp_path / "other", "--dry-run")
    assert "always come together" in dry.err
    assert "always come together" not in dry.out
    assert not (tmp_path / "other").exists()
    quiet = _train(wsss, photos, tmp_path / "other", "--quiet", "--json")
    assert quiet.err == ""
    assert quiet.values["images"] == 5
    checked = wsss("data", "check", photos, "--json").values
    assert any("light, traffic" in warning for warning in checked["warnings"])


@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        (["crack"] * 6, "show crack"),
        (["crack|leak"] * 6, "show crack, leak"),
    ],
)
def test_labels_that_tell_nothing_apart_are_refused(
    wsss: Command, tmp_path: Path, cells: list[str], shown: str
) -> None:
    lines = [f"l{number},{cell}" for number, cell in enumerate(cells)]
    photos = _csv(tmp_path / "photos", "image,labels", *lines)
    outcome = _train(wsss, photos, tmp_path / "run")
    assert outcome.code == 1
    assert shown in outcome.err
    assert "folder background" in outcome.err  # a way out
    assert not (tmp_path / "run").exists()
    checked = wsss("data", "check", photos, "--json")
    assert checked.code == 1
    assert any(shown in problem for problem in checked.values["problems"])
    (photos / "labels.csv").write_text("image,labels\n" + "\n".join([*lines[:5], "l5,"]) + "\n")
    assert _train(wsss, photos, tmp_path / "run").code == 0
    assert wsss("data", "check", photos).code == 0
