"""What lists are called, and what their lines name."""

import pytest

from wsss_cli.data.list_names import in_usual_order, name_on_line, split_name


@pytest.mark.parametrize(
    ("written", "name"),
    [
        *((w, "train") for w in ("train", "Train", "TRAINING", "training_set", "seg_train")),
        *((w, "train") for w in ("trainset", "train-images", "Train Data", " train ")),
        *((w, "val") for w in ("valid", "Validation", "val_set", "dev", "seg_val")),
        *((w, "test") for w in ("Testing", "test set", "seg_test", "test_set", "TestSet")),
        *((w, w) for w in ("trainval", "train_aug", "train_small", "fold1", "hospital_a")),
        ("Extra", "extra"),
    ],
)
def test_name_of_a_list(written: str, name: str) -> None:
    assert split_name(written) == name


def test_usual_lists_come_first() -> None:
    assert in_usual_order(["extra", "test", "val", "train"]) == ["train", "val", "test", "extra"]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("a", "a"),
        ("my photo 1", "my photo 1"),
        ("my photo 1 -1", "my photo 1"),
        ("a 1", "a"),
        ("a cat dog", "a"),
        ("my photo 1 masks/my photo 1.png", "my photo 1"),
        ("gone -1", "gone"),
        ("gone away /masks/x.png", "gone away"),
    ],
)
def test_line_names_the_longest_picture(line: str, name: str) -> None:
    assert name_on_line(line, {"a", "my photo 1"}.__contains__) == name
