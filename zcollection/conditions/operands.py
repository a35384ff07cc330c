"""What a condition compares: columns, fields of keys, constants, and what is computed from them.

Each operand is evaluated twice in the same way: on the values of rows, and on the bounds of zones.
"""

import operator
from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import Enum
from functools import reduce
from typing import Any, Final

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.conditions import exact
from zcollection.conditions.zones import Zones
from zcollection.model.schema import VariableSchema

Missing = NDArray[np.bool_] | None
"""Which values are missing; None where none is."""


class Meaning(Enum):
    """What values are: only those of one meaning compare."""

    NUMBER = "a number"
    TRUTH = "true or false"
    TIME = "a time"
    LENGTH = "a length of time"
    TEXT = "a text"
    UNKNOWN = "a field of keys"


_MEANINGS: Final[Mapping[str, Meaning]] = {
    **dict.fromkeys("iuf", Meaning.NUMBER),
    **dict.fromkeys("TUS", Meaning.TEXT),
    "b": Meaning.TRUTH,
    "M": Meaning.TIME,
    "m": Meaning.LENGTH,
}


def meaning_of(dtype: np.dtype[Any]) -> Meaning:
    """Return what values of a type are; complex numbers are nothing that compares."""
    return _MEANINGS[dtype.kind]


@frozen(eq=False)
class Values:
    """Values of one operand in rows, or one value for all; what stands where one is missing says nothing."""

    data: NDArray[Any]
    missing: Missing = None


@frozen(eq=False)
class Rows:
    """Columns by the path of the variable, and values of the key by field.

    Attributes
    ----------
    columns
        As given.
    """

    columns: Mapping[str, Any]
    _read: dict[str, Values] = field(factory=dict, init=False)

    def values(self, path: str, variable: VariableSchema) -> Values:
        """Return a column; it is looked through for missing values once, however often it is named."""
        if path not in self._read:
            data = np.asarray(self.columns[path])
            self._read[path] = Values(_as_numbers(data), missing_in(data, variable.fill_value))
        return self._read[path]


def missing_in(data: NDArray[Any], fill: Any) -> Missing:
    """Return which values are missing: NaN, NaT and the fill value, None where none is declared."""
    kind = data.dtype.kind
    found: Missing = np.isnan(data) if kind == "f" else np.isnat(data) if kind in "mM" else None
    if fill is not None and fill == fill:  # noqa: PLR0124 - NaN and NaT differ from themselves
        filled = data == fill
        found = filled if found is None else found | filled
    return found if found is not None and found.any() else None


def _as_numbers(data: NDArray[Any]) -> NDArray[Any]:
    """Return times as the integers that they are, and truths as 0 and 1; all else as it is."""
    if data.dtype.kind in "mM":
        return data.view(np.int64)
    return data.view(np.int8) if data.dtype.kind == "b" else data


def either(left: Missing, right: Missing) -> Missing:
    """Return what is missing in one or the other."""
    if left is None or right is None:
        return right if left is None else left
    return left | right


class Operand(ABC):
    """A value for each row.

    Attributes
    ----------
    dtype
        Type of the values; int64 stands for integers of any size that were computed.
    meaning
        What they are.
    is_weak
        Whether it takes the type of what it is combined with, as a number that is written out does.
    bits
        Largest size of its integers.
    """

    dtype: np.dtype[Any]
    meaning: Meaning
    is_weak: bool
    bits: int

    @abstractmethod
    def values(self, rows: Rows) -> Values:
        """Return the values in rows."""

    @abstractmethod
    def bounds(self, zones: Mapping[str, Zones]) -> Zones:
        """Return bounds of the values in zones, as numbers."""

    @property
    def is_whole(self) -> bool:
        """Whether the values are integers."""
        return self.dtype.kind != "f"


def float_type(left: Operand, right: Operand) -> np.dtype[Any]:
    """Return the type in which two operands, one of them of floats or divided, are computed with: NumPy's."""
    strong = [operand.dtype for operand in (left, right) if not operand.is_weak]
    common = np.result_type(*strong) if strong else np.dtype(np.float64)
    return common if common.kind == "f" else np.dtype(np.float64)


