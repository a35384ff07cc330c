"""What users give, before it is what a schema declares: variables with whatever is stated of them."""

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
from zcollection.model.plain import plain
from zcollection.model.schema import DatasetSchema, VariableSchema
from zcollection.model.statements import Statement
from zcollection.model.times import CALENDAR_UNITS
from zcollection.model.variable import Variable


@frozen(kw_only=True)
class Given:
    """A variable that is given.

    Attributes
    ----------
    values
        Its values: an array of any kind, or what NumPy makes an array of.
    dimensions
        Their names; None where nobody says, and the declaration is believed.
    statement
        What is stated of the values; None for nothing.
    declare
        Returns the schema that would declare it.
    """

    values: Any
    dimensions: tuple[str, ...] | None = None
    statement: Statement | None = None
    declare: Callable[[], VariableSchema] | None = None

    @classmethod
    def of(cls, value: Any) -> "Given":
        """Return a value of a mapping: one of our variables, one of xarray's, or an array."""
        if isinstance(value, Variable):
            schema = value.schema
            return cls(
                values=value.data,
                dimensions=value.dimensions,
                statement=Statement.of_schema(schema),
                declare=lambda: schema,
            )
        library = sys.modules.get("xarray")
        if library is not None and isinstance(value, library.DataArray | library.Variable):
            return cls.of_xarray(value, value.attrs)
        return cls(values=value)

    @classmethod
    def of_xarray(
        cls, item: Any, attrs: Mapping[str, Any], declare: Callable[[], VariableSchema] | None = None
    ) -> "Given":
        """Return a variable, or a data array, of xarray's with these attributes."""
        dtype = item.dtype if isinstance(item.dtype, np.dtype) else np.dtype(object)
        statement = Statement.of_attributes(attrs, item.encoding, dtype)
        return cls(values=item.data, dimensions=tuple(map(str, item.dims)), statement=statement, declare=declare)

    def conformed(
        self, declared: VariableSchema, conventions: Conventions, *, name: str
    ) -> tuple[Any, tuple[str, ...]]:
        """Return the values as a variable declares them, and the attributes that differ without harm.

        Raises
        ------
        SchemaError
            It has other dimensions, or does not mean what is declared.
        """
        values = self._ordered(declared.dimensions, name)
        if self.statement is None or conventions == "ignore":
            return values, ()
        return conform(values, self.statement, declared, name=name)

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
class Source:
    """Variables that are given together.

    Attributes
    ----------
    variables
        By path, without a leading slash.
    attrs
        Attributes of groups that are given with them, by path.
    lengths
        Of dimensions, by the path of their group and their name; of those that are known.
    """

    variables: Mapping[str, Given]
    attrs: Mapping[str, Mapping[str, Any]] = {}
    lengths: Mapping[tuple[str, str], int] = {}

    def conformed(
        self, schema: DatasetSchema, conventions: Conventions = "check"
    ) -> tuple[dict[str, Any], Mapping[str, int]]:
        """Return the values of all variables as a schema declares them, by path, and how often each attribute differs without harm.

        Raises
        ------
        SchemaError
            A variable is unknown, has other dimensions, or does not mean what the schema declares.
        """
        ignored: Counter[str] = Counter()
        arrays = {}
        for path, given in self.variables.items():
            arrays[path], others = given.conformed(schema.get_variable(path), conventions, name=path)
            ignored.update(others)
        for path, attrs in self.attrs.items():
            ours = schema.all_groups().get(path)
            ignored.update(differing(attrs, {} if ours is None else ours.attrs))
        return arrays, ignored


def declared_array(name: str, values: Any, dimensions: tuple[str, ...]) -> VariableSchema:
    """Return the schema of an array of which nothing is stated; one with missing values has a fill value.

    Raises
    ------
    SchemaError
        It holds what cannot be stored.
    """
    found = plain(values, name=name)
    if isinstance(found.values, CalendarTimes):
        units = {"units": CALENDAR_UNITS, "calendar": found.values.calendar}
        return VariableSchema(name, dtype="int64", dimensions=dimensions, attrs=units)
    dtype = found.values.dtype
    fill = missing_value(dtype) if found.missing is not None or dtype.kind in "fmM" else None
    return VariableSchema(name, dtype=dtype, dimensions=dimensions, fill_value=fill)
