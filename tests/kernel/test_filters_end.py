"""The text of a filter ends at once, whatever it says: what could grow without bound is no part of the language."""

import pytest
from choosing import KEYS, chosen
from ending import outcome
from hypothesis import example, given, settings
from hypothesis import strategies as st

import zcollection as zc

HUGE = "9" * 40


def refused(text, match, keys=KEYS):
    found = outcome(lambda: chosen(text, list(keys[0]), keys), zc.ExpressionError)
    assert isinstance(found, zc.ExpressionError), f"{text!r} selects {found!r}"
    assert match in str(found)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.5 in range(100000000000)", []),
        ("month / 2 in range(100000000000)", [key for key in KEYS if key["month"] % 2 == 0]),
        ("month / 2 not in range(100000000000)", [key for key in KEYS if key["month"] % 2]),
        ("'a' in range(100000000000)", []),
        ("(1, 2) in range(100000000000)", []),
        ("range(3) in range(100000000000)", []),
        ("1e999 in range(100000000000) or -1e999 in range(100000000000)", []),
        ("1e999 - 1e999 in range(100000000000)", []),
        ("1e300 in range(100000000000)", []),
        ("True in range(100000000000) and 2.0 in range(100000000000)", KEYS),
        ("range(100000000000) == range(100000000000)", KEYS),
        ("not range(100000000000) == range(3)", KEYS),
        ("range(100000000000) in [range(100000000000)]", KEYS),
        (f"year < {2**127 - 1} and year > -{2**127 - 1}", KEYS),
        ("year * 1e308 * 1e308 > 1e308", KEYS),
    ],
)
def test_a_range_is_never_gone_through(text, expected):
    assert outcome(lambda: chosen(text), zc.ExpressionError) == expected


@pytest.mark.parametrize("wanted", [range(10**12), [range(10**12)]])
def test_a_mapping_goes_through_no_range_either(wanted):
    assert outcome(lambda: chosen({"name": wanted}, ["name"], [{"name": "a"}, {"name": "b"}]), zc.ExpressionError) == []


@pytest.mark.parametrize(
    "text",
    [
        "'a' * 1000000000",
        "1000000000 * 'a' == 'a'",
        "'a' + 'a'",
        "'%1000000000d' % 1",
        "'%1000000000d' % (1,)",
        "[1] * 1000000000",
        "(1,) * year",
        "{1} - {1}",
        "-'a'",
        "+[1]",
        "range(3) * 2",
        "range('a')",
        "range(2.5)",
        "range(1, 1e3)",
        "range(1 << 2)",
        "1 << 1000000000",
        "9 ** 9",
        "~1",
        "1 | 2",
        "1j",
        "b'a'",
        "...",
        f"year < {2**127}",
        f"year < {HUGE}",
        f"year < 0x{'f' * 9000}",
    ],
)
def test_what_would_grow_is_refused_before_any_key_is_looked_at(text):
    found = outcome(lambda: chosen(text, keys=[]), zc.ExpressionError)
    assert isinstance(found, zc.ExpressionError)
    assert "is not accepted; accepted: comparisons" in str(found)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("*".join(["year"] * 400), "nested more than 100 deep"),
        ("not " * 2000 + "year", "nested more than 100 deep"),
        ("-" * 101 + "year", "nested more than 100 deep"),
        ("+".join(["year"] * 150), "nested more than 100 deep"),
        ("1 if 1 else " * 300 + "1", "nested more than 100 deep"),
        ("[" * 150 + "]" * 150, "nested more than 100 deep"),
        ("-" * 9999 + "1", "is not an expression"),
        ("(" * 5000 + "1" + ")" * 5000, "characters; accepted: up to 10000"),
        ("(" * 300 + "1" + ")" * 300, "is not an expression"),
        ("9" * 5000, "is not an expression"),
        ("year in (" + "1," * 6000 + ")", "12010 characters; accepted: up to 10000; give a mapping"),
        ("year\0", "is not an expression"),
        ("year == '\ud800", "is not an expression"),
    ],
    ids=lambda text: text[:20],
)
def test_long_and_deep_texts_are_refused_before_any_key_is_looked_at(text, match):
    assert match in str(outcome(lambda: chosen(text, keys=[]), zc.ExpressionError))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("*".join(["year"] * 50) + " > 0", "it results in an integer of more than 128 bits"),
        (f"{2**127 - 1} + year > 0", "it results in an integer of more than 128 bits"),
        ("name * 1000000000 == 'a'", "'a' is not a number"),
        ("(name or True) % 1 == 0", "is 'a', neither true nor false; write a comparison, such as name == 'a'"),
        ("-name == 1", "'a' is not a number"),
        ("year / 0 > 1", "division by zero"),
        ("1e999 // 0 > 1", "division by zero"),
        ("year in range(year / 2)", "cannot be interpreted as an integer"),
        ("year in range(name)", "'a' is not a number"),
        ("year in range(1, 2, 0)", "must not be zero"),
        ("year in year", "is not iterable"),
        ("[1] < (1,)", "not supported"),
        ("{[1]} == 1", "unhashable"),
        ("{1: 2}", "is not accepted"),
    ],
)
def test_what_only_keys_decide_is_refused_for_the_key(text, match):
    refused(text, match, [zc.plugin.Key(year=2024, name="a")])


