import pytest
from choosing import KEYS, chosen
from hypothesis import given
from hypothesis import strategies as st

import zcollection as zc
from zcollection.plugin import Key


@pytest.mark.parametrize(
    "text",
    [
        "True",
        "False",
        "year == 2024 and month in range(3, 6)",
        "month in (1, 2) or not year != 2023",
        "2 < month <= 5",
        "month % 3 == 0 and year // 2 == 1012",
        "-month < -10",
        "month in [1, 2, 3] and month not in {2}",
        "month * 2 + 1 >= 20 - 1",
        "year * 100 + month > 202311",
        "month in range(12, 0, -4)",
        "  year == 2023  ",
        "month / 2 == 3.5",
    ],
)
def test_an_expression_means_what_it_means_in_python(text):
    assert chosen(text) == [key for key in KEYS if eval(text.strip(), {}, dict(key))]


NUMBERS = st.sampled_from(["year", "month", "1", "3", "2024", "(month + 2)", "(-year)", "(month % 5)"])
COMPARISONS = st.builds("{} {} {}".format, NUMBERS, st.sampled_from(["<", "<=", "==", "!=", ">", ">="]), NUMBERS)
EXPRESSIONS = st.recursive(
    COMPARISONS,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner)
        | st.builds("(not {})".format, inner)
    ),
    max_leaves=8,
)


@given(text=EXPRESSIONS)
def test_random_expressions_agree_with_python(text):
    assert chosen(text) == [key for key in KEYS if eval(text, {}, dict(key))]


PLATFORMS = [
    Key(platform=name, ascending=up) for name in ("", "Jason-3/F", "S3", "S3A", "SWOT", "é") for up in (False, True)
]


@pytest.mark.parametrize(
    "text",
    [
        "platform in ('S3A', 'SWOT')",
        "platform in ('S3A',)",
        "platform == 'S3A'",
        "platform != 'S3A' and ascending",
        "platform not in ['S3A'] and not ascending",
        "'S3' <= platform < 'T'",
        "platform > 'Z'",
        "platform == ''",
        "platform == 'Jason-3/F'",
        "'S3' in platform",
        "ascending",
        "ascending == True",
        "ascending == 1",
        "ascending != (platform == 'S3')",
        "ascending in (True,)",
        "ascending < True",
        "platform == 'S3' or ascending == False",
    ],
)
def test_texts_and_booleans_mean_what_they_mean_in_python(text):
    found = chosen(text, ["platform", "ascending"], PLATFORMS)
    assert found == [key for key in PLATFORMS if eval(text, {}, dict(key))]
    assert 0 < len(found) < len(PLATFORMS)


@pytest.mark.parametrize(
    "filters",
    [
        {"platform": ["S3A", "SWOT"], "ascending": True},
        lambda key: key["platform"] in {"S3A", "SWOT"} and key["ascending"],
    ],
    ids=["mapping", "function"],
)
def test_mappings_and_functions_choose_texts_and_booleans(filters):
    found = chosen(filters, ["platform", "ascending"], PLATFORMS)
    assert found == [Key(platform="S3A", ascending=True), Key(platform="SWOT", ascending=True)]


def test_a_text_in_a_mapping_is_one_value_and_no_collection_of_letters():
    assert chosen({"platform": "S3A"}, ["platform"], [Key(platform=name) for name in ("S", "S3A")]) == [
        Key(platform="S3A")
    ]


@pytest.mark.parametrize("text", ["platform in ('S3A')", "platform in 'S3A'", "platform not in 'S3A'", "0 < 1 in 'a'"])
def test_a_part_of_a_text_that_is_written_out_is_not_looked_for(text):
    with pytest.raises(
        zc.ExpressionError, match=r"searches for a substring of '.*'; accepted: == '.*', or in \('.*',\) with a comma"
    ):
        chosen(text, ["platform"], [Key(platform="S3")])


@pytest.mark.parametrize("text", ["platform < 3", "platform + 'A' == 'S3A'", "-platform == 1"])
def test_a_text_is_no_number(text):
    with pytest.raises(zc.ExpressionError):
        chosen(text, ["platform"], [Key(platform="S3")])


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("month", "'month' (column 1) is 1, neither true nor false; write a comparison, such as month == 1"),
        ("not month", "'month' (column 5) is 1"),
        ("year == 2023 and month", "'month' (column 18) is 1"),
        ("month == 13 or year", "'year' (column 16) is 202"),
        ("(month or year) == 2023", "'month' (column 2) is 1"),
        ("3", "'3' (column 1) is neither true nor false; accepted: comparisons, such as month == 3"),
        ("year == 2023 and 'a'", "\"'a'\" (column 18) is neither"),
        ("month + 1", "'month + 1' (column 1) is neither"),
        ("-month", "'-month' (column 1) is neither"),
        ("(1, 2)", "'(1, 2)' (column 1) is neither"),
        ("not range(3)", "'range(3)' (column 5) is neither"),
    ],
)
def test_a_number_a_text_or_a_list_by_itself_chooses_nothing(text, part):
    with pytest.raises(zc.ExpressionError) as found:
        chosen(text)
    assert part in str(found.value)
    assert repr(text) in str(found.value)


def test_a_text_that_stands_alone_is_no_condition_either():
    with pytest.raises(zc.ExpressionError, match=r"write a comparison, such as platform == 'S3'"):
        chosen("platform", ["platform"], [Key(platform="S3")])


def test_fields_may_be_keywords_of_python():
    keys = [Key({"cycle": cycle, "pass": number}) for cycle in (1, 2) for number in (1, 2, 3)]
    found = chosen("pass in (1, 3) and cycle == 2", ["cycle", "pass"], keys)
    assert [key["pass"] for key in found] == [1, 3]
    text_keys = [Key({"pass": "pass"}), Key({"pass": "x"})]
    assert chosen("pass == 'pass'", ["pass"], text_keys) == text_keys[:1]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "year.__class__",
        "year[0]",
        "lambda: 1",
        "[x for x in (1, 2)]",
        "year if month else 1",
        "f'{year}'",
        "9 ** 9",
        "open('x')",
        "range(1, 2, 3, 4)",
        "range(stop=3)",
        "(year := 3)",
        "year is None",
        "None",
        "b'x'",
        "'a' * 10000 == 'a'",
        "[1] * 3 == []",
        "year ==",
        "year; month",
        "",
        "(" * 500 + "1" + ")" * 500,
        "1 < 2 " * 5000,
        "yeer == 2",
        "year < 'a'",
        "month % 0 == 1",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(zc.ExpressionError):
        chosen(text)


def test_a_wrong_name_is_shown_with_the_right_ones():
    with pytest.raises(zc.ExpressionError, match=r"'yeer'; accepted: 'year', 'month' \(did you mean 'year'"):
        chosen("yeer == 2024")
    with pytest.raises(zc.ExpressionError, match=r"'yeer'; accepted: 'year', 'month'"):
        chosen({"yeer": 2024})


def test_a_mapping_holds_values_or_collections_of_them():
    assert len(chosen({"year": 2024, "month": (1, 2)})) == 2
    assert len(chosen({"month": range(1, 4)})) == 6
    assert len(chosen({})) == len(KEYS)


def test_a_function_gets_the_key():
    assert len(chosen(lambda key: key["month"] == 1)) == 2


def test_none_matches_every_key():
    assert chosen(None) == KEYS


def test_something_else_is_an_error():
    with pytest.raises(zc.ExpressionError, match="is a int"):
        chosen(5)
