"""The partitioning by integer variables, the last of which is grouped."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.plugin import (
    INT64,
    Field,
    Key,
    PartitionError,
    Partitioning,
    PluginConfigurationError,
    as_dimension,
    as_int64,
    as_variables,
    fields_of,
)
from zcollection_partitioning_grouped_sequence.groups import first_of_group


def _as_size(value: int) -> int:
    if not _is_integer(value) or not 1 <= value <= INT64.max:
        message = f"the size of the groups is {value!r}; accepted: an integer from 1 to {INT64.max}"
        raise PluginConfigurationError(message)
    return int(value)


def _as_start(value: int) -> int:
    if not _is_integer(value) or not INT64.min <= value <= INT64.max:
        message = (
            f"the start of a group is {value!r}; accepted: an integer from {INT64.min} to {INT64.max}, the first value "
            f"of any one group"
        )
        raise PluginConfigurationError(message)
    return int(value)


def _is_integer(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


@frozen
class GroupedSequence(Partitioning):
    """Partition rows by the values of integer variables, the last of which is grouped by a fixed number of values.

    The key of a value v of the last variable is the first value of its group, ``(v - start) // size * size + start``,
    computed without overflow.

    Parameters
    ----------
    variables
        Paths of the variables, outermost first; the last is grouped. Each gives a field of the keys, named by the last
        part of its path.
    size
        Number of values in a group.
    start
        First value of any one group; the groups before and after it follow from `size`.
    dimension
        The dimension to partition along; None for the dimension of the collection's axis.

    Raises
    ------
    PluginConfigurationError
        A parameter is invalid, or two variables would give fields of the same name.

    Examples
    --------
    >>> by_ten_passes = GroupedSequence(("cycle", "pass"), size=10, start=1)
    >>> keys = by_ten_passes.keys({"cycle": np.array([2, 2, 2]), "pass": np.array([0, 1, 20])})
    >>> keys["pass"].tolist()
    [-9, 1, 11]
    >>> by_ten_passes.encode({"cycle": 2, "pass": 11})
    'cycle=2/pass=11'
    """

    brief: ClassVar[tuple[str, ...]] = ("variables", "size", "start")

    variables: tuple[str, ...] = field(converter=as_variables)
    size: int = field(kw_only=True, converter=_as_size)
    start: int = field(default=0, kw_only=True, converter=_as_start)
    dimension: str | None = field(default=None, kw_only=True, converter=as_dimension)

    def __attrs_post_init__(self) -> None:
        fields_of(self.variables)

    @property
    def fields(self) -> tuple[Field, ...]:
        """One field for each variable, named by the last part of its path; numbers are not padded."""
        return fields_of(self.variables)

    def keys(self, columns: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Return the values of the variables, and for the last variable the first value of the group.

        Parameters
        ----------
        columns
            The variables, each of shape (rows,), integers of any size.

        Returns
        -------
        mapping
            For each field an int64 array, shape (rows,).

        Raises
        ------
        PartitionError
            A column does not contain integers, or a key is out of the range of int64.
        """
        *ungrouped, grouped = zip(self.fields, self.variables, strict=True)
        keys = {item.name: as_int64(columns[path], path) for item, path in ungrouped}
        item, path = grouped
        return {**keys, item.name: first_of_group(columns[path], path, size=self.size, start=self.start)}

    def encode(self, key: Mapping[str, int | str]) -> str:
        """Return the path of a partition, such as ``cycle=2/pass=11``.

        Raises
        ------
        PartitionError
            The key has other fields, a value out of the range of int64, or a last value that is not the first of a group.
        """
        path = super().encode(key)
        self._check(key, path)
        return path

    def decode(self, path: str) -> Key:
        """Return the key of a path; the inverse of `encode`.

        Raises
        ------
        PartitionError
            `encode` does not return this path for any key.
        """
        key = super().decode(path)
        self._check(key, path)
        return key

    def _check(self, key: Mapping[str, Any], path: str) -> None:
        name, value = list(key.items())[-1]
        if (int(value) - self.start) % self.size:
            message = f"{path!r} has the {name} {value}; accepted: {self.start} plus or minus multiples of {self.size}"
            raise PartitionError(message)
