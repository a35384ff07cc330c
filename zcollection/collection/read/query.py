"""Queries: rows, counts, records and keys of the selected partitions, eagerly or lazily."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, get_args, overload

import numpy as np
from attrs import evolve, field, frozen

from zcollection import portal
from zcollection.collection import key_selection, partition_groups
from zcollection.collection.filters import Filter
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.read.consistent_read import ConsistentRead, OnError
from zcollection.collection.read.find import ConsistentFind
from zcollection.collection.read.request import Request, Where
from zcollection.collection.read.rows import Rows
from zcollection.contracts.objects import Objects
from zcollection.contracts.partitioning import Key
from zcollection.engine import dask_blocks
from zcollection.engine.dask_blocks import Chunks
from zcollection.engine.executor import in_thread
from zcollection.engine.executors import ClientOption, executor_for
from zcollection.engine.lazy import LazyRows, Source, Sources
from zcollection.errors import SettingError, accepted
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema
from zcollection.progress import ProgressOption
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.index.partitions import Partitions
from zcollection.transaction.places import Place
from zcollection.transaction.snapshot import Snapshot


async def query(
    opened: OpenCollection,
    *,
    filters: Filter,
    where: Where,
    variables: Iterable[str] | None,
    lazy: bool,
    chunks: Chunks | None,
    on_error: OnError,
    client: ClientOption,
    progress: ProgressOption,
) -> Dataset | None:
    """Read rows; see `Collection.query`."""
    check_on_error(on_error, lazy=lazy or chunks is not None)
    schema = opened.names(variables)
    request, executor = Request.of(opened, filters, where), executor_for(client, opened.store)
    if not lazy and chunks is None:
        return await ConsistentRead(opened, schema, executor, on_error).rows(request, progress)
    await portal.on_loop()
    if request.where is not None:
        selected, rows = await ConsistentFind(request, executor).rows(progress)
        partitions: Mapping[str, PartitionRecord] = {path: selected.partitions[path] for path in rows.partitions}
        if not partitions:
            return await ConsistentRead(opened, schema, executor).rows(evolve(request, where=rows), None)
        found = _lazy(opened, selected.snapshot, partitions, schema)
        all_rows = found if chunks is None else await in_thread(dask_blocks.chunked, found, chunks)
        return at_rows(opened, all_rows, partitions, rows)
    snapshot = await opened.snapshot(key_selection.candidates_of(opened, filters))
    partitions = await key_selection.select(opened, snapshot, filters)
    if not partitions:
        return None
    found = _lazy(opened, snapshot, partitions, schema)
    return found if chunks is None else await in_thread(dask_blocks.chunked, found, chunks)


async def find(
    opened: OpenCollection, *, filters: Filter, where: Where, client: ClientOption, progress: ProgressOption
) -> Rows:
    """Find rows; see `Collection.find`."""
    request = Request.of(opened, filters, where)
    return (await ConsistentFind(request, executor_for(client, opened.store)).rows(progress))[1]


async def count(
    opened: OpenCollection, *, filters: Filter, where: Where, client: ClientOption, progress: ProgressOption
) -> int:
    """Count rows; see `Collection.count`."""
    if where is None:
        return sum((await records(opened, filters=filters)).column("rows"))
    return len(await find(opened, filters=filters, where=where, client=client, progress=progress))


def at_rows(opened: OpenCollection, dataset: Dataset, partitions: Mapping[str, PartitionRecord], rows: Rows) -> Dataset:
    """Return the rows found, from a dataset with all rows of the partitions, one partition after the other."""
    starts = accumulate((record.rows for record in partitions.values()), initial=0)
    parts = [
        part.selected.positions + start
        for path, start in zip(partitions, starts, strict=False)
        if (part := rows.part(path)) is not None
    ]
    positions = np.concatenate([np.empty(0, np.intp), *parts])
    return dataset.isel({opened.dimension: positions}) if opened.dimension in dataset.sizes else dataset


def check_on_error(on_error: object, *, lazy: bool = False) -> None:
    """Raise `SettingError` if the value of `on_error` is invalid, or is not supported by a lazy query."""
    if on_error not in get_args(OnError):
        message = f"on_error={on_error!r}; {accepted(on_error, get_args(OnError))}"
        raise SettingError(message)
    if lazy and on_error != "raise":
        message = f"on_error={on_error!r} with lazy=True or chunks, which reads nothing yet; accepted: 'raise'"
        raise SettingError(message)


def _lazy(
    opened: OpenCollection, snapshot: Snapshot, partitions: Mapping[str, PartitionRecord], schema: DatasetSchema
) -> Dataset:
    """Return a dataset of lazy variables for all rows of the partitions."""
    partitioned = LazySources.sources(opened, snapshot.places, partitions)
    immutable = Sources(
        [partition_groups.source_of(opened, IMMUTABLE, snapshot.immutable, snapshot.places.get(IMMUTABLE))]
    )
    parts = [(partitioned, opened.part(schema, partitioned=True)), (immutable, opened.part(schema, partitioned=False))]
    lazily = [lazy_variables(snapshot.objects, sources, part, opened.dimension) for sources, part in parts]
    return partition_groups.dataset_of(schema, {path: rows for each in lazily for path, rows in each.items()})


@frozen(eq=False)
class LazySources(Sequence[Source]):
    """Partitions of a snapshot as sources of lazy variables; the record of each is looked up on first use.

    Of 10,000 partitions most are never read, and creating all records would take longer than the rest of the query.
    """

    opened: OpenCollection
    places: Mapping[str, Place]
    partitions: Mapping[str, PartitionRecord] = field(repr=False)
    paths: Sequence[str] = field(repr=False)

    @classmethod
    def sources(
        cls, opened: OpenCollection, places: Mapping[str, Place], partitions: Mapping[str, PartitionRecord]
    ) -> Sources:
        """Return partitions as sources, in their order."""
        groups = cls(opened, places, partitions, list(partitions))
        if isinstance(partitions, Partitions):
            return Sources(groups, partitions.column("rows"), partitions.column("axis_range"))
        records = partitions.values()
        return Sources(groups, [record.rows for record in records], [record.axis_range for record in records])

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, at: int) -> Source: ...
    @overload
    def __getitem__(self, at: slice) -> "LazySources": ...
    def __getitem__(self, at: int | slice) -> "Source | LazySources":
        if isinstance(at, slice):
            return evolve(self, paths=self.paths[at])
        path = self.paths[at]
        return partition_groups.source_of(self.opened, path, self.partitions[path], self.places.get(path))

    def __getstate__(self) -> tuple[Any, ...]:
        part = len(self.paths) < len(self.partitions)
        partitions = Partitions({path: self.partitions[path] for path in self.paths}) if part else self.partitions
        return (self.opened, self.places, partitions, self.paths)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.__init__(*state)  # type: ignore[misc]  # frozen: there is no other way in


def lazy_variables(objects: Objects, sources: Sources, schema: DatasetSchema, dimension: str) -> dict[str, LazyRows]:
    """Return every variable of a schema as a lazy variable that reads from the sources."""
    return {
        path: LazyRows.whole(objects, sources, schema, path, dimension=dimension) for path in schema.all_variables()
    }


async def records(opened: OpenCollection, *, filters: Filter) -> Partitions:
    """Return the partitions that pass a filter, in the order of their keys."""
    candidates = key_selection.candidates_of(opened, filters)
    return await key_selection.select(opened, await opened.snapshot(candidates), filters, candidates)


async def keys(opened: OpenCollection, *, filters: Filter) -> tuple[Key, ...]:
    """Return the keys of the partitions that pass a filter, in order."""
    return await in_thread((await records(opened, filters=filters)).partition_keys)
