import sys

import numpy as np
import pytest
import xarray
from xarray.coding.times import CFDatetimeCoder

import zcollection as zc
from zcollection.model.xarray_source import is_xarray

TIMES = np.array(["2024-01-01", "2024-01-02T12", "NaT"], dtype="M8[ns]")


@pytest.fixture
def schema():
    return (
        zc.Schema()
        .with_dimension("time")
        .with_dimension("x", size=2)
        .with_variable(
            "time", dtype="int64", dimensions=("time",), attrs={"units": "seconds since 2000-01-01", "long_name": "t"}
        )
        .with_variable("when", dtype="datetime64[ns]", dimensions=("time",), fill_value="NaT")
        .with_variable("ssh", dtype="float32", dimensions=("time", "x"), fill_value=-999, attrs={"units": "m"})
        .with_variable("flag", dtype="int8", dimensions=("time",), fill_value=-1)
        .with_variable("name", dtype="string", dimensions=("time",), fill_value="")
        .with_attribute("title", "test")
        .with_attribute("nested", {"a": [1, {"b": None}]})
        .with_variable("power", dtype="float64", dimensions=("x", "time"), fill_value=np.nan, group="/data/ku")
        .with_attribute("band", "Ku", group="/data/ku")
        .build()
    )


@pytest.fixture
def dataset(schema):
    return zc.Dataset(
        schema,
        {
            "time": [0, 60, 120],
            "when": TIMES,
            "ssh": [[0, -999], [2, 3], [4, 5]],
            "flag": [1, -1, 2],
            "name": ["a", "", "é"],
            "data/ku/power": np.arange(6.0).reshape(2, 3),
        },
    )


def test_a_dataset_with_groups_is_a_tree(dataset):
    tree = dataset.to_xarray()
    assert isinstance(tree, xarray.DataTree)
    assert (
        tree["time"].values.astype("M8[s]").tolist()
        == np.array(["2000-01-01", "2000-01-01T00:01", "2000-01-01T00:02"], "M8[s]").tolist()
    )
    assert tree["time"].attrs == {"long_name": "t"}
    assert tree["time"].encoding["units"] == "seconds since 2000-01-01"
    np.testing.assert_array_equal(tree["when"].values, TIMES)
    np.testing.assert_array_equal(tree["ssh"].values, np.array([[0, np.nan], [2, 3], [4, 5]], dtype="f4"))
    assert (tree["flag"].values.tolist(), tree["flag"].encoding) == ([1, -1, 2], {"_FillValue": -1})
    assert tree["name"].values.tolist() == ["a", "", "é"]
    assert tree["data/ku/power"].dims == ("x", "time")
    assert tree["data/ku"].attrs == {"band": "Ku"}
    assert tree.attrs["title"] == "test"


def test_a_dataset_without_groups_is_a_dataset(dataset):
    flat = dataset.select(["time", "ssh"]).to_xarray()
    assert isinstance(flat, xarray.Dataset)
    assert set(flat.coords) == {"time"}


def test_a_round_trip_keeps_everything(dataset, schema):
    assert zc.Dataset.from_xarray(dataset.to_xarray(), schema) == dataset


def test_a_round_trip_through_netcdf_keeps_everything(dataset, schema, tmp_path):
    dataset.to_xarray().to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    with xarray.open_datatree(tmp_path / "x.nc", engine="h5netcdf") as tree:
        assert zc.Dataset.from_xarray(tree.load(), schema) == dataset
        assert tree.attrs["nested"] == '{"a": [1, {"b": null}]}'


def test_a_schema_may_be_taken_from_xarray(dataset):
    schema = zc.Schema.from_xarray(dataset.to_xarray(), axis="time").build()
    assert (schema.dimensions["time"].size, schema.dimensions["x"].size) == (None, 2)
    found = {path: (item.dtype.kind, item.dimensions) for path, item in schema.all_variables().items()}
    assert found == {
        "time": ("M", ("time",)),
        "when": ("M", ("time",)),
        "ssh": ("f", ("time", "x")),
        "flag": ("i", ("time",)),
        "name": ("T", ("time",)),
        "data/ku/power": ("f", ("x", "time")),
    }
    assert np.isnan(schema.get_variable("ssh").fill_value)
    assert schema.get_variable("flag").fill_value == -1
    assert "x" not in schema.get_group("data/ku").dimensions, "inherited dimensions are not repeated"
    again = zc.Dataset.from_xarray(dataset.to_xarray(), schema)
    np.testing.assert_array_equal(again["data/ku/power"].to_numpy(), dataset["data/ku/power"].to_numpy())


def test_fill_values_may_be_left_out(dataset):
    schema = zc.Schema.from_xarray(dataset.to_xarray(), axis="time", fill_values=False).build()
    assert schema.get_variable("ssh").fill_value is None


