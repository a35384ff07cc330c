"""The newest version read: from the catalog and the commit log, or by a walk through the directories."""

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
    also: Collection[str] = (),
    candidates: Candidates = None,
) -> Snapshot:
    """Return the partitions at the newest version, or those that are asked for.

    Parameters
    ----------
    store
        Where.
    configuration
        Of the collection.
    walk
        Look at the partitions themselves even where there is a catalog.
    known
        An older version.
    also
        Paths at which to look for partitions besides those that are listed, where one walks.
    candidates
        The partitions that are asked for.

    Raises
    ------
    ConflictError
        There is no catalog, and the partitions kept changing while they were looked for.
    CollectionNotFoundError
        Another collection has taken the place of this one.
    SchemaChangedError
        The schema or the partitioning was changed since the configuration was loaded.
    CorruptionError
        The configuration that lies in its place is not the one that the log says.
    """
    taken = await (
        _walked(store, configuration, also) if walk else newest(store, configuration, candidates, known=known)
    )
    if (taken.configuration, taken.schema) != (configuration.version, configuration.changed):
        await _check_configuration_in_place(store, taken)
    if taken.configuration != configuration.version:
        message = f"another collection was created at {store.url}, in place of the one that was opened; open it again"
        raise CollectionNotFoundError(message)
    if taken.schema != configuration.changed:
        message = f"the variables or the partitioning of {store.url} were changed by version {taken.schema}; open the collection again"
        raise SchemaChangedError(message)
    return taken


async def _check_configuration_in_place(store: KeyStore, taken: Snapshot) -> None:
    """Check that opening the collection again would help: that the configuration in its place is that of the log."""
    if any(change.new_configuration for change in taken.pending):
        return  # it is about to be put there
    version, changed = await _configured(store)
    if (version, changed) != (taken.configuration, taken.schema):
        message = (
            f"{CONFIGURATION} of {store.url} was written by version {max(version, changed)}, and the log says by version "
            f"{max(taken.configuration, taken.schema)}: one of them was restored from a copy; call repair()"
        )
        raise CorruptionError(message)


def reading_at_once(
    store: KeyStore, configuration: Configuration, read: Callable[[Snapshot], Work[R | None]], candidates: Candidates
) -> Work[R | None]:
    """Return what is read of the newest version; None where more is to be looked at than the catalog and the log.

    Parameters
    ----------
    store
        Where.
    configuration
        Of the collection.
    read
        Returns the work that reads, for a snapshot all of which lies in its place; that may give up, too.
    candidates
        The partitions that it asks for.
    """
    taken = (yield from _indexed(store, None, candidates)) if configuration.catalog else None
    if taken is None or taken.pending:
        return None
    if (taken.configuration, taken.schema) != (configuration.version, configuration.changed):
        return None
    found = yield from read(taken)
    return found if found is not None and (yield from commit_log.being_newest(store, taken.id)) else None


async def current_configuration(store: KeyStore, configuration: Configuration) -> Configuration:
    """Return the configuration that was committed last, whichever lies in its place."""
    for change in (await newest(store, configuration, ())).changes:
        document = change.new_configuration
        if document is not None:
            configuration = Configuration.load(document.encode(), what=f"the configuration of version {change.number}")
    return configuration


async def newest(
    store: KeyStore, configuration: Configuration, candidates: Candidates = None, known: Snapshot | None = None
) -> Snapshot:
    """Return the newest version, whatever the configuration says of it but whether there is a catalog."""
    indexed = await perform_one(store, _indexed(store, known, candidates)) if configuration.catalog else None
    if indexed is not None:
        return indexed
    if not store.has_listing:
        raise _unlisted(store, configuration)
    await perform_one(store, commit_log.checking_there(store))
    return await _walked(store, configuration)


def _unlisted(store: KeyStore, configuration: Configuration) -> ZCollectionError:
    """Return the error that says why the partitions of a collection are not known where nothing can be listed."""
    if not configuration.catalog:
        message = (
            f"the partitions of {store.url} cannot be found: the collection has no catalog, and the store lists nothing; "
            f"publish one that was created with catalog_enabled=True"
        )
        return StoreError(message)
    message = (
        f"the catalog of {store.url} is missing, damaged or not that of its log, and the store lists nothing by which the "
        f"partitions could be found; call repair() where the collection is written, and publish all of it again"
    )
    return CorruptionError(message)


def _indexed(store: KeyStore, known: Snapshot | None, candidates: Candidates) -> Work[Snapshot | None]:
    """Return what is known, or else the catalog, and the log say; None where there is no catalog to be believed."""
    if known is not None:
        with suppress(ConflictError, SegmentError):
            return (yield from _followed(store, known, candidates))
    checkpoint = yield from catalog.loading()
    while checkpoint is not None:
        try:
            return (yield from _followed(store, Snapshot(store, checkpoint), candidates))
        except (ConflictError, SegmentError):
            # What it needs was folded, or taken the place of: there is a newer one, or a slow writer has put it in place of
            # that. Or it is of another log, as where only one of both was restored from a backup, or is damaged.
            older, checkpoint = checkpoint, (yield from catalog.loading())
            if checkpoint is None or not checkpoint.succeeds(older):
                break
    return None


def _followed(store: KeyStore, known: Snapshot, candidates: Candidates) -> Work[Snapshot]:
    """Return the newest version, given an older one."""
    changes = yield from history.following(store, known.id)
    now = yield from evolve(known, changes=[*known.changes, *changes]).completed(candidates)
    return (yield from _placed(now))


async def is_outdated(store: KeyStore, taken: Snapshot) -> bool:
    """Return whether what was read as a snapshot says may be of another version.

    All that lies in its place stays there until a newer version is committed; what does not may be moved at any time.
    """
    if not await commit_log.is_newest(store, taken.id):
        return True
    return bool(taken.places) and taken.places != await perform_one(store, _places(taken))


async def _walked(store: KeyStore, configuration: Configuration, also: Collection[str] = ()) -> Snapshot:
    """Return what is found by looking at every partition, while nobody commits."""
    newest, pending = await commit_log.listed(store)
    for _ in range(_WALKS):
        partitions, immutable = await tree.found(store, configuration, also)
        before = newest, [change.number for change in pending]
        newest, pending = await commit_log.listed(store)
        if before == (newest, [change.number for change in pending]):
            checkpoint = Checkpoint(newest, partitions, immutable, *await _configured(store))
            return await perform_one(store, _placed(Snapshot(store, checkpoint, pending, indexed=False)))
    message = (
        f"the partitions of {store.url} kept changing while they were looked for; try again, or enable the catalog"
    )
    raise ConflictError(message)


async def _configured(store: KeyStore) -> tuple[int, int]:
    """Return the versions at which the configuration that lies in its place was written, and its schema last changed."""
    (document,) = await store.get([Read(CONFIGURATION)])
    if document is None:
        return 0, 0
    configuration = Configuration.load(document, what=f"{CONFIGURATION} of {store.url}")
    return configuration.version, configuration.changed


def _placed(taken: Snapshot) -> Work[Snapshot]:
    return evolve(taken, places=(yield from _places(taken))) if taken.pending else taken


def _places(taken: Snapshot) -> Work[dict[str, Place]]:
    """Return where those groups lie that are committed and not yet in their place."""
    staged = {
        path: change
        for change in taken.pending
        for path in change.touched
        if (record := taken.record(path)) is not None and record.stamp == change.transaction
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
