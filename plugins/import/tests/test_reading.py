"""Blocks of rows contain what xarray reads without decoding, and missing data are detected."""

import shutil
import zipfile
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray as xr
import zarr
from zcollection_import import recognise
from zcollection_import.reading import OpenUnit

from zcollection.errors import CorruptionError, SchemaError

GOLDEN = Path(__file__).parent / "golden"
ROWS = 25
TIMES = np.datetime64("2024-01-30T18", "ns") + np.arange(ROWS) * np.timedelta64(1, "h")


def dataset():
    ssh = np.arange(ROWS * 3, dtype="f8").reshape(ROWS, 3) / 8
    ssh[3, 1] = np.nan
    variables = {"ssh": (("time", "x"), ssh, {"units": "m"}), "depth": ("x", np.arange(3.0))}
    return xr.Dataset(variables, coords={"time": TIMES}, attrs={"title": "sea"})


ENCODING = {
    "ssh": {"dtype": "int16", "scale_factor": 0.125, "_FillValue": np.int16(-1)},
    "time": {"units": "minutes since 2024-01-01", "dtype": "int64"},
}


def written(form, path):
    if form == "netcdf":
        dataset().to_netcdf(path.with_suffix(".nc"), engine="h5netcdf", encoding=ENCODING)
        return path.with_suffix(".nc")
    if form == "classic":
        encoding = {**ENCODING, "time": {"units": "minutes since 2024-01-01", "dtype": "int32"}}
        dataset().to_netcdf(path.with_suffix(".nc"), engine="scipy", encoding=encoding)
        return path.with_suffix(".nc")
    chunked = {
        name: {**ENCODING.get(name, {}), "chunks": (4, 3)[: item.ndim]} for name, item in dataset().variables.items()
    }
    chunked["depth"] = {}
    dataset().to_zarr(path, zarr_format=int(form[-1]), encoding=chunked, consolidated=False)
    return path


def opened(path, axis="time", drop=()):
    (unit,) = recognise(path).units()
    return OpenUnit.of(unit, axis, drop)


@pytest.mark.parametrize("form", ["zarr2", "zarr3", "netcdf", "classic"])
@pytest.mark.parametrize("block_bytes", [1, 100, 10**6])
def test_the_blocks_of_a_store_or_file_are_what_it_holds(form, block_bytes, tmp_path):
    unit = opened(written(form, tmp_path / "old"))
    blocks = [unit.block(start, stop) for start, stop in unit.blocks(0, unit.rows, block_bytes)]
    assert unit.rows == ROWS
    assert (len(blocks) == 1) == (block_bytes == 10**6)
    decoded = [xr.decode_cf(block) for block in blocks]
    whole = xr.concat(decoded, "time", data_vars="minimal", coords="minimal", compat="equals", join="outer")
    xr.testing.assert_equal(whole, dataset())
    assert blocks[0]["ssh"].dtype == np.int16
    assert blocks[0].attrs["title"] == "sea"
    unit.unit.close()


def test_blocks_are_of_whole_chunks_and_go_on_from_any_row(tmp_path):
    unit = opened(written("zarr3", tmp_path / "old"))
    assert list(unit.blocks(0, 10, 1)) == [(0, 4), (4, 8), (8, 10)]
    assert list(unit.blocks(5, 10, 1)) == [(5, 8), (8, 10)]


def test_variables_that_are_dropped_are_never_read(tmp_path):
    path = written("zarr3", tmp_path / "old")
    shutil.rmtree(path / "ssh" / "c")
    (path / "ssh" / "c").mkdir()
    (path / "ssh" / "c" / "0").write_bytes(b"")
    block = opened(path, drop=["ssh"]).block(0, 5)
    assert set(block.variables) == {"time", "depth"}


def test_groups_below_a_group_come_as_a_tree(tmp_path):
    dataset().to_zarr(tmp_path / "old", consolidated=False)
    xr.Dataset({"power": ("time", np.arange(ROWS))}, attrs={"band": "Ku"}).to_zarr(
        tmp_path / "old", group="data_01/ku", mode="a", consolidated=False
    )
    block = opened(tmp_path / "old").block(3, 5)
    assert isinstance(block, xr.DataTree)
    assert block["data_01/ku/power"].values.tolist() == [3, 4]
    assert block["data_01/ku"].attrs == {"band": "Ku"}
    assert opened(tmp_path / "old" / "data_01/ku").block(0, 1)["power"].values.tolist() == [0]


def test_groups_of_a_netcdf_file_come_as_a_tree(tmp_path):
    tree = xr.DataTree.from_dict({"/": dataset(), "/ku": xr.Dataset({"power": ("time", np.arange(ROWS))})})
    tree.to_netcdf(tmp_path / "old.nc", engine="h5netcdf")
    unit = opened(tmp_path / "old.nc")
    assert unit.block(3, 5)["ku/power"].values.tolist() == [3, 4]
    unit.unit.close()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("separator", [".", "/"])
