"""Rows of one version, read without locks while others write.

What is read is believed only if no newer version was committed meanwhile. Where one was, the partitions that it changed
are read again, at the newest version: the others did not change in between, so that the whole is that version.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, Literal

import anyio
import numpy as np
from attrs import Factory, define, evolve, field, frozen
from numpy.typing import NDArray

from zcollection import portal
from zcollection.collection import partition_groups
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.read.asking import Asked, Chosen
from zcollection.engine.executor import gather
from zcollection.engine.jobs import Executor
from zcollection.engine.read import Outputs, read_groups, reading
from zcollection.engine.select import Side, Wanted
from zcollection.engine.work import Work
from zcollection.errors import ConflictError, CorruptionError, CorruptionWarning, OutdatedError, StoreError
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.snapshot import Snapshot

OnError = Literal["raise", "skip"]
TRIES: Final = 50
"""Times that something is read before the other writers are told of."""
_SMALL: Final = 2**18
"""Bytes of several partitions that one thread reads before another one would have begun."""
_LONGEST_PAUSE: Final = 0.2


async def pause(number: int) -> None:
    """Wait before something is read once more, the longer the more often that was done."""
    await anyio.sleep(min(0.001 * 2**number, _LONGEST_PAUSE) if number > 1 else 0)


Generation = tuple[str | None, str]
"""Stamp and place of a partition: what was read of it stays right while neither changes."""


def generation(taken: Snapshot, path: str) -> Generation:
    """Return which generation of a partition a snapshot names."""
    return _generation(taken, path, taken.record(path))


def _generation(taken: Snapshot, path: str, record: PartitionRecord | None) -> Generation:
    return (None if record is None else record.stamp), taken.place(path).prefix


@frozen
class _Piece:
    """Rows of one partition: where they lie in arrays that were read together."""

    generation: Generation
    arrays: Mapping[str, NDArray[Any]]
    start: int
    rows: int


@define
class Pieces:
    """Rows of partitions as they were read, whichever together, put together in any order.

    Attributes
    ----------
    schema
        Their variables; all of them span the dimension.
    dimension
        The partitioned dimension.
    """

    schema: DatasetSchema
    dimension: str
    _held: dict[str, _Piece] = field(factory=dict)

    def has(self, path: str, generation: Generation) -> bool:
        """Return whether a partition was read, in this generation."""
        return path in self._held and self._held[path].generation == generation

    def put(self, read: Iterable[tuple[str, Generation, int]], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep arrays that hold partitions one after the other: each with its path, generation and number of rows."""
        start = 0
        for path, generation, rows in read:
            self._held[path] = _Piece(generation, arrays, start, rows)
            start += rows

    def forget(self, path: str) -> None:
        """Forget a partition."""
        self._held.pop(path, None)

    def joined(self, paths: Iterable[str]) -> Mapping[str, NDArray[Any]]:
        """Return the rows of partitions, in this order; arrays without rows where there are no partitions."""
        pieces = [self._held[path] for path in paths if path in self._held]
        if not pieces:
            return Outputs.allocated(self.schema, self.dimension, 0).arrays
        arrays = pieces[0].arrays
        if all(piece.arrays is arrays for piece in pieces) and len(pieces) == len(self._held):
            return arrays  # read at once, in this order
        schema = self.schema.all_variables()
        return {name: self._concatenated(pieces, name, schema[name].dimensions) for name in arrays}

    def _concatenated(self, pieces: list[_Piece], name: str, dimensions: tuple[str, ...]) -> NDArray[Any]:
        position = dimensions.index(self.dimension)
        before = (slice(None),) * position
        parts = [piece.arrays[name][(*before, slice(piece.start, piece.start + piece.rows))] for piece in pieces]
        return np.concatenate(parts, axis=position)


