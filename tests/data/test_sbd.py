"""The list train_aug from SBD's lists and VOC's."""

from pathlib import Path

import pytest
from conftest import TinyVoc

from wsss_cli.data.sbd import train_aug
from wsss_cli.data.voc import VocDataSet


def _sbd(folder: Path, train: list[str], val: list[str]) -> None:
    folder.mkdir(parents=True)
    (folder / "train.txt").write_text("\n".join(train))
    (folder / "val.txt").write_text("\n".join(val))


def test_sizes_of_the_published_lists_give_the_published_size() -> None:
    """VOC's 1,464 and 1,449, SBD's 8,498 and 2,857; the overlaps and ids are made up to fit."""
    names = [str(number) for number in range(20_000)]
    train, val = set(names[:1464]), set(names[2000:3449])
    sbd = [*names[:1134], *names[2000:3103], *names[5000:14118]]
    assert len(sbd) == 8498 + 2857
    assert len(train_aug(set(sbd[:8498]), set(sbd[8498:]), train, val)) == 10_582


@pytest.mark.parametrize("place", ["../benchmark_RELEASE/dataset", "../SBD", "SBD/dataset"])
def test_lists_beside_the_tree_make_train_aug(own_voc: TinyVoc, place: str) -> None:
    ids, val = own_voc.train_ids, own_voc.val_ids
    own_voc.split("train").write_text("\n".join(ids[:3]))
    _sbd(own_voc.root / place, [ids[5], val[0], ids[1]], [ids[9], val[1]])
    voc = VocDataSet(own_voc.root)
    assert voc.training_split() == "train_aug"
    assert voc.image_ids("train_aug") == sorted([*ids[:3], ids[5], ids[9]])
    assert voc.splits() == ["train_aug", "train", "val"]
    assert "5 images; the usual list has 10,582" in str(voc.about_training())
    assert voc.labels(voc.image_ids("train_aug")).shape == (5, 3)


def test_own_list_wins(own_voc: TinyVoc) -> None:
    _sbd(own_voc.root / "SBD", [own_voc.train_ids[0]], [own_voc.train_ids[1]])
    own_voc.split("train_aug").write_text(own_voc.train_ids[7])
    voc = VocDataSet(own_voc.root)
    assert voc.image_ids("train_aug") == [own_voc.train_ids[7]]
    assert voc.about_training() is None


def test_without_vocs_val_nothing_is_made_of_it(own_voc: TinyVoc) -> None:
    """Its images could not be left out."""
    _sbd(own_voc.root / "SBD", [own_voc.train_ids[0]], [own_voc.train_ids[1]])
    own_voc.split("val").unlink()
    assert VocDataSet(own_voc.root).training_split() == "train"
