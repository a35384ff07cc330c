"""Folding of the log: commits and `vacuum` move the records that the catalog no longer needs to the history."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Final

from attrs import evolve

from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore
from zcollection.engine.work import perform_one
from zcollection.errors import ConflictError, CorruptionError
from zcollection.transaction.log import commit_log, history, history_files
from zcollection.transaction.log.commit_log import mark_key, record_key
from zcollection.transaction.log.records import describe_foreign, last_gap
from zcollection.transaction.version import Version

FOLDED: Final = 16
"""Number of versions after which a commit moves records to the history."""

_MOST_MOVED: Final = 1024
"""Largest number of records moved at once; a longer backlog is moved by several commits."""


async def fold(store: KeyStore, before: int, *, until: float = float("inf"), known: Sequence[Version] = ()) -> int:
    """Move the records of versions before `before` to the history, and return how many.

    The caller holds the lock, if the store has one, and all these versions are published.

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
        last = await _remove_folded(store, [number for number, _ in times])
        old = [number for number in old if number > last]
        if not old:
            return 0
        await _move(store, await history.between(store, old[0], old[-1], known))
        return len(old)
    return 0


async def _remove_folded(store: KeyStore, logged: Sequence[int]) -> int:
    """Remove records that the history already contains from the log, and return the newest version in the history.

    A writer leaves such records when it dies while it folds the log, or before it finds that its number is in use; in the
    latter case they are followed by a gap in the log.

    Parameters
    ----------
    store
        The store of the collection.
    logged
        The versions that have a record in the log, in order.

    Raises
    ------
    CorruptionError
        The history is that of another log.
    """
    last = await history_files.last_version(store)
    leftover = [number for number in logged if number <= last]
    if not leftover:
        return last
    folded = {item.number: item for item in await perform_one(store, history_files.folded(leftover[0], last))}
    records = await store.get([Read(record_key(number)) for number in leftover])
    others = [
        number
        for number, data in zip(leftover, records, strict=True)
        if data is not None and (number not in folded or not folded[number].id.is_of(data))
    ]
    gap = last_gap(logged)
    if any(number > gap for number in others):
        message = f"{describe_foreign(others)} of {store.url}; call repair()"
        raise CorruptionError(message)
    await store.delete(map(record_key, leftover))
    await store.delete(map(mark_key, leftover))
    return last


async def _move(store: KeyStore, versions: Sequence[Version]) -> None:
    """Move the oldest versions from the log to the history; idempotent."""
    if not versions:
        return
    # Pending versions are published by now: a checkpoint contains only published versions.
    await store.put(history_files.dump([evolve(version, pending=(), tag=None) for version in versions]))
    # Records first: a record without its mark would look unpublished, a mark without its record is harmless.
    await store.delete(record_key(version.number) for version in versions)
    await store.delete(mark_key(version.number) for version in versions)
    await history_files.join(store)
