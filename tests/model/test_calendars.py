"""CF calendars, compared with cftime."""

import cftime
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcollection.model.calendars import dates_of, days_of, exists

CALENDARS = ("standard", "proleptic_gregorian", "julian", "noleap", "all_leap", "360_day")


@pytest.mark.parametrize("calendar", CALENDARS)
def test_every_day_of_ten_thousand_years_has_the_date_of_cftime(calendar):
    first = cftime.datetime(1, 1, 1, calendar=calendar)
    epoch = cftime.datetime(1970, 1, 1, calendar=calendar)
    last = cftime.datetime(9999, 12, 30, calendar=calendar)
    start, stop = (first - epoch).days, (last - epoch).days
    # cftime would need a minute for all days: test every 97th day, and all days in the years around the reform.
    days = np.unique(np.concatenate([np.arange(start, stop + 1, 97), np.arange(-142_000, -140_000), [start, stop]]))
    found = np.stack(dates_of(days, calendar), axis=1)
    expected = cftime.num2date(days, "days since 1970-01-01", calendar=calendar)
    np.testing.assert_array_equal(found, [(date.year, date.month, date.day) for date in expected])
    np.testing.assert_array_equal(days_of(*found.T, calendar), days)


@given(st.sampled_from(CALENDARS), st.integers(1, 9999), st.integers(1, 12), st.integers(1, 31))
def test_a_date_exists_where_cftime_makes_it(calendar, year, month, day):
    try:
        cftime.datetime(year, month, day, calendar=calendar)
        expected = True
    except ValueError:
        expected = False
    assert exists(year, month, day, calendar) is expected


@given(st.sampled_from(CALENDARS), st.integers(-(10**9), 10**9))
def test_dates_before_the_year_1_and_after_9999_go_both_ways(calendar, days):
    assert days_of(*dates_of(days, calendar), calendar) == days


@given(st.integers(-(10**9), 10**9))
def test_the_gregorian_calendar_is_that_of_datetime64(days):
    year, month, day = dates_of(days, "proleptic_gregorian")
    assert np.datetime64(days, "D") == np.datetime64(int(year) - 1970, "Y").astype("M8[M]").astype("M8[D]") + (
        days_of(year, month, day, "proleptic_gregorian") - days_of(year, 1, 1, "proleptic_gregorian")
    )
