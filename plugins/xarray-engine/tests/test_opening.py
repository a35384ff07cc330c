"""Opened datasets are equal to the results of queries, for any content of the collection, and lazy."""

import numpy as np
import pytest
import xarray as xr
from zcollection_xarray import PartitionedIndex, ZCollectionBackendEntrypoint

import zcollection as zc
from zcollection.plugin import StoreURL

EPOCH = "seconds since 1970-01-01"


def schema(**dtypes):
    made = zc.Schema().with_dimension("time", chunks=4).with_dimension("x", size=3)
    made = made.with_variable("time", dtype="int64", dimensions=("time",))
    for name, dtype in dtypes.items():
        made = made.with_variable(name, dtype=dtype, dimensions=("time",))
    return made


ROWS = 25
TIMES = np.arange(ROWS) * 3


def plain():
    made = schema(flag="int8", name="string", text="U3", raw="S4", lost="bool", phase="complex64")
    made = made.with_variable("swath", dtype="float32", dimensions=("time", "x"), fill_value=-1, attrs={"units": "m"})
    made = made.with_variable("turned", dtype="float64", dimensions=("x", "time"), fill_value=np.nan)
    made = made.with_variable("count", dtype="uint16", dimensions=("time",), fill_value=9)
    made = made.with_attribute("title", "sample").with_attribute("nested", {"a": [1, "b"]})
    numbers = np.arange(ROWS)
    rows = {
        "time": TIMES,
        "flag": numbers % 5,
        "name": [f"n{number}" for number in numbers],
        "text": np.array(["a", "bc", "def"])[numbers % 3],
        "raw": np.array([b"a", b"bcde"])[numbers % 2],
        "lost": numbers % 2 == 0,
        "phase": numbers + 1j,
        "swath": np.where(np.arange(ROWS * 3) % 7, np.arange(ROWS * 3), -1).reshape(-1, 3),
        "turned": np.arange(ROWS * 3).reshape(3, -1) / 8,
        "count": numbers % 10,
    }
    return made, rows


def coordinates():
    x = np.array([10, 20, 30])
    rows = xr.Dataset(
        {"ssh": (("time", "x"), np.arange(75.0).reshape(-1, 3)), "mask": ("x", [True, False, True])},
        coords={
            "time": TIMES,
            "latitude": (("time", "x"), np.arange(75.0).reshape(-1, 3), {"units": "degrees_north"}),
            "track": ("time", TIMES * 2),
            "name": ("x", ["left", "middle", "right"]),
            "station": ((), "ABC"),
            "x": x,
        },
        attrs={"title": "swath"},
    )
    return zc.Schema.from_xarray(rows, axis="time"), rows


def packed():
    small = zc.Packing("int16", scale_factor=0.01, add_offset=-3, fill_value=-32768)
    made = schema().with_variable("ssh", dtype="float64", dimensions=("time",), packing=small)
    bytes_ = zc.Packing("uint8", scale_factor=-0.5, fill_value=255)
    made = made.with_variable("power", dtype="float32", dimensions=("time", "x"), packing=bytes_)
    ssh = np.where(np.arange(ROWS) % 4, np.arange(ROWS) / 4, np.nan)
    return made, {"time": TIMES, "ssh": ssh, "power": np.arange(75).reshape(-1, 3) * -0.5}


def times():
    made = zc.Schema().with_dimension("time", chunks=4)
    made = made.with_variable("time", dtype="int64", dimensions=("time",), attrs={"units": EPOCH})
    for name, dtype, attrs in [
        ("days", "float64", {"units": "days since 2000-01-01"}),
        ("early", "int32", {"units": "days since 1600-01-01", "calendar": "proleptic_gregorian"}),
        ("model", "int32", {"units": "days since 2000-02-28", "calendar": "noleap"}),
        ("duration", "int32", {"units": "seconds"}),
    ]:
        made = made.with_variable(name, dtype=dtype, dimensions=("time",), attrs=attrs)
    made = made.with_variable("seen", dtype="int64", dimensions=("time",), attrs={"units": EPOCH}, fill_value=-1)
    for unit in ("D", "s", "ns"):
        made = made.with_variable(f"in_{unit}", dtype=f"datetime64[{unit}]", dimensions=("time",))
    numbers = np.arange(ROWS)
    rows = {"time": TIMES, "days": numbers / 4, "early": numbers, "model": numbers, "duration": numbers}
    rows["seen"] = np.where(numbers % 3, numbers, -1)
    return made, rows | {f"in_{unit}": numbers.astype(f"datetime64[{unit}]") for unit in ("D", "s", "ns")}


CASES = {"plain": plain, "coordinates": coordinates, "packed": packed, "times": times}


@pytest.fixture(params=CASES)
def collection(request, made):
    return made(*CASES[request.param]())


