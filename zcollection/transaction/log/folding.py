"""The log kept short: records that no catalog needs any more are moved to the history, by commits and by `vacuum`."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Final

from zcollection.contracts.store import KeyStore
from zcollection.errors import ConflictError, CorruptionError
from zcollection.transaction.log import commit_log, history
from zcollection.transaction.version import Version

FOLDED: Final = 16
"""Versions after which a commit moves records to the history."""

_AT_ONCE: Final = 1024
"""Records that are moved at once: those that were not moved for long are moved by several commits."""


async def fold(store: KeyStore, before: int, *, until: float = float("inf"), known: Sequence[Version] = ()) -> int:
    """Move the records of versions before one to the history, and return how many.

    The caller holds the lock, where there is one, and all that they staged lies in its place.

    Parameters
    ----------
    store
        Where.
    before
        The version up to which, which stays.
    until
        Time, by the store's clock, of the youngest record that may be moved.
    known
        Versions whose records the caller has read from this log; they are not read again.
    """
    times = sorted((await commit_log.times(store)).items())
    # From the oldest on, up to the first that is too young: between two records there is never one missing.
    old = [number for number, _ in takewhile(lambda item: item[0] < before and item[1] <= until, times)][:_AT_ONCE]
    if not old:
        return 0
    with suppress(ConflictError, CorruptionError):  # another one folds, or verify() is to tell of it
        await history.fold(store, await history.between(store, old[0], old[-1], known))
        return len(old)
    return 0
