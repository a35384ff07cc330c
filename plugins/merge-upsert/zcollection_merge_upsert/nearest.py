"""One-to-one matching of two sorted columns, nearest pairs first."""

import math
from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any

import numpy as np
from numpy.typing import NDArray


def nearest_first(existing: NDArray[Any], inserted: NDArray[Any], reach: float) -> NDArray[np.bool_]:
    """Return the mask of existing values that are matched with an inserted value.

    The nearest pair within reach is matched first, then the nearest pair of the remaining values, and so on. Among pairs
    at the same distance, the earlier existing value comes first, then the later inserted value.

    Parameters
    ----------
    existing, inserted
        Numbers of the same type, shapes (n,) and (m,), each sorted and distinct; no number occurs in both.
    reach
        Largest distance of a pair, inclusive.

    Returns
    -------
    ndarray
        bool, shape (n,).

    Examples
    --------
    >>> nearest_first(np.array([0, 10, 20]), np.array([9, 12]), 5).tolist()
    [False, True, False]
    """
    both = np.concatenate([existing, inserted])
    order = np.argsort(both, kind="stable")
    column, is_inserted = both[order], order >= existing.size
    matched = np.empty(both.shape, dtype=np.bool_)
    matched[order] = _matched(column, is_inserted, reach)
    return matched[: existing.size]


def _matched(column: NDArray[Any], is_inserted: NDArray[np.bool_], reach: float) -> NDArray[np.bool_]:
    """Return which values of the merged column are matched: unambiguous pairs vectorised, the remaining ones one by one."""
    matched = np.zeros(column.shape, dtype=np.bool_)
    clear = np.flatnonzero(_nearer_than_neighbours(column, is_inserted, reach))
    matched[clear] = matched[clear + 1] = True
    left = np.flatnonzero(~matched)
    matched[left] = _matched_one_by_one(column[left], is_inserted[left], reach)
    return matched


def _pairs(
    column: NDArray[Any], is_inserted: NDArray[np.bool_], reach: float
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the distance of each value to the next one, and whether the two form a pair within reach."""
    with np.errstate(over="ignore"):  # two floats may be infinitely far apart
        distance = np.diff(column)
    return distance, (is_inserted[1:] != is_inserted[:-1]) & (distance <= reach)


def _nearer_than_neighbours(column: NDArray[Any], is_inserted: NDArray[np.bool_], reach: float) -> NDArray[np.bool_]:
    """Return the pairs of adjacent values that are matched before every other pair that shares a value with them.

    Other pairs may form only later, once the values next to a pair are matched and removed. These pairs need not be
    considered: values further away have larger distances.
    """
    distance, pair = _pairs(column, is_inserted, reach)
    before, after = distance[:-1], distance[1:]
    # Two adjacent pairs share the value between them. At the same distance, the first pair has the earlier existing value if
    # they share an inserted value, and the second pair has the later inserted value if they share an existing one.
    first = np.where(is_inserted[1:-1], before <= after, before < after)
    nearest = pair.copy()
    nearest[1:] &= ~np.where(pair[:-1], first, before < after)
    nearest[:-1] &= ~np.where(pair[1:], ~first, after < before)
    return nearest


def _matched_one_by_one(column: NDArray[Any], is_inserted: NDArray[np.bool_], reach: float) -> NDArray[np.bool_]:
    """Return which values are matched, for pairs whose result depends on the order of the matches."""
    matched = np.zeros(column.shape, dtype=np.bool_)
    _, pair = _pairs(column, is_inserted, reach)
    if pair.any():
        chain = _Chain(column.tolist(), is_inserted.tolist(), reach)
        for left in np.flatnonzero(pair).tolist():
            chain.offer(left, left + 1)
        matched[list(chain.matches())] = True
    return matched


class _Chain:
    """A linked list of the unmatched values, and a priority queue of the pairs of neighbours.

    The nearest of all pairs always consists of two neighbours. Once it is matched, the values next to it become neighbours,
    so that each match adds at most one pair to the queue.
    """

    def __init__(self, values: list[float], is_inserted: list[bool], reach: float) -> None:
        end = len(values)  # sentinel before the first and after the last value; NaN is never within reach
        self._values = [*values, math.nan]
        self._is_inserted = [*is_inserted, False]
        self._reach = reach
        self._previous = [end, *range(end)]
        self._following = [*range(1, end + 1), 0]
        self._queue: list[tuple[float, int, int]] = []

    def offer(self, left: int, right: int) -> None:
        """Queue two neighbours if they are a pair; priority: distance, earlier existing value, later inserted value."""
        distance = self._values[right] - self._values[left]
        if self._is_inserted[left] != self._is_inserted[right] and distance <= self._reach:
            kept, new = (left, right) if self._is_inserted[right] else (right, left)
            heappush(self._queue, (distance, kept, -new))

    def matches(self) -> Iterator[int]:
        """Yield the positions of the values that are matched."""
        matched: set[int] = set()
        while self._queue:
            _, kept, new = heappop(self._queue)
            pair = {kept, -new}
            if matched.isdisjoint(pair):
                matched |= pair
                yield from pair
                self._unlink(*sorted(pair))

    def _unlink(self, left: int, right: int) -> None:
        before, after = self._previous[left], self._following[right]
        self._following[before], self._previous[after] = after, before
        self.offer(before, after)
