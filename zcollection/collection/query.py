"""Rows read back, and functions applied to partitions."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar, get_args

from attrs import frozen
from numpy.typing import NDArray

from zcollection import config
from zcollection.collection.filters import Filter
from zcollection.collection.handle import Handle
from zcollection.collection.neighbours import Halo
from zcollection.collection.reading import ConsistentRead, OnError, generation
from zcollection.collection.window import Windows
from zcollection.contracts.partitioning import Key
from zcollection.contracts.store import Objects
from zcollection.engine.lazy import LazyRows, Source
from zcollection.engine.work import Work, perform
from zcollection.errors import ConflictError, CorruptionError, CorruptionWarning, SettingError, accepted
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.snapshot import Snapshot

R = TypeVar("R")

_TRIES: Final = 50


async def query(
    handle: Handle,
    *,
    filters: Filter,
    variables: Iterable[str] | None,
    lazy: bool,
    on_error: OnError,
    progress: ProgressOption,
) -> Dataset | None:
    """Read rows; see `Collection.query`."""
    _check_on_error(on_error, lazy=lazy)
    schema = handle.names(variables)
    if not lazy:
        return await ConsistentRead(handle, schema, on_error).rows(filters, progress)
    taken = await handle.snapshot()
    partitions = handle.select(taken, filters)
    return _lazy(handle, taken, partitions, schema) if partitions else None


def _check_on_error(on_error: object, *, lazy: bool = False) -> None:
    if on_error not in get_args(OnError):
        message = f"on_error={on_error!r}; {accepted(on_error, get_args(OnError))}"
        raise SettingError(message)
    if lazy and on_error != "raise":
        message = f"on_error={on_error!r} with lazy=True, which reads nothing yet; accepted: 'raise'"
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
    return {
        path: LazyRows.whole(objects, sources, schema, path, dimension=dimension) for path in schema.all_variables()
    }


async def records(handle: Handle, *, filters: Filter) -> Mapping[str, PartitionRecord]:
    """Return the partitions that pass a filter, in the order of their keys."""
    return handle.select(await handle.snapshot(), filters)


async def keys(handle: Handle, *, filters: Filter) -> tuple[Key, ...]:
    """Return the keys of the partitions that pass a filter, in order."""
    return tuple(Key(record.key) for record in (await records(handle, filters=filters)).values())


async def map_partitions(
    handle: Handle,
    function: Callable[..., R],
    *,
    filters: Filter,
    variables: Iterable[str] | None,
    halo: Halo,
    on_error: OnError,
    progress: ProgressOption,
) -> dict[str, R]:
    """Apply a function to every partition; see `Collection.map`."""
    _check_on_error(on_error)
    schema = handle.names(variables)
    taken = await handle.snapshot()
    partitions = handle.select(taken, filters)
    results: dict[str, R] = {}
    with tracking(progress, len(partitions), "map") as advance:
        for _ in range(_TRIES):
            missing = {path: record for path, record in partitions.items() if path not in results}
            windows = Windows(handle=handle, taken=taken, halo=halo)
            work = _Map(windows, function, schema, await handle.read_immutable(taken, schema), advance)
            works = (work.applied(path, record, on_error) for path, record in missing.items())
            outcomes = dict(
                zip(missing, await perform(taken.objects, works, threads=config.get().threads), strict=True)
            )
            results |= {path: outcome[0] for path, outcome in outcomes.items() if isinstance(outcome, tuple)}
            partitions = _undamaged(partitions, outcomes)
            if len(results) == len(partitions):
                break
            # Others have replaced or dropped the rest meanwhile.
            before, taken = taken, await handle.snapshot()
            _check_changed(before, taken, partitions.keys() - results.keys())
            now = handle.select(taken, filters)
            partitions = {path: now[path] for path in partitions if path in now}
            results = {path: results[path] for path in partitions if path in results}
        else:
            message = f"other writers kept changing partitions of {handle.store.url}; run the map again"
            raise ConflictError(message)
    return {path: results[path] for path in partitions}


def _check_changed(before: Snapshot, now: Snapshot, paths: Iterable[str]) -> None:
    """Raise `CorruptionError` where a partition is not what was committed, and nobody has changed it."""
    for path in sorted(paths):
        if generation(before, path) == generation(now, path):
            message = f"the group document of partition {path!r} is not the one that was committed; call verify()"
            raise CorruptionError(message)


def _undamaged(partitions: Mapping[str, PartitionRecord], outcomes: Mapping[str, object]) -> dict[str, PartitionRecord]:
    """Return the partitions that are not damaged, and tell of the others."""
    damaged = {path: outcome for path, outcome in outcomes.items() if isinstance(outcome, CorruptionError)}
    for error in damaged.values():
        warnings.warn(f"left out: {error}", CorruptionWarning, stacklevel=2)
    return {path: record for path, record in partitions.items() if path not in damaged}


@frozen
class _Map(Generic[R]):
    """A function applied to partitions of one snapshot."""

    windows: Windows
    function: Callable[..., R]
    schema: DatasetSchema
    fixed: Mapping[str, NDArray[Any]]
    advance: Callable[[], None] | None

    def applied(self, path: str, record: PartitionRecord, on_error: OnError) -> Work[tuple[R] | CorruptionError | None]:
        """Return what the function returns for one partition; None where another writer has just changed that.

        Where damage is to be skipped, that is what is returned.
        """
        try:
            window = yield from self.windows.reading(path, record, self.schema, self.fixed)
        except ConflictError:
            return None
        except CorruptionError as error:
            if on_error == "raise":
                raise
            return error
        result = window.call(self.function)
        if self.advance is not None:
            self.advance()
        return (result,)
