"""Rows of a base with the variables of a view beside them: both of one version, and row for row of each other."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, get_args

from attrs import define, evolve, field, frozen
from numpy.typing import NDArray

from zcollection import config
from zcollection.collection import partition_groups
from zcollection.collection.filters import Filter
from zcollection.collection.read.asking import Asked, BesideView, Chosen, Where
from zcollection.collection.read.query import LookedUp, at_rows, lazy_variables
from zcollection.collection.read.reading import TRIES, Generation, Pieces, generation, pause
from zcollection.collection.read.rows import Rows
from zcollection.collection.read.window import Windows
from zcollection.contracts.objects import Objects
from zcollection.engine import dask_blocks
from zcollection.engine.dask_blocks import Chunks
from zcollection.engine.executor import in_thread
from zcollection.engine.jobs import LocalExecutor
from zcollection.engine.lazy import Source, Sources
from zcollection.engine.read import GroupRead, read_groups
from zcollection.engine.select import NOTHING, Found, Side, Wanted
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

Partitions = Mapping[str, PartitionRecord]


async def query(
    pair: Pair,
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
    schema = pair.schema if variables is None else pair.schema.select(variables)
    asked = asking(pair, filters, where, stale, lazy=lazy or chunks is not None)
    read = _MergedRead.of(pair, schema, stale)
    if not lazy and chunks is None:
        return await read.rows(asked, progress)
    if asked.where is None:
        found = await read.lazy(asked)
        return found if found is None or chunks is None else await in_thread(dask_blocks.chunked, found, chunks)
    taken, rows = await read.found(asked, progress)
    partitions = {path: taken.partitions[path] for path in rows.partitions}
    if not partitions:
        return await read.rows(evolve(asked, where=rows), None)
    found = read.lazily(evolve(taken, chosen=evolve(taken.chosen, partitions=partitions)))
    whole = found if chunks is None else await in_thread(dask_blocks.chunked, found, chunks)
    return at_rows(pair.base, whole, partitions, rows)


def asking(pair: Pair, filters: Filter, where: Where, stale: Stale, *, lazy: bool = False) -> Asked:
    """Return what is asked of a view.

    Raises
    ------
    SettingError
        `stale` is none of its values, or cannot be met with what is asked.
    SchemaError
        There is no computation to compute with.
    ExpressionError
        The condition cannot be understood.
    """
    _check_stale(pair, stale, lazy=lazy)
    asked = Asked.of(pair.base, filters, where, pair.own.schema)
    if stale == "compute" and asked.where is not None:
        _check_not_computed(asked)
    return asked


async def find(pair: Pair, *, filters: Filter, where: Where, progress: ProgressOption) -> Rows:
    """Find rows; see `View.find`."""
    asked = Asked.of(pair.base, filters, where, pair.own.schema)
    return (await _MergedRead.of(pair, pair.schema, "fill").found(asked, progress))[1]


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
    chosen
        What is asked of the base.
    current
        Of these, the ones for which the view holds what was computed from them as they are.
    """

    base: Snapshot
    own: Snapshot
    chosen: Chosen
    current: frozenset[str]

    @property
    def partitions(self) -> Partitions:
        """The partitions of the base that are asked for."""
        return self.chosen.partitions

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
    def of(cls, pair: Pair, schema: DatasetSchema, stale: Stale) -> "_MergedRead":
        dimension = pair.base.dimension
        own = schema.select(schema.all_variables().keys() & pair.own.schema.all_variables().keys())
        rest = pair.base.schema.select(schema.all_variables().keys() - own.all_variables().keys())
        mine = pair.own.schema.select(own.all_variables())
        partitioned, fixed = (pair.base.part(rest, partitioned=partitioned) for partitioned in (True, False))
        return cls(pair, schema, stale, Pieces(partitioned, dimension), Pieces(mine, dimension), fixed)

    async def rows(self, asked: Asked, progress: ProgressOption) -> Dataset | None:
        """Return the rows that are asked for; None where no partition passes the filter."""
        taken = await self._take(asked)
        for number in range(TRIES):
            if not taken.partitions and not taken.chosen.is_of_rows:
                return None
            try:
                with tracking(None if number else progress, len(taken.partitions), "query") as advance:
                    await self._read(taken, advance)
            except (ConflictError, CorruptionError, StoreError) as error:
                newer = await self._take(asked)
                # The same partitions may be stored in a snapshot that still exists; and one version in other places by now.
                if _is_same(taken, newer) and (taken.labels == newer.labels or not isinstance(error, OutdatedError)):
                    raise
                taken = newer
                continue
            if not await self._is_outdated(taken):
                return self._dataset(taken)
            await pause(number)
            taken = await self._take(asked)
        raise self._kept_changing()

    def _kept_changing(self) -> ConflictError:
        message = (
            f"other writers kept changing {self.pair.base.store.url} or its view while they were read; query again"
        )
        return ConflictError(message)

    async def found(self, asked: Asked, progress: ProgressOption) -> tuple[_Taken, Rows]:
        """Return the rows that are asked for, and the versions that they are of."""
        for number in range(TRIES):
            taken = await self._take(asked)
            targets = [taken.chosen.target(path) for path in taken.partitions]
            try:
                with tracking(None if number else progress, len(targets), "find") as advance:
                    found = await taken.chosen.finder.found(
                        taken.base.objects, targets, executor=LocalExecutor(), progress=advance
                    )
            except (ConflictError, CorruptionError, StoreError):
                if _is_same(taken, await self._take(asked)):
                    raise
                continue
            if not await self._is_outdated(taken):
                return taken, taken.chosen.rows(dict(zip(taken.partitions, found, strict=True)))
            await pause(number)
        raise self._kept_changing()

    async def lazy(self, asked: Asked) -> Dataset | None:
        """Return variables that read what is selected of them when it is asked for."""
        taken = await self._take(asked)
        return self.lazily(taken) if taken.partitions else None

    def lazily(self, taken: _Taken) -> Dataset:
        """Return the same of a version of each side."""
        base, dimension = self.pair.base, self.pair.base.dimension
        places = taken.base.places
        partitioned = LookedUp.sources(base, places, taken.partitions)
        fixed = Sources([partition_groups.source_of(base, IMMUTABLE, taken.base.immutable, places.get(IMMUTABLE))])
        own = Sources([self._source(taken, path) for path in taken.partitions])
        lazily = {
            **lazy_variables(taken.base.objects, partitioned, self._base.schema, dimension),
            **lazy_variables(taken.base.objects, fixed, self._fixed_schema, dimension),
            **lazy_variables(taken.own.objects, own, self._own.schema, dimension),
        }
        return Dataset(self.schema, {path: lazily[path] for path in self.schema.all_variables()})

    async def _take(self, asked: Asked) -> _Taken:
        # In this order: what is refreshed meanwhile is not taken for stale.
        own = await self.pair.own.snapshot()
        base = await self.pair.base.snapshot()
        beside = BesideBase(self.pair, own, Staleness(self.pair, base))
        chosen = await asked.chosen(base, beside)
        partitions = dict(chosen.partitions)
        current = frozenset(filter(beside.is_current, partitions))
        if self.stale == "error" and self._own.schema.all_variables():
            check_current(self.pair, beside, partitions)
        return _Taken(base=base, own=own, chosen=evolve(chosen, partitions=partitions), current=current)

    async def _is_outdated(self, taken: _Taken) -> bool:
        return await self.pair.base.is_outdated(taken.base) or await self.pair.own.is_outdated(taken.own)

    async def _read(self, taken: _Taken, advance: Callable[[], None]) -> None:
        """Read what is not yet there of these generations."""
        if taken.chosen.is_of_rows:
            await self._read_rows(taken, advance)
        elif self._base.schema.all_variables():
            await self._read_base(taken, advance if not self._own.schema.all_variables() else None)
        if self._own.schema.all_variables() and not taken.chosen.is_of_rows:
            await self._read_own(taken, advance)
        fixed = generation(taken.base, IMMUTABLE)
        if self._fixed is None or self._fixed[0] != fixed:
            self._fixed = fixed, await partition_groups.read_immutable(self.pair.base, taken.base, self._fixed_schema)

    async def _read_rows(self, taken: _Taken, advance: Callable[[], None]) -> None:
        """Read the rows that are asked for, of partitions of which either side is of another generation than before."""
        chosen = taken.chosen
        generations = {path: (generation(taken.base, path), self._generation(taken, path)) for path in taken.partitions}
        missing = [
            path
            for path, (base, own) in generations.items()
            if not (self._base.has(path, base) and self._own.has(path, own))
        ]
        targets, executor = [chosen.target(path) for path in missing], LocalExecutor()
        found = await chosen.finder.found(taken.base.objects, targets, executor=executor)
        rows = dict(zip(missing, found, strict=True))
        computed = await self._computed_rows(taken, rows, advance)
        nothing = {path: NOTHING if path in computed else item for path, item in rows.items()}
        for at, (pieces, objects, of_each) in enumerate(
            ((self._base, None, rows), (self._own, taken.own.objects, nothing))
        ):
            sides = tuple(
                Side(schema=pieces.schema if side == at else DatasetSchema(), objects=objects) for side in (0, 1)
            )
            wanted = Wanted(dimension=self.pair.base.dimension, sides=sides)
            arrays = await wanted.read(taken.base.objects, targets, list(of_each.values()), executor=executor)
            pieces.put([(path, generations[path][at], item.count) for path, item in of_each.items()], arrays[at])
        for path, values in computed.items():
            self._own.put([(path, generations[path][1], rows[path].count)], values)

    async def _computed_rows(
        self, taken: _Taken, rows: Mapping[str, Found], advance: Callable[[], None]
    ) -> dict[str, Mapping[str, NDArray[Any]]]:
        """Return rows of what is computed and not read, by partition; all of such a partition is computed."""
        if self.stale != "compute" or not self._own.schema.all_variables():
            return {}
        paths = [path for path, item in rows.items() if item.count and path not in taken.current]
        dimension = self.pair.base.dimension
        made = await self._computed(taken, paths, advance)
        return {
            path: {
                name: whole.get_variable(f"/{name}").isel({dimension: rows[path].positions}).to_numpy()
                for name in self._own.schema.all_variables()
            }
            for path, whole in made.items()
        }

    async def _read_base(self, taken: _Taken, advance: Callable[[], None] | None) -> None:
        base = self.pair.base
        missing = {
            path: record
            for path, record in taken.partitions.items()
            if not self._base.has(path, generation(taken.base, path))
        }
        groups = [
            partition_groups.group_of(base, path, record, taken.base.place(path)) for path, record in missing.items()
        ]
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
        return _own_group(
            self.pair, taken.own, path, is_current=path in taken.current, rows=taken.partitions[path].rows
        )

    def _source(self, taken: _Taken, path: str) -> Source:
        own, record, place = self.pair.own, taken.own.record(path), taken.own.places.get(path)
        if path in taken.current:
            return partition_groups.source_of(own, path, record, place)
        # What an older version of a view lacks, it lacks for good.
        check = partition_groups.stamp_of(own, path, record if own.versioning.held_at is None else None)
        return Source(group=self._group(taken, path), check=check)

    async def _compute(self, taken: _Taken, paths: list[str], advance: Callable[[], None]) -> None:
        """Compute partitions of the view, and keep them in memory alone."""
        for path, dataset in (await self._computed(taken, paths, advance)).items():
            arrays = {name: dataset.get_variable(f"/{name}").to_numpy() for name in self._own.schema.all_variables()}
            self._own.put([(path, self._generation(taken, path), taken.partitions[path].rows)], arrays)

    async def _computed(self, taken: _Taken, paths: list[str], advance: Callable[[], None]) -> dict[str, Dataset]:
        """Return what is computed of partitions, by path."""
        return await computed(self.pair, taken.base, {path: taken.partitions[path] for path in paths}, advance)

    def _dataset(self, taken: _Taken) -> Dataset:
        fixed = {} if self._fixed is None else self._fixed[1]
        arrays = {**self._base.joined(taken.partitions), **self._own.joined(taken.partitions), **fixed}
        return partition_groups.dataset_of(self.schema, arrays)


