"""``wsss predict``: new photographs with nothing but a checkpoint."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from conftest import CLASSES, Command, TinyVoc, clean_environment
from new_photographs import photograph, segmentation_checkpoint, video
from PIL import Image, ImageOps

from wsss_cli.artifacts.attention_file import AttentionFile
from wsss_cli.artifacts.label_png import read_label_map
from wsss_cli.artifacts.score_file import ScoreFile
from wsss_cli.artifacts.video_file import opened_video
from wsss_cli.configs.attend import AttendConfig
from wsss_cli.configs.predict import PredictConfig
from wsss_cli.configs.segment import SegmentConfig
from wsss_cli.ops.score_grid import label_probabilities
from wsss_cli.stages import attend, predict, segment
from wsss_cli.tracking import Silent


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return segmentation_checkpoint(tmp_path_factory.mktemp("network") / "checkpoint.pt")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with a subfolder, of different sizes and formats."""
    photograph(tmp_path / "photos" / "IMG 1.jpg")
    photograph(tmp_path / "photos" / "b.png", 33, 40, 1)
    photograph(tmp_path / "photos" / "day1" / "IMG 1.JPG", 64, 48, 2)
    return tmp_path / "photos"


def _names(out: Path, pattern: str = "**/*") -> list[str]:
    return sorted(path.relative_to(out).as_posix() for path in out.glob(pattern) if path.is_file())


def _content(out: Path, pattern: str) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in _names(out, pattern)}