NUMBERS = st.recursive(
    st.sampled_from(["year", "month", "0", "1", "3", "12", "2023", "2.0", "2.5", "True", "1e999"]),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "and", "or"]), inner)
        | st.builds("({}{})".format, st.sampled_from(["not ", "-", "+"]), inner)
    ),
    max_leaves=4,
)
CONTAINERS = (
    st.builds("({0}, {1})".format, NUMBERS, NUMBERS)
    | st.builds("[{}, 'a']".format, NUMBERS)
    | st.builds("{{{}, (1, 2)}}".format, NUMBERS)
    | st.builds("range({})".format, st.sampled_from(["month", "7", "year - 2020", "2023, 2024", "month, 0, -2"]))
)
CONDITIONS = (
    st.builds("{} {} {}".format, NUMBERS, st.sampled_from(["<", "<=", "==", "!=", ">=", ">"]), NUMBERS)
    | st.builds("{} {} {}".format, NUMBERS, st.sampled_from(["in", "not in"]), CONTAINERS)
    | st.builds("(year, month) {} ({}, {})".format, st.sampled_from(["<", "==", ">="]), NUMBERS, NUMBERS)
)
WHATEVER = NUMBERS | CONTAINERS | st.sampled_from(["'a'", "''", "month in 'a'"])
TEXTS = st.recursive(
    CONDITIONS | CONDITIONS | WHATEVER,
    lambda inner: (
        st.builds("({}) {} ({})".format, inner, st.sampled_from(["and", "or", "<", "==", "+", "in", "not in"]), inner)
        | st.builds("not ({})".format, inner)
    ),
    max_leaves=4,
)


@settings(deadline=None)
@given(text=TEXTS)
@example(text="(year and 5) == 5")
@example(text="(1, 2) == [1, 2]")
@example(text="{1} < {1, 2}")
@example(text="2.0 in range(3) and True in range(3)")
def test_what_is_accepted_means_what_it_means_in_python(text):
    found = outcome(lambda: chosen(text), zc.ExpressionError)
    if not isinstance(found, zc.ExpressionError):
        assert found == [key for key in KEYS if eval(text, {}, dict(key))]


PIECES = st.sampled_from(
    [
        "year",
        "month",
        "pass",
        "range",
        "range(",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        ";",
        ".",
        "..",
        "*",
        "**",
        "//",
        "/",
        "%",
        "+",
        "-",
        "~",
        "^",
        "&",
        "|",
        "<<",
        ">>",
        "<",
        "=",
        "==",
        "!=",
        "in",
        "not",
        "and",
        "or",
        "if",
        "else",
        "for",
        "lambda",
        "0",
        "1",
        "1.",
        "1e",
        "1e308",
        "1e999",
        "0x",
        "0xffffffffffffffffffff",
        "1_0",
        "1j",
        "10000000000000",
        "9999999999999999999999999999",
        "''",
        "'",
        '"',
        "'''",
        "\\",
        "\\'",
        "b'",
        "f'",
        "'a'",
        "'%9999999999d'",
        "True",
        "None",
        "is",
        "await",
        "#",
        "\n",
        "\t",
        "\x0c",
        "\r",
        "\x00",
        "é",
        "𝟗",
        "�",
    ]
)
MUTATED = st.builds(
    lambda text, at, piece, times: text[: at % (len(text) + 1)] + f"{piece} " * times + text[at % (len(text) + 1) :],
    TEXTS,
    st.integers(0, 60),
    PIECES,
    st.sampled_from([1, 2, 50, 1000, 4000]),
)
ANYTHING = st.lists(PIECES, max_size=30).map(" ".join) | st.builds(
    lambda pieces, times: "".join(pieces) * times, st.lists(PIECES, min_size=1, max_size=4), st.integers(1, 3000)
)


@settings(deadline=None)
@given(text=MUTATED | ANYTHING)
@example(text="pass" + "\\'" * 4998)
@example(text="pass" + "\"'\f\\" * 2499)
@example(text="pass," + "e," * 4997)
def test_any_text_selects_or_is_refused_at_once(text):
    keys = [{"year": year, "month": 1, "pass": "a"} for year in (0, 2**63 - 1)]
    outcome(lambda: chosen(text, list(keys[0]), keys), zc.ExpressionError)


def test_a_field_that_is_a_word_of_python_is_found_beside_texts_that_hold_it():
    keys = [zc.plugin.Key({"pass": value}) for value in ("pass", "a", "pass\\' or")]
    assert chosen("pass == 'pass'", ["pass"], keys) == keys[:1]
    assert chosen("pass == '''pass'''", ["pass"], keys) == keys[:1]
    assert chosen('"pass" in pass', ["pass"], keys) == [keys[0], keys[2]]
    assert chosen(r"pass == 'pass\\\' or'", ["pass"], keys) == keys[2:]
