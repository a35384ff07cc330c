"""Rows read back, and functions applied to partitions."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from attrs import frozen

from zcollection import config
from zcollection.collection.filters import Filter
from zcollection.collection.handle import Handle
from zcollection.contracts.partitioning import Key
from zcollection.engine.lazy import LazyRows, Source
from zcollection.engine.work import Work, perform
from zcollection.errors import ConflictError
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.snapshot import Snapshot

R = TypeVar("R")


async def query(
    handle: Handle, *, filters: Filter, variables: Iterable[str] | None, lazy: bool, progress: ProgressOption
) -> Dataset | None:
    """Read rows; see `Collection.query`."""
    schema = handle.names(variables)
    taken = await handle.snapshot()
    partitions = handle.select(taken, filters)
    if not partitions:
        return None
    if lazy:
        return _lazy(handle, taken, partitions, schema)
    with tracking(progress, len(partitions), "query") as advance:
        return await handle.read(taken, partitions, schema, progress=advance)


def _lazy(handle: Handle, taken: Snapshot, partitions: Mapping[str, PartitionRecord], schema: DatasetSchema) -> Dataset:
    """Return variables that read what is selected of them when it is asked for."""
    moving = [_source(handle, path, record) for path, record in partitions.items()]
    fixed = [_source(handle, IMMUTABLE, taken.immutable)]
    return Dataset(
        schema,
        {
            path: LazyRows.whole(
                handle.store,
                moving if handle.dimension in variable.dimensions else fixed,
                schema,
                path,
                dimension=handle.dimension,
            )
            for path, variable in schema.all_variables().items()
        },
    )


def _source(handle: Handle, path: str, record: PartitionRecord | None) -> Source:
    return Source(
        group=handle.group(path, record),
        check=_Stamp(path=path, stamp=None if record is None else record.stamp, place=str(handle.store.url)),
    )


@frozen(kw_only=True)
class _Stamp:
    """Which generation of a partition a lazy variable was made from."""

    path: str
    stamp: str | None
    place: str

    def __call__(self, document: bytes | None) -> None:
        what = f"the group document of partition {self.path!r}"
        record = None if document is None else PartitionRecord.from_group(document, what=what)
        if (record and record.stamp) != self.stamp:
            message = (
                f"partition {self.path!r} of {self.place} was changed after the query that made this lazy variable; "
                f"query again"
            )
            raise ConflictError(message)


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
