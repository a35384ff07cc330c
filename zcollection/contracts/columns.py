"""Helpers shared by partitionings: validation of the settings that name variables, and conversion of columns to int64."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zcollection.contracts.partitioning import INT64, Field
from zcollection.errors import PartitionError, PluginConfigurationError, SchemaError


def as_variables(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the paths of variables as a tuple; an attrs converter for the field `variables` of a partitioning.

    Raises
    ------
    PluginConfigurationError
        `paths` is not a tuple or list of at least one path. A single string is rejected.

    Examples
    --------
    >>> as_variables(["cycle", "data/pass"])
    ('cycle', 'data/pass')
    """
    names = tuple(paths) if isinstance(paths, list | tuple) else ()
    if not names or not all(isinstance(name, str) and name for name in names):
        message = f"variables is {paths!r}; accepted: a tuple with the path of at least one variable, such as ('time',)"
        raise PluginConfigurationError(message)
    return tuple(map(str, names))


def as_dimension(name: Any) -> str | None:
    """Return the name of a dimension, or None; an attrs converter for the field `dimension` of a partitioning.

    Raises
    ------
    PluginConfigurationError
        `name` is neither a non-empty string nor None.
    """
    if name is not None and (not isinstance(name, str) or not name):
        message = f"dimension is {name!r}; accepted: the name of a dimension, or None for that of the collection's axis"
        raise PluginConfigurationError(message)
    return None if name is None else str(name)


def fields_of(variables: tuple[str, ...]) -> tuple[Field, ...]:
    """Return an integer field without padding for each variable, named by the last part of its path.

    Raises
    ------
    PluginConfigurationError
        Two variables would give fields of the same name, or a name is not valid for a field.
    """
    names = [path.rpartition("/")[2] for path in variables]
    if len(set(names)) < len(names):
        message = f"the variables {variables} would be the fields {', '.join(names)}; accepted: variables whose last names differ"
        raise PluginConfigurationError(message)
    try:
        return tuple(map(Field, names))
    except SchemaError as error:
        message = f"the variables {variables} give the partitions no names: {error}"
        raise PluginConfigurationError(message) from error


def check_integers(column: NDArray[Any], path: str) -> None:
    """Check that a column contains integers.

    Raises
    ------
    PartitionError
        The column has another type; the message names the variable at `path`.
    """
    if column.dtype.kind not in "iu":
        message = (
            f"the partitioning reads the variable {path!r}, which is {column.dtype}; accepted: integers; declare it so"
        )
        raise PartitionError(message)


def check_within_int64(beyond: NDArray[np.bool_], column: NDArray[Any], path: str) -> None:
    """Check that the keys of all values of a column fit in int64.

    Parameters
    ----------
    beyond
        Mask of the values whose key is out of range, shape (rows,).
    column
        The values, shape (rows,).
    path
        Path of the variable, for the error message.

    Raises
    ------
    PartitionError
        `beyond` contains True; the message names the first such value.
    """
    if np.any(beyond):
        first = int(np.argmax(beyond))
        message = (
            f"the variable {path!r} has the value {column[first]} at position {first}, whose key is beyond int64; "
            f"accepted: keys from {INT64.min} to {INT64.max}; correct these values before inserting"
        )
        raise PartitionError(message)


def as_int64(column: NDArray[Any], path: str) -> NDArray[np.int64]:
    """Return a column of integers as int64.

    Parameters
    ----------
    column
        The values, shape (rows,).
    path
        Path of the variable, for the error message.

    Raises
    ------
    PartitionError
        The column does not contain integers, or a value is out of the range of int64.
    """
    check_integers(column, path)
    check_within_int64(column > INT64.max, column, path)
    return column.astype(np.int64)
