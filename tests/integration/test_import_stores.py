"""Zarr stores, NetCDF and Parquet are imported: xarray and pandas are the oracle."""

import cftime
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray as xr
from zcollection_import import import_collection

import zcollection as zc
from zcollection.errors import SettingError

ROWS = 90
TIMES = np.datetime64("2024-01-20", "ns") + np.arange(ROWS) * np.timedelta64(6, "h")


def dataset():
    random = np.random.default_rng(3)
    ssh = random.integers(-500, 500, (ROWS, 4)) * 0.01
    ssh[7, 2] = np.nan
    return xr.Dataset(
        {
            "ssh": (("time", "x"), ssh, {"units": "m"}),
            "flag": ("time", random.integers(0, 9, ROWS).astype("i1"), {"flag_meanings": "a b"}),
            "depth": ("x", np.arange(4.0)),
        },
        coords={"time": TIMES, "lon": ("time", np.linspace(0, 359, ROWS))},
        attrs={"title": "sea"},
    )


PACKED = {"dtype": "int16", "scale_factor": 0.01, "_FillValue": np.int16(-32768)}


def imported(old, tmp_path, **options):
    options.setdefault("partitioning", "date:M")
    report = import_collection(old, tmp_path / "new", **options)
    assert report.problems == ()
    return zc.open_collection(tmp_path / "new")


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("block_bytes", [1, 10**8])
def test_a_zarr_store_is_what_xarray_reads_of_it(zarr_format, block_bytes, tmp_path):
    encoding = {"ssh": {**PACKED, "chunks": (20, 3)}, "time": {"units": "hours since 2024-01-01", "dtype": "int32"}}
    dataset().to_zarr(tmp_path / "old", zarr_format=zarr_format, encoding=encoding, consolidated=False)
    collection = imported(tmp_path / "old", tmp_path, block_bytes=block_bytes)
    expected = xr.open_zarr(tmp_path / "old", consolidated=False).load()
    xr.testing.assert_identical(collection.query().to_xarray().load(), expected)
    assert collection.schema.get_variable("ssh").packing.dtype == np.int16


def test_a_group_within_a_store(tmp_path):
    dataset().to_zarr(tmp_path / "old", group="a/b", consolidated=False)
    collection = imported(tmp_path / "old" / "a" / "b", tmp_path)
    xr.testing.assert_equal(collection.query().to_xarray().load(), dataset())


def test_a_store_with_nested_groups(tmp_path):
    power = xr.Dataset({"power": ("time", np.arange(ROWS))}, attrs={"band": "Ku"})
    dataset().to_zarr(tmp_path / "old", consolidated=False)
    power.to_zarr(tmp_path / "old", group="data_01/ku", mode="a", consolidated=False)
    found = imported(tmp_path / "old", tmp_path).query().to_xarray()
    np.testing.assert_array_equal(found["data_01/ku/power"], np.arange(ROWS))
    assert found["data_01/ku"].attrs["band"] == "Ku"


def test_rows_in_any_order(tmp_path):
    order = np.random.default_rng(1).permutation(ROWS)
    dataset().isel(time=order).to_zarr(tmp_path / "old", consolidated=False)
    found = imported(tmp_path / "old", tmp_path, block_bytes=1).query().to_xarray()
    xr.testing.assert_equal(found.sortby("time").load(), dataset())


@pytest.mark.parametrize("calendar", ["noleap", "360_day"])
def test_other_calendars_are_kept(calendar, tmp_path):
    times = xr.date_range("2001-02-25", periods=9, freq="D", calendar=calendar, use_cftime=True)
    old = xr.Dataset({"t2m": ("time", np.arange(9.0))}, coords={"time": times})
    old.to_zarr(tmp_path / "old", consolidated=False)
    collection = imported(tmp_path / "old", tmp_path)
    assert len(collection.partitions()) == 2
    found = collection.query().to_xarray()
    assert found.time.values.tolist() == times.values.tolist()
    assert isinstance(found.time.values[0], cftime.datetime)


def test_numbers_of_time_without_units_are_refused_where_dates_are_needed(tmp_path):
    xr.Dataset({"v": ("time", np.arange(3.0))}, coords={"time": [0, 1, 2]}).to_zarr(
        tmp_path / "old", consolidated=False
    )
    with pytest.raises(zc.SchemaError, match=r"'time' is partitioned by date, and its numbers \(int64\) have no units"):
        imported(tmp_path / "old", tmp_path, axis="time")
    assert not (tmp_path / "new").exists()


