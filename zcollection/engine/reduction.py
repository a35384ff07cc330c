"""Combines results in the order of their positions, although they arrive in any order."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from attrs import define, field

R = TypeVar("R")


@define(eq=False)
class AdjacentResults(Generic[R]):
    """Combines results of neighbouring positions as soon as both exist; only results without a neighbour are stored.

    Attributes
    ----------
    combine
        Takes the results of two neighbouring runs of positions, and returns their combination.

    Examples
    --------
    >>> results = AdjacentResults("{}{}".format)
    >>> for position, text in [(2, "c"), (0, "a"), (1, "b")]:
    ...     results.add(position, text)
    >>> results.result()
    'abc'
    """

    combine: Callable[[R, R], R]
    _by_start: dict[int, tuple[int, R]] = field(factory=dict, init=False)
    _starts: dict[int, int] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def add(self, position: int, result: R) -> None:
        """Add the result of one position; thread-safe."""
        start, stop = position, position + 1
        while True:
            with self._lock:
                before, after = self._pop_before(start), self._by_start.pop(stop, None)
                if after is not None:
                    del self._starts[after[0]]
                if before is None and after is None:
                    self._by_start[start] = stop, result
                    self._starts[stop] = start
                    return
            # Without the lock: combining may take long.
            if before is not None:
                start, result = before[0], self.combine(before[1], result)
            if after is not None:
                stop, result = after[0], self.combine(result, after[1])

    def _pop_before(self, start: int) -> tuple[int, R] | None:
        """Remove the run that ends at a position, and return its start and its result; None if there is no such run."""
        if start not in self._starts:
            return None
        first = self._starts.pop(start)
        return first, self._by_start.pop(first)[1]

    def result(self) -> R | None:
        """Return the combined result of all positions; None if there are none."""
        return next((result for _, result in self._by_start.values()), None)