async def computed(
    pair: Pair, taken: Snapshot, partitions: Partitions, advance: Callable[[], None] | None = None
) -> dict[str, Dataset]:
    """Return the variables of a view as they are computed from partitions of its base, by path; nothing is written."""
    if not partitions:
        return {}
    chain, base = pair.chain, pair.base
    given = base.schema.select(chain.inputs)
    fixed = await partition_groups.read_immutable(base, taken, given)
    windows = Windows(opened=base, taken=taken, halo=chain.halo)

    def computing(path: str) -> Work[Dataset]:
        window = yield from windows.reading(path, partitions[path], given, fixed)
        return window.trimmed(chain.compute(window, base.dimension), base.dimension)

    works = (computing(path) for path in partitions)
    made = await perform(taken.objects, works, threads=config.get().threads, progress=advance)
    return dict(zip(partitions, made, strict=True))


@frozen
class BesideBase(BesideView):
    """What a version of the view holds beside a version of its base."""

    pair: Pair
    own: Snapshot
    staleness: Staleness

    @property
    def objects(self) -> Objects:  # type: ignore[override]  # only read
        """The view's."""
        return self.own.objects

    def group(self, path: str, record: PartitionRecord) -> GroupRead:
        """Return where to read what the view holds of a partition."""
        return _own_group(self.pair, self.own, path, is_current=self.is_current(path), rows=record.rows)

    def stamp(self, path: str) -> str:
        """Return the generation of what the view holds of a partition; none where that is not current."""
        record = self.own.record(path)
        return record.stamp if record is not None and self.is_current(path) else ""

    def is_current(self, path: str) -> bool:
        """Return whether the view holds what was computed from a partition as it is."""
        return self.staleness.is_current(path, self.own.record(path))


