import warnings

import cftime
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import zcollection as zc
from zcollection.model.times import in_calendar, in_words, parse_units

UNITS = [
    "nanoseconds since 1970-01-01",
    "microseconds since 2000-01-01 00:00:00",
    "seconds since 2000-01-01T12:30:15.250Z",
    "days since 1950-01-01",
    "hours since 1985-06-03 00:00:00.0 UTC",
    "minutes since 1900-01-01 00:00",
]


@pytest.mark.parametrize("units", UNITS)
def test_numbers_are_decoded_as_by_xarray(units):
    import xarray

    numbers = np.array([0, 1, -5, 4000], dtype="int64")
    coder = xarray.Variable(("x",), numbers, {"units": units})
    expected = xarray.conventions.decode_cf_variable("t", coder).values.astype("datetime64[ns]")
    found = parse_units(units, name="t").decode(numbers)
    np.testing.assert_array_equal(found.astype("datetime64[ns]"), expected)


@given(
    units=st.sampled_from(UNITS),
    numbers=st.lists(st.integers(-(10**5), 10**5), max_size=20).map(lambda values: np.array(values, dtype="int64")),
)
def test_encoding_is_the_inverse_of_decoding(units, numbers):
    parsed = parse_units(units, name="t")
    np.testing.assert_array_equal(parsed.encode(parsed.decode(numbers), name="t"), numbers)


@given(times=st.lists(st.datetimes(pd.Timestamp("1700-01-01"), pd.Timestamp("2200-01-01")), max_size=10))
def test_times_of_any_precision_are_exact_or_rejected(times):
    values = np.array(times, dtype="datetime64[us]")
    exact = parse_units("microseconds since 1970-01-01", name="t")
    np.testing.assert_array_equal(exact.encode(values, name="t"), values.astype("int64"))
    coarse = parse_units("seconds since 1970-01-01", name="t")
    whole = values.astype("datetime64[s]") == values
    if whole.all():
        np.testing.assert_array_equal(coarse.encode(values, name="t"), values.astype("datetime64[s]").astype("int64"))
    else:
        with pytest.raises(zc.SchemaError, match="'t': .* is not a whole number of seconds since"):
            coarse.encode(values, name="t")


def test_missing_times_go_through_the_fill_value():
    units = parse_units("days since 2000-01-01", name="t")
    decoded = units.decode(np.array([1, -99, np.iinfo("int64").min]), fill_value=-99)
    assert np.isnat(decoded).tolist() == [False, True, True]
    assert units.encode(decoded, fill_value=-99, name="t").tolist() == [1, -99, -99]
    assert units.encode(decoded, name="t").tolist() == [1, *[np.iinfo("int64").min] * 2]


def test_floats_are_read_to_the_nearest_nanosecond():
    units = parse_units("days since 2000-01-01", name="t")
    decoded = units.decode(np.array([0.5, np.nan, -1.25]))
    assert decoded.tolist() == np.array(["2000-01-01T12", "NaT", "1999-12-30T18"], dtype="datetime64[ns]").tolist()


@pytest.mark.parametrize(
    "units", ["days", "fortnights since 2000-01-01", "days since yesterday", "days since 2000-02-30", 5]
)
def test_an_invalid_unit_of_time_is_rejected(units):
    with pytest.raises(zc.SchemaError, match="variable 't'"):
        parse_units(units, name="t")


@pytest.mark.parametrize("calendar", ["lunar", None, 365])
def test_an_unknown_calendar_is_rejected_by_name(calendar):
    with pytest.raises(zc.SchemaError, match=f"calendar {calendar!r}"):
        parse_units("days since 2000-01-01", calendar, name="t")


CALENDARS = ("standard", "proleptic_gregorian", "julian", "noleap", "all_leap", "360_day")


