"""Days of runs, against pandas on the values themselves."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zcollection_coverage.days import days
from zcollection_coverage.runs import Covered, Runs
from zcollection_coverage.scale import Scale

from zcollection.plugin import SettingError

_HOURS = st.lists(st.integers(-100, 100), min_size=1, max_size=40)
"""Hours before and after 1970-01-01, in any order, some twice."""


def _found(hours, unit, step):
    dtype = np.dtype(f"datetime64[{unit}]")
    times = np.array(hours, "datetime64[h]").astype(dtype)
    starts = times.view(np.int64)
    zeros = np.zeros(len(starts), np.int64)
    runs = Runs(starts=starts, steps=zeros, rows=zeros + 1, owners=zeros)
    return times, days(Covered.of(runs, 10**15).runs, Scale(dtype=dtype), step)


@settings(deadline=None)
@given(_HOURS, st.sampled_from(["h", "s", "ns"]))
def test_days_have_the_values_that_lie_in_them(hours, unit):
    an_hour = int(np.timedelta64(1, "h") / np.timedelta64(1, unit))
    times, found = _found(hours, unit, an_hour)
    index = pd.DatetimeIndex(np.unique(times).astype("datetime64[ns]"))
    expected = pd.Series(1, pd.date_range(index[0], index[-1], freq="h")).resample("D").count()
    there = pd.Series(1, index).resample("D").count()
    assert [item.day for item in found] == expected.index.to_numpy().astype("datetime64[D]").tolist()
    assert [item.expected for item in found] == expected.tolist()
    assert [item.rows for item in found] == there.reindex(expected.index, fill_value=0).tolist()
    assert [item.share for item in found] == (there.reindex(expected.index, fill_value=0) / expected).tolist()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9), st.integers(1, 60)), min_size=1, max_size=6))
def test_long_runs_are_cut_at_midnight(pieces):
    """Values of runs are counted on the right day without creating them."""
    at, runs = 0, []
    for gap, step, rows in pieces:
        at += gap
        runs.append((at, step, rows))
        at += step * (rows - 1)
    starts, steps, rows = np.array(runs, np.int64).T
    owners = np.zeros(len(runs), np.int64)
    found = days(Runs(starts=starts, steps=steps, rows=rows, owners=owners), Scale(dtype=np.dtype("datetime64[h]")), 1)
    values = np.unique(np.concatenate([start + step * np.arange(count) for start, step, count in runs]))
    numbers = np.arange(values[0] // 24, values[-1] // 24 + 1)
    assert [item.rows for item in found] == [int((values // 24 == number).sum()) for number in numbers]


def test_days_of_a_calendar_without_datetime64_are_counted_from_1970():
    dtype = np.dtype("timedelta64[s]")
    runs = Runs(
        starts=np.array([-43_200]), steps=np.array([43_200]), rows=np.array([4]), owners=np.array([0], np.int64)
    )
    found = days(runs, Scale(dtype=dtype), 43_200)
    assert [item.day for item in found] == [np.timedelta64(number, "D") for number in (-1, 0, 1)]
    assert [(item.rows, item.expected) for item in found] == [(1, 1), (2, 2), (1, 1)]


@pytest.mark.parametrize("unit", ["M", "Y", "W", "7h"])
def test_a_day_is_a_whole_number_of_units(unit):
    with pytest.raises(SettingError, match="in days or in a shorter unit"):
        days(_one(), Scale(dtype=np.dtype(f"datetime64[{unit}]")), 1)


def _one():
    one = np.array([1], np.int64)
    return Runs(starts=one, steps=one, rows=one, owners=one * 0)


def test_more_days_than_anybody_looks_at_are_rejected():
    one = np.array([0, 10**9], np.int64)
    runs = Runs(starts=one, steps=one * 0, rows=one * 0 + 1, owners=one * 0)
    with pytest.raises(SettingError, match="1,000,000,001 days between .*; accepted: up to 100,000"):
        days(runs, Scale(dtype=np.dtype("datetime64[D]")), 1)
