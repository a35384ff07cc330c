"""Lateness from runs, against NumPy on the values themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zcollection_coverage.lateness import Lateness, lateness

from zcollection.plugin import Deliveries, Key, PartitionSampling, Sampling, VariableSchema

_CAME = np.datetime64("2026-01-05T00:00:00.123", "ms")
_UNITS = {"D": 86_400, "h": 3600, "s": 1, "ms": 1, "ns": 1}


def _variable(dtype, units=None):
    return VariableSchema("time", dtype=np.dtype(dtype), dimensions=("time",), attrs={"units": units} if units else {})


def _sampled(values, came, variable):
    """Return a partition with values of the axis and their insertion times."""
    return PartitionSampling(
        path="",
        key=Key(),
        sampling=Sampling.of(values, variable, most=None),
        deliveries=Deliveries.of(came),
        stamp="",
        was_read=False,
    )


def _expected(late):
    """Return the lateness computed by NumPy, NaT where it is unknown."""
    known = late[~np.isnat(late)]
    if not len(known):
        return Lateness()
    numbers = known.view(np.int64)
    median, ninety = (np.quantile(numbers, share, method="inverted_cdf") for share in (0.5, 0.9))
    lengths = np.array([median, ninety, numbers.max()]).astype(known.dtype)
    return Lateness(rows=len(known), median=lengths[0], ninety=lengths[1], largest=lengths[2])


_SERIES = st.lists(
    st.tuples(st.integers(-40, 40), st.integers(-2, 3), st.integers(1, 60)),  # start, step and rows of runs
    max_size=5,
)
_DELIVERED = st.lists(st.tuples(st.one_of(st.none(), st.integers(-(10**8), 10**8)), st.integers(1, 90)), min_size=1)


@settings(deadline=None)
@given(parts=st.lists(st.tuples(_SERIES, _DELIVERED), min_size=1, max_size=4), unit=st.sampled_from(list(_UNITS)))
def test_lateness_of_runs_is_that_of_the_rows(parts, unit):
    variable = _variable(f"datetime64[{unit}]")
    epoch = np.datetime64("2026-01-01", unit)
    samplings, expected = [], []
    for series, delivered in parts:
        numbers = np.concatenate([np.empty(0, np.int64), *(start + step * np.arange(n) for start, step, n in series)])
        values = epoch + numbers.astype(f"timedelta64[{unit}]")
        each = [
            _CAME + np.timedelta64(ms, "ms") if ms is not None else np.datetime64("NaT", "ms") for ms, _ in delivered
        ]
        came = np.resize(np.repeat(np.array(each, "datetime64[ms]"), [n for _, n in delivered]), len(values))
        samplings.append(_sampled(values, came, variable))
        expected.append(came - values)
    whole, found = lateness(samplings, variable)
    assert found == [_expected(late) for late in expected]
    assert whole == _expected(np.concatenate(expected))


@pytest.mark.parametrize(("dtype", "step"), [("int32", 3), ("float64", 0.1), ("float32", 0.25)])
def test_lateness_of_numbers_with_units_is_that_of_their_times(dtype, step):
    variable = _variable(dtype, "hours since 2026-01-01")
    values = (np.arange(200) * step).astype(dtype)
    came = np.repeat([_CAME, _CAME + np.timedelta64(1, "h")], 100)
    times = np.datetime64("2026-01-01", "ns") + np.rint(values.astype("float64") * 3.6e12).astype("timedelta64[ns]")
    whole, _ = lateness([_sampled(values, came, variable)], variable)
    assert whole == _expected(came - times)


@pytest.mark.parametrize(
    ("dtype", "units", "values"),
    [
        ("float64", None, [1.0, 2.0]),  # no times
        ("int64", "days since 2026-01-01", [1, 2]),  # in a calendar other than that of clocks
        (
            "datetime64[ns]",
            None,
            np.array(["1678-01-01", "1700-01-01"], "datetime64[ns]"),
        ),  # out of reach in nanoseconds
        ("datetime64[s]", None, np.array([-(2**61), 2**61]).view("datetime64[s]")),
        ("datetime64[s]", None, np.empty(0, "datetime64[s]")),
    ],
)
def test_nothing_is_known_where_there_is_no_lateness(dtype, units, values):
    variable = _variable(dtype, units)
    if units:
        variable = VariableSchema(
            "time", dtype=variable.dtype, dimensions=("time",), attrs={"units": units, "calendar": "360_day"}
        )
    values = np.asarray(values, dtype)
    whole, parts = lateness([_sampled(values, np.full(len(values), _CAME), variable)], variable)
    assert (whole, parts) == (Lateness(), [Lateness()])
    assert str(whole) == "unknown"


def test_a_year_of_one_row_a_second_needs_no_value_for_each_row():
    variable, day = _variable("datetime64[s]"), 86_400
    samplings = []
    for number in range(365):
        first = np.datetime64("2025-01-01", "s") + np.timedelta64(number * day, "s")
        sampling = Sampling(step=1, starts=first.reshape(1).view(np.int64), rows=np.array([day]))
        hours = first + np.arange(1, 25).astype("timedelta64[h]")
        deliveries = Deliveries(times=hours.astype("datetime64[ms]"), rows=np.full(24, 3600))
        samplings.append(
            PartitionSampling(path="", key=Key(), sampling=sampling, deliveries=deliveries, stamp="", was_read=False)
        )
    whole, parts = lateness(samplings, variable)
    assert whole.rows == 365 * day
    lengths = [np.timedelta64(seconds, "s") for seconds in (1800, 3240, 3600)]  # of 1 to 3600 seconds
    assert [whole.median, whole.ninety, whole.largest] == lengths
    assert {str(part) for part in parts} == {"median 30 min, 90 % 54 min, largest 1 h"}
