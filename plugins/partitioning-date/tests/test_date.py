import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zcollection_partitioning_date.date import Date

from zcollection.plugin import PartitionError, PluginConfigurationError
from zcollection.testing import PluginSuite
from zcollection.testing.partitioning import PartitioningSuite

PARTS = {"Y": "year", "M": "month", "D": "day", "h": "hour", "m": "minute", "s": "second"}
ALL_OF_INT64 = st.integers(1 - 2**63, 2**63 - 1)  # the smallest is NaT


class TestPlugin(PluginSuite):
    distribution = "zcollection-partitioning-date"


class TestDate(PartitioningSuite):
    examples = (
        Date(("time",), resolution="Y"),
        Date(("time",), resolution="M"),
        Date(("time",), resolution="D"),
        Date(("/data_01/time",), resolution="h", dimension="num_lines"),
        Date(("time",), resolution="m"),
        Date(("time",), resolution="s"),
    )


def keys(times, resolution="s"):
    found = Date(("time",), resolution=resolution).keys({"time": times})
    return {name: values.tolist() for name, values in found.items()}


@settings(deadline=None)
@given(counts=st.lists(ALL_OF_INT64, max_size=20), resolution=st.sampled_from([*PARTS]))
def test_over_all_nanoseconds_the_keys_are_those_of_pandas(counts, resolution):
    times = np.array(counts, dtype="int64").view("datetime64[ns]")
    names = [*PARTS.values()][: [*PARTS].index(resolution) + 1]
    index = pd.DatetimeIndex(times)
    assert keys(times, resolution) == {name: getattr(index, name).tolist() for name in names}


