"""Which partitions there are at one version, and where each of them is stored."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import takewhile

from attrs import evolve, field, frozen

from zcollection.contracts.objects import Objects
from zcollection.engine.work import Work
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.index import catalog
from zcollection.transaction.index.catalog import Checkpoint
from zcollection.transaction.index.partitions import Candidates, Narrowing, Partitions, Selection
from zcollection.transaction.index.segments import Segments
from zcollection.transaction.places import Place
from zcollection.transaction.version import RecordId, Version


@frozen
class Snapshot:
    """The partitions of a collection at one version: those of a checkpoint, and the changes since.

    Attributes
    ----------
    objects
        What to read them from.
    checkpoint
        What was known of an older version. Of one in segments some may be held: asking for a partition of another is an
        `AssertionError`.
    changes
        The versions since, in order.
    places
        Where those groups lie that are committed and not yet in their own place, by path.
    indexed
        Whether the checkpoint is that of a catalog.
    commit
        Id of the snapshot, where the store makes them by itself.
    """

    objects: Objects
    checkpoint: Checkpoint = field(factory=Checkpoint)
    changes: Sequence[Version] = ()
    places: Mapping[str, Place] = field(factory=dict)
    indexed: bool = True
    commit: str | None = None

    @property
    def label(self) -> int | str:
        """What the version is called: its number, or the id of the store's own snapshot."""
        return self.version if self.commit is None else self.commit

    @property
    def version(self) -> int:
        """Number of the newest change."""
        return max([self.checkpoint.version, *(change.number for change in self.changes)])

    @cached_property
    def partitions(self) -> Partitions:
        """What each partition says of itself, by path, in the order of their keys."""
        return self._known_now.chosen()

    @property
    def _known_now(self) -> Partitions | Segments:
        known = self.checkpoint.partitions
        if self._is_partitioned_anew:
            return self._written
        return known.changed(self._written, self._touched) if self._touched else known

    @cached_property
    def _is_partitioned_anew(self) -> bool:
        """Whether a change has partitioned the collection by other fields: nothing is left of what the checkpoint names."""
        known = self.checkpoint.partitions
        if not any(change.schema for change in self.changes) or self._written.fields in {(), known.fields}:
            return False
        # Of a damaged checkpoint something would be left.
        is_gone = len(self._touched) >= len(known) if isinstance(known, Segments) else self._touched.issuperset(known)
        return bool(known.fields) and is_gone

    @cached_property
    def immutable(self) -> PartitionRecord | None:
        """What the variables that do not span the axis say of themselves; None while none has been written."""
        found = self.checkpoint.immutable
        for change in self.changes:
            is_gone = change.configuration is not None or IMMUTABLE in change.dropped
            found = change.immutable or (None if is_gone else found)
        return found

    @property
    def configuration(self) -> int:
        """The version at which the configuration was written."""
        replaced = [change.number for change in self.changes if change.configuration is not None]
        return max([self.checkpoint.configuration, *replaced])

    @property
    def schema(self) -> int:
        """The version at which the schema or the partitioning was last changed; 0 while neither was."""
        number = self.checkpoint.schema
        for change in self.changes:
            number = 0 if change.configuration is not None else change.number if change.schema is not None else number
        return number

    @property
    def id(self) -> RecordId:
        """The record of the newest change."""
        newest = max(self.changes, key=lambda change: change.number, default=None)
        is_newer = newest is not None and newest.number >= self.checkpoint.version
        return newest.id if newest is not None and is_newer else self.checkpoint.record

    def to_checkpoint(self) -> Checkpoint:
        """Return all of it as a checkpoint, which holds where everything is published; what was changed is to be held."""
        return Checkpoint(self.id, self._known_now, self.immutable, self.configuration, self.schema)

    def completed(self, candidates: Candidates) -> Work["Snapshot"]:
        """Return the same with the partitions that are asked for; raises as `catalog.holding`."""
        if self._is_partitioned_anew:
            return self
        return evolve(self, checkpoint=(yield from catalog.holding(self.checkpoint, candidates)))

    def changing(self) -> Work["Snapshot"]:
        """Return the same with all that `to_checkpoint` needs; raises as `catalog.changing`."""
        if self._is_partitioned_anew:
            return self
        checkpoint = yield from catalog.changing(self.checkpoint, self._written, self._touched)
        return evolve(self, checkpoint=checkpoint)

    def published(self) -> "Snapshot | None":
        """Return what a checkpoint may hold: the snapshot before the first change that is not in its place.

        None where nobody knows what there was then.
        """
        changes = list(takewhile(lambda change: change.published, self.changes))
        if not self.indexed and len(changes) < len(self.changes):
            return None
        return evolve(self, changes=changes, places={})

    def record(self, path: str) -> PartitionRecord | None:
        """Return what is known of a partition, or of the immutable variables; None where it is not there."""
        if path == IMMUTABLE:
            return self.immutable
        return (self._written if path in self._touched else self.checkpoint.partitions).get(path)

    def where(
        self, select: Selection | None, narrow: Narrowing | None = None, candidates: Candidates = None
    ) -> Partitions:
        """Return the partitions whose key is selected, of those that may be wanted and are asked for.

        Parameters
        ----------
        select
            Which; None for all.
        narrow
            Which of them may be wanted.
        candidates
            What the snapshot was taken with, which concerns all that are selected.
        """
        if self._is_partitioned_anew:
            return self._written.where(select, narrow)
        found = self.checkpoint.partitions.chosen(candidates).where(select, narrow)
        if not self._touched:
            return found
        return found.changed(self._written.where(select, narrow), self._touched)

    def is_same(self, other: "Snapshot", path: str) -> bool:
        """Return whether a partition is of the same generation in another snapshot."""
        mine, others = self.record(path), other.record(path)
        return (mine and mine.stamp) == (others and others.stamp)

    def place(self, path: str) -> Place:
        """Return where a partition lies."""
        return self.places.get(path) or Place.of(path)

    @property
    def pending(self) -> list[Version]:
        """The changes that were not published yet when the snapshot was taken."""
        return [change for change in self.changes if not change.published]

    @cached_property
    def _touched(self) -> frozenset[str]:
        """Paths of what the changes have written or dropped."""
        return frozenset(path for change in self.changes for path in (*change.partitions, *change.dropped))

    @cached_property
    def _written(self) -> Partitions:
        """What the changes have written, as the last of them has left it."""
        written = Partitions()
        for change in self.changes:
            written = written.changed(change.partitions, change.dropped)
        return written
