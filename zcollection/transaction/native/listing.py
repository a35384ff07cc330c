"""What is known of the partitions of one snapshot of a store: their paths, and the documents of those that were asked for."""

from collections.abc import Callable, Collection, Iterable, Sequence

from attrs import define, evolve, field

from zcollection import config
from zcollection.contracts.objects import Read
from zcollection.engine.executor import gather, in_thread
from zcollection.engine.write import GROUP_DOCUMENT
from zcollection.errors import CorruptionError
from zcollection.transaction.documents import IMMUTABLE, Configuration, PartitionRecord, is_safe_path
from zcollection.transaction.index.catalog import Checkpoint
from zcollection.transaction.index.partitions import Candidates, Partitions
from zcollection.transaction.native.zarr_objects import SnapshotObjects
from zcollection.transaction.snapshot import Snapshot
from zcollection.transaction.version import RecordId


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
    _below: dict[str, list[str]] = field(factory=dict)
    _records: dict[str, PartitionRecord | None] = field(factory=dict)
    _whole: Snapshot | None = field(default=None, init=False)

    @property
    def commit(self) -> str:
        """Id of the snapshot."""
        return self.objects.snapshot

    async def snapshot(self, candidates: Candidates = None) -> Snapshot:
        """Return the partitions, by default all: no document of any other is read.

        Raises
        ------
        CorruptionError
            The document of one of them is damaged.
        """
        if self._whole is not None:
            return self._whole
        if candidates is None:
            self._whole = await self._holding(await self._listed(lambda paths: paths))
            return self._whole
        return await self._holding(await self._listed(candidates) if callable(candidates) else candidates)

    async def _listed(self, candidates: Callable[[Sequence[str]], Iterable[str]]) -> list[str]:
        """Return the paths at which a partition may lie, found by listing only under the candidates."""
        paths = [""]
        for _ in range(self.configuration.depth):
            missing = [path for path in paths if path not in self._below]
            found = await gather(self._children, missing, limit=config.get().concurrency)
            self._below |= dict(zip(missing, found, strict=True))
            children = [child for path in paths for child in self._below[path]]
            paths = list(await in_thread(candidates, children))  # it may ask a function of the user's
        return paths

    async def _children(self, path: str) -> list[str]:
        entries = self.objects.list(path and f"{path}/")
        found = [entry.key.rstrip("/") async for entry in entries if entry.is_prefix]
        return [child for child in found if is_safe_path(child)]

    async def _holding(self, paths: Iterable[str]) -> Snapshot:
        wanted = [*paths, IMMUTABLE]
        await self._read([path for path in wanted if path not in self._records])
        records = {path: record for path in wanted if (record := self._records[path]) is not None}
        immutable = records.pop(IMMUTABLE, None)
        return Snapshot(self.objects, Checkpoint(RecordId(), Partitions(records), immutable), commit=self.commit)

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
        known = {child for children in self._below.values() for child in children}
        stale = {parent for path in (*dropped, *(written.keys() - known)) for parent in _parents(path)}
        return evolve(
            self,
            objects=objects,
            below={path: children for path, children in self._below.items() if path not in stale},
            records={**self._records, **dict.fromkeys(dropped), **written},
        )


def _parents(path: str) -> list[str]:
    """Return the paths at which what leads to another is listed, from the root on."""
    segments = path.split("/")
    return ["/".join(segments[:count]) for count in range(len(segments))]
