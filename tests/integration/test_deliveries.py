"""Deliveries that differ in shape: more variables, fewer, values beside the file, DataFrames; calendars and strings."""

import datetime as dt

import cftime
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import zcollection as zc


def delivery(start="2000-01-01", count=2, **more):
    times = pd.date_range(start, periods=count, freq="h", unit="ns")
    return xr.Dataset({"v": ("time", np.arange(float(count)))}, coords={"time": times}).assign(more)


def collection_of(url, dataset, resolution="D", merge=None):
    schema = zc.Schema.from_xarray(dataset, axis="time")
    by_time = zc.partitioning.Date(("time",), resolution=resolution)
    collection = zc.create_collection(url, schema=schema, axis="time", partitioning=by_time)
    collection.insert(dataset, merge=merge)
    return collection


# More variables


def test_an_unknown_variable_is_refused_by_default_and_the_choices_are_named(url):
    collection = collection_of(url, delivery())
    with pytest.raises(zc.SchemaError, match=r"'w' is unknown.*unknown='drop'.*unknown='add'"):
        collection.insert(delivery("2000-01-02", w=("time", [1.0, 2.0])))
    assert collection.history()[-1].version == 1


def test_an_unknown_variable_may_be_left_out(url):
    collection = collection_of(url, delivery())
    collection.insert(delivery("2000-01-02", w=("time", [1.0, 2.0])), unknown="drop")
    assert list(collection.schema.all_variables()) == ["time", "v"]
    assert collection.query()["v"].to_numpy().tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("values", "fill"),
    [
        (np.array([1.5, 2.5], "f4"), np.nan),
        (np.array([1, 2], "i2"), -32767),
        (np.array([1, 2], "u1"), 255),
        (np.array(["a", "b"], dtype=object), ""),
        (np.array([1, 2], "M8[ns]"), None),
    ],
)
def test_an_unknown_variable_may_be_added_in_the_version_of_its_rows(url, values, fill):
    collection = collection_of(url, delivery())
    report = collection.insert(delivery("2000-01-02", w=("time", values, {"units2": "x"})), unknown="add")
    assert report.variables_added == ("w",)
    assert [entry.version for entry in collection.history()] == [0, 1, 2]
    found = collection.query()["w"].to_numpy()
    assert found[2:].tolist() == values.tolist()
    if fill is None:
        assert np.isnat(found[:2]).all()
    else:
        np.testing.assert_array_equal(found[:2], np.array([fill, fill], found.dtype))
    assert collection.schema.get_variable("w").attrs == {"units2": "x"}
    again = zc.open_collection(collection.store)
    assert again.verify(data=True).is_clean
    assert again.schema == collection.schema


def test_added_variables_bring_their_dimensions_and_groups(url):
    collection = collection_of(url, delivery())
    tree = xr.DataTree.from_dict(
        {"/": delivery("2000-01-02"), "/ku": xr.Dataset({"w": (("time", "x"), np.ones((2, 3)))})}
    )
    collection.insert(tree, unknown="add")
    assert collection.query()["ku/w"].shape == (4, 3)
    other = xr.DataTree.from_dict(
        {"/": delivery("2000-01-03"), "/ku": xr.Dataset({"w": (("time", "x"), np.ones((2, 4)))})}
    )
    with pytest.raises(zc.SchemaError, match="declared 3"):
        collection.insert(other)


def test_a_variable_that_is_added_may_be_merged_into_rows_that_are_there(url):
    collection = collection_of(url, delivery(count=3))
    collection.insert(delivery("2000-01-01T01", w=("time", [7, 8])), merge="upsert", unknown="add")
    fill = collection.schema.get_variable("w").fill_value
    assert collection.query()["w"].to_numpy().tolist() == [fill, 7, 8]


def test_a_value_that_would_be_the_fill_value_of_an_added_variable_is_refused(url):
    collection = collection_of(url, delivery())
    with pytest.raises(zc.SchemaError, match=r"'w' .* 255 as a value"):
        collection.insert(delivery("2000-01-02", w=("time", np.array([1, 255], "u1"))), unknown="add")
    with pytest.raises(zc.SchemaError, match=r"'w' .* no fill value"):
        collection.insert(delivery("2000-01-02", w=("time", [True, False])), unknown="add")


def test_two_writers_that_add_the_same_variable_agree(url):
    first = collection_of(url, delivery())
    second = zc.open_collection(first.store, mode="rw")
    first.insert(delivery("2000-01-02", w=("time", [1.0, 2.0])), unknown="add")
    report = second.insert(delivery("2000-01-03", w=("time", [3.0, 4.0])), unknown="add")
    assert report.variables_added == ()
    np.testing.assert_array_equal(second.query()["w"].to_numpy(), [np.nan, np.nan, 1, 2, 3, 4])


