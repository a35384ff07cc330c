"""Missing partitions between the first and the last one: periods without rows, missing cycles and passes."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final

from zcollection.plugin import Key, Partitioning
from zcollection_coverage.periods import Periods

MOST: Final = 100_000
"""The largest number of candidate partitions that are checked."""


def absent(partitioning: Partitioning, keys: Sequence[Key], periods: Periods | None) -> tuple[Key, ...]:
    """Return the keys that are missing between the first and the last one, in order.

    With a partitioning by date, the candidates are all periods. With integer keys, such as cycle and pass, they are every number of
    the first field from the smallest to the largest, combined with every existing combination of the other fields. With text or
    boolean keys the result is empty, because the expected keys are unknown.

    Raises
    ------
    OverflowError
        There are more than `MOST` candidates.
    """
    if not keys:
        return ()
    candidates = _periods(periods) if periods is not None else _numbers(partitioning, keys)
    existing = set(keys)
    return tuple(key for key in candidates if key not in existing)


def _periods(periods: Periods) -> Iterator[Key]:
    _check(int(periods.numbers.max() - periods.numbers.min()) + 1)
    return periods.between()


def _numbers(partitioning: Partitioning, keys: Sequence[Key]) -> Iterator[Key]:
    if any(item.text or item.boolean for item in partitioning.fields):
        return
    first, *rest_names = (item.name for item in partitioning.fields)
    # The last field of a grouped sequence increases in steps of its size; with a single field, the last one is the first.
    step = getattr(partitioning, "size", 1) if not rest_names else 1
    numbers = [int(key[first]) for key in keys]
    combinations = sorted({tuple(key[name] for name in rest_names) for key in keys})
    outer = range(min(numbers), max(numbers) + 1, step)
    _check(len(outer) * len(combinations))
    smallest, largest = min(keys), max(keys)
    for number, rest in product(outer, combinations):
        key = Key({first: number, **dict(zip(rest_names, rest, strict=True))})
        if smallest < key < largest:
            yield key


def _check(count: int) -> None:
    if count > MOST:
        message = f"{count:,} partitions are possible between the first and the last one; accepted: up to {MOST:,}; select fewer with filters"
        raise OverflowError(message)
