"""Folding of the log: commits and `vacuum` move the records that the catalog no longer needs to the history."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Final

from zcollection.contracts.store import KeyStore
from zcollection.errors import ConflictError, CorruptionError
from zcollection.transaction.log import commit_log, history
from zcollection.transaction.version import Version

FOLDED: Final = 16
"""Number of versions after which a commit moves records to the history."""

_MOST_MOVED: Final = 1024
"""Largest number of records moved at once; a longer backlog is moved by several commits."""


async def fold(store: KeyStore, before: int, *, until: float = float("inf"), known: Sequence[Version] = ()) -> int:
    """Move the records of versions before `before` to the history, and return how many.

    The caller holds the lock, where the store has one, and all these versions are published.

    Parameters
    ----------
    store
        The store of the collection.
    before
        The first version whose record stays in the log.
    until
        Time, by the store's clock, of the youngest record that may be moved.
    known
        Versions whose records the caller has read from this log; they are not read again.
    """
    times = sorted((await commit_log.times(store)).items())
    # From the oldest on, up to the first that is too young, so that the log never has a gap.
    old = [number for number, _ in takewhile(lambda item: item[0] < before and item[1] <= until, times)][:_MOST_MOVED]
    if not old:
        return 0
    with suppress(ConflictError, CorruptionError):  # another writer folds, or verify() reports the damage
        last = await history.remove_folded(store, [number for number, _ in times])
        old = [number for number in old if number > last]
        if not old:
            return 0
        await history.fold(store, await history.between(store, old[0], old[-1], known))
        return len(old)
    return 0