def date_of(day):
    """Return year, month and day of a day counted from 1970-01-01, in Python's integers.

    Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    """
    era, day_of_era = divmod(day + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1


FRACTIONS = {"h": (3600, 1), "m": (60, 1), "s": (1, 1), "ms": (1, 10**3), "us": (1, 10**6), "ns": (1, 10**9)}
FRACTIONS |= {"ps": (1, 10**12), "fs": (1, 10**15), "as": (1, 10**18), "D": (86_400, 1), "W": (604_800, 1)}


@settings(deadline=None, max_examples=500)
@given(count=ALL_OF_INT64 | st.integers(-(2**40), 2**40), unit=st.sampled_from([*FRACTIONS]))
def test_in_every_unit_the_keys_are_those_of_exact_integers(count, unit):
    times = np.array([count]).view(f"datetime64[{unit}]")
    multiplier, divisor = FRACTIONS[unit]
    seconds = count * multiplier // divisor
    day, clock = divmod(seconds, 86_400)
    expected = [*date_of(day), clock // 3600, clock // 60 % 60, clock % 60]
    if abs(seconds) < 2**63:
        assert keys(times) == {name: [value] for name, value in zip(PARTS.values(), expected, strict=True)}
    else:
        with pytest.raises(PartitionError, match=r"1 of 1 times .* the first at position 0"):
            keys(times)


@pytest.mark.parametrize(("unit", "per_year"), [("Y", 1), ("M", 12)])
@settings(deadline=None)
@given(count=ALL_OF_INT64)
def test_years_and_months_are_exact_or_refused(unit, per_year, count):
    times = np.array([count]).view(f"datetime64[{unit}]")
    year = 1970 + count // per_year
    if abs(year) < 292_277_000_000:
        assert keys(times, "M") == {"year": [year], "month": [count % per_year + 1]}
    elif abs(year) > 292_278_000_000:
        with pytest.raises(PartitionError, match="times that datetime64 counts in seconds"):
            keys(times, "M")


def test_an_instant_before_1970_belongs_to_the_period_before_it():
    assert keys(np.array([-1], dtype="datetime64[ns]")) == {
        "year": [1969], "month": [12], "day": [31], "hour": [23], "minute": [59], "second": [59]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("time", "path"),
    [
        ("2024-03-09", "year=2024/month=03"),
        ("0999-12-31", "year=0999/month=12"),
        ("0000-02-29", "year=0000/month=02"),
        ("-0001-12-31", "year=-001/month=12"),
        ("-0044-03-15", "year=-044/month=03"),
        ("-10000-01-01", "year=-10000/month=01"),
        ("10000-01-01", "year=10000/month=01"),
        ("-292277022656-01-01", "year=-292277022656/month=01"),
        ("292277026595-12-31", "year=292277026595/month=12"),
    ],
)
def test_years_of_any_length_have_paths_that_give_them_back(time, path):
    date = Date(("time",), resolution="M")
    key = {name: values[0] for name, values in keys(np.array([time], dtype="datetime64[s]"), "M").items()}
    assert date.encode(key) == path
    assert dict(date.decode(path)) == key


def test_paths_of_four_digit_years_sort_as_text_as_they_do_as_times():
    date = Date(("time",), resolution="h")
    times = np.arange("2023-12-30", "2024-03-02", np.timedelta64(1, "h"), dtype="datetime64[h]")
    columns = date.keys({"time": times})
    paths = [date.encode(dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]
    assert paths == sorted(set(paths))
    assert paths[0] == "year=2023/month=12/day=30/hour=00"


def test_rows_without_a_time_are_refused_with_their_number_and_the_first():
    times = np.array(["2024-01-01", "NaT", "2024-01-02", "NaT"], dtype="datetime64[ns]")
    with pytest.raises(PartitionError, match=r"'time' has 2 of 4 times .* at position 1: NaT; .* drop these rows"):
        keys(times)


@pytest.mark.parametrize(
    "column",
    [
        np.arange(3),
        np.arange(3.0),
        np.array(["2024-01-01"]),
        np.array(["2024-01-01"], dtype=object),
        np.array([1], dtype="timedelta64[s]"),
        np.empty(1, dtype="M8"),
        np.arange(0),
    ],
    ids=lambda column: str(column.dtype),
)
def test_what_is_no_time_is_refused(column):
    with pytest.raises(PartitionError, match=r"'time', which is .*; accepted: datetime64 with a unit; .*CF units"):
        keys(column)


@pytest.mark.parametrize(
    "path",
    [
        "year=2024/month=00/day=01",
        "year=2024/month=13/day=01",
        "year=2024/month=01/day=00",
        "year=2024/month=01/day=32",
        "year=2024/month=04/day=31",
        "year=2023/month=02/day=31",  # day 30 is one of February in the calendar 360_day
        "year=-001/month=02/day=31",
        "year=292277026596/month=01/day=01",
        "year=2024/month=-1/day=01",
    ],
)
def test_periods_that_do_not_exist_are_refused(path):
    date = Date(("time",), resolution="D")
    key = {name: int(value) for name, _, value in (segment.partition("=") for segment in path.split("/"))}
    for refuse in (lambda: date.decode(path), lambda: date.encode(key)):
        with pytest.raises(PartitionError, match=r"has the (year|month|day) -?\d+; accepted: "):
            refuse()


@pytest.mark.parametrize(
    "path", ["hour=24/minute=00/second=00", "hour=23/minute=60/second=00", "hour=23/minute=59/second=60"]
)
def test_clocks_that_do_not_exist_are_refused(path):
    with pytest.raises(PartitionError, match=r"has the (hour|minute|second) \d+; accepted: 0 to "):
        Date(("time",), resolution="s").decode(f"year=2024/month=02/day=29/{path}")


@pytest.mark.parametrize("path", ["year=24/month=03", "year=2024/month=3", "year=02024/month=03", "month=03/year=2024"])
def test_paths_that_other_tools_might_write_are_refused(path):
    with pytest.raises(PartitionError, match="is not a value of the partition field"):
        Date(("time",), resolution="M").decode(path)


def test_a_list_of_variables_is_kept_as_a_tuple_and_the_resolution_may_be_positional():
    date = Date(["time"], "M")
    assert date == Date(("time",), resolution="M", dimension=None)
    assert repr(date) == "Date(variables=('time',), resolution='M', dimension=None)"
    assert date.time_variables == ("time",)


@pytest.mark.parametrize("variables", ["time", (), ("time", "date"), ("",), (1,), None, {"time"}], ids=repr)
def test_variables_that_are_not_one_path_in_a_tuple_are_refused(variables):
    with pytest.raises(PluginConfigurationError, match=r"variables .* accepted.* such as"):
        Date(variables, resolution="D")


@pytest.mark.parametrize("resolution", ["H", "min", "ms", "W", "", "YM", None, 1, ["D"]], ids=repr)
def test_other_resolutions_are_refused(resolution):
    with pytest.raises(PluginConfigurationError, match=r"resolution .*; accepted: 'Y', 'M', 'D', 'h', 'm', 's'"):
        Date(("time",), resolution=resolution)


@pytest.mark.parametrize("dimension", ["", 1, ("row",)], ids=repr)
def test_what_is_no_dimension_is_refused(dimension):
    with pytest.raises(PluginConfigurationError, match=r"dimension .*; accepted: the name of a dimension, or None"):
        Date(("time",), resolution="D", dimension=dimension)


def test_there_is_no_resolution_by_default():
    with pytest.raises(TypeError, match="resolution"):
        Date(("time",))