@frozen
class Column(Operand):
    """The values of a variable."""

    path: str
    variable: VariableSchema

    is_weak = False

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]  # it is never set
        """The type in which the values are computed with."""
        return _as_numbers(np.empty(0, self.variable.dtype)).dtype

    @property
    def meaning(self) -> Meaning:  # type: ignore[override]
        """What its declared type means."""
        return meaning_of(self.variable.dtype)

    @property
    def bits(self) -> int:  # type: ignore[override]
        """The size of its type."""
        return self.dtype.itemsize * 8

    def values(self, rows: Rows) -> Values:  # noqa: D102
        return rows.values(self.path, self.variable)

    def bounds(self, zones: Mapping[str, Zones]) -> Zones:  # noqa: D102
        found = zones.get(self.path)
        if found is None:
            return Zones.unknown()
        if self.meaning is Meaning.TEXT:
            nothing = Zones.unknown()
            return Zones(nothing.lower, nothing.upper, found.missing, found.empty, nothing.known)
        known = found.known
        if found.lower.dtype.kind in "fmM":  # bounds that are missing themselves say nothing
            known = known & (found.lower == found.lower) & (found.upper == found.upper)
        return Zones(_as_numbers(found.lower), _as_numbers(found.upper), found.missing, found.empty, known)


@frozen
class Constant(Operand):
    """A value that is written out, as an array of one element."""

    data: NDArray[Any] = field(eq=lambda data: data.tolist())
    meaning: Meaning = Meaning.NUMBER

    is_weak = True

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        """The type of the array."""
        return self.data.dtype

    @property
    def bits(self) -> int:  # type: ignore[override]
        """The size of the number."""
        return int(self.data[0]).bit_length() if self.is_whole and self.meaning is not Meaning.TEXT else 0

    def values(self, rows: Rows) -> Values:  # noqa: ARG002, D102
        return Values(self.data)

    def bounds(self, zones: Mapping[str, Zones]) -> Zones:  # noqa: ARG002, D102
        return Zones.unknown() if self.meaning is Meaning.TEXT else Zones.exactly(self.data)


@frozen
class KeyField(Operand):
    """The value that a field has in the key of the rows' partition."""

    name: str
    meaning: Meaning

    dtype = np.dtype(np.int64)
    is_weak = True
    bits = 64

    def values(self, rows: Rows) -> Values:  # noqa: D102
        value = rows.columns[self.name]
        return Values(text_array(value) if isinstance(value, str) else exact.integers([int(value)]))

    def bounds(self, zones: Mapping[str, Zones]) -> Zones:  # noqa: D102
        found = zones.get(self.name)
        if found is None or self.meaning not in {Meaning.NUMBER, Meaning.TRUTH}:
            return Zones.unknown()
        return Zones(_as_numbers(found.lower), _as_numbers(found.upper), found.missing, found.empty, found.known)


def text_array(text: str) -> NDArray[Any]:
    """Return one text as an array."""
    return np.array([text], dtype=np.dtypes.StringDType())


_CORNERS: Final[Mapping[str, tuple[tuple[int, int], ...]]] = {
    "+": ((0, 0), (1, 1)),
    "-": ((0, 1), (1, 0)),
    **dict.fromkeys(("*", "/", "//"), ((0, 0), (0, 1), (1, 0), (1, 1))),
}
"""Which bounds of the operands make the bounds of a result: the lower ones (0), or the upper ones (1)."""


