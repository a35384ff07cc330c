"""Conversion of pandas arrays, masked arrays and arrays of objects to NumPy arrays."""

import datetime as dt

import cftime
import numpy as np
import pandas as pd
import pytest

import zcollection as zc
from zcollection.model.variable import Variable

NAN = float("nan")


def values_of(data, dtype, *, fill_value=None, attrs=None):
    schema = zc.VariableSchema("v", dtype=dtype, dimensions=("row",), fill_value=fill_value, attrs=attrs)
    return Variable.of(schema, data).to_numpy().tolist()


@pytest.mark.parametrize(
    ("data", "dtype", "fill", "expected"),
    [
        (np.ma.masked_array([1.0, 2.0], [False, True]), "f8", -9.0, [1.0, -9.0]),
        (np.ma.masked_array([1, 2], [False, True]), "i4", -9, [1, -9]),
        (np.ma.masked_array([1, 2], [False, False]), "i4", None, [1, 2]),
        (pd.array([1, None], dtype="Int32"), "i8", -1, [1, -1]),
        (pd.array([True, False], dtype="boolean"), "bool", None, [True, False]),
        (pd.Series(["a", None]), "string", "", ["a", ""]),
        (pd.Categorical(["b", "a", "b"]), "string", None, ["b", "a", "b"]),
        (np.array(["a", None, NAN], dtype=object), "string", "?", ["a", "?", "?"]),
        (np.array(["a", None], dtype=np.dtypes.StringDType(na_object=None)), "string", "", ["a", ""]),
        (np.array(["a", NAN], dtype=np.dtypes.StringDType(na_object=NAN)), "string", "", ["a", ""]),
        (["a", "bcd", "é"], "string", None, ["a", "bcd", "é"]),
        (np.array([b"a", b"bc"], dtype=object), "S3", None, [b"a", b"bc"]),
        (np.array([b"a", None], dtype=object), "S3", b"-", [b"a", b"-"]),
        (np.array([1, None], dtype=object), "i4", -1, [1, -1]),
        (np.array([1, NAN], dtype=object), "f4", None, [1.0, pytest.approx(NAN, nan_ok=True)]),
        (np.array([1.0, NAN]), "i2", -5, [1, -5]),
        (np.array([True, None], dtype=object), "i1", -1, [1, -1]),
    ],
)
def test_missing_values_become_the_fill_value(data, dtype, fill, expected):
    assert values_of(data, dtype, fill_value=fill) == expected


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (np.ma.masked_array([1, 2], [False, True]), "i4"),
        (pd.array([1, None], dtype="Int32"), "i8"),
        (np.array(["a", None], dtype=object), "string"),
        (np.array([True, None], dtype=object), "bool"),
    ],
)
def test_without_a_fill_value_missing_ones_are_rejected(data, dtype):
    with pytest.raises(zc.SchemaError, match=r"'v' has 1 missing values and no fill value; declare"):
        values_of(data, dtype)


@pytest.mark.parametrize(
    "data",
    [
        pd.date_range("2000-01-01", periods=2, freq="h", tz="Europe/Paris"),
        pd.Series(pd.date_range("2000-01-01", periods=2, freq="h", tz="Europe/Paris"), index=[7, 8]),
        pd.date_range("2000-01-01", periods=2, freq="h", tz="Europe/Paris").to_numpy(dtype=object),
        [
            dt.datetime(2000, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))),
            dt.datetime(1999, 12, 31, 19, tzinfo=dt.timezone(dt.timedelta(hours=-5))),
        ],
    ],
    ids=["index", "series", "timestamps", "datetimes"],
)
@pytest.mark.parametrize("declared", ["datetime64[ns]", "int64"])
def test_times_with_a_time_zone_are_the_same_instants_in_utc(data, declared):
    attrs = {"units": "seconds since 1970-01-01"} if declared == "int64" else {}
    found = np.array(values_of(data, declared, attrs=attrs))
    seconds = found // (1 if declared == "int64" else 10**9)
    assert seconds.tolist() == [946_681_200, 946_684_800]  # 1999-12-31T23:00 and 2000-01-01T00:00


def test_times_of_cftime_become_the_numbers_that_the_units_count():
    times = np.array([cftime.DatetimeNoLeap(2000, 3, 1), cftime.DatetimeNoLeap(2000, 3, 2, 12)])
    attrs = {"units": "hours since 2000-02-28", "calendar": "noleap"}
    assert values_of(times, "int64", attrs=attrs) == [24, 60]
    assert values_of(times, "float32", attrs={**attrs, "units": "days since 2000-02-28"}) == [1.0, 2.5]


def test_times_of_cftime_in_a_calendar_of_datetime64_become_such():
    times = np.array([cftime.DatetimeGregorian(2000, 2, 29, 1), None])
    found = values_of(times, "datetime64[s]", fill_value="NaT")
    assert [str(time) for time in found] == ["2000-02-29 01:00:00", "None"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.array(["a", 1], dtype=object), "objects of type int and str"),
        (np.array([{}], dtype=object), "objects of type dict"),
        (np.array([cftime.DatetimeNoLeap(2000, 1, 1), cftime.Datetime360Day(2000, 1, 1)]), "'360_day', 'noleap'"),
    ],
)
def test_what_cannot_be_stored_is_named(data, message):
    with pytest.raises(zc.SchemaError, match=message):
        values_of(data, "string")


@pytest.mark.parametrize("declared", ["datetime64[ns]", "int64"])
def test_times_of_another_calendar_are_rejected_by_name(declared):
    attrs = {"units": "days since 2000-01-01"} if declared == "int64" else {}
    with pytest.raises(zc.SchemaError, match="calendar 'noleap'"):
        values_of(np.array([cftime.DatetimeNoLeap(2000, 1, 1)]), declared, attrs=attrs)
