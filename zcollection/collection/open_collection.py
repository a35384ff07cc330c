"""The open collection that every operation works on: its versioning and its configuration."""

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from functools import cached_property

from attrs import evolve, field, frozen

from zcollection.contracts.partitioning import Partitioning
from zcollection.contracts.store import Store
from zcollection.contracts.transactional import Moment
from zcollection.model.schema import DatasetSchema
from zcollection.registry import stored
from zcollection.registry.hookspecs import Family
from zcollection.transaction.change import Transaction
from zcollection.transaction.documents import Configuration
from zcollection.transaction.index.partitions import Candidates
from zcollection.transaction.snapshot import Snapshot
from zcollection.transaction.versioning import Versioning


@frozen
class OpenCollection:
    """An open collection.

    Attributes
    ----------
    versioning
        The store of the collection, and how changes are committed to it.
    configuration
        The schema, axis, partitioning and other settings of the collection.
    """

    versioning: Versioning
    configuration: Configuration
    _partitioning: list[Partitioning] = field(factory=list, eq=False, repr=False)

    @property
    def store(self) -> Store:
        """The store of the collection."""
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
        """The partitioning, restored on first use: a collection whose partitioning plugin is missing can still be read.

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
        """The axis if it is a variable; None if it is only a dimension."""
        axis = self.configuration.axis
        return axis if axis in self.schema.variables else None

    def with_schema(self, schema: DatasetSchema) -> "OpenCollection":
        """Return the collection with another schema, which is added to the layouts of its configuration."""
        layouts = (*self.configuration.layouts, schema)
        return OpenCollection(self.versioning, evolve(self.configuration, layouts=layouts), self._partitioning)

    async def snapshot(self, candidates: Candidates = None) -> Snapshot:
        """Return the newest snapshot of the partitions, or at least of the candidates."""
        return await self.versioning.snapshot(self.configuration, candidates)

    def begin(
        self, operation: str, *, source: str | None = None, candidates: Candidates = None
    ) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction on the newest version; leaving the block discards changes that were not committed.

        The commit records the `source` of inserted rows, so that a source is inserted only once. The base snapshot of the
        transaction needs to contain only the `candidates`.
        """
        return self.versioning.begin(self.configuration, operation, source=source, candidates=candidates)

    async def at(self, moment: Moment) -> "OpenCollection":
        """Return the collection at an older version, for reading; see `Versioning.at`."""
        versioning = await self.versioning.at(moment)
        return OpenCollection(versioning, await versioning.load())

    async def is_outdated(self, snapshot: Snapshot) -> bool:
        """Return whether a newer version may have been committed since the snapshot was taken."""
        return await self.versioning.is_outdated(snapshot)

    async def reloaded(self) -> "OpenCollection":
        """Return the collection with its current configuration, after its schema or its partitioning was changed.

        Raises
        ------
        CollectionNotFoundError
            Another collection has been created in its place.
        """
        configuration = await self.versioning.load()
        if configuration != self.configuration and not configuration.is_changed_from(self.configuration):
            raise self.versioning.replaced()
        same = configuration.partitioning == self.configuration.partitioning
        return OpenCollection(self.versioning, configuration, self._partitioning if same else [])

    def names(self, variables: Iterable[str] | None) -> DatasetSchema:
        """Return the schema of the selected variables; None selects all.

        Raises
        ------
        SchemaError
            A variable is unknown.
        """
        return self.schema if variables is None else self.schema.select(variables)

    def part(self, schema: DatasetSchema, *, partitioned: bool) -> DatasetSchema:
        """Return the schema of the partitioned variables, or of the immutable ones."""
        return schema.select(
            path
            for path, variable in schema.all_variables().items()
            if (self.dimension in variable.dimensions) is partitioned
        )
