"""Compact JSON for columns of values: numbers as bytes, strings joined, repeated values stored once."""

import base64
import sys
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from zcollection.errors import CorruptionError

_INTEGERS: Final = {
    f"int{8 * size}": (code, range(-(2 ** (8 * size - 1)), 2 ** (8 * size - 1)))
    for code, size in zip("bhiq", (1, 2, 4, 8), strict=True)
}
"""Codes and limits of the integer types, smallest first."""

_CODES: Final = {name: code for name, (code, _) in _INTEGERS.items()} | {"float64": "d"}
_SEPARATORS: Final = (" ", ",", ";", "|")
"""Separators of joined strings: none of them is escaped in JSON, because escaped strings are slow to parse."""


def packed_all(columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return columns as JSON values, by name."""
    return {name: packed(column) for name, column in columns.items()}


def packed(column: Sequence[Any]) -> Any:
    """Return a column as a JSON value; `unpacked` is the inverse.

    Parameters
    ----------
    column
        Values that JSON can represent, or tuples of them.

    Examples
    --------
    >>> packed(["a", "b"])
    {'joined': 'a b', 'by': ' '}
    >>> list(unpacked(packed([1, 2, 300])))
    [1, 2, 300]
    """
    kinds = set(map(type, column))
    numbers = _numbers(column, kinds)
    if numbers is not None:
        return numbers
    distinct = dict.fromkeys(column)
    if len(column) > 2 * len(distinct):
        positions = {value: at for at, value in enumerate(distinct)}
        return {"values": list(distinct), "positions": packed([positions[value] for value in column])}
    if kinds == {str}:
        text = "".join(column)
        for separator in _SEPARATORS:
            if separator not in text:
                return {"joined": separator.join(column), "by": separator}
    if kinds == {tuple} and set(map(len, column)) == {2}:
        first, last = zip(*column, strict=True)
        return {"first": packed(first), "last": packed(last)}
    return list(column)


def _numbers(column: Sequence[Any], kinds: set[type]) -> dict[str, str] | None:
    """Return numbers as the bytes of the smallest sufficient type; None if the values are not numbers of one type."""
    if kinds == {float}:
        return {"float64": _to_base64(array("d", column))}
    if kinds != {int}:
        return None
    smallest, largest = min(column), max(column)
    for name, (code, limits) in _INTEGERS.items():
        if smallest in limits and largest in limits:
            return {name: _to_base64(array(code, column))}
    return None


def repeated(value: Any, times: int) -> Any:
    """Return a column of one value as a JSON value, without making the column."""
    return {"value": value, "times": times}


def unpacked(value: Any) -> Sequence[Any]:
    """Return the column from a JSON value of `packed`."""
    if isinstance(value, list):
        return list(map(_as_tuple, value))
    for name, code in _CODES.items():
        if name in value:
            return _little_endian(array(code, base64.b64decode(value[name], validate=True)))
    if "joined" in value:
        strings: list[str] = value["joined"].split(value["by"])
        return strings
    if "times" in value:
        return [_as_tuple(value["value"])] * value["times"]
    if "first" in value:
        return _Pairs(unpacked(value["first"]), unpacked(value["last"]))
    return _Repeated(unpacked(value["values"]), unpacked(value["positions"]))


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value


class Columns(Mapping[str, Sequence[Any]]):
    """Columns by name, each computed at its first access: a reader of one partition needs few of them.

    Parameters
    ----------
    names
        Names of the columns.
    make
        Returns the column with a name.
    """

    __slots__ = ("_made", "_make", "_names")

    def __init__(self, names: Collection[str], make: Callable[[str], Sequence[Any]]) -> None:
        self._names, self._make = names, make
        self._made: dict[str, Sequence[Any]] = {}

    @classmethod
    def unpacked(cls, packed: Mapping[str, Any]) -> "Columns":
        """Return the columns from a value of `packed_all`."""
        return cls(packed.keys(), lambda name: unpacked(packed[name]))

    def __getitem__(self, name: str) -> Sequence[Any]:
        if name not in self._made:
            try:
                self._made[name] = self._make(name)
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                message = f"column {name!r} of the partitions cannot be parsed: {error!r}"
                raise CorruptionError(message) from error
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class _Repeated(Sequence[Any]):
    """A column with few distinct values, stored once each."""

    __slots__ = ("_positions", "_values")

    def __init__(self, values: Sequence[Any], positions: Sequence[int]) -> None:
        self._values, self._positions = values, positions

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return _Repeated(self._values, self._positions[at])
        return self._values[self._positions[at]]

    def __iter__(self) -> Iterator[Any]:
        return map(self._values.__getitem__, self._positions)


class _Pairs(Sequence[Any]):
    """A column of pairs, stored as two columns."""

    __slots__ = ("_first", "_last")

    def __init__(self, first: Sequence[Any], last: Sequence[Any]) -> None:
        self._first, self._last = first, last

    @property
    def columns(self) -> tuple[Sequence[Any], Sequence[Any]]:
        """The two columns."""
        return self._first, self._last

    def __len__(self) -> int:
        return max(len(self._first), len(self._last))

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return _Pairs(self._first[at], self._last[at])
        return self._first[at], self._last[at]


def split_pairs(pairs: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any], Sequence[bool]]:
    """Return the first and the last values of pairs as two columns, and for each pair whether it is not None.

    Examples
    --------
    >>> split_pairs([(1, 2), None])
    ([1, 0], [2, 0], [True, False])
    """
    if isinstance(pairs, _Pairs):
        return (*pairs.columns, [True] * len(pairs))
    present = [pair is not None for pair in pairs]
    filled = [pair or (0, 0) for pair in pairs]
    return [first for first, _ in filled], [last for _, last in filled], present


def _to_base64(numbers: "array[Any]") -> str:
    return base64.b64encode(_little_endian(numbers).tobytes()).decode()


def _little_endian(numbers: "array[Any]") -> "array[Any]":
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
