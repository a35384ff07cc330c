"""Ticks of calendars that datetime64 does not support, against cftime."""

import cftime
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from zcollection_plot.dates import CalendarFormatter, CalendarLocator, days_since_1970, show_dates

CALENDARS = ["360_day", "noleap", "all_leap", "julian"]
UNITS = "days since 1970-01-01"


@settings(deadline=None)
@given(st.sampled_from(CALENDARS), st.floats(-200_000, 200_000), st.floats(0.05, 100_000))
def test_ticks_are_round_dates_and_named_as_such(calendar, first, length):
    low, high = first, first + length
    ticks = np.asarray(CalendarLocator(calendar).tick_values(low, high))
    assert len(ticks) <= 13
    assert ((ticks >= low) & (ticks <= high)).all()
    assert (np.diff(ticks) > 0).all()
    dates = [cftime.num2date(tick + 1e-7, UNITS, calendar) for tick in ticks]
    if length > 100:
        assert {(date.day, date.hour, date.minute) for date in dates} <= {(1, 0, 0)}
    texts = CalendarFormatter(calendar).format_ticks(ticks)
    assert len(set(texts)) == len(texts)
    for text, date in zip(texts, dates, strict=True):
        full = f"{date.year:04d}-{date.month:02d}-{date.day:02d}\n{date.hour:02d}:{date.minute:02d}"
        assert full.startswith(text)
        assert full.removeprefix(text).strip("-\n01:") == ""  # the omitted parts are the first day, month or hour


@pytest.mark.parametrize("calendar", CALENDARS)
def test_ticks_are_about_as_many_whatever_the_length(calendar):
    for length in np.geomspace(0.1, 1_000_000, 50):
        assert 2 <= len(CalendarLocator(calendar).tick_values(12.3, 12.3 + length)) <= 13, length


def test_an_axis_shows_them():
    ax = Figure().subplots()
    show_dates(ax.xaxis, "360_day")
    ax.set_xlim(0, 120)
    ax.get_figure().canvas.draw()
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1970-01", "1970-02", "1970-03", "1970-04", "1970-05"]


def test_times_are_days():
    times = np.array(["1970-01-02T12:00", "1969-12-31"], "datetime64[ms]")
    assert days_since_1970(times).tolist() == [1.5, -1]
    assert days_since_1970(np.array([36, -24], "timedelta64[h]")).tolist() == [1.5, -1]
