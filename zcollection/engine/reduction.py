"""Results combined in the order of their positions, in whatever order they arrive."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from attrs import define, field

R = TypeVar("R")


@define(eq=False)
class AdjacentResults(Generic[R]):
    """Results of neighbours combined as soon as both are there: only those are held whose neighbours are missing.

    Attributes
    ----------
    combine
        Takes the results of two neighbouring runs of positions, and returns that of both.

    Examples
    --------
    >>> results = AdjacentResults("{}{}".format)
    >>> for position, text in [(2, "c"), (0, "a"), (1, "b")]:
    ...     results.add(position, text)
    >>> results.whole()
    'abc'
    """

    combine: Callable[[R, R], R]
    _by_start: dict[int, tuple[int, R]] = field(factory=dict, init=False)
    _starts: dict[int, int] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def add(self, position: int, result: R) -> None:
        """Add the result of one position; may be called on any thread."""
        start, stop = position, position + 1
        while True:
            with self._lock:
                before, after = self._taken_before(start), self._by_start.pop(stop, None)
                if after is not None:
                    del self._starts[after[0]]
                if before is None and after is None:
                    self._by_start[start] = stop, result
                    self._starts[stop] = start
                    return
            # Outside of the lock: it may take long.
            if before is not None:
                start, result = before[0], self.combine(before[1], result)
            if after is not None:
                stop, result = after[0], self.combine(result, after[1])

    def _taken_before(self, start: int) -> tuple[int, R] | None:
        """Return the run that ends at a position, with its start, and forget it."""
        if start not in self._starts:
            return None
        first = self._starts.pop(start)
        return first, self._by_start.pop(first)[1]

    def whole(self) -> R | None:
        """Return the result of all positions, None where there are none."""
        return next((result for _, result in self._by_start.values()), None)