def test_the_axis_has_to_be_said_where_several_count_time(tmp_path):
    dataset().assign_coords(measured=("time", TIMES)).to_zarr(tmp_path / "old", consolidated=False)
    with pytest.raises(
        SettingError,
        match=r"has 2 one-dimensional time variables; name the one .* --axis; accepted: 'measured', 'time'",
    ):
        imported(tmp_path / "old", tmp_path)
    assert imported(tmp_path / "old", tmp_path, axis="measured").axis == "measured"


def test_a_wrong_axis_is_refused_and_nothing_is_made(tmp_path):
    dataset().to_zarr(tmp_path / "old", consolidated=False)
    with pytest.raises(zc.SchemaError, match=r"did you mean 'time'\?"):
        imported(tmp_path / "old", tmp_path, axis="tme")
    assert not (tmp_path / "new").exists()


def test_how_rows_are_split_has_to_be_said(tmp_path):
    dataset().to_zarr(tmp_path / "old", consolidated=False)
    with pytest.raises(SettingError, match=r"a Zarr store .* states no partitioning; .* --by, such as 'date:M'"):
        imported(tmp_path / "old", tmp_path, partitioning=None)


def test_a_partitioning_that_is_none_is_refused(tmp_path):
    dataset().to_zarr(tmp_path / "old", consolidated=False)
    with pytest.raises(zc.PluginError, match="partitioning 'date:X' refuses"):
        imported(tmp_path / "old", tmp_path, partitioning="date:X")


def files(tmp_path, encodings):
    (tmp_path / "old").mkdir()
    paths = []
    for at, (rows, encoding) in enumerate(zip(np.array_split(np.arange(ROWS), len(encodings)), encodings, strict=True)):
        path = tmp_path / "old" / f"pass_{at * 4}.nc"
        dataset().isel(time=rows).to_netcdf(path, engine="h5netcdf", encoding=encoding, unlimited_dims=["time"])
        paths.append(path)
    return paths


def test_netcdf_files_each_with_its_own_units_and_packing_are_what_xarray_reads(tmp_path):
    encodings = [
        {
            "time": {"units": f"seconds since 2024-01-{20 + at}", "dtype": "int64"},
            "ssh": PACKED | {"scale_factor": 0.01 / (at + 1)},
        }
        for at in range(4)
    ]
    files(tmp_path, encodings)
    collection = imported(tmp_path / "old", tmp_path)
    xr.testing.assert_allclose(collection.query().to_xarray().load(), dataset())
    assert collection.sources()[-1] == "pass_12.nc[0:22]"


def test_packing_that_would_round_is_refused_by_name_of_file_and_variable(tmp_path):
    files(tmp_path, [{"ssh": PACKED | {"scale_factor": 0.5}}, {"ssh": PACKED}])
    with pytest.raises(
        zc.SchemaError, match=r"pass_4\.nc: variable 'ssh' is packed with scale_factor 0\.5.*would be rounded"
    ):
        imported(tmp_path / "old", tmp_path)


