"""The staging area of a change, on key-value stores: partitions are staged as complete groups."""

from contextlib import suppress
from typing import Final

from attrs import define, evolve, frozen

from zcollection.contracts.objects import Objects
from zcollection.contracts.store import KeyStore
from zcollection.engine import work
from zcollection.engine.work import Work, observing
from zcollection.engine.write import GROUP_DOCUMENT, GroupWrite, writing
from zcollection.transaction.change import Stage, StagedPartition, new_id
from zcollection.transaction.documents import PartitionRecord
from zcollection.transaction.log.in_place import InPlaceWriter, OccupiedError
from zcollection.transaction.places import Place
from zcollection.transaction.version import stage_of

_MOST_KEYS: Final = 64
"""Largest number of objects of a group whose keys are recorded."""


@define
class _RecordedKeys:
    """Records the keys of all objects of a group that is written; none if there are too many, or if one is shared."""

    keys: tuple[str, ...] = ()
    _is_complete: bool = True

    def __call__(self, request: work.Request) -> None:
        """Record the keys of one request of the work that writes the group."""
        if isinstance(request, work.Stage):
            self.keys += (*request.objects,)
        self._is_complete = self._is_complete and not isinstance(request, work.Share) and len(self.keys) <= _MOST_KEYS
        self.keys = self.keys if self._is_complete else ()


@frozen(kw_only=True)
class LogStage(Stage):
    """The staging area beside the partitions, from which they are published.

    Attributes
    ----------
    attempt_id
        Id of the attempt, part of the staging prefix; empty if a job runs only once.
    new
        Paths of new partitions, which are written in their published place unless another writer occupies it.
    """

    objects: KeyStore
    attempt_id: str = ""
    new: frozenset[str] = frozenset()

    def attempt(self) -> "LogStage":
        """Return a separate part of the staging area for one attempt: a task may run twice, even concurrently."""
        return evolve(self, attempt_id=new_id())

    def prefix(self, path: str) -> str:
        """Return the prefix of a partition in the staging area."""
        return f"{stage_of(self.transaction, self.attempt_id)}{path}/"

    def writing(self, path: str, group: GroupWrite, record: PartitionRecord) -> Work[StagedPartition]:
        """Write a partition to the staging area or, if it is new, in its published place."""
        stamped, complete = self._stamped(path, group, record)
        if path in self.new:
            with suppress(OccupiedError):
                size = yield from writing(f"{path}/", stamped, self._putting_in_place(path))
                return self._staged(path, complete(size), in_place=True)
        written = _RecordedKeys()
        size = yield from observing(writing(self.prefix(path), stamped), written)
        return evolve(self._staged(path, complete(size)), keys=written.keys)

    def copying(self, path: str, source: Objects, place: Place, record: PartitionRecord) -> Work[StagedPartition]:
        """Copy a partition to the staging area or, if it is new, to its published place."""
        if path in self.new:
            with suppress(OccupiedError):
                stamped = self._complete(record, record.stored_bytes)
                put = self._putting_in_place(path)
                yield from self._copying(path, source, place, record, prefix=f"{path}/", put=put)
                return self._staged(path, stamped, in_place=True)
        return (yield from super().copying(path, source, place, record))

    def _putting_in_place(self, path: str) -> InPlaceWriter:
        return InPlaceWriter(self.objects, Place(f"{path}/", f"{self.prefix(path)}{GROUP_DOCUMENT}"))

    def _staged(self, path: str, record: PartitionRecord, *, in_place: bool = False) -> StagedPartition:
        return StagedPartition(
            path=path, prefix=self.prefix(path), record=record, attempt=self.attempt_id, in_place=in_place
        )
