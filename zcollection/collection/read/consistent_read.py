"""The read of the rows of a query into memory, all of one version."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, Literal

from attrs import Factory, define, evolve, field
from numpy.typing import NDArray

from zcollection import portal
from zcollection.collection import partition_groups
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.read.consistent import Generation, generation, generation_of, read_consistently
from zcollection.collection.read.pieces import Pieces
from zcollection.collection.read.request import Request, SelectedPartitions
from zcollection.engine.executor import gather
from zcollection.engine.jobs import Executor
from zcollection.engine.read import read_groups, reading
from zcollection.engine.read_rows import RowReader, VariableSource
from zcollection.engine.work import Work
from zcollection.errors import CorruptionError, CorruptionWarning, OutdatedError, StoreError
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.snapshot import Snapshot

OnError = Literal["raise", "skip"]
_SMALL: Final = 2**18
"""Total stored size in bytes up to which one thread reads several partitions faster than several threads."""


@define
class ConsistentRead:
    """A read that reads changed partitions again until all rows belong to one version."""

    opened: OpenCollection
    schema: DatasetSchema
    executor: Executor
    on_error: OnError = "raise"
    _pieces: Pieces = field(
        init=False,
        default=Factory(
            lambda self: Pieces(self.opened.part(self.schema, partitioned=True), self.opened.dimension), takes_self=True
        ),
    )
    _damaged: dict[str, tuple[Generation, CorruptionError]] = field(factory=dict)
    _immutable: tuple[Generation, Mapping[str, NDArray[Any]]] | None = None

    async def rows(self, request: Request, progress: ProgressOption) -> Dataset | None:
        """Return the requested rows, in the order of the partition keys; None if no partition passes the filter.

        Raises
        ------
        CorruptionError
            A chunk is missing or damaged.
        ConflictError
            Other writers kept changing the same partitions.

        Warns
        -----
        CorruptionWarning
            A damaged partition was omitted because `on_error` is "skip".
        """
        found = await self._try_on_one_thread(request, progress)
        if isinstance(found, Dataset):
            return found
        await portal.on_loop()
        selected, _ = await read_consistently(
            partial(self._newest, request),
            self._read_selected,
            progress=progress,
            is_same=lambda before, after: _is_same(before.snapshot, after.snapshot, before.partitions),
            is_outdated=lambda selected: self.opened.is_outdated(selected.snapshot),
            first=found or await self._begin(request, progress),
            can_continue=self._skips,
            failure=f"other writers kept changing the partitions of {self.opened.store.url} that were read; query again",
        )
        partitions = self._undamaged(selected.partitions)
        return self._dataset(partitions) if partitions or selected.is_of_rows else None

    async def _newest(self, request: Request) -> SelectedPartitions:
        return _with_records(await request.newest())

    async def _read_selected(self, selected: SelectedPartitions, progress: ProgressOption) -> bool | None:
        """Read the selected partitions; return None if there is nothing to read."""
        if not selected.partitions and not selected.is_of_rows:
            return None
        with tracking(progress, len(selected.partitions), "query") as advance:
            await self._read(selected, advance)
        return True

    async def _try_on_one_thread(
        self, request: Request, progress: ProgressOption
    ) -> Dataset | SelectedPartitions | None:
        """Return the rows if one thread can read them quickly, else the selected partitions; None if one thread can do neither."""
        if progress or not self.executor.is_local:
            return None
        return await self.opened.versioning.read_on_one_thread(
            self.opened.configuration, partial(self._read_small, request), request.candidates
        )

    async def _begin(self, request: Request, progress: ProgressOption) -> SelectedPartitions:
        """Return the selected partitions of the newest version, some of which may have been read already."""
        expected = None if progress else self.opened.versioning.expected(self.opened.configuration)
        snapshot = await (request.snapshot() if expected is None else self._read_ahead(expected, request))
        return _with_records(await request.select(snapshot))

    def _read_small(self, request: Request, snapshot: Snapshot) -> Work[Dataset | SelectedPartitions]:
        """Return the rows of one or a few small partitions, all of them published; otherwise the selected partitions."""
        opened, selected = self.opened, _with_records(request.select_here(snapshot))
        partitions = selected.partitions
        size = sum(record.stored_bytes for record in partitions.values())
        if not partitions or selected.is_of_rows or (len(partitions) > 1 and size > _SMALL):
            return selected
        groups = [partition_groups.group_of(opened, path, record) for path, record in partitions.items()]
        try:
            arrays = yield from reading(groups, opened.part(self.schema, partitioned=True), dimension=opened.dimension)
            immutable = yield from partition_groups.reading_immutable(opened, snapshot, self.schema)
        except CorruptionError:
            return selected  # another writer may have replaced one
        return partition_groups.dataset_of(self.schema, {**arrays, **immutable})

    async def _read_ahead(self, expected: Snapshot, request: Request) -> Snapshot:
        """Return the newest version, and concurrently read the partitions that the expected version selects.

        Partitions that differ in the newest version are read again.
        """
        found: list[Snapshot] = []

        async def read() -> None:
            with suppress(CorruptionError, StoreError, OutdatedError):
                known = await self.opened.versioning.completed(expected, request.candidates)
                await self._read(_with_records(await request.select(known)), None)

        async def look() -> None:
            found.append(await request.snapshot())

        await gather(lambda step: step(), [read, look], limit=2)
        return found[0]

    async def _read(self, selected: SelectedPartitions, advance: Callable[[], None] | None) -> None:
        """Read the partitions whose current generation has not been read."""
        snapshot = selected.snapshot
        if self._pieces.schema.all_variables() or selected.is_of_rows:
            missing = [path for path, record in selected.partitions.items() if not self._has(snapshot, path, record)]
            await self._read_partitions(selected, missing, advance)
        immutable = generation(snapshot, IMMUTABLE)
        if self._immutable is None or self._immutable[0] != immutable:
            self._immutable = immutable, await partition_groups.read_immutable(self.opened, snapshot, self.schema)

    async def _read_partitions(
        self, selected: SelectedPartitions, paths: Sequence[str], advance: Callable[[], None] | None
    ) -> None:
        snapshot, records = selected.snapshot, selected.partitions
        if selected.is_of_rows:
            arrays, counts = await self._found(selected, paths, advance)
        else:
            groups = [
                partition_groups.group_of(self.opened, path, records[path], snapshot.place(path)) for path in paths
            ]
            arrays = await read_groups(
                snapshot.objects,
                groups,
                self._pieces.schema,
                dimension=self.opened.dimension,
                executor=self.executor,
                progress=advance,
            )
            counts = [records[path].rows for path in paths]
        self._pieces.put(
            [
                (path, generation_of(snapshot, path, records[path]), rows)
                for path, rows in zip(paths, counts, strict=True)
            ],
            arrays,
        )
        for path in paths:
            self._damaged.pop(path, None)

    async def _found(
        self, selected: SelectedPartitions, paths: Sequence[str], advance: Callable[[], None] | None
    ) -> tuple[Mapping[str, NDArray[Any]], list[int]]:
        """Return the requested rows of partitions, and their number in each partition."""
        objects, targets = selected.snapshot.objects, [selected.target(path) for path in paths]
        found = await selected.finder.find(objects, targets, executor=self.executor)
        wanted = RowReader(dimension=self.opened.dimension, sources=(VariableSource(schema=self._pieces.schema),))
        (arrays,) = await wanted.read(objects, targets, found, executor=self.executor, progress=advance)
        return arrays, [item.count for item in found]

    def _has(self, snapshot: Snapshot, path: str, record: PartitionRecord) -> bool:
        if path in self._damaged:
            return self._damaged[path][0] == generation_of(snapshot, path, record)
        return self._pieces.has(path, generation_of(snapshot, path, record))

    async def _skips(self, error: Exception, selected: SelectedPartitions) -> bool:
        """Return whether damaged partitions have been identified, by reading each one alone, and can be omitted."""
        if self.on_error == "raise" or not isinstance(error, CorruptionError):
            return False
        known = len(self._damaged)
        for path, record in selected.partitions.items():
            if self._has(selected.snapshot, path, record):
                continue
            try:
                await self._read_partitions(selected, [path], None)
            except CorruptionError as damage:
                self._damaged[path] = generation(selected.snapshot, path), damage
                self._pieces.remove(path)
        return len(self._damaged) > known

    def _undamaged(self, partitions: Mapping[str, PartitionRecord]) -> Mapping[str, PartitionRecord]:
        """Return the partitions that are not damaged, and warn about the others."""
        for path in partitions:
            if path in self._damaged:
                warnings.warn(f"left out: {self._damaged[path][1]}", CorruptionWarning, stacklevel=2)
        return {path: record for path, record in partitions.items() if path not in self._damaged}

    def _dataset(self, partitions: Mapping[str, PartitionRecord]) -> Dataset:
        arrays = self._pieces.joined(partitions)
        return partition_groups.dataset_of(self.schema, {**arrays, **(self._immutable[1] if self._immutable else {})})


def _is_same(snapshot: Snapshot, newer: Snapshot, partitions: Iterable[str]) -> bool:
    return all(generation(snapshot, path) == generation(newer, path) for path in (*partitions, IMMUTABLE))


def _with_records(selected: SelectedPartitions) -> SelectedPartitions:
    """Return the selection with its records in a dict, so that each record is created only once."""
    return evolve(selected, partitions=dict(selected.partitions))
