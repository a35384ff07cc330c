"""A view as its operations know it: the collection that it lies over, and its own store."""

from contextlib import suppress
from functools import cached_property

from attrs import field, frozen

from zcollection.collection.open_collection import OpenCollection
from zcollection.errors import BrokenPluginError, PluginConflictError, SchemaError, StaleError, UnknownPluginError
from zcollection.model.schema import DatasetSchema
from zcollection.transaction.documents import ViewDefinition
from zcollection.view.chain import Chain, identity


@frozen
class Pair:
    """An open view.

    Attributes
    ----------
    base
        The collection that it lies over; nothing here writes to it.
    own
        What it holds itself: partitions of the same paths, with its own variables alone.
    """

    base: OpenCollection
    own: OpenCollection
    _chain: list[Chain] = field(factory=list, eq=False, repr=False)

    @property
    def definition(self) -> ViewDefinition:
        """What the view is."""
        definition = self.own.configuration.view
        if definition is None:
            message = f"there is a collection at {self.own.store.url}, and no view"
            raise SchemaError(message)
        return definition

    @cached_property
    def schema(self) -> DatasetSchema:
        """The variables of both; those of the view take the place of the base's of the same path."""
        return self.base.schema.with_variables(self.own.schema.all_variables())

    @cached_property
    def given(self) -> DatasetSchema:
        """The variables of both, as functions are given them: those of the base as it has them."""
        theirs = self.base.schema.all_variables()
        mine = {path: item for path, item in self.own.schema.all_variables().items() if path not in theirs}
        return self.base.schema.with_variables(mine)

    @cached_property
    def identity(self) -> str:
        """Identity of the computations and their configurations; "" where functions of the user's write the variables."""
        return identity(self.definition.computations)

    @property
    def chain(self) -> Chain:
        """The computations, restored when first needed: a view whose plugin is missing still reads.

        Raises
        ------
        PluginError
            A plugin is missing or broken.
        SchemaError
            There are none, or the base lacks what one of them reads.
        """
        if not self.definition.computations:
            message = f"the view {self.own.store.url} has no computation; accepted: update(function), which computes its variables"
            raise SchemaError(message)
        if not self._chain:
            self._chain.append(Chain.restored(self.definition.computations, self.base.schema))
        return self._chain[0]

    def check_computations(self) -> None:
        """Check that the computations are such as their plugins accept; where a plugin is missing, the view still reads.

        Raises
        ------
        PluginConfigurationError
            One is not: somebody else has stored it.
        """
        if self.definition.computations:
            with suppress(UnknownPluginError, PluginConflictError, BrokenPluginError, SchemaError):
                _ = self.chain

    @property
    def splits_as_base(self) -> bool:
        """Whether the partitions of both have the same paths: not after the base was partitioned in another way."""
        return self.own.configuration.splits_as(self.base.configuration)

    async def check_fits(self) -> None:
        """Check that the view was made for this base, which may have been partitioned in another way since.

        Raises
        ------
        SchemaError
            The base is another collection than the one that the view was made for.
        """
        own, base = self.own.configuration, self.base.configuration
        for name in ("axis", "dimension"):
            _check_equal(self, name, getattr(own, name), getattr(base, name))
        if not self.splits_as_base and not await _was_repartitioned(self.base):
            _check_equal(self, "partitioning", own.partitioning, base.partitioning)

    def check_splits_as_base(self) -> None:
        """Check that the base was not partitioned in another way since the view was made, or last refreshed.

        Raises
        ------
        StaleError
            It was.
        """
        if not self.splits_as_base:
            message = (
                f"all that the view {self.own.store.url} holds is stale: its base {self.base.store.url} was partitioned by "
                f"{self.own.configuration.partitioning} then, and is by {self.base.configuration.partitioning} now; {self._advice}"
            )
            raise StaleError(message)

    @property
    def _advice(self) -> str:
        """What to do where the base has another partitioning than the view."""
        if self.own.versioning.held_at is not None:
            return (
                "an older version of a view stays as it is: give a version of its base that has the same partitioning, "
                "base=open_collection(url, at=…)"
            )
        then = "refresh()" if self.definition.computations else "refresh() and then update()"
        return f"call {then}, which drops it and computes it again"


async def _was_repartitioned(base: OpenCollection) -> bool:
    """Return whether some version of a base changed its partitioning, also one after the version that is read."""
    versioning = await base.versioning.refreshed()
    return any(entry.operation in {"repartition", "rollback"} for entry in await versioning.history())


def _check_equal(pair: Pair, name: str, own: object, base: object) -> None:
    if own != base:
        message = (
            f"the view {pair.own.store.url} was made for a base with the {name} {own!r}, and {pair.base.store.url} has {base!r}; "
            f"open it with its own base, or create another view"
        )
        raise SchemaError(message)
