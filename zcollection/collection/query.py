"""Rows read back."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, get_args, overload

import numpy as np
from attrs import evolve, field, frozen

from zcollection import portal
from zcollection.collection.asking import Asked, Where
from zcollection.collection.filters import Filter
from zcollection.collection.find import ConsistentFind
from zcollection.collection.handle import Handle
from zcollection.collection.reading import ConsistentRead, OnError
from zcollection.collection.rows import Rows
from zcollection.contracts.partitioning import Key
from zcollection.contracts.store import Objects
from zcollection.engine import dask_blocks
from zcollection.engine.dask_blocks import Chunks
from zcollection.engine.executor import in_thread
from zcollection.engine.executors import ClientOption, chosen
from zcollection.engine.lazy import LazyRows, Source, Sources
from zcollection.errors import SettingError, accepted
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema
from zcollection.progress import ProgressOption
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.partitions import Partitions
from zcollection.transaction.places import Place
from zcollection.transaction.snapshot import Snapshot


async def query(
    handle: Handle,
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
    schema = handle.names(variables)
    asked, executor = Asked.of(handle, filters, where), chosen(client, handle.store)
    if not lazy and chunks is None:
        return await ConsistentRead(handle, schema, executor, on_error).rows(asked, progress)
    await portal.on_loop()
    if asked.where is not None:
        selected, rows = await ConsistentFind(asked, executor).rows(progress)
        there = {path: selected.partitions[path] for path in rows.partitions}
        if not there:
            return await ConsistentRead(handle, schema, executor).rows(evolve(asked, where=rows), None)
        found = _lazy(handle, selected.taken, there, schema)
        whole = found if chunks is None else await in_thread(dask_blocks.chunked, found, chunks)
        return at_rows(handle, whole, there, rows)
    taken = await handle.snapshot(handle.passing(filters))
    partitions = await handle.select(taken, filters)
    if not partitions:
        return None
    found = _lazy(handle, taken, partitions, schema)
    return found if chunks is None else await in_thread(dask_blocks.chunked, found, chunks)


async def find(
    handle: Handle, *, filters: Filter, where: Where, client: ClientOption, progress: ProgressOption
) -> Rows:
    """Find rows; see `Collection.find`."""
    asked = Asked.of(handle, filters, where)
    return (await ConsistentFind(asked, chosen(client, handle.store)).rows(progress))[1]


async def count(
    handle: Handle, *, filters: Filter, where: Where, client: ClientOption, progress: ProgressOption
) -> int:
    """Count rows; see `Collection.count`."""
    if where is None:
        return sum((await records(handle, filters=filters)).column("rows"))
    return len(await find(handle, filters=filters, where=where, client=client, progress=progress))


def at_rows(handle: Handle, dataset: Dataset, partitions: Mapping[str, PartitionRecord], rows: Rows) -> Dataset:
    """Return the rows that were found of those of all partitions, one after the other."""
    starts = accumulate((record.rows for record in partitions.values()), initial=0)
    parts = [
        part.found.positions + start
        for path, start in zip(partitions, starts, strict=False)
        if (part := rows.part(path)) is not None
    ]
    positions = np.concatenate([np.empty(0, np.intp), *parts])
    return dataset.isel({handle.dimension: positions}) if handle.dimension in dataset.sizes else dataset


def check_on_error(on_error: object, *, lazy: bool = False) -> None:
    """Raise `SettingError` unless it is a way to treat damage, and one that is possible here."""
    if on_error not in get_args(OnError):
        message = f"on_error={on_error!r}; {accepted(on_error, get_args(OnError))}"
        raise SettingError(message)
    if lazy and on_error != "raise":
        message = f"on_error={on_error!r} with lazy=True or chunks, which reads nothing yet; accepted: 'raise'"
        raise SettingError(message)


def _lazy(handle: Handle, taken: Snapshot, partitions: Mapping[str, PartitionRecord], schema: DatasetSchema) -> Dataset:
    """Return variables that read what is selected of them when it is asked for."""
    moving = LookedUp.sources(handle, taken.places, partitions)
    fixed = Sources([handle.source(IMMUTABLE, taken.immutable, taken.places.get(IMMUTABLE))])
    parts = [(moving, handle.part(schema, moving=True)), (fixed, handle.part(schema, moving=False))]
    lazily = [lazy_variables(taken.objects, sources, part, handle.dimension) for sources, part in parts]
    return handle.dataset(schema, {path: rows for each in lazily for path, rows in each.items()})


@frozen(eq=False)
class LookedUp(Sequence[Source]):
    """Partitions of a snapshot to read from: what is known of each is looked up once it is asked for.

    Of 10,000 partitions most are never read, and to make a record of each takes longer than all else does.
    """

    handle: Handle
    places: Mapping[str, Place]
    partitions: Mapping[str, PartitionRecord] = field(repr=False)
    paths: Sequence[str] = field(repr=False)

    @classmethod
    def sources(cls, handle: Handle, places: Mapping[str, Place], partitions: Mapping[str, PartitionRecord]) -> Sources:
        """Return partitions as sources, in their order."""
        groups = cls(handle, places, partitions, list(partitions))
        if isinstance(partitions, Partitions):
            return Sources(groups, partitions.column("rows"), partitions.column("axis_range"))
        records = partitions.values()
        return Sources(groups, [record.rows for record in records], [record.axis_range for record in records])

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, at: int) -> Source: ...
    @overload
    def __getitem__(self, at: slice) -> "LookedUp": ...
    def __getitem__(self, at: int | slice) -> "Source | LookedUp":
        if isinstance(at, slice):
            return evolve(self, paths=self.paths[at])
        path = self.paths[at]
        return self.handle.source(path, self.partitions[path], self.places.get(path))

    def __getstate__(self) -> tuple[Any, ...]:
        part = len(self.paths) < len(self.partitions)
        partitions = Partitions({path: self.partitions[path] for path in self.paths}) if part else self.partitions
        return (self.handle, self.places, partitions, self.paths)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.__init__(*state)  # type: ignore[misc]  # frozen: there is no other way in


def lazy_variables(objects: Objects, sources: Sources, schema: DatasetSchema, dimension: str) -> dict[str, LazyRows]:
    """Return every variable of a schema, to be read from these groups when it is asked for."""
    return {
        path: LazyRows.whole(objects, sources, schema, path, dimension=dimension) for path in schema.all_variables()
    }


async def records(handle: Handle, *, filters: Filter) -> Partitions:
    """Return the partitions that pass a filter, in the order of their keys."""
    concern = handle.passing(filters)
    return await handle.select(await handle.snapshot(concern), filters, concern)


async def keys(handle: Handle, *, filters: Filter) -> tuple[Key, ...]:
    """Return the keys of the partitions that pass a filter, in order."""
    return await in_thread((await records(handle, filters=filters)).keys_of_each)
