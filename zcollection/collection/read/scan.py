"""Rows read a part at a time, in bounded memory."""

import math
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextvars import Context, copy_context
from functools import cached_property
from itertools import islice
from typing import Any, Final, NoReturn, Self

from attrs import define, evolve, field, frozen
from numpy.typing import NDArray

from zcollection import portal
from zcollection.collection import key_selection, partition_groups
from zcollection.collection.filters import Filter
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.read.asking import Asked, Chosen, Where
from zcollection.collection.read.keyed import Keys, KeyVariables
from zcollection.collection.read.reading import TRIES, Generation, generation, pause
from zcollection.collection.read.rows import Rows
from zcollection.engine.jobs import LocalExecutor
from zcollection.engine.layout import ArrayLayout
from zcollection.engine.read import read_groups
from zcollection.engine.select import Found, RowReader, Side
from zcollection.errors import (
    ConflictError,
    CorruptionError,
    OutdatedError,
    SchemaChangedError,
    SettingError,
    StoreError,
)
from zcollection.model import bridges
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema
from zcollection.transaction.documents import IMMUTABLE

BLOCK_SIZE: Final = 32 * 2**20
"""Bytes of one part by default."""


Piece = Mapping[str, Found]
"""Rows that are read together: some of each of these partitions."""


@frozen(kw_only=True, eq=False)
class Scanned(ABC):
    """What is scanned: a collection, or a view over one.

    Attributes
    ----------
    asked
        Which partitions, and which of their rows.
    schema
        The variables that are read.
    """

    asked: Asked
    schema: DatasetSchema

    @property
    def opened(self) -> OpenCollection:
        """The collection that has the partitions."""
        return self.asked.opened

    @property
    @abstractmethod
    def every(self) -> DatasetSchema:
        """All variables that a condition may read."""

    @abstractmethod
    async def newest(self) -> Chosen:
        """Return what is asked of the newest version."""

    @abstractmethod
    async def is_outdated(self, chosen: Chosen) -> bool:
        """Return whether what was read of a version may be of another one."""

    @abstractmethod
    def generation(self, chosen: Chosen, path: str) -> Generation:
        """Return which generation of a partition a version has."""

    @abstractmethod
    async def read(self, chosen: Chosen, piece: Piece) -> Mapping[str, NDArray[Any]]:
        """Return the variables along the partitioned dimension, of rows one partition after the other."""

    @abstractmethod
    async def read_immutable(self, chosen: Chosen) -> Mapping[str, NDArray[Any]]:
        """Return the variables that are stored once for all partitions."""

    @abstractmethod
    async def reloaded(self) -> "Self | None":
        """Return the same of what there is now that a variable was added or dropped; None where none was."""

    def begun(self) -> Self:
        """Return what one iteration reads from, which may hold what it needs again."""
        return self


@frozen(kw_only=True, eq=False)
class ScannedCollection(Scanned):
    """A collection that is scanned."""

    @classmethod
    def of(
        cls, opened: OpenCollection, *, filters: Filter, where: Where, variables: Iterable[str] | None
    ) -> "ScannedCollection":
        """Return what `Collection.scan` asks for."""
        return cls(asked=Asked.of(opened, filters, where), schema=opened.names(variables))

    @property
    def every(self) -> DatasetSchema:  # noqa: D102
        return self.opened.schema

    async def newest(self) -> Chosen:  # noqa: D102
        return await self.asked.chosen(
            await self.opened.snapshot(key_selection.passing(self.opened, self.asked.filters))
        )

    async def is_outdated(self, chosen: Chosen) -> bool:  # noqa: D102
        return await self.opened.is_outdated(chosen.taken)

    def generation(self, chosen: Chosen, path: str) -> Generation:  # noqa: D102
        return generation(chosen.taken, path)

    async def read(self, chosen: Chosen, piece: Piece) -> Mapping[str, NDArray[Any]]:  # noqa: D102
        (arrays,) = await read_piece(chosen, piece, [Side(schema=self.opened.part(self.schema, partitioned=True))])
        return arrays

    async def read_immutable(self, chosen: Chosen) -> Mapping[str, NDArray[Any]]:  # noqa: D102
        return await partition_groups.read_immutable(self.opened, chosen.taken, self.schema)

    async def reloaded(self) -> "ScannedCollection | None":  # noqa: D102
        opened = await self.opened.reloaded()
        if opened == self.opened:
            return None
        names = self.schema.all_variables()
        return self.of(opened, filters=self.asked.filters, where=self.asked.where, variables=names)


