"""Operands of conditions: columns, key fields, constants, and results of arithmetic.

Each operand is evaluated in the same way on the values of rows and on the bounds of zones.
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
"""Mask of missing values; None if no value is missing."""


class ValueKind(Enum):
    """The kind of a value: only values of the same kind are comparable."""

    NUMBER = "a number"
    BOOLEAN = "true or false"
    TIME = "a time"
    DURATION = "a duration"
    STRING = "a string"
    UNKNOWN = "a key field"


KINDS: Final[Mapping[str, ValueKind]] = {
    **dict.fromkeys("iuf", ValueKind.NUMBER),
    **dict.fromkeys("TUS", ValueKind.STRING),
    "b": ValueKind.BOOLEAN,
    "M": ValueKind.TIME,
    "m": ValueKind.DURATION,
}
"""The kinds of values by NumPy's code for the kind of a dtype; complex dtypes have none."""


def kind_of(dtype: np.dtype[Any]) -> ValueKind:
    """Return the kind of values of a dtype, which must not be complex."""
    return KINDS[dtype.kind]


@frozen(eq=False)
class Values:
    """Values of an operand in rows, or one value for all rows; data are undefined where a value is missing."""

    data: NDArray[Any]
    missing: Missing = None


@frozen(eq=False)
class Rows:
    """Columns by path of the variable, and values of key fields by name.

    Attributes
    ----------
    columns
        The arrays and scalars.
    """

    columns: Mapping[str, Any]
    _read: dict[str, Values] = field(factory=dict, init=False)

    def values(self, path: str, variable: VariableSchema) -> Values:
        """Return a column with its mask of missing values, which is computed once."""
        if path not in self._read:
            data = np.asarray(self.columns[path])
            self._read[path] = Values(_as_numbers(data), missing_in(data, variable.fill_value))
        return self._read[path]


def missing_in(data: NDArray[Any], fill: Any) -> Missing:
    """Return the mask of missing values: NaN, NaT and the fill value, if `fill` is not None."""
    kind = data.dtype.kind
    found: Missing = np.isnan(data) if kind == "f" else np.isnat(data) if kind in "mM" else None
    if fill is not None and fill == fill:  # noqa: PLR0124 - NaN and NaT differ from themselves
        filled = data == fill
        found = filled if found is None else found | filled
    return found if found is not None and found.any() else None


def _as_numbers(data: NDArray[Any]) -> NDArray[Any]:
    """Return times as int64, booleans as int8, and all other values unchanged."""
    if data.dtype.kind in "mM":
        return data.view(np.int64)
    return data.view(np.int8) if data.dtype.kind == "b" else data


def either(left: Missing, right: Missing) -> Missing:
    """Return the union of two masks."""
    if left is None or right is None:
        return right if left is None else left
    return left | right


class Operand(ABC):
    """An expression with one value for each row.

    Attributes
    ----------
    dtype
        Dtype of the values; int64 for computed integers of any size.
    kind
        Kind of the values.
    is_weak
        Whether the operand adopts the dtype of the other operand, as literal numbers do.
    bits
        Maximum size of the integers in bits.
    """

    dtype: np.dtype[Any]
    kind: ValueKind
    is_weak: bool
    bits: int

    @abstractmethod
    def values(self, rows: Rows) -> Values:
        """Return the values in the rows."""

    @abstractmethod
    def bounds(self, zones: Mapping[str, Zones]) -> Zones:
        """Return the bounds of the values in zones, as numbers."""

    @property
    def is_integer(self) -> bool:
        """Whether the values are integers."""
        return self.dtype.kind != "f"


