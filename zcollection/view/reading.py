"""Consistent reads of a view: rows of the base, together with the view's variables for the same rows."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any, Literal, TypeVar, get_args

from attrs import define, evolve, field, frozen
from numpy.typing import NDArray

from zcollection import config
from zcollection.collection import partition_groups
from zcollection.collection.filters import Filter
from zcollection.collection.read.consistent import Generation, generation, read_consistently
from zcollection.collection.read.pieces import Pieces
from zcollection.collection.read.query import LazySources, at_rows, lazy_variables
from zcollection.collection.read.request import Request, SelectedPartitions, Where
from zcollection.collection.read.rows import Rows
from zcollection.collection.read.window import Windows
from zcollection.engine import dask_blocks
from zcollection.engine.dask_blocks import Chunks
from zcollection.engine.executor import in_thread
from zcollection.engine.jobs import LocalExecutor
from zcollection.engine.lazy import Source, Sources
from zcollection.engine.read import GroupRead, read_groups
from zcollection.engine.read_rows import RowReader, VariableSource
from zcollection.engine.selected_rows import NO_ROWS, SelectedRows
from zcollection.engine.work import Work, perform
from zcollection.errors import (
    SettingError,
    accepted,
)
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.reports import Label
from zcollection.transaction.snapshot import Snapshot
from zcollection.view.open_view import OpenView
from zcollection.view.snapshot import ViewSnapshot

R = TypeVar("R")
Stale = Literal["fill", "error", "compute"]

Partitions = Mapping[str, PartitionRecord]


async def query(
    opened: OpenView,
    *,
    filters: Filter,
    where: Where,
    variables: Iterable[str] | None,
    lazy: bool,
    chunks: Chunks | None,
    stale: Stale,
    progress: ProgressOption,
) -> Dataset | None:
    """Read rows; see `View.query`."""
    schema = opened.schema if variables is None else opened.schema.select(variables)
    request = request_for(opened, filters, where, stale, lazy=lazy or chunks is not None)
    read = _MergedRead.of(opened, schema, stale)
    if not lazy and chunks is None:
        return await read.rows(request, progress)
    if request.where is None:
        found = await read.lazy(request)
        return found if found is None or chunks is None else await in_thread(dask_blocks.chunked, found, chunks)
    versions, rows = await read.find(request, progress)
    partitions = {path: versions.partitions[path] for path in rows.partitions}
    if not partitions:
        return await read.rows(evolve(request, where=rows), None)
    found = read.lazily(evolve(versions, selected=evolve(versions.selected, partitions=partitions)))
    all_rows = found if chunks is None else await in_thread(dask_blocks.chunked, found, chunks)
    return at_rows(opened.base, all_rows, partitions, rows)


def request_for(opened: OpenView, filters: Filter, where: Where, stale: Stale, *, lazy: bool = False) -> Request:
    """Return a request for rows of a view.

    Raises
    ------
    SettingError
        `stale` is invalid, or cannot be combined with the other arguments.
    SchemaError
        `stale` is "compute", and the view has no computation.
    ExpressionError
        The condition is invalid.
    """
    _check_stale(opened, stale, lazy=lazy)
    request = Request.of(opened.base, filters, where, opened.own.schema)
    if stale == "compute" and request.where is not None:
        _check_not_computed(request)
    return request


async def find(opened: OpenView, *, filters: Filter, where: Where, progress: ProgressOption) -> Rows:
    """Find rows; see `View.find`."""
    request = Request.of(opened.base, filters, where, opened.own.schema)
    return (await _MergedRead.of(opened, opened.schema, "fill").find(request, progress))[1]


def _check_stale(opened: OpenView, stale: object, *, lazy: bool) -> None:
    if stale not in get_args(Stale):
        message = f"stale={stale!r}; {accepted(stale, get_args(Stale))}"
        raise SettingError(message)
    if stale == "compute" and lazy:
        message = "stale='compute' with lazy=True or chunks, which reads nothing yet; accepted: 'fill' or 'error'"
        raise SettingError(message)
    if stale == "compute":
        _ = opened.chain  # raises if the view has no computation


@frozen(kw_only=True)
class _Versions:
    """The selected partitions of one version of the view and one of its base.

    Attributes
    ----------
    view
        The snapshots of both.
    selected
        The selected partitions of the base.
    """

    view: ViewSnapshot
    selected: SelectedPartitions

    @property
    def base(self) -> Snapshot:
        """The snapshot of the base."""
        return self.view.base

    @property
    def own(self) -> Snapshot:
        """The snapshot of the view's own store."""
        return self.view.own

    @property
    def partitions(self) -> Partitions:
        """The selected partitions of the base."""
        return self.selected.partitions

    @property
    def label(self) -> tuple[Label, Label]:
        """The labels of both versions."""
        return self.base.label, self.own.label


