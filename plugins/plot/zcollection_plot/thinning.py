"""Which rows of many are drawn: spread over all of them, and close enough together that few chunks hold them."""

import math
from collections.abc import Iterable
from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

WIDEST: Final = 16
"""Of how many rows of a chunk that is read at least one is drawn: what is read is no more than about so many times what is drawn."""

GOLDEN: Final = (math.sqrt(5) - 1) / 2
"""Its multiples, without their whole part, fill the range from 0 to 1 evenly, and in step with nothing."""


@frozen(eq=False)
class Thinned:
    """Rows that are drawn.

    Attributes
    ----------
    positions
        int64, ascending: which of all rows.
    every
        How far apart they are within what is read without a break.
    total
        How many rows there are.
    """

    positions: NDArray[np.int64]
    every: int
    total: int

    @property
    def is_apart(self) -> NDArray[np.bool_]:
        """Which of them are further than that from the one before; shape (rows - 1,)."""
        return np.diff(self.positions) > self.every


def every_nth(total: int, limit: int) -> Thinned:
    """Return at most so many of rows that are in memory.

    Examples
    --------
    >>> every_nth(7, 3).positions.tolist()
    [0, 3, 6]
    """
    every = max(-(-total // limit), 1)
    return Thinned(np.arange(0, total, every), every, total)


def some_of(blocks: NDArray[np.int64], limit: int) -> Thinned:
    """Return at most so many of rows that are to be read, in few blocks.

    Up to `WIDEST` times as many rows as may be drawn are read; of more, whole blocks are left out: one of each group is read, at a
    place in its group that moves along, so that no regular order of blocks, such as passes that go up and down in turn, is met.

    Parameters
    ----------
    blocks
        The rows of each block that is read at once, such as a chunk, in order; int64, each at least 1.
    limit
        Rows that may be drawn.

    Examples
    --------
    >>> some_of(np.full(1000, 64), 100).positions.size
    100
    """
    total = int(blocks.sum())
    if total <= limit * WIDEST:
        return every_nth(total, limit)
    together = min(-(-total // (limit * WIDEST)), len(blocks))
    groups = np.arange(0, len(blocks), together)
    place = (np.arange(1, len(groups) + 1) * GOLDEN) % 1
    lengths = np.minimum(together, len(blocks) - groups)
    chosen = groups + (place * lengths).astype(np.int64)
    starts, counts = (np.cumsum(blocks) - blocks)[chosen], blocks[chosen]
    every = max(-(-int(counts.sum()) // limit), 1)
    number = np.arange(0, counts.sum(), every)
    block = np.searchsorted(np.cumsum(counts), number, side="right")
    positions = starts[block] + number - (np.cumsum(counts) - counts)[block]
    return Thinned(positions, every, total)


def blocks_of(ranges: Iterable[NDArray[np.int64]], length: int) -> NDArray[np.int64]:
    """Return how many of the rows asked for lie in each block of each partition, of those blocks that have any.

    Parameters
    ----------
    ranges
        Of each partition the rows asked for, as runs: int64, shape (runs, 2), the first row and that after the last.
    length
        Rows of a block.

    Examples
    --------
    >>> blocks_of([np.array([[0, 5], [9, 20]]), np.array([[0, 3]])], 8).tolist()
    [5, 7, 4, 3]
    """
    found = [np.empty(0, np.int64)]
    for runs in ranges:
        if len(runs):
            edges = np.arange(runs[0, 0] // length, -(-runs[-1, 1] // length) + 1) * length
            counts = np.diff(_rows_before(runs, edges))
            found.append(counts[counts > 0])
    return np.concatenate(found)


def _rows_before(runs: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[np.int64]:
    lengths = runs[:, 1] - runs[:, 0]
    last = np.searchsorted(runs[:, 0], edges, side="left") - 1
    at = np.maximum(last, 0)
    within = np.clip(edges - runs[at, 0], 0, lengths[at])
    return np.where(last < 0, 0, (np.cumsum(lengths) - lengths)[at] + within)
