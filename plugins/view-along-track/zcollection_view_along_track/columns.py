"""Helpers shared by the computations: variables along the axis as floating-point numbers, and the declared outputs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zcollection.plugin import (
    Dataset,
    DatasetSchema,
    PluginConfigurationError,
    SchemaError,
    Variable,
    VariableSchema,
    as_times,
    as_variables,
)


def as_names(paths: Any) -> tuple[str, ...]:
    """Return one or several paths of variables as a tuple without leading slashes; an attrs converter."""
    return tuple(path.removeprefix("/") for path in as_variables((paths,) if isinstance(paths, str) else paths))


def as_suffix(suffix: Any) -> str:
    """Return the suffix that is appended to the names of variables; an attrs converter.

    Raises
    ------
    PluginConfigurationError
        The suffix is empty, contains "/", or is not a string.
    """
    if not isinstance(suffix, str) or not suffix or "/" in suffix:
        message = f"suffix is {suffix!r}; accepted: a suffix for the names of the variables, such as '_mean'"
        raise PluginConfigurationError(message)
    return str(suffix)


def declared(
    paths: tuple[str, ...], schema: DatasetSchema, suffix: str, attrs: Mapping[str, Mapping[str, Any]]
) -> dict[str, VariableSchema]:
    """Return the outputs, by path: floating-point variables of the same dimensions.

    Raises
    ------
    SchemaError
        A variable is missing, or does not contain real numbers.
    """
    found = {}
    for path in paths:
        variable = schema.get_variable(path)
        if variable.dtype.kind not in "iuf":
            message = (
                f"variable {path!r} is {variable.dtype}; accepted along the track: integers and floating-point numbers"
            )
            raise SchemaError(message)
        found[path + suffix] = VariableSchema(
            variable.name + suffix,
            dtype=variable.dtype if variable.dtype.kind == "f" else np.dtype("float64"),
            dimensions=variable.dimensions,
            fill_value=np.nan,
            attrs=_kept(variable.attrs) | dict(attrs[path]),
        )
    return found


def _kept(attrs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attrs.items() if name in {"units", "long_name"}}


def along(rows: Dataset, path: str, axis: str) -> NDArray[np.float64]:
    """Return a variable as float64 with the axis first; NaN where the variable or the axis is missing."""
    variable, track = rows.get_variable(f"/{path}"), rows.get_variable(f"/{axis}")
    values = np.moveaxis(variable.to_numpy(), position(variable, track), 0)
    numbers = values.astype(np.float64)
    if variable.fill_value is not None:
        numbers[values == variable.fill_value] = np.nan
    numbers[absent(axis_values(track))] = np.nan
    return numbers


def placed(numbers: NDArray[np.float64], rows: Dataset, path: str, axis: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return numbers as values of an output, with the axis moved to its position in the variable."""
    variable, track = rows.get_variable(f"/{path}"), rows.get_variable(f"/{axis}")
    with np.errstate(over="ignore"):  # numbers out of the range of float32 become infinite
        return np.moveaxis(numbers, 0, position(variable, track)).astype(dtype)


def position(variable: Variable, axis: Variable) -> int:
    """Return the position of the axis among the dimensions of a variable.

    Raises
    ------
    SchemaError
        The variable does not have the dimension of the axis.
    """
    if len(axis.dimensions) != 1 or axis.dimensions[0] not in variable.dimensions:
        message = (
            f"variable {variable.name!r} has the dimensions {variable.dimensions}; accepted: dimensions that include that of the axis {axis.name!r}, "
            f"{axis.dimensions}"
        )
        raise SchemaError(message)
    return variable.dimensions.index(axis.dimensions[0])


def axis_values(axis: Variable) -> NDArray[Any]:
    """Return the values of the axis; numbers with time units are converted to datetime64."""
    return as_times(axis)


def absent(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the mask of NaN and NaT."""
    missing: NDArray[np.bool_] = np.not_equal(values, values)
    return missing
