import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zcollection_merge_time_series.time_series import TimeSeries

from zcollection.testing import PluginSuite
from zcollection.testing.merge import MergeSuite

DTYPES = ("int64", "uint8", "float32", "float64", "datetime64[ns]", "datetime64[D]", "datetime64[M]", "timedelta64[s]")
COLUMN = st.lists(st.integers(0, 9) | st.none(), max_size=10)


def axis(values, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        return np.array([value for value in values if value is not None], dtype=dtype)
    missing = np.nan if dtype.kind == "f" else "NaT"
    return np.array([missing if value is None else value for value in values], dtype=dtype)


def frame(values, rows):
    """A table of ranks of the axis, as numbers that pandas can hold whatever the type, with a number for every row."""
    keys = values if values.dtype.kind == "f" else values.astype("int64").astype("float64")
    return pd.DataFrame({"axis": np.where(values == values, keys, np.nan), "row": rows})


def expected(existing, inserted):
    there, new = frame(existing, np.arange(existing.size)), frame(inserted, ~np.arange(inserted.size))
    there = there[~there["axis"].between(new["axis"].min(), new["axis"].max())]
    merged = pd.concat([there, new]).sort_values("axis", kind="stable", na_position="last")
    return merged["row"].tolist(), existing.size - len(there)


class TestPlugin(PluginSuite):
    distribution = "zcollection-merge-time-series"


class TestTimeSeries(MergeSuite):
    examples = (TimeSeries(),)
    sorts = True


@settings(deadline=None, max_examples=200)
@given(existing=COLUMN, inserted=COLUMN, dtype=st.sampled_from(DTYPES))
def test_it_is_what_pandas_makes_of_it(existing, inserted, dtype):
    existing, inserted = axis(existing, dtype), axis(inserted, dtype)
    plan = TimeSeries().rows(existing, inserted)
    assert (plan.source.tolist(), plan.replaced) == expected(existing, inserted)


def test_existing_rows_at_the_ends_of_the_period_give_way():
    plan = TimeSeries().rows(np.array([0, 1, 2, 3, 4]), np.array([3, 1]))
    assert plan.source.tolist() == [0, ~1, ~0, 4]
    assert plan.replaced == 3


def test_duplicates_inside_an_insert_are_all_kept():
    assert TimeSeries().rows(np.array([1, 2]), np.array([2, 2, 2])).source.tolist() == [0, ~0, ~1, ~2]


def test_rows_without_a_time_cover_no_period():
    missing = np.array(["NaT", "NaT"], dtype="datetime64[s]")
    existing = np.array(["2024-01-01", "NaT", "2023-01-01"], dtype="datetime64[s]")
    assert TimeSeries().rows(existing, missing).source.tolist() == [2, 0, 1, ~0, ~1]


@pytest.mark.parametrize("dtype", ["U1", "S1", np.dtypes.StringDType()])
def test_text_has_an_order(dtype):
    plan = TimeSeries().rows(np.array(["a", "b", "c"], dtype=dtype), np.array(["b", "b"], dtype=dtype))
    assert plan.source.tolist() == [0, ~0, ~1, 2]


def test_rows_appended_to_a_sorted_series_leave_its_rows_in_place():
    plan = TimeSeries().rows(np.arange(100), np.arange(100, 120))
    np.testing.assert_array_equal(plan.source[:100], np.arange(100))
