"""The open view that every operation works on: its base collection, and its own store."""

from contextlib import suppress
from functools import cached_property

from attrs import field, frozen

from zcollection.collection.open_collection import OpenCollection
from zcollection.errors import BrokenPluginError, PluginConflictError, SchemaError, StaleError, UnknownPluginError
from zcollection.model.schema import DatasetSchema
from zcollection.transaction.documents import ViewDefinition
from zcollection.view.chain import Chain, identity


@frozen
class OpenView:
    """An open view.

    Attributes
    ----------
    base
        The base collection, which is only read.
    own
        The view's own store: partitions with the same paths, which contain only the view's variables.
    """

    base: OpenCollection
    own: OpenCollection
    _chain: list[Chain] = field(factory=list, eq=False, repr=False)

    @property
    def definition(self) -> ViewDefinition:
        """The stored definition of the view."""
        definition = self.own.configuration.view
        if definition is None:
            message = f"there is a collection at {self.own.store.url}, not a view"
            raise SchemaError(message)
        return definition

    @cached_property
    def schema(self) -> DatasetSchema:
        """The variables of the base and of the view; those of the view replace variables of the base with the same path."""
        return self.base.schema.with_variables(self.own.schema.all_variables())

    @cached_property
    def given(self) -> DatasetSchema:
        """The variables that functions receive: all of the base, and those of the view that do not shadow one of the base."""
        theirs = self.base.schema.all_variables()
        mine = {path: item for path, item in self.own.schema.all_variables().items() if path not in theirs}
        return self.base.schema.with_variables(mine)

    @cached_property
    def identity(self) -> str:
        """A digest of the computations and their configurations; "" if `update` computes the variables."""
        return identity(self.definition.computations)

    @property
    def chain(self) -> Chain:
        """The computations, restored on first use: a view whose plugin is missing can still be read.

        Raises
        ------
        PluginError
            A plugin is missing or broken.
        SchemaError
            The view has no computation, or the base lacks a variable that one of them reads.
        """
        if not self.definition.computations:
            message = f"the view {self.own.store.url} has no computation; accepted: update(function), which computes its variables"
            raise SchemaError(message)
        if not self._chain:
            self._chain.append(Chain.restored(self.definition.computations, self.base.schema))
        return self._chain[0]

    def check_computations(self) -> None:
        """Check that the plugins accept the stored computations; missing plugins are ignored, as the view can still be read.

        Raises
        ------
        PluginConfigurationError
            The stored configuration of a computation is invalid.
        """
        if self.definition.computations:
            with suppress(UnknownPluginError, PluginConflictError, BrokenPluginError, SchemaError):
                _ = self.chain

    @property
    def splits_as_base(self) -> bool:
        """Whether the view has the partitioning of its base: false after the base has been repartitioned."""
        return self.own.configuration.splits_as(self.base.configuration)

    async def check_fits(self) -> None:
        """Check that the view was created for this base, which may have been repartitioned since.

        Raises
        ------
        SchemaError
            The view was created for another base.
        """
        own, base = self.own.configuration, self.base.configuration
        for name in ("axis", "dimension"):
            _check_equal(self, name, getattr(own, name), getattr(base, name))
        if not self.splits_as_base and not await _was_repartitioned(self.base):
            _check_equal(self, "partitioning", own.partitioning, base.partitioning)

    def check_splits_as_base(self) -> None:
        """Check that the base has not been repartitioned since the view was created or last refreshed.

        Raises
        ------
        StaleError
            The base has been repartitioned.
        """
        if not self.splits_as_base:
            message = (
                f"all partitions of the view {self.own.store.url} are stale: its base {self.base.store.url} was repartitioned from "
                f"{self.own.configuration.partitioning} to {self.base.configuration.partitioning}; {self._advice}"
            )
            raise StaleError(message)

    @property
    def _advice(self) -> str:
        """The next step that the error names if the partitionings of the base and the view differ."""
        if self.own.versioning.pinned_at is not None:
            return (
                "an older version of a view is never changed: pass a version of its base that has the same partitioning, "
                "base=open_collection(url, at=…)"
            )
        then = "refresh()" if self.definition.computations else "refresh() and then update()"
        return f"call {then}, which drops them and computes them again"


async def _was_repartitioned(base: OpenCollection) -> bool:
    """Return whether any version of a base changed its partitioning, including versions after the one that is read."""
    versioning = await base.versioning.refreshed()
    return any(entry.operation in {"repartition", "rollback"} for entry in await versioning.history())


def _check_equal(opened: OpenView, name: str, own: object, base: object) -> None:
    if own != base:
        message = (
            f"the view {opened.own.store.url} was created for a base with the {name} {own!r}, and {opened.base.store.url} has {base!r}; "
            f"open it with its own base, or create another view"
        )
        raise SchemaError(message)
