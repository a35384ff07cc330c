"""What every operation needs to know of an open collection."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from typing import Any

from attrs import evolve, field, frozen
from numpy.typing import NDArray

from zcollection.collection.filters import Filter, compile_filter, may_pass, narrowing
from zcollection.contracts.partitioning import KeyValue, Partitioning
from zcollection.contracts.store import Read, Store
from zcollection.contracts.transactional import Moment
from zcollection.engine.executor import in_thread
from zcollection.engine.lazy import LazyRows, Source
from zcollection.engine.read import GroupRead, reading
from zcollection.engine.work import Work, fetch, perform_one
from zcollection.errors import CorruptionError, OutdatedError, PartitionError
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema
from zcollection.registry import stored
from zcollection.registry.hookspecs import Family
from zcollection.transaction.change import Transaction
from zcollection.transaction.documents import IMMUTABLE, Configuration, PartitionRecord
from zcollection.transaction.index.partitions import Candidates, Narrowing, Partitions
from zcollection.transaction.index.segments import Limits
from zcollection.transaction.places import Place
from zcollection.transaction.snapshot import Snapshot
from zcollection.transaction.versioning import Versioning

OfLimits = Callable[[Limits], Sequence[bool]]
"""Tells for each stretch of partitions, from its limits, whether one that is asked for may be in it."""


@frozen
class OpenCollection:
    """An open collection: where it lies and what it is.

    Attributes
    ----------
    versioning
        Where, and how its changes become versions.
    configuration
        What.
    """

    versioning: Versioning
    configuration: Configuration
    _partitioning: list[Partitioning] = field(factory=list, eq=False, repr=False)

    @property
    def store(self) -> Store:
        """Where it lies."""
        return self.versioning.store

    @property
    def schema(self) -> DatasetSchema:
        """The current schema."""
        return self.configuration.schema

    @property
    def dimension(self) -> str:
        """The partitioned dimension."""
        return self.configuration.dimension

    @property
    def partitioning(self) -> Partitioning:
        """The partitioning, restored when first asked for: a collection whose plugin is missing still reads.

        Raises
        ------
        PluginError
            Its plugin is missing or broken.
        """
        if not self._partitioning:
            self._partitioning.append(stored.restore(Family.PARTITIONING, self.configuration.partitioning))
        return self._partitioning[0]

    @cached_property
    def axis_variable(self) -> str | None:
        """The axis where it is a variable; None where it is a dimension only."""
        axis = self.configuration.axis
        return axis if axis in self.schema.variables else None

    def grown(self, schema: DatasetSchema) -> "OpenCollection":
        """Return the collection as it will be with another schema: one layout more."""
        layouts = (*self.configuration.layouts, schema)
        return OpenCollection(self.versioning, evolve(self.configuration, layouts=layouts), self._partitioning)

    async def snapshot(self, candidates: Candidates = None) -> Snapshot:
        """Return which partitions there are now, or which of those that are asked for."""
        return await self.versioning.snapshot(self.configuration, candidates)

    def begin(
        self, operation: str, *, source: str | None = None, candidates: Candidates = None
    ) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction on the newest version; leaving the block undoes what was not committed.

        Where it inserts what a source has given, that is recorded, once. Its base need only know of the partitions that it
        concerns.
        """
        return self.versioning.begin(self.configuration, operation, source=source, candidates=candidates)

    async def at(self, moment: Moment) -> "OpenCollection":
        """Return the collection as it was at a version, to read; see `Versioning.at`."""
        versioning = await self.versioning.at(moment)
        return OpenCollection(versioning, await versioning.load())

    async def is_outdated(self, taken: Snapshot) -> bool:
        """Return whether what was read as a snapshot says may be of another version."""
        return await self.versioning.is_outdated(taken)

    async def select(self, taken: Snapshot, filters: Filter, candidates: Candidates = None) -> Partitions:
        """Return the same as `where`; a function is called on a thread, as all that is the user's."""
        if callable(filters):
            return await in_thread(self.where, taken, filters, None, candidates)
        return self.where(taken, filters, None, candidates)

    def where(
        self, taken: Snapshot, filters: Filter, narrow: Narrowing | None = None, candidates: Candidates = None
    ) -> Partitions:
        """Return the partitions whose key passes a filter, of those that may be wanted, in the order of their keys.

        Parameters
        ----------
        taken
            A snapshot that was taken with `candidates`.
        filters, narrow
            Which.
        candidates
            What concerns all of them; by default that of the filter.

        Raises
        ------
        ExpressionError
            The filter cannot be understood.
        PluginError
            There is a filter, and the partitioning's plugin is missing.
        """
        if filters is None and narrow is None and candidates is None:
            return taken.partitions
        names = [] if filters is None else [item.name for item in self.partitioning.fields]
        select = None if filters is None else compile_filter(filters, names)
        return taken.where(select, narrow, self.passing(filters) if candidates is None else candidates)

    def passing(self, filters: Filter, limits: OfLimits | None = None, paths: Sequence[str] = ()) -> Candidates:
        """Return what tells, from paths or from limits, which partitions `select` would choose; it may tell of more.

        Parameters
        ----------
        filters
            As for `select`.
        limits
            Tells from limits alone where they may be.
        paths
            Partitions that are asked for in any case.
        """
        return None if filters is None and limits is None else Passing(self, filters, limits, paths)

    def held(self, record: PartitionRecord | None) -> frozenset[str]:
        """Return the variables that a partition holds: those of the layout it was written with, but the absent ones."""
        if record is None:
            return frozenset()
        return frozenset(self._layout(record).all_variables().keys() - set(record.absent))

    def declares(self, record: PartitionRecord, path: str) -> bool:
        """Return whether a partition has an array of a variable, be it absent."""
        return path in self._layout(record).all_variables()

    def unchanged(self, record: PartitionRecord) -> frozenset[str]:
        """Return the variables whose objects in a partition are what they would be if it were written now."""
        layout, schema = self._layout(record), self.schema
        if layout is schema:
            return frozenset(schema.all_variables())
        there = layout.all_variables()
        return frozenset(
            path
            for path, variable in schema.all_variables().items()
            if there.get(path) == variable and layout.dimensions_of(path) == schema.dimensions_of(path)
        )

    async def reloaded(self) -> "OpenCollection":
        """Return the collection as it is now that its schema or its partitioning was changed.

        Raises
        ------
        CollectionNotFoundError
            Another collection has taken its place.
        """
        configuration = await self.versioning.load()
        if configuration != self.configuration and not configuration.is_grown_from(self.configuration):
            raise self.versioning.replaced()
        same = configuration.partitioning == self.configuration.partitioning
        return OpenCollection(self.versioning, configuration, self._partitioning if same else [])

    def _layout(self, record: PartitionRecord) -> DatasetSchema:
        layouts = self.configuration.layouts
        if record.layout < len(layouts):
            return layouts[record.layout]
        message = (
            f"the partition {record.key} of {self.store.url} has the layout {record.layout}; the configuration has "
            f"{len(layouts)}: restore its group document, or call repair_catalog() if only the catalog says so"
        )
        raise CorruptionError(message)

    def group(self, path: str, record: PartitionRecord | None, place: Place | None = None) -> GroupRead:
        """Return where to read a partition, at its own place by default; one that is not there has no variable."""
        lies = place or Place.of(path)
        if record is None:
            return GroupRead(path=path, prefix=lies.prefix, document=lies.document, rows=0, schema=DatasetSchema())
        return GroupRead(
            path=path,
            prefix=lies.prefix,
            document=lies.document,
            rows=record.rows,
            schema=self._layout(record),
            absent=frozenset(record.absent),
            stamp=record.stamp,
            axis=self.axis_variable,
            limits=record.axis_range,
        )

    def names(self, variables: Iterable[str] | None) -> DatasetSchema:
        """Return the schema of the variables asked for, all of them by default.

        Raises
        ------
        SchemaError
            A variable is unknown.
        """
        return self.schema if variables is None else self.schema.select(variables)

    async def read_immutable(self, taken: Snapshot, schema: DatasetSchema) -> dict[str, NDArray[Any]]:
        """Return the variables of `schema` that are stored once for the whole collection, by path."""
        if not self.part(schema, partitioned=False).all_variables():
            return {}
        return await perform_one(taken.objects, self.reading_immutable(taken, schema))

    def reading_immutable(self, taken: Snapshot, schema: DatasetSchema) -> Work[dict[str, NDArray[Any]]]:
        """Return the same."""
        fixed = self.part(schema, partitioned=False)
        if not fixed.all_variables():
            return {}
        group = self.group(IMMUTABLE, taken.immutable, taken.place(IMMUTABLE))
        return (yield from reading([group], fixed, dimension=self.dimension))

    def reading(
        self,
        path: str,
        record: PartitionRecord,
        schema: DatasetSchema,
        fixed: Mapping[str, NDArray[Any]] | None = None,
        *,
        place: Place | None = None,
    ) -> Work[Dataset]:
        """Return the rows of one partition, with the variables of `schema` that it holds, and those read before.

        Raises
        ------
        ConflictError
            Another writer replaced the partition meanwhile: what was read may be a mixture, and nobody sees it.
        """
        partitioned, group = self.part(schema, partitioned=True), self.group(path, record, place)
        try:
            arrays = yield from reading([group], partitioned, dimension=self.dimension)
        except CorruptionError:
            yield from self.checking(group, record)
            raise
        yield from self.checking(group, record)
        return self.dataset(schema, arrays | dict(fixed or {}))

    def checking(self, group: GroupRead, record: PartitionRecord) -> Work[None]:
        """Check that a partition is still what a record says, after it was read.

        Raises
        ------
        ConflictError
            Another writer has replaced it.
        """
        (document,) = yield from fetch([Read(group.document)])
        self.stamp(group.path, record)(document)

    def source(self, path: str, record: PartitionRecord | None, place: Place | None = None) -> Source:
        """Return where a partition is read later, at its own place by default, and how it is known then."""
        return Source(group=self.group(path, record, place), check=self.stamp(path, record))

    def stamp(self, path: str, record: PartitionRecord | None) -> "Stamp":
        """Return the check that a partition is still the one of which a record speaks."""
        generation = None if record is None else (record.stamp, record.key)
        return Stamp(path=path, generation=generation, place=f"{self.store.url}")

    @staticmethod
    def dataset(schema: DatasetSchema, arrays: Mapping[str, NDArray[Any] | LazyRows]) -> Dataset:
        """Return the variables of `schema` that there are."""
        return Dataset(schema, {path: arrays[path] for path in schema.all_variables() if path in arrays})

    def part(self, schema: DatasetSchema, *, partitioned: bool) -> DatasetSchema:
        """Return the variables that span the partitioned dimension, or those that do not."""
        return schema.select(
            path
            for path, variable in schema.all_variables().items()
            if (self.dimension in variable.dimensions) is partitioned
        )


