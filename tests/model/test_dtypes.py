import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import zcollection as zc
from zcollection.model.dtypes import (
    cast_exactly,
    default_fill,
    dtype_name,
    parse_dtype,
    same_values,
    scalar_from_json,
    scalar_to_json,
)

NAMES = [
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
    *("datetime64[ns]", "datetime64[D]", "timedelta64[s]", "S5", "U3", "string"),
]
NUMBERS = st.sampled_from([name for name in NAMES if np.dtype(name if name != "string" else "U1").kind in "iuf"])


@pytest.mark.parametrize("name", NAMES)
def test_a_type_is_found_again_by_its_name(name):
    assert dtype_name(parse_dtype(name)) == name


@pytest.mark.parametrize(
    ("given", "expected"),
    [(str, "string"), (">f8", "float64"), (float, "float64"), (np.int16, "int16"), ("M8[s]", "datetime64[s]")],
)
def test_types_are_given_in_many_ways(given, expected):
    assert dtype_name(parse_dtype(given)) == expected


@pytest.mark.parametrize(
    "dtype", ["object", "flot32", "V8", "M8", "M8[Y]", "M8[10s]", "U0", "longdouble", [("a", "i4")], None]
)
def test_other_types_are_rejected(dtype):
    if dtype is None:
        assert dtype_name(parse_dtype(dtype)) == "float64"
        return
    with pytest.raises(zc.SchemaError, match="dtype"):
        parse_dtype(dtype)


@given(source=NUMBERS.flatmap(lambda name: hnp.arrays(name, 5)), target=NUMBERS)
def test_numbers_are_cast_if_exact_and_rejected_otherwise(source, target):
    dtype = np.dtype(target)
    exact = all(is_exact(value, dtype) for value in source)
    if not exact:
        with pytest.raises(zc.SchemaError, match="'v' is declared"):
            cast_exactly(source, dtype, name="v")
        return
    converted = cast_exactly(source, dtype, name="v")
    assert converted.dtype == dtype
    assert [
        int(value)
        if value == value and abs(float(value)) != np.inf and float(value).is_integer()
        else str(float(value))
        for value in converted
    ] == [
        int(value)
        if value == value and abs(float(value)) != np.inf and float(value).is_integer()
        else str(float(value))
        for value in source
    ]


def is_exact(value, dtype):
    """Return whether a dtype represents a value exactly, computed with Python's unlimited integers."""
    if value != value or abs(float(value)) == np.inf:
        return dtype.kind == "f"
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return float(value).is_integer() and limits.min <= int(value) <= limits.max
    with np.errstate(over="ignore"):
        rounded = dtype.type(value)
    if abs(float(rounded)) == np.inf:
        return False
    return int(rounded) == int(value) if np.asarray(value).dtype.kind in "iu" else float(rounded) == float(value)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.array(["a", "bcd"]), "U2"),
        (np.array(["1"]), "int64"),
        (np.array([1]), "U2"),
        (np.array([1, 2]), "datetime64[s]"),
        (np.array(["2000-01-01T00:00:00.5"], dtype="M8[ns]"), "datetime64[s]"),
        (np.array([300]), "uint8"),
        (np.array([-1]), "uint64"),
        (np.array([2**64 - 1], dtype="uint64"), "int64"),
        (np.array([2**53 + 1]), "float64"),
        (np.array([1 + 1j]), "float64"),
        (np.array(["9999-01-01"], dtype="M8[D]"), "datetime64[ns]"),
        (np.array([2]), "bool"),
    ],
)
def test_a_value_that_would_change_is_rejected(values, dtype):
    with pytest.raises(zc.SchemaError, match="'v' is declared"):
        cast_exactly(values, parse_dtype(dtype), name="v")


def test_missing_values_stay_missing():
    times = np.array(["NaT", "2000-01-01"], dtype="M8[D]")
    assert np.isnat(cast_exactly(times, np.dtype("M8[ns]"), name="v")).tolist() == [True, False]
    assert np.isnan(cast_exactly(np.array([np.nan]), np.dtype("f4"), name="v")).all()


FILLS = [
    ("float32", np.nan), ("float64", -np.inf), ("float32", 1e20), ("float64", 0.1), ("int64", -(2**63)), ("uint64", 2**64 - 1),
    ("bool", True), ("complex64", complex(1, np.nan)), ("datetime64[s]", "NaT"), ("datetime64[D]", "2000-01-01"),
    ("timedelta64[ns]", 5), ("S3", b"ab"), ("U3", "é"), ("string", "text"), ("string", ""),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "fill"), FILLS)
def test_a_fill_value_survives_json(dtype, fill):
    variable = zc.VariableSchema(
        "v", dtype=dtype, dimensions=(), fill_value=np.timedelta64(5, "ns") if fill == 5 else fill
    )
    text = json.dumps(scalar_to_json(variable.fill_value, variable.dtype), allow_nan=False)
    again = scalar_from_json(json.loads(text), variable.dtype, name="v")
    assert repr(again) == repr(variable.fill_value)


@pytest.mark.parametrize(
    ("dtype", "fill"),
    [
        ("int8", 300),
        ("int8", 1.5),
        ("float32", "x"),
        ("datetime64[s]", "soon"),
        ("string", 5),
        ("float32", [1, 2]),
        ("U2", "abc"),
    ],
)
def test_a_fill_value_of_another_type_is_rejected(dtype, fill):
    with pytest.raises(zc.SchemaError, match="v"):
        zc.VariableSchema("v", dtype=dtype, dimensions=(), fill_value=fill)


@pytest.mark.parametrize("name", NAMES)
def test_every_type_has_a_default_fill(name):
    dtype = parse_dtype(name)
    scalar_to_json(default_fill(dtype), dtype)


def test_same_values_counts_missing_ones_as_equal():
    assert same_values(np.array([1, np.nan]), np.array([1, np.nan]))
    assert not same_values(np.array([1, np.nan]), np.array([np.nan, 1]))
    assert not same_values(np.array([1]), np.array([1.0]))
    assert not same_values(np.array([1]), np.array([1, 1]))
