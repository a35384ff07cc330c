"""Columns of the catalog come back as they were."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcollection.transaction.index.packing import packed, unpacked

EDGES = [sign * 2**bits + step for bits in (7, 8, 15, 31, 63, 64) for sign in (-1, 1) for step in (-1, 0, 1)]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
COLUMNS = st.one_of(
    st.lists(st.integers()),
    st.lists(st.sampled_from(EDGES)),
    st.lists(st.floats(allow_nan=False)),
    st.lists(st.integers() | st.floats(allow_nan=False)),
    st.lists(TEXTS),
    st.lists(st.sampled_from(["", " ", "a b", "a,b;c|d", "\n", '"', "é"])),
    st.lists(st.tuples(st.integers(), st.integers()) | st.none()),
    st.lists(st.tuples(TEXTS, TEXTS)),
    st.lists(st.lists(TEXTS, max_size=3).map(tuple)),
)


def through_json(column):
    return json.loads(json.dumps(packed(column)))


@given(COLUMNS)
def test_a_column_comes_back(column):
    found = unpacked(through_json(column))
    assert len(found) == len(column)
    assert list(found) == column
    assert list(map(type, found)) == list(map(type, column))


@pytest.mark.parametrize(
    ("column", "form"),
    [
        ([1, -128, 127], "int8"),
        ([1, 128], "int16"),
        ([0, 40_000], "int32"),
        ([0, 2**31], "int64"),
        ([0.5, 1.0], "float64"),
        (["a", "b"], "joined"),
        (["a"] * 3, "values"),
        ([(1, 2), (3, 4)], "first"),
    ],
)
def test_a_column_takes_the_smallest_form(column, form):
    assert form in packed(column)


def test_numbers_are_little_endian_as_documented():
    assert packed([1, 256]) == {"int16": "AQAAAQ=="}
