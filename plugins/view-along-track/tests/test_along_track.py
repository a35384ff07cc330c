import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zcollection_view_along_track.gradient import EARTH_RADIUS, Gradient, over_ground
from zcollection_view_along_track.running import RunningMean, RunningMedian
from zcollection_view_along_track.windows import half_of

from zcollection.plugin import Dataset, PluginConfigurationError, Schema, SchemaError
from zcollection.testing import ComputationSuite, PluginSuite

NAN = np.nan


class TestPlugin(PluginSuite):
    distribution = "zcollection-view-along-track"


class TestRunningMean(ComputationSuite):
    examples = (
        RunningMean("ssh", window=5),
        RunningMean(("ssh", "data/ku/power"), window=np.timedelta64(7, "s"), minimum=2),
        RunningMean("ssh", window=np.timedelta64(2, "m"), suffix="_smooth"),
    )


class TestRunningMedian(ComputationSuite):
    examples = (RunningMedian("ssh", window=3), RunningMedian("ssh", window=np.timedelta64(9, "s")))


class TestGradient(ComputationSuite):
    examples = (
        Gradient("ssh"),
        Gradient(("ssh", "data/ku/power"), position=("longitude", "latitude"), suffix="_slope"),
    )


def track(values, *, times=None, fill_value=NAN, dtype="float64", axis="datetime64[s]", **more):
    schema = (
        Schema()
        .with_dimension("time")
        .with_dimension("x", size=2)
        .with_variable("time", dtype=axis, dimensions=("time",), attrs=more.pop("attrs", {}))
        .with_variable("ssh", dtype=dtype, dimensions=("time",), fill_value=fill_value, attrs={"units": "m"})
        .with_variable("wide", dtype="float32", dimensions=("x", "time"))
        .with_variable("name", dtype="string", dimensions=("time",))
    )
    for name in more:
        schema = schema.with_variable(name, dtype="float64", dimensions=("time",))
    times = np.arange(len(values)) if times is None else times
    wide = np.stack([np.asarray(values, "float32"), np.asarray(values, "float32") + 1])
    arrays = {"time": np.asarray(times).astype(axis), "ssh": values, "wide": wide, "name": ["n"] * len(values)}
    return Dataset(schema.build(), {**arrays, **more})


def result(computation, rows, path=None):
    return computation.compute(rows.select(computation.inputs))[path or f"ssh{computation.suffix}"]


VALUES = st.lists(st.floats(-1e3, 1e3) | st.just(NAN), min_size=1, max_size=40)


@settings(deadline=None)
@given(values=VALUES, reach=st.integers(0, 6), minimum=st.integers(1, 4))
def test_windows_of_rows_are_those_of_pandas(values, reach, minimum):
    window, least = 2 * reach + 1, min(minimum, 2 * reach + 1)
    rolling = pd.Series(values, dtype="float64").rolling(window, center=True, min_periods=least)
    for computation, expected in ((RunningMean, rolling.mean()), (RunningMedian, rolling.median())):
        found = result(computation("ssh", window=window, minimum=least), track(values))
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_window_beyond_all_rows_takes_no_more_memory_than_they_do():
    found = result(RunningMean("ssh", window=10**15 + 1), track([1.0, 2.0, 6.0]))
    assert found.tolist() == [3.0, 3.0, 3.0]


@settings(deadline=None)
@given(values=VALUES, seed=st.integers(0, 2**32 - 1), window=st.integers(1, 30), unit=st.sampled_from(["s", "ms"]))
def test_windows_of_time_hold_what_is_at_most_half_of_them_away(values, seed, window, unit):
    times = np.sort(np.random.default_rng(seed).integers(0, 60, len(values)))
    apart = np.abs(times[:, None] - times)
    seen = np.where(apart * 2000 <= window * (1000 if unit == "s" else 1), np.asarray(values, "float64"), NAN)
    length = np.timedelta64(window, unit)
    for computation, expected in (
        (RunningMean("ssh", window=length), [pd.Series(row).mean() for row in seen]),
        (RunningMedian("ssh", window=length), [pd.Series(row).median() for row in seen]),
    ):
        np.testing.assert_allclose(result(computation, track(values, times=times)), expected, atol=1e-9)


@settings(deadline=None)
@given(values=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30), seed=st.integers(0, 2**32 - 1))
def test_slopes_are_those_of_numpy_where_nothing_is_missing(values, seed):
    times = np.cumsum(np.random.default_rng(seed).integers(1, 50, len(values)))
    np.testing.assert_allclose(
        result(Gradient("ssh"), track(values, times=times)), np.gradient(values, times), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 1, NAN, 3, 5], [1, 1, NAN, 2, 2]),
        ([0, NAN, 3], [NAN, NAN, NAN]),
        ([4], [NAN]),
        ([], []),
    ],
)
def test_a_slope_beside_a_missing_row_is_that_to_the_other_side(values, expected):
    np.testing.assert_array_equal(result(Gradient("ssh"), track(values)), expected)


def test_rows_at_one_place_have_no_slope_between_them():
    np.testing.assert_array_equal(result(Gradient("ssh"), track([0, 1, 3], times=[0, 0, 2])), [NAN, 1, 1])


