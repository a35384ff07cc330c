"""What we write, others read: xarray, zarr-python and tensorstore, on plain files."""

import json

import numpy as np
import pytest
import tensorstore
import xarray as xr
import zarr

import zcollection as zc

ROWS = 30


@pytest.fixture
def collection(tmp_path):
    schema = (
        zc.Schema()
        .with_dimension("time", chunks=7)
        .with_dimension("x", size=3, chunks=2)
        .with_variable("time", dtype="datetime64[ns]", dimensions=("time",), attrs={"long_name": "time"})
        .with_variable("counted", dtype="int64", dimensions=("time",), attrs={"units": "seconds since 2000-01-01"})
        .with_variable("late", dtype="datetime64[s]", dimensions=("time",), fill_value="NaT")
        .with_variable("lag", dtype="timedelta64[ms]", dimensions=("time",), fill_value="NaT")
        .with_variable("ssh", dtype="float32", dimensions=("time", "x"), fill_value=np.nan, attrs={"units": "m"})
        .with_variable("flag", dtype="int8", dimensions=("time",), fill_value=127)
        .with_variable("code", dtype="uint16", dimensions=("time",))
        .with_variable("sharp", dtype="float64", dimensions=("x",), fill_value=1e20)
        .with_variable("wave", dtype="complex128", dimensions=("time",))
        .with_variable("land", dtype="bool", dimensions=("time",))
        .with_attribute("title", "measurements")
        .with_group("/data/ku", attrs={"band": "Ku"})
        .with_dimension("range", size=4, group="/data/ku")
        .with_variable("power", dtype="float64", dimensions=("time", "range"), group="/data/ku", codecs="cloud-cold")
        .build()
    )
    made = zc.create_collection(
        f"file://{tmp_path}/col",
        schema=schema,
        axis="time",
        partitioning=zc.partitioning.Date(("time",), resolution="D"),
    )
    made.insert(values())
    return made


def values():
    rng = np.random.default_rng(0)
    time = np.datetime64("2024-02-28T22:00", "ns") + np.arange(ROWS) * np.timedelta64(6, "m")
    late = time.astype("datetime64[s]")
    late[3] = "NaT"
    ssh = rng.normal(size=(ROWS, 3)).astype("float32")
    ssh[4, 1] = np.nan
    flag = rng.integers(0, 9, ROWS).astype("int8")
    flag[5] = 127
    return {
        "time": time,
        "counted": np.arange(ROWS),
        "late": late,
        "lag": np.arange(ROWS).astype("timedelta64[ms]"),
        "ssh": ssh,
        "flag": flag,
        "code": np.arange(ROWS, dtype="uint16"),
        "sharp": np.array([0.5, 1e20, 2.5]),
        "wave": np.exp(1j * np.arange(ROWS)),
        "land": np.arange(ROWS) % 3 == 0,
        "data/ku/power": rng.normal(size=(ROWS, 4)),
    }


FIRST = slice(0, 20)  # the rows of 28 February
DAY = "year=2024/month=02/day=28"


def root_of(collection):
    return collection.store.url.location


def test_a_partition_opens_with_xarray_times_and_fill_values_decoded(collection):
    with xr.open_zarr(f"{root_of(collection)}/{DAY}", consolidated=False, decode_timedelta=True) as dataset:
        wanted = values()
        np.testing.assert_array_equal(dataset["time"], wanted["time"][FIRST])
        np.testing.assert_array_equal(dataset["late"], wanted["late"][FIRST].astype(dataset["late"].dtype))
        np.testing.assert_array_equal(dataset["lag"], wanted["lag"][FIRST])
        np.testing.assert_array_equal(dataset["ssh"], wanted["ssh"][FIRST])
        seconds = np.datetime64("2000-01-01", "s") + wanted["counted"][FIRST].astype("timedelta64[s]")
        np.testing.assert_array_equal(dataset["counted"], seconds)
        flag = wanted["flag"][FIRST].astype(float)
        flag[flag == 127] = np.nan
        np.testing.assert_array_equal(dataset["flag"], flag)
        np.testing.assert_array_equal(dataset["wave"], wanted["wave"][FIRST])
        assert dataset["ssh"].attrs["units"] == "m"
        assert dataset.attrs["title"] == "measurements"


