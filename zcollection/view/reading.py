"""Rows of a base with the variables of a view beside them: both of one version, and row for row of each other."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, get_args

import anyio
from attrs import define, field, frozen
from numpy.typing import NDArray

from zcollection import config
from zcollection.collection.filters import Filter
from zcollection.collection.query import lazy_variables
from zcollection.collection.reading import Generation, Pieces, generation
from zcollection.collection.window import Windows
from zcollection.engine import dask_blocks
from zcollection.engine.dask_blocks import Chunks
from zcollection.engine.executor import in_thread
from zcollection.engine.lazy import Source
from zcollection.engine.read import GroupRead, read_groups
from zcollection.engine.work import Work, perform
from zcollection.errors import (
    ConflictError,
    CorruptionError,
    OutdatedError,
    SettingError,
    StaleError,
    StoreError,
    accepted,
)
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.snapshot import Snapshot
from zcollection.view.pair import Pair
from zcollection.view.staleness import Staleness

Stale = Literal["fill", "error", "compute"]
_TRIES: Final = 50
_LONGEST_PAUSE: Final = 0.2

Partitions = Mapping[str, PartitionRecord]


async def query(
    pair: Pair,
    *,
    filters: Filter,
    variables: Iterable[str] | None,
    lazy: bool,
    chunks: Chunks | None,
    stale: Stale,
    progress: ProgressOption,
) -> Dataset | None:
    """Read rows; see `View.query`."""
    schema = pair.schema if variables is None else pair.schema.select(variables)
    _check_stale(pair, stale, lazy=lazy or chunks is not None)
    own = schema.select(schema.all_variables().keys() & pair.own.schema.all_variables().keys())
    read = _MergedRead.of(pair, schema, own, stale)
    if not lazy and chunks is None:
        return await read.rows(filters, progress)
    found = await read.lazy(filters)
    return found if found is None or chunks is None else await in_thread(dask_blocks.chunked, found, chunks)


def _check_stale(pair: Pair, stale: object, *, lazy: bool) -> None:
    if stale not in get_args(Stale):
        message = f"stale={stale!r}; {accepted(stale, get_args(Stale))}"
        raise SettingError(message)
    if stale == "compute" and lazy:
        message = "stale='compute' with lazy=True or chunks, which reads nothing yet; accepted: 'fill' or 'error'"
        raise SettingError(message)
    if stale == "compute":
        _ = pair.chain  # refused at once where there is none


@frozen(kw_only=True)
class _Taken:
    """One version of each side.

    Attributes
    ----------
    base, own
        The versions.
    partitions
        Those of the base that pass the filter.
    current
        Of these, the ones for which the view holds what was computed from them as they are.
    """

    base: Snapshot
    own: Snapshot
    partitions: Partitions
    current: frozenset[str]

    @property
    def labels(self) -> tuple[int | str, int | str]:
        """What the versions are called."""
        return self.base.label, self.own.label


@define
class _MergedRead:
    """Rows that are read, and read again in part, until all of them are of one version of each side.

    Attributes
    ----------
    pair
        The view.
    schema
        The variables wanted.
    stale
        What becomes of partitions that are not current.
    """

    pair: Pair
    schema: DatasetSchema
    stale: Stale
    _base: Pieces
    _own: Pieces
    _fixed_schema: DatasetSchema
    _fixed: tuple[Generation, Mapping[str, NDArray[Any]]] | None = field(default=None, init=False)

    @classmethod
    def of(cls, pair: Pair, schema: DatasetSchema, own: DatasetSchema, stale: Stale) -> "_MergedRead":
        dimension = pair.base.dimension
        rest = pair.base.schema.select(schema.all_variables().keys() - own.all_variables().keys())
        mine = pair.own.schema.select(own.all_variables())
        moving, fixed = (pair.base.part(rest, moving=moving) for moving in (True, False))
        return cls(pair, schema, stale, Pieces(moving, dimension), Pieces(mine, dimension), fixed)

    async def rows(self, filters: Filter, progress: ProgressOption) -> Dataset | None:
        """Return the rows of the partitions that pass a filter; None where there are none."""
        taken = await self._take(filters)
        for number in range(_TRIES):
            if not taken.partitions:
                return None
            try:
                with tracking(None if number else progress, len(taken.partitions), "query") as advance:
                    await self._read(taken, advance)
            except (ConflictError, CorruptionError, StoreError) as error:
                newer = await self._take(filters)
                # The same partitions may lie in a snapshot that is still there.
                if taken.labels == newer.labels if isinstance(error, OutdatedError) else _is_same(taken, newer):
                    raise
                taken = newer
                continue
            if not await self._is_outdated(taken):
                return self._dataset(taken)
            await anyio.sleep(min(0.001 * 2**number, _LONGEST_PAUSE) if number > 1 else 0)
            taken = await self._take(filters)
        message = (
            f"other writers kept changing {self.pair.base.store.url} or its view while they were read; query again"
        )
        raise ConflictError(message)

    async def lazy(self, filters: Filter) -> Dataset | None:
        """Return variables that read what is selected of them when it is asked for."""
        taken = await self._take(filters)
        if not taken.partitions:
            return None
        base, dimension = self.pair.base, self.pair.base.dimension
        moving = [base.source(taken.base, path, record) for path, record in taken.partitions.items()]
        fixed = [base.source(taken.base, IMMUTABLE, taken.base.immutable)]
        own = [self._source(taken, path) for path in taken.partitions]
        lazily = {
            **lazy_variables(taken.base.objects, moving, self._base.schema, dimension),
            **lazy_variables(taken.base.objects, fixed, self._fixed_schema, dimension),
            **lazy_variables(taken.own.objects, own, self._own.schema, dimension),
        }
        return Dataset(self.schema, {path: lazily[path] for path in self.schema.all_variables()})

    async def _take(self, filters: Filter) -> _Taken:
        # In this order: what is refreshed meanwhile is not taken for stale.
        own = await self.pair.own.snapshot()
        base = await self.pair.base.snapshot()
        partitions, staleness = await self.pair.base.select(base, filters), Staleness(self.pair, base)
        current = frozenset(path for path in partitions if staleness.is_current(path, own.record(path)))
        if self.stale == "error" and len(current) < len(partitions) and self._own.schema.all_variables():
            raise _stale_error(self.pair, [path for path in partitions if path not in current])
        return _Taken(base=base, own=own, partitions=partitions, current=current)

    async def _is_outdated(self, taken: _Taken) -> bool:
        return await self.pair.base.is_outdated(taken.base) or await self.pair.own.is_outdated(taken.own)

    async def _read(self, taken: _Taken, advance: Callable[[], None]) -> None:
        """Read what is not yet there of these generations."""
        if self._base.schema.all_variables():
            await self._read_base(taken, advance if not self._own.schema.all_variables() else None)
        if self._own.schema.all_variables():
            await self._read_own(taken, advance)
        fixed = generation(taken.base, IMMUTABLE)
        if self._fixed is None or self._fixed[0] != fixed:
            self._fixed = fixed, await self.pair.base.read_immutable(taken.base, self._fixed_schema)

    async def _read_base(self, taken: _Taken, advance: Callable[[], None] | None) -> None:
        base = self.pair.base
        missing = {
            path: record
            for path, record in taken.partitions.items()
            if not self._base.has(path, generation(taken.base, path))
        }
        groups = [base.group(path, record, taken.base.place(path)) for path, record in missing.items()]
        arrays = await read_groups(
            taken.base.objects, groups, self._base.schema, dimension=base.dimension, progress=advance
        )
        self._base.put([(path, generation(taken.base, path), record.rows) for path, record in missing.items()], arrays)

    async def _read_own(self, taken: _Taken, advance: Callable[[], None]) -> None:
        missing = [path for path in taken.partitions if not self._own.has(path, self._generation(taken, path))]
        computed = [path for path in missing if self.stale == "compute" and path not in taken.current]
        await self._compute(taken, computed, advance)
        read = [path for path in missing if path not in computed]
        groups = [self._group(taken, path) for path in read]
        dimension = self.pair.own.dimension
        arrays = await read_groups(taken.own.objects, groups, self._own.schema, dimension=dimension, progress=advance)
        self._own.put([(path, self._generation(taken, path), taken.partitions[path].rows) for path in read], arrays)

    def _generation(self, taken: _Taken, path: str) -> Generation:
        """Return what the rows of a partition of the view are to be: those that it holds, or others."""
        if path in taken.current:
            return generation(taken.own, path)
        return taken.partitions[path].stamp, "" if self.stale == "fill" else str(taken.base.label)

    def _group(self, taken: _Taken, path: str) -> GroupRead:
        """Return where to read a partition of the view; one that is not current has no variables, and reads as fill."""
        record, place = taken.own.record(path), taken.own.place(path)
        if path in taken.current:
            return self.pair.own.group(path, record, place)
        rows = taken.partitions[path].rows
        return GroupRead(path=path, prefix=place.prefix, document=place.document, rows=rows, schema=DatasetSchema())

    def _source(self, taken: _Taken, path: str) -> Source:
        return Source(group=self._group(taken, path), check=self.pair.own.stamp(path, taken.own.record(path)))

    async def _compute(self, taken: _Taken, paths: list[str], advance: Callable[[], None]) -> None:
        """Compute partitions of the view, and keep them in memory alone."""
        if not paths:
            return
        chain, base = self.pair.chain, self.pair.base
        given = base.schema.select(chain.inputs)
        fixed = await base.read_immutable(taken.base, given)
        windows = Windows(handle=base, taken=taken.base, halo=chain.halo)

        def computing(path: str) -> Work[Dataset]:
            window = yield from windows.reading(path, taken.partitions[path], given, fixed)
            return window.trimmed(chain.compute(window, base.dimension), base.dimension)

        works = (computing(path) for path in paths)
        made = await perform(taken.base.objects, works, threads=config.get().threads, progress=advance)
        for path, dataset in zip(paths, made, strict=True):
            arrays = {name: dataset.get_variable(f"/{name}").to_numpy() for name in self._own.schema.all_variables()}
            self._own.put([(path, self._generation(taken, path), taken.partitions[path].rows)], arrays)

    def _dataset(self, taken: _Taken) -> Dataset:
        fixed = {} if self._fixed is None else self._fixed[1]
        arrays = {**self._base.joined(taken.partitions), **self._own.joined(taken.partitions), **fixed}
        return self.pair.base.dataset(self.schema, arrays)


def _is_same(taken: _Taken, newer: _Taken) -> bool:
    """Return whether nothing has changed of what was read."""
    return taken.partitions.keys() == newer.partitions.keys() and all(
        generation(before, path) == generation(after, path)
        for before, after in ((taken.base, newer.base), (taken.own, newer.own))
        for path in (*taken.partitions, IMMUTABLE)
    )


def _stale_error(pair: Pair, paths: list[str]) -> StaleError:
    advice = "refresh()" if pair.definition.computations else "update(function)"
    message = (
        f"{len(paths)} partitions of the view {pair.own.store.url} are not computed from its base as it is, {paths[0]!r} among "
        f"them; call {advice}, or query with stale='fill'"
    )
    return StaleError(message)