@frozen
class Passing:
    """Partitions whose key passes a filter, asked for: see `OpenCollection.passing`."""

    opened: OpenCollection
    filters: Filter
    limits: OfLimits | None
    paths: Sequence[str]

    def __call__(self, paths: Sequence[str]) -> Sequence[str]:
        """Return those of some paths, or of beginnings of paths, all as long, whose key passes, or that have none."""
        if self.filters is None or not paths:
            return paths
        names = [item.name for item in self.opened.partitioning.fields]
        known = names[: paths[0].count("/") + 1]
        keys = {path: key for path in paths if (key := self._key(path)) is not None}
        columns = {name: [key[name] for key in keys.values()] for name in known}
        each = list(keys)
        chosen = {each[at] for at in (compile_filter if known == names else narrowing)(self.filters, names)(columns)}
        chosen |= {"/".join(path.split("/")[: len(known)]) for path in self.paths}
        return [path for path in paths if path in chosen or path not in keys]

    def _key(self, path: str) -> Mapping[str, KeyValue] | None:
        """Return the key of a path, or as much of it as there is; None where it has none."""
        partitioning, segments = self.opened.partitioning, path.split("/")
        fields = partitioning.fields
        try:
            if len(segments) == len(fields):
                return partitioning.decode(path)
            return {field.name: field.decode(text) for field, text in zip(fields, segments, strict=False)}
        except PartitionError:
            return None

    def may_hold(self, limits: Limits) -> Sequence[bool]:
        """Return for each stretch of partitions whether one that passes may be in it."""
        may = [True] * len(limits) if self.limits is None else self.limits(limits)
        if self.filters is None:
            return may
        names = [item.name for item in self.opened.partitioning.fields]
        if names != [*limits.smallest]:
            return may  # partitioned anew meanwhile, which is seen next
        return [one and other for one, other in zip(may, may_pass(self.filters, names, limits).tolist(), strict=True)]


@frozen(kw_only=True)
class Stamp:
    """Which generation of a partition is meant: a check of its group document, read after what was read of it."""

    path: str
    generation: tuple[str, Mapping[str, KeyValue]] | None
    place: str

    def __call__(self, document: bytes | None) -> None:
        """Raise `OutdatedError` where the document is that of another generation, or of another partition."""
        if not self.is_of(document):
            message = f"partition {self.path!r} of {self.place} was changed by another writer after it was looked up; query again"
            raise OutdatedError(message)

    def is_of(self, document: bytes | None) -> bool:
        """Return whether a document is that of the generation that is meant."""
        what = f"the group document of partition {self.path!r}"
        record = None if document is None else PartitionRecord.from_group(document, what=what)
        return (None if record is None else (record.stamp, record.key)) == self.generation
