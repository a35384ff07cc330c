"""What every operation needs to know of an open collection."""

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

    async def is_outdated(self, snapshot: Snapshot) -> bool:
        """Return whether what was read as a snapshot says may be of another version."""
        return await self.versioning.is_outdated(snapshot)

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

    def names(self, variables: Iterable[str] | None) -> DatasetSchema:
        """Return the schema of the variables asked for, all of them by default.

        Raises
        ------
        SchemaError
            A variable is unknown.
        """
        return self.schema if variables is None else self.schema.select(variables)

    def part(self, schema: DatasetSchema, *, partitioned: bool) -> DatasetSchema:
        """Return the variables that span the partitioned dimension, or those that do not."""
        return schema.select(
            path
            for path, variable in schema.all_variables().items()
            if (self.dimension in variable.dimensions) is partitioned
        )