@pytest.mark.parametrize("dtype", ["<i4", ">i4"])
def test_how_zarr_2_lays_out_chunks_does_not_matter(order, separator, dtype, tmp_path):
    values = np.arange(20, dtype=dtype).reshape(5, 4)
    group = zarr.open_group(tmp_path / "old", mode="w", zarr_format=2)
    array = group.create_array(
        "v",
        shape=(5, 4),
        chunks=(2, 3),
        dtype=dtype,
        order=order,
        chunk_key_encoding={"name": "v2", "separator": separator},
    )
    array.attrs["_ARRAY_DIMENSIONS"] = ["time", "x"]
    array[:] = values
    np.testing.assert_array_equal(opened(tmp_path / "old").block(1, 4)["v"].values, values[1:4])


def first_series(tmp_path, name="first-packed-by-day"):
    zipfile.ZipFile(GOLDEN / f"{name}.zip").extractall(tmp_path / "old")
    return tmp_path / "old"


def test_what_variables_of_the_first_series_mean_stands_in_its_configuration(tmp_path):
    unit = recognise(first_series(tmp_path)).units()[0]
    block = OpenUnit.of(unit, "time", ()).block(0, 24)
    assert block["ssh"].attrs == {"scale_factor": 0.001, "add_offset": 1.5, "units": "m", "_FillValue": 32767}
    assert block["flag"].attrs == {"_FillValue": 255}
    assert block["cycle"].attrs == {}
    assert block["mean"].values.tolist() == [1, 2, 3]
    assert block.attrs == {"title": "sea level", "history": "made up"}
    assert set(block.variables) == {"time", "cycle", "pass", "ssh", "flag", "mean"}


def test_partitions_come_in_the_order_of_their_keys(tmp_path):
    units = recognise(first_series(tmp_path, "first-packed-by-pass")).units()
    assert [unit.name for unit in units] == [f"cycle={cycle}/pass={number}" for cycle, number in PASSES]


PASSES = [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (1, 6), (1, 7), (1, 8), (1, 9)]
PARTITION = "year=2023/month=12/day=31"


def test_a_missing_chunk_of_an_array_without_fill_value_is_damage(tmp_path):
    old = first_series(tmp_path)
    (old / PARTITION / "cycle" / "0").unlink()
    with pytest.raises(CorruptionError, match=rf"{PARTITION}, variable 'cycle': 1 of its 1 chunks are missing"):
        OpenUnit.of(recognise(old).units()[0], "time", ())


def test_a_missing_chunk_of_an_array_with_one_reads_as_fill_and_is_told(tmp_path):
    form = recognise(first_series(tmp_path, "first-texts-by-month"))
    block = OpenUnit.of(form.units()[0], "time", ()).block(0, 6)
    assert np.isnan(block["swh"].values).all()
    assert form.notes == ("chunks that are not stored, and read as the fill value of their array: swh (1), zero (1)",)


def test_a_chunk_that_is_cut_is_damage(tmp_path):
    old = first_series(tmp_path)
    chunk = old / PARTITION / "ssh" / "0.0"
    chunk.write_bytes(chunk.read_bytes()[:-7])
    unit = OpenUnit.of(recognise(old).units()[0], "time", ())
    with pytest.raises(CorruptionError, match=rf"{PARTITION}, variable 'ssh' cannot be read.*restore it"):
        unit.block(0, 24)


def test_a_missing_variable_is_damage_unless_it_is_left_out(tmp_path):
    old = first_series(tmp_path)
    shutil.rmtree(old / PARTITION / "ssh")
    unit = recognise(old).units()[0]
    with pytest.raises(CorruptionError, match=rf"{PARTITION}: variable 'ssh' is missing"):
        OpenUnit.of(unit, "time", ())
    assert OpenUnit.of(unit, "time", ["ssh"]).rows == 24


def test_a_partition_without_its_group_document_is_damage(tmp_path):
    old = first_series(tmp_path)
    (old / PARTITION / ".zgroup").unlink()
    with pytest.raises(CorruptionError, match=rf"{PARTITION} of .* has no \.zgroup"):
        recognise(old).units()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"axis": 1, "dataset": {"variables": 3}}'])
def test_a_damaged_configuration_is_named(text, tmp_path):
    old = first_series(tmp_path)
    (old / ".zcollection").write_text(text)
    with pytest.raises(CorruptionError, match=r"\.zcollection of "):
        recognise(old).units()


def rewrite(tmp_path, name="rewrite-with-catalog"):
    zipfile.ZipFile(GOLDEN / f"{name}.zip").extractall(tmp_path / "old")
    return tmp_path / "old"


