"""Coordinates: in the schema, on disk as CF has them, and in whatever shows the rows."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import zcollection as zc


def dataset(start="2000-01-01", count=3):
    rows = np.arange(float(count))
    return xr.Dataset(
        {
            "ssh": (("time", "x"), np.stack([rows, rows + 0.5], axis=1)),
            "flag": ("time", rows.astype("i1")),
            "mask": ("x", [1, 0]),
        },
        coords={
            "time": pd.date_range(start, periods=count, freq="h", unit="ns"),
            "latitude": (("time", "x"), np.stack([rows, -rows], axis=1), {"units": "degrees_north"}),
            "track": ("time", rows * 2),
            "name": ("x", ["left", "right"]),
            "station": ((), "ABC"),
            "x": [10, 20],
        },
        attrs={"title": "swath"},
    )


@pytest.fixture
def collection(tmp_path):
    schema = zc.Schema.from_xarray(dataset(), axis="time")
    by_day = zc.partitioning.Date(("time",), resolution="D")
    made = zc.create_collection(tmp_path / "c", schema=schema, axis="time", partitioning=by_day)
    made.insert(dataset())
    return made


def partition(collection, path="year=2000/month=01/day=01"):
    return str(collection.store.url).removeprefix("file://") + "/" + path


def test_a_query_is_identical_to_what_was_inserted(collection):
    collection.insert(dataset("2000-01-02"))
    expected = xr.concat(
        [dataset(), dataset("2000-01-02")], "time", data_vars="minimal", coords="minimal", compat="equals", join="outer"
    )
    xr.testing.assert_identical(collection.query().to_xarray(), expected)
    lazy = collection.query(lazy=True, chunks={}).to_xarray()
    xr.testing.assert_identical(lazy.load(), expected)


def test_only_coordinates_that_are_none_by_their_name_are_marked(collection):
    marked = [path for path, variable in collection.schema.all_variables().items() if variable.coordinate]
    assert sorted(marked) == ["latitude", "name", "station", "track"]


def test_a_partition_opened_by_plain_xarray_has_those_that_lie_in_it(collection):
    found = xr.open_zarr(partition(collection), consolidated=False)
    assert set(found.coords) == {"time", "latitude", "track"}
    assert not any("coordinates" in item.attrs for item in (found, *found.variables.values()))
    xr.testing.assert_identical(
        found.latitude.reset_coords(drop=True).load(), dataset().latitude.reset_coords(drop=True).drop_vars("x")
    )


def test_they_are_named_by_each_variable_as_cf_has_it(collection):
    def named(name):
        document = Path(partition(collection), name, "zarr.json").read_text()
        return json.loads(document)["attributes"].get("coordinates")

    assert {name: named(name) for name in ("ssh", "flag", "latitude", "time")} == {
        "ssh": "latitude track",
        "flag": "track",
        "latitude": None,
        "time": None,
    }


def test_attributes_of_a_dataset_that_is_not_decoded_name_them_too(tmp_path):
    raw = xr.Dataset(
        {"v": ("time", [1.0], {"coordinates": "lat"}), "lat": ("time", [2.0])},
        coords={"time": pd.date_range("2000", periods=1, unit="ns")},
        attrs={"coordinates": "height"},
    ).assign(height=5.0)
    schema = zc.Schema.from_xarray(raw, axis="time").build()
    assert [path for path, variable in schema.all_variables().items() if variable.coordinate] == ["lat", "height"]
    made = zc.create_collection(
        tmp_path / "c", schema=schema, axis="time", partitioning=zc.partitioning.Date(("time",), resolution="D")
    )
    made.insert(raw)
    xr.testing.assert_identical(made.query().to_xarray(), xr.decode_cf(raw))


def test_those_of_nested_groups_stay_there(tmp_path):
    tree = xr.DataTree.from_dict(
        {"/": dataset(), "/ku": xr.Dataset({"power": ("time", np.arange(3.0))}, {"gain": ("time", [1.0, 2, 3])})}
    )
    schema = zc.Schema.from_xarray(tree, axis="time")
    made = zc.create_collection(
        tmp_path / "c", schema=schema, axis="time", partitioning=zc.partitioning.Date(("time",), resolution="D")
    )
    made.insert(tree)
    found = made.query().to_xarray()
    assert "gain" in found["ku"].coords
    xr.testing.assert_identical(found["ku"].to_dataset(inherit=False), tree["ku"].to_dataset(inherit=False))


def test_a_view_shows_those_of_its_base(collection, tmp_path):
    double = zc.VariableSchema("double", dtype="f8", dimensions=("time", "x"), attrs={"units": "m"})
    view = zc.create_view(tmp_path / "v", base=collection, variables=[double])
    view.update(lambda rows: {"double": rows["ssh"].to_numpy() * 2})
    found = view.query().to_xarray()
    assert set(found.coords) == set(dataset().coords)
    xr.testing.assert_identical(found.drop_vars("double"), dataset())


def test_one_that_comes_later_is_named_by_the_variables_that_are_there(collection):
    before = (collection.records(), collection.history()[-1].version)
    angle = zc.VariableSchema("angle", dtype="f8", dimensions=("time",), fill_value=np.nan, coordinate=True)
    collection.add_variable(angle, lambda rows: rows["track"].to_numpy() / 2)
    assert collection.verify(data=True).is_clean
    assert set(xr.open_zarr(partition(collection), consolidated=False).coords) == {"time", "latitude", "track", "angle"}
    collection.drop_variable("angle")
    assert collection.verify(data=True).is_clean
    assert set(xr.open_zarr(partition(collection), consolidated=False).coords) == {"time", "latitude", "track"}
    xr.testing.assert_identical(collection.query().to_xarray(), dataset())
    assert before[0].keys() == collection.records().keys()


def test_a_schema_keeps_them_in_json_and_in_pickles(collection):
    schema = collection.schema
    assert zc.DatasetSchema.from_json(schema.to_json()) == schema
    assert json.loads(schema.to_json())["format_version"] == 2
    with pytest.raises(zc.SchemaError, match="not valid JSON"):
        zc.DatasetSchema.from_json("{")
    with pytest.raises(zc.FormatVersionError, match="upgrade"):
        zc.DatasetSchema.from_json('{"format_version": 9, "kind": "schema"}')
