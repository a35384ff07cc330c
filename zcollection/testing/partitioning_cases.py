"""Test input for partitionings: columns around zero and 1970, in every accepted type, and invalid columns, paths and keys."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from zcollection.contracts.partitioning import Field, Key, Partitioning
from zcollection.model.calendars import CalendarTimes

Columns = dict[str, NDArray[Any]]

_UNITS = ("ns", "us", "ms", "s", "m", "h", "D", "M", "Y")
_INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", ">i8")
_FIRST, *_LANDMARKS, _LAST = (
    int(np.datetime64(text, "ns").astype(np.int64))
    for text in (
        "1900-01-01",
        "1900-03-01",
        "1970-01-01",
        "1999-12-31T23",
        "2000-02-29",
        "2024-03-01",
        "2050-07-01",
        "2101-01-01",
    )
)
_NEAR = st.builds(int.__add__, st.sampled_from(_LANDMARKS), st.sampled_from([-1, 0, 1]))
_TIMES = ("datetime64[ns]", _NEAR | st.integers(_FIRST, _LAST - 1))
_AWKWARD = (
    *(
        "",
        " ",
        ".",
        "..",
        "x.",
        "_x",
        "c",
        "zarr.json",
        "CON",
        "a/b",
        "a\\b",
        "a=b",
        "a+b",
        "%",
        "%41",
        "%2F",
        "%2f",
        "~",
    ),
    *("Malmö", "Malmo\u0308", "\u212b", "\u1100\u1161", "海面", "\U0001f6f0", "\x00", "\n", "\u202e", "٣", "true", "1"),
)
_NUMBERS = ("int64", st.integers(-9, 9) | st.integers(-128, 127) | st.integers(-(2**40), 2**40))


def columns_of(partitioning: Partitioning) -> st.SearchStrategy[Columns]:
    """Return columns of one to ten rows: times from 1900 to 2100 for `time_variables`, else positive and negative int64."""
    elements = {name: _TIMES if name in partitioning.time_variables else _NUMBERS for name in partitioning.variables}
    return st.builds(_in_unit, table(elements), st.sampled_from(_UNITS))


def _in_unit(columns: Columns, unit: str) -> Columns:
    return {
        name: column.astype(f"datetime64[{unit}]") if column.dtype.kind == "M" else column
        for name, column in columns.items()
    }


OTHER_CALENDARS = ("standard", "julian", "noleap", "all_leap", "360_day")
"""Calendars whose days differ, at least partly, from the calendar of datetime64."""


def in_calendar(columns: Columns, calendar: str) -> dict[str, Any]:
    """Return columns whose times have the same distance from 1970-01-01 in another calendar."""

    def dated(column: NDArray[Any]) -> Any:
        since = column.view(column.dtype.str.replace("M8", "m8"))
        return CalendarTimes(since, calendar) if column.dtype.kind == "M" else column

    return {name: dated(column) for name, column in columns.items()}


def table(elements: Mapping[str, tuple[str, st.SearchStrategy[Any]]]) -> st.SearchStrategy[Columns]:
    """Return a Hypothesis strategy for columns of one to ten rows, with repeated values.

    Parameters
    ----------
    elements
        For each variable the dtype of its column, and the strategy for its values.

    Examples
    --------
    >>> latitudes = table({"latitude": ("float64", st.floats(-90, 90))})
    """

    def rows(count: int) -> st.SearchStrategy[Columns]:
        return st.fixed_dictionaries(
            {name: _column(dtype, values, count) for name, (dtype, values) in elements.items()}
        )

    return st.integers(1, 10).flatmap(rows)


def strings(max_size: int = 12) -> st.SearchStrategy[str]:
    """Return a Hypothesis strategy for strings, including those that are difficult in a path, but without surrogates.

    Parameters
    ----------
    max_size
        Largest number of characters. With the default, no path segment is too long if the name of the field has up to 50
        bytes.

    Examples
    --------
    >>> stations = table({"station": ("T", strings())})
    """
    return st.sampled_from(_AWKWARD) | st.text(max_size=max_size)


def _column(dtype: str, elements: st.SearchStrategy[Any], count: int) -> st.SearchStrategy[NDArray[Any]]:
    values = st.lists(elements, min_size=1, max_size=4)
    repeated = values.flatmap(lambda few: st.lists(st.sampled_from(few), min_size=count, max_size=count))
    return repeated.map(lambda column: np.array(column, dtype=dtype))


def early_columns(partitioning: Partitioning) -> Columns:
    """Return negative numbers of every size, and times from the first whole year of nanoseconds."""
    numbers = np.array([-1, -2, -129, -(2**15) - 1, -(2**31) - 1, -(2**53) - 1])
    times = np.array(
        ["1678-01-01", "1858-11-17T12", "1899-12-31T23:59:59.999999999", "1900-02-28", "1969-12-31", "1970-01-01"],
        dtype="datetime64[ns]",
    )
    return {name: (times if name in partitioning.time_variables else numbers).copy() for name in partitioning.variables}


def wrong_columns() -> list[NDArray[Any]]:
    """Return columns of two rows that few partitionings accept: other types, missing values, limits of types."""
    return [
        np.array([False, True]),
        np.array([0.5, np.nan]),
        np.array([1e300, -np.inf]),
        np.array([1j, 2]),
        np.array(["one", "two"]),
        np.array([b"one", b"two"]),
        np.array([b"one", b"\xff"]),
        np.array(["one", "\ud800"]),
        np.array(["one", "two"], dtype=np.dtypes.StringDType()),
        np.array(["one", None], dtype=np.dtypes.StringDType(na_object=None)),
        np.array(["2024-01-01", "NaT"], dtype="datetime64[ns]"),
        np.array([2**63 - 1, 1 - 2**63], dtype="datetime64[D]"),
        np.array([1, "NaT"], dtype="timedelta64[s]"),
        np.array([-(2**63), 2**63 - 1]),
        np.array([0, 2**64 - 1], dtype=np.uint64),
    ]


def other_types(column: NDArray[Any]) -> Iterator[tuple[NDArray[np.intp], NDArray[Any]]]:
    """Yield rows of a column, and their values in another type without loss, or in a non-contiguous array."""
    yield (
        np.arange(column.size),
        column[np.repeat(np.arange(column.size), 2)][::2],
    )  # repeating StringDType crashes NumPy 2.1.0
    kind = column.dtype.kind
    if kind in "UT":
        yield from _other_strings(column)
    dtypes = _INTEGERS if kind in "iu" else tuple(f"datetime64[{unit}]" for unit in _UNITS) if kind == "M" else ()
    for dtype in dtypes:
        converted = column.astype(dtype)
        rows = np.flatnonzero((converted == column) & (converted.astype(column.dtype) == column))
        if rows.size:
            yield rows, converted[rows]


def _other_strings(column: NDArray[Any]) -> Iterator[tuple[NDArray[np.intp], NDArray[Any]]]:
    values = column.tolist()
    yield np.arange(column.size), np.array(values, dtype=np.dtypes.StringDType())
    # Strings of fixed width lose trailing zeros.
    rows = np.array([at for at, value in enumerate(values) if not value.endswith("\0")], dtype=np.intp)
    some = [values[row] for row in rows]
    if some:
        yield rows, np.array(some, dtype="U")
        yield rows, np.array([value.encode() for value in some], dtype="S")


def foreign_paths(path: str, fields: Iterable[Field]) -> Iterator[str]:
    """Yield paths that resemble the path of a partition, but are invalid for most partitionings."""
    segments = path.split("/")
    yield from ("", f"/{path}", f"{path}/", f"{path}/{segments[-1]}", f"{segments[0]}/{path}", path.upper())
    yield "/".join(segments[1:])
    yield "/".join(segments[::-1])
    for position, field in enumerate(fields):
        for other in _foreign_segments(segments[position], field):
            yield "/".join([*segments[:position], other, *segments[position + 1 :]])


def _foreign_segments(segment: str, field: Field) -> Iterator[str]:
    name, _, value = segment.partition("=")
    yield from ("", name, value, f"x{segment}", f"{name}=", f"={value}", f"{name}={value}=", f"..{segment}")
    if field.text:
        yield from (
            f"{name}={text}"
            for text in ("%", "%4", "%41", "%2f", "%FF", "%C3%A9", "%C3", "e\u0301", "a b", "x.", "x/y")
        )
    elif field.boolean:
        yield from (f"{name}={word}" for word in ("True", "FALSE", "t", "0", "1", "yes", "true ", "none"))
    else:
        unpadded = value.lstrip("-0") or "0"
        numbers = (
            unpadded,
            f"0{value}",
            f"00{value}",
            f"+{value}",
            f"-{value}",
            f"{value} ",
            f"{value}.0",
            f"{value}_0",
        )
        yield from (f"{name}={number}" for number in (*numbers, "-0", "٣", "0x1", "1e3", "nan", "9" * 150))


def other_values(field: Field) -> tuple[Any, ...]:
    """Return values that do not have the type of a field."""
    if field.text:
        return (1, True, b"text", None)
    return (1, 0, "true", None) if field.boolean else ("1", True, 1.0, None)


def keys_of(partitioning: Partitioning, columns: Mapping[str, NDArray[Any]]) -> list[Key]:
    """Return the key of every row, computed from copies of the columns."""
    keys = partitioning.keys({name: column.copy() for name, column in columns.items()})
    values = zip(*(np.asarray(column).tolist() for column in keys.values()), strict=True)
    return [Key(dict(zip(keys, value, strict=True))) for value in values]


def rows_of(columns: Mapping[str, NDArray[Any]], rows: Any) -> Columns:
    """Return some rows of columns."""
    return {name: column[rows] for name, column in columns.items()}
