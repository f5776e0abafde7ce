"""Lists of VOC trees as DeepLab, psa and people write them, and trees without any."""

from pathlib import Path

import pytest
from data_sets_drawn import voc_tree

from wsss_cli.data.voc import VocTree
from wsss_cli.errors import WsssError

IDS = [f"p{i:02d}" for i in range(6)]


def _find(root: Path) -> VocTree:
    tree = VocTree.find(root)
    assert tree is not None
    return tree


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
    tree = _find(voc_tree(tmp_path / "voc", lines=[line.format(i) for i in IDS]))
    assert tree.image_ids("train") == IDS[:4]
    assert tree.image_ids("val") == IDS[4:]
    assert tree.labels(IDS).sum() == 6
    assert not tree.problems


def test_byte_order_mark_is_no_part_of_an_id(tmp_path: Path) -> None:
    root = voc_tree(tmp_path / "voc")
    path = root / "ImageSets" / "Segmentation" / "train.txt"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert _find(root).image_ids("train") == IDS[:4]


@pytest.mark.parametrize("pattern", ["my photo {}", "photo({})", "été {}", "a[{}]", "x & y, {}"])
def test_ids_may_hold_what_file_names_hold(tmp_path: Path, pattern: str) -> None:
    ids = [pattern.format(i) for i in range(6)]
    tree = _find(voc_tree(tmp_path / "voc", ids))
    assert tree.image_ids("train") == ids[:4]
    assert all(tree.image_path(image_id).stem == image_id for image_id in ids)
    assert all(tree.has_mask(image_id) for image_id in ids)
    assert tree.labels(ids).sum() == 6


@pytest.mark.parametrize("ending", [".JPG", ".jpeg", ".Jpg", ".PNG"])
def test_endings_may_be_written_otherwise(tmp_path: Path, ending: str) -> None:
    tree = _find(voc_tree(tmp_path / "voc", ending=ending))
    assert [tree.image_path(i).name for i in tree.image_ids("val")] == [
        f"p04{ending}",
        f"p05{ending}",
    ]


def test_masks_and_annotations_may_differ_in_capitals(tmp_path: Path) -> None:
    root = voc_tree(tmp_path / "voc", lines=[i.upper() for i in IDS])
    for folder, ending in (("Annotations", ".XML"), ("SegmentationClass", ".PNG")):
        for path in sorted((root / folder).iterdir()):
            path.rename(path.with_name(path.stem.upper() + ending))
    tree = _find(root)
    assert tree.image_ids("train") == IDS[:4]
    assert tree.labels(IDS).sum() == 6
    assert tree.has_mask("p00")
    assert tree.true_label_map("p00") is not None
    assert any("capitals" in remark for remark in tree.remarks)


def test_missing_picture_keeps_its_whole_name(tmp_path: Path) -> None:
    ids = [f"my photo {i}" for i in range(6)]
    root = voc_tree(tmp_path / "voc", ids)
    (root / "JPEGImages" / "my photo 2.jpg").unlink()
    assert _find(root).image_ids("train") == ids[:4]


@pytest.mark.parametrize("folder", ["ImageSets/Main", "ImageSets"])
def test_lists_may_lie_in_other_folders(tmp_path: Path, folder: str) -> None:
    root = voc_tree(tmp_path / "voc", lists=folder)
    (root / folder / "cat_train.txt").write_text("p00 1\np01 -1\n")
    tree = _find(root)
    assert tree.splits() == ["train", "val"]
    assert tree.image_ids("train") == IDS[:4]


def test_lists_may_have_other_names(tmp_path: Path) -> None:
    root = voc_tree(tmp_path / "voc")
    lists = root / "ImageSets" / "Segmentation"
    (lists / "train.txt").rename(lists / "Training.txt")
    (lists / "val.txt").rename(lists / "VAL.txt")
    tree = _find(root)
    assert tree.image_ids(tree.training_split()) == tree.image_ids("Training") == IDS[:4]
    assert tree.image_ids("val") == IDS[4:]
    assert any("Training as train" in remark for remark in tree.remarks)


def test_without_lists_pictures_with_an_annotation_are_trained_on(tmp_path: Path) -> None:
    root = voc_tree(tmp_path / "voc", lists=None)
    (root / "Annotations" / "p05.xml").unlink()
    tree = _find(root)
    assert tree.splits() == ["train"]
    assert tree.image_ids("train") == IDS[:5]
    assert "no list in ImageSets/Segmentation" in str(tree.about_training())
    assert any("5 pictures with an annotation are train" in remark for remark in tree.remarks)


def test_without_lists_and_annotations_the_missing_labels_are_the_reason(tmp_path: Path) -> None:
    root = voc_tree(tmp_path / "voc", lists=None)
    for path in (root / "Annotations").iterdir():
        path.unlink()
    tree = _find(root)
    with pytest.raises(WsssError, match="lacks the XML of 6 images"):
        tree.labels(tree.image_ids("train"))


def test_odd_entries_do_not_hide_the_others(tmp_path: Path) -> None:
    tree = _find(voc_tree(tmp_path / "voc", lines=[*IDS[:3], "../x", *IDS[4:]]))
    assert tree.usable_ids("train") == IDS[:3]
    assert len(tree.problems) == 1
    assert tree.image_ids("val") == IDS[4:]
    with pytest.raises(WsssError, match="is not an image id"):
        tree.image_ids("train")


def test_files_that_are_not_read_are_counted(tmp_path: Path) -> None:
    root = voc_tree(tmp_path / "voc")
    for name in ("a.heic", "b.HEIC", "c.gif", "notes.txt"):
        (root / "JPEGImages" / name).touch()
    assert any("2 .heic, 1 .gif" in remark for remark in _find(root).remarks)


def test_pictures_further_down_are_the_reason_that_there_are_none(tmp_path: Path) -> None:
    root = voc_tree(tmp_path / "voc", lists=None)
    (root / "JPEGImages" / "deep").mkdir()
    for path in (root / "JPEGImages").glob("*.jpg"):
        path.rename(path.parent / "deep" / path.name)
    with pytest.raises(WsssError, match="6 lie in its folders"):
        _find(root).image_ids("train")
