"""What is wrong with a collection that has a log, mended from what is there and without losing what readers see."""

from collections.abc import Mapping

from zcollection.contracts.store import KeyStore
from zcollection.errors import ConflictError, CorruptionError
from zcollection.transaction import inspection, log, publication
from zcollection.transaction.documents import Configuration
from zcollection.transaction.reports import CATALOG_SAYS, Problem
from zcollection.transaction.snapshot import Snapshot
from zcollection.transaction.transaction import rebuild_catalog


async def mend(
    store: KeyStore,
    configuration: Configuration,
    taken: Snapshot,
    problems: tuple[Problem, ...],
    documents: Mapping[str, bytes],
) -> list[str]:
    """Mend what can be mended, and return what was done; see `Versioning.mend`."""
    async with store.lock():
        done = [*await _mend_documents(store, taken, documents), *await _settle(store, taken)]
        done += await _mend_log(store, taken)
        done += await _mend_surroundings(store, configuration, taken)
    if any(problem.what.startswith(CATALOG_SAYS) for problem in problems):
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
        return await log.is_newest(store, taken.version)
    except CorruptionError:
        return True  # a record after it is lost, and with that what it said


async def _mend_log(store: KeyStore, taken: Snapshot) -> list[str]:
    """Put records in the place of those that are lost: the last of them says that every partition may have changed."""
    lost = await log.lost(store, at_least=taken.version)
    if lost:
        await log.replace(store, lost, taken.partitions)
    return [f"the record of version {number} was lost" for number in lost]


async def _settle(store: KeyStore, taken: Snapshot) -> list[str]:
    pending = await log.unpublished(store, taken.pending)
    await publication.settle(store, pending)
    return [f"version {version.number} was committed, and is now in its place" for version in pending]


async def _mend_surroundings(store: KeyStore, configuration: Configuration, taken: Snapshot) -> list[str]:
    now = Snapshot(store, taken.checkpoint, taken.changes)
    expected = inspection.documents(configuration, now)
    wrong = await inspection.wrong_documents(store, configuration, now)
    await store.put({key: expected[key] for key in wrong})
    return [f"the document {key!r} {defect.replace('is ', 'was ', 1)}" for key, defect in wrong.items()]
