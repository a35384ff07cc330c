"""A snapshot of a collection: its partitions at one version, and where each of them is stored."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import takewhile

from attrs import evolve, field, frozen

from zcollection.contracts.objects import Objects
from zcollection.engine.work import Work
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.index import catalog
from zcollection.transaction.index.catalog import Checkpoint
from zcollection.transaction.index.partitions import Candidates, Partitions, Pruner, Selection
from zcollection.transaction.index.segments import Segments
from zcollection.transaction.places import Place
from zcollection.transaction.version import RecordId, Version


@frozen
class Snapshot:
    """The partitions of a collection at one version: a checkpoint and the versions committed after it.

    Attributes
    ----------
    objects
        The objects from which the partitions are read.
    checkpoint
        The partitions at an older version. Where they are in segments, only some segments may be loaded: a request for
        a partition of another segment raises an `AssertionError`.
    changes
        The versions after the checkpoint, in order.
    places
        Where each group is stored that is committed and not yet published, by path.
    indexed
        Whether the checkpoint was read from a catalog.
    commit
        Id of the store's own snapshot, in a transactional store; otherwise None.
    """

    objects: Objects
    checkpoint: Checkpoint = field(factory=Checkpoint)
    changes: Sequence[Version] = ()
    places: Mapping[str, Place] = field(factory=dict)
    indexed: bool = True
    commit: str | None = None

    @property
    def label(self) -> int | str:
        """The version as shown to users: its number, or the id of the store's own snapshot."""
        return self.version if self.commit is None else self.commit

    @property
    def version(self) -> int:
        """Number of the newest change."""
        return max([self.checkpoint.version, *(change.number for change in self.changes)])

    @cached_property
    def partitions(self) -> Partitions:
        """The record of each partition, by path, in the order of the keys."""
        return self._known_now.for_candidates()

    @property
    def _known_now(self) -> Partitions | Segments:
        known = self.checkpoint.partitions
        if self._is_repartitioned:
            return self._written
        return known.changed(self._written, self._touched) if self._touched else known

    @cached_property
    def _is_repartitioned(self) -> bool:
        """Whether a change has repartitioned the collection by other fields, so that none of the checkpoint's partitions remains."""
        known = self.checkpoint.partitions
        if not any(change.schema for change in self.changes) or self._written.fields in {(), known.fields}:
            return False
        # A change that leaves a partition of the checkpoint is a sign of a damaged checkpoint instead.
        is_replaced = (
            len(self._touched) >= len(known) if isinstance(known, Segments) else self._touched.issuperset(known)
        )
        return bool(known.fields) and is_replaced

    @cached_property
    def immutable(self) -> PartitionRecord | None:
        """The record of the immutable variables; None while none has been written."""
        found = self.checkpoint.immutable
        for change in self.changes:
            is_dropped = change.configuration is not None or IMMUTABLE in change.dropped
            found = change.immutable or (None if is_dropped else found)
        return found

    @property
    def configuration(self) -> int:
        """The version at which the configuration was written."""
        replaced = [change.number for change in self.changes if change.configuration is not None]
        return max([self.checkpoint.configuration, *replaced])

    @property
    def schema(self) -> int:
        """The version at which the schema or the partitioning was last changed; 0 if neither was changed."""
        number = self.checkpoint.schema
        for change in self.changes:
            number = 0 if change.configuration is not None else change.number if change.schema is not None else number
        return number

    @property
    def id(self) -> RecordId:
        """The id of the commit record of the newest version."""
        newest = max(self.changes, key=lambda change: change.number, default=None)
        is_newer = newest is not None and newest.number >= self.checkpoint.version
        return newest.id if newest is not None and is_newer else self.checkpoint.record

    def to_checkpoint(self) -> Checkpoint:
        """Return the snapshot as a checkpoint; all versions must be published, and the changed segments loaded."""
        return Checkpoint(self.id, self._known_now, self.immutable, self.configuration, self.schema)

    def completed(self, candidates: Candidates) -> Work["Snapshot"]:
        """Return the snapshot with the segments of the candidates loaded; raises as `catalog.loading_candidates`."""
        if self._is_repartitioned:
            return self
        return evolve(self, checkpoint=(yield from catalog.loading_candidates(self.checkpoint, candidates)))

    def changing(self) -> Work["Snapshot"]:
        """Return the snapshot with all segments loaded that `to_checkpoint` needs; raises as `catalog.loading_changed`."""
        if self._is_repartitioned:
            return self
        checkpoint = yield from catalog.loading_changed(self.checkpoint, self._written, self._touched)
        return evolve(self, checkpoint=checkpoint)

    def published(self) -> "Snapshot | None":
        """Return the snapshot before the first unpublished version, which a checkpoint may contain.

        None if that state is not known: the snapshot was not read from a catalog.
        """
        changes = list(takewhile(lambda change: change.published, self.changes))
        if not self.indexed and len(changes) < len(self.changes):
            return None
        return evolve(self, changes=changes, places={})

    def record(self, path: str) -> PartitionRecord | None:
        """Return the record of a partition, or of the immutable variables; None if it does not exist."""
        if path == IMMUTABLE:
            return self.immutable
        return (self._written if path in self._touched else self.checkpoint.partitions).get(path)

    def where(self, select: Selection | None, prune: Pruner | None = None, candidates: Candidates = None) -> Partitions:
        """Return the partitions whose key is selected and that `prune` does not exclude.

        Parameters
        ----------
        select
            The selection by key; None selects all.
        prune
            Excludes partitions by key columns and axis limits; None excludes none.
        candidates
            The candidates with which the snapshot was read; they must include all selected partitions.
        """
        if self._is_repartitioned:
            return self._written.where(select, prune)
        found = self.checkpoint.partitions.for_candidates(candidates).where(select, prune)
        if not self._touched:
            return found
        return found.changed(self._written.where(select, prune), self._touched)

    def is_same(self, other: "Snapshot", path: str) -> bool:
        """Return whether a partition has the same generation in another snapshot."""
        own, foreign = self.record(path), other.record(path)
        return (own and own.stamp) == (foreign and foreign.stamp)

    def place(self, path: str) -> Place:
        """Return where a partition is stored."""
        return self.places.get(path) or Place.of(path)

    @property
    def pending(self) -> list[Version]:
        """The versions that were not yet published when the snapshot was read."""
        return [change for change in self.changes if not change.published]

    @cached_property
    def _touched(self) -> frozenset[str]:
        """Paths of the groups that the changes have written or dropped."""
        return frozenset(path for change in self.changes for path in (*change.partitions, *change.dropped))

    @cached_property
    def _written(self) -> Partitions:
        """The partitions that the changes have written and that still exist at this version."""
        written = Partitions()
        for change in self.changes:
            written = written.changed(change.partitions, change.dropped)
        return written
