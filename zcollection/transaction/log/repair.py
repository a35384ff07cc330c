"""Repair of a collection with a commit log from the data that exists, without losing what readers see."""

from collections.abc import Mapping

from zcollection.contracts.store import KeyStore
from zcollection.engine.work import perform_one
from zcollection.errors import ConflictError, CorruptionError
from zcollection.transaction.documents import CONFIGURATION, Configuration
from zcollection.transaction.index import catalog
from zcollection.transaction.log import commit_log, history_repair, inspection, publication
from zcollection.transaction.log.catalog_writing import rebuild_catalog
from zcollection.transaction.log.publication import Unpublishable
from zcollection.transaction.snapshot import Snapshot


async def repair(
    store: KeyStore,
    configuration: Configuration,
    snapshot: Snapshot,
    documents: Mapping[str, bytes],
) -> list[str]:
    """Repair the damage that can be repaired, and return a description of each repair; see `Versioning.repair`."""
    async with store.lock():
        done = await _repair_documents(store, snapshot, documents)
        settled, unpublishable = await _settle(store, snapshot)
        done += [*settled, *await _repair_log(store, configuration, snapshot)]
        done += await _repair_surroundings(store, configuration, snapshot, unpublishable)
    if configuration.catalog and not (snapshot.indexed and await _has_catalog(store)):
        await rebuild_catalog(store, configuration)
        done.append("the catalog was rebuilt")
    return done


async def _repair_documents(store: KeyStore, snapshot: Snapshot, documents: Mapping[str, bytes]) -> list[str]:
    """Write the documents of partitions as they were committed, unless a newer version was committed."""
    if documents and not await _is_newest(store, snapshot):
        message = f"another writer changed {store.url} while it was examined; run repair() again"
        raise ConflictError(message)
    await store.put(documents)
    return [f"the document {key!r} was not the one that was written" for key in documents]


async def _is_newest(store: KeyStore, snapshot: Snapshot) -> bool:
    try:
        return await commit_log.is_newest(store, snapshot.id)
    except CorruptionError:
        return True  # a later record is lost, so that its changes are not known


async def _repair_log(store: KeyStore, configuration: Configuration, snapshot: Snapshot) -> list[str]:
    """Replace lost records of the log and its history, and restore the configuration that they contain."""
    lost, foreign = await history_repair.damaged(store, at_least=inspection.newest_known(configuration, snapshot))
    if lost or foreign:
        await history_repair.repair(store, lost, snapshot.partitions, configuration)
    done = [f"the record of version {number} was lost" for number in lost]
    done += [f"version {number} of the history was not that of the log" for number in foreign]
    right = await inspection.correct_configuration(store, configuration)
    if right is not None:
        await store.put({CONFIGURATION: right})
        done.append(f"{CONFIGURATION} was lost, or older than the log")
    return done


async def _has_catalog(store: KeyStore) -> bool:
    """Return whether a catalog exists that belongs to the log in its present state."""
    checkpoint = await catalog.load(store)
    if checkpoint is None:
        return False
    try:
        # Not the history: a store without listing can only read the log.
        await perform_one(store, commit_log.following(store, checkpoint.record))
    except ConflictError:
        return False
    return True


async def _settle(store: KeyStore, snapshot: Snapshot) -> tuple[list[str], Unpublishable]:
    pending = await commit_log.unpublished(store, snapshot.changes)
    unpublishable = await publication.publish_pending(store, snapshot.changes)
    settled = [version.number for version in pending if version.number not in unpublishable.versions]
    return [f"version {number} was committed, and is now published" for number in settled], unpublishable


async def _repair_surroundings(
    store: KeyStore, configuration: Configuration, snapshot: Snapshot, unpublishable: Unpublishable
) -> list[str]:
    places = {path: place for path, place in snapshot.places.items() if path in unpublishable.failures}
    now = Snapshot(store, snapshot.checkpoint, snapshot.changes, places)
    expected = inspection.documents(configuration, now)
    wrong = await inspection.damaged_documents(store, configuration, now)
    await store.put({key: expected[key] for key in wrong})
    return [f"the document {key!r} {defect.replace('is ', 'was ', 1)}" for key, defect in wrong.items()]
