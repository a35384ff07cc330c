"""The Arrow columns of variables, and the conversion of their values."""

import json
import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.errors import SettingError
from zcollection.plugin import DatasetSchema, SchemaError, Variable, VariableSchema, accepted, as_times

LEFT_OUT: Final = b"zcollection.left_out"
"""The key in the schema metadata with the variables that are not columns, as JSON."""
_UNITS: Final = ("s", "ms", "us", "ns")
_REFORM: Final = np.datetime64("1582-10-15", "s")
"""From this time on, dates in the standard calendar of CF and in Arrow are equal."""

Missing = NDArray[np.bool_] | None


@frozen(kw_only=True)
class Column:
    """A variable along the partitioned dimension as a column.

    Attributes
    ----------
    path
        The path of the variable, which is also the name of the column.
    variable
        The schema of the variable.
    sizes
        The lengths of its other dimensions, in order.
    position
        The index of the partitioned dimension among its dimensions.
    time_unit
        The unit of times; None for the unit of the variable, or the next finer unit of Arrow.
    """

    path: str
    variable: VariableSchema = field(repr=False)
    sizes: tuple[int, ...]
    position: int
    time_unit: str | None = None

    @cached_property
    def _first(self) -> NDArray[Any]:
        """The numbers 0 and 1 of the variable, decoded if they are times that Arrow supports."""
        numbers = np.arange(2).astype(self.variable.dtype)
        times = as_times(Variable(self.variable, numbers)) if self.variable.dtype.kind in "iuf" else numbers
        return times if times.dtype.kind == "M" else numbers

    @property
    def is_time(self) -> bool:
        """Whether the values are times."""
        return self._first.dtype.kind == "M"

    @cached_property
    def element(self) -> pa.DataType:
        """The type of one value.

        Raises
        ------
        SchemaError
            Arrow has no equivalent type.
        """
        dtype = self._first.dtype
        match dtype.kind:
            case "b":
                return pa.bool_()
            case "i" | "u" | "f":
                return pa.from_numpy_dtype(_widened(dtype))
            case "M":
                return pa.timestamp(self.time_unit or _unit_in_arrow(dtype))
            case "m":
                return pa.duration(_unit_in_arrow(dtype))
            case "U" | "T":
                return pa.large_string()
            case "S":
                return pa.large_binary()
        message = (
            f"variable {self.path!r} is {dtype}, which Arrow does not have; accepted: booleans, integers, floats, times, strings and "
            f"bytes; select the others with variables="
        )
        raise SchemaError(message)

    @property
    def type(self) -> pa.DataType:
        """The type of the column: fixed-size lists for each further dimension."""
        found = self.element
        for size in reversed(self.sizes):
            found = pa.list_(found, size)
        return found

    @property
    def field(self) -> pa.Field:
        """The field of the schema, with the attributes of the variable; non-string attributes are JSON."""
        implied = {"units", "calendar"} if self.is_time else set()  # by the type
        explicit = {name: value for name, value in self.variable.attrs.items() if name not in implied}
        attrs = {name: value if isinstance(value, str) else json.dumps(value) for name, value in explicit.items()}
        return pa.field(self.path, self.type, metadata=attrs or None)

    @property
    def width(self) -> int:
        """The size of a row, in bytes."""
        return int(np.prod(self.sizes, dtype=np.int64)) * self.variable.dtype.itemsize

    def array(self, values: NDArray[Any]) -> pa.Array:
        """Return values as an Arrow array, without a copy if the representation is the same.

        Parameters
        ----------
        values
            The values, with the dtype and the dimensions of the variable.
        """
        rows = (
            np.ascontiguousarray(np.moveaxis(values, self.position, 0)) if self.sizes else np.ascontiguousarray(values)
        )
        found = self._flat(rows.reshape(-1))
        for at in reversed(range(len(self.sizes))):
            count = math.prod(rows.shape[: at + 1])
            found = pa.FixedSizeListArray.from_buffers(
                pa.list_(found.type, self.sizes[at]), count, [None], children=[found]
            )
        return found

    def _flat(self, values: NDArray[Any]) -> pa.Array:
        missing = self._missing(values)
        match values.dtype.kind:
            case "b":
                return pa.array(values, mask=missing)
            case "U" | "T" | "S":
                return pa.array(values.astype(object), self.element, mask=missing)
            case "M" | "m":
                return _fixed(self.element, self._counts(values, missing), missing)
        if not self.is_time:
            return _fixed(self.element, values.astype(_widened(values.dtype), copy=False), missing)
        if values.dtype == np.int64 and np.array_equal(self._first, np.arange(2).view(self._first.dtype)):
            times = values.view(self._first.dtype)
        else:
            times = as_times(Variable(self.variable, values))
        missing = np.isnat(times) if missing is None else missing | np.isnat(times)
        self._check_days(times, missing)
        return _fixed(self.element, self._counts(times, missing), missing)

    def _missing(self, values: NDArray[Any]) -> Missing:
        """Return which values are missing, as in conditions: NaN, NaT and the fill value."""
        fill, kind = self.variable.fill_value, values.dtype.kind
        found: Missing = np.isnan(values) if kind == "f" else np.isnat(values) if kind in "Mm" else None
        if fill is not None and fill == fill:  # noqa: PLR0124 - NaN differs from itself
            equal = values == fill
            found = equal if found is None else found | equal
        return found

    def _counts(self, times: NDArray[Any], missing: Missing) -> NDArray[np.int64]:
        """Return times or durations as integers in the unit of Arrow.

        Raises
        ------
        SchemaError
            A value cannot be represented in this unit.
        """
        native = times.astype(times.dtype.newbyteorder("="), copy=False)
        target = np.dtype(f"{native.dtype.kind}8[{self.element.unit}]")
        if native.dtype == target:
            return native.view(np.int64)
        counted, same = _converted(native, target)
        wrong = ~same if missing is None else ~same & ~missing
        if wrong.any():
            message = f"variable {self.path!r} has the value {native[wrong][0]}, which {target} cannot represent; leave it out, or give time_unit="
            raise SchemaError(message)
        return counted.view(np.int64)

    def _check_days(self, times: NDArray[Any], missing: Missing) -> None:
        if self.variable.attrs.get("calendar") == "proleptic_gregorian" or np.datetime_data(times.dtype)[0] == "ns":
            return
        early = (times < _REFORM) & ~(False if missing is None else missing)
        if early.any():
            message = (
                f"variable {self.path!r} has times before 1582-10-15 in the standard calendar, which differs from Arrow's "
                f"there; leave it out: select the others with variables="
            )
            raise SchemaError(message)