def test_slopes_over_ground_are_per_metre():
    quarter = [0.0, 0.0, 90.0]
    rows = track([0.0, 1.0, 2.0], longitude=quarter, latitude=[0.0, 90.0, 0.0])
    length = EARTH_RADIUS * np.pi / 2
    np.testing.assert_allclose(result(Gradient("ssh", position=("longitude", "latitude")), rows), [1 / length] * 3)
    np.testing.assert_allclose(over_ground(np.array([179.5, -179.5]), np.zeros(2)), np.radians(1) * EARTH_RADIUS)
    assert over_ground(np.array([0.0, 180.0]), np.zeros(2))[0] == pytest.approx(np.pi * EARTH_RADIUS)


def test_units_follow_from_what_they_are_divided_by():
    schema = track([1.0], longitude=[0.0], latitude=[0.0]).schema
    assert Gradient("ssh").outputs(schema)["ssh_gradient"].attrs["units"] == "m s-1"
    over = Gradient("ssh", position=("longitude", "latitude")).outputs(schema)
    assert over["ssh_gradient"].attrs["units"] == "1"
    assert RunningMean("ssh", window=3).outputs(schema)["ssh_mean"].attrs == {
        "units": "m",
        "cell_methods": "time: mean",
    }
    assert RunningMedian("ssh", window=3).outputs(schema)["ssh_median"].attrs["cell_methods"] == "time: median"


def test_fill_values_count_as_missing_and_integers_become_fractions():
    rows = track([1, -1, 4], fill_value=-1, dtype="int16")
    found = result(RunningMean("ssh", window=3), rows)
    assert found.dtype == "float64"
    assert found.tolist() == [1, 2.5, 4]


def test_other_dimensions_stay_where_they_are():
    rows = track([1.0, 2.0, 6.0])
    found = result(RunningMean("wide", window=3), rows, "wide_mean")
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found, [[1.5, 3, 4], [2.5, 4, 5]])
    np.testing.assert_array_equal(result(Gradient("wide"), rows, "wide_gradient"), [[1, 2.5, 4], [1, 2.5, 4]])


@pytest.mark.parametrize(
    "computation", [RunningMean("ssh", window=3), RunningMean("ssh", window=np.timedelta64(2, "s"))]
)
def test_rows_without_a_time_have_no_result_and_count_for_none(computation):
    rows = track([1.0, 3.0, 50.0], times=["1970-01-01", "1970-01-01T00:00:01", "NaT"])
    np.testing.assert_array_equal(result(computation, rows), [2, 2, NAN])
    np.testing.assert_array_equal(result(Gradient("ssh"), rows), [2, 2, NAN])


def test_an_axis_of_numbers_with_units_of_time_is_one_of_times():
    rows = track([1.0, 3.0, 8.0], times=[0, 1, 2], axis="int64", attrs={"units": "minutes since 2000-01-01"})
    np.testing.assert_array_equal(result(RunningMean("ssh", window=np.timedelta64(2, "m")), rows), [2, 4, 5.5])
    np.testing.assert_allclose(result(Gradient("ssh"), rows), np.array([2, 3.5, 5]) / 60)


def test_an_axis_of_plain_numbers_has_slopes_by_its_unit_and_no_windows_of_time():
    rows = track([1.0, 3.0, 8.0], times=[0, 2, 4], axis="int64", attrs={"units": "km"})
    np.testing.assert_array_equal(result(Gradient("ssh"), rows), [1, 1.75, 2.5])
    assert Gradient("ssh").outputs(rows.schema)["ssh_gradient"].attrs["units"] == "m km-1"
    with pytest.raises(SchemaError, match="requires an axis of times, and 'time' is int64; accepted: a number of rows"):
        result(RunningMean("ssh", window=np.timedelta64(2, "s")), rows)


def test_what_is_not_along_the_track_is_rejected():
    with pytest.raises(SchemaError, match="variable 'name' is StringDType.*accepted along the track"):
        Gradient("name").outputs(track([1.0]).schema)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RunningMean("ssh", window=4), "window is 4; accepted: an odd number of rows, or a numpy.timedelta64"),
        (lambda: RunningMean("ssh", window=-1), "window is -1"),
        (lambda: RunningMean("ssh", window=np.timedelta64(0, "s")), "window is"),
        (lambda: RunningMean("ssh", window=np.timedelta64(1, "M")), "window is"),
        (lambda: RunningMean("ssh", window=True), "window is True"),
        (lambda: RunningMedian("ssh", window=3, minimum=0), "minimum is 0; accepted"),
        (lambda: RunningMean((), window=3), "variables is"),
        (lambda: RunningMean("ssh", window=3, suffix=""), "suffix is ''"),
        (
            lambda: Gradient("ssh", position=("longitude",)),
            "position is .*accepted: the paths of longitude and latitude",
        ),
    ],
)
def test_settings_that_do_not_fit_are_rejected(make, message):
    with pytest.raises(PluginConfigurationError, match=message):
        make()


@pytest.mark.parametrize(
    ("window", "half"),
    [(np.timedelta64(3, "s"), np.timedelta64(1500, "ms")), (np.timedelta64(4, "s"), np.timedelta64(2, "s"))],
)
def test_half_of_an_odd_window_is_told_in_a_finer_unit(window, half):
    assert half_of(window) == half
