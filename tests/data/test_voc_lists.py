"""Lists of VOC trees as DeepLab, psa and people write them, and trees without any."""

from pathlib import Path

import pytest
from data_sets_drawn import voc_set

from wsss_cli.data.voc import VocDataSet
from wsss_cli.data.voc import find as find_voc
from wsss_cli.errors import WsssError

IDS = [f"p{i:02d}" for i in range(6)]


def _find(root: Path) -> VocDataSet:
    voc = find_voc(root)
    assert voc is not None
    return voc


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "{}.jpg",
        "{}.png",
        "/JPEGImages/{0}.jpg /SegmentationClassAug/{0}.png",
        "JPEGImages/{0}.jpg SegmentationClass/{0}.png",
        "/data/VOC2012/JPEGImages/{}.jpg",
        "{}  1",
        "{} -1",
        "{}\r",
        "\n  {}",
        "# a comment\n{}",
    ],
)
def test_lines_name_pictures(tmp_path: Path, line: str) -> None:
    voc = _find(voc_set(tmp_path / "voc", lines=[line.format(i) for i in IDS]))
    assert voc.image_ids("train") == IDS[:4]
    assert voc.image_ids("val") == IDS[4:]
    assert voc.labels(IDS).sum() == 6
    assert not voc.problems


def test_byte_order_mark_is_no_part_of_an_id(tmp_path: Path) -> None:
    root = voc_set(tmp_path / "voc")
    path = root / "ImageSets" / "Segmentation" / "train.txt"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert _find(root).image_ids("train") == IDS[:4]


@pytest.mark.parametrize("pattern", ["my photo {}", "photo({})", "été {}", "a[{}]", "x & y, {}"])
def test_ids_may_hold_what_file_names_hold(tmp_path: Path, pattern: str) -> None:
    ids = [pattern.format(i) for i in range(6)]
    voc = _find(voc_set(tmp_path / "voc", ids))
    assert voc.image_ids("train") == ids[:4]
    assert all(voc.image_path(image_id).stem == image_id for image_id in ids)
    assert all(voc.has_mask(image_id) for image_id in ids)
    assert voc.labels(ids).sum() == 6


@pytest.mark.parametrize("ending", [".JPG", ".jpeg", ".Jpg", ".PNG"])
def test_endings_may_be_written_otherwise(tmp_path: Path, ending: str) -> None:
    voc = _find(voc_set(tmp_path / "voc", ending=ending))
    assert [voc.image_path(i).name for i in voc.image_ids("val")] == [
        f"p04{ending}",
        f"p05{ending}",
    ]


def test_masks_and_annotations_may_differ_in_capitals(tmp_path: Path) -> None:
    root = voc_set(tmp_path / "voc", lines=[i.upper() for i in IDS])
    for folder, ending in (("Annotations", ".XML"), ("SegmentationClass", ".PNG")):
        for path in sorted((root / folder).iterdir()):
            path.rename(path.with_name(path.stem.upper() + ending))
    voc = _find(root)
    assert voc.image_ids("train") == IDS[:4]
    assert voc.labels(IDS).sum() == 6
    assert voc.has_mask("p00")
    assert voc.true_label_map("p00") is not None
    assert any("capitals" in remark for remark in voc.remarks)


def test_missing_picture_keeps_its_whole_name(tmp_path: Path) -> None:
    ids = [f"my photo {i}" for i in range(6)]
    root = voc_set(tmp_path / "voc", ids)
    (root / "JPEGImages" / "my photo 2.jpg").unlink()
    assert _find(root).image_ids("train") == ids[:4]


@pytest.mark.parametrize("folder", ["ImageSets/Main", "ImageSets"])
def test_lists_may_lie_in_other_folders(tmp_path: Path, folder: str) -> None:
    root = voc_set(tmp_path / "voc", lists=folder)
    (root / folder / "cat_train.txt").write_text("p00 1\np01 -1\n")
    voc = _find(root)
    assert voc.splits() == ["train", "val"]
    assert voc.image_ids("train") == IDS[:4]


def test_lists_may_have_other_names(tmp_path: Path) -> None:
    root = voc_set(tmp_path / "voc")
    lists = root / "ImageSets" / "Segmentation"
    (lists / "train.txt").rename(lists / "Training.txt")
    (lists / "val.txt").rename(lists / "VAL.txt")
    voc = _find(root)
    assert voc.image_ids(voc.training_split()) == voc.image_ids("Training") == IDS[:4]
    assert voc.image_ids("val") == IDS[4:]
    assert any("Training as train" in remark for remark in voc.remarks)


def test_without_lists_pictures_with_an_annotation_are_trained_on(tmp_path: Path) -> None:
    root = voc_set(tmp_path / "voc", lists=None)
    (root / "Annotations" / "p05.xml").unlink()
    voc = _find(root)
    assert voc.splits() == ["train"]
    assert voc.image_ids("train") == IDS[:5]
    assert "no list in ImageSets/Segmentation" in str(voc.about_training())
    assert any("5 pictures with an annotation are train" in remark for remark in voc.remarks)


def test_without_lists_and_annotations_the_missing_labels_are_the_reason(tmp_path: Path) -> None:
    root = voc_set(tmp_path / "voc", lists=None)
    for path in (root / "Annotations").iterdir():
        path.unlink()
    voc = _find(root)
    with pytest.raises(WsssError, match="XML of 6 images"):
        voc.labels(voc.image_ids("train"))


def test_odd_entries_do_not_hide_the_others(tmp_path: Path) -> None:
    voc = _find(voc_set(tmp_path / "voc", lines=[*IDS[:3], "../x", *IDS[4:]]))
    assert voc.usable_ids("train") == IDS[:3]
    assert len(voc.problems) == 1
    assert voc.image_ids("val") == IDS[4:]
    with pytest.raises(WsssError, match="is not an image id"):
        voc.image_ids("train")


def test_files_that_are_not_read_are_counted(tmp_path: Path) -> None:
    root = voc_set(tmp_path / "voc")
    for name in ("a.heic", "b.HEIC", "c.gif", "notes.txt"):
        (root / "JPEGImages" / name).touch()
    assert any("2 .heic, 1 .gif" in remark for remark in _find(root).remarks)


def test_pictures_further_down_are_the_reason_that_there_are_none(tmp_path: Path) -> None:
    root = voc_set(tmp_path / "voc", lists=None)
    (root / "JPEGImages" / "deep").mkdir()
    for path in (root / "JPEGImages").glob("*.jpg"):
        path.rename(path.parent / "deep" / path.name)
    with pytest.raises(WsssError, match=r"\b6 "):
        _find(root).image_ids("train")
