"""Variables: a schema and values, in memory or lazy."""

from collections.abc import Mapping
from typing import Any, Final, Protocol, Self, runtime_checkable

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.errors import SchemaError
from zcollection.model.calendars import CalendarTimes
from zcollection.model.dtypes import cast_exactly, dtype_name, missing_value
from zcollection.model.formatting import format_bytes
from zcollection.model.plain_arrays import PlainArray, to_plain_array
from zcollection.model.printed import Printed
from zcollection.model.representation import preview, sizes_in_words
from zcollection.model.schema import VariableSchema
from zcollection.model.sections import Section, heading
from zcollection.model.times import has_time_units, numbers_of_durations, units_of

Indexer = slice | NDArray[Any]


_ARRAYS: Final = (np.ndarray, np.generic)


@runtime_checkable
class LazyArray(Protocol):
    """Protocol of values that are not computed yet, such as a dask array."""

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def dtype(self) -> np.dtype[Any]: ...  # noqa: D102
    def __getitem__(self, index: tuple[Indexer, ...], /) -> Any: ...
    def __array__(self) -> NDArray[Any]: ...


def _is_lazy(data: object) -> bool:
    in_memory = isinstance(data, _ARRAYS) or type(data).__module__.partition(".")[0] == "pandas"
    return not in_memory and isinstance(data, LazyArray)


def _is_array_of(data: object, dtype: np.dtype[Any]) -> bool:
    return type(data) is np.ndarray and data.dtype == dtype


def convert(values: Any, schema: VariableSchema, *, name: str) -> NDArray[Any]:
    """Return values converted exactly to the declared type.

    Times become numbers of the declared ``units``, and missing values become the declared fill value.

    Parameters
    ----------
    values
        An array of any type, an object that NumPy converts to an array, or `PlainArray` values.
    schema
        Declaration of the variable.
    name
        Path of the variable, for error messages.

    Raises
    ------
    SchemaError
        A value would change, or is missing and there is no fill value.
    """
    found = values if isinstance(values, PlainArray) else to_plain_array(values, name=name)
    array, missing = found.values, found.missing
    if schema.dtype.kind in "iuf" and (isinstance(array, CalendarTimes) or array.dtype.kind == "M"):
        array, missing = _numbers_of_times(array, schema, name), None
    elif isinstance(array, CalendarTimes):
        message = (
            f"variable {name!r} is declared {dtype_name(schema.dtype)} and received times in the calendar "
            f"{array.calendar!r}; accepted: an integer or float type with CF units and that calendar"
        )
        raise SchemaError(message)
    elif array.dtype.kind == "m" and schema.dtype.kind in "iuf":
        missing = np.isnat(array) if missing is None else missing | np.isnat(array)
        array = numbers_of_durations(array, schema.attrs, name=name)
    elif array.dtype.kind in "iuf" and schema.packing is not None:
        _check_integers(array, missing, schema, name)
        with np.errstate(over="ignore"):  # a value out of range is rejected when it is packed
            array = array.astype(schema.dtype)  # packing rounds the values anyway
    array, missing = _without_nan(array, missing, schema)
    if missing is not None and missing.any():
        array = _filled_in(array, missing, schema, name)
    return cast_exactly(array, schema.dtype, name=name)


def _check_integers(array: NDArray[Any], missing: NDArray[np.bool_] | None, schema: VariableSchema, name: str) -> None:
    """Reject integers that a packing would round; only floats may be rounded."""
    if array.dtype.kind == "f" or schema.packing is None:
        return
    present = array if missing is None else array[~missing]
    wrong = schema.packing.rounds(present, name=name)
    if np.any(wrong):
        message = (
            f"variable {name!r} is packed with {schema.packing.attributes} and received {array.dtype}, whose value "
            f"{present[wrong].flat[0]} would be rounded; give floats to have them rounded, or declare another packing"
        )
        raise SchemaError(message)


def _numbers_of_times(times: NDArray[Any] | CalendarTimes, schema: VariableSchema, name: str) -> NDArray[Any]:
    if not has_time_units(schema.attrs):
        what = times.dtype if isinstance(times, np.ndarray) else f"times in the calendar {times.calendar!r}"
        message = (
            f"variable {name!r} is declared {schema.dtype} and received {what}: give it CF units such as "
            f"'nanoseconds since 1970-01-01', or declare it datetime64"
        )
        raise SchemaError(message)
    units = units_of(schema.attrs, name=name)
    if isinstance(times, CalendarTimes):
        if times.calendar != units.calendar:
            message = (
                f"variable {name!r} counts time in the calendar {units.calendar!r} and received times in the calendar "
                f"{times.calendar!r}; accepted: times in {units.calendar!r}, because dates differ between calendars"
            )
            raise SchemaError(message)
        times = times.since
    return units.encode(times, dtype=schema.dtype, fill_value=schema.fill_value, name=name)