def assert_same(found, expected):
    """Assert that two datasets are equal except for the types of indexes and the chunks, which are compared separately."""
    assert set(found.xindexes) == set(expected.xindexes)
    for name, index in expected.indexes.items():
        assert found.indexes[name].equals(index)
        assert type(found.indexes[name]) is type(index)
    xr.testing.assert_identical(found.drop_indexes(list(found.xindexes)), expected.drop_indexes(list(found.xindexes)))
    for name, variable in expected.variables.items():
        encoding = {key: value for key, value in found[name].encoding.items() if key != "preferred_chunks"}
        assert repr(encoding) == repr(variable.encoding)
        assert (found[name].dtype, found[name].shape) == (variable.dtype, variable.shape)
        np.testing.assert_array_equal(found[name].values, variable.values)


def test_xarray_knows_the_engine():
    assert isinstance(xr.backends.list_engines()["zcollection"], ZCollectionBackendEntrypoint)


def test_it_is_what_a_query_gives(collection):
    found = xr.open_dataset(str(collection.store.url), engine="zcollection")
    assert_same(found, collection.query().to_xarray())


def test_types_are_known_before_anything_is_read(collection, read):
    found = xr.open_dataset(str(collection.store.url), engine="zcollection")
    known = {name: (variable.dtype, variable.shape) for name, variable in found.variables.items()}
    assert not any("tens=" in key or "_immutable" in key for key in read)
    loaded = found.load()
    assert known == {name: (variable.dtype, variable.shape) for name, variable in loaded.variables.items()}


def test_an_open_store_is_opened_too(collection):
    assert_same(xr.open_dataset(collection.store, engine="zcollection"), collection.query().to_xarray())


@pytest.mark.parametrize(
    "asked",
    [
        {"filters": "tens >= 3"},
        {"filters": {"tens": [0, 6]}},
        {"where": "time % 2 == 0"},
        {"where": "time > 20 and time < 50", "filters": "tens != 3"},
        {"where": "time < 0"},
    ],
    ids=str,
)
def test_partitions_and_rows_may_be_chosen(collection, asked):
    found = xr.open_dataset(str(collection.store.url), engine="zcollection", **asked)
    assert_same(found, collection.query(**asked).to_xarray())


def test_where_no_partition_passes_there_are_no_rows(collection):
    found = xr.open_dataset(str(collection.store.url), engine="zcollection", filters="tens == 99")
    assert_same(found, collection.query(where="time < 0").to_xarray())
    assert found.sizes["time"] == 0


def test_an_empty_collection_has_no_rows(made):
    collection = made(plain()[0], None)
    found = xr.open_dataset(str(collection.store.url), engine="zcollection")
    assert found.sizes["time"] == 0
    assert found["swath"].values.shape == (0, 3)


def test_variables_may_be_left_out(made):
    collection = made(*plain())
    found = xr.open_dataset(str(collection.store.url), engine="zcollection", drop_variables=["swath", "name"])
    kept = [path for path in collection.schema.all_variables() if path not in {"swath", "name"}]
    assert_same(found, collection.query(variables=kept).to_xarray())
    alone = xr.open_dataset(str(collection.store.url), engine="zcollection", drop_variables="time")
    assert "time" not in alone.variables
    assert alone.sizes["time"] == ROWS


@pytest.fixture
def nested(made):
    schema = (
        zc.Schema()
        .with_dimension("time", chunks=4)
        .with_variable("time", dtype="int64", dimensions=("time",), attrs={"units": EPOCH})
        .with_group("/data/ku", attrs={"band": "Ku"})
        .with_dimension("gate", size=2, group="/data")
        .with_variable("power", dtype="float32", dimensions=("time", "gate"), group="/data/ku", fill_value=-1)
        .with_variable("count", dtype="int16", dimensions=("time",), group="/data")
        .with_attribute("title", "nested")
        .build()
    )
    power = np.where(np.arange(50) % 3, np.arange(50), -1).reshape(-1, 2)
    return made(schema, {"time": TIMES, "data/ku/power": power, "data/count": np.arange(ROWS)})


def test_groups_are_opened_as_a_tree_or_one_by_one(nested):
    url, expected = str(nested.store.url), nested.query().to_xarray()
    tree = xr.open_datatree(url, engine="zcollection")
    groups = xr.open_groups(url, engine="zcollection")
    assert list(tree.groups) == list(expected.groups) == list(groups)
    for node in expected.subtree:
        path = node.path
        assert_same(tree[path].to_dataset(inherit=False), node.to_dataset(inherit=False))
        assert_same(groups[path], node.to_dataset(inherit=False))
        assert_same(xr.open_dataset(url, engine="zcollection", group=path), node.to_dataset(inherit=False))
    assert isinstance(tree.xindexes["time"], PartitionedIndex)
    part = tree.sel(time=slice("1970-01-01T00:00:10", "1970-01-01T00:00:20"))
    xr.testing.assert_equal(part, expected.sel(time=slice("1970-01-01T00:00:10", "1970-01-01T00:00:20")))
    left = xr.open_datatree(url, engine="zcollection", drop_variables=["data/count"], filters="tens < 2")
    assert "count" not in left["/data"]
    assert left.sizes["time"] == 7