def float_type(left: Operand, right: Operand) -> np.dtype[Any]:
    """Return the dtype that NumPy uses for float arithmetic on two operands."""
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
        """The dtype of the numbers in arithmetic and comparisons."""
        return _as_numbers(np.empty(0, self.variable.dtype)).dtype

    @property
    def kind(self) -> ValueKind:  # type: ignore[override]
        """The kind of values of the declared dtype."""
        return kind_of(self.variable.dtype)

    @property
    def bits(self) -> int:  # type: ignore[override]
        """The size of the dtype in bits."""
        return self.dtype.itemsize * 8

    def values(self, rows: Rows) -> Values:  # noqa: D102
        return rows.values(self.path, self.variable)

    def bounds(self, zones: Mapping[str, Zones]) -> Zones:  # noqa: D102
        found = zones.get(self.path)
        if found is None:
            return Zones.unknown()
        if self.kind is ValueKind.STRING:
            nothing = Zones.unknown()
            return Zones(nothing.lower, nothing.upper, found.missing, found.empty, nothing.known)
        known = found.known
        if found.lower.dtype.kind in "fmM":  # NaN and NaT are no bounds
            known = known & (found.lower == found.lower) & (found.upper == found.upper)
        return Zones(_as_numbers(found.lower), _as_numbers(found.upper), found.missing, found.empty, known)


@frozen
class Constant(Operand):
    """A literal value, as an array of one element."""

    data: NDArray[Any] = field(eq=lambda data: data.tolist())
    kind: ValueKind = ValueKind.NUMBER

    is_weak = True

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        """The dtype of the array."""
        return self.data.dtype

    @property
    def bits(self) -> int:  # type: ignore[override]
        """The size of the integer in bits; 0 for other values."""
        return int(self.data[0]).bit_length() if self.is_integer and self.kind is not ValueKind.STRING else 0

    def values(self, rows: Rows) -> Values:  # noqa: ARG002, D102
        return Values(self.data)

    def bounds(self, zones: Mapping[str, Zones]) -> Zones:  # noqa: ARG002, D102
        return Zones.unknown() if self.kind is ValueKind.STRING else Zones.exactly(self.data)


@frozen
class KeyField(Operand):
    """The value of a field in the key of the partition."""

    name: str
    kind: ValueKind

    dtype = np.dtype(np.int64)
    is_weak = True
    bits = 64

    def values(self, rows: Rows) -> Values:  # noqa: D102
        value = rows.columns[self.name]
        return Values(string_array(value) if isinstance(value, str) else exact.integers([int(value)]))

    def bounds(self, zones: Mapping[str, Zones]) -> Zones:  # noqa: D102
        found = zones.get(self.name)
        if found is None or self.kind not in {ValueKind.NUMBER, ValueKind.BOOLEAN}:
            return Zones.unknown()
        return Zones(_as_numbers(found.lower), _as_numbers(found.upper), found.missing, found.empty, found.known)


def string_array(string: str) -> NDArray[Any]:
    """Return a string as an array of one element."""
    return np.array([string], dtype=np.dtypes.StringDType())


_CORNERS: Final[Mapping[str, tuple[tuple[int, int], ...]]] = {
    "+": ((0, 0), (1, 1)),
    "-": ((0, 1), (1, 0)),
    **dict.fromkeys(("*", "/", "//"), ((0, 0), (0, 1), (1, 0), (1, 1))),
}
"""Pairs of operand bounds (0: lower, 1: upper) whose results include the bounds of the result, by symbol."""


