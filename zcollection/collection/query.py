"""Rows read back."""

from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

from zcollection import portal
from zcollection.collection.filters import Filter
from zcollection.collection.handle import Handle
from zcollection.collection.reading import ConsistentRead, OnError
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
from zcollection.transaction.snapshot import Snapshot


async def query(
    handle: Handle,
    *,
    filters: Filter,
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
    if not lazy and chunks is None:
        executor = chosen(client, handle.store)
        return await ConsistentRead(handle, schema, executor, on_error).rows(filters, progress)
    await portal.on_loop()
    taken = await handle.snapshot(handle.passing(filters))
    partitions = await handle.select(taken, filters)
    if not partitions:
        return None
    found = _lazy(handle, taken, partitions, schema)
    return found if chunks is None else await in_thread(dask_blocks.chunked, found, chunks)


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
    moving = [handle.source(taken, path, record) for path, record in partitions.items()]
    fixed = [handle.source(taken, IMMUTABLE, taken.immutable)]
    parts = [(moving, handle.part(schema, moving=True)), (fixed, handle.part(schema, moving=False))]
    lazily = [lazy_variables(taken.objects, sources, part, handle.dimension) for sources, part in parts]
    return handle.dataset(schema, {path: rows for each in lazily for path, rows in each.items()})


def lazy_variables(
    objects: Objects, sources: Sequence[Source], schema: DatasetSchema, dimension: str
) -> dict[str, LazyRows]:
    """Return every variable of a schema, to be read from these groups when it is asked for."""
    groups = Sources(tuple(sources))
    return {path: LazyRows.whole(objects, groups, schema, path, dimension=dimension) for path in schema.all_variables()}


async def records(handle: Handle, *, filters: Filter) -> Mapping[str, PartitionRecord]:
    """Return the partitions that pass a filter, in the order of their keys."""
    return await handle.select(await handle.snapshot(handle.passing(filters)), filters)


async def keys(handle: Handle, *, filters: Filter) -> tuple[Key, ...]:
    """Return the keys of the partitions that pass a filter, in order."""
    return tuple(Key(record.key) for record in (await records(handle, filters=filters)).values())
