"""Selects the partitions whose key passes a filter."""

from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from zcollection.collection.filters import Filter, compile_filter, compile_prefix_filter, may_pass
from zcollection.collection.open_collection import OpenCollection
from zcollection.contracts.partitioning import KeyValue
from zcollection.engine.executor import in_thread
from zcollection.errors import PartitionError
from zcollection.transaction.index.limits import Limits
from zcollection.transaction.index.partitions import Candidates, Partitions, Pruner
from zcollection.transaction.snapshot import Snapshot

PruneRanges = Callable[[Limits], Sequence[bool]]
"""Takes the limits of ranges of partitions, and returns for each range whether it may contain a requested partition."""


async def select(
    opened: OpenCollection, snapshot: Snapshot, filters: Filter, candidates: Candidates = None
) -> Partitions:
    """Return the partitions that pass a filter, as `where`; a function of the user is called on a worker thread."""
    if callable(filters):
        return await in_thread(where, opened, snapshot, filters, None, candidates)
    return where(opened, snapshot, filters, None, candidates)


def where(
    opened: OpenCollection,
    snapshot: Snapshot,
    filters: Filter,
    prune: Pruner | None = None,
    candidates: Candidates = None,
) -> Partitions:
    """Return the candidates whose key passes a filter, in the order of their keys.

    Parameters
    ----------
    snapshot
        A snapshot that contains the candidates.
    filters, prune
        The filter, and a function that prunes partitions by their keys and axis bounds.
    candidates
        The candidates; by default those of the filter.

    Raises
    ------
    ExpressionError
        The filter is invalid.
    PluginError
        A filter is given, and the partitioning plugin is missing.
    """
    if filters is None and prune is None and candidates is None:
        return snapshot.partitions
    names = [] if filters is None else [item.name for item in opened.partitioning.fields]
    select = None if filters is None else compile_filter(filters, names)
    return snapshot.where(select, prune, candidates_of(opened, filters) if candidates is None else candidates)


def candidates_of(
    opened: OpenCollection, filters: Filter, limits: PruneRanges | None = None, paths: Sequence[str] = ()
) -> Candidates:
    """Return the candidates of a filter: the partitions that `select` returns, and possibly more.

    Parameters
    ----------
    filters
        As for `select`.
    limits
        Prunes ranges of partitions by their limits.
    paths
        Paths of partitions that are candidates regardless of the filter.
    """
    return None if filters is None and limits is None else FilterCandidates(opened, filters, limits, paths)


@frozen
class FilterCandidates:
    """The candidates of a filter; see `candidates_of`."""

    opened: OpenCollection
    filters: Filter
    limits: PruneRanges | None
    paths: Sequence[str]

    def __call__(self, paths: Sequence[str]) -> Sequence[str]:
        """Return the paths, or path prefixes of equal depth, whose key may pass the filter, or that have no key."""
        if self.filters is None or not paths:
            return paths
        names = [item.name for item in self.opened.partitioning.fields]
        known = names[: paths[0].count("/") + 1]
        keys = {path: key for path in paths if (key := self._key(path)) is not None}
        columns = {name: [key[name] for key in keys.values()] for name in known}
        each = list(keys)
        chosen = {
            each[at]
            for at in (compile_filter if known == names else compile_prefix_filter)(self.filters, names)(columns)
        }
        chosen |= {"/".join(path.split("/")[: len(known)]) for path in self.paths}
        return [path for path in paths if path in chosen or path not in keys]

    def _key(self, path: str) -> Mapping[str, KeyValue] | None:
        """Return the key of a path, or the partial key of a path prefix; None if it has none."""
        partitioning, segments = self.opened.partitioning, path.split("/")
        fields = partitioning.fields
        try:
            if len(segments) == len(fields):
                return partitioning.decode(path)
            return {field.name: field.decode(text) for field, text in zip(fields, segments, strict=False)}
        except PartitionError:
            return None

    def may_contain(self, limits: Limits) -> Sequence[bool]:
        """Return for each range of partitions whether it may contain one that passes."""
        may_contain = [True] * len(limits) if self.limits is None else self.limits(limits)
        if self.filters is None:
            return may_contain
        names = [item.name for item in self.opened.partitioning.fields]
        if names != [*limits.smallest]:
            return may_contain  # repartitioned in the meantime: the next check detects it
        return [
            one and other
            for one, other in zip(may_contain, may_pass(self.filters, names, limits).tolist(), strict=True)
        ]
