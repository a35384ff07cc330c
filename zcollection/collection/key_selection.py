"""The partitions whose key passes a filter."""

from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from zcollection.collection.filters import Filter, compile_filter, may_pass, narrowing
from zcollection.collection.open_collection import OpenCollection
from zcollection.contracts.partitioning import KeyValue
from zcollection.engine.executor import in_thread
from zcollection.errors import PartitionError
from zcollection.transaction.index.partitions import Candidates, Narrowing, Partitions
from zcollection.transaction.index.segments import Limits
from zcollection.transaction.snapshot import Snapshot

OfLimits = Callable[[Limits], Sequence[bool]]
"""Tells for each stretch of partitions, from its limits, whether one that is asked for may be in it."""


async def select(
    opened: OpenCollection, snapshot: Snapshot, filters: Filter, candidates: Candidates = None
) -> Partitions:
    """Return the same as `where`; a function is called on a thread, as all that is the user's."""
    if callable(filters):
        return await in_thread(where, opened, snapshot, filters, None, candidates)
    return where(opened, snapshot, filters, None, candidates)


def where(
    opened: OpenCollection,
    snapshot: Snapshot,
    filters: Filter,
    narrow: Narrowing | None = None,
    candidates: Candidates = None,
) -> Partitions:
    """Return the partitions whose key passes a filter, of those that may be wanted, in the order of their keys.

    Parameters
    ----------
    snapshot
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
        return snapshot.partitions
    names = [] if filters is None else [item.name for item in opened.partitioning.fields]
    select = None if filters is None else compile_filter(filters, names)
    return snapshot.where(select, narrow, passing(opened, filters) if candidates is None else candidates)


def passing(
    opened: OpenCollection, filters: Filter, limits: OfLimits | None = None, paths: Sequence[str] = ()
) -> Candidates:
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
    return None if filters is None and limits is None else Passing(opened, filters, limits, paths)


@frozen
class Passing:
    """Partitions whose key passes a filter, asked for: see `passing`."""

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