@given(
    calendar=st.sampled_from(CALENDARS),
    unit=st.sampled_from(["days", "hours", "minutes", "seconds"]),
    reference=st.tuples(st.integers(1, 9999), st.integers(1, 12), st.integers(1, 28), st.integers(0, 23)),
    numbers=st.lists(st.integers(-(10**6), 10**6), max_size=5),
)
def test_times_in_any_calendar_are_those_of_cftime(calendar, unit, reference, numbers):
    assume(calendar != "standard" or reference[:2] != (1582, 10))
    year, month, day, hour = reference
    units = f"{unit} since {year:04d}-{month:02d}-{day:02d} {hour:02d}:00:00"
    parsed = parse_units(units, calendar, name="t")
    times = parsed.decode(np.array(numbers, dtype=np.int64))
    found = in_words(times, calendar)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cftime.CFWarning)  # warns of years before 1
        expected = cftime.num2date(numbers, units, calendar) if numbers else []
    assume(all(1 <= time.year <= 9999 for time in expected))
    assert found == [time.isoformat() for time in expected]
    since = times.view(times.dtype.str.replace("M8", "m8"))
    assert parsed.encode(since, name="t").tolist() == numbers


@given(st.lists(st.floats(-1e6, 1e6), max_size=5), st.sampled_from(CALENDARS))
def test_floats_in_any_calendar_are_read_and_written_to_the_microsecond(numbers, calendar):
    parsed = parse_units("days since 0800-03-01", calendar, name="t")
    times = parsed.decode(np.array(numbers))
    again = parsed.encode(times.view(times.dtype.str.replace("M8", "m8")), dtype="f8", name="t")
    np.testing.assert_array_equal(parsed.decode(again), times)


def test_datetime64_is_not_of_the_standard_calendar_before_1582():
    early = np.array(["1582-10-14"], dtype="M8[s]")
    with pytest.raises(zc.SchemaError, match="1582-10-15"):
        parse_units("days since 1970-01-01", name="t").encode(early, name="t")
    parsed = parse_units("days since 1970-01-01", "proleptic_gregorian", name="t")
    assert parsed.encode(early, name="t").tolist() == [-141_428]


def test_a_date_that_a_calendar_lacks_cannot_be_compared_in_it():
    assert in_calendar(np.datetime64("2000-03-01"), "noleap") == np.timedelta64(30 * 365 + 59, "D")
    with pytest.raises(zc.SchemaError, match=r"'noleap' has no 2000-02-29"):
        in_calendar(np.datetime64("2000-02-29"), "noleap")


@pytest.mark.parametrize("sign", [1, -1])
def test_the_last_time_that_fits_is_decoded_and_encoded_and_the_next_one_rejected(sign):
    """Days since one second after 1970 are decoded in seconds with integer arithmetic, not with floats."""
    parsed = parse_units("days since 1970-01-01T00:00:01", "proleptic_gregorian", name="t")
    last = sign * ((2**63 - 2) // 86_400)
    found = parsed.decode(np.array([0, last]))
    assert found.astype("datetime64[s]").astype("int64").tolist() == [1, last * 86_400 + 1]
    assert parsed.encode(found, name="t").tolist() == [0, last]
    with pytest.raises(zc.SchemaError, match="out of the range"):
        parsed.decode(np.array([0, last + sign]))
    with pytest.raises(zc.SchemaError, match="out of the range"):
        parsed.encode(np.array([0, sign * (2**63 - 1)]).view("datetime64[s]"), name="t")


@pytest.mark.parametrize("number", [1e10, -1e10, np.inf, -np.inf])
def test_a_float_beyond_the_range_of_nanoseconds_is_rejected(number):
    with pytest.raises(zc.SchemaError, match="out of the range"):
        parse_units("seconds since 1970-01-01", name="t").decode(np.array([0.5, number, np.nan]))


def test_a_time_out_of_range_is_rejected_and_never_overflows():
    with pytest.raises(zc.SchemaError, match="out of the range"):
        parse_units("days since 2000-01-01", name="t").decode(np.array([1e300]))
    far = np.array(["9999-01-01"], dtype="datetime64[D]")
    with pytest.raises(zc.SchemaError, match="out of the range"):
        parse_units("nanoseconds since 1970-01-01", name="t").encode(far, name="t")
