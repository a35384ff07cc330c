"""What lies around the partitions of a collection with a log, looked at: the catalog, the tree, what writers left."""

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
from zcollection.transaction.log import checkpoints, commit_log, history, in_place, snapshots
from zcollection.transaction.reports import Problem
from zcollection.transaction.snapshot import Snapshot
from zcollection.transaction.version import stage_of

_UNLISTED: Final = (
    "the store lists nothing: older records of the log, and what may lie beside the partitions, were not looked at"
)


async def inspected(store: KeyStore, configuration: Configuration) -> Snapshot:
    """Return the newest version, found by looking at every partition where the catalog or a record is damaged.

    Raises
    ------
    CorruptionError
        That is so, and the store lists nothing.
    """
    try:
        taken = await snapshots.take(store, configuration)
        if isinstance(taken.checkpoint.partitions, Segments):
            await perform_one(store, taken.checkpoint.partitions.checking())
        dict(taken.partitions)
        await commit_log.is_newest(store, taken.id)
    except CorruptionError:
        if not store.has_listing:
            raise
        return await snapshots.take(store, configuration, walk=True)
    return taken


async def examine(store: KeyStore, configuration: Configuration, taken: Snapshot) -> tuple[list[Problem], list[str]]:
    """Return what is wrong, and what is merely strange, as far as it is seen where nothing can be listed."""
    around = [*_catalog_problems(configuration, taken), *_unplaced_problems(taken)]
    if store.has_listing:
        around += await _log_problems(store, configuration, taken)
    wrong = await wrong_documents(store, configuration, taken)
    problems = [*around, *(Problem(what=f"the document {key!r} {defect}") for key, defect in wrong.items())]
    if not store.has_listing:
        return problems, [_UNLISTED]
    strange, notes = await _strangers(store, configuration, taken)
    return [*problems, *strange], [*notes, *await _leftovers(store, configuration, taken)]


def _catalog_problems(configuration: Configuration, taken: Snapshot) -> list[Problem]:
    if configuration.catalog and not taken.indexed and not _is_being_made(taken):
        return [Problem(what="the catalog is missing or damaged, so that readers have to look at every partition")]
    return []


async def _log_problems(store: KeyStore, configuration: Configuration, taken: Snapshot) -> list[Problem]:
    lost, foreign = await history.wrong(store, at_least=newest_known(configuration, taken))
    problems = [f"the record of version {number} is lost or damaged" for number in lost]
    problems += [history.problem(foreign)] if foreign else []
    if not problems and not _is_being_made(taken) and await right_configuration(store, configuration) is not None:
        problems.append(f"{CONFIGURATION} is lost, or older than the log, which holds the right one")
    return [Problem(what=what) for what in problems]


def _is_being_made(taken: Snapshot) -> bool:
    """Return whether a configuration is committed, and not yet in its place."""
    return any(change.new_configuration for change in taken.pending)


def newest_known(configuration: Configuration, taken: Snapshot) -> int:
    """Return the newest version that there was, by all that says so: the log may have been restored from an older copy."""
    return max(taken.version, configuration.version, configuration.changed)


async def right_configuration(store: KeyStore, configuration: Configuration) -> bytes | None:
    """Return the configuration that should lie in its place, where none does, or an older one than the log holds."""
    found = configuration.dump() if await store.load_document(CONFIGURATION) is None else None
    for version in await history.every(store):
        document = version.new_configuration
        if document is not None and version.number > max(configuration.version, configuration.changed):
            found = document.encode()
    return found


def _unplaced_problems(taken: Snapshot) -> list[Problem]:
    """Return the partitions that could not be put in their place when others were: nobody will do so by himself."""
    stuck = [version for version in taken.pending if version.number < taken.version]
    what = "version {} is committed, and this partition cannot be put in its place: see to its directory, and call repair()"
    return [
        Problem(partition=path, what=what.format(version.number))
        for version in stuck
        for path in sorted(version.touched & taken.places.keys())
    ]


def documents(configuration: Configuration, taken: Snapshot) -> dict[str, bytes]:
    """Return what lies around the partitions, which other tools need to find them, by key."""
    around = {f"{TRANSACTIONS}/{GROUP_DOCUMENT}": transactions_document()}
    if configuration.catalog:
        around |= catalog.array_document()
    around[GROUP_DOCUMENT] = group_document(configuration.schema.attrs)
    return around | parent_documents(path for path in taken.partitions if path not in taken.places)


async def wrong_documents(store: KeyStore, configuration: Configuration, taken: Snapshot) -> dict[str, str]:
    """Return what is wrong with each of the documents around the partitions, by key."""
    expected = {key: data for key, data in documents(configuration, taken).items() if not _is_replaced(key, taken)}
    contents = await store.get([Read(key) for key in expected])
    found = {key: _defect(data, expected[key]) for key, data in zip(expected, contents, strict=True)}
    return {key: defect for key, defect in found.items() if defect is not None}


def _is_replaced(key: str, taken: Snapshot) -> bool:
    """Return whether a document is still that of a collection whose replacement is committed and not in its place."""
    return _is_being_made(taken) and key.count("/") < 2


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
    """Return the document of a scalar array, below which readers of Zarr neither look nor warn."""
    codecs = codec_profiles.profile("balanced", checksum=False)  # as ever: it has no chunk that could be damaged
    description = {"description": "Transaction log"}
    variable = VariableSchema("transactions", dtype="uint8", dimensions=(), codecs=codecs, attrs=description)
    return ArrayLayout(path="transactions", variable=variable, shape=(), chunks=()).document


async def _strangers(store: KeyStore, configuration: Configuration, taken: Snapshot) -> tuple[list[Problem], list[str]]:
    """Return the partitions that lie in a place and were not committed, and what else lies among partitions."""
    problems, notes = [], []
    announced = await in_place.announced(store, await _stages(store))
    for path in await tree.candidates(store, configuration):
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
        elif not ours and path not in announced:
            notes.append(f"{path}/ is not part of the collection")
    return problems, notes


async def _leftovers(store: KeyStore, configuration: Configuration, taken: Snapshot) -> list[str]:
    """Return what writers have begun, or committed and not put in its place."""
    notes = [
        f"version {version.number} is committed and not yet in its place: the next writer, or repair(), completes it"
        for version in taken.pending
    ]
    ours = {version.transaction for version in taken.pending}
    found = [stage_of(transaction) for transaction in await _stages(store) if transaction not in ours]
    if not configuration.keeps:  # else segments stay until a vacuum, which finds out which of them older versions need
        found += await checkpoints.unnamed_segments(store)
    return [*notes, *(f"{key} was left by a writer that died, or is being written" for key in found)]


async def _stages(store: KeyStore) -> list[str]:
    """Return the transactions that have a stage."""
    prefix = f"{TRANSACTIONS}/stage/"
    return [entry.key.removeprefix(prefix).rstrip("/") async for entry in store.list(prefix)]
