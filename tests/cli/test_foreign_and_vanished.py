"""What lies beside, beneath or no longer in a run."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import Command, TinyVoc


@pytest.fixture
def labelled(wsss: Command, voc: TinyVoc, trained: Path, tmp_path: Path) -> Path:
    """A run whose proxies are complete."""
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    assert wsss("proxy", "--run", run, "--saliency", voc.saliency).code == 0
    return run


def test_label_map_that_vanished_is_made_again(wsss: Command, voc: TinyVoc, labelled: Path) -> None:
    lost = labelled / "proxy" / "labels" / f"{voc.train_ids[0]}.png"
    before = lost.read_bytes()
    lost.unlink()
    again = wsss("proxy", "--run", labelled, "--saliency", voc.saliency, "--json").values
    assert (again["status"], again["written"]) == ("complete", 1)
    assert lost.read_bytes() == before


def test_overwrite_does_not_reach_through_a_link(
    wsss: Command, voc: TinyVoc, labelled: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "keep.png").write_bytes(b"mine")
    shutil.rmtree(labelled / "proxy" / "labels")
    (labelled / "proxy" / "labels").symlink_to(elsewhere)
    outcome = wsss("proxy", "--run", labelled, "--saliency", voc.saliency, "--overwrite")
    assert outcome.code == 2
    assert "is a link" in outcome.err
    assert (elsewhere / "keep.png").read_bytes() == b"mine"


def test_changed_shard_of_a_copied_attention_file_is_noticed(
    wsss: Command, voc: TinyVoc, trained: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(trained / "attend" / "attention.h5", copy)
    shutil.copytree(trained / "attend" / "shards", copy / "shards")
    command = ("proxy", "--attention", copy / "attention.h5", "--saliency", voc.saliency,
               "--data", voc.root, "--run", tmp_path / "other")  # fmt: skip
    assert wsss(*command).code == 0
    assert wsss(*command, "--json").values["status"] == "up to date"
    with h5py.File(copy / "shards" / "00000.h5", "a") as file:
        maps = file[voc.train_ids[0]]["maps"]
        maps[...] = 1 - maps[...]
    outcome = wsss(*command)
    assert outcome.code == 2
    assert "attention" in outcome.err


@pytest.mark.parametrize("ids", [np.array([1, 1]), np.array([1.0, 2.0])])
def test_class_ids_that_are_not_different_integers_are_refused(
    wsss: Command, voc: TinyVoc, tmp_path: Path, ids: np.ndarray
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group(voc.train_ids[0])
        group["maps"] = np.zeros((2, 48, 64), np.float32)
        group["class_ids"] = ids
    outcome = wsss("proxy", "--attention", tmp_path / "a.h5", "--saliency", voc.saliency,
                   "--run", tmp_path / "r", "--data", voc.root)  # fmt: skip
    assert outcome.code == 1
    assert "different integers" in outcome.err


def test_attention_recorded_at_another_size_than_the_image_is_refused(
    wsss: Command, voc: TinyVoc, tmp_path: Path
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group(voc.train_ids[0])
        group["maps"] = np.zeros((1, 6, 8), np.float32)
        group["class_ids"] = [1]
        group.attrs.update(height=64, width=48)
    outcome = wsss("proxy", "--attention", tmp_path / "a.h5", "--saliency", voc.saliency,
                   "--run", tmp_path / "r", "--data", voc.root)  # fmt: skip
    assert outcome.code == 1
    assert voc.train_ids[0] in outcome.err


def test_data_set_that_has_moved_is_missed_not_replaced_by_vocs_names(
    wsss: Command, own_voc: TinyVoc, labelled: Path, voc: TinyVoc
) -> None:
    for manifest in labelled.glob("*/manifest.json"):
        manifest.write_text(manifest.read_text().replace(str(voc.root), "/no/such/place"))
    outcome = wsss("evaluate", "--run", labelled, "--what", "proxy",
                   "--gt", own_voc.root / "SegmentationClass")  # fmt: skip
    assert outcome.code == 2
    assert "/no/such/place" in outcome.err


def test_masks_without_a_prediction_are_counted(
    wsss: Command, voc: TinyVoc, labelled: Path, tmp_path: Path
) -> None:
    half = tmp_path / "half"
    half.mkdir()
    for image_id in voc.train_ids[:5]:
        shutil.copy(labelled / "proxy" / "labels" / f"{image_id}.png", half)
    outcome = wsss("evaluate", "--pred", half, "--gt", voc.root / "SegmentationClass",
                   "--data", voc.root, "--json")  # fmt: skip
    assert outcome.values["images"] == 5
    assert outcome.values["without_prediction"] == len(voc.train_ids + voc.val_ids) - 5
    assert "not scored" in outcome.err


def test_predictions_of_another_ending_beside_others_are_named(
    wsss: Command, voc: TinyVoc, labelled: Path, tmp_path: Path
) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for number, image_id in enumerate(voc.train_ids[:6]):
        ending = "PNG" if number < 2 else "png"
        shutil.copy(
            labelled / "proxy" / "labels" / f"{image_id}.png", mixed / f"{image_id}.{ending}"
        )
    outcome = wsss("evaluate", "--pred", mixed, "--gt", voc.root / "SegmentationClass",
                   "--data", voc.root, "--json")  # fmt: skip
    assert outcome.values["images"] == 4
    assert "2 .PNG" in outcome.err


def test_table_of_no_command_in_the_config_file_is_refused(wsss: Command, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[trian]\niterations = 3\n")
    outcome = wsss("train", "--config", tmp_path / "c.toml", "-n")
    assert outcome.code == 2
    assert "trian" in outcome.err
