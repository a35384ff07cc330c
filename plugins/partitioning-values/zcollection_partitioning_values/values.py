"""The partitioning by the values of string, integer and boolean variables."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from zcollection.plugin import (
    Field,
    Partitioning,
    PluginConfigurationError,
    SchemaError,
    accepted,
    as_dimension,
    as_variables,
    fields_of,
)
from zcollection_partitioning_values.columns import KEYS_OF, refusal, type_of


def _as_types(types: Iterable[str] | None) -> tuple[str, ...] | None:
    if types is None:
        return None
    names = tuple(types) if isinstance(types, list | tuple) else ()
    for name in names:
        if name not in KEYS_OF:
            message = f"types has {name!r}; {accepted(name, KEYS_OF)}"
            raise PluginConfigurationError(message)
    if not names:
        message = f"types is {types!r}; accepted: a tuple with the type of each variable, such as ('text',), or None"
        raise PluginConfigurationError(message)
    return names


@frozen
class Values(Partitioning):
    """Partition rows by the values of variables: one partition for each platform, station or mission, for instance.

    Values are strings, integers or booleans. Partitions, also in the result of a query, are in the order of the values:
    strings by code point, numbers by value, False before True.

    Parameters
    ----------
    variables
        Paths of the variables, outermost first. Each gives a field of the keys, named by the last part of its path.
    types
        Type of each variable: ``"text"``, ``"integer"`` or ``"boolean"``. With the default, None, the types follow from the
        schema when a collection is created.
    dimension
        The dimension to partition along; None for the dimension of the collection's axis.

    Raises
    ------
    PluginConfigurationError
        A parameter is invalid, or two variables would give fields of the same name.

    Examples
    --------
    >>> by_platform = Values(("platform", "ascending"), types=("text", "boolean"))
    >>> by_platform.encode({"platform": "Jason-3 GDR", "ascending": True})
    'platform=Jason-3%20GDR/ascending=true'
    """

    variables: tuple[str, ...] = field(converter=as_variables)
    types: tuple[str, ...] | None = field(default=None, kw_only=True, converter=_as_types)
    dimension: str | None = field(default=None, kw_only=True, converter=as_dimension)

    def __attrs_post_init__(self) -> None:
        fields_of(self.variables)
        if self.types is not None and len(self.types) != len(self.variables):
            message = f"types is {self.types}; accepted: one for each of the variables {self.variables}"
            raise PluginConfigurationError(message)

    @property
    def fields(self) -> tuple[Field, ...]:
        """One field for each variable, named by the last part of its path."""
        return tuple(
            evolve(item, text=name == "text", boolean=name == "boolean")
            for item, name in zip(fields_of(self.variables), self._known_types, strict=True)
        )

    def for_types(self, types: Mapping[str, np.dtype[Any]]) -> "Values":
        """Return the partitioning with the types that a schema declares.

        Raises
        ------
        SchemaError
            A variable contains neither strings nor integers nor booleans, or does not have the type given by `types`.
        """
        found = tuple(_declared(types[path], path) for path in self.variables)
        if self.types not in {None, found}:
            message = (
                f"types is {self.types}; accepted: {found}, as the variables {self.variables} are declared, or None"
            )
            raise SchemaError(message)
        return evolve(self, types=found)

    def keys(self, columns: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Return the values of the variables as strings, int64 or booleans.

        Parameters
        ----------
        columns
            The variables, each of shape (rows,): strings of fixed or variable length, or bytes in UTF-8; integers of any
            size; booleans.

        Returns
        -------
        mapping
            For each field an array of strings, int64 or bool, shape (rows,).

        Raises
        ------
        PartitionError
            A column has another type, a string is missing or not in UTF-8, or an integer is out of the range of int64.
        """
        each = zip(self.fields, self.variables, self._known_types, strict=True)
        return {item.name: KEYS_OF[name](columns[path], path) for item, path, name in each}

    @property
    def _known_types(self) -> tuple[str, ...]:
        if self.types is None:
            message = (
                f"what the variables {self.variables} hold is not known before a collection is created; give types, such as "
                f"types={('text',) * len(self.variables)}"
            )
            raise PluginConfigurationError(message)
        return self.types


def _declared(dtype: np.dtype[Any], path: str) -> str:
    found = type_of(dtype)
    if found is None:
        raise SchemaError(refusal(dtype, path))
    return found
