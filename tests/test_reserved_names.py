"""Names that are no class, and which ones only look like it."""

import pytest

from wsss_cli.reserved_names import (
    answers,
    names_background,
    names_negative,
    names_no_value,
    reason_against,
    same_name,
)


@pytest.mark.parametrize(
    "name",
    [
        *("background", "Background", "BG", "_background_", "__background__", "0 background"),
        *("0: bg", "back-ground", "[background]", "background (0)", "0_background"),
    ],
)
def test_background_is_known_however_it_is_decorated(name: str) -> None:
    assert names_background(name)
    assert "label 0" in str(reason_against(["cat", name]))


@pytest.mark.parametrize(
    "name", ["__ignore__", "void", "unlabeled", "Unlabelled", "255 void", "don't care", "no_label"]
)
def test_what_does_not_count_is_in_no_list(name: str) -> None:
    assert "255" in str(reason_against([name, "cat"]))


@pytest.mark.parametrize("name", ["none", "NaN", "null", "N/A", "-", ""])
def test_nothing_is_in_no_list(name: str) -> None:
    assert names_no_value(name)
    assert "no class" in str(reason_against([name, "cat"]))


@pytest.mark.parametrize(
    "names",
    [
        ("cat", "Cat"),
        ("traffic light", "traffic_light"),
        ("traffic light", "traffic  light"),
        ("caf\u00e9", "cafe\u0301"),
        ("1", "01"),
        ("1.0", "1"),
    ],
)
def test_two_spellings_of_one_name_are_a_question(names: tuple[str, str]) -> None:
    said = str(reason_against(names))
    assert all(repr(name) in said for name in names)


@pytest.mark.parametrize(
    "names",
    [
        ("cat", "cats", "wildcat", "cat food"),
        ("avoid", "voided", "bgr", "backgrounds of oak", "nanny", "nullity"),
        ("1", "10", "11", "1-1", "-1"),
        ("0", "1", "2"),
        ("c", "c++", "c#"),
        ("normal", "other", "unknown", "empty", "negative"),
        ("x-ray", "xray"),
    ],
)
def test_names_of_classes_pass(names: tuple[str, ...]) -> None:
    assert reason_against(names) is None
    assert len({same_name(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("name", "negative"),
    [
        *(("background", True), ("Negative", True), ("No Finding", True), ("none", True)),
        *(("no crack", True), ("no_crack", True), ("Non-Crack", True), ("without crack", True)),
        *(("no dog", False), ("normal", False), ("notebook", False), ("nobody", False)),
        *(("crack", False), ("void", False)),
    ],
)
def test_negatives_by_name(name: str, negative: bool) -> None:
    assert names_negative(name, ["Crack", "body", "tebook"]) is negative


@pytest.mark.parametrize(
    ("values", "yes", "no"),
    [
        (("0", "1", "1"), {"1"}, {"0"}),
        (("0.0", "1.0", "1"), {"1", "1.0"}, {"0.0"}),
        (("1", "-1"), {"1"}, {"-1"}),
        (("True", "FALSE"), {"True"}, {"FALSE"}),
        (("yes", "no"), {"yes"}, {"no"}),
    ],
)
def test_answers_are_told_apart(values: tuple[str, ...], yes: set[str], no: set[str]) -> None:
    assert answers(values) == (yes, no)


@pytest.mark.parametrize("values", [(), ("1",), ("0",), ("0", "1", "2"), ("1", "0", "yes")])
def test_anything_else_is_no_answer(values: tuple[str, ...]) -> None:
    assert answers(values) is None