def test_an_unknown_group_is_named_beside_those_that_there_are(nested):
    with pytest.raises(zc.PluginError, match="group='kuu'.*'/data/ku'"):
        xr.open_dataset(str(nested.store.url), engine="zcollection", group="kuu")


def test_variables_that_do_not_span_the_axis_are_lazy_too(made, read):
    collection = made(*coordinates())
    found = xr.open_dataset(str(collection.store.url), engine="zcollection")
    read.clear()
    assert found["mask"].values.tolist() == [True, False, True]
    assert {key for key in read if "/c" in key} == {"_immutable/mask/c/0"}
    assert found.sel(x=20)["name"].item() == "middle"


def test_a_view_is_opened_as_its_query(made):
    base = made(*packed())
    speed = zc.VariableSchema("speed", dtype="float32", dimensions=("time",))
    view = zc.create_view(f"{base.store.url}-view", base=base, variables=[speed])
    view.update(lambda rows: {"speed": rows["time"].to_numpy() / 2}, filters="tens < 4")
    url = str(view.store.url)
    assert ZCollectionBackendEntrypoint().guess_can_open(url)
    assert_same(xr.open_dataset(url, engine="zcollection"), view.query().to_xarray())
    asked = {"where": "time % 2 == 0", "filters": "tens != 1"}
    assert_same(xr.open_dataset(url, engine="zcollection", **asked), view.query(**asked).to_xarray())
    with pytest.raises(zc.errors.SettingError, match="at='v1' is not a version"):
        xr.open_dataset(url, engine="zcollection", at="v1")
    view.retain(9)
    view.update(lambda rows: {"speed": -rows["time"].to_numpy()})
    older = zc.open_view(url, at=2)
    assert_same(xr.open_dataset(url, engine="zcollection", at=2), older.query().to_xarray())
    assert older.query()["speed"].to_numpy()[1] > 0 > view.query()["speed"].to_numpy()[1]


def test_layouts_that_differ_between_partitions_are_one_dataset(made):
    collection = made(*packed())
    collection.add_variable(zc.VariableSchema("late", dtype="float32", dimensions=("time",), fill_value=7))
    collection.insert({"time": [100, 101], "ssh": [1, 2], "power": np.zeros((2, 3)), "late": [3, 4]})
    assert_same(xr.open_dataset(str(collection.store.url), engine="zcollection"), collection.query().to_xarray())


def test_options_of_the_store_reach_it(collection):
    url = str(collection.store.url)
    assert xr.open_dataset(url, engine="zcollection", storage_options={"colour": "red"}).sizes["time"] == ROWS
    with pytest.raises(zc.PluginError, match="no option 'shape'"):
        xr.open_dataset(url, engine="zcollection", storage_options={"shape": "round"})
    with pytest.raises(zc.ZCollectionError, match="is not a version of"):
        xr.open_dataset(url, engine="zcollection", at="v1")


def test_what_is_no_collection_is_not_opened(url, tmp_path):
    engine = ZCollectionBackendEntrypoint()
    assert not engine.guess_can_open(url)
    assert not engine.guess_can_open(tmp_path)
    assert not engine.guess_can_open(f"nobody-knows://{tmp_path}")
    assert not engine.guess_can_open(b"CDF")
    assert not engine.guess_can_open("https://example.com/a.nc")
    with pytest.raises(zc.CollectionNotFoundError, match="no collection"):
        xr.open_dataset(url, engine="zcollection")


def test_it_is_guessed_from_one_object(collection, tmp_path, read):
    engine, url = ZCollectionBackendEntrypoint(), str(collection.store.url)
    for location in (url, StoreURL.parse(url), collection.store):
        read.clear()
        assert engine.guess_can_open(location)
        assert dict(read) == {"_zcollection.json": 1}
    (tmp_path / "_zcollection.json").write_text("{}")
    assert engine.guess_can_open(tmp_path)
    assert engine.guess_can_open(str(tmp_path))


def test_the_url_is_the_source(collection):
    assert xr.open_dataset(str(collection.store.url), engine="zcollection").encoding["source"] == str(
        collection.store.url
    )


