"""Reductions over a window that slides along the axis, one block of rows at a time."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from zcollection_view_along_track.columns import absent

Reduce = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Function that reduces the last dimension, in which NaN marks values outside the window."""

_BLOCK: Final = 1 << 21
"""Number of elements that are gathered at once."""


def counted(values: NDArray[np.float64], depth: int, reduce: Reduce) -> NDArray[np.float64]:
    """Reduce windows with `depth` rows on each side of every row; windows at the ends contain fewer rows."""
    depth = min(depth, len(values))  # a window never has more rows than the input
    edge = np.full((depth, *values.shape[1:]), np.nan)
    padded = np.concatenate([edge, values, edge])
    result = np.empty_like(values)
    for block in _blocks(len(values), 2 * depth + 1, values):
        part = padded[block.start : block.stop + 2 * depth]
        result[block] = reduce(np.lib.stride_tricks.sliding_window_view(part, 2 * depth + 1, axis=0))
    return result


def timed(
    values: NDArray[np.float64], axis: NDArray[Any], window: np.timedelta64, reduce: Reduce
) -> NDArray[np.float64]:
    """Reduce windows of a duration centred on every row.

    Parameters
    ----------
    values
        Shape (rows, …).
    axis
        Times in ascending order, missing ones last; shape (rows,).
    window
        Total length of the window, both ends included.
    reduce
        The reduction.
    """
    present = int(np.count_nonzero(~absent(axis)))
    times = axis[:present]
    half = half_of(window)
    first, stop = np.searchsorted(times, times - half, "left"), np.searchsorted(times, times + half, "right")
    result = np.full(values.shape, np.nan)
    longest = int((stop - first).max(initial=0))
    for block in _blocks(present, longest, values):
        positions = first[block, None] + np.arange(longest)
        seen = values[np.minimum(positions, present - 1)]
        seen[positions >= stop[block, None]] = np.nan
        result[block] = reduce(np.moveaxis(seen, 1, -1))
    return result


def half_of(window: np.timedelta64) -> np.timedelta64:
    """Return half of a duration; an odd duration is first converted to the next finer unit."""
    finer = {
        "W": "h",
        "D": "h",
        "h": "m",
        "m": "s",
        "s": "ms",
        "ms": "us",
        "us": "ns",
        "ns": "ps",
        "ps": "fs",
        "fs": "as",
    }
    unit, count = np.datetime_data(window.dtype)
    if int(window.astype(np.int64)) * count % 2 and unit in finer:
        window = window.astype(f"timedelta64[{finer[unit]}]")
    return window // 2


def _blocks(rows: int, window: int, values: NDArray[Any]) -> Iterator[slice]:
    width = max(1, window * int(np.prod(values.shape[1:], dtype=np.int64)))
    step = max(1, _BLOCK // width)
    yield from (slice(start, min(start + step, rows)) for start in range(0, rows, step))


def mean(seen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the values that are not NaN; NaN if there are none."""
    present = ~np.isnan(seen)
    count = present.sum(axis=-1)
    total = np.where(present, seen, 0.0).sum(axis=-1)
    with np.errstate(invalid="ignore"):
        result: NDArray[np.float64] = total / np.where(count, count, np.nan)
    return result


def median(seen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of the values that are not NaN; NaN if there are none."""
    ordered = np.sort(seen, axis=-1)  # NaN sorts last; without values, the median is NaN
    last = np.maximum(np.count_nonzero(~np.isnan(seen), axis=-1) - 1, 0)[..., None]
    low, high = (np.take_along_axis(ordered, place, axis=-1) for place in (last // 2, last - last // 2))
    result: NDArray[np.float64] = ((low + high) / 2)[..., 0]
    return result


def least(reduce: Reduce, minimum: int) -> Reduce:
    """Return a reduction whose result is NaN for windows with fewer than `minimum` values."""

    def reduced(seen: NDArray[np.float64]) -> NDArray[np.float64]:
        enough = np.count_nonzero(~np.isnan(seen), axis=-1) >= minimum
        return np.where(enough, reduce(seen), np.nan)

    return reduced