def test_the_axis_may_be_a_dimension_or_a_variable_of_another_name():
    source = xarray.Dataset({"when": ("num_lines", TIMES[:2])})
    assert zc.Schema.from_xarray(source, axis="when").build().dimensions["num_lines"].size is None
    assert zc.Schema.from_xarray(source, axis="num_lines").build().dimensions["num_lines"].size is None
    with pytest.raises(zc.SchemaError, match="axis 'wen' is neither.*did you mean 'when'"):
        zc.Schema.from_xarray(source, axis="wen")


def test_dimensions_may_come_in_another_order(schema):
    source = xarray.Dataset({"ssh": (("x", "time"), np.arange(6, dtype="f4").reshape(2, 3))})
    found = zc.Dataset.from_xarray(source, schema)
    assert found["ssh"].to_numpy().tolist() == [[0, 3], [1, 4], [2, 5]]
    with pytest.raises(zc.SchemaError, match=r"'ssh' has the dimensions \('y', 'time'\)"):
        zc.Dataset.from_xarray(source.rename(x="y"), schema)


def test_masked_integers_become_integers_again(schema):
    source = xarray.Dataset({"flag": ("time", np.array([1.0, np.nan, 2.0]))})
    assert zc.Dataset.from_xarray(source, schema)["flag"].to_numpy().tolist() == [1, -1, 2]


def test_missing_strings_become_the_fill_value(schema):
    source = xarray.Dataset({"name": ("time", np.array(["a", None, np.nan], dtype=object))})
    assert zc.Dataset.from_xarray(source, schema)["name"].to_numpy().tolist() == ["a", "", ""]


def test_an_attribute_that_cannot_be_stored_is_rejected_by_name():
    with pytest.raises(zc.SchemaError, match="'v' contains objects of type dict"):
        zc.Schema.from_xarray(xarray.Dataset({"v": ("n", np.array([{}, {}], dtype=object))}), axis="n")
    with pytest.raises(zc.SchemaError, match="source is a dict"):
        zc.Schema.from_xarray({}, axis="n")


def test_an_unknown_variable_is_rejected(schema):
    with pytest.raises(zc.SchemaError, match="'more' is unknown"):
        zc.Dataset.from_xarray(xarray.Dataset({"more": ("time", [1])}), schema)


def test_dask_arrays_stay_lazy_both_ways(dataset, schema):
    pytest.importorskip("dask")
    lazy = zc.Dataset.from_xarray(dataset.to_xarray().chunk({"time": 1}), schema)
    assert lazy["ssh"].is_lazy
    assert lazy == dataset
    assert lazy.to_xarray()["ssh"].chunks is not None
    np.testing.assert_array_equal(lazy.to_xarray()["ssh"].values, dataset.to_xarray()["ssh"].values)


def test_a_subtree_is_a_source_too(dataset):
    subtree = dataset.to_xarray()["data"]
    schema = zc.Schema.from_xarray(subtree, axis="time").build()
    assert list(schema.all_variables()) == ["time", "ku/power"]


def test_a_nested_coordinate_may_differ_from_that_of_its_parent():
    schema = (
        zc.Schema()
        .with_dimension("time")
        .with_variable("time", dtype="int64", dimensions=("time",))
        .with_variable("time", dtype="float64", dimensions=("time",), group="/g")
        .build()
    )
    dataset = zc.Dataset(schema, {"time": [1, 2], "g/time": [1.5, 2.5]})
    assert zc.Dataset.from_xarray(dataset.to_xarray(), schema) == dataset


@pytest.mark.parametrize("calendar", ["noleap", "360_day", "julian", "all_leap", "standard"])
@pytest.mark.parametrize("dtype", ["int32", "float64"])
def test_calendars_without_datetime64_become_what_xarray_decodes(calendar, dtype):
    attrs = {"units": "days since 1000-01-01", "calendar": calendar}
    numbers = np.array([5, -9999, 400_000 if calendar != "standard" else 7], dtype=dtype)
    schema = (
        zc.Schema()
        .with_dimension("n")
        .with_variable("t", dtype=dtype, dimensions=("n",), attrs=attrs, fill_value=-9999)
        .build()
    )
    found = zc.Dataset(schema, {"t": numbers}).to_xarray()["t"].values
    decoder = CFDatetimeCoder(use_cftime=True)
    expected = decoder.decode(xarray.Variable("n", numbers[[0, 2]], attrs)).values
    assert found[[0, 2]].tolist() == expected.tolist()
    assert np.isnan(found[1])  # xarray decodes it as the reference time


def test_detecting_xarray_objects_does_not_import_xarray(monkeypatch):
    monkeypatch.delitem(sys.modules, "xarray")
    assert not is_xarray({})
    assert "xarray" not in sys.modules


def test_without_xarray_the_error_names_the_extra(dataset, monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(zc.MissingDependencyError, match=r"to_xarray\(\) needs 'xarray'.*zcollection\[xarray\]"):
        dataset.to_xarray()
