"""Examination of a collection outside of its partitions: the catalog, the log, parent groups, objects that dead writers left."""

from typing import Final

from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore
from zcollection.engine.layout import ArrayLayout, group_document
from zcollection.engine.work import perform_one
from zcollection.engine.write import GROUP_DOCUMENT, parent_documents
from zcollection.errors import CorruptionError
from zcollection.model import codecs as codec_profiles
from zcollection.model.documents import parse_json
from zcollection.model.schema import VariableSchema
from zcollection.transaction.documents import CONFIGURATION, TRANSACTIONS, Configuration, PartitionRecord
from zcollection.transaction.index import catalog, tree
from zcollection.transaction.index.segments import Segments
from zcollection.transaction.log import checkpoints, commit_log, history, history_repair, in_place, snapshots
from zcollection.transaction.log.records import describe_foreign
from zcollection.transaction.reports import Problem
from zcollection.transaction.snapshot import Snapshot
from zcollection.transaction.version import stage_of

_UNLISTED: Final = (
    "the store has no listing: older records of the log, and objects beside the partitions, were not examined"
)


async def inspected(store: KeyStore, configuration: Configuration) -> Snapshot:
    """Return the newest version; from the group documents of all partitions if the catalog or a record is damaged.

    Raises
    ------
    CorruptionError
        The catalog or a record is damaged, and the store has no listing.
    """
    try:
        snapshot = await snapshots.take(store, configuration)
        if isinstance(snapshot.checkpoint.partitions, Segments):
            await perform_one(store, snapshot.checkpoint.partitions.checking())
        dict(snapshot.partitions)
        await commit_log.is_newest(store, snapshot.id)
    except CorruptionError:
        if not store.has_listing:
            raise
        return await snapshots.take(store, configuration, walk=True)
    return snapshot


async def examine(store: KeyStore, configuration: Configuration, snapshot: Snapshot) -> tuple[list[Problem], list[str]]:
    """Return the problems, and notes about harmless anomalies; a store without listing shows only a part of them."""
    around = [*_catalog_problems(configuration, snapshot), *_unpublishable_problems(snapshot)]
    if store.has_listing:
        around += await _log_problems(store, configuration, snapshot)
    wrong = await damaged_documents(store, configuration, snapshot)
    problems = [*around, *(Problem(what=f"the document {key!r} {defect}") for key, defect in wrong.items())]
    if not store.has_listing:
        return problems, [_UNLISTED]
    uncommitted, notes = await _unknown_groups(store, configuration, snapshot)
    return [*problems, *uncommitted], [*notes, *await _leftover_notes(store, configuration, snapshot)]


def _catalog_problems(configuration: Configuration, snapshot: Snapshot) -> list[Problem]:
    if configuration.catalog and not snapshot.indexed and not _has_pending_configuration(snapshot):
        return [Problem(what="the catalog is missing or damaged, so that readers have to read every group document")]
    return []


async def _log_problems(store: KeyStore, configuration: Configuration, snapshot: Snapshot) -> list[Problem]:
    lost, foreign = await history_repair.damaged(store, at_least=newest_known(configuration, snapshot))
    problems = [f"the record of version {number} is lost or damaged" for number in lost]
    problems += [describe_foreign(foreign)] if foreign else []
    if (
        not problems
        and not _has_pending_configuration(snapshot)
        and await correct_configuration(store, configuration) is not None
    ):
        problems.append(f"{CONFIGURATION} is lost, or older than the log, which contains the correct one")
    return [Problem(what=what) for what in problems]


def _has_pending_configuration(snapshot: Snapshot) -> bool:
    """Return whether a new configuration is committed and not yet published."""
    return any(change.new_configuration for change in snapshot.pending)


def newest_known(configuration: Configuration, snapshot: Snapshot) -> int:
    """Return the newest version named by the log or the configuration: the log may have been restored from an older copy."""
    return max(snapshot.version, configuration.version, configuration.changed)


async def correct_configuration(store: KeyStore, configuration: Configuration) -> bytes | None:
    """Return the correct configuration if its document is missing or older than the log; None if it is correct."""
    found = configuration.dump() if await store.load_document(CONFIGURATION) is None else None
    for version in await history.all_versions(store):
        document = version.new_configuration
        if document is not None and version.number > max(configuration.version, configuration.changed):
            found = document.encode()
    return found


