"""What nobody needs any more, removed: stages of writers that died, and old records of the log."""

import re
from itertools import takewhile
from typing import Final

from zcollection.contracts.store import KeyStore
from zcollection.transaction import catalog, history, in_place, log
from zcollection.transaction.documents import TRANSACTIONS, Configuration
from zcollection.transaction.reports import VacuumReport
from zcollection.transaction.transaction import begin, write_checkpoint

_STAGE: Final = f"{TRANSACTIONS}/stage/"
_CLOCK: Final = f"{TRANSACTIONS}/clock"


async def vacuum(store: KeyStore, configuration: Configuration, older_than: float) -> VacuumReport:
    """Remove what is older than so many seconds."""
    limit = await _now(store) - older_than
    stages = {transaction: size for transaction, (newest, size) in (await _stages(store)).items() if newest <= limit}
    announced = await in_place.announced(store, stages)
    # Part of the log: a writer that is only slow meets a conflict instead of a stage that is gone.
    async with begin(store, configuration, "vacuum", concern=announced) as transaction:
        for version in transaction.base.pending:
            stages.pop(version.transaction, None)  # what it staged is read there
        transaction.removed = tuple(sorted(stages))
        for path in await in_place.announced(store, stages):
            if transaction.base.record(path) is None:
                transaction.clear(path)
        await transaction.commit()
    folded = await _fold(store, configuration, limit)
    await _remove_segments(store, limit)
    return VacuumReport(stages=len(stages), bytes=sum(stages.values()), versions=folded)


async def _remove_segments(store: KeyStore, limit: float) -> None:
    """Remove segments of the catalog that writers left which died before they could name them."""
    async with store.lock():
        unnamed = await catalog.unnamed_segments(store)
        await store.delete([key for key, time in unnamed.items() if time <= limit])


async def _now(store: KeyStore) -> float:
    """Return the time by the store's own clock, which dates its objects."""
    await store.put({_CLOCK: b""})
    times = [entry.modified async for entry in store.list(f"{TRANSACTIONS}/") if entry.key == _CLOCK]
    await store.delete([_CLOCK])
    return times[0] if times and times[0] is not None else 0.0


async def _stages(store: KeyStore) -> dict[str, tuple[float, int]]:
    """Return the time of the newest object of each stage, and the size of all."""
    found: dict[str, tuple[float, int]] = {}
    async for entry in store.list(_STAGE, recursive=True):
        transaction = entry.key.removeprefix(_STAGE).partition("/")[0]
        if re.fullmatch(r"[0-9a-f]{32}", transaction):
            newest, size = found.get(transaction, (0.0, 0))
            found[transaction] = max(newest, entry.modified or 0.0), size + entry.size
    return found


async def _fold(store: KeyStore, configuration: Configuration, limit: float) -> int:
    """Fold the records that are old enough, up to the one that the catalog holds, and return how many."""
    async with store.lock():
        newest = await write_checkpoint(store, configuration)
        times = sorted((await log.times(store)).items())
        # From the oldest on, up to the first that is too young: between two records there is never one missing.
        old = {number for number, _ in takewhile(lambda item: item[0] < newest and item[1] <= limit, times)}
        versions = [version for version in await history.every(store) if version.number in old]
        await history.fold(store, versions)
        return len(versions)
