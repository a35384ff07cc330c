"""What is wrong with a collection that has a log, mended from what is there and without losing what readers see."""

from collections.abc import Mapping

from zcollection.contracts.store import KeyStore
from zcollection.engine.work import perform_one
from zcollection.errors import ConflictError, CorruptionError
from zcollection.transaction.documents import CONFIGURATION, Configuration
from zcollection.transaction.index import catalog
from zcollection.transaction.log import commit_log, history, inspection, publication
from zcollection.transaction.log.publication import Unplaced
from zcollection.transaction.log.transaction import rebuild_catalog
from zcollection.transaction.snapshot import Snapshot


async def mend(
    store: KeyStore,
    configuration: Configuration,
    taken: Snapshot,
    documents: Mapping[str, bytes],
) -> list[str]:
    """Mend what can be mended, and return what was done; see `Versioning.mend`."""
    async with store.lock():
        done = await _mend_documents(store, taken, documents)
        settled, unplaced = await _settle(store, taken)
        done += [*settled, *await _mend_log(store, configuration, taken)]
        done += await _mend_surroundings(store, configuration, taken, unplaced)
    if configuration.catalog and not (taken.indexed and await _has_catalog(store)):
        await rebuild_catalog(store, configuration)
        done.append("the catalog was made anew")
    return done


async def _mend_documents(store: KeyStore, taken: Snapshot, documents: Mapping[str, bytes]) -> list[str]:
    """Write the documents of partitions as they were committed, while nobody commits others."""
    if documents and not await _is_newest(store, taken):
        message = f"another writer changed {store.url} while it was looked at; repair it again"
        raise ConflictError(message)
    await store.put(documents)
    return [f"the document {key!r} was not the one that was written" for key in documents]


async def _is_newest(store: KeyStore, taken: Snapshot) -> bool:
    try:
        return await commit_log.is_newest(store, taken.id)
    except CorruptionError:
        return True  # a record after it is lost, and with that what it said


async def _mend_log(store: KeyStore, configuration: Configuration, taken: Snapshot) -> list[str]:
    """Make the log and its history whole, and the configuration the one that they say."""
    lost, foreign = await history.wrong(store, at_least=inspection.newest_known(configuration, taken))
    if lost or foreign:
        await history.mend(store, lost, taken.partitions, configuration)
    done = [f"the record of version {number} was lost" for number in lost]
    done += [f"version {number} of the history was not that of the log" for number in foreign]
    right = await inspection.right_configuration(store, configuration)
    if right is not None:
        await store.put({CONFIGURATION: right})
        done.append(f"{CONFIGURATION} was lost, or older than the log")
    return done


async def _has_catalog(store: KeyStore) -> bool:
    """Return whether there is a catalog that was made from a record of the log, as that is by now."""
    checkpoint = await catalog.load(store)
    if checkpoint is None:
        return False
    try:
        await perform_one(
            store, commit_log.following(store, checkpoint.record)
        )  # who can list nothing has the log alone
    except ConflictError:
        return False
    return True


async def _settle(store: KeyStore, taken: Snapshot) -> tuple[list[str], Unplaced]:
    pending = await commit_log.unpublished(store, taken.changes)
    unplaced = await publication.settle(store, taken.changes)
    settled = [version.number for version in pending if version.number not in unplaced.versions]
    return [f"version {number} was committed, and is now in its place" for number in settled], unplaced


async def _mend_surroundings(
    store: KeyStore, configuration: Configuration, taken: Snapshot, unplaced: Unplaced
) -> list[str]:
    places = {path: place for path, place in taken.places.items() if path in unplaced.failures}
    now = Snapshot(store, taken.checkpoint, taken.changes, places)
    expected = inspection.documents(configuration, now)
    wrong = await inspection.wrong_documents(store, configuration, now)
    await store.put({key: expected[key] for key in wrong})
    return [f"the document {key!r} {defect.replace('is ', 'was ', 1)}" for key, defect in wrong.items()]
