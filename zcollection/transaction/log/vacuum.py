"""Vacuum: remove staging areas of dead writers and versions that are not kept, and fold old commit records."""

import datetime as dt
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from attrs import evolve

from zcollection.contracts.store import KeyStore
from zcollection.model.names import join
from zcollection.transaction.documents import IMMUTABLE, TRANSACTIONS, Configuration
from zcollection.transaction.log import checkpoints, folding, history, in_place
from zcollection.transaction.log.catalog_writing import write_checkpoint
from zcollection.transaction.log.transaction import LogTransaction, begin
from zcollection.transaction.reports import VacuumReport
from zcollection.transaction.retention import Retention, needed
from zcollection.transaction.version import KEPT, Version, kept_at

_STAGE: Final = f"{TRANSACTIONS}/stage/"
_CLOCK: Final = f"{TRANSACTIONS}/clock"


async def vacuum(store: KeyStore, configuration: Configuration, older_than: float) -> VacuumReport:
    """Remove what no reader needs and is older than `older_than` seconds."""
    limit = await _now(store) - older_than
    stages = {transaction: size for transaction, (newest, size) in (await _stages(store)).items() if newest <= limit}
    leftovers = await _leftovers(store, configuration, stages)
    # Committed to the log: a writer that is only slow gets a conflict instead of a missing staging area.
    async with begin(store, configuration, "vacuum", candidates=leftovers) as transaction:
        for version in transaction.base.pending:
            stages.pop(version.transaction, None)  # readers still read from its staging area
        transaction.removed = tuple(sorted(stages))
        for path in await _leftovers(store, configuration, stages):
            if transaction.base.record(path) is None:
                transaction.clear(path)
        current = await _with_retention(store, configuration, transaction)
        await transaction.commit()
    groups, size = await _remove_unneeded_groups(store)
    folded = await _fold(store, current, limit)
    await _remove_segments(store, limit)
    return VacuumReport(stages=len(stages), groups=groups, bytes=sum(stages.values()) + size, versions=folded)


async def _with_retention(store: KeyStore, configuration: Configuration, transaction: LogTransaction) -> Configuration:
    """Add the shortened retention to the change, and return the resulting configuration.

    As it is part of the change, no other writer can meanwhile tag a version that is removed.
    """
    retention, newest = configuration.retention, transaction.base.version
    if retention is None or retention.since is None:
        return configuration
    versions = await history.between(store, min(retention.since + 1, newest), newest)
    replaced = [dt.datetime.fromisoformat(version.time).timestamp() for version in versions]
    shorter = retention.after_vacuum(replaced, newest, dt.datetime.now(dt.UTC).timestamp())
    if shorter == retention:
        return configuration
    transaction.reconfiguration = evolve(configuration, retention=shorter)
    return transaction.reconfiguration.written_by(newest + 1)  # unless another writer has made the commit start again


async def _remove_unneeded_groups(store: KeyStore) -> tuple[int, int]:
    """Remove the kept groups that no readable version needs, and return their number and total size.

    The groups are listed before the versions are read: each listed group was kept by a version that is committed by then.
    """
    sizes = {entry.key: entry.size async for entry in store.list(KEPT, recursive=True)}
    if not sizes and not await checkpoints.kept(store):
        return 0, 0
    versions = await history.all_versions(store)
    retention = _newest_retention(versions)
    lifetimes = _lifetimes(versions)
    required = set() if retention is None else needed(lifetimes, retention)
    groups: dict[str, int] = {}
    for key, size in sizes.items():
        group = _group(key, lifetimes)
        if group not in required:
            groups[group] = groups.get(group, 0) + size
    await store.delete(groups)
    await checkpoints.remove_unneeded(store, retention)
    return len(groups), sum(groups.values())


def _newest_retention(versions: Sequence[Version]) -> Retention | None:
    """Return the retention of the newest configuration among versions."""
    documents = [version.new_configuration for version in versions if version.new_configuration is not None]
    return Configuration.load(documents[-1].encode(), what="the newest configuration").retention if documents else None


def _group(key: str, known: Collection[str]) -> str:
    """Return the prefix of the group to which an object belongs; its own key if no version contains that group."""
    stamp, *names = key.removeprefix(KEPT).split("/")
    prefixes = (kept_at(stamp, "/".join(names[:depth])) for depth in range(1, len(names)))
    return next((prefix for prefix in prefixes if prefix in known), key)


def _lifetimes(versions: Sequence[Version]) -> dict[str, list[tuple[int, int]]]:
    """Return the first and the last version that contain each group, by the prefix under which it is, or would be, kept."""
    lifetimes: dict[str, list[tuple[int, int]]] = {}
    alive: dict[str, tuple[str, int]] = {}

    def end(path: str, last: int) -> None:
        stamp, first = alive.pop(path)
        lifetimes.setdefault(kept_at(stamp, path), []).append((first, last))

    for version in versions:
        for path in version.touched & alive.keys():
            end(path, version.number - 1)
        written = [*version.partitions, *([] if version.immutable is None else [IMMUTABLE])]
        alive |= dict.fromkeys(written, (version.transaction, version.number))
    for path in list(alive):
        end(path, versions[-1].number)
    return lifetimes


async def _leftovers(store: KeyStore, configuration: Configuration, stages: Iterable[str]) -> list[str]:
    """Return the paths at which dead writers may have left objects."""
    announced = await in_place.announced(store, stages)
    return [path for each in announced for path in _leftovers_at(each, configuration)]


def _leftovers_at(path: str, configuration: Configuration) -> list[str]:
    """Return the paths of objects that a dead writer may have left at a path; only its variables if partitions may now be below it."""
    if path == IMMUTABLE or path.count("/") + 1 >= configuration.depth:
        return [path]
    variables = {name for layout in configuration.layouts for name in layout.all_variables()}
    return sorted({join(path, name.partition("/")[0]) for name in variables})


async def _remove_segments(store: KeyStore, limit: float) -> None:
    """Remove segments that neither the catalog nor a checkpoint of an older version names."""
    async with store.lock():
        unnamed = await checkpoints.unnamed_segments(store)
        await store.delete([key for key, time in unnamed.items() if time <= limit])


async def _now(store: KeyStore) -> float:
    """Return the time by the store's own clock, which dates its objects."""
    await store.put({_CLOCK: b""})
    times = [entry.modified async for entry in store.list(f"{TRANSACTIONS}/") if entry.key == _CLOCK]
    await store.delete([_CLOCK])
    return times[0] if times and times[0] is not None else 0.0


async def _stages(store: KeyStore) -> dict[str, tuple[float, int]]:
    """Return the time of the newest object, and the total size, of each staging area, by transaction."""
    found: dict[str, tuple[float, int]] = {}
    async for entry in store.list(_STAGE, recursive=True):
        transaction = entry.key.removeprefix(_STAGE).partition("/")[0]
        if re.fullmatch(r"[0-9a-f]{32}", transaction):
            newest, size = found.get(transaction, (0.0, 0))
            found[transaction] = max(newest, entry.modified or 0.0), size + entry.size
    return found


async def _fold(store: KeyStore, configuration: Configuration, limit: float) -> int:
    """Move the records that are old enough and that the catalog contains to the history, and return how many."""
    async with store.lock():
        return await folding.fold(store, await write_checkpoint(store, configuration), until=limit)