def test_folder_becomes_label_maps_under_the_pictures_own_names(
    wsss: Command, checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    done = wsss("predict", checkpoint, photos, "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    label_maps = _names(tmp_path / "out", "**/*.png")
    assert label_maps == ["IMG 1.png", "b.png", "day1/IMG 1.png"]
    told = {Path(picture["file"]): picture for picture in done.values["pictures"]}
    assert list(told) == [photos / "IMG 1.jpg", photos / "b.png", photos / "day1" / "IMG 1.JPG"]
    for path, picture in told.items():
        label_map = read_label_map(Path(picture["label_map"]), num_labels=len(CLASSES) + 1)
        assert label_map.shape[::-1] == Image.open(path).size
        assert list(label_map.shape) == picture["size"]
        counts = np.bincount(label_map.ravel(), minlength=4)
        shares = {found["name"]: found["share"] for found in picture["classes"]}
        expected = {name: counts[i] for i, name in enumerate(CLASSES, start=1) if counts[i]}
        assert shares == pytest.approx(
            {name: count / label_map.size for name, count in expected.items()}, abs=1e-5
        )
        assert Image.open(picture["label_map"]).mode == "P"
    assert done.values["class_names"] == list(CLASSES)
    assert done.values["failed"] == []
    assert (done.values["written"], done.values["skipped"]) == (3, 0)


def test_prediction_is_that_of_segment(
    wsss: Command, checkpoint: Path, voc: TinyVoc, tmp_path: Path
) -> None:
    for crf in (None, "irn"):
        config = SegmentConfig(
            run=tmp_path / f"run{crf}",
            data=voc.root,
            checkpoint=checkpoint,
            split="val",
            amp="off",
            crf=crf,
            probabilities=True,
        )
        segment.run(config, track=Silent())
        paths = [voc.image(image_id) for image_id in voc.val_ids]
        out = tmp_path / f"out{crf}"
        extra = ["--crf", crf] if crf else []
        done = wsss(
            *("predict", checkpoint, *paths, "--out", out, "--amp", "off", "--probabilities"),
            *extra,
        )
        assert done.code == 0, done.err
        for image_id in voc.val_ids:
            of_segment = config.run / "segment" / "predictions" / f"{image_id}.png"
            assert (out / f"{image_id}.png").read_bytes() == of_segment.read_bytes()
        with (
            ScoreFile(out / "scores.h5", CLASSES) as mine,
            ScoreFile(config.run / "segment" / "scores.h5") as theirs,
        ):
            assert mine.image_ids == theirs.image_ids
            for image_id in mine.image_ids:
                a, b = mine.read(image_id), theirs.read(image_id)
                assert np.array_equal(a.scores, b.scores)
                assert a.size == b.size


def test_crf_refines_the_scores_of_new_photographs(
    wsss: Command, checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert wsss("predict", checkpoint, photos, "--out", out, "--probabilities").code == 0
    (photos / "classes.txt").write_text("\n".join(CLASSES))
    refined = wsss(
        *("crf", "--scores", out / "scores.h5", "--data", photos, "--run", tmp_path / "run")
    )
    assert refined.code == 0, refined.err
    labels = tmp_path / "run" / "crf" / "labels"
    assert _names(labels) == ["IMG_1.png", "b.png", "day1__IMG_1.png"]


def test_run_stands_for_its_network(
    wsss: Command, checkpoint: Path, photos: Path, lively_checkpoint: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    (run / "train").mkdir(parents=True)
    shutil.copy(lively_checkpoint, run / "train" / "checkpoint.pt")
    out = ["--out", tmp_path / "a", "--size", "64", "--json"]
    by_attention = wsss("predict", run, photos, *out)
    assert by_attention.values["kind"] == "attention"
    assert str(run / "train" / "checkpoint.pt") in by_attention.err
    (run / "segment").mkdir()
    shutil.copy(checkpoint, run / "segment" / "checkpoint.pt")
    by_segmentation = wsss("predict", run, photos, "--out", tmp_path / "s", "--json")
    assert by_segmentation.values["kind"] == "segmentation"
    assert str(run / "segment" / "checkpoint.pt") in by_segmentation.err


def test_overlay_is_the_photograph_with_what_was_found(
    wsss: Command, checkpoint: Path, tmp_path: Path
) -> None:
    photo = photograph(tmp_path / "a.jpg", 120, 160)
    done = wsss("predict", checkpoint, photo, "--out", tmp_path / "out", "--overlay", "--json")
    assert done.code == 0, done.err
    (picture,) = done.values["pictures"]
    overlay = np.array(Image.open(picture["overlay"]))
    assert overlay.shape == (120, 160, 3)
    label_map = read_label_map(tmp_path / "out" / "a.png")
    changed = np.abs(overlay.astype(int) - np.array(Image.open(photo))).sum(axis=2) > 30
    # Areas are tinted; deep in the background nothing is.
    assert changed[label_map > 0].mean() > 0.7
    inner = cv2.erode((label_map == 0).astype(np.uint8), np.ones((25, 25)), borderValue=1) > 0
    assert not inner.any() or changed[inner].mean() < 0.2


def test_overlay_asked_for_later_is_drawn_without_the_network(
    wsss: Command,
    checkpoint: Path,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = ["predict", checkpoint, photos, "--json", "--out"]
    assert wsss(*asked, tmp_path / "once", "--overlay").code == 0
    assert wsss(*asked, tmp_path / "later").code == 0
    before = _content(tmp_path / "later", "**/*.png")

    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("the network is asked")

    monkeypatch.setattr("wsss_cli.stages.segment.image_prediction.ImagePredictor.scores", forbidden)
    later = wsss(*asked, tmp_path / "later", "--overlay")
    assert later.code == 0, later.err
    assert later.values["status"] == "complete"
    overlays = "overlays/**/*.jpg"
    assert _content(tmp_path / "later", overlays) == _content(tmp_path / "once", overlays)
    assert len(_content(tmp_path / "later", overlays)) == 3
    assert _content(tmp_path / "later", "**/*.png") == before


def test_again_it_is_up_to_date_and_more_photographs_join(
    wsss: Command, checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    asked = ["predict", checkpoint, photos, "--out", tmp_path / "out", "--json"]
    assert wsss(*asked).code == 0
    before = _content(tmp_path / "out", "**/*.png")
    again = wsss(*asked)
    assert again.values["status"] == "up to date"
    assert len(again.values["pictures"]) == 3
    photograph(photos / "more.jpg", seed=7)
    more = wsss(*asked)
    assert (more.values["written"], more.values["skipped"]) == (1, 3)
    after = _content(tmp_path / "out", "**/*.png")
    assert set(after) - set(before) == {"more.png"}
    assert {name: after[name] for name in before} == before


def test_changed_photograph_is_predicted_again_with_all_that_is_made_of_it(
    wsss: Command, checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    asked = ["predict", checkpoint, photos, "--out", out]
    assert wsss(*asked, "--overlay", "--probabilities").code == 0
    before = _content(out, "*.png")
    photograph(photos / "b.png", 40, 33, seed=9)
    again = wsss(*asked, "--json")
    assert (again.values["written"], again.values["skipped"]) == (1, 2)
    assert "b.png" in again.err
    assert _content(out, "*.png")["IMG 1.png"] == before["IMG 1.png"]
    assert read_label_map(out / "b.png").shape == (40, 33)
    # What was made of the former picture does not stay beside the new one.
    assert _names(out, "overlays/*.jpg") == ["overlays/IMG 1.jpg"]
    with ScoreFile(out / "scores.h5") as scores:
        assert scores.image_ids == ["IMG_1", "day1__IMG_1"]
    photograph_time = (photos / "IMG 1.jpg").stat().st_mtime
    os.utime(photos / "IMG 1.jpg", (photograph_time + 5, photograph_time + 5))
    assert wsss(*asked, "--json").values["status"] == "up to date"  # touched, not changed


@pytest.mark.parametrize("change", [["--crf", "irn"], ["--no-flip"], ["--scales", "1"]])
def test_other_settings_are_refused_and_replace_everything_with_overwrite(
    wsss: Command, checkpoint: Path, photos: Path, tmp_path: Path, change: list[str]
) -> None:
    out = tmp_path / "out"
    asked = ["predict", checkpoint, photos, "--out", out]
    assert wsss(*asked, "--overlay").code == 0
    before = _content(out, "**/*")
    refused = wsss(*asked, *change)
    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert "--out" in refused.err
    assert change[0].removeprefix("--").removeprefix("no-") in refused.err
    assert _content(out, "**/*") == before
    single = ["predict", checkpoint, photos / "b.png", "--out", out, *change, "--overwrite"]
    replaced = wsss(*single)
    assert replaced.code == 0, replaced.err
    assert "IMG 1" in replaced.err  # results that go are named
    assert _names(out, "**/*.png") == ["b.png"]
    assert _names(out, "overlays/**/*") == []


def test_another_network_is_another_result(
    wsss: Command, checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    other = segmentation_checkpoint(tmp_path / "other.pt", ("a", "b"))
    assert wsss("predict", checkpoint, photos, "--out", tmp_path / "out").code == 0
    refused = wsss("predict", other, photos, "--out", tmp_path / "out")
    assert refused.code == 2
    assert "checkpoint" in refused.err


class Stopping(Silent):
    """Stops the work when so many pictures are done."""

    def __init__(self, after: int) -> None:
        self.after = after

    def steps(self, items: Iterable[Any], **_: Any) -> Iterator[Any]:
        for number, item in enumerate(items):
            if number == self.after:
                raise KeyboardInterrupt
            yield item


@pytest.mark.parametrize("stop", [0, 1, 2])
def test_stopped_it_continues_to_the_same_bytes(
    checkpoint: Path, photos: Path, tmp_path: Path, stop: int
) -> None:
    def config(out: str) -> PredictConfig:
        return PredictConfig(
            checkpoint=checkpoint,
            photos=(str(photos),),
            out=tmp_path / out,
            overlay=True,
            probabilities=True,
            amp="off",
        )

    predict.run(config("whole"), track=Silent())
    with pytest.raises(KeyboardInterrupt):
        predict.run(config("stopped"), track=Stopping(stop))
    assert not list((tmp_path / "stopped").rglob("*.partial*"))
    report = predict.run(config("stopped"), track=Silent())
    assert report.values["skipped"] >= stop
    for pattern in ("**/*.png", "**/*.jpg", "**/*.h5"):
        assert _content(tmp_path / "stopped", pattern) == _content(tmp_path / "whole", pattern)


def test_one_broken_photograph_costs_no_other(
    wsss: Command, checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    whole = (photos / "IMG 1.jpg").read_bytes()
    (photos / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "text.jpg").write_text("no picture")
    asked = ["predict", checkpoint, photos, "--out", tmp_path / "out"]
    for _ in range(2):  # not done the second time either
        done = wsss(*asked, "--json")
        assert done.code == 1
        failed = {Path(each["file"]).name for each in done.values["failed"]}
        assert failed == {"cut.jpg", "text.jpg"}
        assert all(name in done.err for name in failed)
        assert done.err.splitlines()[-1].startswith("error: ")
        assert _names(tmp_path / "out", "*.png") == ["IMG 1.png", "b.png"]
    shutil.copy(photos / "IMG 1.jpg", photos / "cut.jpg")
    (photos / "text.jpg").unlink()
    assert wsss(*asked).code == 0
    assert _names(tmp_path / "out", "*.png") == ["IMG 1.png", "b.png", "cut.png"]


def test_file_that_is_no_picture_is_named_and_alone_leaves_nothing(
    wsss: Command, checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    done = wsss("predict", checkpoint, tmp_path / "notes.txt", "--out", tmp_path / "out")
    assert done.code == 1
    assert "notes.txt" in done.err
    assert not (tmp_path / "out").exists()


def test_what_is_left_out_of_a_folder_is_named(
    wsss: Command, checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    for name in ("notes.txt", "raw.heic", "more.heic"):
        (photos / name).write_text("")
    photograph(photos / "masks" / "b.png")
    video(photos / "clip.mp4", 1)
    done = wsss("predict", checkpoint, photos, "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    assert len(done.values["pictures"]) == 3
    assert done.values["videos"] == []
    for told in ("2 .heic", "1 .txt", "masks", "clip.mp4"):
        assert told in done.err
        assert any(told in remark for remark in done.values["remarks"])


def test_quoted_patterns_work_and_keep_folders(
    wsss: Command, checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    done = wsss("predict", checkpoint, f"{photos}/**/*.[jJ]*", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert _names(tmp_path / "out", "**/*.png") == ["IMG 1.png", "day1/IMG 1.png"]


@pytest.mark.parametrize("argument", ["nowhere.jpg", "*.gif", "phots", "photos/*/nothing"])
def test_argument_that_names_nothing_is_wrong_usage(
    wsss: Command,
    checkpoint: Path,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    argument: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = wsss("predict", checkpoint, photos, argument, "--out", "out")
    assert refused.code == 2
    assert argument in refused.err
    assert argument != "phots" or "did you mean photos" in refused.err
    assert not (tmp_path / "out").exists()


def test_files_of_one_name_do_not_overwrite_each_other(
    wsss: Command, checkpoint: Path, tmp_path: Path
) -> None:
    paths = [
        photograph(tmp_path / "a" / "x.jpg", 20, 30, 0),
        photograph(tmp_path / "b" / "x.jpg", 21, 31, 1),
        photograph(tmp_path / "b" / "x.png", 22, 32, 2),
        photograph(tmp_path / "b" / "X.webp", 23, 33, 3),
    ]
    done = wsss("predict", checkpoint, *paths, "--out", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    sizes = {}
    for picture in done.values["pictures"]:
        sizes[picture["label_map"]] = read_label_map(Path(picture["label_map"])).shape
    assert list(sizes.values()) == [(20, 30), (21, 31), (22, 32), (23, 33)]
    assert "b/X_webp" in done.err
    later = wsss("predict", checkpoint, paths[0], "--out", tmp_path / "out")
    assert later.code == 0
    refused = wsss("predict", checkpoint, paths[1], "--out", tmp_path / "out")
    assert refused.code == 2
    assert str(paths[0]) in refused.err
    assert str(paths[1]) in refused.err


def test_several_folders_keep_their_names(
    wsss: Command, checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    photograph(tmp_path / "others" / "b.png")
    done = wsss("predict", checkpoint, photos, tmp_path / "others", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert _names(tmp_path / "out", "**/b.png") == ["others/b.png", "photos/b.png"]


def test_photographs_are_never_overwritten(
    wsss: Command, checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    before = _content(photos, "**/*")
    (tmp_path / "run" / "train").mkdir(parents=True)
    for out in (photos, photos / "day1", tmp_path):
        for extra in ([], ["--overwrite"]):
            refused = wsss("predict", checkpoint, photos, "--out", out, *extra)
            assert refused.code == 2
            assert str(out) in refused.err
    assert _content(photos, "**/*") == before
    inside = wsss("predict", checkpoint, photos, "--out", photos / "found", "--overlay")
    assert inside.code == 0, inside.err
    again = wsss("predict", checkpoint, photos, "--out", photos / "found", "--overlay", "--json")
    assert again.values["status"] == "up to date"  # its own results are no photographs
    assert len(again.values["pictures"]) == 3
    refused = wsss("predict", checkpoint, photos / "found", "--out", tmp_path / "twice")
    assert refused.code == 2


def test_result_of_another_stage_is_not_replaced(
    wsss: Command, checkpoint: Path, photos: Path, trained: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    before = _content(run, "**/*")
    for extra in ([], ["--overwrite"]):
        refused = wsss("predict", checkpoint, photos, "--out", run / "attend", *extra)
        assert refused.code == 2
        assert "attend" in refused.err
    assert _content(run, "**/*") == before


def test_stranger_among_the_results_is_not_overwritten(
    wsss: Command, checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert wsss("predict", checkpoint, photos / "b.png", "--out", out).code == 0
    own = photograph(out / "IMG 1.png").read_bytes()
    refused = wsss("predict", checkpoint, photos, "--out", out)
    assert refused.code == 2
    assert "IMG 1.png" in refused.err
    assert (out / "IMG 1.png").read_bytes() == own


def test_record_out_of_a_file_leads_nowhere(
    wsss: Command, checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    out, photo = tmp_path / "out", photos / "b.png"
    assert wsss("predict", checkpoint, photo, "--out", out).code == 0
    record = json.loads((out / "records" / "b.json").read_text())
    for path in ("../photos/b.png", str(photo), "manifest.json", "records/b.json"):
        (out / "records" / "b.json").write_text(json.dumps({**record, "label_map": path}))
        wsss("predict", checkpoint, photo, "--out", out, "--no-flip", "--overwrite")
        assert photo.exists()
        assert (out / "manifest.json").exists()
        shutil.rmtree(out)
        assert wsss("predict", checkpoint, photo, "--out", out).code == 0


@pytest.mark.parametrize("orientation", range(2, 9))
def test_turned_photograph_is_seen_upright_and_labelled_as_stored(
    wsss: Command, checkpoint: Path, tmp_path: Path, orientation: int
) -> None:
    turned = photograph(tmp_path / "turned.png", orientation=orientation)
    upright = tmp_path / "upright.png"
    Image.fromarray(np.array(ImageOps.exif_transpose(Image.open(turned)))).save(upright)
    asked = ["predict", checkpoint, turned, upright, "--out", tmp_path / "out", "--overlay"]
    done = wsss(*asked, "--probabilities", "--json")
    assert done.code == 0, done.err
    stored = Image.open(tmp_path / "out" / "turned.png")
    assert stored.size == Image.open(turned).size
    seen = np.array(ImageOps.exif_transpose(stored))
    assert np.array_equal(seen, read_label_map(tmp_path / "out" / "upright.png"))
    assert len(np.unique(seen)) > 1
    overlays = [np.array(Image.open(p["overlay"])) for p in done.values["pictures"]]
    assert np.array_equal(*overlays)
    assert "upright: 1 of 2 pictures" in done.err
    with ScoreFile(tmp_path / "out" / "scores.h5") as scores:
        image = scores.read("turned")
        found = label_probabilities(torch.from_numpy(image.scores), image.size).argmax(dim=0)
        assert np.array_equal(found.numpy(), np.array(stored))


@pytest.mark.parametrize(
    "name", ["Screenshot at 9.41\u202fAM", "a\\b", "a..b", "ünï *[x]", "a.b.c", " ", "x" * 190]
)
def test_names_as_photographs_have_them(
    wsss: Command, checkpoint: Path, tmp_path: Path, name: str
) -> None:
    photo = photograph(tmp_path / "photos" / f"{name}.jpg")
    for given in (photo, photo.parent):
        asked = ["predict", checkpoint, given, "--out", tmp_path / "out", "--json"]
        done = wsss(*asked, "--overlay", "--probabilities")
        assert done.code == 0, done.err
        assert (tmp_path / "out" / f"{name}.png").is_file()
    assert done.values["status"] == "up to date"
    assert done.values["pictures"][0]["file"] == str(photo)


@pytest.mark.parametrize("name", ["...jpg", "..jpg", "x" * 210 + ".jpg"])
def test_name_that_nothing_else_can_have_is_told(
    wsss: Command, checkpoint: Path, tmp_path: Path, name: str
) -> None:
    shutil.copy(photograph(tmp_path / "a.jpg"), tmp_path / name)
    done = wsss("predict", checkpoint, tmp_path / name, tmp_path / "a.jpg", "--out", tmp_path / "o")
    assert done.code == 1
    assert name in done.err
    assert (tmp_path / "o" / "a.png").is_file()


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (3, 700), (700, 3)])
def test_any_size(wsss: Command, checkpoint: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    photo = photograph(tmp_path / "a.png", *size)
    done = wsss("predict", checkpoint, photo, "--out", tmp_path / "out", "--overlay")
    assert done.code == 0, done.err
    assert read_label_map(tmp_path / "out" / "a.png").shape == size


def test_large_photographs_are_looked_at_as_large_as_those_of_the_training(
    wsss: Command, checkpoint: Path, tmp_path: Path
) -> None:
    small = photograph(tmp_path / "small.png", 60, 80)
    large = tmp_path / "large.png"
    Image.open(small).resize((400, 300), Image.Resampling.NEAREST).save(large)
    asked = ["predict", checkpoint, small, large, "--amp", "off", "--json", "--out"]
    done = wsss(*asked, tmp_path / "out")
    assert (
        "longer side reduced to 80 pixels, since the network knows no larger ones: 1 of 2"
        in done.err
    )
    label_map = read_label_map(tmp_path / "out" / "large.png")
    assert label_map.shape == (300, 400)
    centres = label_map[2::5, 2::5]
    assert (centres == read_label_map(tmp_path / "out" / "small.png")).mean() > 0.97
    whole = wsss(*asked, tmp_path / "whole", "--longest-side", 0)
    assert "reduced" not in whole.err
    assert (read_label_map(tmp_path / "whole" / "large.png") != label_map).mean() > 0.05
    refined = wsss(*asked, tmp_path / "refined", "--crf", "irn")
    assert refined.code == 0, refined.err
    small_map, large_map = (
        read_label_map(tmp_path / "refined" / f"{name}.png") for name in ("small", "large")
    )
    assert (large_map[2::5, 2::5] == small_map).mean() > 0.9


def test_training_records_the_size_of_its_pictures(voc: TinyVoc, tmp_path: Path) -> None:
    config = SegmentConfig(
        run=tmp_path, data=voc.root, supervision="full", model="tiny", iterations=1, crop=32,
        batch_size=2,
    )  # fmt: skip
    segment.run(config, track=Silent())
    content = torch.load(tmp_path / "segment" / "checkpoint.pt", weights_only=True)
    assert content["longest_side"] == 64


def test_attention_checkpoint_finds_classes_and_where_they_are(
    wsss: Command, lively_checkpoint: Path, voc: TinyVoc, tmp_path: Path
) -> None:
    out, run = tmp_path / "out", tmp_path / "run"
    paths = [voc.image(image_id) for image_id in voc.val_ids]
    done = wsss(
        *("predict", lively_checkpoint, *paths, "--out", out, "--overlay", "--probabilities"),
        *("--size", 64, "--amp", "off", "--json"),
    )
    assert done.code == 0, done.err
    config = AttendConfig(
        run=run, data=voc.root, checkpoint=lively_checkpoint, split="val", labels="predicted",
        size=64, amp="off",
    )  # fmt: skip
    attend.run(config, track=Silent())
    with (
        AttentionFile(out / "attention.h5", CLASSES) as mine,
        AttentionFile(run / "attend" / "attention.h5") as theirs,
    ):
        assert mine.labels == theirs.labels == "predicted"
        for image_id, picture in zip(voc.val_ids, done.values["pictures"], strict=True):
            a, b = mine.read(image_id), theirs.read(image_id)
            assert a.class_ids.tolist() == b.class_ids.tolist()
            assert np.allclose(a.maps, b.maps, atol=2e-3)
            assert np.allclose(a.logits, b.logits, atol=1e-4)
            probabilities = 1 / (1 + np.exp(-a.logits))
            told = {c["id"]: c["probability"] for c in picture["classes"]}
            assert told == pytest.approx(
                {int(c): float(probabilities[c - 1]) for c in a.class_ids}, abs=1e-5
            )
            for class_id, attention in zip(a.class_ids.tolist(), a.maps, strict=True):
                path = out / image_id / f"{CLASSES[class_id - 1]}.png"
                assert picture["maps"][CLASSES[class_id - 1]] == str(path)
                grey = np.array(Image.open(path))
                assert np.abs(grey / 255 - attention).max() < 5e-3
            assert np.array(Image.open(picture["overlay"])).shape == (48, 64, 3)
    again = wsss("predict", lively_checkpoint, *paths, "--out", out, "--size", 64, "--amp", "off")
    assert again.out.startswith("predict up to date")


@pytest.mark.parametrize("kind", ["segmentation", "attention"])
@pytest.mark.parametrize(
    "order", [("--overlay", "--probabilities"), ("--probabilities", "--overlay")]
)
def test_what_is_asked_for_later_joins_what_is_there(
    wsss: Command,
    checkpoint: Path,
    lively_checkpoint: Path,
    photos: Path,
    tmp_path: Path,
    kind: str,
    order: tuple[str, str],
) -> None:
    network = {"segmentation": [checkpoint], "attention": [lively_checkpoint, "--size", 64]}[kind]
    asked = ["predict", *network, photos, "--amp", "off", "--json", "--out"]
    once = wsss(*asked, tmp_path / "out", *order)
    assert once.code == 0, once.err
    whole = (tmp_path / "out").rename(tmp_path / "once")
    for extras in ([], [order[0]], [order[1]]):
        later = wsss(*asked, tmp_path / "out", *extras)
        assert later.code == 0, later.err
    for pattern in ("**/*.png", "overlays/**/*", "records/**/*", "*/*.h5"):
        assert _content(tmp_path / "out", pattern) == _content(whole, pattern)
        assert _content(whole, pattern)
    assert later.values["pictures"] == once.values["pictures"]
    for key in ("label_map", "maps"):
        assert (key in once.values["pictures"][0]) == ((key == "maps") == (kind == "attention"))


def test_overlays_removed_by_hand_are_drawn_again_of_the_maps(
    wsss: Command, checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    asked = ["predict", checkpoint, photos, "--out", out, "--json"]
    assert wsss(*asked, "--overlay", "--probabilities").code == 0
    before = _content(out, "**/*.*")
    (out / "overlays" / "b.jpg").unlink()
    assert wsss(*asked, "--overlay").values["written"] == 1
    assert _content(out, "**/*.??*").keys() == before.keys()
    shutil.rmtree(out / "overlays")
    without = wsss(*asked)
    assert without.code == 0, without.err
    assert all("overlay" not in picture for picture in without.values["pictures"])
    for pattern in ("**/*.png", "*/*.h5"):
        kept = {name: before[name] for name in _names(out, pattern)}
        assert _content(out, pattern) == kept
        assert len(kept) == 3
    assert wsss(*asked).values["status"] == "up to date"


def test_label_map_that_cannot_be_read_costs_no_other_overlay(
    wsss: Command, checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    asked = ["predict", checkpoint, photos, "--out", out, "--json"]
    assert wsss(*asked).code == 0
    (out / "b.png").write_text("no picture")
    done = wsss(*asked, "--overlay")
    assert done.code == 1
    (failed,) = done.values["failed"]
    assert failed["file"] == str(photos / "b.png")
    assert str(out / "b.png") in failed["reason"]
    assert _names(out, "overlays/**/*.jpg") == ["overlays/IMG 1.jpg", "overlays/day1/IMG 1.jpg"]
    (out / "b.png").unlink()
    assert wsss(*asked, "--overlay").code == 0


@pytest.mark.parametrize("option", [("--crf", "irn"), ("--merge", "max"), ("--longest-side", 99)])
def test_options_of_label_maps_are_refused_for_attention(
    wsss: Command, lively_checkpoint: Path, photos: Path, tmp_path: Path, option: tuple[str, Any]
) -> None:
    out = tmp_path / "out"
    refused = wsss("predict", lively_checkpoint, photos, "--out", out, *option)
    assert refused.code == 2
    assert option[0] in refused.err
    assert not out.exists()


def test_redrawn_attention_is_that_of_the_preset(
    wsss: Command, lively_checkpoint: Path, voc: TinyVoc, tmp_path: Path
) -> None:
    out, run = tmp_path / "out", tmp_path / "run"
    shared = ("--size", 64, "--amp", "off")
    paths = [voc.image(image_id) for image_id in voc.val_ids]
    asked = ("predict", lively_checkpoint, *paths, "--out", out, "--probabilities", *shared)
    assert wsss(*asked, "--redraw").code == 0
    made = ("attend", "--checkpoint", lively_checkpoint, "--data", voc.root, "--split", "val")
    labels = ("--labels", "predicted", "--preset", "quick")
    assert wsss(*made, *labels, "--run", run, *shared).code == 0
    with (
        AttentionFile(out / "attention.h5") as predicted,
        AttentionFile(run / "attend" / "attention.h5") as attended,
    ):
        for image_id in voc.val_ids:
            a, b = predicted.read(image_id), attended.read(image_id)
            assert a.class_ids.tolist() == b.class_ids.tolist()
            assert np.abs(a.maps.astype(float) - b.maps).max() < 5e-3
    plain = wsss(*asked)
    assert plain.code == 2
    assert "redraw" in plain.err
    half = [part for part in asked if part not in ("--amp", "off")]
    assert wsss(*half, "--redraw", "--overwrite").code == 0


@pytest.mark.parametrize("option", [["--size", 64], ["--redraw"]])
def test_options_of_attention_are_refused_for_label_maps(
    wsss: Command, checkpoint: Path, photos: Path, tmp_path: Path, option: list[Any]
) -> None:
    refused = wsss("predict", checkpoint, photos, "--out", tmp_path / "out", *option)
    assert refused.code == 2
    assert str(option[0]) in refused.err


def test_video_becomes_a_video_of_overlays(
    wsss: Command, checkpoint: Path, lively_checkpoint: Path, tmp_path: Path
) -> None:
    clip = video(tmp_path / "clip.mp4", 6, 48, 64, fps=12.5)
    row = video(tmp_path / "row.avi", 4, 48, 64, fps=10)
    for network, extra in ((checkpoint, []), (lively_checkpoint, ["--size", "64"])):
        out = tmp_path / f"out{len(extra)}"
        done = wsss("predict", network, clip, row, "--out", out, *extra, "--json")
        assert done.code == 0, done.err
        for told, frames, fps in zip(done.values["videos"], (6, 4), (12.5, 10), strict=True):
            assert (told["frames"], told["fps"], told["size"]) == (frames, fps, [48, 64])
            assert told["classes"]
            for found in told["classes"]:
                assert 1 <= found["frames"] <= frames
            with opened_video(Path(told["video"])) as overlays:
                assert overlays.outline.size == (48, 64)
                assert overlays.outline.fps == pytest.approx(fps)
                assert sum(1 for _ in overlays.frames()) == frames
        again = wsss("predict", network, clip, row, "--out", out, *extra, "--json")
        assert again.values["status"] == "up to date"
        assert again.values["videos"] == done.values["videos"]


def test_videos_that_end_too_soon_are_named(
    wsss: Command, checkpoint: Path, tmp_path: Path
) -> None:
    whole = video(tmp_path / "whole.avi", 40)
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    headless = tmp_path / "headless.mp4"
    headless.write_bytes(video(tmp_path / "b.mp4").read_bytes()[:700])
    asked = ["predict", checkpoint, cut, headless, "--out", tmp_path / "out", "--scales", 1]
    for _ in range(2):
        done = wsss(*asked, "--no-flip", "--json")
        assert done.code == 1
        assert {Path(f["file"]).name for f in done.values["failed"]} == {"cut.avi", "headless.mp4"}
        assert _names(tmp_path / "out", "**/*.mp4") == ["cut.mp4"]


def test_stopped_video_leaves_nothing_and_begins_again(
    wsss: Command, checkpoint: Path, tmp_path: Path
) -> None:
    clip = video(tmp_path / "clip.mp4", 5)
    config = PredictConfig(checkpoint=checkpoint, photos=(str(clip),), out=tmp_path / "out")

    class StoppingInVideo(Stopping):
        def steps(self, items: Iterable[Any], *, label: str, **rest: Any) -> Iterator[Any]:
            yield from super().steps(items) if "clip" in label else items

    with pytest.raises(KeyboardInterrupt):
        predict.run(config, track=StoppingInVideo(2))
    assert _names(tmp_path / "out", "**/*mp4*") == []
    assert wsss("predict", checkpoint, clip, "--out", tmp_path / "out").code == 0


@pytest.mark.parametrize("ending", ["png", "mp4"])
def test_moved_and_changed_file_is_predicted_again(
    wsss: Command, checkpoint: Path, tmp_path: Path, ending: str
) -> None:
    def draw(path: Path, size: int) -> Path:
        return photograph(path, size, size) if ending == "png" else video(path, 2, size, size)

    first, moved = draw(tmp_path / "first" / f"x.{ending}", 32), tmp_path / "moved" / f"x.{ending}"
    asked = ["--out", tmp_path / "out", "--json"]
    assert wsss("predict", checkpoint, first, *asked).code == 0
    draw(moved, 48)
    refused = wsss("predict", checkpoint, moved, *asked)
    assert refused.code == 2
    assert str(first) in refused.err
    first.unlink()
    again = wsss("predict", checkpoint, moved, *asked)
    assert again.code == 0, again.err
    assert f"predicted again: x.{ending}" in again.err
    (told,) = again.values["pictures"] + again.values["videos"]
    assert told["size"] == [48, 48]


def test_scores_of_a_video_are_refused(wsss: Command, checkpoint: Path, tmp_path: Path) -> None:
    clip = video(tmp_path / "clip.mp4", 1)
    refused = wsss("predict", checkpoint, clip, "--out", tmp_path / "out", "--probabilities")
    assert refused.code == 2
    assert "--probabilities" in refused.err


@pytest.mark.parametrize("what", ["missing", "empty run", "picture", "resume", "text"])
def test_what_holds_no_network_is_named(
    wsss: Command, checkpoint: Path, photos: Path, tmp_path: Path, what: str
) -> None:
    path = tmp_path / "network"
    if what == "empty run":
        (path / "train").mkdir(parents=True)
    elif what == "picture":
        path = photos / "b.png"
    elif what == "resume":
        content = torch.load(checkpoint, weights_only=True)
        torch.save({**content, "kind": "resume"}, path)
    elif what == "text":
        path.write_text("no network")
    refused = wsss("predict", path, photos, "--out", tmp_path / "out")
    assert refused.code == (1 if what in ("resume", "text") else 2)
    assert str(path) in refused.err
    assert refused.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_dry_run_tells_and_changes_nothing(
    wsss: Command, checkpoint: Path, photos: Path, tmp_path: Path
) -> None:
    done = wsss("predict", checkpoint, photos, "--out", tmp_path / "out", "--dry-run", "--json")
    assert done.code == 0, done.err
    assert (done.values["pictures"], done.values["kind"]) == (3, "segmentation")
    assert not (tmp_path / "out").exists()
    clip = video(tmp_path / "clip.mp4", 2)
    asked = ["predict", checkpoint, photos, "--out", tmp_path / "out"]
    assert wsss(*asked).code == 0
    assert wsss(*asked, "--dry-run", "--json").values["found"] == "complete"
    (photos / "cut.jpg").write_bytes((photos / "IMG 1.jpg").read_bytes()[:500])
    more = wsss(*asked, clip, "--dry-run", "--json")
    assert more.code == 0, more.err
    assert more.values["found"] == "resumable"
    assert more.values["estimate"]["seconds"] > 0
    assert "Path" not in wsss(*asked, clip, "--dry-run").out


def test_nothing_found_is_said(wsss: Command, tmp_path: Path) -> None:
    network = segmentation_checkpoint(tmp_path / "checkpoint.pt")
    content = torch.load(network, weights_only=True)
    content["network"]["classifier.score.bias"][0] = 1e4  # everything is background
    torch.save(content, network)
    for name in ("a.png", "b.png"):
        photograph(tmp_path / name)
    done = wsss("predict", network, tmp_path / "a.png", tmp_path / "b.png", "--out", tmp_path / "o")
    assert done.code == 0, done.err
    assert "nothing found in 2 of 2 pictures" in done.out


def test_wrong_usage_is_told_without_torch(checkpoint: Path, photos: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['torch'] = None\nfrom wsss_cli.cli.app import app\napp()"
    for arguments in (
        [tmp_path / "nowhere.pt", photos, "--out", tmp_path / "out"],
        [checkpoint, tmp_path / "nothing", "--out", tmp_path / "out"],
        [checkpoint, photos, "--out", photos],
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, "predict", *map(str, arguments)],
            capture_output=True,
            text=True,
            env=clean_environment(),
            check=False,
        )
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("error: ")
