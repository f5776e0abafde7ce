"""What cells of labels say: lists, words for nothing, answers, and names of several words."""

import pytest

from wsss_cli.data.label_cells import read_cells


@pytest.mark.parametrize(
    "cell",
    [
        *("['cat', 'dog']", '["cat", "dog"]', "['cat' 'dog']", "[cat, dog]", "('cat', 'dog')"),
        *(
            "{'dog', 'cat'}",
            "[ 'cat' , \"dog\" ]",
            "cat,dog",
            "'cat', 'dog'",
            "['cat', 'dog', nan]",
        ),
        *('["cat", null, "dog"]', "['cat', None, 'dog']"),
    ],
)
def test_lists_of_any_writer_are_read(cell: str) -> None:
    found = read_cells([cell, "cat"])
    assert not found.problems
    assert found.classes == [{"cat", "dog"}, {"cat"}]


def test_items_keep_blanks_quotes_and_unicode() -> None:
    cells = ["['traffic light', \"it's\"]", '["caf\\u00e9"]', "[1, 2]", "['a, b']"]
    assert read_cells(cells).classes == [
        {"traffic light", "it's"},
        {"caf\u00e9"},
        {"1", "2"},
        {"a, b"},
    ]


@pytest.mark.parametrize(
    "cell",
    ["['cat'", "[['cat']]", "{'cat': 1}", '[{"name": "cat"}]', "['cat' + 'dog']", "[" * 5000],
)
def test_what_only_begins_as_a_list_is_a_problem(cell: str) -> None:
    found = read_cells(["['dog']", cell])
    assert list(found.problems) == [1]


@pytest.mark.parametrize(
    "word", ["nan", "NaN", "None", "N/A", "-", "[]", "null", "NULL", "['']", ""]
)
def test_words_for_nothing_are_no_class(word: str) -> None:
    found = read_cells(["cat", word, "dog"])
    assert found.classes == [{"cat"}, set(), {"dog"}]
    assert found.blank == [False, True, False]
    assert any(word in remark for remark in found.remarks) or not word


@pytest.mark.parametrize("word", ["background", "no crack", "No Finding", "negative", "0"])
def test_words_for_a_negative_are_no_class_and_named(word: str) -> None:
    found = read_cells(["crack", word, "crack|leak"])
    assert found.classes == [{"crack"}, set(), {"crack", "leak"}]
    assert found.blank == [False, False, False]
    assert any(word in remark for remark in found.remarks)


def test_listed_classes_may_be_called_so() -> None:
    assert read_cells(["NA", "negative"], ["NA", "negative"]).classes == [{"NA"}, {"negative"}]


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        (["0", "1"], "1"),
        (["0.0", "1.0"], "1"),
        (["-1", "1"], "1"),
        (["False", "True"], "True"),
        (["no", "yes"], "yes"),
    ],
)
def test_yes_and_no_are_one_class(cells: list[str], name: str) -> None:
    found = read_cells([*cells, ""])
    assert found.classes == [set(), {name}, set()]
    assert found.remarks
    assert read_cells(cells, ["crack"]).classes == [set(), {"crack"}]


def test_listed_zero_and_one_are_two_classes() -> None:
    assert read_cells(["0", "1"], ["0", "1"]).classes == [{"0"}, {"1"}]


def test_three_numbers_are_three_classes() -> None:
    assert read_cells(["0", "1", "2"]).classes == [{"0"}, {"1"}, {"2"}]


def test_separator_is_said_only_where_it_separates() -> None:
    assert read_cells(["cat", "dog"]).remarks == []
    assert any("spaces" in remark for remark in read_cells(["cat dog", "dog"]).remarks)
