"""Positions of rows: the longitude and latitude variables of a schema, and longitudes modulo 360 degrees."""

import math
from collections.abc import Callable
from typing import Final

from zcollection.conditions.naming import Scope
from zcollection.conditions.operands import Column, ValueKind
from zcollection.errors import ExpressionError
from zcollection.model.declared import VariableSchema
from zcollection.model.dtypes import dtype_name
from zcollection.model.geography import is_latitude, is_longitude

TURN: Final = 360
WEST, EAST = -360, 720
"""The range of accepted longitudes, which includes every common convention."""


def position(scope: Scope, longitude: str | None, latitude: str | None) -> tuple[Column, Column]:
    """Return the longitude and latitude columns: the named variables, or the only ones with the CF attributes.

    Raises
    ------
    ExpressionError
        No variable or several have the CF attributes, or a variable is not suitable.
    """
    return (
        _angle(scope, longitude, "longitude", is_longitude),
        _angle(scope, latitude, "latitude", is_latitude),
    )


def _angle(scope: Scope, name: str | None, what: str, is_one: Callable[[VariableSchema], bool]) -> Column:
    columns = scope.columns
    found = [path for path, variable in columns.items() if is_one(variable)] if name is None else [scope.column(name)]
    if len(found) != 1:
        units = "degrees_east" if what == "longitude" else "degrees_north"
        choices = ", ".join(map(repr, found or columns)) or "nothing"
        message = (
            f"{len(found)} variables along {scope.dimension!r} are a {what} by their attributes ({units!r}); accepted: one, or "
            f"{what}=… with its name: {choices}"
        )
        raise ExpressionError(message)
    column = Column(found[0], scope.check_comparable(found[0]))
    if column.kind is not ValueKind.NUMBER:
        message = f"the {what} {found[0]!r} is {dtype_name(column.variable.dtype)}; accepted: a variable of numbers"
        raise ExpressionError(message)
    return column


def turns(west: float, east: float) -> range:
    """Return the numbers of full turns by which a range of longitudes overlaps the accepted longitudes when shifted.

    Examples
    --------
    >>> list(turns(170, 190))
    [-1, 0, 1]
    """
    return range(math.ceil((WEST - east) / TURN), math.floor((EAST - west) / TURN) + 1)
