"""The partitions of a collection found by listing its directories, if there is no catalog."""

from collections.abc import AsyncIterator, Collection

from zcollection.contracts.objects import Objects, Read
from zcollection.engine.executor import gather, parallelism
from zcollection.errors import (
    CorruptionError,
)
from zcollection.transaction.documents import IMMUTABLE, Configuration, PartitionRecord, is_safe_path
from zcollection.transaction.index.partitions import Partitions


async def find(
    objects: Objects, configuration: Configuration, further_paths: Collection[str] = ()
) -> tuple[Partitions, PartitionRecord | None]:
    """Return the records of the partitions, found by listing and at further paths, and of the immutable variables."""
    paths = dict.fromkeys([*await candidates(objects, configuration), *further_paths])
    partitions = Partitions(await _records(objects, list(paths)))
    return partitions, (await _records(objects, [IMMUTABLE])).get(IMMUTABLE)


async def candidates(objects: Objects, configuration: Configuration) -> list[str]:
    """Return the paths at which a partition may be stored, found by listing."""
    return [path async for path in _walk(objects, "", configuration.depth)]


async def _walk(objects: Objects, prefix: str, depth: int) -> AsyncIterator[str]:
    """Yield the paths with `depth` parts at which a partition may be stored; directories with foreign names are ignored."""
    async for entry in objects.list(prefix):
        path = entry.key.rstrip("/")
        if not entry.is_prefix or not is_safe_path(path):
            continue
        if depth == 1:
            yield path
            continue
        async for deeper in _walk(objects, entry.key, depth - 1):
            yield deeper


async def _records(objects: Objects, paths: list[str]) -> dict[str, PartitionRecord]:
    """Return the records of the groups at `paths`; groups that are not partitions are ignored."""
    batches = [paths[start : start + 256] for start in range(0, len(paths), 256)]

    async def read(batch: list[str]) -> list[bytes | None]:
        return await objects.get([Read(f"{path}/zarr.json") for path in batch])

    answers = await gather(read, batches, limit=parallelism(objects))
    records: dict[str, PartitionRecord] = {}
    for path, data in zip(paths, (data for batch in answers for data in batch), strict=True):
        record = None if data is None else _parsed(data, path)
        if record is not None:
            records[path] = record
    return records


def _parsed(data: bytes, path: str) -> PartitionRecord | None:
    try:
        return PartitionRecord.from_group(data, what=f"the group document of partition {path!r}")
    except CorruptionError as error:
        message = f"{error}; restore it, or remove the partition's directory"
        raise CorruptionError(message) from error