def test_numbers_as_they_are_stored(made):
    collection = made(*packed())
    found = xr.open_dataset(str(collection.store.url), engine="zcollection", mask_and_scale=False)
    ssh = collection.query()["ssh"].to_numpy()
    stored = np.where(np.isnan(ssh), -32768, np.rint((ssh + 3) / 0.01)).astype("int16")
    assert found["ssh"].dtype == "int16"
    np.testing.assert_array_equal(found["ssh"].values, stored)
    assert found["ssh"].attrs == {"scale_factor": 0.01, "add_offset": -3, "_FillValue": -32768}
    xr.testing.assert_allclose(xr.decode_cf(found)["ssh"], collection.query().to_xarray()["ssh"])
    one = xr.open_dataset(str(collection.store.url), engine="zcollection", mask_and_scale={"ssh": False})
    assert (one["ssh"].dtype, one["power"].dtype) == ("int16", "float32")


def test_fill_values_stay_where_nothing_is_masked(made):
    collection = made(*plain())
    found = xr.open_dataset(str(collection.store.url), engine="zcollection", mask_and_scale=False)
    np.testing.assert_array_equal(found["swath"].values, collection.query()["swath"].to_numpy())
    assert found["swath"].values[0, 0] == -1
    assert found["swath"].attrs == {"units": "m", "_FillValue": -1}
    assert found["count"].attrs == {"_FillValue": 9}


def test_stored_numbers_that_values_do_not_tell_are_rejected(made):
    packing = zc.Packing("int32", scale_factor=1e-6)
    collection = made(schema().with_variable("ssh", dtype="float32", dimensions=("time",), packing=packing), None)
    collection.insert({"time": TIMES, "ssh": TIMES / 2})
    with pytest.raises(zc.PluginError, match="'ssh'.*mask_and_scale=False.*float32.*int32"):
        xr.open_dataset(str(collection.store.url), engine="zcollection", mask_and_scale=False)


def test_times_as_numbers(made):
    collection = made(*times())
    found = xr.open_dataset(str(collection.store.url), engine="zcollection", decode_times=False)
    for name in ("time", "days", "early", "model", "seen"):
        variable = collection.query().get_variable(name)
        np.testing.assert_array_equal(found[name].values, variable.to_numpy())
        assert found[name].attrs["units"] == variable.attrs["units"]
    assert found.sel(time=slice(10, 20))["time"].values.tolist() == [12, 15, 18]
    raw = xr.open_dataset(str(collection.store.url), engine="zcollection", decode_cf=False)
    assert raw["seen"].attrs == {"units": EPOCH, "_FillValue": -1}
    assert raw["in_ns"].dtype == "datetime64[ns]"


def test_times_as_objects(made):
    collection = made(*times())
    default = collection.query().to_xarray()
    for options in ({"use_cftime": True}, {"decode_times": xr.coders.CFDatetimeCoder(use_cftime=True)}):
        with_objects = xr.open_dataset(str(collection.store.url), engine="zcollection", **options)
        assert with_objects["days"].dtype == object
        assert with_objects["days"].values[5].isoformat() == "2000-01-02T06:00:00"
        assert (
            with_objects["model"].values[1].isoformat()
            == default["model"].values[1].isoformat()
            == "2000-03-01T00:00:00"
        )
        assert with_objects.indexes["time"][3].isoformat() == "1970-01-01T00:00:09"
    with pytest.raises(zc.PluginError, match="use_cftime=False.*noleap"):
        xr.open_dataset(str(collection.store.url), engine="zcollection", use_cftime=False)


def test_options_that_cannot_be_met_are_rejected(collection):
    url = str(collection.store.url)
    with pytest.raises(zc.PluginError, match="decode_timedelta=True; accepted: None or False"):
        xr.open_dataset(url, engine="zcollection", decode_timedelta=True)
    assert xr.open_dataset(url, engine="zcollection", decode_timedelta=False).sizes["time"] == ROWS


def test_coordinates_may_be_variables(made):
    collection = made(*coordinates())
    found = xr.open_dataset(str(collection.store.url), engine="zcollection", decode_coords=False)
    assert set(found.coords) == {"time", "x"}
    assert found["track"].dims == ("time",)
    np.testing.assert_array_equal(found["track"].values, TIMES * 2)


def test_times_before_the_reform_are_no_silent_error(made):
    made_ = schema().with_variable(
        "old", dtype="int32", dimensions=("time",), attrs={"units": "days since 1500-01-01", "calendar": "standard"}
    )
    collection = made(made_, {"time": [1, 2], "old": [0, 1]})
    url = str(collection.store.url)
    with pytest.raises(zc.SchemaError, match="'old' has times before 1582-10-15.*use_cftime=True"):
        xr.open_dataset(url, engine="zcollection").load()
    found = xr.open_dataset(url, engine="zcollection", use_cftime={"old": True})
    np.testing.assert_array_equal(found["old"].values, collection.query().to_xarray()["old"].values)
