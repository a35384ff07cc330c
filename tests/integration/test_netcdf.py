"""Files as netCDF tools write them, delivered in parts: what comes back is what xarray reads in the files."""

import warnings
from pathlib import Path

import h5netcdf
import h5py
import numpy as np
import pytest
import xarray as xr
from effort import every_value

import zcollection as zc

COUNT = 12
"""Rows of each file, hours."""


def hours(first, count=COUNT):
    return np.arange(first, first + count)


def written(path, write, first):
    """Write a file with h5netcdf itself, so that what is in it is no choice of xarray's."""
    with h5netcdf.File(path, "w") as file:
        file.dimensions = {"time": COUNT}
        write(file, hours(first))
    return path


def variable(file, name, dimensions, dtype, values, fill=None, **attrs):
    made = file.create_variable(name, dimensions, dtype, fillvalue=fill)
    for key, value in attrs.items():
        made.attrs[key] = value
    made[...] = values


def clock(file, numbers, units="hours since 2000-01-01", **attrs):
    variable(file, "time", ("time",), "i4", numbers, units=units, **attrs)


def packed(file, rows):
    clock(file, rows)
    numbers = (rows * 7 % 300 - 150).astype("i2")
    numbers[::5] = -32768
    variable(file, "scaled", ("time",), "i2", numbers, np.int16(-32768), scale_factor=1e-3)
    variable(file, "moved", ("time",), "i2", numbers, np.int16(-32768), scale_factor=0.01, add_offset=273.15)
    variable(
        file,
        "single",
        ("time",),
        "i2",
        numbers,
        np.int16(-32768),
        scale_factor=np.float32(0.1),
        add_offset=np.float32(2),
    )
    variable(file, "wide", ("time",), "i4", rows * 1000, np.int32(2**31 - 1), scale_factor=1e-6)
    variable(file, "old", ("time",), "i2", numbers, missing_value=np.int16(-32768), scale_factor=0.5)
    variable(file, "unsigned", ("time",), "u1", rows % 250, np.uint8(255), scale_factor=0.1)
    variable(
        file,
        "classic",
        ("time",),
        "i1",
        (rows % 256).astype("u1").view("i1"),
        np.int8(-1),
        _Unsigned="true",
        scale_factor=0.1,
    )


def masked(file, rows):
    clock(file, rows)
    floats = rows.astype("f4")
    floats[1] = 1e20
    variable(file, "float", ("time",), "f4", floats, np.float32(1e20))
    variable(file, "double", ("time",), "f8", np.where(rows % 3, rows, np.nan), np.nan)
    flags = (rows % 4).astype("i1")
    flags[2] = 127
    variable(
        file,
        "flag",
        ("time",),
        "i1",
        flags,
        np.int8(127),
        flag_values=np.array([0, 1, 2, 3], "i1"),
        flag_meanings="good fair poor bad",
    )
    variable(file, "count", ("time",), "u2", rows)


def described(file, rows):
    clock(file, rows, bounds="time_bnds", axis="T", standard_name="time")
    file.dimensions["nv"] = 2
    file.dimensions["x"] = 3
    variable(file, "time_bnds", ("time", "nv"), "i4", np.stack([rows, rows + 1], axis=1))
    variable(file, "latitude", ("time", "x"), "f8", rows[:, None] + np.arange(3.0), units="degrees_north")
    variable(file, "x", ("x",), "i2", [10, 20, 30], units="km")
    variable(file, "height", (), "f4", np.float32(2.0), units="m", positive="up")
    variable(file, "v", ("time", "x"), "f4", rows[:, None] * np.ones(3, "f4"), coordinates="latitude height", units="m")
    file.attrs["title"] = "a file"
    file.attrs["numbers"] = np.array([1, 2, 3], "i2")
    file.attrs["single"] = np.float32(0.1)
    file.attrs["level"] = np.int64(2)


def texts(file, rows):
    clock(file, rows)
    file.dimensions["length"] = 5
    names = np.array([f"s{number % 7}".ljust(5)[:5].encode() for number in rows])
    made = file.create_variable("characters", ("time", "length"), "S1")
    made[...] = names.view("S1").reshape(len(rows), 5)
    strings = file.create_variable("strings", ("time",), h5py.string_dtype())
    strings[...] = np.array([f"número {number}" for number in rows], dtype=object)


def noleap(file, rows):
    clock(file, rows, "days since 2000-02-20", calendar="noleap")
    variable(file, "t", ("time",), "f4", rows)


def days_360(file, rows):
    clock(file, rows, "days since 2000-02-20", calendar="360_day")
    variable(file, "t", ("time",), "f4", rows)


