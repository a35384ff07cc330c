"""Consistent reads without locks: all rows are of one version, even if other writers commit during the read.

The values read are accepted only if no newer version was committed in the meantime. Otherwise the partitions that changed
are read again, at the newest version. The other partitions have not changed, so that the result is that version.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import accumulate
from typing import Any, Final, Literal

import anyio
import numpy as np
from attrs import Factory, define, evolve, field, frozen
from numpy.typing import NDArray

from zcollection import portal
from zcollection.collection import partition_groups
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.read.request import Request, SelectedPartitions
from zcollection.engine.executor import gather
from zcollection.engine.jobs import Executor
from zcollection.engine.read import Outputs, read_groups, reading
from zcollection.engine.select import RowReader, VariableSource
from zcollection.engine.work import Work
from zcollection.errors import ConflictError, CorruptionError, CorruptionWarning, OutdatedError, StoreError
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.snapshot import Snapshot

OnError = Literal["raise", "skip"]
TRIES: Final = 50
"""Number of attempts at a read before it raises `ConflictError`."""
_SMALL: Final = 2**18
"""Stored bytes of several partitions up to which one thread reads them faster than several threads."""
_LONGEST_PAUSE: Final = 0.2


async def pause(number: int) -> None:
    """Wait before another attempt; the wait grows with the number of attempts."""
    await anyio.sleep(min(0.001 * 2**number, _LONGEST_PAUSE) if number > 1 else 0)


Generation = tuple[str | None, str]
"""The stamp and the prefix of a partition: values read from it stay valid while neither changes."""


def generation(snapshot: Snapshot, path: str) -> Generation:
    """Return the generation of a partition in a snapshot."""
    return _generation(snapshot, path, snapshot.record(path))


def _generation(snapshot: Snapshot, path: str, record: PartitionRecord | None) -> Generation:
    return (None if record is None else record.stamp), snapshot.place(path).prefix


@frozen
class _Piece:
    """The rows of one partition: a range of arrays that were read together with other partitions."""

    generation: Generation
    arrays: Mapping[str, NDArray[Any]]
    start: int
    rows: int


@define
class Pieces:
    """The rows of partitions that have been read, several at a time, to be concatenated in any order.

    Attributes
    ----------
    schema
        Their variables; all of them span the dimension.
    dimension
        The partitioned dimension.
    """

    schema: DatasetSchema
    dimension: str
    _by_path: dict[str, _Piece] = field(factory=dict)

    def has(self, path: str, generation: Generation) -> bool:
        """Return whether this generation of a partition has been read."""
        return path in self._by_path and self._by_path[path].generation == generation

    def put(self, read: Iterable[tuple[str, Generation, int]], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Store arrays that contain partitions one after the other, each given as path, generation and number of rows."""
        start = 0
        for path, generation, rows in read:
            self._by_path[path] = _Piece(generation, arrays, start, rows)
            start += rows

    def forget(self, path: str) -> None:
        """Forget a partition."""
        self._by_path.pop(path, None)

    def joined(self, paths: Iterable[str]) -> Mapping[str, NDArray[Any]]:
        """Return the concatenated rows of partitions, in this order; arrays without rows if there are no partitions."""
        pieces = [self._by_path[path] for path in paths if path in self._by_path]
        if not pieces:
            return Outputs.allocated(self.schema, self.dimension, 0).arrays
        arrays, schema = pieces[0].arrays, self.schema.all_variables()
        starts = accumulate((piece.rows for piece in pieces), initial=0)
        follow = all(
            piece.arrays is arrays and piece.start == start for piece, start in zip(pieces, starts, strict=False)
        )
        rows = sum(piece.rows for piece in pieces)
        # What was read together is more than these partitions where one of them was found to be damaged afterwards.
        if follow and all(
            values.shape[schema[name].dimensions.index(self.dimension)] == rows for name, values in arrays.items()
        ):
            return arrays
        return {name: self._concatenated(pieces, name, schema[name].dimensions) for name in arrays}

    def _concatenated(self, pieces: list[_Piece], name: str, dimensions: tuple[str, ...]) -> NDArray[Any]:
        position = dimensions.index(self.dimension)
        before = (slice(None),) * position
        parts = [piece.arrays[name][(*before, slice(piece.start, piece.start + piece.rows))] for piece in pieces]
        return np.concatenate(parts, axis=position)