async def read_piece(chosen: Chosen, piece: Piece, sides: Sequence[Side]) -> list[Mapping[str, NDArray[Any]]]:
    """Return the variables of each side, of rows one partition after the other."""
    targets, dimension = [chosen.target(path) for path in piece], chosen.asked.opened.dimension
    objects, executor = chosen.taken.objects, LocalExecutor()
    if any(rows.count < target.rows for rows, target in zip(piece.values(), targets, strict=True)):
        wanted = RowReader(dimension=dimension, sides=tuple(sides))
        return [*await wanted.read(objects, targets, [*piece.values()], executor=executor)]
    read: list[Mapping[str, NDArray[Any]]] = []
    for at, side in enumerate(sides):
        groups, store = [target.groups[at] for target in targets], side.objects or objects
        is_wanted = bool(side.schema.all_variables())
        read.append(
            await read_groups(store, groups, side.schema, dimension=dimension, executor=executor) if is_wanted else {}
        )
    return read


@frozen(kw_only=True, eq=False)
class Scan:
    """Rows in the order of `query`, read a part at a time: an iterable of Datasets, and an asynchronous one.

    Each part holds the rows of as many partitions as fit in `block_size` bytes, or some rows of a larger one. Each iteration
    starts anew, at the newest version. All of its parts are of one version: where another writer changes what was handed
    over already, the iteration ends with `ConflictError`.

    With ``pip install 'zcollection[arrow]'`` it is a stream of Arrow's record batches for whatever takes one.

    Attributes
    ----------
    scanned
        The collection or the view, and what is asked of it.
    block_size
        Bytes of one part.
    keys
        The fields of the partition keys that are read as variables.
    """

    scanned: Scanned = field(repr=False)
    block_size: int = BLOCK_SIZE
    keys: KeyVariables = field(repr=False)

    @classmethod
    def of(cls, scanned: Scanned, *, block_size: int, keys: Keys) -> "Scan":
        """Return what `scan` asks of a collection, or of a view.

        Raises
        ------
        SettingError
            `block_size` is no number of bytes, or `keys` names a field that there is not.
        SchemaError
            A variable has the name of a field.
        """
        if not _is_count(block_size):
            message = f"block_size={block_size!r}; accepted: a number of bytes, 1 or more"
            raise SettingError(message)
        beside = KeyVariables.of(scanned.opened, keys, scanned.schema)
        return cls(scanned=scanned, block_size=block_size, keys=beside)

    @cached_property
    def schema(self) -> DatasetSchema:
        """The variables; those of the keys come last."""
        return self.keys.added_to(self.scanned.schema)

    @property
    def dimension(self) -> str:
        """The partitioned dimension."""
        return self.scanned.opened.dimension

    @cached_property
    def bytes_of_a_row(self) -> int:
        """Bytes of the variables of one row."""
        return _bytes_of_a_row(self._partitioned, self._partitioned.all_variables(), self.dimension)

    @cached_property
    def bytes_looked_at(self) -> int:
        """Bytes of a row that finding the rows takes, or reading them where all are asked for."""
        asked = self.scanned.asked
        if asked.where is None:
            return self.bytes_of_a_row
        if isinstance(asked.where, Rows):
            return 0
        return _bytes_of_a_row(self.scanned.every, asked.bound.variables, self.dimension)

    @cached_property
    def rows_fitting(self) -> int:
        """Rows that one part may have."""
        return max(self.block_size // max(self.bytes_of_a_row, 1), 1)

    def rows_cut(self, rows: int) -> int:
        """Return how many of its rows a partition that does not fit is read in: whole chunks, one at least."""
        partitioned = self.scanned.opened.part(self.scanned.schema, partitioned=True)
        layouts = ArrayLayout.several(partitioned, partitioned.all_variables(), dimension=self.dimension, rows=rows)
        chunk = max((item.chunks[item.variable.dimensions.index(self.dimension)] for item in layouts), default=1)
        return max(self.rows_fitting // chunk, 1) * chunk

    @cached_property
    def _partitioned(self) -> DatasetSchema:
        return self.scanned.opened.part(self.schema, partitioned=True)

    def __iter__(self) -> Iterator[Dataset]:
        # The settings are those of here, whichever thread asks for the next part.
        return _parts(_Course(self, self.scanned.begun()), copy_context())

    async def __aiter__(self) -> AsyncIterator[Dataset]:
        course = _Course(self, self.scanned.begun())
        while (part := await course.advance()) is not None:
            yield part

    def __arrow_c_schema__(self) -> object:
        return bridges.arrow("__arrow_c_schema__()").schema_of(self).__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return bridges.arrow("__arrow_c_stream__()").reader(self).__arrow_c_stream__(requested_schema)


@define(eq=False)
class _Course:
    """One iteration: how far it is.

    Attributes
    ----------
    scan
        What is read.
    scanned
        Where.
    chosen
        The partitions of the version that it goes on with.
    done
        Stamps of those that are over, in their order.
    looked, handed_over
        The generations of those that follow and in which rows were looked for, and whether some of these are handed over.
    pieces
        What is to be read of them.
    fixed
        Stamp and values of what is stored once for all partitions.
    """

    scan: Scan
    scanned: Scanned
    chosen: Chosen | None = None
    done: dict[str, str | None] = field(factory=dict)
    looked: dict[str, Generation] = field(factory=dict)
    handed_over: bool = False
    pieces: list[Piece] = field(factory=list)
    fixed: tuple[str | None, Mapping[str, NDArray[Any]]] | None = None

    async def advance(self) -> Dataset | None:
        """Return the next part, None after the last.

        Raises
        ------
        ConflictError
            Another writer changed what was handed over before, or kept changing what is to come.
        CorruptionError
            A chunk is missing, or is not what was written.
        """
        await portal.on_loop()
        for number in range(TRIES):
            chosen = self.chosen = self.chosen or await self._newest()
            try:
                part = await self._part(chosen)
            except (CorruptionError, OutdatedError, StoreError):
                if await self._is_current():
                    raise
            else:
                is_over = not self.looked
                if is_over or not await self.scanned.is_outdated(chosen) or await self._is_current():
                    self.handed_over = True
                    return part
            await pause(number)
        message = f"other writers kept changing the partitions of {self._place} that were read; scan again"
        raise ConflictError(message)

    @property
    def _place(self) -> str:
        return str(self.scanned.opened.store.url)

    async def _newest(self) -> Chosen:
        while True:
            try:
                chosen = await self.scanned.newest()
                return evolve(chosen, partitions=dict(chosen.partitions))
            except SchemaChangedError:
                newer = await self.scanned.reloaded()
                if newer is None:
                    raise
                self.scanned = newer.begun()

    async def _is_current(self) -> bool:
        """Go on with the newest version, and return whether what was just read is of it; if not, it is to be read again.

        Raises
        ------
        ConflictError
            What was handed over is of another version.
        """
        newest = self.chosen = await self._newest()
        there = {path: self.scanned.generation(newest, path) for path in newest.partitions}
        stamps = {path: there[path][0] for path in islice(there, len(self.done))}
        is_fixed = self.fixed is None or self.fixed[0] == generation(newest.taken, IMMUTABLE)[0]
        looked = dict(islice(there.items(), len(self.done), len(self.done) + len(self.looked)))
        is_same = is_fixed and list(looked.items()) == list(self.looked.items())
        if list(stamps.items()) != list(self.done.items()) or ((self.done or self.handed_over) and not is_fixed):
            self._refuse()
        if not is_same and self.handed_over:
            self._refuse()
        if not is_same:
            self.looked, self.pieces, self.fixed = {}, [], None
        return is_same

    def _refuse(self) -> NoReturn:
        message = f"another writer changed what this scan of {self._place} has handed over already; scan again"
        raise ConflictError(message)

    async def _part(self, chosen: Chosen) -> Dataset | None:
        """Return the rows of the next piece; None where there are no more."""
        while not self.pieces:
            if self.handed_over:
                self.done |= {path: stamp for path, (stamp, _) in self.looked.items()}
                self.looked, self.handed_over = {}, False
            paths = self._following(chosen)
            if not paths:
                return None
            self.looked |= {path: self.scanned.generation(chosen, path) for path in paths}
            targets = [chosen.target(path) for path in paths]
            found = await chosen.finder.found(chosen.taken.objects, targets, executor=LocalExecutor())
            self.pieces = self._pieces(dict(zip(paths, found, strict=True)))
        return await self._read(chosen, self.pieces.pop(0))

    def _following(self, chosen: Chosen) -> list[str]:
        """Return the next partitions: as many as are looked at within the bytes of one part, one at least."""
        scan, each, size = self.scan, self.scan.bytes_looked_at, 0
        found: list[str] = []
        for path, record in islice(chosen.partitions.items(), len(self.done) + len(self.looked), None):
            size += record.rows * each
            if found and size > scan.block_size:
                break
            found.append(path)
        return found

    def _pieces(self, found: Piece) -> list[Piece]:
        """Return rows in pieces of the bytes of one part: whole partitions, where they fit."""
        fitting, room = self.scan.rows_fitting, 0
        pieces: list[dict[str, Found]] = []
        for path, rows in found.items():
            for cut in [rows] if rows.count <= fitting else _cut(rows, self.scan.rows_cut(rows.count)):
                if cut.count > room or (pieces and path in pieces[-1]):
                    pieces.append({})
                    room = fitting
                if cut.count:
                    pieces[-1][path] = cut
                room -= cut.count
        return [*pieces]

    async def _read(self, chosen: Chosen, piece: Piece) -> Dataset:
        scan, scanned, records = self.scan, self.scanned, chosen.partitions
        arrays = await scanned.read(chosen, piece)
        keys = scan.keys.arrays((records[path].key for path in piece), (rows.count for rows in piece.values()))
        if self.fixed is None:
            self.fixed = generation(chosen.taken, IMMUTABLE)[0], await scanned.read_immutable(chosen)
        copies = {path: values.copy() for path, values in self.fixed[1].items()}
        return partition_groups.dataset_of(scan.schema, {**arrays, **keys, **copies})


def _parts(course: _Course, context: Context) -> Iterator[Dataset]:
    while (part := context.run(portal.run, course.advance)) is not None:
        yield part


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _cut(found: Found, limit: int) -> Iterator[Found]:
    """Yield rows of a partition, at most so many at once."""
    positions = found.positions
    for start in range(0, found.count, limit):
        chosen = slice(start, start + limit)
        yield Found.at(positions[chosen], {path: values[chosen] for path, values in found.columns.items()})


def _bytes_of_a_row(schema: DatasetSchema, paths: Iterable[str], dimension: str) -> int:
    """Return how many bytes a row of variables takes that span the partitioned dimension."""
    lengths = {
        path: [item.size or 1 for item in schema.dimensions_of(path) if item.name != dimension] for path in paths
    }
    return sum(math.prod(each) * schema.get_variable(path).dtype.itemsize for path, each in lengths.items())
