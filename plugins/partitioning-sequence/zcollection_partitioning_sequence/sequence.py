"""The partitioning by the values of integer variables."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.plugin import Field, Key, PartitionError, Partitioning, PluginConfigurationError, SchemaError

_INT64 = np.iinfo(np.int64)


def _as_variables(value: Iterable[str]) -> tuple[str, ...]:
    """Return the variables as a tuple; a string is no sequence of names."""
    names = tuple(value) if isinstance(value, list | tuple) else ()
    if not names or not all(map(_is_name, names)):
        message = (
            f"the variables of a partitioning by sequence are {value!r}; accepted: a tuple with the paths of one or more "
            f"variables, such as ('cycle_number', 'pass_number')"
        )
        raise PluginConfigurationError(message)
    return tuple(str(name) for name in names)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _as_dimension(value: str | None) -> str | None:
    if value is not None and not _is_name(value):
        message = (
            f"the dimension of a partitioning by sequence is {value!r}; accepted: the name of a dimension, or None for "
            f"that of the collection's axis"
        )
        raise PluginConfigurationError(message)
    return None if value is None else str(value)


@frozen
class Sequence(Partitioning):
    """Rows with the same values of integer variables belong together: one partition for each half orbit, for instance.

    Parameters
    ----------
    variables
        Paths of the variables, outermost first. Each is a field of the keys, under the last name of its path.
    dimension
        The dimension to partition along; None means that of the collection's axis.

    Raises
    ------
    PluginConfigurationError
        One of them is something else, or two variables would be fields of one name.

    Examples
    --------
    >>> by_pass = Sequence(("data/cycle_number", "data/pass_number"))
    >>> by_pass.encode({"cycle_number": 2, "pass_number": 17})
    'cycle_number=2/pass_number=17'
    """

    variables: tuple[str, ...] = field(converter=_as_variables)
    dimension: str | None = field(default=None, converter=_as_dimension)

    def __attrs_post_init__(self) -> None:
        names = [item.name for item in self._named()]
        if len(set(names)) < len(names):
            message = (
                f"the variables {self.variables} would be the fields {', '.join(names)}; accepted: variables whose last "
                f"names differ"
            )
            raise PluginConfigurationError(message)

    def _named(self) -> tuple[Field, ...]:
        try:
            return self.fields
        except SchemaError as error:
            message = f"the variables {self.variables} give the partitions no names: {error}"
            raise PluginConfigurationError(message) from error

    @property
    def fields(self) -> tuple[Field, ...]:
        """The variables, by the last names of their paths; numbers are not padded."""
        return tuple(Field(path.rpartition("/")[2]) for path in self.variables)

    def keys(self, columns: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Return the values themselves.

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
            A column does not hold integers, or a value is beyond int64.
        """
        return {
            item.name: _as_int64(columns[path], path) for item, path in zip(self.fields, self.variables, strict=True)
        }

    def encode(self, key: Mapping[str, int | str]) -> str:
        """Return the path of a partition, such as ``cycle_number=2/pass_number=17``.

        Raises
        ------
        PartitionError
            The key has other fields, or a value beyond int64.
        """
        path = super().encode(key)
        _check_range(key, path)
        return path

    def decode(self, path: str) -> Key:
        """Return the key of a path: the inverse of `encode`.

        Raises
        ------
        PartitionError
            The path is not one that `encode` returns.
        """
        key = super().decode(path)
        _check_range(key, path)
        return key


def _as_int64(column: NDArray[Any], path: str) -> NDArray[np.int64]:
    if column.dtype.kind not in "iu":
        message = (
            f"the partitioning by sequence reads the variable {path!r}, which is {column.dtype}; accepted: integers; "
            f"declare it so"
        )
        raise PartitionError(message)
    beyond = column > _INT64.max
    if np.any(beyond):
        first = int(np.argmax(beyond))
        message = (
            f"the variable {path!r} has the value {column[first]} at position {first}; accepted by the partitioning by "
            f"sequence: up to {_INT64.max}; correct these values before inserting"
        )
        raise PartitionError(message)
    return column.astype(np.int64)


def _check_range(key: Mapping[str, Any], path: str) -> None:
    for name, value in key.items():
        if not _INT64.min <= value <= _INT64.max:
            message = f"{path!r} has the {name} {value}; accepted: {_INT64.min} to {_INT64.max}"
            raise PartitionError(message)