@define
class _MergedRead:
    """A read that reads changed partitions again until all rows belong to one version of the base and one of the view.

    Attributes
    ----------
    opened
        The view.
    schema
        The variables to read.
    stale
        How to read partitions that are not current.
    """

    opened: OpenView
    schema: DatasetSchema
    stale: Stale
    _base: Pieces
    _own: Pieces
    _immutable_schema: DatasetSchema
    _immutable: tuple[Generation, Mapping[str, NDArray[Any]]] | None = field(default=None, init=False)

    @classmethod
    def of(cls, opened: OpenView, schema: DatasetSchema, stale: Stale) -> "_MergedRead":
        dimension = opened.base.dimension
        own = schema.select(schema.all_variables().keys() & opened.own.schema.all_variables().keys())
        rest = opened.base.schema.select(schema.all_variables().keys() - own.all_variables().keys())
        mine = opened.own.schema.select(own.all_variables())
        partitioned, immutable = (opened.base.part(rest, partitioned=partitioned) for partitioned in (True, False))
        return cls(opened, schema, stale, Pieces(partitioned, dimension), Pieces(mine, dimension), immutable)

    async def rows(self, request: Request, progress: ProgressOption) -> Dataset | None:
        """Return the requested rows; None if no partition passes the filter."""

        async def read(versions: _Versions, progress: ProgressOption) -> bool | None:
            if not versions.partitions and not versions.selected.is_of_rows:
                return None
            with tracking(progress, len(versions.partitions), "query") as advance:
                await self._read(versions, advance)
            return True

        versions, has_read = await self._consistently(request, read, progress)
        return self._dataset(versions) if has_read else None

    async def _consistently(
        self, request: Request, read: Callable[[_Versions, ProgressOption], Awaitable[R]], progress: ProgressOption
    ) -> tuple[_Versions, R]:
        return await read_consistently(
            partial(self._newest, request),
            read,
            progress=progress,
            is_same=_is_same,
            is_outdated=lambda versions: versions.view.is_outdated(),
            failure=f"other writers kept changing {self.opened.base.store.url} or its view while they were read; query again",
        )

    async def find(self, request: Request, progress: ProgressOption) -> tuple[_Versions, Rows]:
        """Return the positions of the requested rows, and the versions of the view and of its base."""

        async def find(versions: _Versions, progress: ProgressOption) -> Rows:
            targets = [versions.selected.target(path) for path in versions.partitions]
            with tracking(progress, len(targets), "find") as advance:
                found = await versions.selected.finder.find(
                    versions.base.objects, targets, executor=LocalExecutor(), progress=advance
                )
            return versions.selected.rows(dict(zip(versions.partitions, found, strict=True)))

        return await self._consistently(request, find, progress)

    async def lazy(self, request: Request) -> Dataset | None:
        """Return lazy variables for all rows of the selected partitions; None if no partition passes the filter."""
        versions = await self._newest(request)
        return self.lazily(versions) if versions.partitions else None

    def lazily(self, versions: _Versions) -> Dataset:
        """Return lazy variables for all rows of the selected partitions."""
        base, dimension = self.opened.base, self.opened.base.dimension
        places = versions.base.places
        partitioned = LazySources.sources(base, places, versions.partitions)
        immutable = Sources(
            [partition_groups.source_of(base, IMMUTABLE, versions.base.immutable, places.get(IMMUTABLE))]
        )
        own = Sources([self._source(versions, path) for path in versions.partitions])
        lazily = {
            **lazy_variables(versions.base.objects, partitioned, self._base.schema, dimension),
            **lazy_variables(versions.base.objects, immutable, self._immutable_schema, dimension),
            **lazy_variables(versions.own.objects, own, self._own.schema, dimension),
        }
        return Dataset(self.schema, {path: lazily[path] for path in self.schema.all_variables()})

    async def _newest(self, request: Request) -> _Versions:
        view = await ViewSnapshot.newest(self.opened)
        selected = await request.select(view.base, view)
        partitions = dict(selected.partitions)
        if self.stale == "error" and self._own.schema.all_variables():
            view.check_current(partitions)
        return _Versions(view=view, selected=evolve(selected, partitions=partitions))

    async def _read(self, versions: _Versions, advance: Callable[[], None]) -> None:
        """Read the partitions whose current generation has not been read."""
        if versions.selected.is_of_rows:
            await self._read_rows(versions, advance)
        elif self._base.schema.all_variables():
            await self._read_base(versions, advance if not self._own.schema.all_variables() else None)
        if self._own.schema.all_variables() and not versions.selected.is_of_rows:
            await self._read_own(versions, advance)
        immutable = generation(versions.base, IMMUTABLE)
        if self._immutable is None or self._immutable[0] != immutable:
            self._immutable = (
                immutable,
                await partition_groups.read_immutable(self.opened.base, versions.base, self._immutable_schema),
            )

    async def _read_rows(self, versions: _Versions, advance: Callable[[], None]) -> None:
        """Read the requested rows of partitions of which the base's or the view's generation has not been read."""
        selected = versions.selected
        generations = {
            path: (generation(versions.base, path), self._generation(versions, path)) for path in versions.partitions
        }
        missing = [
            path
            for path, (base, own) in generations.items()
            if not (self._base.has(path, base) and self._own.has(path, own))
        ]
        targets, executor = [selected.target(path) for path in missing], LocalExecutor()
        found = await selected.finder.find(versions.base.objects, targets, executor=executor)
        rows = dict(zip(missing, found, strict=True))
        computed = await self._computed_rows(versions, rows, advance)
        nothing = {path: NO_ROWS if path in computed else item for path, item in rows.items()}
        for at, (pieces, objects, by_path) in enumerate(
            ((self._base, None, rows), (self._own, versions.own.objects, nothing))
        ):
            sources = tuple(
                VariableSource(schema=pieces.schema if source == at else DatasetSchema(), objects=objects)
                for source in (0, 1)
            )
            reader = RowReader(dimension=self.opened.base.dimension, sources=sources)
            arrays = await reader.read(versions.base.objects, targets, list(by_path.values()), executor=executor)
            pieces.put([(path, generations[path][at], item.count) for path, item in by_path.items()], arrays[at])
        for path, values in computed.items():
            self._own.put([(path, generations[path][1], rows[path].count)], values)

    async def _computed_rows(
        self, versions: _Versions, rows: Mapping[str, SelectedRows], advance: Callable[[], None]
    ) -> dict[str, Mapping[str, NDArray[Any]]]:
        """Return the requested rows of the partitions that are not current, computed as whole partitions, by path."""
        if self.stale != "compute" or not self._own.schema.all_variables():
            return {}
        paths = [path for path, item in rows.items() if item.count and not versions.view.is_current(path)]
        dimension = self.opened.base.dimension
        made = await self._computed(versions, paths, advance)
        return {
            path: {
                name: dataset.get_variable(f"/{name}").isel({dimension: rows[path].positions}).to_numpy()
                for name in self._own.schema.all_variables()
            }
            for path, dataset in made.items()
        }

    async def _read_base(self, versions: _Versions, advance: Callable[[], None] | None) -> None:
        base = self.opened.base
        missing = {
            path: record
            for path, record in versions.partitions.items()
            if not self._base.has(path, generation(versions.base, path))
        }
        groups = [
            partition_groups.group_of(base, path, record, versions.base.place(path)) for path, record in missing.items()
        ]
        arrays = await read_groups(
            versions.base.objects, groups, self._base.schema, dimension=base.dimension, progress=advance
        )
        self._base.put(
            [(path, generation(versions.base, path), record.rows) for path, record in missing.items()], arrays
        )

    async def _read_own(self, versions: _Versions, advance: Callable[[], None]) -> None:
        missing = [path for path in versions.partitions if not self._own.has(path, self._generation(versions, path))]
        computed = [path for path in missing if self.stale == "compute" and not versions.view.is_current(path)]
        await self._compute(versions, computed, advance)
        read = [path for path in missing if path not in computed]
        groups = [self._group(versions, path) for path in read]
        dimension = self.opened.own.dimension
        arrays = await read_groups(
            versions.own.objects, groups, self._own.schema, dimension=dimension, progress=advance
        )
        self._own.put(
            [(path, self._generation(versions, path), versions.partitions[path].rows) for path in read], arrays
        )

    def _generation(self, versions: _Versions, path: str) -> Generation:
        """Return the generation of the view's rows of a partition, whether they are stored, filled or computed."""
        if versions.view.is_current(path):
            return generation(versions.own, path)
        return versions.partitions[path].stamp, "" if self.stale == "fill" else str(versions.base.label)

    def _group(self, versions: _Versions, path: str) -> GroupRead:
        return versions.view.group(path, versions.partitions[path])

    def _source(self, versions: _Versions, path: str) -> Source:
        own, record, place = self.opened.own, versions.own.record(path), versions.own.places.get(path)
        if versions.view.is_current(path):
            return partition_groups.source_of(own, path, record, place)
        # A partition that an older version of a view lacks is never added to that version.
        check = partition_groups.generation_check(own, path, record if own.versioning.pinned_at is None else None)
        return Source(group=self._group(versions, path), check=check)

    async def _compute(self, versions: _Versions, paths: list[str], advance: Callable[[], None]) -> None:
        """Compute partitions of the view in memory, without storing them."""
        for path, dataset in (await self._computed(versions, paths, advance)).items():
            arrays = {name: dataset.get_variable(f"/{name}").to_numpy() for name in self._own.schema.all_variables()}
            self._own.put([(path, self._generation(versions, path), versions.partitions[path].rows)], arrays)

    async def _computed(self, versions: _Versions, paths: list[str], advance: Callable[[], None]) -> dict[str, Dataset]:
        """Return the computed variables of partitions, by path."""
        return await computed(self.opened, versions.base, {path: versions.partitions[path] for path in paths}, advance)

    def _dataset(self, versions: _Versions) -> Dataset:
        immutable = {} if self._immutable is None else self._immutable[1]
        arrays = {**self._base.joined(versions.partitions), **self._own.joined(versions.partitions), **immutable}
        return partition_groups.dataset_of(self.schema, arrays)


