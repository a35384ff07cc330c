"""Exact arithmetic and comparisons of arrays: integers never wrap, and are never rounded without notice.

Integers are int8 to uint64, or Python integers in an array of objects; floats are NumPy floats. The result for two elements
depends only on their values, and not on the other elements or the dtypes: results for bounds of zones and for rows must
agree.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_Function = Callable[[Any, Any], NDArray[Any]]

ARITHMETIC: Final[Mapping[str, _Function]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.true_divide,
    "//": np.floor_divide,
    "%": np.remainder,
}
COMPARISONS: Final[Mapping[str, _Function]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
MIRRORED: Final[Mapping[str, str]] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""The symbol of the equivalent comparison with swapped operands."""

_INT64: Final = np.iinfo(np.int64)
_EXACT: Final = 2.0**53
"""From this value on, float64 cannot represent every integer."""


def integers(values: list[int]) -> NDArray[Any]:
    """Return integers as an int64 array, or as an array of objects if one is out of range."""
    fit = all(_INT64.min <= value <= _INT64.max for value in values)
    return np.array(values, dtype=np.int64 if fit else object)


def as_floats(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return numbers in a float dtype; integers of any dtype are converted by way of float64."""
    if values.dtype.kind in "iuO":
        values = values.astype(np.float64)
    floats: NDArray[Any] = values.astype(dtype, copy=False)
    return floats


def computed(symbol: str, left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """Return the result of integer arithmetic, as int64 if every result fits, else as objects; divisors must not be zero.

    Examples
    --------
    >>> computed("+", np.array([2**63 - 1]), np.array([1])).tolist()
    [9223372036854775808]
    """
    dtype = np.dtype(np.int64) if _fits(symbol, _limits(left), _limits(right)) else np.dtype(object)
    result: NDArray[Any] = ARITHMETIC[symbol](left.astype(dtype, copy=False), right.astype(dtype, copy=False))
    return result


def _limits(values: NDArray[Any]) -> tuple[int, int]:
    return (int(values.min()), int(values.max())) if values.size else (0, 0)


def _fits(symbol: str, left: tuple[int, int], right: tuple[int, int]) -> bool:
    """Return whether the operands and every possible result fit in int64."""
    limits = [*left, *right]
    if symbol == "+":
        limits += [left[0] + right[0], left[1] + right[1]]
    elif symbol == "-":
        limits += [left[0] - right[1], left[1] - right[0]]
    elif symbol == "*":
        limits += [one * other for one in left for other in right]
    else:
        limits += [-left[0]]  # divided by -1
    return _INT64.min <= min(limits) and max(limits) <= _INT64.max


def absolute(values: NDArray[Any]) -> NDArray[Any]:
    """Return absolute values; those of signed integers as int64 if they fit, else as objects."""
    if values.dtype.kind in "fu":
        return np.asarray(np.abs(values))
    low, high = _limits(values)
    fits = max(-low, high) <= _INT64.max
    return np.asarray(np.abs(values.astype(np.int64 if fits else object)))


def compared(symbol: str, left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the result of a comparison of the exact values.

    Examples
    --------
    >>> compared("==", np.array([9007199254740993]), np.array([9007199254740993.0])).tolist()
    [False]
    """
    left_is_float, right_is_float = left.dtype.kind == "f", right.dtype.kind == "f"
    if left_is_float is right_is_float:
        return COMPARISONS[symbol](left, right)
    if left_is_float:
        return compared(MIRRORED[symbol], right, left)
    near = left.astype(np.float64)
    passed = COMPARISONS[symbol](near, right)
    tied = (near == right) & (np.abs(near) >= _EXACT)  # for all others, rounding does not change the result
    if tied.any():
        wide_left, wide_right = np.broadcast_arrays(left, right)
        passed[tied] = COMPARISONS[symbol](wide_left[tied].astype(object), wide_right[tied].astype(object))
    return passed
