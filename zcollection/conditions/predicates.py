"""Predicates, evaluated on rows and on the bounds of zones.

Both evaluations use the same operations, so that the verdict of a zone never contradicts the mask of its rows.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.conditions import exact
from zcollection.conditions.operands import Missing, Operand, Rows, ValueKind, float_type
from zcollection.conditions.zones import PERHAPS, Verdicts, Zones, verdicts

Mask = NDArray[np.bool_]


class Predicate(ABC):
    """A function of rows with boolean values."""

    @abstractmethod
    def mask(self, rows: Rows) -> Mask:
        """Return the mask of rows that satisfy the predicate, of shape (rows,) or (1,)."""

    @abstractmethod
    def verdicts(self, zones: Mapping[str, Zones]) -> Verdicts:
        """Return the verdicts of zones, of shape (zones,) or (1,)."""


def _present(passed: Mask, missing: Missing) -> Mask:
    return passed if missing is None else passed & ~missing


@frozen
class Fixed(Predicate):
    """A constant: true or false for all rows."""

    passes: bool

    def mask(self, rows: Rows) -> Mask:  # noqa: ARG002, D102
        return np.array([self.passes])

    def verdicts(self, zones: Mapping[str, Zones]) -> Verdicts:  # noqa: ARG002, D102
        return verdicts(never=np.array([not self.passes]), always=np.array([self.passes]))


@frozen
class Undecided(Predicate):
    """A comparison with a key field of unknown value."""

    def mask(self, rows: Rows) -> Mask:  # noqa: D102
        raise NotImplementedError  # rows have a key, whose fields are all known

    def verdicts(self, zones: Mapping[str, Zones]) -> Verdicts:  # noqa: ARG002, D102
        return np.array([PERHAPS], dtype=np.int8)


@frozen
class Compare(Predicate):
    """The comparison of two numbers, or of times or durations as numbers; false if one is missing.

    Integers compare exactly with any number. A literal number compared with floats adopts their dtype.
    """

    symbol: str
    left: Operand
    right: Operand

    def mask(self, rows: Rows) -> Mask:  # noqa: D102
        left, right = self.left.values(rows), self.right.values(rows)
        return _present(_present(self._compared(self.symbol, left.data, right.data), left.missing), right.missing)

    def verdicts(self, zones: Mapping[str, Zones]) -> Verdicts:  # noqa: D102
        left, right = self.left.bounds(zones), self.right.bounds(zones)
        known, empty = left.known & right.known, left.empty | right.empty
        never, always = self._decided_by_bounds(self.symbol, left, right)
        present = ~(left.missing | right.missing | empty)
        return verdicts(never=empty | (known & never), always=known & always & present)

    def _decided_by_bounds(self, symbol: str, left: Zones, right: Zones) -> tuple[Mask, Mask]:
        """Return whether the comparison is false, and whether it is true, for all pairs of values within the bounds."""
        if symbol == "!=":
            never, always = self._decided_by_bounds("==", left, right)
            return always, never
        if symbol == "==":
            apart = self._compared("<", left.upper, right.lower) | self._compared(">", left.lower, right.upper)
            equal = self._compared("==", left.lower, right.upper) & self._compared("==", left.upper, right.lower)
            return apart, equal
        if symbol in {">", ">="}:
            return self._decided_by_bounds(exact.MIRRORED[symbol], right, left)
        return ~self._compared(symbol, left.lower, right.upper), self._compared(symbol, left.upper, right.lower)

    def _compared(self, symbol: str, left: NDArray[Any], right: NDArray[Any]) -> Mask:
        if self._is_exact:
            return exact.compared(symbol, left, right)
        dtype = float_type(self.left, self.right)
        return exact.COMPARISONS[symbol](exact.as_floats(left, dtype), exact.as_floats(right, dtype))

    @property
    def _is_exact(self) -> bool:
        integral = [side for side in (self.left, self.right) if side.is_integer]
        if len(integral) != 1:
            return bool(integral)
        (integers,), (floats,) = integral, [side for side in (self.left, self.right) if not side.is_integer]
        return floats.is_weak or not integers.is_weak


@frozen
class CompareStrings(Predicate):
    """The comparison of two strings, by code points; zones have no bounds of strings, only flags for missing values."""

    symbol: str
    left: Operand
    right: Operand

    def mask(self, rows: Rows) -> Mask:  # noqa: D102
        left, right = self.left.values(rows), self.right.values(rows)
        passed = exact.COMPARISONS[self.symbol](left.data, right.data)
        return _present(_present(passed, left.missing), right.missing)

    def verdicts(self, zones: Mapping[str, Zones]) -> Verdicts:  # noqa: D102
        empty = self.left.bounds(zones).empty | self.right.bounds(zones).empty
        return verdicts(never=empty, always=np.zeros_like(empty))


@frozen
class InRange(Predicate):
    """Membership in a range of integers; with `negated`, the value is present and not in the range."""

    operand: Operand
    numbers: range
    negated: bool

    def mask(self, rows: Rows) -> Mask:  # noqa: D102
        found = self.operand.values(rows)
        return _present(self._in_range(found.data) ^ self.negated, found.missing)

    def _in_range(self, data: NDArray[Any]) -> Mask:
        if not self.numbers:
            return np.zeros(data.shape, np.bool_)
        first, last = self._limits()
        inside: Mask = exact.compared(">=", data, first) & exact.compared("<=", data, last)
        is_float = data.dtype.kind == "f"
        if is_float:
            inside &= data == np.floor(data)
        if abs(self.numbers.step) == 1 or not inside.any():
            return inside
        numbers = exact.integers([int(value) for value in data[inside].tolist()]) if is_float else data[inside]
        steps = exact.computed("-", numbers, first)
        inside[inside] = exact.computed("%", steps, exact.integers([abs(self.numbers.step)])) == 0
        return inside

    def _limits(self) -> tuple[NDArray[Any], NDArray[Any]]:
        first, last = sorted((self.numbers[0], self.numbers[-1]))
        return exact.integers([first]), exact.integers([last])

    def verdicts(self, zones: Mapping[str, Zones]) -> Verdicts:  # noqa: D102
        found = self.operand.bounds(zones)
        outside, inside = np.ones(found.known.shape, np.bool_), np.zeros(found.known.shape, np.bool_)
        if self.numbers:
            first, last = self._limits()
            outside = exact.compared("<", found.upper, first) | exact.compared(">", found.lower, last)
            inside = exact.compared(">=", found.lower, first) & exact.compared("<=", found.upper, last)
            inside &= self.operand.is_integer and abs(self.numbers.step) == 1
        never, always = (inside, outside) if self.negated else (outside, inside)
        return verdicts(never=found.empty | (found.known & never), always=found.known & always & ~found.missing)


@frozen
class IsMissing(Predicate):
    """True for missing values."""

    operand: Operand

    def mask(self, rows: Rows) -> Mask:  # noqa: D102
        missing = self.operand.values(rows).missing
        return np.zeros(1, np.bool_) if missing is None else missing

    def verdicts(self, zones: Mapping[str, Zones]) -> Verdicts:  # noqa: D102
        found = self.operand.bounds(zones)
        return verdicts(never=~found.missing & ~found.empty, always=found.empty)


@frozen
class IsFinite(Predicate):
    """True for values that are neither missing nor infinite."""

    operand: Operand

    def mask(self, rows: Rows) -> Mask:  # noqa: D102
        found = self.operand.values(rows)
        is_float = found.data.dtype.kind == "f"
        return _present(np.isfinite(found.data) if is_float else np.ones(found.data.shape, np.bool_), found.missing)

    def verdicts(self, zones: Mapping[str, Zones]) -> Verdicts:  # noqa: D102
        found = self.operand.bounds(zones)
        always = ~found.missing & ~found.empty
        if self.operand.kind is ValueKind.NUMBER and not self.operand.is_integer:
            always &= found.known & np.isfinite(found.lower) & np.isfinite(found.upper)
        return verdicts(never=found.empty, always=always)


@frozen
class AllOf(Predicate):
    """The conjunction of predicates."""

    parts: tuple[Predicate, ...]

    def mask(self, rows: Rows) -> Mask:  # noqa: D102
        first, *rest = self.parts
        passed = first.mask(rows)
        for part in rest:
            if not passed.any():
                break
            passed = passed & part.mask(rows)
        return passed

    def verdicts(self, zones: Mapping[str, Zones]) -> Verdicts:  # noqa: D102
        first, *rest = (part.verdicts(zones) for part in self.parts)
        for found in rest:
            first = np.minimum(first, found)
        return first


@frozen
class AnyOf(Predicate):
    """The disjunction of predicates."""

    parts: tuple[Predicate, ...]

    def mask(self, rows: Rows) -> Mask:  # noqa: D102
        first, *rest = self.parts
        passed = first.mask(rows)
        for part in rest:
            if passed.all():
                break
            passed = passed | part.mask(rows)
        return passed

    def verdicts(self, zones: Mapping[str, Zones]) -> Verdicts:  # noqa: D102
        first, *rest = (part.verdicts(zones) for part in self.parts)
        for found in rest:
            first = np.maximum(first, found)
        return first


@frozen
class Negated(Predicate):
    """The negation of a predicate; a missing value, which makes a comparison false, makes its negation true."""

    part: Predicate

    def mask(self, rows: Rows) -> Mask:  # noqa: D102
        return ~self.part.mask(rows)

    def verdicts(self, zones: Mapping[str, Zones]) -> Verdicts:  # noqa: D102
        return np.asarray(2 - self.part.verdicts(zones), dtype=np.int8)
