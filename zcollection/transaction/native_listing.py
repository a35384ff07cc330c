"""What is known of the partitions of one snapshot of a store: their paths, and the documents of those that were asked for."""

from collections.abc import Collection, Iterable

from attrs import define, evolve, field

from zcollection.contracts.store import Read
from zcollection.engine.write import GROUP_DOCUMENT
from zcollection.errors import CorruptionError
from zcollection.transaction import snapshot
from zcollection.transaction.catalog import Checkpoint
from zcollection.transaction.documents import IMMUTABLE, Configuration, PartitionRecord
from zcollection.transaction.partitions import Concern, Partitions
from zcollection.transaction.snapshot import Snapshot
from zcollection.transaction.zarr_objects import SnapshotObjects


@define(eq=False)
class Listing:
    """The partitions of one snapshot, of which nothing ever changes: what was read of it need not be read again.

    Attributes
    ----------
    objects
        What to read from.
    configuration
        Of the collection.
    """

    objects: SnapshotObjects
    configuration: Configuration
    _paths: tuple[str, ...] | None = None
    _records: dict[str, PartitionRecord | None] = field(factory=dict)
    _whole: Snapshot | None = field(default=None, init=False)

    @property
    def commit(self) -> str:
        """Id of the snapshot."""
        return self.objects.snapshot

    async def snapshot(self, concern: Concern = None) -> Snapshot:
        """Return the partitions, by default all: no document of any other is read.

        Raises
        ------
        CorruptionError
            The document of one of them is damaged.
        """
        if self._whole is not None:
            return self._whole
        if concern is None:
            self._whole = await self._holding(await self._listed())
            return self._whole
        return await self._holding(concern(await self._listed()) if callable(concern) else concern)

    async def _listed(self) -> tuple[str, ...]:
        if self._paths is None:
            self._paths = tuple(await snapshot.candidates(self.objects, self.configuration))
        return self._paths

    async def _holding(self, paths: Iterable[str]) -> Snapshot:
        wanted = [*paths, IMMUTABLE]
        await self._read([path for path in wanted if path not in self._records])
        records = {path: record for path in wanted if (record := self._records[path]) is not None}
        immutable = records.pop(IMMUTABLE, None)
        return Snapshot(self.objects, Checkpoint(0, Partitions(records), immutable), commit=self.commit)

    async def _read(self, paths: list[str]) -> None:
        documents = await self.objects.get([Read(f"{path}/{GROUP_DOCUMENT}") for path in paths])
        self._records |= {path: self._understood(data, path) for path, data in zip(paths, documents, strict=True)}

    def _understood(self, data: bytes | None, path: str) -> PartitionRecord | None:
        """Return what a group says of itself; None where it is not there, or not a partition."""
        try:
            what = f"the group document of partition {path!r}"
            return None if data is None else PartitionRecord.from_group(data, what=what)
        except CorruptionError as error:
            message = f"{error} in snapshot {self.commit} of {self.objects.store.url}; read an earlier one with at=, or restore it"
            raise CorruptionError(message) from error

    def changed(
        self, objects: SnapshotObjects, written: dict[str, PartitionRecord], dropped: Collection[str]
    ) -> "Listing":
        """Return what is known of the snapshot in which some partitions, or the immutable variables, were written."""
        paths = self._paths
        if paths is not None:
            paths = tuple(sorted({*paths, *written} - {*dropped, IMMUTABLE}))
        return evolve(
            self, objects=objects, paths=paths, records={**self._records, **dict.fromkeys(dropped), **written}
        )