# Fewer variables


def test_a_missing_variable_is_refused_or_filled(url):
    collection = collection_of(url, delivery(w=("time", [5.0, 6.0])))
    with pytest.raises(zc.SchemaError, match=r"'w' is missing .* missing='fill'"):
        collection.insert(delivery("2000-01-02"))
    collection.insert(delivery("2000-01-02"), missing="fill")
    collection.insert(delivery("2000-01-01T01"), merge="upsert", missing="fill")
    np.testing.assert_array_equal(collection.query()["w"].to_numpy(), [5, np.nan, np.nan, np.nan, np.nan])


# Values beside the file


def test_values_beside_the_file_are_given_for_each_row(url):
    schema = (
        zc.Schema.from_xarray(delivery(), axis="time")
        .with_variable("cycle", dtype="int16", dimensions=("time",))
        .with_variable("pass", dtype="int16", dimensions=("time",))
    )
    partitioning = zc.partitioning.Sequence(("cycle", "pass"))
    collection = zc.create_collection(url, schema=schema, axis="time", partitioning=partitioning)
    collection.insert(delivery(), columns={"cycle": 12, "pass": 345})
    collection.insert(delivery("2000-01-02"), columns={"cycle": 12, "pass": [346, 347]})
    assert collection.partitions() == ("cycle=12/pass=345", "cycle=12/pass=346", "cycle=12/pass=347")
    assert collection.plan(delivery("2000-01-03"), columns={"cycle": 13, "pass": 1}).created == ("cycle=13/pass=1",)
    for columns, message in (
        ({"cycle": 1, "pass": 1, "v": 2.0}, "'v', which is in the dataset too"),
        ({"cycle": 1, "pass": [1, 2, 3]}, r"the shape \(3,\)"),
        ({"cycle": 1, "pas": 1}, "'pas' is unknown"),
        ({"cycle": 1.5, "pass": 1}, "'cycle' .* would change"),
    ):
        with pytest.raises(zc.SchemaError, match=message):
            collection.insert(delivery("2000-01-04"), columns=columns)


# DataFrames


def frame(start="2000-01-01", count=3):
    index = pd.date_range(start, periods=count, freq="h", name="time", unit="ns")
    numbers = np.arange(count)
    return pd.DataFrame(
        {
            "height": numbers / 2,
            "count": pd.array([*numbers[:-1], None], dtype="Int32"),
            "station": pd.array([*(f"s{number}" for number in numbers[:-1]), None], dtype="str"),
        },
        index=index,
    )


def test_a_frame_goes_in_and_comes_back(url):
    schema = zc.Schema.from_pandas(frame(), axis="time")
    by_day = zc.partitioning.Date(("time",), resolution="D")
    collection = zc.create_collection(url, schema=schema, axis="time", partitioning=by_day)
    collection.insert(frame())
    collection.insert(frame("2000-01-02").tz_localize("Europe/Paris"), merge="concat")
    found = collection.query().to_pandas()
    expected = pd.concat([frame(), frame("2000-01-01T23")]).fillna({"station": ""})
    pd.testing.assert_frame_equal(found.sort_index(), expected.sort_index(), check_freq=False)


def test_variables_of_two_dimensions_are_columns_by_position(url):
    dataset = delivery(swath=(("time", "x"), [[1.0, 2], [3, 4]]))
    collection = collection_of(url, dataset)
    found = collection.query().to_pandas()
    assert list(found.columns) == ["v", "swath[0]", "swath[1]"]
    collection.insert(found.shift(24, freq="h"))
    assert collection.query()["swath"].to_numpy().tolist() == [[1, 2], [3, 4]] * 2


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: frame().rename_axis(None), "has no name"),
        (lambda: frame().rename(columns={"count": 5}), "column 5"),
        (lambda: frame().rename(columns={"count": "height"}), "'height' .* occurs twice"),
        (lambda: frame().assign(**{"a[0]": 1, "a[2]": 2}), r"positions \[0, 2\]"),
    ],
)
def test_a_frame_that_says_too_little_is_refused(url, made, message):
    schema = zc.Schema.from_pandas(frame(), axis="time")
    by_day = zc.partitioning.Date(("time",), resolution="D")
    collection = zc.create_collection(url, schema=schema, axis="time", partitioning=by_day)
    with pytest.raises(zc.SchemaError, match=message):
        collection.insert(made())


# Calendars


CALENDARS = ("standard", "proleptic_gregorian", "julian", "noleap", "all_leap", "360_day")