def _unpublishable_problems(snapshot: Snapshot) -> list[Problem]:
    """Return a problem for each partition that could not be published when newer versions were: the user must act."""
    stuck = [version for version in snapshot.pending if version.number < snapshot.version]
    what = "version {} is committed, and this partition cannot be published: check its directory, and call repair()"
    return [
        Problem(partition=path, what=what.format(version.number))
        for version in stuck
        for path in sorted(version.touched & snapshot.places.keys())
    ]


def documents(configuration: Configuration, snapshot: Snapshot) -> dict[str, bytes]:
    """Return the documents outside of partitions, which other tools need to find the partitions, by key."""
    around = {f"{TRANSACTIONS}/{GROUP_DOCUMENT}": transactions_document()}
    if configuration.catalog:
        around |= catalog.array_document()
    around[GROUP_DOCUMENT] = group_document(configuration.schema.attrs)
    return around | parent_documents(path for path in snapshot.partitions if path not in snapshot.places)


async def damaged_documents(store: KeyStore, configuration: Configuration, snapshot: Snapshot) -> dict[str, str]:
    """Return the defect of each damaged document outside of partitions, by key."""
    expected = {
        key: data for key, data in documents(configuration, snapshot).items() if not _is_replaced(key, snapshot)
    }
    contents = await store.get([Read(key) for key in expected])
    found = {key: _defect(data, expected[key]) for key, data in zip(expected, contents, strict=True)}
    return {key: defect for key, defect in found.items() if defect is not None}


def _is_replaced(key: str, snapshot: Snapshot) -> bool:
    """Return whether a document may still belong to a collection whose replacement is committed and not published."""
    return _has_pending_configuration(snapshot) and key.count("/") < 2


def _defect(data: bytes | None, expected: bytes) -> str | None:
    if data is None:
        return "is missing"
    try:
        content, right = (parse_json(document, what="it") for document in (data, expected))
    except CorruptionError as error:
        return f"is damaged: {error}"
    # Other tools may add to a document, such as consolidated metadata.
    return None if content | right == content else "is not the one that was written"


def transactions_document() -> bytes:
    """Return the document of a scalar array at the prefix, so that Zarr readers neither descend nor warn."""
    codecs = codec_profiles.profile("balanced", checksum=False)  # no checksum: the array has no chunk
    description = {"description": "Transaction log"}
    variable = VariableSchema("transactions", dtype="uint8", dimensions=(), codecs=codecs, attrs=description)
    return ArrayLayout(path="transactions", variable=variable, shape=(), chunks=()).document


async def _unknown_groups(
    store: KeyStore, configuration: Configuration, snapshot: Snapshot
) -> tuple[list[Problem], list[str]]:
    """Return the partitions that are stored but were not committed, and other groups among the partitions."""
    problems, notes = [], []
    announced = await in_place.announced(store, await _stages(store))
    for path in await tree.candidates(store, configuration):
        if snapshot.record(path) is not None:
            continue
        (data,) = await store.get([Read(f"{path}/{GROUP_DOCUMENT}")])
        pending = any(path in version.touched for version in snapshot.pending)
        try:
            is_partition = data is not None and PartitionRecord.from_group(data, what="x") is not None
        except CorruptionError:
            is_partition = False
        if is_partition and not pending:
            problems.append(Problem(partition=path, what="it is stored, but was not committed; insert it again"))
        elif not is_partition and path not in announced:
            notes.append(f"{path}/ is not part of the collection")
    return problems, notes


async def _leftover_notes(store: KeyStore, configuration: Configuration, snapshot: Snapshot) -> list[str]:
    """Return notes about unpublished versions, and about objects of unfinished or dead writers."""
    notes = [
        f"version {version.number} is committed and not yet published: the next writer, or repair(), completes it"
        for version in snapshot.pending
    ]
    pending = {version.transaction for version in snapshot.pending}
    found = [stage_of(transaction) for transaction in await _stages(store) if transaction not in pending]
    if not configuration.keeps:  # otherwise segments stay until a vacuum determines which of them older versions need
        found += await checkpoints.unnamed_segments(store)
    return [*notes, *(f"{key} was left by a writer that died, or is being written" for key in found)]


async def _stages(store: KeyStore) -> list[str]:
    """Return the ids of the transactions that have a staging area."""
    prefix = f"{TRANSACTIONS}/stage/"
    return [entry.key.removeprefix(prefix).rstrip("/") async for entry in store.list(prefix)]
