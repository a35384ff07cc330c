"""Partitions that are not there between the first and the last one: periods without rows, missing cycles and passes."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final

from zcollection.plugin import Key, Partitioning
from zcollection_coverage.periods import Periods

MOST: Final = 100_000
"""Partitions that are looked through at most."""


def absent(partitioning: Partitioning, keys: Sequence[Key], periods: Periods | None) -> tuple[Key, ...]:
    """Return the keys that are missing between the first and the last one, in order.

    By date these are the periods without rows. Of whole numbers, such as cycle and pass, they are each number of the first field from the
    smallest to the largest, with each combination of the others that occurs in any of them. Of texts and booleans nobody
    knows what is missing: none.

    Raises
    ------
    OverflowError
        There may be more than `MOST` of them: nobody would read on.
    """
    if not keys:
        return ()
    candidates = _periods(periods) if periods is not None else _numbers(partitioning, keys)
    there = set(keys)
    return tuple(key for key in candidates if key not in there)


def _periods(periods: Periods) -> Iterator[Key]:
    _check(int(periods.numbers.max() - periods.numbers.min()) + 1)
    return periods.between()


def _numbers(partitioning: Partitioning, keys: Sequence[Key]) -> Iterator[Key]:
    if any(item.text or item.boolean for item in partitioning.fields):
        return
    first, *others = (item.name for item in partitioning.fields)
    # The last field of a grouped sequence goes up in steps of its size; of a single field that is the first.
    step = getattr(partitioning, "size", 1) if not others else 1
    numbers = [int(key[first]) for key in keys]
    combinations = sorted({tuple(key[name] for name in others) for key in keys})
    outer = range(min(numbers), max(numbers) + 1, step)
    _check(len(outer) * len(combinations))
    smallest, largest = min(keys), max(keys)
    for number, rest in product(outer, combinations):
        key = Key({first: number, **dict(zip(others, rest, strict=True))})
        if smallest < key < largest:
            yield key


def _check(count: int) -> None:
    if count > MOST:
        message = (
            f"{count:,} partitions lie between the first and the last one; accepted: up to {MOST:,}, chosen by filters"
        )
        raise OverflowError(message)