def model(calendar, numbers, units="days since 2000-02-27"):
    numbers = np.asarray(numbers)
    return xr.Dataset(
        {"v": ("time", numbers.astype("f8"))},
        coords={"time": ("time", numbers, {"units": units, "calendar": calendar})},
    )


@pytest.mark.parametrize("resolution", ["Y", "M", "D", "h"])
@pytest.mark.parametrize("calendar", CALENDARS)
@pytest.mark.parametrize("decoded", [False, True])
def test_rows_are_split_by_the_dates_of_their_calendar(url, calendar, resolution, decoded):
    dataset = model(calendar, [-400, 0, 1, 2, 3, 33, 366], "days since 2000-02-27 06:00")
    given = xr.decode_cf(dataset) if decoded else dataset
    collection = collection_of(url, given, resolution)
    dates = cftime.num2date(dataset.time.values, dataset.time.units, calendar)
    width = {"Y": 1, "M": 2, "D": 3, "h": 4}[resolution]
    expected = sorted({(date.year, date.month, date.day, date.hour)[:width] for date in dates})
    assert [tuple(key.values()) for key in collection.keys()] == expected
    xr.testing.assert_identical(collection.query().to_xarray(), xr.decode_cf(dataset))
    assert collection.verify(data=True).is_clean


@pytest.mark.parametrize("years", [(1, 2, 3), (1580, 1582, 1583), (9998, 9999)])
@pytest.mark.parametrize("calendar", CALENDARS)
def test_early_and_late_years_have_their_own_dates(url, calendar, years):
    numbers = [
        int(cftime.date2num(cftime.datetime(year, 12, 30, calendar=calendar), "days since 0001-01-01", calendar))
        for year in years
    ]
    collection = collection_of(url, model(calendar, numbers, "days since 0001-01-01"))
    assert [tuple(key.values()) for key in collection.keys()] == [(year, 12, 30) for year in years]


def test_merges_tolerances_and_halos_count_in_the_calendar(url):
    collection = collection_of(url, model("360_day", [1, 2, 3, 4]), "M")
    assert collection.partitions() == ("year=2000/month=02", "year=2000/month=03")
    later = model("360_day", [4], "days since 2000-02-27").assign(v=("time", [9.0]))
    collection.insert(later, merge="time_series")
    assert collection.query()["v"].to_numpy().tolist() == [1, 2, 3, 9]
    sums = collection.map(lambda rows: rows["v"].to_numpy().sum(), depth=np.timedelta64(1, "D"))
    assert sums == {"year=2000/month=02": 15, "year=2000/month=03": 12}


def test_an_upsert_with_a_tolerance_counts_in_the_calendar(url):
    collection = collection_of(url, model("noleap", [0, 24, 48], "hours since 2000-02-27"), "M")
    near = model("noleap", [25, 72], "hours since 2000-02-27").assign(v=("time", [7.0, 8.0]))
    collection.insert(near, merge=zc.merge.Upsert(tolerance=np.timedelta64(2, "h")))
    assert collection.query()["time"].to_numpy().tolist() == [0, 25, 48, 72]


@pytest.mark.parametrize(
    ("limit", "left"),
    [
        ("2000-03-01", ("year=2000/month=03",)),
        (cftime.Datetime360Day(2000, 2, 30), ("year=2000/month=02", "year=2000/month=03")),
        (cftime.Datetime360Day(2000, 3, 1, 1), ()),
        (dt.timedelta(days=1), ()),
    ],
)
def test_older_than_is_a_date_of_the_calendar(url, limit, left):
    collection = collection_of(url, model("360_day", [0, 3, 4]), "M")
    collection.drop_partitions(older_than=limit)
    assert collection.partitions() == left


def test_a_date_that_the_calendar_lacks_is_no_limit(url):
    collection = collection_of(url, model("noleap", [0]), "M")
    with pytest.raises(zc.ZCollectionError, match="noleap"):
        collection.drop_partitions(older_than="2000-02-29")
    with pytest.raises(zc.ZCollectionError, match="noleap"):
        collection.drop_partitions(older_than=cftime.Datetime360Day(2000, 2, 1))


def test_a_partitioning_that_knows_no_calendars_is_refused_at_creation(url, register):
    class Days(zc.partitioning.Date):
        calendars = False

    with pytest.raises(zc.SchemaError, match="calendar 'noleap'"):
        zc.create_collection(
            url,
            schema=zc.Schema.from_xarray(model("noleap", [0]), axis="time"),
            axis="time",
            partitioning=Days(("time",), resolution="D"),
        )
