"""The partitioning by the values of variables, whatever they count or name."""

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
    """Rows with the same values of variables belong together: those of one platform, station or mission, for instance.

    Values are texts, integers or booleans. Their order, in a query too, is that of the values: texts by code point, numbers
    as numbers, False before True.

    Parameters
    ----------
    variables
        Paths of the variables, outermost first. Each is a field of the keys, under the last name of its path.
    types
        What each variable holds: ``"text"``, ``"integer"`` or ``"boolean"``. None, the default, leaves it to the schema of
        the collection that is created with it.
    dimension
        The dimension to partition along; None means that of the collection's axis.

    Raises
    ------
    PluginConfigurationError
        One of them is something else, or two variables would be fields of one name.

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
        """The variables, by the last names of their paths."""
        return tuple(
            evolve(item, text=name == "text", boolean=name == "boolean")
            for item, name in zip(fields_of(self.variables), self._known_types, strict=True)
        )

    def for_types(self, types: Mapping[str, np.dtype[Any]]) -> "Values":
        """Return the partitioning with the types that a schema declares.

        Raises
        ------
        SchemaError
            A variable holds neither texts nor integers nor booleans, or something else than `types` says.
        """
        found = tuple(_declared(types[path], path) for path in self.variables)
        if self.types not in {None, found}:
            message = (
                f"types is {self.types}; accepted: {found}, as the variables {self.variables} are declared, or None"
            )
            raise SchemaError(message)
        return evolve(self, types=found)

    def keys(self, columns: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Return the values themselves.

        Parameters
        ----------
        columns
            The variables, each of shape (rows,): strings of fixed or variable length, or bytes in UTF-8, for texts;
            integers of any size; booleans.

        Returns
        -------
        mapping
            For each field an array of strings, int64 or bool, shape (rows,).

        Raises
        ------
        PartitionError
            A column holds something else, a text is missing or not in UTF-8, or an integer is beyond int64.
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
