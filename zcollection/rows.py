"""Conditions that select rows: expressions, boxes, polygons and functions, combined with ``&``, ``|`` and ``~``.

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
    """Return a condition written as an expression. Every parameter that takes a condition also accepts the string itself.

    **Names** refer to variables whose only dimension is the partitioned one. A nested variable is named by its path in backticks,
    as in ``"`data_01/ku/ssh` > 1"``, or by its last name if no other variable has that name. A field of the partition key may be
    named if no variable has the same name.

    **Syntax:** ``== != < <= > >=``, also chained (``-1 < ssh <= 1``); ``in`` and ``not in``, followed by a literal list, tuple
    or set, or by ``range()``; ``and``, ``or``, ``not``; ``+ - * / // %``; ``abs(x)``, ``isnan(x)`` and ``isfinite(x)``; the name
    of a boolean variable. Nothing is ever evaluated as Python.

    **Missing values:** NaN, NaT and the declared fill value satisfy no comparison, not even ``!=`` and ``not in``. A result that
    is computed from a missing value, or is not a number, is missing. ``not`` is plain negation: ``not ssh > 3`` is true where ssh
    is missing. ``isnan(x)`` is true where x is missing, ``isfinite(x)`` where it is neither missing nor infinite.

    **Types** follow NumPy: a literal 0.1 compared with a float32 is a float32. Integers never wrap: results computed from
    integers are exact, and integers compare exactly with any integer or float. ``/`` of integers gives float64.

    **Times** are compared with ISO 8601 strings, as in ``"time >= '2024-01-03T12'"``, in UTC and in the variable's own
    calendar. This applies to datetime64 and to numbers with CF time units, which can also be compared with numbers.
    Durations are compared with strings such as ``'90 seconds'``.

    **Strings** are compared by code points.

    Parameters
    ----------
    text
        The condition, at most 10,000 characters.

    Examples
    --------
    >>> expression("time >= '2024-01-03' and flag == 0")
    Expression(text="time >= '2024-01-03' and flag == 0")
    """
    return Expression(text)


def box(
    *, west: float, south: float, east: float, north: float, longitude: str | None = None, latitude: str | None = None
) -> Condition:
    """Return the condition that the position of a row is inside a box of longitudes and latitudes, edges included.

    Longitudes from -360 to 720 are compared modulo 360, whether the variable uses -180 to 180, 0 to 360 or another convention.

    Parameters
    ----------
    west, east
        Longitudes in degrees. The box extends eastward from `west`, across the date line if `west` is larger than `east`. A box
        that is at least 360 degrees wide selects every row whose longitude is not missing.
    south, north
        Latitudes in degrees.
    longitude, latitude
        Names of the variables. By default, the only variables along the partitioned dimension whose CF attributes mark them as
        longitude and latitude.

    Raises
    ------
    ExpressionError
        A number is out of range, or `south` is greater than `north`.

    Examples
    --------
    >>> box(west=170, south=-10, east=-170, north=10, longitude="lon", latitude="lat")
    Box(west=170.0, south=-10.0, east=-170.0, north=10.0, longitude='lon', latitude='lat')
    """
    return Box(west, south, east, north, longitude, latitude)


def polygon(shape: Any, *, longitude: str | None = None, latitude: str | None = None) -> Condition:
    """Return the condition that the position of a row is inside a shape or on its edge; requires the extra ``geo``.

    Longitudes are compared modulo 360, as in `box`. A shape that crosses the date line extends beyond 180 or -180.

    Parameters
    ----------
    shape
        A shapely geometry of longitudes and latitudes in degrees. Vertices are joined by straight lines.
    longitude, latitude
        As for `box`.

    Raises
    ------
    ExpressionError
        The shape is empty, invalid or out of range.
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
    """Return the condition that a function evaluates to true.

    A function cannot be evaluated on statistics. Its variables are therefore read in full, unless another condition excludes
    partitions or zones first, as in ``box(…) & function(…)``.

    Parameters
    ----------
    fn
        Called with one read-only array for each variable, of shape (rows,) and of the declared type. The rows may come from a
        part of a partition or from several partitions. It returns a boolean array of the same shape, in which each element
        depends only on its own row. It must be picklable if work runs in other processes.
    variables
        Names of variables whose only dimension is the partitioned one, in the order of the arguments.

    Raises
    ------
    ExpressionError
        `fn` is not callable, or no variable is named.

    Examples
    --------
    >>> import math
    >>> function(math.isclose, ["latitude", "longitude"])
    Function(function=<built-in function isclose>, variables=('latitude', 'longitude'))
    """
    return Function(fn, variables)