async def computed(
    opened: OpenView, snapshot: Snapshot, partitions: Partitions, advance: Callable[[], None] | None = None
) -> dict[str, Dataset]:
    """Return the variables of a view, computed from partitions of its base, by path; nothing is written."""
    if not partitions:
        return {}
    chain, base = opened.chain, opened.base
    given = base.schema.select(chain.inputs)
    immutable = await partition_groups.read_immutable(base, snapshot, given)
    windows = Windows(opened=base, snapshot=snapshot, halo=chain.halo)

    def computing(path: str) -> Work[Dataset]:
        window = yield from windows.reading(path, partitions[path], given, immutable)
        return window.trimmed(chain.compute(window, base.dimension), base.dimension)

    works = (computing(path) for path in partitions)
    made = await perform(snapshot.objects, works, threads=config.get().threads, progress=advance)
    return dict(zip(partitions, made, strict=True))


def _check_not_computed(request: Request) -> None:
    """Raise `SettingError` if the condition uses variables of the view, which would have to be computed first."""
    if not (request.where.is_of_view if isinstance(request.where, Rows) else request.reads_own):
        return
    message = (
        "stale='compute' with a condition on variables of the view, which would have to be computed everywhere first; accepted: a "
        "condition on the base alone, stale='fill' or 'error', or refresh() before"
    )
    raise SettingError(message)


def _is_same(versions: _Versions, newer: _Versions) -> bool:
    """Return whether none of the partitions has changed between two versions."""
    return versions.partitions.keys() == newer.partitions.keys() and all(
        generation(before, path) == generation(after, path)
        for before, after in ((versions.base, newer.base), (versions.own, newer.own))
        for path in (*versions.partitions, IMMUTABLE)
    )