def _own_group(pair: Pair, own: Snapshot, path: str, *, is_current: bool, rows: int) -> GroupRead:
    """Return where to read a partition of the view; one that is not current has no variables, and reads as fill."""
    record, place = own.record(path), own.place(path)
    if is_current:
        return partition_groups.group_of(pair.own, path, record, place)
    return GroupRead(path=path, prefix=place.prefix, document=place.document, rows=rows, schema=DatasetSchema())


def _check_not_computed(asked: Asked) -> None:
    """Raise `SettingError` where rows are asked for by what would have to be computed first."""
    if not (asked.where.is_of_view if isinstance(asked.where, Rows) else asked.reads_own):
        return
    message = (
        "stale='compute' with a condition on variables of the view, which would have to be computed everywhere first; accepted: a "
        "condition on the base alone, stale='fill' or 'error', or refresh() before"
    )
    raise SettingError(message)


def _is_same(taken: _Taken, newer: _Taken) -> bool:
    """Return whether nothing has changed of what was read."""
    return taken.partitions.keys() == newer.partitions.keys() and all(
        generation(before, path) == generation(after, path)
        for before, after in ((taken.base, newer.base), (taken.own, newer.own))
        for path in (*taken.partitions, IMMUTABLE)
    )


def check_current(pair: Pair, beside: BesideBase, partitions: Iterable[str]) -> None:
    """Raise `StaleError` where the view does not hold what was computed from partitions as they are."""
    paths = [path for path in partitions if not beside.is_current(path)]
    if not paths:
        return
    advice = "refresh()" if pair.definition.computations else "update(function)"
    message = (
        f"{len(paths)} partitions of the view {pair.own.store.url} are not computed from its base as it is, {paths[0]!r} among "
        f"them; call {advice}, or query with stale='fill'"
    )
    raise StaleError(message)
