"""From a dataset to a collection in one call, and collections whose schema is that of a dataset."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import zcollection as zc
from zcollection.partitioning import from_text


@pytest.fixture
def track() -> xr.Dataset:
    times = np.datetime64("2024-01-30", "ns") + np.arange(96) * np.timedelta64(1, "h")
    values = np.sin(np.arange(96.0))
    return xr.Dataset(
        {"ssh": ("time", values, {"units": "m"}), "cycle": ("time", np.repeat([7, 8], 48))},
        coords={"time": times, "latitude": ("time", np.linspace(-60, 60, 96), {"units": "degrees_north"})},
        attrs={"platform": "buoy"},
    )


def test_one_call_makes_a_collection_of_a_dataset(tmp_path, track):
    collection = zc.ingest(track, tmp_path / "c", axis="time", partitioning="date:M")
    assert list(collection.partitions()) == [
        "year=2024/month=01",
        "year=2024/month=02",
    ]
    xr.testing.assert_identical(collection.query().to_xarray().drop_encoding(), track)


def test_the_next_call_inserts_into_it(tmp_path, track):
    zc.ingest(track.isel(time=slice(0, 60)), tmp_path / "c", axis="time", partitioning="date:M", source="first")
    again = track.isel(time=slice(40, 96)).assign(ssh=lambda d: d.ssh + 1)
    for _ in range(2):  # a source is inserted once
        collection = zc.ingest(
            again, tmp_path / "c", axis="time", partitioning="date:M", merge="upsert", source="second"
        )
    expected = np.r_[track.ssh[:40], track.ssh[40:] + 1]
    np.testing.assert_array_equal(collection.query()["ssh"].to_numpy(), expected)
    assert [item.operation for item in collection.history()] == ["create", "insert", "insert"]


@pytest.mark.parametrize(("axis", "partitioning"), [("time", "date:D"), ("cycle", "sequence:cycle")])
def test_a_collection_that_is_there_is_the_one_that_is_meant(tmp_path, track, axis, partitioning):
    zc.ingest(track, tmp_path / "c", axis="time", partitioning="date:M")
    with pytest.raises(zc.SchemaError, match="has the axis 'time' and the partitioning Date"):
        zc.ingest(track, tmp_path / "c", axis=axis, partitioning=partitioning)
    assert [item.operation for item in zc.open_collection(tmp_path / "c").history()] == ["create", "insert"]


def test_values_partitioning_takes_its_types_from_the_dataset(tmp_path):
    frame = pd.DataFrame({"time": pd.date_range("2024", periods=4, freq="D"), "station": ["b", "a", "b", "a"]})
    for _ in range(2):
        collection = zc.ingest(frame, tmp_path / "c", axis="time", partitioning="values:station", merge="upsert")
    assert list(collection.partitions()) == ["station=a", "station=b"]
    assert collection.count() == 4


def test_rows_that_are_refused_leave_an_empty_collection(tmp_path, track):
    broken = track.assign_coords(time=("time", np.where(np.arange(96) == 3, np.datetime64("NaT", "ns"), track.time)))
    with pytest.raises(zc.PartitionError, match="'time'"):
        zc.ingest(broken, tmp_path / "c", axis="time", partitioning="date:M")
    assert zc.open_collection(tmp_path / "c").count() == 0
    assert zc.ingest(track, tmp_path / "c", axis="time", partitioning="date:M").count() == 96


def test_the_schema_of_a_collection_may_be_that_of_a_dataset(tmp_path, track):
    first = zc.create_collection(tmp_path / "a", schema=track, axis="time", partitioning="date:D")
    built = zc.Schema.from_xarray(track, axis="time").build()
    assert first.schema == built
    first.insert(track)
    second = zc.create_collection(tmp_path / "b", schema=first.query(), axis="time", partitioning="sequence:cycle")
    assert second.schema == built
    frame = track.to_dataframe().reset_index()
    third = zc.create_collection(tmp_path / "c", schema=frame, axis="time", partitioning="date:D")
    assert set(third.schema.all_variables()) == set(frame.columns)


def test_what_is_no_schema_is_refused(tmp_path):
    with pytest.raises(zc.SchemaError, match="schema is a dict; accepted: a zcollection.Schema, DatasetSchema"):
        zc.create_collection(tmp_path / "a", schema={}, axis="time", partitioning="date:D")
    with pytest.raises(zc.SchemaError, match="partitioning is a int"):
        zc.create_collection(tmp_path / "a", schema=zc.Schema().build(), axis="time", partitioning=3)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("date:M", zc.partitioning.Date(("time",), resolution="M")),
        ("date:D:data/time", zc.partitioning.Date(("data/time",), resolution="D")),
        ("date:variables=t:resolution=h", zc.partitioning.Date(("t",), resolution="h")),
        ("sequence:cycle,pass", zc.partitioning.Sequence(("cycle", "pass"))),
        ("sequence:cycle:dimension=rows", zc.partitioning.Sequence(("cycle",), dimension="rows")),
        ("grouped-sequence:cycle,pass:10", zc.partitioning.GroupedSequence(("cycle", "pass"), size=10)),
        ("grouped-sequence:pass:10:-5", zc.partitioning.GroupedSequence(("pass",), size=10, start=-5)),
        ("values:station", zc.partitioning.Values(("station",))),
        ("values:a,b:types=text,integer", zc.partitioning.Values(("a", "b"), types=("text", "integer"))),
    ],
)
def test_a_partitioning_has_a_text_form(text, expected):
    assert from_text(text, axis="time") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "such as 'date:M'"),
        ("date:", "such as 'date:M'"),
        ("date", "refuses its configuration"),
        ("values", "refuses its configuration"),
        ("sequence", "refuses its configuration"),
        ("date:X", "resolution of a partitioning by date is 'X'"),
        ("date:M:time:D", "has the setting 'D'; accepted: the values of resolution=…, variables=… in this order"),
        ("date:M:resolution=D", "has the setting 'resolution=D'"),
        ("date:M:size=3", "has no setting 'size'"),
        ("grouped-sequence:a,b:ten", "refuses its configuration"),
    ],
)
def test_a_text_that_describes_no_partitioning_says_what_would(text, message):
    with pytest.raises(zc.PluginError, match=message):
        from_text(text, axis="time")


def test_a_partitioning_that_is_not_installed_is_named():
    with pytest.raises(zc.PluginError, match="'hexagon' is not installed"):
        from_text("hexagon:3", axis="time")