@define
class ConsistentRead:
    """A read that repeats changed partitions until all rows are of one version."""

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
    _fixed: tuple[Generation, Mapping[str, NDArray[Any]]] | None = None

    async def rows(self, request: Request, progress: ProgressOption) -> Dataset | None:
        """Return the requested rows, in the order of the partition keys; None if no partition passes the filter.

        Raises
        ------
        CorruptionError
            A chunk is missing, or is not what was written.
        ConflictError
            Other writers kept changing the same partitions.

        Warns
        -----
        CorruptionWarning
            A damaged partition was omitted because `on_error` is "skip".
        """
        found = await self._at_once(request, progress)
        if isinstance(found, Dataset):
            return found
        await portal.on_loop()
        begun = found or await self._begin(request, progress)
        for number in range(TRIES):
            snapshot, partitions = begun.snapshot, begun.partitions
            if not partitions and not begun.is_of_rows:
                return None
            try:
                with tracking(None if number else progress, len(partitions), "query") as advance:
                    await self._read(begun, advance)
            except (CorruptionError, OutdatedError, StoreError) as error:
                newer = await request.snapshot()
                # A newer snapshot may have the same partitions; and the same version may have moved them to other places.
                same = newer.label == snapshot.label or not isinstance(error, OutdatedError)
                if same and self._is_same(snapshot, newer, partitions) and not await self._skips(error, begun):
                    raise
                begun = await self._selected(request, newer)
                continue
            if not await self.opened.is_outdated(snapshot):
                return self._dataset(self._undamaged(partitions), is_of_rows=begun.is_of_rows)
            await pause(number)
            begun = await self._selected(request, await request.snapshot())
        message = f"other writers kept changing the partitions of {self.opened.store.url} that were read; query again"
        raise ConflictError(message)

    async def _at_once(self, request: Request, progress: ProgressOption) -> Dataset | SelectedPartitions | None:
        """Return the rows if one thread can read them quickly, or the selected partitions; None if it can do neither."""
        if progress or not self.executor.is_local:
            return None
        return await self.opened.versioning.at_once(
            self.opened.configuration, partial(self._read_small, request), request.candidates
        )

    async def _begin(self, request: Request, progress: ProgressOption) -> SelectedPartitions:
        """Return the selected partitions of the newest version, some of which may have been read already."""
        expected = None if progress else self.opened.versioning.expected(self.opened.configuration)
        snapshot = await (request.snapshot() if expected is None else self._read_ahead(expected, request))
        return await self._selected(request, snapshot)

    async def _selected(self, request: Request, snapshot: Snapshot) -> SelectedPartitions:
        return _once(await request.select(snapshot))

    def _read_small(self, request: Request, snapshot: Snapshot) -> Work[Dataset | SelectedPartitions]:
        """Return the rows of one or a few small partitions, all of them published; otherwise the selected partitions."""
        opened, selected = self.opened, _once(request.select_here(snapshot))
        partitions = selected.partitions
        size = sum(record.stored_bytes for record in partitions.values())
        if not partitions or selected.is_of_rows or (len(partitions) > 1 and size > _SMALL):
            return selected
        groups = [partition_groups.group_of(opened, path, record) for path, record in partitions.items()]
        try:
            arrays = yield from reading(groups, opened.part(self.schema, partitioned=True), dimension=opened.dimension)
            fixed = yield from partition_groups.reading_immutable(opened, snapshot, self.schema)
        except CorruptionError:
            return selected  # perhaps another writer has replaced one
        return partition_groups.dataset_of(self.schema, {**arrays, **fixed})

    async def _read_ahead(self, expected: Snapshot, request: Request) -> Snapshot:
        """Return the newest version, and concurrently read the partitions that the expected version selects.

        Partitions that differ in the newest version are read again.
        """
        found: list[Snapshot] = []

        async def read() -> None:
            with suppress(CorruptionError, StoreError, OutdatedError):
                known = await self.opened.versioning.completed(expected, request.candidates)
                await self._read(await self._selected(request, known), None)

        async def look() -> None:
            found.append(await request.snapshot())

        await gather(lambda step: step(), [read, look], limit=2)
        return found[0]

    @staticmethod
    def _is_same(snapshot: Snapshot, newer: Snapshot, partitions: Mapping[str, PartitionRecord]) -> bool:
        return all(generation(snapshot, path) == generation(newer, path) for path in (*partitions, IMMUTABLE))

    async def _read(self, selected: SelectedPartitions, advance: Callable[[], None] | None) -> None:
        """Read the partitions whose current generation has not been read."""
        snapshot = selected.snapshot
        if self._pieces.schema.all_variables() or selected.is_of_rows:
            missing = [path for path, record in selected.partitions.items() if not self._has(snapshot, path, record)]
            await self._read_partitions(selected, missing, advance)
        fixed = generation(snapshot, IMMUTABLE)
        if self._fixed is None or self._fixed[0] != fixed:
            self._fixed = fixed, await partition_groups.read_immutable(self.opened, snapshot, self.schema)

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
                (path, _generation(snapshot, path, records[path]), rows)
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
            return self._damaged[path][0] == _generation(snapshot, path, record)
        return self._pieces.has(path, _generation(snapshot, path, record))

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
                self._pieces.forget(path)
        return len(self._damaged) > known

    def _undamaged(self, partitions: Mapping[str, PartitionRecord]) -> Mapping[str, PartitionRecord]:
        """Return the partitions that are not damaged, and warn about the others."""
        for path in partitions:
            if path in self._damaged:
                warnings.warn(f"left out: {self._damaged[path][1]}", CorruptionWarning, stacklevel=2)
        return {path: record for path, record in partitions.items() if path not in self._damaged}

    def _dataset(self, partitions: Mapping[str, PartitionRecord], *, is_of_rows: bool) -> Dataset | None:
        if not partitions and not is_of_rows:
            return None
        arrays = self._pieces.joined(partitions)
        return partition_groups.dataset_of(self.schema, {**arrays, **(self._fixed[1] if self._fixed else {})})


def _once(selected: SelectedPartitions) -> SelectedPartitions:
    """Return the selection with its records in a dict, so that each record is created only once."""
    return evolve(selected, partitions=dict(selected.partitions))
