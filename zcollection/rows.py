"""Asking for rows: conditions that are texts, boxes, polygons or functions, and what combines them.

Examples
--------
>>> from zcollection import rows
>>> rows.expression("flag == 0") & ~rows.box(west=170, south=-10, east=-170, north=10)
(Expression(text='flag == 0') & ~Box(west=170.0, south=-10.0, east=-170.0, north=10.0, longitude=None, latitude=None))
"""

from collections.abc import Callable, Iterable
from typing import Any

from zcollection.conditions.box import Box
from zcollection.conditions.condition import Condition
from zcollection.conditions.expression import Expression
from zcollection.conditions.function import Function
from zcollection.conditions.polygon import Polygon

__all__ = ["Condition", "box", "expression", "function", "polygon"]


def expression(text: str) -> Condition:
    """Return a condition that is a text; wherever a condition is taken, the text may be given as it is.

    **Names** are those of variables that have the partitioned dimension alone: the path of a nested one stands in backticks,
    as in ``"`data_01/ku/ssh` > 1"``, or its last name where no other variable has it. Fields of partition keys may be named where
    no variable has the name.

    **What may stand in it:** ``== != < <= > >=``, also in chains (``-1 < ssh <= 1``); ``in`` and ``not in``, with a list, tuple
    or set that is written out, or ``range()``; ``and``, ``or``, ``not``; ``+ - * / // %``; ``abs(x)``, ``isnan(x)`` and
    ``isfinite(x)``; the name of a boolean variable. Nothing is ever evaluated as Python.

    **Missing values:** NaN, NaT and the declared fill value pass no comparison, not even ``!=`` and ``not in``; and what is
    computed from a missing value, or is not a number, is missing. ``not`` is plain negation: ``not ssh > 3`` holds where ssh is
    missing. ``isnan(x)`` is true where x is missing, ``isfinite(x)`` where it is neither missing nor infinite.

    **Types** are NumPy's: 0.1 is a float32 beside a float32. But integers never wrap: what is computed from them is exact, and
    they compare exactly with any integer or float. Divided by ``/`` they are float64.

    **Times** compare with ISO 8601 in quotes, ``"time >= '2024-01-03T12'"``, in UTC and in the variable's own calendar: both
    datetime64 and numbers with CF units, which compare with numbers too. Lengths of time compare with ``'90 seconds'``.

    **Texts** compare by code points.

    Parameters
    ----------
    text
        The condition, of up to 10,000 characters.

    Examples
    --------
    >>> expression("time >= '2024-01-03' and flag == 0")
    Expression(text="time >= '2024-01-03' and flag == 0")
    """
    return Expression(text)


def box(
    *, west: float, south: float, east: float, north: float, longitude: str | None = None, latitude: str | None = None
) -> Condition:
    """Return the condition that rows lie in a box of longitudes and latitudes, the edges included.

    Longitudes are the same modulo 360, from -360 to 720, whether the variable has -180 to 180, 0 to 360, or another convention.

    Parameters
    ----------
    west, east
        Longitudes in degrees. The box goes east from `west`: over the date line where `west` is larger. One that is 360 degrees
        wide or more has all rows with a longitude.
    south, north
        Latitudes in degrees.
    longitude, latitude
        Names of the variables; by default the only ones along the partitioned dimension that are so by their CF attributes.

    Raises
    ------
    ExpressionError
        A number is out of range, or `south` lies north of `north`.

    Examples
    --------
    >>> box(west=170, south=-10, east=-170, north=10, longitude="lon", latitude="lat")
    Box(west=170.0, south=-10.0, east=-170.0, north=10.0, longitude='lon', latitude='lat')
    """
    return Box(west, south, east, north, longitude, latitude)


def polygon(shape: Any, *, longitude: str | None = None, latitude: str | None = None) -> Condition:
    """Return the condition that rows lie in a shape, or on its edge; needs the extra ``geo``.

    Longitudes are the same modulo 360, as in `box`: a shape that crosses the date line is one that goes beyond 180, or
    beyond -180.

    Parameters
    ----------
    shape
        A shape of shapely's, of longitudes and latitudes in degrees, joined by straight lines.
    longitude, latitude
        As in `box`.

    Raises
    ------
    ExpressionError
        The shape is empty, not valid, or out of range.
    MissingDependencyError
        shapely is not installed.

    Examples
    --------
    >>> import shapely  # doctest: +SKIP
    >>> polygon(shapely.Polygon([(170, 0), (190, 0), (180, 10)]))  # doctest: +SKIP
    Polygon(shape=<POLYGON ((170 0, 190 0, 180 10, 170 0))>, longitude=None, latitude=None)
    """
    return Polygon(shape, longitude, latitude)


def function(fn: Callable[..., Any], variables: Iterable[str]) -> Condition:
    """Return the condition that a function chooses rows.

    Nothing is known of it without asking it: all columns that it names are read where no other condition keeps that from
    happening, as in ``box(…) & function(…)``.

    Parameters
    ----------
    fn
        Called with one array for each variable, of shape (rows,) and of the declared type, which it must not write to. The
        rows are those of a part of a partition, or of several partitions. It returns an array of booleans of the same shape,
        each of which depends on its own row alone. Where work is done in other processes, it has to pickle.
    variables
        Names of variables that have the partitioned dimension alone, in the order of the arguments.

    Raises
    ------
    ExpressionError
        `fn` cannot be called, or no variable is named.

    Examples
    --------
    >>> import math
    >>> function(math.isclose, ["latitude", "longitude"])
    Function(function=<built-in function isclose>, variables=('latitude', 'longitude'))
    """
    return Function(fn, variables)
