"""The coverage of an axis and its gaps, against pandas."""

import datetime as dt
import sys

import cftime
import numpy as np
import pandas as pd
import pytest
from effort import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from kept import lost
from zcollection_coverage import Coverage, coverage

import zcollection as zc

_START = np.datetime64("2024-01-30T20:00", "s")
_STEPS = st.lists(st.sampled_from([0, 60, 60, 60, 60, 120, 3600, 90_000, -60]), max_size=60)


def _collection(place, *, partitioning="date:D", dtype="datetime64[s]", attrs=None, root=None) -> zc.Collection:
    schema = (
        zc.Schema()
        .with_dimension("time", chunks=64)
        .with_variable("time", dtype=dtype, dimensions=("time",), attrs=attrs or {})
        .with_variable("station", dtype="int64", dimensions=("time",))
    )
    for name, value in (root or {}).items():
        schema = schema.with_attribute(name, value)
    return zc.create_collection(place, schema=schema, axis="time", partitioning=partitioning, overwrite=True)


def _rows(times, stations=0) -> dict[str, np.ndarray]:
    return {"time": times, "station": np.broadcast_to(stations, len(times))}


def _check(found: Coverage, times: pd.Series, *, every: pd.Timedelta, gap: pd.Timedelta) -> None:
    """Compare the whole with pandas."""
    unique = times.drop_duplicates().sort_values().reset_index(drop=True)
    steps = unique.diff()
    wide = steps[steps > gap]
    total = found.total
    assert (total.rows, total.duplicates) == (len(times), times.duplicated().sum())
    assert pd.Timestamp(total.first) == unique.iloc[0]
    assert pd.Timestamp(total.last) == unique.iloc[-1]
    assert total.gaps == len(wide) == len(found.gaps)
    assert pd.Timedelta(total.gap_length) == wide.sum()
    assert pd.Timedelta(total.largest_gap) == (wide.max() if len(wide) else pd.Timedelta(0))
    assert total.expected == (unique.iloc[-1] - unique.iloc[0]) // every + 1
    assert total.share == min(len(unique) / total.expected, 1)
    frame = found.gaps.to_pandas()
    if len(wide):
        assert frame["stop"].tolist() == unique[wide.index].tolist()
        assert frame["start"].tolist() == unique[wide.index - 1].tolist()
    numbers = (steps > gap).cumsum()
    intervals = found.intervals.to_pandas()
    assert intervals["start"].tolist() == unique.groupby(numbers).min().tolist()
    assert intervals["stop"].tolist() == unique.groupby(numbers).max().tolist()
    assert intervals["rows"].sum() == len(times)


@examples(15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=_STEPS,
    second=_STEPS,
    merge=st.sampled_from(["concat", "upsert", "time_series"]),
    by=st.sampled_from(["date:D", "values:station"]),
)
def test_the_coverage_of_any_series_is_that_of_pandas(first, second, merge, by):
    collection = _collection("memory://coverage", partitioning=by)
    for number, steps in enumerate((first, second)):
        times = _START + np.cumsum([number * 600, *steps]).astype("timedelta64[s]")
        collection.insert(_rows(times, np.arange(len(times)) % 2), merge=merge)
    parts = collection.map(lambda dataset: dataset["time"].to_numpy(), variables=["time"])
    times = pd.Series(np.concatenate(list(parts.values())))
    steps = pd.concat([pd.Series(values).diff() for values in parts.values()])
    steps = steps[steps > pd.Timedelta(0)]
    found = coverage(collection)
    if len(steps):
        every = steps.mode().iloc[0]
        assert pd.Timedelta(found.every) == every
        _check(found, times, every=every, gap=every * 1.5)
    else:
        assert found.every is None
        assert found.total.share is None
    _check(coverage(collection, every="60 s", gap="2 h"), times, every=pd.Timedelta("60s"), gap=pd.Timedelta("2h"))
    for part in found.partitions:
        own = pd.Series(parts[part.path])
        assert (part.rows, part.duplicates, part.backward) == (
            len(own),
            own.duplicated().sum(),
            (own.diff() < pd.Timedelta(0)).sum(),
        )
    assert found.total.backward == sum(part.backward for part in found.partitions)


