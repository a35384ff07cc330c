"""Arrow columns become arrays with the same meaning, or are rejected."""

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zcollection_import import columns

from zcollection.errors import SchemaError

TYPES = [pa.int8(), pa.uint16(), pa.int64(), pa.uint64(), pa.float32(), pa.float64(), pa.bool_()]


def chunked(items, kind):
    middle = len(items) // 2
    return pa.chunked_array([pa.array(items[:middle], kind), pa.array(items[middle:], kind)])


@settings(max_examples=40, deadline=None)
@given(data=st.data(), kind=st.sampled_from(TYPES))
def test_numbers_and_booleans_are_what_pandas_makes_of_them(data, kind):
    item = st.booleans()
    if pa.types.is_integer(kind):
        limits = np.iinfo(kind.to_pandas_dtype())
        item = st.integers(int(limits.min), int(limits.max))
    elif pa.types.is_floating(kind):
        item = st.floats(width=kind.bit_width)
    column = chunked(data.draw(st.lists(item, max_size=8)), kind)
    found = columns.values(column, "v", None)
    np.testing.assert_array_equal(found, column.to_pandas().to_numpy())
    assert found.dtype == columns.dtype_of(kind) == np.dtype(kind.to_pandas_dtype())


@settings(max_examples=30, deadline=None)
@given(items=st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=8))
def test_missing_integers_become_the_marker_and_no_value_is_it(items):
    fill = -7
    column = chunked(items, pa.int64())
    if fill in items:
        with pytest.raises(SchemaError, match=r"'v' has missing values, and also contains -7"):
            columns.values(column, "v", np.int64(fill))
    else:
        expected = [fill if item is None else item for item in items]
        assert columns.values(column, "v", np.int64(fill)).tolist() == expected


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_times_are_instants_in_utc(unit, zone):
    numbers = [0, None, -1, 1_700_000_000]
    found = columns.values(chunked(numbers, pa.int64()).cast(pa.timestamp(unit, zone)), "t", None)
    expected = np.array(["NaT" if number is None else number for number in numbers], f"M8[{unit}]")
    np.testing.assert_array_equal(found, expected)


def test_dates_durations_strings_and_categories():
    days = chunked([dt.date(1969, 12, 31), None], pa.date32())
    np.testing.assert_array_equal(columns.values(days, "d", None), np.array(["1969-12-31", "NaT"], "M8[s]"))
    lengths = columns.values(chunked([5, None], pa.int64()).cast(pa.duration("ms")), "l", None)
    np.testing.assert_array_equal(lengths, np.array([5, "NaT"], "m8[ms]"))
    assert columns.values(chunked(["é", None, ""], pa.string()), "s", None).tolist() == ["é", "", ""]
    category = pa.chunked_array([pa.array(pd.Categorical(["b", "a", "b"]))])
    assert columns.values(category, "c", None).tolist() == ["b", "a", "b"]


def test_missing_floats_are_nan():
    np.testing.assert_array_equal(
        columns.values(chunked([1.5, None], pa.float32()), "f", None), np.array([1.5, np.nan], "f4")
    )


def test_missing_booleans_are_rejected():
    with pytest.raises(SchemaError, match=r"'b' has 1 missing values, and bool has no value that marks them"):
        columns.values(chunked([True, None], pa.bool_()), "b", None)


@pytest.mark.parametrize(
    ("items", "kind"),
    [
        ([decimal.Decimal("1.5")], pa.decimal128(5, 2)),
        ([[1, 2]], pa.list_(pa.int64())),
        ([{"a": 1}], pa.struct([("a", pa.int64())])),
        ([b"\x00"], pa.binary()),
        ([["a"]], pa.list_(pa.string(), 1)),
    ],
)
def test_what_no_array_means_is_rejected_by_name(items, kind):
    with pytest.raises(SchemaError, match=r"column 'v' is of type .*leave it out with drop"):
        columns.values(chunked(items, kind), "v", None)
    assert columns.dtype_of(kind).kind == "O"
