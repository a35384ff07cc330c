"""Conditions evaluated by a Python function of the user; `binding` defines the functions of expressions, such as ``abs``."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.conditions.condition import Bound, Columns, Condition
from zcollection.conditions.naming import Scope
from zcollection.conditions.predicates import Mask
from zcollection.conditions.zones import PERHAPS, Verdicts, Zones
from zcollection.errors import ExpressionError
from zcollection.model.schema import DatasetSchema


def _as_names(names: object) -> tuple[str, ...]:
    found = () if isinstance(names, str) or not isinstance(names, Iterable) else tuple(names)
    if not found or not all(isinstance(name, str) for name in found):
        message = f"function(): variables={names!r}; accepted: the names of one or more variables, such as ['latitude']"
        raise ExpressionError(message)
    return found


def _check_function(_: "Function", __: object, function: Any) -> None:
    if not callable(function):
        message = f"function({function!r}); accepted: a function of arrays that returns a boolean for each row"
        raise ExpressionError(message)


@frozen
class Function(Condition):
    """A condition evaluated by a function; see `zcollection.rows.function`.

    Attributes
    ----------
    function
        Function of arrays that returns a boolean array.
    variables
        Names of the variables, in the order of the arguments.
    """

    function: Callable[..., Any] = field(validator=_check_function)
    variables: tuple[str, ...] = field(converter=_as_names)

    def bound(self, schema: DatasetSchema, dimension: str, fields: Sequence[str] = ()) -> Bound:  # noqa: ARG002, D102
        scope = Scope(schema, dimension)
        return _BoundFunction(self.function, tuple(map(scope.column, self.variables)))


@frozen
class _BoundFunction(Bound):
    function: Callable[..., Any]
    arguments: tuple[str, ...]
    variables: tuple[str, ...] = field(init=False)
    fields: tuple[str, ...] = ()

    @variables.default
    def _variables_of_arguments(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.arguments))

    def _mask(self, columns: Columns, rows: int) -> Mask:
        found: NDArray[Any] = np.asarray(self.function(*_read_only(columns, self.arguments)))
        if found.dtype != np.bool_ or found.shape != (rows,):
            name = getattr(self.function, "__name__", repr(self.function))
            message = (
                f"function {name!r} returned {found.dtype} of shape {found.shape}; accepted: booleans of shape ({rows},), one for "
                f"each row"
            )
            raise ExpressionError(message)
        return found

    def _verdicts(self, zones: Mapping[str, Zones], count: int) -> Verdicts:  # noqa: ARG002 - the caller broadcasts
        return np.array([PERHAPS], dtype=np.int8)


def _read_only(columns: Columns, paths: Sequence[str]) -> list[NDArray[Any]]:
    """Return read-only views of columns."""
    views = [np.asarray(columns[path]).view() for path in paths]
    for view in views:
        view.flags.writeable = False
    return views
