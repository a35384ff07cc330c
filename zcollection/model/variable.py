"""One variable: its schema and its values, in memory or lazy."""

from collections.abc import Mapping
from typing import Any, Final, Protocol, Self, runtime_checkable

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.errors import SchemaError
from zcollection.model import representation
from zcollection.model.dtypes import cast_exactly
from zcollection.model.schema import VariableSchema
from zcollection.model.sections import Printed, Section
from zcollection.model.times import has_time_units, units_of

Indexer = slice | NDArray[Any]


_ARRAYS: Final = (np.ndarray, np.generic)


@runtime_checkable
class LazyArray(Protocol):
    """What the values of a variable may be before they are computed: a dask array, for instance."""

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def dtype(self) -> np.dtype[Any]: ...  # noqa: D102
    def __getitem__(self, index: tuple[Indexer, ...], /) -> Any: ...
    def __array__(self) -> NDArray[Any]: ...


def _is_lazy(data: object) -> bool:
    return not isinstance(data, _ARRAYS) and isinstance(data, LazyArray)


def _is_array_of(data: object, dtype: np.dtype[Any]) -> bool:
    return type(data) is np.ndarray and data.dtype == dtype


def convert(values: NDArray[Any], schema: VariableSchema, *, name: str) -> NDArray[Any]:
    """Return values in the declared type, exactly; datetime64 becomes the numbers that the ``units`` count.

    Raises
    ------
    SchemaError
        A value would change.
    """
    if values.dtype.kind == "O" and schema.dtype.kind not in "TU":
        values = _without_objects(values)
    if values.dtype.kind == "M" and schema.dtype.kind in "iuf":
        if not has_time_units(schema.attrs):
            message = (
                f"variable {name!r} is declared {schema.dtype} and received {values.dtype}: give it CF units such as "
                f"'nanoseconds since 1970-01-01', or declare it datetime64"
            )
            raise SchemaError(message)
        values = units_of(schema.attrs, name=name).encode(values, fill_value=schema.fill_value, name=name)
    return cast_exactly(values, schema.dtype, name=name)


def _without_objects(values: NDArray[Any]) -> NDArray[Any]:
    """Return objects as what they all are, numbers or times, where NumPy can tell."""
    return np.asarray(values.tolist())


@frozen(repr=False)
class Variable(Printed):
    """A variable.

    Attributes
    ----------
    schema
        Name, type, dimensions, fill value, codecs and attributes.
    data
        The values: an array of the schema's type, or a lazy array.

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
        """Return a variable with the values converted exactly to the declared type.

        Parameters
        ----------
        schema
            What the values must be.
        data
            Anything that NumPy makes an array of, or a lazy array, whose type is converted when it is computed.
        name
            Path of the variable, for messages.

        Raises
        ------
        SchemaError
            A value would change, or the number of dimensions is wrong.
        """
        name = name or schema.name
        values: Any = data
        if not _is_array_of(data, schema.dtype) and not _is_lazy(data):
            values = convert(_as_array(data, schema, name=name), schema, name=name)
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
        """Value of what is missing, or None."""
        return self.schema.fill_value

    @property
    def is_lazy(self) -> bool:
        """Whether the values have yet to be read or computed."""
        return _is_lazy(self.data)

    @property
    def nbytes(self) -> int:
        """Size of the values in memory, in bytes (lazy ones: once computed)."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def to_numpy(self) -> NDArray[Any]:
        """Return the values, computed where they are lazy, in the declared type."""
        if not self.is_lazy:
            values: NDArray[Any] = self.data
            return values
        return convert(np.asarray(self.data), self.schema, name=self.name)

    def __array__(self, dtype: np.dtype[Any] | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.to_numpy(), dtype=dtype, copy=copy)

    def _section(self) -> Section:
        return representation.of_variable(self)

    def __getitem__(self, index: Any) -> Any:
        return self.data[index]

    def __len__(self) -> int:
        return self.shape[0]

    def isel(self, indexers: Mapping[str, Indexer]) -> Self:
        """Return the part selected along dimensions; those the variable lacks are passed over."""
        data = self.data
        for position, dimension in enumerate(self.dimensions):
            if dimension in indexers:
                data = data[(slice(None),) * position + (indexers[dimension],)]
        return type(self)(self.schema, data)


def _as_array(data: object, schema: VariableSchema, *, name: str) -> NDArray[Any]:
    try:
        if schema.dtype.kind == "T" and not isinstance(data, np.ndarray):
            return np.asarray(data, dtype=schema.dtype)
        return np.asarray(data)
    except (TypeError, ValueError) as error:
        message = f"variable {name!r}: the values are not an array ({error})"
        raise SchemaError(message) from error


def filled(schema: VariableSchema, shape: tuple[int, ...], *, name: str) -> Variable:
    """Return a variable that holds nothing but its fill value.

    Raises
    ------
    SchemaError
        The schema has no fill value.
    """
    if schema.fill_value is None:
        message = f"variable {name!r} is missing and its schema has no fill value; insert it, or declare a fill value"
        raise SchemaError(message)
    return Variable(schema, np.full(shape, schema.fill_value, dtype=schema.dtype))