def test_a_partition_by_date_is_measured_by_its_period(tmp_path):
    collection = _collection(tmp_path / "c")
    minutes = np.datetime64("2024-01-01T06:00", "s") + np.arange(0, 3 * 86_400, 60).astype("timedelta64[s]")
    there = (minutes < np.datetime64("2024-01-01T20:00")) | (minutes >= np.datetime64("2024-01-02T06:00"))
    collection.insert(_rows(minutes[there & (minutes < np.datetime64("2024-01-04"))]))
    collection.insert(_rows(minutes[minutes >= np.datetime64("2024-01-04")][:60]))
    found = {part.path[-2:]: part for part in coverage(collection).partitions}
    assert [part.expected for part in found.values()] == [18 * 60, 1440, 1440, 60]
    assert [part.share for part in found.values()] == [14 / 18, 18 / 24, 1, 1]
    assert [(part.gaps, part.largest_gap) for part in found.values()] == [
        (1, np.timedelta64(4 * 3600 + 60, "s")),
        (1, np.timedelta64(6 * 3600, "s")),
        (0, np.timedelta64(0, "s")),
        (0, np.timedelta64(0, "s")),
    ]


def test_no_value_is_read_of_what_statistics_tell(tmp_path, monkeypatch):
    collection = _collection(tmp_path / "c")
    rng = np.random.default_rng(5)
    collection.insert(_rows(_START + np.arange(0, 86_400, 60).astype("timedelta64[s]")))
    collection.insert(_rows(_START + np.unique(rng.integers(2 * 86_400, 3 * 86_400, 900)).astype("timedelta64[s]")))
    found = coverage(collection)
    assert found.read == 1  # that with most of the irregular rows
    assert "axis read for:" in repr(found)
    assert coverage(collection, filters="day < 1 or month == 1").read == 0


