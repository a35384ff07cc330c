"""Fields of the partition key as variables, whose value is the same in all rows of a partition."""

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
"""The fields that become variables: True for all, False for none, a list of fields, or a mapping from fields to names."""


@frozen
class KeyVariables:
    """Fields of the partition keys that are read as variables.

    Attributes
    ----------
    names
        The variable name of each field.
    schema
        The schema of these variables: int64, string or bool along the partitioned dimension.
    """

    names: Mapping[str, str]
    schema: DatasetSchema

    @classmethod
    def of(cls, opened: OpenCollection, keys: Keys, schema: DatasetSchema) -> "KeyVariables":
        """Return the requested fields as variables, to be added to a schema.

        Raises
        ------
        SettingError
            `keys` is invalid, or names an unknown field.
        SchemaError
            A variable or a group of the schema has the same name as a field, or two fields have the same name.
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
        """Return the values for the rows of partitions, given by their keys and numbers of rows, one after the other."""
        each, rows = list(keys), np.array([*counts], np.intp)
        return {
            name: np.repeat(np.array([key[field] for key in each], self.schema.variables[name].dtype), rows)
            for field, name in self.names.items()
        }


def _names(keys: object, fields: Mapping[str, Field]) -> dict[str, str]:
    """Return the variable name of each requested field."""
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
