"""The VOC tree: where it is found, what it lists, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from conftest import CLASSES, TinyVoc, annotation_xml, classes_of

from wsss_cli.data.voc import VOC_CLASSES, object_names
from wsss_cli.data.voc import find as find_voc
from wsss_cli.errors import UsageError, WsssError


@pytest.mark.parametrize("above", [".", "VOC2012", "VOCdevkit/VOC2012"])
def test_tree_is_found_from_itself_its_parent_and_the_parent_of_that(
    tmp_path: Path, above: str
) -> None:
    (tmp_path / above / "JPEGImages").mkdir(parents=True)
    assert find_voc(tmp_path).root == (tmp_path / above).resolve()


def test_folder_without_photographs_is_none(tmp_path: Path) -> None:
    assert find_voc(tmp_path) is None
    assert find_voc(tmp_path / "nowhere") is None


def test_lists_are_read_in_their_order(voc: TinyVoc) -> None:
    data_set = find_voc(voc.root)
    assert data_set.image_ids("train") == voc.train_ids
    assert data_set.image_ids("val") == voc.val_ids


def test_list_may_have_further_columns_and_blank_lines(own_voc: TinyVoc) -> None:
    own_voc.split("odd").write_text("b_2  1\n\n  a.1 -1\n")
    assert find_voc(own_voc.root).image_ids("odd") == ["b_2", "a.1"]


def test_training_list_is_train_aug_where_there_is_one(own_voc: TinyVoc) -> None:
    voc = find_voc(own_voc.root)
    assert voc.training_split() == "train"
    own_voc.split("train_aug").write_text("x\n")
    assert voc.training_split() == "train_aug"


def test_missing_list_is_refused_with_the_lists_that_are_there(voc: TinyVoc) -> None:
    with pytest.raises(UsageError, match=r"trainval\.txt.*train, val"):
        find_voc(voc.root).image_ids("trainval")


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_empty_list_is_refused(own_voc: TinyVoc, content: str) -> None:
    own_voc.split("train").write_text(content)
    with pytest.raises(WsssError, match="lists no image"):
        find_voc(own_voc.root).image_ids("train")


@pytest.mark.parametrize("odd", ["../x", "..", "a/b", "/etc/passwd", ".hidden", "-n", "a\\b"])
def test_line_that_is_no_plain_file_name_is_refused(own_voc: TinyVoc, odd: str) -> None:
    own_voc.split("train").write_text(f"{own_voc.train_ids[0]}\n{odd}\n")
    with pytest.raises(WsssError, match="is not an image id"):
        find_voc(own_voc.root).image_ids("train")


@pytest.mark.parametrize("split", ["../train", "a/b", ".."])
def test_name_of_a_list_cannot_leave_its_folder(voc: TinyVoc, split: str) -> None:
    with pytest.raises(UsageError, match="is not the name of a list"):
        find_voc(voc.root).image_ids(split)


def test_image_listed_twice_is_refused(own_voc: TinyVoc) -> None:
    own_voc.split("train").write_text("a\nb\na\n")
    with pytest.raises(WsssError, match=r": a\b"):
        find_voc(own_voc.root).image_ids("train")


def test_labels_are_the_classes_of_the_objects(voc: TinyVoc) -> None:
    labels = find_voc(voc.root).labels(voc.train_ids)
    assert labels.shape == (len(voc.train_ids), len(CLASSES))
    expected = [[column in classes_of(index) for column in range(3)] for index in range(12)]
    assert labels.tolist() == expected


def test_class_names_come_from_the_tree_or_are_vocs_twenty(own_voc: TinyVoc) -> None:
    assert find_voc(own_voc.root).class_names == CLASSES
    (own_voc.root / "classes.txt").unlink()
    names = find_voc(own_voc.root).class_names
    assert names == VOC_CLASSES
    assert len(names) == 20
    assert list(names) == sorted(names)


@pytest.mark.parametrize("content", ["", "a\nb\na\n", "\n".join(map(str, range(255)))])
def test_class_list_that_is_empty_repeated_or_too_long_is_refused(
    own_voc: TinyVoc, content: str
) -> None:
    (own_voc.root / "classes.txt").write_text(content)
    with pytest.raises(WsssError, match=r"classes\.txt"):
        find_voc(own_voc.root).class_names  # noqa: B018


def test_unknown_class_is_named_with_its_file(own_voc: TinyVoc) -> None:
    path = own_voc.annotation(own_voc.train_ids[1])
    path.write_text(annotation_xml(["zebra"]))
    with pytest.raises(WsssError, match=rf"{path.name} .*'zebra'"):
        find_voc(own_voc.root).labels(own_voc.train_ids)


def test_all_missing_annotations_are_listed(own_voc: TinyVoc) -> None:
    gone = own_voc.train_ids[2:5]
    for image_id in gone:
        own_voc.annotation(image_id).unlink()
    with pytest.raises(WsssError, match=", ".join(gone)):
        find_voc(own_voc.root).labels(own_voc.train_ids)


def test_images_without_object_are_rows_of_zeros(own_voc: TinyVoc) -> None:
    for image_id in own_voc.train_ids[3:5]:
        own_voc.annotation(image_id).write_text(annotation_xml([]))
    labels = find_voc(own_voc.root).labels(own_voc.train_ids)
    assert np.flatnonzero(~labels.any(axis=1)).tolist() == [3, 4]


def test_only_names_of_objects_count_not_of_their_parts(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(
        "<annotation><owner><name>cross</name></owner><name>disc</name>"
        "<object><name> square </name><difficult>1</difficult>"
        "<part><name>head</name></part></object></annotation>"
    )
    assert object_names(tmp_path / "a.xml") == ["square"]


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        ("<annotation><object></object></annotation>", "without <name>"),
        (
            "<annotation><object><name>disc</name></object><object><label>x</label></object>"
            "</annotation>",
            "without <name>",
        ),
        ("<annotation><Object><Name>disc</Name></Object></annotation>", "elsewhere"),
        ("<annotation><objects><object><name>disc</name></object></objects></annotation>", "else"),
        ("<doc><image/></doc>", "<doc>"),
    ],
)
def test_objects_that_cannot_be_read_are_no_negative(tmp_path: Path, inner: str, said: str) -> None:
    (tmp_path / "a.xml").write_text(inner)
    with pytest.raises(WsssError, match=said):
        object_names(tmp_path / "a.xml")


def test_document_type_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(
        '<!DOCTYPE a [<!ENTITY b "square"><!ENTITY c "&b;&b;">]>'
        "<annotation><object><name>&c;</name></object></annotation>"
    )
    with pytest.raises(WsssError, match="document type"):
        object_names(tmp_path / "a.xml")


@pytest.mark.parametrize("content", ["", "<annotation>", "not xml", "<a></b>"])
def test_broken_annotation_is_refused_by_name(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.xml").write_text(content)
    with pytest.raises(WsssError, match=r"a\.xml .*XML"):
        object_names(tmp_path / "a.xml")


def test_fingerprint_is_of_the_data_and_not_of_its_place(own_voc: TinyVoc, voc: TinyVoc) -> None:
    here, there = find_voc(own_voc.root), find_voc(voc.root)
    ids = voc.train_ids
    labels = here.labels(ids)
    assert here.fingerprint(ids, labels) == there.fingerprint(ids, there.labels(ids))
    assert here.fingerprint(ids[1:], labels[1:]) != here.fingerprint(ids, labels)
    changed = labels.copy()
    changed[0] = ~changed[0]
    assert here.fingerprint(ids, changed) != here.fingerprint(ids, labels)
    with own_voc.image(ids[0]).open("ab") as file:
        file.write(b"x")
    assert here.fingerprint(ids, labels) != there.fingerprint(ids, labels)


def test_full_supervision_prefers_vocs_own_mask(own_voc: TinyVoc) -> None:
    voc = find_voc(own_voc.root)
    aug = own_voc.root / "SegmentationClassAug"
    aug.mkdir()
    first, second = own_voc.train_ids[:2]
    for image_id in (first, second):
        (aug / f"{image_id}.png").write_bytes(b"")
    own_voc.mask(second).unlink()
    assert voc.training_mask_path(first) == own_voc.mask(first)
    assert voc.training_mask_path(second) == aug / f"{second}.png"


@pytest.mark.parametrize("name", ["background", "Background"])
def test_background_is_no_class_of_its_own(own_voc: TinyVoc, name: str) -> None:
    (own_voc.root / "classes.txt").write_text("\n".join([name, *CLASSES]))
    with pytest.raises(WsssError, match=r"(?i)background.*\b0\b"):
        find_voc(own_voc.root).class_names  # noqa: B018