@pytest.mark.filterwarnings("ignore:Object at _zcollection.json is not recognized:zarr.errors.ZarrUserWarning")
def test_the_whole_tree_opens_with_xarray(collection):
    with xr.open_datatree(root_of(collection), engine="zarr", consolidated=False) as tree:
        assert {"_immutable", "year=2024"} <= set(tree.children)
        np.testing.assert_array_equal(tree[f"{DAY}/data/ku/power"], values()["data/ku/power"][FIRST])
        assert tree[f"{DAY}/data/ku"].attrs["band"] == "Ku"
        assert np.isnan(tree["_immutable/sharp"].values[1])
        assert {"_catalog", "_transactions"} <= set(tree.data_vars)
        _, body = str(tree["_catalog"].values[0]).split("\n")
        assert json.loads(body)["partitions"]["path"]["joined"].split() == list(collection.partitions())


def test_what_xarray_opens_can_be_written_to_netcdf(collection, tmp_path):
    with xr.open_zarr(f"{root_of(collection)}/{DAY}", consolidated=False) as dataset:
        dataset.drop_vars("wave").to_netcdf(tmp_path / "day.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "day.nc", engine="h5netcdf") as written:
        np.testing.assert_array_equal(written["ssh"], values()["ssh"][FIRST])


def test_a_query_goes_to_netcdf_through_xarray(collection, tmp_path):
    names = ["time", "late", "ssh", "flag", "sharp", "data/ku/power"]
    collection.query(variables=names).to_xarray().to_netcdf(tmp_path / "all.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "all.nc", engine="h5netcdf") as written:
        np.testing.assert_array_equal(written["data/ku/power"], values()["data/ku/power"])
        np.testing.assert_array_equal(written["time"], values()["time"])


def test_zarr_python_opens_every_array_without_a_warning(collection):
    group = zarr.open_group(collection.store.zarr, mode="r", path=DAY)
    wanted = values()
    for path in ("ssh", "flag", "code", "wave", "land", "data/ku/power"):
        np.testing.assert_array_equal(group[path][...], wanted[path][FIRST])
    assert group["ssh"].metadata.dimension_names == ("time", "x")
    assert group["late"].attrs["calendar"] == "proleptic_gregorian"


@pytest.mark.parametrize("path", ["ssh", "flag", "code", "time", "land", "wave", "data/ku/power"])
def test_tensorstore_reads_the_types_that_it_supports(collection, path):
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{root_of(collection)}/{DAY}/{path}"}}
    read = tensorstore.open(spec, open=True, read=True).result().read().result()
    wanted = values()[path][FIRST]
    np.testing.assert_array_equal(read, wanted.view("int64") if wanted.dtype.kind == "M" else wanted)


def test_an_xarray_dataset_is_inserted_as_it_is(tmp_path):
    source = xr.Dataset(
        {"t": (("time",), [1.0, np.nan, 3.0], {"units": "degC"}), "flag": (("time",), np.array([1, 2, 3], "int8"))},
        coords={"time": np.array(["2024-01-01", "2024-01-02", "2023-01-01"], dtype="datetime64[ns]")},
        attrs={"station": "buoy"},
    )
    made = zc.create_collection(
        tmp_path / "col",
        schema=zc.Schema.from_xarray(source, axis="time"),
        axis="time",
        partitioning=zc.partitioning.Date(("time",), resolution="Y"),
    )
    assert list(made.insert(source)) == ["year=2023", "year=2024"]
    xr.testing.assert_identical(made.query().to_xarray(), source.isel(time=[2, 0, 1]))


def test_an_xarray_datatree_is_inserted_as_it_is(tmp_path):
    root = xr.Dataset(coords={"time": np.arange(3).astype("datetime64[D]").astype("datetime64[ns]")})
    child = xr.Dataset({"p": (("time", "range"), np.ones((3, 2)))}, attrs={"band": "Ku"})
    tree = xr.DataTree.from_dict({"/": root, "/data/ku": child})
    made = zc.create_collection(
        tmp_path / "col",
        schema=zc.Schema.from_xarray(tree, axis="time"),
        axis="time",
        partitioning=zc.partitioning.Date(("time",), resolution="D"),
    )
    made.insert(tree)
    back = made.query().to_xarray()
    assert isinstance(back, xr.DataTree)
    np.testing.assert_array_equal(back["data/ku/p"], tree["data/ku/p"])
    np.testing.assert_array_equal(back["time"], tree["time"])