def float_time(file, rows):
    variable(file, "time", ("time",), "f8", rows / 24, units="days since 1950-01-01")
    variable(file, "t", ("time",), "f4", rows)


KINDS = (packed, masked, texts, described, noleap, days_360, float_time)


def opened(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of several fill values, and of calendars
        with xr.open_dataset(path, engine="h5netcdf", decode_timedelta=False) as found:
            return found.load()


def raw(path):
    with xr.open_dataset(path, engine="h5netcdf", decode_cf=False) as found:
        return found.load()


def joined(parts):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return xr.concat(
            parts,
            "time",
            data_vars="minimal",
            coords="minimal",
            compat="override",
            join="outer",
            combine_attrs="override",
        )


def collection_of(folder, first, resolution="D"):
    schema = zc.Schema.from_xarray(first, axis="time")
    by_time = zc.partitioning.Date(("time",), resolution=resolution)
    return zc.create_collection(folder / "c", schema=schema, axis="time", partitioning=by_time)


CASES = [(kind, decoded) for kind, decoded in every_value(KINDS, (True, False)) if decoded or kind is not texts]
"""Characters that are not decoded stay characters."""


@pytest.mark.parametrize(
    ("kind", "decoded"), CASES, ids=[f"{kind.__name__}, {'decoded' if decoded else 'raw'}" for kind, decoded in CASES]
)
def test_deliveries_in_any_order_come_back_as_xarray_reads_them(tmp_path, kind, decoded):
    files = [written(tmp_path / f"{first}.nc", kind, first) for first in (0, 12, 24, 30)]
    read = opened if decoded else raw
    collection = collection_of(tmp_path, read(files[0]))
    shuffled = [read(files[index]) for index in (2, 0, 1)]
    for delivery in shuffled:
        order = np.random.default_rng(0).permutation(COUNT)
        collection.insert(delivery.isel(time=order), merge="upsert")
    collection.insert(read(files[3]), merge="upsert")  # overlaps with the third
    collection.insert(read(files[3]), merge="upsert")  # delivered again
    parts = [opened(file) for file in files]
    expected = joined([*parts[:2], parts[2].isel(time=slice(6)), parts[3]])
    found = collection.query().to_xarray()
    assert_read_alike(found, expected)
    assert collection.verify(data=True).is_clean


def assert_read_alike(found, expected):
    """Compare all but what the documentation lists: the types of numbers in attributes, and integers with a fill value."""
    assert set(found.variables) == set(expected.variables)
    assert set(found.coords) == set(expected.coords)
    for name, item in expected.variables.items():
        ours = found.variables[name]
        if ours.dtype.kind in "iu" and item.dtype.kind == "f":
            ours = ours.where(ours != ours.encoding["_FillValue"])
        xr.testing.assert_equal(xr.Dataset({"v": ours}), xr.Dataset({"v": item}))
        assert {key: np.array(value).tolist() for key, value in ours.attrs.items()} == {
            key: np.array(value).tolist() for key, value in item.attrs.items() if key != "_FillValue"
        }, name


@pytest.mark.parametrize("kind", [packed, masked, described, noleap], ids=lambda kind: kind.__name__)
def test_a_file_written_of_a_query_is_read_like_the_one_that_it_came_from(tmp_path, kind):
    path = written(tmp_path / "a.nc", kind, 0)
    collection = collection_of(tmp_path, opened(path), "Y")
    collection.insert(opened(path))
    again = tmp_path / "again.nc"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collection.query().to_xarray().to_netcdf(again, engine="h5netcdf")
    assert_read_alike(opened(again), opened(path))
    for name, item in opened(path).variables.items():
        if "scale_factor" in item.encoding:
            theirs = opened(again).variables[name].encoding
            assert theirs["scale_factor"] == item.encoding["scale_factor"], name
            assert theirs["dtype"].itemsize == item.encoding["dtype"].itemsize, name


def test_plain_xarray_reads_partitions_with_packed_variables_as_the_files(tmp_path):
    path = written(tmp_path / "a.nc", packed, 0)
    collection = collection_of(tmp_path, opened(path), "Y")
    collection.insert(opened(path))
    found = xr.open_zarr(tmp_path / "c" / collection.partitions()[0], consolidated=False).load()
    for name in ("scaled", "moved", "wide", "old", "unsigned"):
        np.testing.assert_array_equal(found[name].values, opened(path)[name].values, err_msg=name)
    np.testing.assert_allclose(found["single"].values, opened(path)["single"].values, rtol=1e-6)


def test_packed_files_take_no_more_room_than_before(tmp_path):
    rows = 24 * 300
    numbers = (np.cumsum(np.random.default_rng(0).integers(-30, 31, rows)) % 20_000 - 10_000).astype("i2")
    times = np.datetime64("2000-01-01", "ns") + np.arange(rows) * np.timedelta64(1, "h")
    made = xr.Dataset(
        {f"v{index}": ("time", numbers[:: -1 if index % 2 else 1] * 1e-3) for index in range(8)}, {"time": times}
    )
    encoding = {
        name: {"dtype": "i2", "scale_factor": 1e-3, "_FillValue": -32768, "zlib": True} for name in made.data_vars
    }
    path = tmp_path / "a.nc"
    made.to_netcdf(path, engine="h5netcdf", encoding=encoding)
    collection = collection_of(tmp_path, opened(path), "Y")
    collection.insert(opened(path))
    chunks = Path(tmp_path, "c", collection.partitions()[0]).rglob("c/*")
    assert sum(file.stat().st_size for file in chunks if file.is_file()) <= 1.1 * path.stat().st_size


# A product like those of SWOT


def swath(path, first, *, cycle, number):
    """A swath: rows by time, two-dimensional places, packed heights with flags, groups of both sides, keys as attributes."""
    with h5netcdf.File(path, "w") as file:
        file.dimensions = {"num_lines": COUNT, "num_pixels": 4}
        rows = hours(first)
        file.attrs["cycle_number"] = np.int32(cycle)
        file.attrs["pass_number"] = np.int32(number)
        file.attrs["title"] = "Level 2"
        variable(
            file, "time", ("num_lines",), "f8", rows * 3600.0, units="seconds since 2000-01-01", calendar="gregorian"
        )
        for side, sign in (("left", -1), ("right", 1)):
            group = file.create_group(side)
            across = sign * np.arange(4)
            shape = ("num_lines", "num_pixels")
            place = rows[:, None] * 1000 + across
            variable(
                group, "latitude", shape, "i4", place, np.int32(2**31 - 1), scale_factor=1e-6, units="degrees_north"
            )
            variable(
                group,
                "longitude",
                shape,
                "u4",
                place + 10**6,
                np.uint32(2**32 - 1),
                scale_factor=1e-6,
                units="degrees_east",
            )
            heights = (place % 2000 - 1000).astype("i4")
            heights[0, 0] = 2**31 - 1
            variable(
                group,
                "ssh",
                shape,
                "i4",
                heights,
                np.int32(2**31 - 1),
                scale_factor=1e-4,
                units="m",
                coordinates="longitude latitude",
                quality_flag="ssh_qual",
            )
            variable(
                group,
                "ssh_qual",
                shape,
                "u4",
                rows[:, None] % 3 + 0 * across,
                np.uint32(2**32 - 1),
                flag_masks=np.array([1, 2], "u4"),
                flag_meanings="suspect bad",
                coordinates="longitude latitude",
            )
    return path


def tree(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with xr.open_datatree(path, engine="h5netcdf") as found:
            return found.load()


def test_swaths_partitioned_by_cycle_and_pass_lose_nothing(tmp_path):
    passes = [(12, 345), (12, 346), (13, 1)]
    files = [
        swath(tmp_path / f"{i}.nc", i * COUNT, cycle=cycle, number=number) for i, (cycle, number) in enumerate(passes)
    ]
    schema = (
        zc.Schema.from_xarray(tree(files[0]), axis="time")
        .with_variable("cycle", dtype="uint16", dimensions=("num_lines",))
        .with_variable("pass", dtype="uint16", dimensions=("num_lines",))
    )
    partitioning = zc.partitioning.Sequence(("cycle", "pass"))
    collection = zc.create_collection(tmp_path / "c", schema=schema, axis="time", partitioning=partitioning)
    for file, (cycle, number) in zip(files, passes, strict=True):
        collection.insert(tree(file), columns={"cycle": cycle, "pass": number})
    assert collection.partitions() == ("cycle=12/pass=345", "cycle=12/pass=346", "cycle=13/pass=1")
    assert collection.schema.get_variable("left/ssh").stored_dtype == np.dtype("i4")
    for file, (cycle, number) in zip(files, passes, strict=True):
        found = collection.query(filters={"cycle": cycle, "pass": number}).to_xarray()
        expected = tree(file)
        assert found["cycle"].values.tolist() == [cycle] * COUNT
        for side in ("left", "right"):
            assert_read_alike(found[side].to_dataset(inherit=False), expected[side].to_dataset(inherit=False))
        assert_read_alike(found.to_dataset().drop_vars(["cycle", "pass"]), expected.to_dataset())
