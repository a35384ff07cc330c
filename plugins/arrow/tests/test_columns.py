"""The values of variables in Arrow, against NumPy."""

import datetime as dt
import json

import numpy as np
import pyarrow as pa
import pytest
import zcollection_arrow

import zcollection as zc

TYPES = {
    "time": pa.timestamp("ns"),
    "latitude": pa.float64(),
    "longitude": pa.float32(),
    "flag": pa.int8(),
    "big": pa.int64(),
    "unsigned": pa.uint16(),
    "valid": pa.bool_(),
    "name": pa.large_string(),
    "station": pa.large_binary(),
    "half": pa.float32(),
    "depth": pa.float32(),
    "seen": pa.timestamp("s"),
    "day": pa.timestamp("s"),
    "delay": pa.duration("ms"),
    "model": pa.int32(),
    "power": pa.list_(pa.float32(), 3),
    "cube": pa.list_(pa.list_(pa.int16(), 3), 2),
    "data_01/ku/swh": pa.float32(),
}


def missing_of(name, values):
    """Return which values are missing, as the schema of the fixture declares it."""
    fill = {"flag": -1, "name": "", "seen": -7, "cube": 0}.get(name)
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind in "mM":
        return np.isnat(values)
    return np.zeros(values.shape, bool) if fill is None else values == fill


def expected(name, values):
    """Return a column as Python objects, without Arrow."""
    rows = np.moveaxis(values, 1, 0) if name == "cube" else values
    missing = missing_of(name, rows)
    if name == "seen":
        rows = np.datetime64("2023-12-31", "h") + rows.astype("timedelta64[h]")
    if name in {"time", "day", "seen"}:
        rows = rows.astype("datetime64[us]")
    objects = np.empty(rows.shape, object)
    objects[...] = rows.astype(object)
    objects[missing] = None
    return [item.tolist() if isinstance(item, np.ndarray) else item for item in objects]


def small(name, values, **declared):
    made = zc.Schema().with_dimension("time").with_variable(name, dimensions=("time",), **declared).build()
    return zc.Dataset(made, {name: values})


def test_every_variable_along_the_axis_is_a_column_of_its_type(collection):
    found = collection.query().to_arrow().schema
    assert {field.name: field.type for field in found} == TYPES


@pytest.mark.parametrize("name", TYPES)
def test_a_column_has_the_values_of_the_variable_and_null_where_they_are_missing(collection, arrays, name):
    column = collection.query(variables=[name]).to_arrow()[name]
    column = column.cast(pa.timestamp("us")) if name == "time" else column
    column.validate(full=True)
    assert column.to_pylist() == expected(name, arrays[name])


def test_a_row_of_which_a_condition_says_that_it_is_missing_is_null(collection):
    for name in ("flag", "name", "seen", "day", "delay", "data_01/ku/swh", "depth"):
        there = collection.count(f"not isnan(`{name}`)")
        column = collection.query(variables=[name]).to_arrow()[name]
        assert len(column) - column.null_count == there


def test_packed_values_that_are_missing_are_null():
    packing = zc.Packing("int16", scale_factor=0.5, fill_value=-999)
    values = np.array([0.5, np.nan], "f4")
    assert small("depth", values, dtype="float32", packing=packing).to_arrow()["depth"].to_pylist() == [0.5, None]


@pytest.mark.parametrize("dtype", ["int32", "float64", "datetime64[ns]", "timedelta64[us]"])
def test_values_without_missing_ones_are_shared(dtype):
    values = np.arange(5).astype(dtype)
    column = small("x", values, dtype=dtype).to_arrow()["x"].chunk(0)
    assert column.buffers()[0] is None
    assert column.buffers()[1].address == values.ctypes.data


def test_what_does_not_span_the_axis_is_named_in_the_schema(collection):
    metadata = collection.query(variables=["time", "angle"]).to_arrow().schema.metadata
    assert json.loads(metadata[b"zcollection.left_out"]) == ["angle"]


def test_attributes_are_those_of_the_field_and_a_timestamp_has_no_units(collection):
    found = collection.query(variables=["latitude", "seen", "model"]).to_arrow().schema
    assert found.field("latitude").metadata == {b"units": b"degrees_north"}
    assert found.field("seen").metadata is None
    assert found.field("model").metadata == {b"units": b"days since 2000-01-01", b"calendar": b"360_day"}


def test_complex_numbers_are_rejected_by_name():
    with pytest.raises(zc.SchemaError, match=r"variable 'wave' is complex64, which Arrow does not have; accepted"):
        small("wave", [1j], dtype="complex64").to_arrow()


def test_a_day_of_the_standard_calendar_before_its_reform_is_never_another_date():
    dataset = small("t", [-200_000], dtype="int64", attrs={"units": "days since 1970-01-01"})
    with pytest.raises(zc.SchemaError, match=r"'t' has times before 1582-10-15 in the standard calendar"):
        dataset.to_arrow()
    proleptic = {"units": "days since 1970-01-01", "calendar": "proleptic_gregorian"}
    found = small("t", [-200_000], dtype="int64", attrs=proleptic).to_arrow()["t"].to_pylist()
    assert found == [dt.datetime(1970, 1, 1) - dt.timedelta(days=200_000)]


def test_a_time_that_arrow_does_not_reach_is_rejected():
    attrs = {"units": "days since 1970-01-01", "calendar": "proleptic_gregorian"}
    with pytest.raises(zc.SchemaError, match="which datetime64.s. cannot represent"):
        small("t", [10**15], dtype="int64", attrs=attrs).to_arrow()


def test_floats_that_count_time_are_timestamps(collection):
    attrs = {"units": "hours since 2024-01-01"}
    column = small("t", [0.5, np.nan], dtype="float64", attrs=attrs).to_arrow()["t"]
    assert column.type == pa.timestamp("ns")
    assert column.cast(pa.timestamp("us")).to_pylist() == [dt.datetime(2024, 1, 1, 0, 30), None]


def test_strings_of_variable_length_are_texts():
    column = small("text", np.array(["a", "", "çé"], dtype=np.dtypes.StringDType()), dtype="string").to_arrow()["text"]
    assert column.to_pylist() == ["a", "", "çé"]


def test_no_rows_are_a_table_without_rows(collection):
    found = collection.query(where="latitude > 1000").to_arrow()
    assert (found.num_rows, found.schema.names) == (0, list(TYPES))


def test_a_dataset_is_a_stream_and_a_schema_for_whatever_takes_one(collection, arrays):
    dataset = collection.query(variables=["time", "latitude"])
    assert pa.schema(dataset) == zcollection_arrow.schema_of(dataset)
    assert pa.table(dataset)["latitude"].to_numpy().tolist() == arrays["latitude"].tolist()


def test_a_scan_is_a_stream_of_batches_and_a_schema(collection, arrays):
    scan = collection.scan(variables=["time", "latitude"], where="flag == 1")
    assert pa.schema(scan) == zcollection_arrow.schema_of(scan)
    found = pa.RecordBatchReader.from_stream(scan).read_all()
    assert found["latitude"].to_numpy().tolist() == arrays["latitude"][arrays["flag"] == 1].tolist()


def test_a_dataset_with_two_lengths_that_grow_is_rejected():
    made = zc.Schema().with_dimension("time").with_dimension("x").with_variable("a", dtype="i4", dimensions=("x",))
    with pytest.raises(zc.SchemaError, match=r"without a size \['time', 'x'\]; accepted: one"):
        zc.Dataset(made.build(), {"a": [1]}).to_arrow()
