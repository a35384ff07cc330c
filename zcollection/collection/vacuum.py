"""What nobody needs any more, removed: stages of writers that died, and old records of the log."""

import datetime as dt
import re
from itertools import takewhile
from typing import Final

import numpy as np
from attrs import frozen

from zcollection.collection.handle import Handle
from zcollection.collection.insert import retrying
from zcollection.contracts.store import KeyStore
from zcollection.errors import SettingError
from zcollection.transaction import log
from zcollection.transaction.documents import TRANSACTIONS
from zcollection.transaction.transaction import begin, write_checkpoint

Duration = str | dt.timedelta | np.timedelta64

_SECONDS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_STAGE: Final = f"{TRANSACTIONS}/stage/"
_CLOCK: Final = f"{TRANSACTIONS}/clock"


@frozen(kw_only=True)
class VacuumReport:
    """What `vacuum` removed.

    Attributes
    ----------
    stages
        Stages of writers that died.
    bytes
        Size of the objects in them; those that share their bytes with a partition free none.
    versions
        Records of the log that were folded into the history.
    """

    stages: int
    bytes: int
    versions: int


async def vacuum(handle: Handle, *, older_than: Duration) -> VacuumReport:
    """Remove what nobody needs; see `Collection.vacuum`."""
    age = _seconds(older_than)
    handle.store.check_writable()
    return await retrying(lambda: _vacuum(handle, age))


async def _vacuum(handle: Handle, age: float) -> VacuumReport:
    store = handle.store
    limit = await _now(store) - age
    stages = {transaction: size for transaction, (newest, size) in (await _stages(store)).items() if newest <= limit}
    async with begin(store, handle.configuration, "vacuum") as transaction:
        # Part of the log: a writer that is only slow meets a conflict instead of a stage that is gone.
        transaction.removed = tuple(sorted(stages))
        await transaction.commit()
    return VacuumReport(stages=len(stages), bytes=sum(stages.values()), versions=await _fold(handle, limit))


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


async def _fold(handle: Handle, limit: float) -> int:
    """Fold the records that are old enough, up to the one that the catalog holds, and return how many."""
    store = handle.store
    async with store.lock():
        newest = await write_checkpoint(store, handle.configuration)
        times = sorted((await log.times(store)).items())
        # From the oldest on, up to the first that is too young: between two records there is never one missing.
        old = {number for number, _ in takewhile(lambda item: item[0] < newest and item[1] <= limit, times)}
        versions = [version for version in await log.every(store) if version.number in old]
        await log.fold(store, versions)
        return len(versions)


def _seconds(duration: Duration) -> float:
    if isinstance(duration, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h|d)\s*", duration)
        seconds = float(match[1]) * _SECONDS[match[2]] if match else -1.0
    else:
        seconds = float(np.timedelta64(duration) / np.timedelta64(1, "us")) / 1e6
    if not 0 <= seconds < float("inf"):
        message = f"older_than={duration!r}; accepted: a duration such as '24h', '30min' or '7d', or a timedelta, not negative"
        raise SettingError(message)
    return seconds