def test_variables_that_only_some_files_have(tmp_path):
    _, second = files(tmp_path, [{}, {}])
    with xr.open_dataset(second, engine="h5netcdf") as opened:
        more = opened.load()
    more.assign(swh=("time", np.ones(more.sizes["time"]))).drop_vars("flag").to_netcdf(second, engine="h5netcdf")
    with pytest.raises(zc.SchemaError, match=r"pass_4\.nc: variable 'swh' is unknown"):
        imported(tmp_path / "old", tmp_path)
    with pytest.raises(zc.SchemaError, match=r"pass_4\.nc: variable 'flag' is missing"):
        imported(tmp_path / "old", tmp_path, unknown="add")
    with pytest.raises(zc.SchemaError, match=r"'flag' is missing from the dataset and has no fill value"):
        imported(tmp_path / "old", tmp_path, unknown="add", missing="fill")
    collection = zc.open_collection(tmp_path / "new", mode="rw")
    assert collection.count() == ROWS // 2
    report = import_collection(
        tmp_path / "old", tmp_path / "dropped", partitioning="date:M", unknown="add", drop=["flag"]
    )
    assert report.rows == ROWS
    swh = zc.open_collection(tmp_path / "dropped").query().get_variable("swh").to_numpy()
    assert np.isnan(swh[: ROWS // 2]).all()
    assert (swh[ROWS // 2 :] == 1).all()


def test_a_variable_that_is_stored_once_must_be_the_same_in_all_files(tmp_path):
    _, second = files(tmp_path, [{}, {}])
    with xr.open_dataset(second, engine="h5netcdf") as opened:
        more = opened.load()
    more.assign(depth=("x", np.arange(4.0) + 1)).to_netcdf(second, engine="h5netcdf")
    with pytest.raises(zc.SchemaError, match=r"pass_4\.nc: variable 'depth' does not span 'time'"):
        imported(tmp_path / "old", tmp_path)


def frame():
    random = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "time": TIMES,
            "cycle": (np.arange(ROWS) // 40).astype("i4"),
            "ssh": random.normal(size=ROWS).astype("f4"),
            "count": pd.array([None if at % 7 == 0 else 2**60 + at for at in range(ROWS)], dtype="Int64"),
            "name": [f"n{at % 5}" for at in range(ROWS)],
            "ok": np.arange(ROWS) % 3 == 0,
        }
    )


def test_parquet_in_directories_of_hive_is_what_pandas_reads(tmp_path):
    frame().to_parquet(tmp_path / "old", partition_cols=["cycle"], index=False)
    collection = imported(tmp_path / "old", tmp_path, partitioning=None)
    assert collection.partitioning == zc.partitioning.Sequence(("cycle",))
    assert collection.partitions() == ("cycle=0", "cycle=1", "cycle=2")
    found = collection.query().to_pandas().reset_index()
    expected = frame().astype({"cycle": "int64"})
    for name in expected:
        np.testing.assert_array_equal(found[name].isna(), expected[name].isna(), err_msg=name)
        kept = expected[name].notna()
        assert found[name][kept].tolist() == expected[name][kept].tolist(), name


def test_parquet_split_by_date(tmp_path):
    frame().to_parquet(tmp_path / "old.parquet", row_group_size=11)
    collection = imported(tmp_path / "old.parquet", tmp_path, block_bytes=1)
    assert collection.partitions() == ("year=2024/month=01", "year=2024/month=02")
    np.testing.assert_array_equal(collection.query().get_variable("ssh").to_numpy(), frame()["ssh"].to_numpy())


def test_a_missing_value_in_a_later_file_is_none_that_the_first_could_have(tmp_path):
    (tmp_path / "old").mkdir()
    fill = -9223372036854775806
    pq.write_table(pa.table({"time": TIMES[:2], "n": [fill, 1]}), tmp_path / "old" / "1.parquet")
    pq.write_table(pa.table({"time": TIMES[2:4], "n": [None, 1]}), tmp_path / "old" / "2.parquet")
    with pytest.raises(
        zc.SchemaError, match=rf"1\.parquet, variable 'n'.*has missing values, and also contains {fill}"
    ):
        imported(tmp_path / "old", tmp_path)


def test_columns_that_only_later_files_have_are_not_lost_in_silence(tmp_path):
    (tmp_path / "old").mkdir()
    pq.write_table(pa.table({"time": TIMES[:2]}), tmp_path / "old" / "1.parquet")
    pq.write_table(pa.table({"time": TIMES[2:4], "n": [1, 2]}), tmp_path / "old" / "2.parquet")
    with pytest.raises(zc.SchemaError, match=r"2\.parquet: variable 'n' is unknown"):
        imported(tmp_path / "old", tmp_path)
    assert imported(tmp_path / "old", tmp_path, drop=["n"]).count() == 4


def test_a_type_that_has_no_place_here_is_named_and_may_be_left_out(tmp_path):
    table = pa.table({"time": TIMES[:2], "parts": [[1], [2, 3]]})
    pq.write_table(table, tmp_path / "old.parquet")
    with pytest.raises(zc.SchemaError, match=r"column 'parts' is of type list<.*leave it out with drop"):
        imported(tmp_path / "old.parquet", tmp_path)
    assert imported(tmp_path / "old.parquet", tmp_path, drop=["parts"]).count() == 2


def test_a_damaged_file_stops_the_import_where_it_is(tmp_path):
    _, second, _ = files(tmp_path, [{}, {}, {}])
    second.write_bytes(second.read_bytes()[:1000])
    with pytest.raises(zc.CorruptionError, match=r"pass_4\.nc cannot be read.*finished parts are kept"):
        imported(tmp_path / "old", tmp_path)
    assert zc.open_collection(tmp_path / "new").count() == ROWS // 3