@frozen
class Computed(Operand):
    """Arithmetic on two operands: exact for integers, else in NumPy's float dtype.

    Attributes
    ----------
    symbol
        ``+ - * / // %``.
    left, right
        The operands, which must be numbers.
    """

    symbol: str
    left: Operand
    right: Operand

    kind = ValueKind.NUMBER

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        """int64 for integers, else NumPy's float dtype."""
        is_exact = self.left.is_integer and self.right.is_integer and self.symbol != "/"
        return np.dtype(np.int64) if is_exact else float_type(self.left, self.right)

    @property
    def is_weak(self) -> bool:  # type: ignore[override]
        """Whether both operands are weak."""
        return self.left.is_weak and self.right.is_weak

    @property
    def bits(self) -> int:  # type: ignore[override]
        """The maximum size of an integer result in bits."""
        left, right = self.left.bits, self.right.bits
        return left + right if self.symbol == "*" else max(left, right) + 1

    def values(self, rows: Rows) -> Values:  # noqa: D102
        left, right = self.left.values(rows), self.right.values(rows)
        missing = either(left.missing, right.missing)
        if not self.is_integer:
            data = exact.ARITHMETIC[self.symbol](*(exact.as_floats(side.data, self.dtype) for side in (left, right)))
            nan = np.isnan(data)
            return Values(data, either(missing, nan if nan.any() else None))
        # A large fill value must not force the conversion of all values to objects.
        ones, twos = (
            side.data if side.missing is None else np.where(side.missing, 0, side.data) for side in (left, right)
        )
        if self.symbol in {"//", "%"} and (undefined := twos == 0).any():
            twos, missing = np.where(undefined, 1, twos), either(missing, undefined)
        return Values(exact.computed(self.symbol, ones, twos), missing)

    def bounds(self, zones: Mapping[str, Zones]) -> Zones:
        """Return the bounds, computed from the bounds of the operands; this is valid because rounding is monotonic."""
        left, right = self.left.bounds(zones), self.right.bounds(zones)
        empty, known = left.empty | right.empty, left.known & right.known
        sides = [self._as_computed(left, known), self._as_computed(right, known)]
        if self.symbol == "%" or (self.symbol == "//" and not self.is_integer):
            known = np.zeros_like(known)
        if not self.is_integer:
            known = known & reduce(operator.and_, (np.isfinite(bound) for side in sides for bound in side))
        if self.symbol in {"/", "//"}:
            lower, upper = sides[1]
            known = known & ((lower > 0) | (upper < 0))
            sides[1] = [np.where(known, bound, 1) for bound in sides[1]]
        found = [self._function(sides[0][one], sides[1][other]) for one, other in _CORNERS.get(self.symbol, ((0, 0),))]
        missing = left.missing | right.missing | ~known
        return Zones(reduce(np.minimum, found), reduce(np.maximum, found), missing=missing, empty=empty, known=known)

    def _as_computed(self, side: Zones, known: NDArray[np.bool_]) -> list[NDArray[Any]]:
        """Return lower and upper bounds in the dtype of the computation; unknown bounds become 0."""
        bounds = [np.where(known, bound, 0) for bound in (side.lower, side.upper)]
        return bounds if self.is_integer else [exact.as_floats(bound, self.dtype) for bound in bounds]

    def _function(self, left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
        if self.is_integer:
            return exact.computed(self.symbol, left, np.where(right == 0, 1, right) if self.symbol == "%" else right)
        return exact.ARITHMETIC[self.symbol](left, right)


@frozen
class Absolute(Operand):
    """The absolute value of a number."""

    operand: Operand

    kind = ValueKind.NUMBER

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        """int64 for signed integers, else the dtype of the operand."""
        return self.operand.dtype if self.operand.dtype.kind in "fu" else np.dtype(np.int64)

    @property
    def is_weak(self) -> bool:  # type: ignore[override]
        """Whether the operand is weak."""
        return self.operand.is_weak

    @property
    def bits(self) -> int:  # type: ignore[override]
        """The size of the operand in bits."""
        return self.operand.bits

    def values(self, rows: Rows) -> Values:  # noqa: D102
        found = self.operand.values(rows)
        data = found.data if found.missing is None or not self.is_integer else np.where(found.missing, 0, found.data)
        return Values(exact.absolute(data), found.missing)

    def bounds(self, zones: Mapping[str, Zones]) -> Zones:  # noqa: D102
        found = self.operand.bounds(zones)
        lower, upper = exact.absolute(found.lower), exact.absolute(found.upper)
        includes_zero = (found.lower <= 0) & (found.upper >= 0)
        smallest = np.where(includes_zero, np.zeros(1, lower.dtype), np.minimum(lower, upper))
        return Zones(smallest, np.maximum(lower, upper), found.missing, found.empty, found.known)
