"""Durations as arguments, compared with NumPy."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcollection.errors import SettingError
from zcollection.model.durations import duration_of, nanoseconds_of, parse_duration

_UNITS = {"ns": "ns", "us": "us", "ms": "ms", "s": "s", "sec": "s", "seconds": "s", "min": "m", "minutes": "m"}
_UNITS |= {"h": "h", "hours": "h", "d": "D", "D": "D", "days": "D"}


@given(
    number=st.decimals(0, 1000, places=2), unit=st.sampled_from(list(_UNITS)), space=st.sampled_from(["", " ", "  "])
)
def test_durations_in_words_equal_those_of_numpy(number, unit, space):
    hundredfold = np.timedelta64(int(number * 100), _UNITS[unit]).astype("timedelta64[ns]").astype(int).item()
    whole, rest = divmod(hundredfold, 100)
    found = parse_duration(f"{number}{space}{unit}")
    if rest:
        assert found is None  # nothing is rounded
    else:
        assert nanoseconds_of(found) == whole


@given(parts=st.tuples(*[st.integers(0, 400)] * 3, st.integers(0, 10**5), st.decimals(0, 10**5, places=3)))
def test_an_iso_8601_duration_is_accepted(parts):
    weeks, days, hours, minutes, seconds = parts
    text = f"P{weeks}W{days}DT{hours}H{minutes}M{seconds}S"
    whole = dt.timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes)
    expected = whole // dt.timedelta(microseconds=1) * 1000 + int(seconds * 10**9)
    assert nanoseconds_of(parse_duration(text)) == expected


@pytest.mark.parametrize(
    ("given_length", "nanoseconds"),
    [
        ("10 min", 600 * 10**9),
        (" 1.5h ", 5400 * 10**9),
        ("1 week", 604_800 * 10**9),
        ("2W", 2 * 604_800 * 10**9),
        ("P1D", 86_400 * 10**9),
        ("PT0.5S", 5 * 10**8),
        (dt.timedelta(microseconds=-3), -3000),
        (np.timedelta64(3, "25s"), 75 * 10**9),
        (np.timedelta64(200_000, "D"), 200_000 * 86_400 * 10**9),
    ],
)
def test_a_duration_is_exact_in_every_accepted_form(given_length, nanoseconds):
    assert nanoseconds_of(duration_of(given_length, name="gap")) == nanoseconds


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            "",
            "5",
            "h",
            "soon",
            "1 m",
            "1 M",
            "1 year",
            "-1 h",
            "1e3 s",
            "nan s",
            "P",
            "PT",
            "P1DT",
            "P1Y",
            "PT1,5S",
            "٣ s",
        ),
        *("99999999999999 d", "0.1 ns", 3, 1.5, None, np.timedelta64("NaT", "s"), np.timedelta64(1, "M")),
        *(np.timedelta64(2**62, "D"), np.timedelta64(1, "Y"), dt.time(1)),
    ],
)
def test_an_invalid_duration_is_rejected(wrong):
    with pytest.raises(SettingError, match=r"^gap is .*; accepted: a duration"):
        duration_of(wrong, name="gap")