@define
class ConsistentRead:
    """Rows that are read, and read again in part, until all of them are of one version."""

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

    async def rows(self, asked: Asked, progress: ProgressOption) -> Dataset | None:
        """Return the rows that are asked for, in the order of the partitions' keys; None where no partition passes the filter.

        Raises
        ------
        CorruptionError
            A chunk is missing, or is not what was written.
        ConflictError
            Other writers kept changing the same partitions.

        Warns
        -----
        CorruptionWarning
            A damaged partition was left out, where it is to be skipped.
        """
        found = await self._at_once(asked, progress)
        if isinstance(found, Dataset):
            return found
        await portal.on_loop()
        begun = found or await self._begin(asked, progress)
        for number in range(TRIES):
            taken, partitions = begun.taken, begun.partitions
            if not partitions and not begun.is_of_rows:
                return None
            try:
                with tracking(None if number else progress, len(partitions), "query") as advance:
                    await self._read(begun, advance)
            except (CorruptionError, OutdatedError, StoreError) as error:
                newer = await asked.snapshot()
                # The same partitions may be stored in a snapshot that still exists; and one version in other places by now.
                same = newer.label == taken.label or not isinstance(error, OutdatedError)
                if same and self._is_same(taken, newer, partitions) and not await self._skips(error, begun):
                    raise
                begun = await self._selected(asked, newer)
                continue
            if not await self.opened.is_outdated(taken):
                return self._dataset(self._whole(partitions), is_of_rows=begun.is_of_rows)
            await pause(number)
            begun = await self._selected(asked, await asked.snapshot())
        message = f"other writers kept changing the partitions of {self.opened.store.url} that were read; query again"
        raise ConflictError(message)

    async def _at_once(self, asked: Asked, progress: ProgressOption) -> Dataset | Chosen | None:
        """Return the rows where one thread reads them quickly, or what is selected; None where neither is known so."""
        if progress or not self.executor.is_local:
            return None
        return await self.opened.versioning.at_once(
            self.opened.configuration, partial(self._few, asked), asked.candidates
        )

    async def _begin(self, asked: Asked, progress: ProgressOption) -> Chosen:
        """Return what is selected of the newest version."""
        expected = None if progress else self.opened.versioning.expected(self.opened.configuration)
        taken = await (asked.snapshot() if expected is None else self._read_ahead(expected, asked))
        return await self._selected(asked, taken)

    async def _selected(self, asked: Asked, taken: Snapshot) -> Chosen:
        return _once(await asked.chosen(taken))

    def _few(self, asked: Asked, taken: Snapshot) -> Work[Dataset | Chosen]:
        """Return the rows of a few partitions, of a snapshot all of which lies in its place; of many what is selected."""
        opened, chosen = self.opened, _once(asked.chosen_at_once(taken))
        partitions = chosen.partitions
        size = sum(record.stored_bytes for record in partitions.values())
        if not partitions or chosen.is_of_rows or (len(partitions) > 1 and size > _SMALL):
            return chosen
        groups = [partition_groups.group_of(opened, path, record) for path, record in partitions.items()]
        try:
            arrays = yield from reading(groups, opened.part(self.schema, partitioned=True), dimension=opened.dimension)
            fixed = yield from partition_groups.reading_immutable(opened, taken, self.schema)
        except CorruptionError:
            return chosen  # perhaps another writer has replaced one
        return partition_groups.dataset_of(self.schema, {**arrays, **fixed})

    async def _read_ahead(self, expected: Snapshot, asked: Asked) -> Snapshot:
        """Return the newest version, and read meanwhile what is probably selected: what is of another one is read again."""
        found: list[Snapshot] = []

        async def read() -> None:
            with suppress(CorruptionError, StoreError, OutdatedError):
                known = await self.opened.versioning.completed(expected, asked.candidates)
                await self._read(await self._selected(asked, known), None)

        async def look() -> None:
            found.append(await asked.snapshot())

        await gather(lambda step: step(), [read, look], limit=2)
        return found[0]

    @staticmethod
    def _is_same(taken: Snapshot, newer: Snapshot, partitions: Mapping[str, PartitionRecord]) -> bool:
        return all(generation(taken, path) == generation(newer, path) for path in (*partitions, IMMUTABLE))

    async def _read(self, chosen: Chosen, advance: Callable[[], None] | None) -> None:
        """Read what is not yet there of these generations."""
        taken = chosen.taken
        if self._pieces.schema.all_variables() or chosen.is_of_rows:
            missing = [path for path, record in chosen.partitions.items() if not self._has(taken, path, record)]
            await self._read_partitions(chosen, missing, advance)
        fixed = generation(taken, IMMUTABLE)
        if self._fixed is None or self._fixed[0] != fixed:
            self._fixed = fixed, await partition_groups.read_immutable(self.opened, taken, self.schema)

    async def _read_partitions(self, chosen: Chosen, paths: Sequence[str], advance: Callable[[], None] | None) -> None:
        taken, records = chosen.taken, chosen.partitions
        if chosen.is_of_rows:
            arrays, counts = await self._found(chosen, paths, advance)
        else:
            groups = [partition_groups.group_of(self.opened, path, records[path], taken.place(path)) for path in paths]
            arrays = await read_groups(
                taken.objects,
                groups,
                self._pieces.schema,
                dimension=self.opened.dimension,
                executor=self.executor,
                progress=advance,
            )
            counts = [records[path].rows for path in paths]
        self._pieces.put(
            [(path, _generation(taken, path, records[path]), rows) for path, rows in zip(paths, counts, strict=True)],
            arrays,
        )
        for path in paths:
            self._damaged.pop(path, None)

    async def _found(
        self, chosen: Chosen, paths: Sequence[str], advance: Callable[[], None] | None
    ) -> tuple[Mapping[str, NDArray[Any]], list[int]]:
        """Return the rows of partitions that are asked for, and how many each of them has."""
        objects, targets = chosen.taken.objects, [chosen.target(path) for path in paths]
        found = await chosen.finder.found(objects, targets, executor=self.executor)
        wanted = Wanted(dimension=self.opened.dimension, sides=(Side(schema=self._pieces.schema),))
        (arrays,) = await wanted.read(objects, targets, found, executor=self.executor, progress=advance)
        return arrays, [item.count for item in found]

    def _has(self, taken: Snapshot, path: str, record: PartitionRecord) -> bool:
        if path in self._damaged:
            return self._damaged[path][0] == _generation(taken, path, record)
        return self._pieces.has(path, _generation(taken, path, record))

    async def _skips(self, error: Exception, chosen: Chosen) -> bool:
        """Return whether the damaged partitions are known now, after a try at each alone, and are to be left out."""
        if self.on_error == "raise" or not isinstance(error, CorruptionError):
            return False
        known = len(self._damaged)
        for path, record in chosen.partitions.items():
            if self._has(chosen.taken, path, record):
                continue
            try:
                await self._read_partitions(chosen, [path], None)
            except CorruptionError as damage:
                self._damaged[path] = generation(chosen.taken, path), damage
                self._pieces.forget(path)
        return len(self._damaged) > known

    def _whole(self, partitions: Mapping[str, PartitionRecord]) -> Mapping[str, PartitionRecord]:
        """Return the partitions that are not damaged, and tell of the others."""
        for path in partitions:
            if path in self._damaged:
                warnings.warn(f"left out: {self._damaged[path][1]}", CorruptionWarning, stacklevel=2)
        return {path: record for path, record in partitions.items() if path not in self._damaged}

    def _dataset(self, partitions: Mapping[str, PartitionRecord], *, is_of_rows: bool) -> Dataset | None:
        if not partitions and not is_of_rows:
            return None
        arrays = self._pieces.joined(partitions)
        return partition_groups.dataset_of(self.schema, {**arrays, **(self._fixed[1] if self._fixed else {})})


def _once(chosen: Chosen) -> Chosen:
    """Return the same with records that are made once, and not each time that they are looked at."""
    return evolve(chosen, partitions=dict(chosen.partitions))
