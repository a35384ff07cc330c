"""Reading of the newest version, from the catalog and the commit log, or by listing the directories."""

from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final, TypeVar

from attrs import evolve

from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore
from zcollection.engine.work import Work, fetch, perform_one
from zcollection.errors import (
    CollectionNotFoundError,
    ConflictError,
    CorruptionError,
    SchemaChangedError,
    StoreError,
    ZCollectionError,
)
from zcollection.transaction.documents import CONFIGURATION, Configuration, PartitionRecord
from zcollection.transaction.index import catalog, tree
from zcollection.transaction.index.catalog import Checkpoint
from zcollection.transaction.index.partitions import Candidates
from zcollection.transaction.index.segments import SegmentError
from zcollection.transaction.log import commit_log, history
from zcollection.transaction.places import Place
from zcollection.transaction.snapshot import Snapshot

R = TypeVar("R")
_WALKS: Final = 20


async def take(
    store: KeyStore,
    configuration: Configuration,
    *,
    walk: bool = False,
    known: Snapshot | None = None,
    further_paths: Collection[str] = (),
    candidates: Candidates = None,
) -> Snapshot:
    """Return a snapshot of the newest version, or of its candidates.

    Parameters
    ----------
    store
        The store of the collection.
    configuration
        The configuration of the collection.
    walk
        Read the group documents of the partitions, even if the collection has a catalog.
    known
        A snapshot of an older version, which is brought up to date instead of reading the catalog.
    further_paths
        Further paths at which a partition may exist, if the directories are listed.
    candidates
        The requested partitions; None for all.

    Raises
    ------
    ConflictError
        The collection has no catalog, and the partitions kept changing while they were listed.
    CollectionNotFoundError
        Another collection has replaced this one.
    SchemaChangedError
        The schema or the partitioning was changed since the configuration was loaded.
    CorruptionError
        The stored configuration document is not the one in the log.
    """
    snapshot = await (
        _walked(store, configuration, further_paths) if walk else newest(store, configuration, candidates, known=known)
    )
    if (snapshot.configuration, snapshot.schema) != (configuration.version, configuration.changed):
        await _check_configuration_in_place(store, snapshot)
    if snapshot.configuration != configuration.version:
        message = f"another collection was created at {store.url}, in place of the one that was opened; open it again"
        raise CollectionNotFoundError(message)
    if snapshot.schema != configuration.changed:
        message = f"the variables or the partitioning of {store.url} were changed by version {snapshot.schema}; open the collection again"
        raise SchemaChangedError(message)
    return snapshot


async def _check_configuration_in_place(store: KeyStore, snapshot: Snapshot) -> None:
    """Check that opening the collection again would help: that the configuration document agrees with the log."""
    if any(change.new_configuration for change in snapshot.pending):
        return  # a pending version is about to replace it
    version, changed = await _stored_configuration(store)
    if (version, changed) != (snapshot.configuration, snapshot.schema):
        message = (
            f"{CONFIGURATION} of {store.url} was written by version {max(version, changed)}, but the log names version "
            f"{max(snapshot.configuration, snapshot.schema)}: one of the two was restored from a copy; call repair()"
        )
        raise CorruptionError(message)


def reading_on_one_thread(
    store: KeyStore, configuration: Configuration, read: Callable[[Snapshot], Work[R | None]], candidates: Candidates
) -> Work[R | None]:
    """Perform a read on the newest version; return None if the catalog and the log are not sufficient.

    Parameters
    ----------
    store
        The store of the collection.
    configuration
        The configuration of the collection.
    read
        Returns the work that reads from a completely published snapshot; the work may return None as well.
    candidates
        The partitions that the work requests.
    """
    snapshot = (yield from _indexed(store, None, candidates)) if configuration.catalog else None
    if snapshot is None or snapshot.pending:
        return None
    if (snapshot.configuration, snapshot.schema) != (configuration.version, configuration.changed):
        return None
    found = yield from read(snapshot)
    return found if found is not None and (yield from commit_log.being_newest(store, snapshot.id)) else None


async def current_configuration(store: KeyStore, configuration: Configuration) -> Configuration:
    """Return the configuration that was committed last, whether or not it is published."""
    for change in (await newest(store, configuration, ())).changes:
        document = change.new_configuration
        if document is not None:
            configuration = Configuration.load(document.encode(), what=f"the configuration of version {change.number}")
    return configuration


