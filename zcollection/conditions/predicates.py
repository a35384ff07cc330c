"""What holds or does not of each row, and of whole zones of them as far as their bounds say.

A predicate is evaluated on bounds by the operations that it has for values, so that a verdict never contradicts a mask.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.conditions import exact
from zcollection.conditions.operands import Meaning, Missing, Operand, Rows, float_type
from zcollection.conditions.zones import PERHAPS, Verdicts, Zones, verdicts

Mask = NDArray[np.bool_]


class Predicate(ABC):
    """Something that rows pass or do not."""

    @abstractmethod
    def mask(self, rows: Rows) -> Mask:
        """Return which rows pass: one entry for each, or one for all."""

    @abstractmethod
    def verdicts(self, zones: Mapping[str, Zones]) -> Verdicts:
        """Return the verdict of each zone, or one for all."""


def _present(passed: Mask, missing: Missing) -> Mask:
    return passed if missing is None else passed & ~missing


@frozen
class Fixed(Predicate):
    """What all rows pass, or none."""

    passes: bool

    def mask(self, rows: Rows) -> Mask:  # noqa: ARG002, D102
        return np.array([self.passes])

    def verdicts(self, zones: Mapping[str, Zones]) -> Verdicts:  # noqa: ARG002, D102
        return verdicts(never=np.array([not self.passes]), always=np.array([self.passes]))


@frozen
class Undecided(Predicate):
    """A comparison with a field of keys of which nothing is known."""

    def mask(self, rows: Rows) -> Mask:  # noqa: D102
        raise NotImplementedError  # a key has all its fields

    def verdicts(self, zones: Mapping[str, Zones]) -> Verdicts:  # noqa: ARG002, D102
        return np.array([PERHAPS], dtype=np.int8)


@frozen
class Compare(Predicate):
    """Two numbers, or what is counted as numbers, that compare; a missing one passes nothing.

    Integers compare exactly with any number. A number that is written out, and meets floats, takes their type.
    """

    symbol: str
    left: Operand
    right: Operand

    def mask(self, rows: Rows) -> Mask:  # noqa: D102
        left, right = self.left.values(rows), self.right.values(rows)
        return _present(_present(self._holds(self.symbol, left.data, right.data), left.missing), right.missing)

    def verdicts(self, zones: Mapping[str, Zones]) -> Verdicts:  # noqa: D102
        left, right = self.left.bounds(zones), self.right.bounds(zones)
        known, empty = left.known & right.known, left.empty | right.empty
        never, always = self._bounds_say(self.symbol, left, right)
        present = ~(left.missing | right.missing | empty)
        return verdicts(never=empty | (known & never), always=known & always & present)

    def _bounds_say(self, symbol: str, left: Zones, right: Zones) -> tuple[Mask, Mask]:
        """Return whether no two values within bounds compare so, and whether any two do."""
        if symbol == "!=":
            never, always = self._bounds_say("==", left, right)
            return always, never
        if symbol == "==":
            apart = self._holds("<", left.upper, right.lower) | self._holds(">", left.lower, right.upper)
            alike = self._holds("==", left.lower, right.upper) & self._holds("==", left.upper, right.lower)
            return apart, alike
        if symbol in {">", ">="}:
            return self._bounds_say(exact.MIRRORED[symbol], right, left)
        return ~self._holds(symbol, left.lower, right.upper), self._holds(symbol, left.upper, right.lower)

    def _holds(self, symbol: str, left: NDArray[Any], right: NDArray[Any]) -> Mask:
        if self._is_exact:
            return exact.compared(symbol, left, right)
        dtype = float_type(self.left, self.right)
        return exact.COMPARISONS[symbol](exact.as_floats(left, dtype), exact.as_floats(right, dtype))

    @property
    def _is_exact(self) -> bool:
        whole = [side for side in (self.left, self.right) if side.is_whole]
        if len(whole) != 1:
            return bool(whole)
        (integers,), (floats,) = whole, [side for side in (self.left, self.right) if not side.is_whole]
        return floats.is_weak or not integers.is_weak


@frozen
class CompareTexts(Predicate):
    """Two texts that compare, by code points; nothing is known of them in zones but where they are missing."""

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
    """Whole numbers of a range, or with `negated` all that is present and none of them."""

    operand: Operand
    numbers: range
    negated: bool

    def mask(self, rows: Rows) -> Mask:  # noqa: D102
        found = self.operand.values(rows)
        return _present(self._holds(found.data) ^ self.negated, found.missing)

    def _holds(self, data: NDArray[Any]) -> Mask:
        if not self.numbers:
            return np.zeros(data.shape, np.bool_)
        first, last = self._limits()
        held: Mask = exact.compared(">=", data, first) & exact.compared("<=", data, last)
        if data.dtype.kind == "f":
            held &= data == np.floor(data)
        if abs(self.numbers.step) == 1 or not held.any():
            return held
        whole = exact.integers([int(value) for value in data[held].tolist()]) if data.dtype.kind == "f" else data[held]
        steps = exact.computed("-", whole, first)
        held[held] = exact.computed("%", steps, exact.integers([abs(self.numbers.step)])) == 0
        return held

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
            inside &= self.operand.is_whole and abs(self.numbers.step) == 1
        never, always = (inside, outside) if self.negated else (outside, inside)
        return verdicts(never=found.empty | (found.known & never), always=found.known & always & ~found.missing)


@frozen
class IsMissing(Predicate):
    """Values that are missing."""

    operand: Operand

    def mask(self, rows: Rows) -> Mask:  # noqa: D102
        missing = self.operand.values(rows).missing
        return np.zeros(1, np.bool_) if missing is None else missing

    def verdicts(self, zones: Mapping[str, Zones]) -> Verdicts:  # noqa: D102
        found = self.operand.bounds(zones)
        return verdicts(never=~found.missing & ~found.empty, always=found.empty)


@frozen
class IsFinite(Predicate):
    """Values that are neither missing nor infinite."""

    operand: Operand

    def mask(self, rows: Rows) -> Mask:  # noqa: D102
        found = self.operand.values(rows)
        is_float = found.data.dtype.kind == "f"
        return _present(np.isfinite(found.data) if is_float else np.ones(found.data.shape, np.bool_), found.missing)

    def verdicts(self, zones: Mapping[str, Zones]) -> Verdicts:  # noqa: D102
        found = self.operand.bounds(zones)
        always = ~found.missing & ~found.empty
        if self.operand.meaning is Meaning.NUMBER and not self.operand.is_whole:
            always &= found.known & np.isfinite(found.lower) & np.isfinite(found.upper)
        return verdicts(never=found.empty, always=always)


@frozen
class All(Predicate):
    """Predicates all of which have to hold."""

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
class Any_(Predicate):  # noqa: N801 - Any is taken
    """Predicates any of which has to hold."""

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
    """What does not hold, for missing values too."""

    part: Predicate

    def mask(self, rows: Rows) -> Mask:  # noqa: D102
        return ~self.part.mask(rows)

    def verdicts(self, zones: Mapping[str, Zones]) -> Verdicts:  # noqa: D102
        return np.asarray(2 - self.part.verdicts(zones), dtype=np.int8)