def test_a_partition_that_the_catalog_of_the_rewrite_lists_must_be_there(tmp_path):
    old = rewrite(tmp_path)
    shutil.rmtree(old / "year=2024/month=02")
    with pytest.raises(CorruptionError, match=r"lists the partition 'year=2024/month=02', which does not exist"):
        recognise(old).units()


def test_a_partition_that_it_does_not_list_is_left_out_and_told(tmp_path):
    old = rewrite(tmp_path)
    shutil.copytree(old / "year=2024/month=02", old / "year=2024/month=03")
    form = recognise(old)
    assert [unit.name for unit in form.units()] == ["year=2024/month=01", "year=2024/month=02"]
    assert "year=2024/month=03 is not in _catalog/state.json, and was left out" in form.notes


def test_an_axis_that_is_none_names_those_that_are(tmp_path):
    path = written("zarr3", tmp_path / "old")
    with pytest.raises(SchemaError, match=r"axis 'tim' is neither .* \(did you mean 'time'\?\)"):
        opened(path, axis="tim")


def test_a_file_that_is_no_netcdf_is_damage(tmp_path):
    (tmp_path / "a.nc").write_bytes(b"\x89HDF\r\n\x1a\n and then nothing")
    with pytest.raises(CorruptionError, match=r"a\.nc cannot be read"):
        opened(tmp_path / "a.nc")


@pytest.mark.parametrize("block_bytes", [1, 50, 10**6])
def test_the_blocks_of_a_parquet_file_are_its_rows_whatever_its_row_groups(block_bytes, tmp_path):
    values = np.arange(ROWS, dtype="i8") ** 2
    wide = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(ROWS * 2.0)), 2)
    table = pa.table({"time": values, "group/power": wide})
    (tmp_path / "cycle=3").mkdir()
    pq.write_table(table, tmp_path / "cycle=3" / "a.parquet", row_group_size=4)
    unit = opened(tmp_path)
    blocks = [unit.block(start, stop) for start, stop in unit.blocks(0, unit.rows, block_bytes)]
    np.testing.assert_array_equal(np.concatenate([block["time"].values for block in blocks]), values)
    power = np.concatenate([block["group/power"].values for block in blocks])
    np.testing.assert_array_equal(power, np.arange(ROWS * 2.0).reshape(-1, 2))
    assert all((block["cycle"].values == 3).all() for block in blocks)
    unit.unit.close()


def test_the_directories_of_hive_are_integers_where_all_of_them_are(tmp_path):
    for folder in ("mode=1/x=1", "mode=b/x=02"):
        (tmp_path / folder).mkdir(parents=True)
        pq.write_table(pa.table({"time": [1, 2]}), tmp_path / folder / "a.parquet")
    blocks = [OpenUnit.of(unit, "time", ()).block(0, 2) for unit in recognise(tmp_path).units()]
    assert [(block["mode"].values.tolist(), block["x"].values.tolist()) for block in blocks] == [
        (["1", "1"], [1, 1]),
        (["b", "b"], [2, 2]),
    ]


def test_a_directory_of_hive_without_a_value_is_rejected(tmp_path):
    (tmp_path / "mode=__HIVE_DEFAULT_PARTITION__").mkdir()
    pq.write_table(pa.table({"time": [1]}), tmp_path / "mode=__HIVE_DEFAULT_PARTITION__" / "a.parquet")
    with pytest.raises(SchemaError, match="its directory has no value for 'mode'"):
        recognise(tmp_path).units()


@pytest.fixture
def remote():
    files = fsspec.filesystem("memory")
    yield files
    files.rm("/reading", recursive=True)


@pytest.mark.parametrize("form", ["zarr2", "zarr3", "netcdf", "parquet"])
def test_places_that_are_not_local_are_read_the_same(form, remote, tmp_path):
    if form == "parquet":
        pq.write_table(pa.table({"time": TIMES, "v": np.arange(ROWS)}), tmp_path / "old.parquet")
        local = tmp_path / "old.parquet"
    else:
        local = written(form, tmp_path / "old")
    remote.put(str(local), f"/reading/{local.name}", recursive=True)
    there, here = opened(f"memory://reading/{local.name}"), opened(local)
    xr.testing.assert_identical(there.block(3, 9), here.block(3, 9))
    there.unit.close()
    here.unit.close()


def test_an_older_collection_that_is_not_local(remote, tmp_path):
    remote.put(str(first_series(tmp_path)), "/reading/old", recursive=True)
    units = recognise("memory://reading/old").units()
    blocks = [OpenUnit.of(unit, "time", ()).block(0, 24) for unit in units]
    assert [block.sizes["time"] for block in blocks] == [24, 12]
    assert blocks[1]["cycle"].values.tolist() == [1] * 12
