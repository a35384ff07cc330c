"""Fields of partition keys as variables of the rows: each has one value in all rows of a partition."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.collection.open_collection import OpenCollection
from zcollection.contracts.partitioning import Field, KeyValue
from zcollection.errors import SchemaError, SettingError, accepted
from zcollection.model.schema import DatasetSchema, VariableSchema

Keys = bool | Iterable[str] | Mapping[str, str]
"""Which fields become variables: all or none of them, some, or some by the names that their variables have."""


@frozen
class KeyVariables:
    """Fields of the partition keys that are read as variables.

    Attributes
    ----------
    names
        The variable of each field.
    schema
        These variables alone: int64, string or bool along the partitioned dimension.
    """

    names: Mapping[str, str]
    schema: DatasetSchema

    @classmethod
    def of(cls, opened: OpenCollection, keys: Keys, schema: DatasetSchema) -> "KeyVariables":
        """Return the fields that somebody asks for, beside the variables that are read.

        Raises
        ------
        SettingError
            `keys` is none of what it may be, or names a field that the keys do not have.
        SchemaError
            A variable that is read, or a group, has the name of a field, or two fields were given one.
        """
        if keys is False:
            return cls({}, DatasetSchema())
        fields = {field.name: field for field in opened.partitioning.fields}
        names = _names(keys, fields)
        for field, name in names.items():
            _check_free(field, name, schema)
        dimension = opened.schema.dimensions[opened.dimension]
        variables = {name: _variable(name, fields[field], opened.dimension) for field, name in names.items()}
        return cls(names, DatasetSchema(dimensions={dimension.name: dimension}, variables=variables))

    def added_to(self, schema: DatasetSchema) -> DatasetSchema:
        """Return a schema with these variables after its own."""
        dimensions = {("", name): dimension for name, dimension in self.schema.dimensions.items()}
        return schema.with_variables(self.schema.variables, dimensions=dimensions) if self.names else schema

    def arrays(self, keys: Iterable[Mapping[str, KeyValue]], counts: Iterable[int]) -> dict[str, NDArray[Any]]:
        """Return the values in rows of partitions, one after the other, of which the keys and numbers of rows are given."""
        each, rows = list(keys), np.array([*counts], np.intp)
        return {
            name: np.repeat(np.array([key[field] for key in each], self.schema.variables[name].dtype), rows)
            for field, name in self.names.items()
        }


def _names(keys: object, fields: Mapping[str, Field]) -> dict[str, str]:
    """Return the variable of each field that is asked for."""
    if keys is True:
        return {name: name for name in fields}
    if isinstance(keys, str) or not isinstance(keys, Iterable):
        message = f"keys={keys!r}; accepted: True for all fields, a list such as {[*fields][:1]!r}, or a mapping to other names"
        raise SettingError(message)
    named = dict(keys) if isinstance(keys, Mapping) else {name: name for name in keys}
    for name in named:
        if name not in fields:
            message = f"keys names the field {name!r}; {accepted(name, fields)}"
            raise SettingError(message)
    given = [*named.values()]
    twice = next((name for name in given if given.count(name) > 1), None)
    if twice is not None:
        message = f"keys gives several fields the name {twice!r}; accepted: a name for each"
        raise SchemaError(message)
    return named


def _check_free(field: str, name: str, schema: DatasetSchema) -> None:
    if name not in schema.variables and name not in schema.groups:
        return
    what = "variable" if name in schema.variables else "group"
    message = (
        f"the field {field!r} of the keys would be read as {name!r}, and there is a {what} of that name; accepted: another name, such "
        f"as keys={{{field!r}: 'key_{field}'}}, keys= without it, or variables= without the {what}"
    )
    raise SchemaError(message)


def _variable(name: str, field: Field, dimension: str) -> VariableSchema:
    dtype = "string" if field.text else "bool" if field.boolean else "int64"
    return VariableSchema(name, dtype=dtype, dimensions=(dimension,))
