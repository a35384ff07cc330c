"""Staleness: which partitions of a view were computed from the current rows of the base."""

from attrs import frozen

from zcollection.collection.read.neighbours import AxisOrder, Halo, Neighbours
from zcollection.model.printed import Printed
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.snapshot import Snapshot
from zcollection.view.open_view import OpenView
from zcollection.view.origin import Origin


@frozen(kw_only=True, repr=False)
class ViewStatus(Printed):
    """The partitions of a view, by state.

    Attributes
    ----------
    current
        Paths of the partitions computed from the current rows of the base.
    stale
        Paths of the partitions computed from rows, neighbouring rows or a configuration that have changed since.
    missing
        Paths of the partitions that the base has and the view has not computed.
    orphaned
        Paths of the partitions that the base no longer has.
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
    """Checks whether partitions of a view are current with respect to one snapshot of its base.

    Parameters
    ----------
    opened
        The view.
    snapshot
        The snapshot of the base.
    """

    def __init__(self, opened: OpenView, snapshot: Snapshot) -> None:
        self._opened = opened
        self._snapshot = snapshot
        self._neighbours = Neighbours(AxisOrder.of(opened.base), snapshot)

    def sources(self, path: str, halo: Halo, *, immutable: bool) -> dict[str, str]:
        """Return the stamps of the groups of the base that a partition would be computed from.

        Parameters
        ----------
        path
            The path of a partition of the base.
        halo
            The neighbouring rows that are read.
        immutable
            Whether immutable variables are read.
        """
        partitions = self._snapshot.partitions
        read = [path, *self._neighbours.around(path, halo)]
        stamps = {name: partitions[name].stamp for name in read}
        record = self._snapshot.immutable
        return stamps | ({IMMUTABLE: "" if record is None else record.stamp} if immutable else {})

    def is_current(self, path: str, record: PartitionRecord | None) -> bool:
        """Return whether a partition of the view was computed from the current rows, with the current configuration."""
        origin = None if record is None else Origin.from_strings(record.origin)
        if origin is None or origin.computation != self._opened.identity:
            return False
        own = self._snapshot.record(path)
        if own is None or origin.sources.get(path) != own.stamp:
            return False
        return origin.sources == self.sources(path, origin.halo, immutable=IMMUTABLE in origin.sources)