def test_rows_that_are_asked_for_are_measured(tmp_path):
    collection = _collection(tmp_path / "c")
    times = _START + np.arange(0, 86_400, 60).astype("timedelta64[s]")
    collection.insert(_rows(times, np.arange(1440) // 60 % 2))
    found = coverage(collection, where="station == 1", every="1 min")
    _check(found, pd.Series(times[np.arange(1440) // 60 % 2 == 1]), every=pd.Timedelta("1min"), gap=pd.Timedelta("90s"))
    assert found.total.gaps == 11
    empty = coverage(collection, where="station == 7")
    assert (empty.total.rows, empty.total.first, empty.total.share, len(empty.partitions)) == (0, None, None, 0)
    assert "0 partitions" in repr(empty)


@pytest.mark.parametrize(
    ("attrs", "root", "source"),
    [
        ({"sampling_interval": "2 min"}, {}, "attribute 'sampling_interval' of the axis"),
        ({}, {"time_coverage_resolution": "PT2M"}, "attribute 'time_coverage_resolution' of the collection"),
        ({}, {}, "the most frequent one"),
    ],
)
def test_the_expected_step_may_be_declared(tmp_path, attrs, root, source):
    collection = _collection(tmp_path / "c", attrs=attrs, root=root)
    collection.insert(_rows(_START + np.arange(0, 3600, 60).astype("timedelta64[s]")))
    found = coverage(collection)
    assert found.every_from == source
    assert found.every == np.timedelta64(2 if attrs or root else 1, "m")


@pytest.mark.parametrize(
    ("dtype", "units", "calendar"),
    [("int64", "seconds since 2000-01-01", None), ("float64", "days since 2000-01-01", "360_day")],
)
def test_numbers_with_units_are_times(tmp_path, dtype, units, calendar):
    attrs = {"units": units, **({"calendar": calendar} if calendar else {})}
    collection = _collection(tmp_path / "c", partitioning="date:M", dtype=dtype, attrs=attrs)
    numbers = np.delete(np.arange(300), [50, 51]).astype(dtype) * (1 if calendar else 86_400)
    collection.insert(_rows(numbers))
    found = coverage(collection)
    assert found.every == np.timedelta64(1, "D")
    assert [item.length for item in found.gaps] == [np.timedelta64(3, "D")]
    assert [item.missing for item in found.gaps] == [2]
    if calendar is None:
        assert found.total.first == np.datetime64("2000-01-01")


def test_an_axis_of_numbers_has_gaps_too(tmp_path):
    collection = _collection(tmp_path / "c", partitioning="values:station", dtype="float64")
    collection.insert(_rows(np.array([0.0, 0.5, 1.0, np.nan, 3.0])))
    found = coverage(collection)
    assert (found.every, found.total.without_value, found.total.share) == (0.5, 1, 4 / 7)
    assert [(item.start, item.stop, item.missing) for item in found.gaps] == [(1.0, 3.0, 3)]
    with pytest.raises(zc.errors.SettingError, match="every is '1 s'; accepted: a number greater than 0"):
        coverage(collection, every="1 s")


@pytest.mark.parametrize("every", ["", "fast", "0 s", "1 ms", np.timedelta64("NaT", "s"), 3, dt.timedelta(seconds=-1)])
def test_what_is_no_step_of_the_axis_is_refused(tmp_path, every):
    collection = _collection(tmp_path / "c")
    collection.insert(_rows(_START + np.arange(3).astype("timedelta64[s]")))
    with pytest.raises(zc.errors.SettingError, match="every is .*; accepted: a duration"):
        coverage(collection, every=every)


def test_hostile_names_do_nothing_in_html(tmp_path):
    schema = zc.Schema().with_dimension("time").with_variable("time", dtype="datetime64[s]", dimensions=("time",))
    schema = schema.with_variable("station", dtype="string", dimensions=("time",))
    collection = zc.create_collection(tmp_path / "c", schema=schema, axis="time", partitioning="values:station")
    times = _START + np.array([0, 1, 2, 9, 10]).astype("timedelta64[s]")
    collection.insert({"time": times, "station": np.array(["<script>alert(1)</script>"] * 5)})
    html = coverage(collection)._repr_html_()
    assert "<script>" not in html
    assert "Gaps" in html


def test_a_collection_is_asked_itself(tmp_path, monkeypatch):
    collection = _collection(tmp_path / "c")
    collection.insert(_rows(_START + np.array([0, 1, 2, 9]).astype("timedelta64[s]")))
    found = collection.coverage(every="1 s", gap="2 s", filters="month == 1", where="station == 0")
    assert [item.length for item in found.gaps] == [np.timedelta64(7, "s")]
    monkeypatch.setitem(sys.modules, "zcollection_coverage", None)
    with pytest.raises(zc.MissingDependencyError, match=r"pip install 'zcollection\[coverage\]'"):
        collection.coverage()


def test_partitions_that_are_absent_are_named(tmp_path):
    collection = _collection(tmp_path / "c")
    days = np.array(["2024-02-27", "2024-02-28", "2024-03-02"], "datetime64[s]")
    collection.insert(_rows(days))
    assert [dict(key) for key in coverage(collection).absent] == [
        {"year": 2024, "month": 2, "day": 29},
        {"year": 2024, "month": 3, "day": 1},
    ]
    schema = zc.Schema().with_dimension("row")
    for name in ("row", "cycle", "pass"):
        schema = schema.with_variable(name, dtype="int64", dimensions=("row",))
    passes = zc.create_collection(tmp_path / "p", schema=schema, axis="row", partitioning="sequence:cycle,pass")
    there = [(1, 2), (1, 3), (2, 1), (4, 2)]  # cycle 1 begins with pass 2, and nothing is known of what follows (4, 2)
    passes.insert({"row": np.arange(4), "cycle": np.array(there)[:, 0], "pass": np.array(there)[:, 1]})
    assert [tuple(key.values()) for key in coverage(passes).absent] == [(2, 2), (2, 3), (3, 1), (3, 2), (3, 3), (4, 1)]
    grouped = zc.create_collection(tmp_path / "g", schema=schema, axis="row", partitioning="grouped_sequence:pass:10")
    grouped.insert({"row": np.arange(3), "cycle": np.zeros(3, "int64"), "pass": np.array([3, 14, 45])})
    assert [key["pass"] for key in coverage(grouped).absent] == [20, 30]


def test_rows_are_late_by_when_they_came_less_their_time(tmp_path, monkeypatch):
    came = iter(["2024-01-01T12:00", "2024-01-02T00:30"])
    moments = (int(np.datetime64(moment, "ns").view(np.int64)) for moment in came)
    collection = _collection(tmp_path / "c")
    monkeypatch.setattr("zcollection.transaction.change.time_ns", lambda: next(moments))
    hours = np.datetime64("2024-01-01", "s") + np.arange(24) * np.timedelta64(3600, "s")
    collection.insert(_rows(hours[:10]))
    collection.insert(_rows(hours[8:]), merge="upsert")
    found = coverage(collection)
    late = pd.Series(np.concatenate([np.arange(12, 4, -1), np.arange(16.5, 1, -1)])).sort_values()
    assert found.lateness.rows == 24
    assert [
        pd.Timedelta(length) for length in (found.lateness.median, found.lateness.ninety, found.lateness.largest)
    ] == [pd.Timedelta(late.iloc[at], "h") for at in (11, 21, 23)]
    assert "lateness:     median 8 h 30 min, 90 % 14 h 30 min, largest 16 h 30 min" in repr(found)
    frame = found.to_pandas()
    assert frame["lateness_90"].tolist() == [pd.Timedelta("14.5h")]
    assert "14 h 30 min" in found.partitions._repr_html_()
    assert "<zcollection.Lateness> 24 rows: median" in repr(found.lateness)


def test_lateness_that_nobody_knows_is_said_to_be_unknown(tmp_path):
    collection = _collection(tmp_path / "c")
    collection.insert(_rows(_START + np.arange(0, 3600, 60).astype("timedelta64[s]")))
    lost(collection)
    assert "lateness:       unknown: the insertion times of rows are not recorded" in repr(coverage(collection))
    assert coverage(collection).to_pandas()["lateness_median"].isna().all()
    collection.insert(_rows(_START + np.arange(3600, 3720, 60).astype("timedelta64[s]")), merge="concat")
    found = coverage(collection)
    assert found.lateness.rows == 2
    assert "(of 2 of 62 rows)" in repr(found)
    numbers = _collection(tmp_path / "n", partitioning="values:station", dtype="float64")
    numbers.insert(_rows(np.array([0.0, 0.5])))
    assert not coverage(numbers).has_lateness
    assert "lateness" not in repr(coverage(numbers))


_CALENDARS = ["360_day", "noleap", "all_leap", "julian", "365_day"]


@pytest.mark.parametrize("calendar", _CALENDARS)
@pytest.mark.parametrize("resolution", ["Y", "M", "D", "h"])
def test_a_calendar_without_datetime64_has_the_dates_and_periods_of_cftime(calendar, resolution):
    units = "hours since 1999-12-28 06:00:00"
    attrs = {"units": units, "calendar": calendar}
    collection = _collection("memory://calendar", partitioning=f"date:{resolution}", dtype="int64", attrs=attrs)
    hours = np.arange(24 * 70)
    hours = np.delete(hours, [*range(24 * 3, 24 * 39), 24 * 50, *range(24 * 60, 24 * 61 + 5)])
    if resolution == "h":
        hours = hours[(hours > 24 * 59 + 20) & (hours < 24 * 61 + 9)]
    collection.insert(_rows(hours))
    dates = cftime.num2date(hours, units, calendar)
    found = coverage(collection, every="1 h")
    assert found.calendar == {"365_day": "noleap"}.get(calendar, calendar)
    assert found.total.text_of("first") == dates[0].isoformat()
    assert f"{dates[0].isoformat()} to {dates[-1].isoformat()}" in repr(found)
    wide = np.flatnonzero(np.diff(hours) > 1)
    frame = found.gaps.to_pandas()
    assert frame["start"].tolist() == dates[wide].tolist()
    assert frame["stop"].tolist() == dates[wide + 1].tolist()
    assert frame["length"].tolist() == [dates[at + 1] - dates[at] for at in wide]
    assert found.intervals.to_pandas()["stop"].tolist() == [*dates[wide], dates[-1]]
    assert dates[wide[0]].isoformat() in found.gaps._repr_html_()
    _assert_periods(found, dates, resolution)


def _assert_periods(found, dates, resolution):
    """Compare periods with those of each hour from the first to the last one."""
    fields = ["year", "month", "day", "hour"][: "YMDh".index(resolution) + 1]

    def key(date):
        return tuple(getattr(date, name) for name in fields)

    count = int((dates[-1] - dates[0]) / dt.timedelta(hours=1)) + 1
    every = [dates[0] + number * dt.timedelta(hours=1) for number in range(count)]
    expected = pd.Series(list(map(key, every))).value_counts(sort=False)
    there = set(map(key, dates))
    assert [tuple(item.values()) for item in found.absent] == sorted(set(expected.index) - there)
    assert [part.expected for part in found.partitions] == [
        expected[tuple(part.key.values())] for part in found.partitions
    ]
    first = {key(date): date for date in reversed(dates)}
    assert found.to_pandas()["first"].tolist() == [first[tuple(part.key.values())] for part in found.partitions]


def test_cycles_and_passes_are_a_matrix(tmp_path):
    schema = zc.Schema().with_dimension("row")
    for name in ("row", "cycle", "pass"):
        schema = schema.with_variable(name, dtype="int64", dimensions=("row",))
    rng = np.random.default_rng(2)
    cycles, passes = rng.integers(3, 9, 60), rng.integers(-2, 12, 60)
    collection = zc.create_collection(tmp_path / "p", schema=schema, axis="row", partitioning="sequence:cycle,pass")
    collection.insert({"row": np.arange(60), "cycle": cycles, "pass": passes})
    collection.drop_partitions(filters="cycle == 5")
    frame = pd.DataFrame({"cycle": cycles, "pass": passes})[cycles != 5]
    expected = pd.crosstab(frame["cycle"], frame["pass"]).reindex(range(3, 9), fill_value=0)
    found = coverage(collection).matrix
    pd.testing.assert_frame_equal(found.to_pandas(), expected, check_dtype=False, check_names=True)
    assert (found.row_name, found.column_name) == ("cycle", "pass")
    np.testing.assert_array_equal(found.rows, expected.to_numpy())
    missing = {(found.row_values[row], found.column_values[column]) for row, column in np.argwhere(found.absent)}
    assert missing == {tuple(key.values()) for key in coverage(collection).absent}
    assert not found.rows[found.absent].any()
    assert repr(found).startswith(f"<zcollection.Matrix> 6 cycle × {len(found.column_values)} pass")
    grouped = zc.create_collection(
        tmp_path / "g", schema=schema, axis="row", partitioning="grouped_sequence:cycle,pass:10"
    )
    grouped.insert({"row": np.arange(60), "cycle": cycles, "pass": passes})
    groups = pd.crosstab(cycles, passes // 10 * 10)
    np.testing.assert_array_equal(coverage(grouped).matrix.rows, groups.to_numpy())
    assert coverage(grouped).matrix.column_values == tuple(groups.columns)


def test_there_is_a_matrix_of_two_fields_and_of_no_other_number_of_them(tmp_path):
    months = _collection(tmp_path / "m", partitioning="date:M")
    assert coverage(months).matrix is None  # nothing is there
    days = np.arange("2024-01-01", "2025-03-01", dtype="datetime64[D]").astype("datetime64[s]")
    months.insert(_rows(days[(days < np.datetime64("2024-03-01")) | (days >= np.datetime64("2025-01-01"))]))
    frame = coverage(months).matrix.to_pandas()
    assert (frame.loc[2024, 2], frame.loc[2024, 3], frame.loc[2025, 1]) == (29, 0, 31)
    assert coverage(months).matrix.absent.sum() == 10
    daily = _collection(tmp_path / "d")
    daily.insert(_rows(days[:3]))
    assert coverage(daily).matrix is None
