"""Rows read back, and functions applied to partitions."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from zcollection import config
from zcollection.collection.filters import Filter
from zcollection.collection.handle import Handle
from zcollection.contracts.partitioning import Key
from zcollection.engine.work import Work, perform
from zcollection.model.dataset import Dataset
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.documents import PartitionRecord

R = TypeVar("R")


async def query(
    handle: Handle, *, filters: Filter, variables: Iterable[str] | None, progress: ProgressOption
) -> Dataset | None:
    """Read rows; see `Collection.query`."""
    schema = handle.names(variables)
    taken = await handle.snapshot()
    partitions = handle.select(taken, filters)
    if not partitions:
        return None
    with tracking(progress, len(partitions), "query") as advance:
        return await handle.read(taken, partitions, schema, progress=advance)


async def records(handle: Handle, *, filters: Filter) -> Mapping[str, PartitionRecord]:
    """Return the partitions that pass a filter, in the order of their keys."""
    return handle.select(await handle.snapshot(), filters)


async def keys(handle: Handle, *, filters: Filter) -> tuple[Key, ...]:
    """Return the keys of the partitions that pass a filter, in order."""
    return tuple(Key(record.key) for record in (await records(handle, filters=filters)).values())


async def map_partitions(
    handle: Handle,
    function: Callable[[Dataset], R],
    *,
    filters: Filter,
    variables: Iterable[str] | None,
    progress: ProgressOption,
) -> dict[str, R]:
    """Apply a function to every partition; see `Collection.map`."""
    schema = handle.names(variables)
    taken = await handle.snapshot()
    partitions = handle.select(taken, filters)
    fixed = await handle.read_immutable(taken, schema)

    def applied(path: str, record: PartitionRecord) -> Work[R]:
        # Every call gets arrays of its own, to change as it likes.
        copies = {name: values.copy() for name, values in fixed.items()}
        return function((yield from handle.reading(path, record, schema, copies)))

    with tracking(progress, len(partitions), "map") as advance:
        works = (applied(path, record) for path, record in partitions.items())
        results = await perform(handle.store, works, threads=config.get().threads, progress=advance)
    return dict(zip(partitions, results, strict=True))
