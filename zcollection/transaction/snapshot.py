"""Which partitions there are, at one moment."""

from collections.abc import AsyncIterator

from attrs import field, frozen

from zcollection.contracts.store import KeyStore, Read
from zcollection.engine.executor import gather, parallelism
from zcollection.errors import CorruptionError, PartitionError
from zcollection.transaction import catalog
from zcollection.transaction.documents import IMMUTABLE, Configuration, PartitionRecord, validate_path
from zcollection.transaction.partitions import Partitions


@frozen
class Snapshot:
    """The partitions of a collection, in the order of their keys.

    Attributes
    ----------
    partitions
        What each partition says of itself, by path.
    immutable
        The same of the variables that do not span the axis; None while none has been written.
    """

    partitions: Partitions = field(factory=Partitions)
    immutable: PartitionRecord | None = None

    def record(self, path: str) -> PartitionRecord | None:
        """Return what is known of a partition, or of the immutable variables."""
        return self.immutable if path == IMMUTABLE else self.partitions.get(path)


async def take(store: KeyStore, configuration: Configuration, *, walk: bool = False) -> Snapshot:
    """Return the partitions that there are now.

    Parameters
    ----------
    store
        Where.
    configuration
        Of the collection.
    walk
        Look at the partitions themselves even where there is a catalog.
    """
    indexed = await catalog.load(store) if configuration.catalog and not walk else None
    has_immutable = bool(configuration.immutable_schema.all_variables())
    immutable = (await _records(store, [IMMUTABLE])).get(IMMUTABLE) if has_immutable else None
    if indexed is None:
        candidates = [path async for path in _walk(store, "", configuration.depth)]
        indexed = Partitions(await _records(store, candidates))
    return Snapshot(indexed, immutable)


async def _walk(store: KeyStore, prefix: str, depth: int) -> AsyncIterator[str]:
    """Yield the paths, `depth` segments long, at which a partition may lie; foreign directories are passed over."""
    async for entry in store.list(prefix):
        path = entry.key.rstrip("/")
        if not entry.is_prefix or not _is_safe(path):
            continue
        if depth == 1:
            yield path
            continue
        async for deeper in _walk(store, entry.key, depth - 1):
            yield deeper


def _is_safe(path: str) -> bool:
    try:
        validate_path(path)
    except PartitionError:
        return False
    return True


async def _records(store: KeyStore, paths: list[str]) -> dict[str, PartitionRecord]:
    """Return what the groups at `paths` say of themselves; those that are not partitions are left out."""
    batches = [paths[start : start + 256] for start in range(0, len(paths), 256)]

    async def read(batch: list[str]) -> list[bytes | None]:
        return await store.get([Read(f"{path}/zarr.json") for path in batch])

    answers = await gather(read, batches, limit=parallelism(store))
    found: dict[str, PartitionRecord] = {}
    for path, data in zip(paths, (data for batch in answers for data in batch), strict=True):
        record = None if data is None else _understood(data, path)
        if record is not None:
            found[path] = record
    return found


def _understood(data: bytes, path: str) -> PartitionRecord | None:
    try:
        return PartitionRecord.from_group(data, what=f"the group document of partition {path!r}")
    except CorruptionError as error:
        message = f"{error}; restore it, or remove the partition's directory"
        raise CorruptionError(message) from error
