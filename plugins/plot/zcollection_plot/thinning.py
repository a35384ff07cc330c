"""The selection of rows to draw: spread over all rows, but in few chunks."""

import math
from collections.abc import Iterable
from typing import Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

WIDEST: Final = 16
"""The largest ratio of rows read to rows drawn, approximately."""

GOLDEN: Final = (math.sqrt(5) - 1) / 2
"""The fractional parts of its multiples are evenly distributed between 0 and 1, without a period."""


@frozen(eq=False)
class Thinned:
    """The rows to draw.

    Attributes
    ----------
    positions
        The positions of the rows: int64, ascending.
    every
        The distance between rows in the same block.
    total
        The number of all rows.
    """

    positions: NDArray[np.int64]
    every: int
    total: int

    @property
    def is_apart(self) -> NDArray[np.bool_]:
        """Whether a row is further than `every` from the previous one; shape (rows - 1,)."""
        return np.diff(self.positions) > self.every


def every_nth(total: int, limit: int) -> Thinned:
    """Return at most `limit` of the rows in memory: every n-th.

    Examples
    --------
    >>> every_nth(7, 3).positions.tolist()
    [0, 3, 6]
    """
    every = max(-(-total // limit), 1)
    return Thinned(np.arange(0, total, every), every, total)


def some_of(blocks: NDArray[np.int64], limit: int) -> Thinned:
    """Return at most `limit` of the rows to read, in few blocks.

    At most about `WIDEST` times `limit` rows are read. If there are more, one block of each group of blocks is read. Its position in
    the group changes, to avoid aliasing with periodic blocks such as ascending and descending passes.

    Parameters
    ----------
    blocks
        The rows of each block that is read at once, such as a chunk, in order; int64, each at least 1.
    limit
        The largest number of rows to draw.

    Examples
    --------
    >>> some_of(np.full(1000, 64), 100).positions.size
    100
    """
    total = int(blocks.sum())
    if total <= limit * WIDEST:
        return every_nth(total, limit)
    group_size = min(-(-total // (limit * WIDEST)), len(blocks))
    groups = np.arange(0, len(blocks), group_size)
    fraction = (np.arange(1, len(groups) + 1) * GOLDEN) % 1
    lengths = np.minimum(group_size, len(blocks) - groups)
    chosen = groups + (fraction * lengths).astype(np.int64)
    starts, counts = (np.cumsum(blocks) - blocks)[chosen], blocks[chosen]
    every = max(-(-int(counts.sum()) // limit), 1)
    number = np.arange(0, counts.sum(), every)
    block = np.searchsorted(np.cumsum(counts), number, side="right")
    positions = starts[block] + number - (np.cumsum(counts) - counts)[block]
    return Thinned(positions, every, total)


def blocks_of(ranges: Iterable[NDArray[np.int64]], length: int) -> NDArray[np.int64]:
    """Return the number of selected rows in each block of each partition, without empty blocks.

    Parameters
    ----------
    ranges
        The selected rows of each partition as runs: int64, shape (runs, 2), the first row and the one after the last.
    length
        The number of rows in a block.

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
