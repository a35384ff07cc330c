"""The specifications of the hooks: one for each family of plugins.

A plugin is a module named by an entry point of the group ``zcollection``. It implements one or more of these hooks as
module functions without parameters; each yields a `Provides` for each name. The kernel uses nothing else in the module.
It imports the module of every installed plugin, so the import must be cheap.
"""

from collections.abc import Iterable
from enum import Enum

import pluggy
from attrs import field, frozen, validators

from zcollection.contracts.computation import Computation
from zcollection.contracts.merge import MergeStrategy
from zcollection.contracts.partitioning import Partitioning
from zcollection.contracts.store import Store

PROJECT = "zcollection"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@frozen
class Provides:
    """A name that a plugin provides.

    Attributes
    ----------
    name
        The name; for a store, a URL scheme.
    target
        ``"package.module:Class"``, imported when the name is first used.
    summary
        Description in one line, for listings.
    aliases
        Older names, under which the class can be looked up, but is never stored.
    contract
        The version of the family's contract for which the class was written. The author of the plugin writes the number,
        and does not read it from the installed zcollection. By this number the kernel rejects a class that is too old or
        too new before it imports it.
    """

    name: str = field(validator=validators.min_len(1))
    target: str = field(kw_only=True, validator=validators.matches_re(r"[\w.]+:[\w.]+"))
    summary: str = field(default="", kw_only=True)
    aliases: tuple[str, ...] = field(default=(), kw_only=True, converter=tuple)
    contract: int = field(default=1, kw_only=True, validator=[validators.instance_of(int), validators.ge(1)])


@hookspec
def zcollection_partitionings() -> Iterable[Provides]:
    """Yield the partitionings, which map rows to partitions."""
    return ()


@hookspec
def zcollection_merge_strategies() -> Iterable[Provides]:
    """Yield the merge strategies, which combine inserted rows with the existing rows of a partition."""
    return ()


@hookspec
def zcollection_stores() -> Iterable[Provides]:
    """Yield the stores, each under the URL schemes that it opens."""
    return ()


@hookspec
def zcollection_computations() -> Iterable[Provides]:
    """Yield the computations, which derive the variables of views."""
    return ()


class Family(Enum):
    """The four families of plugins."""

    PARTITIONING = "partitioning"
    MERGE = "merge"
    STORE = "store"
    VIEW = "view"

    @property
    def hook(self) -> str:
        """Name of the family's hook."""
        return _FAMILIES[self][0]

    @property
    def contract(self) -> "type[Partitioning | MergeStrategy | Store | Computation]":
        """Base class of the family."""
        return _FAMILIES[self][1]

    @property
    def noun(self) -> str:
        """Name of one member of the family in error messages."""
        return _FAMILIES[self][2]


_FAMILIES: dict[Family, tuple[str, type[Partitioning | MergeStrategy | Store | Computation], str]] = {
    Family.PARTITIONING: ("zcollection_partitionings", Partitioning, "partitioning"),
    Family.MERGE: ("zcollection_merge_strategies", MergeStrategy, "merge strategy"),
    Family.STORE: ("zcollection_stores", Store, "store for the URL scheme"),
    Family.VIEW: ("zcollection_computations", Computation, "computation"),
}
