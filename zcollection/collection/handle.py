"""What every operation needs to know of an open collection."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.collection.filters import Filter, compile_filter
from zcollection.contracts.partitioning import Partitioning
from zcollection.contracts.store import KeyStore
from zcollection.engine.read import GroupRead, read_groups, reading
from zcollection.engine.work import Work
from zcollection.errors import CollectionNotFoundError
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema
from zcollection.plugins import stored
from zcollection.plugins.hookspecs import Family
from zcollection.transaction import snapshot
from zcollection.transaction.documents import CONFIGURATION, IMMUTABLE, Configuration, PartitionRecord
from zcollection.transaction.snapshot import Snapshot


@frozen
class Handle:
    """An open collection: where it lies and what it is.

    Attributes
    ----------
    store
        Where.
    configuration
        What.
    """

    store: KeyStore
    configuration: Configuration
    _partitioning: list[Partitioning] = field(factory=list, eq=False, repr=False)

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

    @property
    def axis_variable(self) -> str | None:
        """The axis where it is a variable; None where it is a dimension only."""
        axis = self.configuration.axis
        return axis if axis in self.schema.variables else None

    async def snapshot(self) -> Snapshot:
        """Return which partitions there are now."""
        return await snapshot.take(self.store, self.configuration)

    def select(self, taken: Snapshot, filters: Filter) -> Mapping[str, PartitionRecord]:
        """Return the partitions whose key passes a filter, in the order of their keys.

        Raises
        ------
        ExpressionError
            The filter cannot be understood.
        PluginError
            There is a filter, and the partitioning's plugin is missing.
        """
        if filters is None:
            return taken.partitions
        return taken.partitions.where(compile_filter(filters, [item.name for item in self.partitioning.fields]))

    def held(self, record: PartitionRecord | None) -> frozenset[str]:
        """Return the variables that a partition holds: those of the layout it was written with, but the absent ones."""
        if record is None:
            return frozenset()
        return frozenset(self.configuration.layouts[record.layout].all_variables().keys() - set(record.absent))

    def group(self, path: str, record: PartitionRecord | None) -> GroupRead:
        """Return where to read a partition; one that is not there has no variable."""
        if record is None:
            return GroupRead(path=path, prefix=f"{path}/", rows=0, schema=DatasetSchema())
        return GroupRead(
            path=path,
            prefix=f"{path}/",
            rows=record.rows,
            schema=self.configuration.layouts[record.layout],
            absent=frozenset(record.absent),
        )

    def names(self, variables: Iterable[str] | None) -> DatasetSchema:
        """Return the schema of the variables asked for, all of them by default.

        Raises
        ------
        SchemaError
            A variable is unknown.
        """
        return self.schema if variables is None else self.schema.select(variables)

    async def read(
        self,
        taken: Snapshot,
        partitions: Mapping[str, PartitionRecord],
        schema: DatasetSchema,
        *,
        progress: Callable[[], None] | None = None,
    ) -> Dataset:
        """Return the rows of partitions, in their order, with the variables of `schema`."""
        moving = self._part(schema, moving=True)
        arrays: dict[str, NDArray[Any]] = {}
        if moving.all_variables():
            groups = [self.group(path, record) for path, record in partitions.items()]
            arrays |= await read_groups(self.store, groups, moving, dimension=self.dimension, progress=progress)
        return self._dataset(schema, arrays | await self.read_immutable(taken, schema))

    async def read_immutable(self, taken: Snapshot, schema: DatasetSchema) -> dict[str, NDArray[Any]]:
        """Return the variables of `schema` that are stored once for the whole collection, by path."""
        fixed = self._part(schema, moving=False)
        if not fixed.all_variables():
            return {}
        group = self.group(IMMUTABLE, taken.immutable)
        return await read_groups(self.store, [group], fixed, dimension=self.dimension)

    def reading(
        self, path: str, record: PartitionRecord, schema: DatasetSchema, fixed: Mapping[str, NDArray[Any]] | None = None
    ) -> Work[Dataset]:
        """Return the rows of one partition, with the variables of `schema` that it holds, and those read before."""
        moving = self._part(schema, moving=True)
        arrays = yield from reading(self.group(path, record), moving, dimension=self.dimension)
        return self._dataset(schema, arrays | dict(fixed or {}))

    @staticmethod
    def _dataset(schema: DatasetSchema, arrays: Mapping[str, NDArray[Any]]) -> Dataset:
        return Dataset(schema, {path: arrays[path] for path in schema.all_variables() if path in arrays})

    def _part(self, schema: DatasetSchema, *, moving: bool) -> DatasetSchema:
        """Return the variables that span the partitioned dimension, or those that do not."""
        return schema.select(
            path
            for path, variable in schema.all_variables().items()
            if (self.dimension in variable.dimensions) is moving
        )


async def load(store: KeyStore) -> Handle:
    """Return the collection that lies in a store.

    Raises
    ------
    CollectionNotFoundError
        There is none.
    CorruptionError, FormatVersionError
        Its configuration cannot be understood.
    """
    data = await store.load_document(CONFIGURATION)
    if data is None:
        message = f"there is no collection at {store.url}; create one with create_collection(), or check the URL"
        raise CollectionNotFoundError(message)
    return Handle(store, Configuration.load(data, what=f"{CONFIGURATION} of {store.url}"))
