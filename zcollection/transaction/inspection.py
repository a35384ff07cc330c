"""What lies around the partitions of a collection with a log: the catalog, the tree, what writers left; and its mending."""

from collections.abc import Mapping
from typing import Final

from zcollection.contracts.store import KeyStore, Read
from zcollection.engine.layout import group_document
from zcollection.engine.write import GROUP_DOCUMENT, parent_documents
from zcollection.errors import CorruptionError
from zcollection.transaction import catalog, log, publication, snapshot
from zcollection.transaction.documents import CATALOG, CONFIGURATION, TRANSACTIONS, Configuration, PartitionRecord
from zcollection.transaction.reports import CATALOG_SAYS, Problem
from zcollection.transaction.snapshot import Snapshot
from zcollection.transaction.transaction import rebuild_catalog

_ROOT: Final = (CONFIGURATION, GROUP_DOCUMENT)


async def inspected(store: KeyStore, configuration: Configuration) -> Snapshot:
    """Return the newest version, found by looking at every partition where the catalog or a record is damaged."""
    try:
        taken = await snapshot.take(store, configuration)
        dict(taken.partitions)
    except CorruptionError:
        return await snapshot.take(store, configuration, walk=True)
    return taken


async def examine(store: KeyStore, configuration: Configuration, taken: Snapshot) -> tuple[list[Problem], list[str]]:
    """Return what is wrong, and what is merely strange."""
    around = [*_catalog_problems(configuration, taken), *await _log_problems(store)]
    problems = [*around, *await _missing_documents(store, taken)]
    strange, notes = await _strangers(store, configuration, taken)
    return [*problems, *strange], [*notes, *await _leftovers(store, taken)]


async def mend(store: KeyStore, configuration: Configuration, problems: tuple[Problem, ...]) -> list[str]:
    """Mend what can be mended, and return what was done."""
    taken = await inspected(store, configuration)
    async with store.lock():
        pending = await log.unpublished(store, taken.pending)
        await publication.settle(store, pending)
    done = [f"version {version.number} was committed, and is now in its place" for version in pending]
    troubled = {problem.partition for problem in problems}
    documents = {path: record for path, record in taken.partitions.items() if path in troubled}
    for key, content in {**_group_documents(configuration, documents), **parent_documents(taken.partitions)}.items():
        if await store.create(key, content) == "created":
            done.append(f"the document {key!r} was missing")
    if configuration.catalog:
        done += await _mend_catalog(store, configuration, problems)
    return done


def _group_documents(configuration: Configuration, records: Mapping[str, PartitionRecord]) -> dict[str, bytes]:
    """Return the documents of partitions, made anew from what is known of them: a late deletion may have taken them."""
    layouts = configuration.layouts
    return {
        f"{path}/{GROUP_DOCUMENT}": group_document({**layouts[record.layout].attrs, **record.to_attribute()})
        for path, record in records.items()
        if record.layout < len(layouts)
    }


async def _mend_catalog(store: KeyStore, configuration: Configuration, problems: tuple[Problem, ...]) -> list[str]:
    done = []
    if (await store.get([Read(f"{CATALOG}/{GROUP_DOCUMENT}")]))[0] is None:
        await store.put(catalog.array_document())
        done.append("the document of the catalog was missing")
    if any(problem.what.startswith(CATALOG_SAYS) for problem in problems):
        await rebuild_catalog(store, configuration)
        done.append("the catalog was made anew")
    return done


def _catalog_problems(configuration: Configuration, taken: Snapshot) -> list[Problem]:
    if configuration.catalog and not taken.indexed:
        return [Problem(what=f"{CATALOG_SAYS}is missing or damaged, so that readers have to look at every partition")]
    return []


async def _log_problems(store: KeyStore) -> list[Problem]:
    try:
        for version in await log.every(store):
            dict(version.partitions)
    except CorruptionError as error:
        return [Problem(what=f"the history of versions cannot be told: {error}")]
    return []


async def _missing_documents(store: KeyStore, taken: Snapshot) -> list[Problem]:
    """Return the documents that are missing on the way to partitions, which other tools need to find them."""
    keys = [*_ROOT, *parent_documents(path for path in taken.partitions if path not in taken.places)]
    contents = await store.get([Read(key) for key in keys])
    return [
        Problem(what=f"the document {key!r} is missing")
        for key, data in zip(keys, contents, strict=True)
        if data is None
    ]


async def _strangers(store: KeyStore, configuration: Configuration, taken: Snapshot) -> tuple[list[Problem], list[str]]:
    """Return the partitions that lie in a place and were not committed, and what else lies among partitions."""
    problems, notes = [], []
    for path in await snapshot.candidates(store, configuration):
        if taken.record(path) is not None:
            continue
        (data,) = await store.get([Read(f"{path}/{GROUP_DOCUMENT}")])
        pending = any(path in version.touched for version in taken.pending)
        try:
            ours = data is not None and PartitionRecord.from_group(data, what="x") is not None
        except CorruptionError:
            ours = False
        if ours and not pending:
            problems.append(
                Problem(partition=path, what="it lies in its place, and was not committed; insert it again")
            )
        elif not ours:
            notes.append(f"{path}/ is not part of the collection")
    return problems, notes


async def _leftovers(store: KeyStore, taken: Snapshot) -> list[str]:
    """Return what writers have begun, or committed and not put in its place."""
    notes = [
        f"version {version.number} is committed and not yet in its place: the next writer, or repair(), completes it"
        for version in taken.pending
    ]
    ours = {version.stage for version in taken.pending}
    found = [entry.key async for entry in store.list(f"{TRANSACTIONS}/stage/") if entry.key not in ours]
    return [*notes, *(f"{key} was left by a writer that died, or is being written" for key in found)]
