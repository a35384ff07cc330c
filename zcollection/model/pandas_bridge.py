"""Conversion from and to pandas DataFrames; pandas is imported only when a dataset is converted to a DataFrame."""

import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import numpy as np
from numpy.typing import NDArray

from zcollection.errors import MissingDependencyError, SchemaError, accepted
from zcollection.model.inputs import InputDataset, InputVariable, schema_of_array
from zcollection.model.schema import ROOT, DatasetSchema, Dimension, GroupSchema
from zcollection.model.xarray_bridge import decoded

if TYPE_CHECKING:
    import pandas as pd

    from zcollection.model.variable import Variable

_INDEXED: Final = re.compile(r"(?P<name>.+)\[(?P<position>\d+)\]")
"""Name of a column with one position of a two-dimensional variable, such as ``power[3]``."""


def is_frame(value: object) -> "TypeGuard[pd.DataFrame]":
    """Return whether a value is a `pandas.DataFrame`."""
    library = sys.modules.get("pandas")
    return library is not None and isinstance(value, library.DataFrame)


def frame_columns(frame: "pd.DataFrame") -> dict[str, Any]:
    """Return the columns of a DataFrame and the levels of its index, by name.

    Raises
    ------
    SchemaError
        A name is not a string or occurs twice, or the index has no name and is not a RangeIndex.
    """
    levels = [frame.index.get_level_values(level) for level in range(frame.index.nlevels)]
    unnamed = [level for level in levels if level.name is None and type(level).__name__ != "RangeIndex"]
    if unnamed:
        message = "the index of the DataFrame has no name; name it after its variable: frame.rename_axis('time')"
        raise SchemaError(message)
    named = [(level.name, level) for level in levels if level.name is not None]
    pairs = [*named, *((name, frame.iloc[:, at]) for at, name in enumerate(frame.columns))]
    columns = {}
    for name, values in pairs:
        if not isinstance(name, str) or name in columns:
            what = "is not a string" if not isinstance(name, str) else "occurs twice among columns and index"
            message = f"the column {name!r} of the DataFrame {what}; accepted: the paths of variables, each once"
            raise SchemaError(message)
        columns[name] = values
    return columns


def frame_source(frame: "pd.DataFrame") -> InputDataset:
    """Return the columns of a DataFrame as variables; ``power[0]``, ``power[1]`` and so on become one variable."""
    columns = frame_columns(frame)
    parts: dict[str, dict[int, Any]] = {}
    single = {}
    for name, values in columns.items():
        match = _INDEXED.fullmatch(name)
        if match is None:
            single[name] = InputVariable(values=values.array)
        else:
            parts.setdefault(match["name"], {})[int(match["position"])] = values
    return InputDataset(
        variables={**single, **{name: InputVariable(values=_stacked(name, each)) for name, each in parts.items()}}
    )


def _stacked(name: str, columns: Mapping[int, Any]) -> NDArray[Any]:
    if sorted(columns) != list(range(len(columns))):
        message = (
            f"the DataFrame has the columns {name}[…] with the positions {sorted(columns)}; accepted: 0, 1, 2 and so on"
        )
        raise SchemaError(message)
    return np.stack([np.asarray(columns[position]) for position in range(len(columns))], axis=1)


def frame_schemas(frame: object, *, axis: str) -> dict[str, GroupSchema]:
    """Return the schema of the root group for a DataFrame: each column becomes a variable along the axis.

    Raises
    ------
    SchemaError
        The object is not a DataFrame, has no such column or index level, or contains values that cannot be stored.
    """
    if not is_frame(frame):
        message = f"frame is a {type(frame).__name__}; {accepted('', ['pandas.DataFrame'])}"
        raise SchemaError(message)
    columns = frame_columns(frame)
    if axis not in columns:
        message = f"axis {axis!r} is neither a column nor a level of the index; {accepted(axis, columns)}"
        raise SchemaError(message)
    variables = {name: schema_of_array(name, values.array, (axis,)) for name, values in columns.items()}
    return {ROOT: GroupSchema(dimensions={axis: Dimension(axis)}, variables=variables)}


def to_pandas(schema: DatasetSchema, variables: "Mapping[str, Variable]") -> "pd.DataFrame":
    """Return the variables along the partitioned dimension as the columns of a DataFrame.

    Raises
    ------
    MissingDependencyError
        pandas is not installed.
    SchemaError
        The schema does not have exactly one dimension without a size, or a variable has more than two dimensions.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependencyError.of("pandas", extra="xarray", purpose="to_pandas()") from error
    unsized = [name for name, dimension in schema.dimensions.items() if dimension.size is None]
    if len(unsized) != 1:
        message = f"the dataset has the dimensions without a size {unsized}; accepted: one, for the rows of a DataFrame"
        raise SchemaError(message)
    (rows,) = unsized
    columns: dict[str, Any] = {}
    for path, variable in variables.items():
        if rows in variable.dimensions:
            columns |= _columns_of(path, variable, rows)
    frame = pd.DataFrame(columns)
    return frame.set_index(rows) if rows in columns else frame


def _columns_of(path: str, variable: "Variable", rows: str) -> dict[str, Any]:
    if variable.ndim > 2:
        message = (
            f"variable {path!r} has the dimensions {variable.dimensions}; accepted by to_pandas(): one or two; leave it out with "
            f"select(), or use to_xarray().to_dataframe()"
        )
        raise SchemaError(message)
    values = np.asarray(decoded(path, variable)[1])
    if variable.ndim == 1:
        return {path: _with_na(values, variable)}
    across = np.moveaxis(values, variable.dimensions.index(rows), 0)
    return {f"{path}[{position}]": _with_na(across[:, position], variable) for position in range(across.shape[1])}


def _with_na(values: NDArray[Any], variable: "Variable") -> Any:
    """Return a column in which the fill value of integers is replaced by pandas' NA."""
    if values.dtype.kind not in "iu" or variable.fill_value is None:
        return values
    import pandas as pd

    return pd.arrays.IntegerArray(values.copy(), values == variable.fill_value)
