"""A real series with its faults: half-hourly sea temperature of a buoy, one time twice, gaps of hours."""

import numpy as np
import pandas as pd
import pytest
from bokeh_sampledata import package_csv
from zcollection_coverage import coverage

import zcollection as zc


@pytest.fixture(scope="module")
def buoy():
    frame = package_csv("sea_surface_temperature.csv.gz")
    frame.columns = ["time", "temperature"]
    frame["time"] = pd.to_datetime(frame["time"]).dt.tz_localize(None).astype("datetime64[ns]")
    assert len(frame) == 19_226
    assert frame["time"].duplicated().sum() == 1
    return frame


@pytest.fixture
def collection(tmp_path):
    schema = (
        zc.Schema()
        .with_dimension("time", chunks=2048)
        .with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
        .with_variable("temperature", dtype="float64", dimensions=("time",), fill_value=np.nan)
        .build()
    )
    return zc.create_collection(
        tmp_path / "buoy", schema=schema, axis="time", partitioning=zc.partitioning.Date(("time",), resolution="M")
    )


def arrays(frame):
    return {name: frame[name].to_numpy() for name in ("time", "temperature")}


def assert_rows(collection, wanted):
    found = collection.query()
    np.testing.assert_array_equal(found["time"].to_numpy(), wanted["time"].to_numpy())
    np.testing.assert_array_equal(found["temperature"].to_numpy(), wanted["temperature"].to_numpy())


def test_a_plain_insert_keeps_every_row(collection, buoy):
    report = collection.insert(arrays(buoy))
    assert report.added == len(buoy)
    months = buoy["time"].dt.strftime("year=%Y/month=%m").unique()
    assert list(report) == sorted(months)
    assert_rows(collection, buoy.sort_values("time", key=lambda t: t.dt.to_period("M"), kind="stable"))


def test_upsert_day_by_day_keeps_the_last_of_the_time_that_comes_twice(collection, buoy):
    days = [frame for _, frame in buoy.groupby(buoy["time"].dt.floor("D"))]
    for position in np.random.default_rng(7).permutation(len(days))[:60]:
        collection.insert(arrays(days[position]), merge="upsert")
    collection.insert(arrays(buoy), merge="upsert")
    assert_rows(collection, buoy.drop_duplicates("time", keep="last").sort_values("time", kind="stable"))


def test_a_redelivered_month_replaces_what_it_covers(collection, buoy):
    collection.insert(arrays(buoy))
    month = buoy[(buoy["time"] >= "2016-03-05") & (buoy["time"] < "2016-03-20")].assign(temperature=-1.0)
    collection.insert(arrays(month), merge="time_series")
    found = collection.query(filters="year == 2016 and month == 3")
    frame = pd.DataFrame({name: found[name].to_numpy() for name in ("time", "temperature")})
    inside = (frame["time"] >= month["time"].min()) & (frame["time"] <= month["time"].max())
    assert (frame.loc[inside, "temperature"] == -1.0).all()
    assert inside.sum() == len(month)
    assert (frame.loc[~inside, "temperature"] != -1.0).all()


def test_its_gaps_are_known_without_reading_a_time(collection, buoy):
    collection.insert(arrays(buoy))
    found = coverage(collection)
    assert (found.total.rows, found.total.duplicates, found.every) == (19_226, 1, np.timedelta64(30, "m"))
    assert [item.length for item in found.gaps] == [np.timedelta64(1, "h"), np.timedelta64(12, "h")]
    assert found.read == 0