@frozen
class Computed(Operand):
    """Arithmetic on two operands: exact between integers, else in NumPy's type.

    Attributes
    ----------
    symbol
        ``+ - * / // %``.
    left, right
        The operands, which are numbers.
    """

    symbol: str
    left: Operand
    right: Operand

    meaning = Meaning.NUMBER

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        """int64 between integers, else NumPy's."""
        is_exact = self.left.is_whole and self.right.is_whole and self.symbol != "/"
        return np.dtype(np.int64) if is_exact else float_type(self.left, self.right)

    @property
    def is_weak(self) -> bool:  # type: ignore[override]
        """Whether both operands are."""
        return self.left.is_weak and self.right.is_weak

    @property
    def bits(self) -> int:  # type: ignore[override]
        """The largest size that an integer may come to."""
        left, right = self.left.bits, self.right.bits
        return left + right if self.symbol == "*" else max(left, right) + 1

    def values(self, rows: Rows) -> Values:  # noqa: D102
        left, right = self.left.values(rows), self.right.values(rows)
        missing = either(left.missing, right.missing)
        if not self.is_whole:
            data = exact.ARITHMETIC[self.symbol](*(exact.as_floats(side.data, self.dtype) for side in (left, right)))
            nan = np.isnan(data)
            return Values(data, either(missing, nan if nan.any() else None))
        # What stands for a missing value may be large: the others need not be objects for its sake.
        ones, others = (
            side.data if side.missing is None else np.where(side.missing, 0, side.data) for side in (left, right)
        )
        if self.symbol in {"//", "%"} and (undefined := others == 0).any():
            others, missing = np.where(undefined, 1, others), either(missing, undefined)
        return Values(exact.computed(self.symbol, ones, others), missing)

    def bounds(self, zones: Mapping[str, Zones]) -> Zones:
        """Return the bounds: rounding keeps the order, so that they are what comes of the operands' bounds."""
        left, right = self.left.bounds(zones), self.right.bounds(zones)
        empty, known = left.empty | right.empty, left.known & right.known
        sides = [self._as_computed(left, known), self._as_computed(right, known)]
        if self.symbol == "%" or (self.symbol == "//" and not self.is_whole):
            known = np.zeros_like(known)
        if not self.is_whole:
            known = known & reduce(operator.and_, (np.isfinite(bound) for side in sides for bound in side))
        if self.symbol in {"/", "//"}:
            lower, upper = sides[1]
            known = known & ((lower > 0) | (upper < 0))
            sides[1] = [np.where(known, bound, 1) for bound in sides[1]]
        found = [self._function(sides[0][one], sides[1][other]) for one, other in _CORNERS.get(self.symbol, ((0, 0),))]
        missing = left.missing | right.missing | ~known
        return Zones(reduce(np.minimum, found), reduce(np.maximum, found), missing=missing, empty=empty, known=known)

    def _as_computed(self, side: Zones, known: NDArray[np.bool_]) -> list[NDArray[Any]]:
        """Return bounds in the type that is computed in; where they say nothing, something harmless."""
        bounds = [np.where(known, bound, 0) for bound in (side.lower, side.upper)]
        return bounds if self.is_whole else [exact.as_floats(bound, self.dtype) for bound in bounds]

    def _function(self, left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
        if self.is_whole:
            return exact.computed(self.symbol, left, np.where(right == 0, 1, right) if self.symbol == "%" else right)
        return exact.ARITHMETIC[self.symbol](left, right)


@frozen
class Absolute(Operand):
    """The absolute value of a number."""

    operand: Operand

    meaning = Meaning.NUMBER

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        """int64 of integers with a sign, else that of the operand."""
        return self.operand.dtype if self.operand.dtype.kind in "fu" else np.dtype(np.int64)

    @property
    def is_weak(self) -> bool:  # type: ignore[override]
        """Whether the operand is."""
        return self.operand.is_weak

    @property
    def bits(self) -> int:  # type: ignore[override]
        """The size of the operand."""
        return self.operand.bits

    def values(self, rows: Rows) -> Values:  # noqa: D102
        found = self.operand.values(rows)
        data = found.data if found.missing is None or not self.is_whole else np.where(found.missing, 0, found.data)
        return Values(exact.absolute(data), found.missing)

    def bounds(self, zones: Mapping[str, Zones]) -> Zones:  # noqa: D102
        found = self.operand.bounds(zones)
        lower, upper = exact.absolute(found.lower), exact.absolute(found.upper)
        holds_zero = (found.lower <= 0) & (found.upper >= 0)
        smallest = np.where(holds_zero, np.zeros(1, lower.dtype), np.minimum(lower, upper))
        return Zones(smallest, np.maximum(lower, upper), found.missing, found.empty, found.known)
