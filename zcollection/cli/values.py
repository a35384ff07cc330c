"""Values of variables as JSON and as table cells: times in ISO 8601, null for missing values."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from zcollection.collection.split import as_times
from zcollection.conditions.operands import missing_in
from zcollection.model.dataset import Dataset
from zcollection.model.times import has_time_units, in_words, units_of
from zcollection.model.variable import Variable

_SHOWN: Final = 3
"""Number of values that a table shows for one row of a multidimensional variable."""


def missing_of(variable: Variable) -> NDArray[np.bool_]:
    """Return a mask of the missing values: NaN, NaT and the fill value."""
    values = variable.to_numpy()
    found = missing_in(values, variable.fill_value) if values.dtype.kind != "c" else np.isnan(values)
    return np.zeros(values.shape, np.bool_) if found is None else found


def plain_values(variable: Variable) -> list[Any]:
    """Return values as JSON: nested lists, one level for each dimension, with None for missing values.

    Floats have as many digits as needed to read them back exactly; infinities, which JSON lacks, are strings.
    """
    missing = missing_of(variable).reshape(-1)
    flat = _words(variable)
    words = np.array([None if gap else word for word, gap in zip(flat, missing, strict=True)] + [None], dtype=object)
    return words[:-1].reshape(variable.shape).tolist()  # type: ignore[no-any-return]  # the dtype is object


def _words(variable: Variable) -> Sequence[Any]:
    values = as_times(variable).reshape(-1)
    kind = values.dtype.kind
    if kind in "Mm" and has_time_units(variable.attrs):
        return in_words(values, units_of(variable.attrs, name=variable.name).calendar)
    if kind == "M":
        return in_words(values)
    if kind == "f":
        return [float(text) if np.isfinite(value) else text for value in values for text in (str(value),)]
    if kind in "mc":
        return list(map(str, values))
    if kind == "S":
        return [value.decode(errors="backslashreplace") for value in values.tolist()]
    found: list[Any] = values.tolist()
    return found


def columns_of(dataset: Dataset, dimension: str) -> dict[str, list[Any]]:
    """Return the values of all variables along a dimension, one for each row, by path."""
    return {
        path: plain_values(_by_rows(variable, dimension))
        for path, variable in dataset.all_variables().items()
        if dataset.schema.spans(path, dimension)
    }


def _by_rows(variable: Variable, dimension: str) -> Variable:
    at = variable.dimensions.index(dimension)
    if at == 0:
        return variable
    names = (dimension, *(name for name in variable.dimensions if name != dimension))
    return Variable(evolve(variable.schema, dimensions=names), np.moveaxis(variable.to_numpy(), at, 0))


def shown(value: Any) -> str:
    """Return the table cell for a value of a row.

    Examples
    --------
    >>> shown(0.5), shown(None), shown([1, 2, 3, 4, 5])
    ('0.5', '', '[1, 2, 3, … (5)]')
    """
    if not isinstance(value, list):
        return "" if value is None else str(value)
    first = ", ".join(map(shown, value[:_SHOWN]))
    return f"[{first}]" if len(value) <= _SHOWN else f"[{first}, … ({len(value)})]"
