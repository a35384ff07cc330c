"""A cache of the partitions of one snapshot of a store: their paths, and the records that were read."""

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
    """The partitions of one snapshot, which never changes, so that nothing is read twice.

    Attributes
    ----------
    objects
        The objects of the snapshot.
    configuration
        The configuration of the collection.
    """

    objects: SnapshotObjects
    configuration: Configuration
    _below: dict[str, list[str]] = field(factory=dict)
    _records: dict[str, PartitionRecord | None] = field(factory=dict)
    _complete: Snapshot | None = field(default=None, init=False)

    @property
    def commit(self) -> str:
        """Id of the snapshot."""
        return self.objects.snapshot

    async def snapshot(self, candidates: Candidates = None) -> Snapshot:
        """Return a snapshot of the candidates, by default all partitions; no other group document is read.

        Raises
        ------
        CorruptionError
            The document of one of them is damaged.
        """
        if self._complete is not None:
            return self._complete
        if candidates is None:
            self._complete = await self._containing(await self._listed(lambda paths: paths))
            return self._complete
        return await self._containing(await self._listed(candidates) if callable(candidates) else candidates)

    async def _listed(self, candidates: Callable[[Sequence[str]], Iterable[str]]) -> list[str]:
        """Return the paths at which a partition may exist, found by listing only under the candidates."""
        paths = [""]
        for _ in range(self.configuration.depth):
            missing = [path for path in paths if path not in self._below]
            found = await gather(self._children, missing, limit=config.get().concurrency)
            self._below |= dict(zip(missing, found, strict=True))
            children = [child for path in paths for child in self._below[path]]
            paths = list(await in_thread(candidates, children))  # it may call the user's function
        return paths

    async def _children(self, path: str) -> list[str]:
        entries = self.objects.list(path and f"{path}/")
        found = [entry.key.rstrip("/") async for entry in entries if entry.is_prefix]
        return [child for child in found if is_safe_path(child)]

    async def _containing(self, paths: Iterable[str]) -> Snapshot:
        requested = [*paths, IMMUTABLE]
        await self._read([path for path in requested if path not in self._records])
        records = {path: record for path in requested if (record := self._records[path]) is not None}
        immutable = records.pop(IMMUTABLE, None)
        return Snapshot(self.objects, Checkpoint(RecordId(), Partitions(records), immutable), commit=self.commit)

    async def _read(self, paths: list[str]) -> None:
        documents = await self.objects.get([Read(f"{path}/{GROUP_DOCUMENT}") for path in paths])
        self._records |= {path: self._parsed(data, path) for path, data in zip(paths, documents, strict=True)}

    def _parsed(self, data: bytes | None, path: str) -> PartitionRecord | None:
        """Return the record in a group document; None if the group does not exist, or is not a partition."""
        try:
            what = f"the group document of partition {path!r}"
            return None if data is None else PartitionRecord.from_group(data, what=what)
        except CorruptionError as error:
            message = f"{error} in snapshot {self.commit} of {self.objects.store.url}; read an earlier one with at=, or restore it"
            raise CorruptionError(message) from error

    def changed(
        self, objects: SnapshotObjects, written: dict[str, PartitionRecord], dropped: Collection[str]
    ) -> "Listing":
        """Return the listing of the snapshot that results from a change of partitions or immutable variables."""
        known = {child for children in self._below.values() for child in children}
        stale = {parent for path in (*dropped, *(written.keys() - known)) for parent in _parents(path)}
        return evolve(
            self,
            objects=objects,
            below={path: children for path, children in self._below.items() if path not in stale},
            records={**self._records, **dict.fromkeys(dropped), **written},
        )


def _parents(path: str) -> list[str]:
    """Return the paths of the parents of a path, from the root on."""
    segments = path.split("/")
    return ["/".join(segments[:count]) for count in range(len(segments))]
