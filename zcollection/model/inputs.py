"""Variables that the user inserts, with their metadata, before they are converted to the declarations of a schema."""

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from attrs import frozen

from zcollection.errors import SchemaError
from zcollection.model.calendars import CalendarTimes
from zcollection.model.conventions import Conventions, conform, differing
from zcollection.model.dtypes import missing_value
from zcollection.model.plain_arrays import to_plain_array
from zcollection.model.schema import DatasetSchema, VariableSchema
from zcollection.model.times import CALENDAR_UNITS
from zcollection.model.value_metadata import ValueMetadata
from zcollection.model.variable import Variable


@frozen(kw_only=True)
class InputVariable:
    """A variable of the input.

    Attributes
    ----------
    values
        The values: any array, or an object that NumPy converts to an array.
    dimensions
        Names of the dimensions; None if they are unknown, and assumed to be the declared ones.
    metadata
        The metadata of the values; None if there is none.
    declare
        Function that returns a schema for the variable; None if there is not enough metadata.
    """

    values: Any
    dimensions: tuple[str, ...] | None = None
    metadata: ValueMetadata | None = None
    declare: Callable[[], VariableSchema] | None = None

    @classmethod
    def of(cls, value: Any) -> "InputVariable":
        """Return the input variable for a `Variable`, an `xarray.DataArray`, an `xarray.Variable` or an array."""
        if isinstance(value, Variable):
            schema = value.schema
            return cls(
                values=value.data,
                dimensions=value.dimensions,
                metadata=ValueMetadata.of_schema(schema),
                declare=lambda: schema,
            )
        library = sys.modules.get("xarray")
        if library is not None and isinstance(value, library.DataArray | library.Variable):
            return cls.of_xarray(value, value.attrs)
        return cls(values=value)

    @classmethod
    def of_xarray(
        cls, item: Any, attrs: Mapping[str, Any], declare: Callable[[], VariableSchema] | None = None
    ) -> "InputVariable":
        """Return the input variable for an `xarray.Variable` or `xarray.DataArray`, with the given attributes."""
        dtype = item.dtype if isinstance(item.dtype, np.dtype) else np.dtype(object)
        metadata = ValueMetadata.of_attributes(attrs, item.encoding, dtype)
        return cls(values=item.data, dimensions=tuple(map(str, item.dims)), metadata=metadata, declare=declare)

    def conformed(
        self, declared: VariableSchema, conventions: Conventions, *, name: str
    ) -> tuple[Any, tuple[str, ...]]:
        """Return the values as a variable declares them, and the names of the differing attributes that are harmless.

        Raises
        ------
        SchemaError
            The dimensions differ, or the metadata contradicts the declaration.
        """
        values = self._ordered(declared.dimensions, name)
        if self.metadata is None or conventions == "ignore":
            return values, ()
        return conform(values, self.metadata, declared, name=name)

    def _ordered(self, dimensions: tuple[str, ...], name: str) -> Any:
        if self.dimensions is None or self.dimensions == dimensions:
            return self.values
        if sorted(self.dimensions) != sorted(dimensions):
            message = (
                f"variable {name!r} has the dimensions {self.dimensions}; accepted: {dimensions}, as in the schema"
            )
            raise SchemaError(message)
        axes = [self.dimensions.index(dimension) for dimension in dimensions]
        return (self.values if hasattr(self.values, "transpose") else np.asarray(self.values)).transpose(axes)


@frozen(kw_only=True)
class InputDataset:
    """The variables of one input.

    Attributes
    ----------
    variables
        The variables, by path without a leading slash.
    attrs
        Attributes of groups, by path of the group.
    lengths
        Lengths of dimensions, by path of the group and name of the dimension, as far as they are known.
    """

    variables: Mapping[str, InputVariable]
    attrs: Mapping[str, Mapping[str, Any]] = {}
    lengths: Mapping[tuple[str, str], int] = {}

    def conformed(
        self, schema: DatasetSchema, conventions: Conventions = "check"
    ) -> tuple[dict[str, Any], Mapping[str, int]]:
        """Return the values as a schema declares them, by path, and the number of harmless differences of each attribute.

        Raises
        ------
        SchemaError
            A variable is unknown, has other dimensions, or contradicts its declaration.
        """
        ignored: Counter[str] = Counter()
        arrays = {}
        for path, variable in self.variables.items():
            arrays[path], differences = variable.conformed(schema.get_variable(path), conventions, name=path)
            ignored.update(differences)
        for path, attrs in self.attrs.items():
            group = schema.all_groups().get(path)
            ignored.update(differing(attrs, {} if group is None else group.attrs))
        return arrays, ignored


def schema_of_array(name: str, values: Any, dimensions: tuple[str, ...]) -> VariableSchema:
    """Return a schema for an array without metadata, with a fill value if elements may be missing.

    Raises
    ------
    SchemaError
        The array contains values that cannot be stored.
    """
    found = to_plain_array(values, name=name)
    if isinstance(found.values, CalendarTimes):
        units = {"units": CALENDAR_UNITS, "calendar": found.values.calendar}
        return VariableSchema(name, dtype="int64", dimensions=dimensions, attrs=units)
    dtype = found.values.dtype
    fill = missing_value(dtype) if found.missing is not None or dtype.kind in "fmM" else None
    return VariableSchema(name, dtype=dtype, dimensions=dimensions, fill_value=fill)
