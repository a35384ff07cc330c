import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from zcollection_merge_upsert.upsert import Upsert

from zcollection.testing import PluginSuite
from zcollection.testing.merge import MergeSuite

DTYPES = ("int64", "uint8", "float32", "float64", "datetime64[ns]", "datetime64[D]", "datetime64[M]", "timedelta64[s]")
COLUMN = st.lists(st.integers(0, 9) | st.none(), max_size=10)


class TestPlugin(PluginSuite):
    distribution = "zcollection-merge-upsert"


class TestUpsert(MergeSuite):
    examples = (Upsert(),)
    sorts = True


class TestUpsertWithATolerance(MergeSuite):
    examples = (Upsert(tolerance=1), Upsert(tolerance=1500.0))
    axis_dtypes = ("int64", "float64")
    sorts = True


class TestUpsertWithAToleranceInTime(MergeSuite):
    examples = (Upsert(tolerance=np.timedelta64(1, "ns")), Upsert(tolerance=np.timedelta64(2, "us")))
    axis_dtypes = ("datetime64[ns]",)
    sorts = True


def axis(values, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        return np.array([value for value in values if value is not None], dtype=dtype)
    missing = np.nan if dtype.kind == "f" else "NaT"
    return np.array([missing if value is None else value for value in values], dtype=dtype)


def frame(values, rows):
    """Return the axis as numbers that pandas can hold whatever the type, with the number of every row."""
    keys = values if values.dtype.kind == "f" else values.astype("int64").astype("float64")
    absent = np.isnat(values) if values.dtype.kind in "mM" else np.isnan(keys)
    return pd.DataFrame({"axis": np.where(absent, np.nan, keys), "row": rows})


def tables(existing, inserted):
    there, new = frame(existing, np.arange(existing.size)), frame(inserted, ~np.arange(inserted.size))
    superseded = new.duplicated("axis", keep="last") & new["axis"].notna()
    return there, new[~superseded]


def joined(there, new):
    return pd.concat([there, new]).sort_values("axis", kind="stable", na_position="last")["row"].tolist()


@settings(deadline=None, max_examples=200)
@given(existing=COLUMN, inserted=COLUMN, dtype=st.sampled_from(DTYPES))
def test_without_a_tolerance_it_is_what_pandas_makes_of_it(existing, inserted, dtype):
    existing, inserted = axis(existing, dtype), axis(inserted, dtype)
    there, new = tables(existing, inserted)
    stays = there[~there["axis"].isin(new["axis"].dropna())]
    plan = Upsert().rows(existing, inserted)
    assert plan.source.tolist() == joined(stays, new)
    assert plan.replaced == existing.size - len(stays)


@settings(deadline=None)
@given(existing=st.lists(st.integers(-20, 20), unique=True), inserted=st.lists(st.integers(-20, 20)))
def test_into_distinct_rows_it_drops_all_but_the_last_of_each_value(existing, inserted):
    existing, inserted = np.array(existing, dtype="int64"), np.array(inserted, dtype="int64")
    both = pd.concat([frame(existing, np.arange(existing.size)), frame(inserted, ~np.arange(inserted.size))])
    expected = both.drop_duplicates("axis", keep="last").sort_values("axis", kind="stable")
    assert Upsert().rows(existing, inserted).source.tolist() == expected["row"].tolist()


def replaced_by_hand(existing, inserted, tolerance):
    """Return the existing values that give way, from all pairs, nearest first: slow, and plainly right."""
    pairs = [(abs(new - old), old, -new) for old in existing for new in inserted if abs(new - old) <= tolerance]
    gone, used = set(), set()
    for _, old, negative in sorted(pairs):
        if old not in gone and negative not in used:
            gone.add(old)
            used.add(negative)
    return gone


@settings(deadline=None, max_examples=300)
@given(
    existing=st.lists(st.integers(0, 40) | st.none(), max_size=25),
    inserted=st.lists(st.integers(0, 40) | st.none(), max_size=25),
    tolerance=st.integers(0, 8),
    dtype=st.sampled_from(("int16", "uint64", "float64", "datetime64[ns]", "timedelta64[s]")),
)
def test_with_a_tolerance_the_nearest_pairs_are_matched_first(existing, inserted, tolerance, dtype):
    existing, inserted = axis(existing, dtype), axis(inserted, dtype)
    there, new = tables(existing, inserted)
    gone = replaced_by_hand(there["axis"].dropna().unique(), new["axis"].dropna(), tolerance)
    stays = there[~there["axis"].isin(gone)]
    unit = {"datetime64[ns]": "ns", "timedelta64[s]": "s"}.get(dtype)
    plan = Upsert(tolerance=np.timedelta64(tolerance, unit) if unit else tolerance).rows(existing, inserted)
    assert plan.source.tolist() == joined(stays, new)
    assert plan.replaced == existing.size - len(stays)


@settings(deadline=None)
@given(
    gaps=st.lists(st.integers(1, 50), min_size=1, max_size=40, unique=True),
    arrives=st.lists(st.booleans(), min_size=40, max_size=40),
)
@example(gaps=[1, 2, 3, 7, 8], arrives=[False, False, True, True, *[False] * 36])
def test_long_chains_of_ever_nearer_rows_are_matched_nearest_first(gaps, arrives):
    column = np.cumsum(sorted(gaps, reverse=True))
    existing, inserted = (column[np.array(arrives[: column.size]) == side] for side in (False, True))
    gone = replaced_by_hand(existing.tolist(), inserted.tolist(), 60)
    plan = Upsert(tolerance=60).rows(existing, inserted)
    assert set(existing) - set(existing[plan.source[plan.source >= 0]]) == gone


def test_of_two_existing_rows_equally_near_the_earlier_gives_way():
    assert Upsert(tolerance=5).rows(np.array([0, 10]), np.array([5])).source.tolist() == [~0, 1]


def test_of_two_inserted_rows_equally_near_the_later_replaces():
    plan = Upsert(tolerance=5).rows(np.array([5, 99]), np.array([0, 10]))
    assert plan.source.tolist() == [~0, ~1, 1]
    assert plan.replaced == 1


def test_a_series_shifted_by_half_its_step_is_replaced_row_for_row():
    plan = Upsert(tolerance=5).rows(np.arange(0, 100, 10), np.arange(5, 105, 10))
    assert plan.source.tolist() == [~row for row in range(10)]


def test_the_tolerance_is_included():
    existing, inserted = np.array([0]), np.array([3])
    assert Upsert(tolerance=3).rows(existing, inserted).replaced == 1
    assert Upsert(tolerance=2.9).rows(existing, inserted).replaced == 0


def test_an_equal_row_is_replaced_before_a_near_one():
    assert Upsert(tolerance=5).rows(np.array([9, 10]), np.array([10])).source.tolist() == [0, ~0]


def test_several_existing_rows_of_one_value_give_way_together():
    existing = np.array([1, 5, 5, 9])
    assert Upsert().rows(existing, np.array([5])).source.tolist() == [0, ~0, 3]
    assert Upsert(tolerance=1).rows(existing, np.array([6])).source.tolist() == [0, ~0, 3]


def test_rows_without_an_axis_value_match_nothing_and_come_last():
    column = np.array(["NaT", "2024-01-01", "NaT"], dtype="datetime64[s]")
    for strategy in (Upsert(), Upsert(tolerance=np.timedelta64(1, "D"))):
        plan = strategy.rows(column, column)
        assert plan.source.tolist() == [~1, 0, 2, ~0, ~2]
        assert plan.replaced == 1


def test_the_ends_of_a_type_are_not_near_each_other():
    ends = np.iinfo("int64")
    assert Upsert(tolerance=10).rows(np.array([ends.min]), np.array([ends.max])).replaced == 0
    assert Upsert(tolerance=2**64 - 2).rows(np.array([ends.min]), np.array([ends.max])).replaced == 0
    assert Upsert(tolerance=2**64 - 1).rows(np.array([ends.min]), np.array([ends.max])).replaced == 1


def test_floats_may_be_infinitely_far_apart():
    existing, inserted = np.array([-np.inf, -1e308]), np.array([1e308, np.inf])
    assert Upsert(tolerance=1e308).rows(existing, inserted).replaced == 0


@pytest.mark.parametrize(("tolerance", "replaced"), [(30, 0), (31, 1)])
def test_months_are_measured_in_days(tolerance, replaced):
    january, february = (np.array([month], dtype="datetime64[M]") for month in ("2024-01", "2024-02"))
    assert Upsert(tolerance=np.timedelta64(tolerance, "D")).rows(january, february).replaced == replaced


@pytest.mark.parametrize(
    ("tolerance", "unit", "replaced"),
    [
        (np.timedelta64(1, "W"), "ns", 1),
        (np.timedelta64(999, "ms"), "s", 0),
        (np.timedelta64(1000, "ms"), "s", 1),
        (np.timedelta64(9, "s"), "10s", 0),
        (np.timedelta64(1, "10s"), "10s", 1),
        (np.timedelta64(2**62, "D"), "as", 1),
    ],
)
def test_the_tolerance_and_the_axis_have_units_of_their_own(tolerance, unit, replaced):
    existing, inserted = (np.array([count], dtype=f"datetime64[{unit}]") for count in (0, 1))
    assert Upsert(tolerance=tolerance).rows(existing, inserted).replaced == replaced


@pytest.mark.parametrize("dtype", ["U1", "S1", np.dtypes.StringDType()])
def test_text_is_compared_for_equality(dtype):
    plan = Upsert().rows(np.array(["c", "a", "b"], dtype=dtype), np.array(["b", "d", "b"], dtype=dtype))
    assert plan.source.tolist() == [1, ~2, 0, ~1]


def test_rows_appended_to_a_sorted_series_leave_its_rows_in_place():
    for strategy in (Upsert(), Upsert(tolerance=0.5)):
        plan = strategy.rows(np.arange(1000), np.arange(1000, 1200))
        np.testing.assert_array_equal(plan.source[:1000], np.arange(1000))


def test_rows_before_and_after_the_replaced_ones_keep_their_places():
    source = Upsert().rows(np.arange(100), np.arange(40, 50)).source
    np.testing.assert_array_equal(np.flatnonzero(source != np.arange(100)), np.arange(40, 50))