def _without_nan(
    array: NDArray[Any], missing: NDArray[np.bool_] | None, schema: VariableSchema
) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Return values and the mask of missing ones, which includes NaN if the declared fill value is not NaN."""
    fill = schema.fill_value
    if array.dtype.kind != "f" or fill is None or schema.dtype.kind not in "iuf" or fill != fill:  # noqa: PLR0124
        return array, missing
    nan = np.isnan(array)
    return array, nan if missing is None else missing | nan


def _filled_in(array: NDArray[Any], missing: NDArray[np.bool_], schema: VariableSchema, name: str) -> NDArray[Any]:
    """Return values in which the missing ones are the declared fill value, or else NaN or NaT."""
    fill = schema.fill_value
    if fill is None and schema.dtype.kind in "fcmM":
        fill = missing_value(schema.dtype)
    if fill is None:
        message = (
            f"variable {name!r} has {np.count_nonzero(missing)} missing values and no fill value; declare a fill value of "
            f"type {dtype_name(schema.dtype)}, or fill them in before inserting"
        )
        raise SchemaError(message)
    present = np.where(missing, np.zeros((), array.dtype), array)
    converted = cast_exactly(present, schema.dtype, name=name).copy()
    converted[missing] = fill
    return converted


@frozen(repr=False)
class Variable(Printed):
    """A variable: a schema and values.

    Attributes
    ----------
    schema
        Name, dtype, dimensions, fill value, codecs and attributes.
    data
        The values: an array of the declared dtype, or a lazy array.

    Examples
    --------
    >>> schema = VariableSchema("ssh", dtype="float32", dimensions=("time",), attrs={"units": "m"})
    >>> Variable(schema, np.zeros(3, dtype="float32")).nbytes
    12
    """

    schema: VariableSchema
    data: Any = field(eq=False)

    @classmethod
    def of(cls, schema: VariableSchema, data: object, *, name: str | None = None) -> Self:
        """Return a variable, with values converted exactly to the declared type.

        Parameters
        ----------
        schema
            Declaration of the variable.
        data
            An object that NumPy converts to an array, or a lazy array, which is converted when it is computed.
        name
            Path of the variable, for error messages.

        Raises
        ------
        SchemaError
            A value would change, or the number of dimensions is wrong.
        """
        name = name or schema.name
        values: Any = data
        if not _is_array_of(data, schema.dtype) and not _is_lazy(data):
            values = _converted(data, schema, name=name)
        if len(values.shape) != len(schema.dimensions):
            message = f"variable {name!r} has the dimensions {schema.dimensions} and received an array of shape {values.shape}"
            raise SchemaError(message)
        return cls(schema, values)

    @property
    def name(self) -> str:
        """Name within its group."""
        return self.schema.name

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names of the dimensions."""
        return self.schema.dimensions

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.schema.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the dimensions."""
        return tuple(self.data.shape)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.dimensions)

    @property
    def attrs(self) -> Mapping[str, Any]:
        """Attributes."""
        return self.schema.attrs

    @property
    def fill_value(self) -> Any:
        """Value that marks missing elements, or None."""
        return self.schema.fill_value

    @property
    def is_lazy(self) -> bool:
        """Whether the values are still to be read or computed."""
        return _is_lazy(self.data)

    @property
    def nbytes(self) -> int:
        """Size of the values in memory, in bytes; for lazy values, the size after computation."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def to_numpy(self) -> NDArray[Any]:
        """Return the values in the declared type; lazy values are computed."""
        if not self.is_lazy:
            values: NDArray[Any] = self.data
            return values
        return convert(np.asarray(self.data), self.schema, name=self.name)

    def __array__(self, dtype: np.dtype[Any] | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.to_numpy(), dtype=dtype, copy=copy)

    def _section(self) -> Section:
        sizes = sizes_in_words(dict(zip(self.dimensions, self.shape, strict=True)))
        title = f"{heading(self, self.name)} ({sizes}) {dtype_name(self.dtype)} {format_bytes(self.nbytes)}"
        return Section(title, self.schema.printed_parts(values=self.preview()))

    def preview(self) -> str:
        """Return the first values as text; lazy values are not computed."""
        return f"<lazy {type(self.data).__name__}>" if self.is_lazy else preview(self.data)

    def __getitem__(self, index: Any) -> Any:
        return self.data[index]

    def __len__(self) -> int:
        return self.shape[0]

    def isel(self, indexers: Mapping[str, Indexer]) -> Self:
        """Return the part selected by positions along dimensions; dimensions that the variable does not have are ignored."""
        data = self.data
        for position, dimension in enumerate(self.dimensions):
            if dimension in indexers:
                data = data[(slice(None),) * position + (indexers[dimension],)]
        return type(self)(self.schema, data)


def _converted(data: object, schema: VariableSchema, *, name: str) -> NDArray[Any]:
    try:
        if schema.dtype.kind == "T" and isinstance(data, str | list | tuple):
            data = np.asarray(data, dtype=object)  # NumPy would return fixed-width strings, and NaN as "nan"
        return convert(data, schema, name=name)
    except (TypeError, ValueError) as error:
        message = f"variable {name!r}: the values are not an array ({error})"
        raise SchemaError(message) from error


def filled(schema: VariableSchema, shape: tuple[int, ...], *, name: str) -> Variable:
    """Return a variable in which every element is the fill value.

    Raises
    ------
    SchemaError
        The schema has no fill value.
    """
    if schema.fill_value is None:
        message = f"variable {name!r} is missing and its schema has no fill value; insert it, or declare a fill value"
        raise SchemaError(message)
    return Variable(schema, np.full(shape, schema.fill_value, dtype=schema.dtype))
