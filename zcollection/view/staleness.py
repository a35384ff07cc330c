"""Which partitions of a view hold what was computed from the base as it is: as make knows it of files."""

from attrs import frozen

from zcollection.collection import key_selection
from zcollection.collection.filters import Filter
from zcollection.collection.read.neighbours import AxisOrder, Halo, Neighbours
from zcollection.model.printed import Printed
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.snapshot import Snapshot
from zcollection.view.origin import Origin
from zcollection.view.pair import Pair


@frozen(kw_only=True, repr=False)
class ViewStatus(Printed):
    """Partitions of a view, by what they hold.

    Attributes
    ----------
    current
        Paths of those computed from the base as it is.
    stale
        Of those computed from rows, neighbours or a configuration that have changed since.
    missing
        Of those that the base has, and the view has not computed.
    orphaned
        Of those that the base no longer has.
    """

    current: tuple[str, ...]
    stale: tuple[str, ...]
    missing: tuple[str, ...]
    orphaned: tuple[str, ...]

    @property
    def is_current(self) -> bool:
        """Whether a refresh would do nothing."""
        return not (self.stale or self.missing or self.orphaned)


class Staleness:
    """What the partitions of a view must have been computed from, at one snapshot of its base.

    Parameters
    ----------
    pair
        The view.
    snapshot
        The snapshot.
    """

    def __init__(self, pair: Pair, snapshot: Snapshot) -> None:
        self._pair = pair
        self._snapshot = snapshot
        self._neighbours = Neighbours(AxisOrder.of(pair.base), snapshot)

    def sources(self, path: str, halo: Halo, *, immutable: bool) -> dict[str, str]:
        """Return the stamps of what a partition is computed from now.

        Parameters
        ----------
        path
            The partition; the base has it.
        halo
            Which neighbouring rows are read.
        immutable
            Whether variables are read that do not span the axis.
        """
        partitions = self._snapshot.partitions
        read = [path, *self._neighbours.around(path, halo)]
        stamps = {name: partitions[name].stamp for name in read}
        fixed = self._snapshot.immutable
        return stamps | ({IMMUTABLE: "" if fixed is None else fixed.stamp} if immutable else {})

    def is_current(self, path: str, record: PartitionRecord | None) -> bool:
        """Return whether a partition of the view was computed from what there is now, as it would be now."""
        origin = None if record is None else Origin.from_texts(record.origin)
        if origin is None or origin.computation != self._pair.identity:
            return False
        own = self._snapshot.record(path)
        if own is None or origin.sources.get(path) != own.stamp:
            return False
        return origin.sources == self.sources(path, origin.halo, immutable=IMMUTABLE in origin.sources)

    async def status(self, own: Snapshot, filters: Filter) -> ViewStatus:
        """Return what the partitions of the view hold that pass a filter."""
        partitions = await key_selection.select(self._pair.base, self._snapshot, filters)
        held = await key_selection.select(self._pair.own, own, filters)
        current = {path for path in partitions if self.is_current(path, held.get(path))}
        return ViewStatus(
            current=tuple(path for path in partitions if path in current),
            stale=tuple(path for path in partitions if path in held and path not in current),
            missing=tuple(path for path in partitions if path not in held),
            orphaned=tuple(path for path in held if self._snapshot.record(path) is None),
        )


async def status(pair: Pair, *, filters: Filter) -> ViewStatus:
    """Return what the partitions of a view hold; see `View.status`."""
    # In this order: what was refreshed meanwhile is not taken for stale.
    own = await pair.own.snapshot()
    if not pair.splits_as_base:
        there = await key_selection.select(pair.base, await pair.base.snapshot(), filters)
        return ViewStatus(current=(), stale=(), missing=tuple(there), orphaned=tuple(own.partitions))
    return await Staleness(pair, await pair.base.snapshot()).status(own, filters)
