"""Texts are read as what a schema declares, exactly, or refused."""

import numpy as np
import pytest
from effort import examples
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import zcollection as zc
from zcollection.cli.parsing import inferred, values_of
from zcollection.model.variable import convert

DTYPES = ["int8", "int64", "uint64", "float32", "float64", "bool", "datetime64[ns]", "datetime64[s]"]


def declared(dtype, **more):
    return zc.VariableSchema("value", dtype=dtype, dimensions=("row",), **more)


def read(texts, schema):
    """Return the values that a collection would store."""
    return convert(values_of(texts, schema, name="value"), schema, name="value")


@st.composite
def arrays(draw):
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    elements = None
    if dtype.kind == "M":  # what all units have, and pandas too
        elements = st.integers(-(2**62) // 10**9, 2**62 // 10**9).map(
            lambda seconds: np.datetime64(seconds, "s").astype(dtype)
        )
    return draw(hnp.arrays(dtype, st.integers(1, 5), elements=elements))


@examples(60)
@given(arrays())
def test_what_numpy_writes_is_read_as_it_was(values):
    schema = declared(values.dtype, fill_value=np.nan if values.dtype.kind == "f" else None)
    np.testing.assert_array_equal(read([str(value) for value in values], schema), values)


@examples(60)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=4), st.sampled_from([*DTYPES, "complex128"]))
def test_any_text_is_read_or_rejected(texts, dtype):
    try:
        values_of(texts, declared(dtype), name="value")
    except zc.SchemaError as error:
        assert "value cannot be read as" in str(error)  # noqa: PT017 - it may also be read
    values_of(texts, declared("string"), name="value")
    assert len(inferred(texts)) == len(texts)


def test_what_is_missing_becomes_the_fill_value():
    assert read(["1", " ", "3"], declared("int16", fill_value=-9)).tolist() == [1, -9, 3]
    with pytest.raises(zc.SchemaError, match="1 missing values and no fill value"):
        read(["1", ""], declared("int16"))


def test_times_have_the_calendar_and_the_units_of_their_variable():
    units = {"units": "hours since 2000-01-01", "calendar": "360_day"}
    assert read(["2000-02-30T06:00"], declared("float64", attrs=units)).tolist() == [59 * 24 + 6]
    assert read(["2000-02-30"], declared("int32", attrs=units)).tolist() == [59 * 24]
    with pytest.raises(zc.SchemaError, match="not an integer number"):
        read(["2000-02-30T06:30"], declared("int32", attrs=units))
    assert read(["7", "8"], declared("int32", attrs=units)).tolist() == [7, 8]


@pytest.mark.parametrize(
    ("text", "dtype"),
    [("5", "timedelta64[s]"), ("1_000", "int64"), ("٣", "int64"), ("1e400", "float64"), ("1,5", "float64"), ("2024", "datetime64[s]"),
     ("20240101", "datetime64[s]"), ("1704067200", "datetime64[s]"), ("2024-13-01", "datetime64[s]"), ("yes", "bool")],
)  # fmt: skip
def test_a_text_that_only_resembles_a_value_is_rejected(text, dtype):
    with pytest.raises(zc.SchemaError, match="cannot be read as"):
        values_of([text], declared(dtype), name="value")


def test_durations():
    assert read(["90 seconds", "1 days 00:00:30"], declared("timedelta64[s]")).tolist() == [
        np.timedelta64(90, "s").item(), np.timedelta64(86_430, "s").item(),
    ]  # fmt: skip