@frozen(kw_only=True)
class Columns:
    """The columns of a dataset.

    Attributes
    ----------
    columns
        The columns, by path.
    left_out
        The paths of the immutable variables.
    dimension
        The partitioned dimension.
    """

    columns: Mapping[str, Column]
    left_out: tuple[str, ...]
    dimension: str

    @classmethod
    def of(cls, schema: DatasetSchema, dimension: str, time_unit: str | None = None) -> "Columns":
        """Return the columns of a schema.

        Raises
        ------
        SettingError
            The unit is unknown.
        """
        if time_unit not in {None, *_UNITS}:
            message = f"time_unit={time_unit!r}; {accepted(time_unit, _UNITS)}"
            raise SettingError(message)
        variables = schema.all_variables()
        columns = {
            path: Column(
                path=path,
                variable=variable,
                sizes=tuple(item.size or 0 for item in schema.dimensions_of(path) if item.name != dimension),
                position=variable.dimensions.index(dimension),
                time_unit=time_unit,
            )
            for path, variable in variables.items()
            if dimension in variable.dimensions
        }
        return cls(columns=columns, left_out=tuple(variables.keys() - columns.keys()), dimension=dimension)

    def named(self, names: Iterable[str]) -> "Columns":
        """Return the columns with the given paths, in the order of the schema.

        Raises
        ------
        SchemaError
            A path is not that of a column.
        """
        paths = list(names)
        for name in paths:
            if name not in self.columns:
                message = f"variable {name!r} does not span {self.dimension!r}, and is not a column; {accepted(name, self.columns)}"
                raise SchemaError(message)
        chosen = {path: column for path, column in self.columns.items() if path in paths}
        return Columns(columns=chosen, left_out=self.left_out, dimension=self.dimension)

    def with_columns(self, more: Mapping[str, Column]) -> "Columns":
        """Return these columns with more columns at the end."""
        return Columns(columns={**self.columns, **more}, left_out=self.left_out, dimension=self.dimension)

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema."""
        metadata = {LEFT_OUT: json.dumps(sorted(self.left_out)).encode()} if self.left_out else None
        return pa.schema([column.field for column in self.columns.values()], metadata=metadata)

    @property
    def width(self) -> int:
        """The size of a row, in bytes."""
        return sum(column.width for column in self.columns.values())

    def batch(self, dataset: Mapping[str, Any]) -> pa.RecordBatch:
        """Return the rows of a dataset."""
        arrays = [column.array(dataset[path].to_numpy()) for path, column in self.columns.items()]
        return pa.record_batch(arrays, schema=self.schema)


def _widened(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype in native byte order; float16 becomes float32, because few tools support float16."""
    return np.dtype("f4") if dtype.kind == "f" and dtype.itemsize == 2 else dtype.newbyteorder("=")


def _unit_in_arrow(dtype: np.dtype[Any]) -> str:
    unit = np.datetime_data(dtype)[0]
    return unit if unit in _UNITS else "s"


def _fixed(kind: pa.DataType, values: NDArray[Any], missing: Missing) -> pa.Array:
    """Return an array of fixed-width values without a copy."""
    nulls = 0 if missing is None else int(np.count_nonzero(missing))
    valid = pa.py_buffer(np.packbits(~missing, bitorder="little")) if nulls and missing is not None else None
    return pa.Array.from_buffers(
        kind, values.size, [valid, pa.py_buffer(np.ascontiguousarray(values))], null_count=nulls
    )


def _converted(times: NDArray[Any], target: np.dtype[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return times in another unit, and the mask of the times that are converted exactly."""
    try:
        counted = times.astype(target)
    except OverflowError:  # raised by newer releases of NumPy, without naming the value
        counted = np.full(times.shape, "NaT", target)
        for at, time in enumerate(times):
            with suppress(OverflowError):
                counted[at] = time
    return counted, counted.astype(times.dtype) == times
