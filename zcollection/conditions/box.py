"""Conditions on positions: boxes of longitudes and latitudes."""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from attrs import Attribute, field, frozen

from zcollection.conditions.condition import Bound, BoundPredicate, Condition
from zcollection.conditions.naming import Scope
from zcollection.conditions.operands import Column, Constant
from zcollection.conditions.positions import EAST, TURN, WEST, position, turns
from zcollection.conditions.predicates import AllOf, AnyOf, Compare, IsMissing, Negated, Predicate
from zcollection.errors import ExpressionError
from zcollection.model.schema import DatasetSchema


def _as_number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _check_longitude(_: "Box", attribute: "Attribute[float]", value: float) -> None:
    if not WEST <= value <= EAST:
        message = f"box(): {attribute.name}={value}; accepted: degrees from {WEST} to {EAST}"
        raise ExpressionError(message)


def _check_latitude(_: "Box", attribute: "Attribute[float]", value: float) -> None:
    if not -90 <= value <= 90:
        message = f"box(): {attribute.name}={value}; accepted: degrees from -90 to 90"
        raise ExpressionError(message)


@frozen
class Box(Condition):
    """The condition that a position is in a box; see `zcollection.rows.box`.

    Attributes
    ----------
    west, south, east, north
        The edges in degrees, which belong to the box.
    longitude, latitude
        Names of the variables; None for the variables found by their CF attributes.
    """

    west: float = field(converter=_as_number, validator=_check_longitude)
    south: float = field(converter=_as_number, validator=_check_latitude)
    east: float = field(converter=_as_number, validator=_check_longitude)
    north: float = field(converter=_as_number, validator=_check_latitude)
    longitude: str | None = None
    latitude: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.south > self.north:
            message = f"box(): south={self.south} is greater than north={self.north}; accepted: south <= north"
            raise ExpressionError(message)

    def bound(self, schema: DatasetSchema, dimension: str, fields: Sequence[str] = ()) -> Bound:  # noqa: ARG002, D102
        longitude, latitude = position(Scope(schema, dimension), self.longitude, self.latitude)
        inside = AllOf(
            (
                *_between(latitude, Fraction(repr(self.south)), Fraction(repr(self.north))),
                self._between_meridians(longitude),
            )
        )
        return BoundPredicate(inside, (longitude.path, latitude.path))

    def _between_meridians(self, longitude: Column) -> Predicate:
        """Return the predicate that a longitude, modulo 360, is between the edges.

        The edges are shifted and not the longitudes: this is computed once, and exactly.
        """
        west, east = Fraction(repr(self.west)), Fraction(repr(self.east))
        if east - west >= TURN:
            return Negated(IsMissing(longitude))
        while east < west:
            east += TURN
        shifts = [TURN * turn for turn in turns(float(west), float(east))]
        return AnyOf(tuple(AllOf(_between(longitude, west + shift, east + shift)) for shift in shifts))


def _between(column: Column, low: Fraction, high: Fraction) -> tuple[Predicate, Predicate]:
    return Compare(">=", column, _degrees(low)), Compare("<=", column, _degrees(high))


def _degrees(number: Fraction) -> Constant:
    return Constant(np.array([float(number)]))