async def newest(
    store: KeyStore, configuration: Configuration, candidates: Candidates = None, known: Snapshot | None = None
) -> Snapshot:
    """Return a snapshot of the newest version; `configuration` is not checked, and only shows whether a catalog exists."""
    indexed = await perform_one(store, _indexed(store, known, candidates)) if configuration.catalog else None
    if indexed is not None:
        return indexed
    if not store.has_listing:
        raise _unlisted(store, configuration)
    await perform_one(store, commit_log.checking_not_empty(store))
    return await _walked(store, configuration)


def _unlisted(store: KeyStore, configuration: Configuration) -> ZCollectionError:
    """Return the error for a collection whose partitions cannot be found, in a store without listing."""
    if not configuration.catalog:
        message = (
            f"the partitions of {store.url} cannot be found: the collection has no catalog, and the store has no listing; "
            f"publish a collection that was created with catalog_enabled=True"
        )
        return StoreError(message)
    message = (
        f"the catalog of {store.url} is missing, damaged or of another log, and the store has no listing to find the "
        f"partitions; call repair() where the collection is written, and publish all of it again"
    )
    return CorruptionError(message)


def _indexed(store: KeyStore, known: Snapshot | None, candidates: Candidates) -> Work[Snapshot | None]:
    """Return the newest version from a known snapshot or the catalog, and the log; None without a valid catalog."""
    if known is not None:
        with suppress(ConflictError, SegmentError):
            return (yield from _followed(store, known, candidates))
    checkpoint = yield from catalog.loading()
    while checkpoint is not None:
        try:
            return (yield from _followed(store, Snapshot(store, checkpoint), candidates))
        except (ConflictError, SegmentError):
            # Its records were folded, or its segments replaced: a newer catalog exists, or a slow writer has overwritten
            # the newer one. Or it belongs to another log, because only one of them was restored from a backup, or is damaged.
            older, checkpoint = checkpoint, (yield from catalog.loading())
            if checkpoint is None or not checkpoint.succeeds(older):
                break
    return None


def _followed(store: KeyStore, known: Snapshot, candidates: Candidates) -> Work[Snapshot]:
    """Return the newest version, given a snapshot of an older one."""
    changes = yield from history.following(store, known.id)
    now = yield from evolve(known, changes=[*known.changes, *changes]).completed(candidates)
    return (yield from _placed(now))


async def is_outdated(store: KeyStore, snapshot: Snapshot) -> bool:
    """Return whether data read with a snapshot may belong to another version.

    Published groups stay in their place until a newer version is committed; unpublished groups may be moved at any time.
    """
    if not await commit_log.is_newest(store, snapshot.id):
        return True
    return bool(snapshot.places) and snapshot.places != await perform_one(store, _places(snapshot))


async def _walked(store: KeyStore, configuration: Configuration, further_paths: Collection[str] = ()) -> Snapshot:
    """Return the newest version from the group documents, listed again until no commit happens in between."""
    newest, pending = await commit_log.listed(store)
    for _ in range(_WALKS):
        partitions, immutable = await tree.find(store, configuration, further_paths)
        before = newest, [change.number for change in pending]
        newest, pending = await commit_log.listed(store)
        if before == (newest, [change.number for change in pending]):
            checkpoint = Checkpoint(newest, partitions, immutable, *await _stored_configuration(store))
            return await perform_one(store, _placed(Snapshot(store, checkpoint, pending, indexed=False)))
    message = f"the partitions of {store.url} kept changing while they were listed; try again, or enable the catalog"
    raise ConflictError(message)


async def _stored_configuration(store: KeyStore) -> tuple[int, int]:
    """Return the versions at which the stored configuration was written, and at which its schema was last changed."""
    (document,) = await store.get([Read(CONFIGURATION)])
    if document is None:
        return 0, 0
    configuration = Configuration.load(document, what=f"{CONFIGURATION} of {store.url}")
    return configuration.version, configuration.changed


def _placed(snapshot: Snapshot) -> Work[Snapshot]:
    return evolve(snapshot, places=(yield from _places(snapshot))) if snapshot.pending else snapshot


def _places(snapshot: Snapshot) -> Work[dict[str, Place]]:
    """Return where each group is stored that is committed and not yet published, by path."""
    staged = {
        path: change
        for change in snapshot.pending
        for path in change.touched
        if (record := snapshot.record(path)) is not None and record.stamp == change.transaction
    }
    documents = yield from fetch([Read(f"{path}/zarr.json") for path in staged])
    return {
        path: change.place(path)
        for (path, change), data in zip(staged.items(), documents, strict=True)
        if _stamp(data, path) != change.transaction
    }


def _stamp(data: bytes | None, path: str) -> str | None:
    try:
        record = None if data is None else PartitionRecord.from_group(data, what=f"the group document of {path!r}")
    except CorruptionError:
        return None
    return None if record is None else record.stamp
