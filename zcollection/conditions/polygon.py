"""Conditions on positions: shapely geometries."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from attrs import field, frozen

from zcollection.conditions.condition import Bound, Columns, Condition
from zcollection.conditions.naming import Scope
from zcollection.conditions.operands import Column, Rows, either
from zcollection.conditions.positions import TURN, position, turns
from zcollection.conditions.predicates import Mask
from zcollection.conditions.zones import Verdicts, Zones, verdicts
from zcollection.errors import ExpressionError, MissingDependencyError
from zcollection.model.schema import DatasetSchema

_MARGIN = 1e-9
"""Degrees by which the rectangle of a zone is enlarged, so that it has an area and is safe against rounding."""


def _shapely() -> Any:
    try:
        import shapely
    except ImportError as error:
        raise MissingDependencyError.of("shapely", extra="geo", purpose="polygon()") from error
    return shapely


def _check_shape(_: "Polygon", __: object, shape: Any) -> None:
    shapely = _shapely()
    if not isinstance(shape, shapely.Geometry) or shape.is_empty:
        message = (
            f"polygon({shape!r}); accepted: a shapely geometry that is not empty, such as shapely.box(-10, 40, 0, 50)"
        )
        raise ExpressionError(message)
    if not shape.is_valid:
        message = (
            f"polygon(): the shape is not valid ({shapely.is_valid_reason(shape)}); give shapely.make_valid(shape)"
        )
        raise ExpressionError(message)
    west, south, east, north = shape.bounds
    if south < -90 or north > 90 or not np.isfinite([west, east]).all():
        message = f"polygon(): the shape has the bounds {shape.bounds}; accepted: longitudes as x, and latitudes from -90 to 90 as y"
        raise ExpressionError(message)


@frozen
class Polygon(Condition):
    """The condition that a position is in a shape or on its edge; see `zcollection.rows.polygon`.

    Attributes
    ----------
    shape
        A shapely geometry of longitudes and latitudes in degrees.
    longitude, latitude
        Names of the variables; None for the variables found by their CF attributes.
    """

    shape: Any = field(validator=_check_shape)
    longitude: str | None = None
    latitude: str | None = None

    def bound(self, schema: DatasetSchema, dimension: str, fields: Sequence[str] = ()) -> Bound:  # noqa: ARG002, D102
        longitude, latitude = position(Scope(schema, dimension), self.longitude, self.latitude)
        return _BoundPolygon(self.shape, longitude, latitude, (longitude.path, latitude.path))


@frozen
class _BoundPolygon(Bound):
    shape: Any
    longitude: Column
    latitude: Column
    variables: tuple[str, ...]
    fields: tuple[str, ...] = ()

    def _mask(self, columns: Columns, rows: int) -> Mask:
        values = Rows(columns)
        xs, ys = self.longitude.values(values), self.latitude.values(values)
        missing = either(xs.missing, ys.missing)
        passed = np.zeros(rows, np.bool_)
        x, y = (side.data.astype(np.float64) for side in (xs, ys))
        west, south, east, north = self.shape.bounds
        near = (y >= south) & (y <= north)
        for shift in self._shifts():
            shifted = x + shift
            at = np.flatnonzero(near & (shifted >= west) & (shifted <= east) & ~passed)
            passed[at] = self._prepared().intersects_xy(self.shape, shifted[at], y[at])
        return passed if missing is None else passed & ~missing

    def _verdicts(self, zones: Mapping[str, Zones], count: int) -> Verdicts:
        x, y = self.longitude.bounds(zones), self.latitude.bounds(zones)
        known, empty = x.known & y.known, x.empty | y.empty
        touched, covered = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        at = np.flatnonzero(np.broadcast_to(known & ~empty, (count,)))
        sides = [
            np.broadcast_to(side.astype(np.float64), (count,))[at] for side in (x.lower, y.lower, x.upper, y.upper)
        ]
        shapely = self._prepared()
        for shift in self._shifts():
            west, south, east, north = sides[0] + shift, sides[1], sides[2] + shift, sides[3]
            rectangles = shapely.box(west - _MARGIN, south - _MARGIN, east + _MARGIN, north + _MARGIN)
            touched[at] |= shapely.intersects(self.shape, rectangles)
            covered[at] |= shapely.covers(self.shape, rectangles)
        return verdicts(never=empty | (known & ~touched), always=covered & ~x.missing & ~y.missing)

    def _shifts(self) -> list[float]:
        """Return the multiples of 360 degrees which, added to longitudes, may bring them into the shape."""
        west, _, east, _ = self.shape.bounds
        return [float(-TURN * turn) for turn in turns(west, east)]

    def _prepared(self) -> Any:
        """Return shapely, after preparing the shape; pickling loses the prepared index, so this is repeated."""
        shapely = _shapely()
        shapely.prepare(self.shape)
        return shapely
