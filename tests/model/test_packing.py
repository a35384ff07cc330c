"""Packing and unpacking, compared with the coders of xarray."""

import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import zcollection as zc

INTEGERS = [np.dtype(name) for name in ("int8", "uint8", "int16", "uint16", "int32", "uint32")]
SCALES = st.floats(1e-6, 1e3) | st.floats(1e-6, 1e3).map(lambda value: -value)


@st.composite
def stored_numbers(draw):
    """Return stored integers, a packing, and the dtype to which xarray unpacks them."""
    dtype, logical = draw(st.sampled_from(INTEGERS)), draw(st.sampled_from([np.float32, np.float64]))
    numbers = draw(arrays.arrays(dtype, st.integers(0, 20)))
    scale = logical(draw(SCALES))
    offset = draw(st.none() | st.floats(-1e3, 1e3).map(logical))
    limits = np.iinfo(dtype)
    fill = draw(st.none() | st.integers(limits.min, limits.max) | st.sampled_from([limits.min, limits.max]))
    packing = zc.Packing(dtype, scale_factor=scale, add_offset=offset, fill_value=fill)
    return numbers, packing, np.dtype(logical)


def decoded_by_xarray(numbers, packing, logical):
    """Return the values that xarray unpacks, with attributes in the dtype of the values, as in netCDF files."""
    attrs = {name: logical.type(value) for name, value in packing.attributes.items()}
    if packing.fill_value is not None:
        attrs["_FillValue"] = packing.dtype.type(packing.fill_value)
    return xr.decode_cf(xr.Dataset({"v": ("row", numbers, attrs)}))["v"].values


@given(stored_numbers())
def test_unpacking_gives_the_bits_of_xarray(case):
    numbers, packing, logical = case
    expected = decoded_by_xarray(numbers, packing, logical)
    # xarray unpacks 32-bit integers with a float32 scale and offset to float64.
    assume(expected.dtype == logical)
    # If the float dtype cannot represent the fill value, xarray does not detect missing values.
    assume(packing.fill_value is None or float(logical.type(packing.fill_value)) == packing.fill_value)
    found = packing.unpack(numbers, logical)
    np.testing.assert_array_equal(found.view(f"u{logical.itemsize}"), expected.view(f"u{logical.itemsize}"))


def distinguishes(packing, logical):
    """Return whether all stored numbers have distinct values in the dtype, with a margin for rounding."""
    limits = np.iinfo(packing.dtype)
    largest = max(abs(int(limits.min)), int(limits.max))
    scale, offset = abs(packing.scale_factor), abs(packing.add_offset or 0)
    return np.finfo(logical).eps * (2 * largest * scale + offset) < scale / 2


def test_a_fill_value_that_the_float_cannot_represent_is_still_missing():
    packing = zc.Packing("int32", scale_factor=1.0, fill_value=2**24 + 1)
    found = packing.unpack(np.array([2**24, 2**24 + 1], "i4"), np.dtype("f4"))
    np.testing.assert_array_equal(found, np.array([2**24, np.nan], "f4"))


@given(stored_numbers())
def test_what_was_unpacked_is_packed_to_the_same_numbers(case):
    numbers, packing, logical = case
    assume(distinguishes(packing, logical))
    values = packing.unpack(numbers, logical)
    np.testing.assert_array_equal(packing.pack(values, name="v"), numbers)


@given(st.lists(st.floats(-3.2, 3.2), max_size=20), st.sampled_from([np.float32, np.float64]))
def test_packing_rounds_to_the_nearest_number(values, logical):
    packing = zc.Packing("int16", scale_factor=1e-4)
    given_values = np.array(values, dtype=logical)
    stored = packing.pack(given_values, name="v")
    exact = [round(float(value) / 1e-4) for value in given_values]  # halves to even, as in IEEE 754
    np.testing.assert_array_equal(stored, exact)


@pytest.mark.parametrize("value", [3.2768, -3.2769, math.inf, -math.inf, 1e300])
def test_a_value_that_does_not_fit_is_named_with_its_variable_row_and_range(value):
    packing = zc.Packing("int16", scale_factor=1e-4)
    with pytest.raises(zc.SchemaError, match=r"'ssh'.*row 2.*from -3\.2768 to 3\.2767"):
        packing.pack(np.array([[0.0, 1], [1, 1], [1, value]]), name="ssh")


def test_a_value_that_would_be_read_as_missing_is_rejected():
    packing = zc.Packing("int16", scale_factor=0.1, fill_value=-1)
    with pytest.raises(zc.SchemaError, match=r"row 1.*but -0\.1, which means missing"):
        packing.pack(np.array([0.0, -0.1]), name="v")


def test_a_missing_value_without_a_fill_value_is_rejected():
    with pytest.raises(zc.SchemaError, match=r"missing value \(NaN\) in row 1.*no fill value"):
        zc.Packing("int16", scale_factor=0.1).pack(np.array([0.0, np.nan]), name="v")


def test_floats_are_stored_as_they_are_but_for_what_is_missing():
    packing = zc.Packing("float32", fill_value=1e20)
    stored = packing.pack(np.array([0.1, np.nan], dtype="f4"), name="v")
    np.testing.assert_array_equal(stored, np.array([0.1, 1e20], dtype="f4"))
    np.testing.assert_array_equal(packing.unpack(stored, np.dtype("f4")), np.array([0.1, np.nan], dtype="f4"))
    with pytest.raises(zc.SchemaError, match="means missing"):
        packing.pack(np.array([1e20], dtype="f4"), name="v")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtype": "complex64"}, "accepted: int8 to int64"),
        ({"dtype": "int16", "scale_factor": 0}, "scale_factor 0"),
        ({"dtype": "int16", "scale_factor": math.nan}, "a finite number"),
        ({"dtype": "int16", "add_offset": "x"}, "add_offset 'x'"),
        ({"dtype": "int16", "fill_value": 70_000}, "a value of int16"),
        ({"dtype": "int16", "fill_value": 0.5}, "a value of int16"),
    ],
)
def test_an_invalid_packing_is_rejected(arguments, message):
    with pytest.raises(zc.SchemaError, match=message):
        zc.Packing(**arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "int32"}, "accepted: float32, float64"),
        ({"dtype": "f8", "fill_value": -1.0}, "a missing value is NaN"),
        ({"dtype": "f8", "packing": zc.Packing("i2"), "fill_value": math.nan}, "its packing has none"),
        ({"dtype": "f8", "packing": "int16"}, "a zcollection.Packing"),
    ],
)
def test_an_invalid_packed_variable_is_rejected(options, message):
    with pytest.raises(zc.SchemaError, match=message):
        zc.VariableSchema("v", dimensions=("row",), **{"packing": zc.Packing("i2", fill_value=-1), **options})


def test_a_packed_variable_has_the_fill_value_of_its_type():
    with_fill = zc.VariableSchema("v", dtype="f4", dimensions=("row",), packing=zc.Packing("i2", fill_value=-1))
    assert math.isnan(with_fill.fill_value)
    assert with_fill.stored_dtype == np.dtype("i2")
    without = zc.VariableSchema("v", dtype="f4", dimensions=("row",), packing=zc.Packing("i2"))
    assert without.fill_value is None
