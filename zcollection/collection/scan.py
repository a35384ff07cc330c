"""Rows read a part at a time, in bounded memory."""

import math
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextvars import Context, copy_context
from functools import cached_property
from itertools import islice
from typing import Any, Final, NoReturn

from attrs import define, evolve, field, frozen
from numpy.typing import NDArray

from zcollection import portal
from zcollection.collection.asking import Asked, Chosen, Where
from zcollection.collection.filters import Filter
from zcollection.collection.handle import Handle
from zcollection.collection.reading import TRIES, Generation, generation, pause
from zcollection.collection.rows import Rows
from zcollection.engine.jobs import LocalExecutor
from zcollection.engine.layout import ArrayLayout
from zcollection.engine.read import read_groups
from zcollection.engine.select import Found, Side, Wanted
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


@frozen(kw_only=True, eq=False)
class Scan:
    """Rows of a collection, in the order of `query`, read a part at a time: an iterable of Datasets, and an asynchronous one.

    Each part holds the rows of as many partitions as fit in `block_size` bytes, or some rows of a larger one. Each iteration
    starts anew, at the newest version. All of its parts are of one version: where another writer changes what was handed
    over already, the iteration ends with `ConflictError`.

    With ``pip install 'zcollection[arrow]'`` it is a stream of Arrow's record batches for whatever takes one.

    Attributes
    ----------
    handle
        The collection.
    asked
        Which partitions, and which of their rows.
    schema
        The variables.
    block_size
        Bytes of one part.
    """

    handle: Handle = field(repr=False)
    asked: Asked = field(repr=False)
    schema: DatasetSchema = field(repr=False)
    block_size: int = BLOCK_SIZE

    @classmethod
    def of(
        cls, handle: Handle, *, filters: Filter, where: Where, variables: Iterable[str] | None, block_size: int
    ) -> "Scan":
        """Return what `Collection.scan` asks for."""
        if not _is_count(block_size):
            message = f"block_size={block_size!r}; accepted: a number of bytes, 1 or more"
            raise SettingError(message)
        asked = Asked.of(handle, filters, where)
        return cls(handle=handle, asked=asked, schema=handle.names(variables), block_size=block_size)

    @property
    def dimension(self) -> str:
        """The partitioned dimension."""
        return self.handle.dimension

    @cached_property
    def bytes_looked_at(self) -> int:
        """Bytes of a row that finding the rows takes, or reading them where all are asked for."""
        if self.asked.where is None:
            return self._width
        if isinstance(self.asked.where, Rows):
            return 0
        return _bytes_of_a_row(self.handle.schema, self.asked.bound.variables, self.dimension)

    @cached_property
    def rows_fitting(self) -> int:
        """Rows that one part may have."""
        return max(self.block_size // max(self._width, 1), 1)

    def rows_cut(self, rows: int) -> int:
        """Return how many of its rows a partition that does not fit is read in: whole chunks, one at least."""
        moving = self.handle.part(self.schema, moving=True)
        layouts = ArrayLayout.several(moving, moving.all_variables(), dimension=self.dimension, rows=rows)
        chunk = max((item.chunks[item.variable.dimensions.index(self.dimension)] for item in layouts), default=1)
        return max(self.rows_fitting // chunk, 1) * chunk

    @cached_property
    def _width(self) -> int:
        moving = self.handle.part(self.schema, moving=True)
        return _bytes_of_a_row(moving, moving.all_variables(), self.dimension)

    async def renewed(self) -> "Scan":
        """Return the same scan of the collection as it is now that a variable was added or dropped."""
        return Scan.of(
            await self.handle.reloaded(),
            filters=self.asked.filters,
            where=self.asked.where,
            variables=self.schema.all_variables(),
            block_size=self.block_size,
        )

    def __iter__(self) -> Iterator[Dataset]:
        # The settings are those of here, whichever thread asks for the next part.
        return _parts(_Course(self), copy_context())

    async def __aiter__(self) -> AsyncIterator[Dataset]:
        course = _Course(self)
        while (part := await course.advance()) is not None:
            yield part

    def __arrow_c_schema__(self) -> object:
        return bridges.arrow("__arrow_c_schema__()").schema_of(self).__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return bridges.arrow("__arrow_c_stream__()").reader(self).__arrow_c_stream__(requested_schema)


Piece = Mapping[str, Found]
"""Rows that are read together: some of each of these partitions."""


@define(eq=False)
class _Course:
    """One iteration: how far it is.

    Attributes
    ----------
    scan
        What is read.
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
                if is_over or not await self.scan.handle.is_outdated(chosen.taken) or await self._is_current():
                    self.handed_over = True
                    return part
            await pause(number)
        message = (
            f"other writers kept changing the partitions of {self.scan.handle.store.url} that were read; scan again"
        )
        raise ConflictError(message)

    async def _newest(self) -> Chosen:
        while True:
            handle, asked = self.scan.handle, self.scan.asked
            try:
                chosen = await asked.chosen(await asked.snapshot())
                return evolve(chosen, partitions=dict(chosen.partitions))
            except SchemaChangedError:
                self.scan = await self.scan.renewed()
                if self.scan.handle == handle:
                    raise

    async def _is_current(self) -> bool:
        """Go on with the newest version, and return whether what was just read is of it; if not, it is to be read again.

        Raises
        ------
        ConflictError
            What was handed over is of another version.
        """
        newest = self.chosen = await self._newest()
        there = {path: generation(newest.taken, path) for path in newest.partitions}
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
        url = self.scan.handle.store.url
        message = f"another writer changed what this scan of {url} has handed over already; scan again"
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
            self.looked |= {path: generation(chosen.taken, path) for path in paths}
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
                if cut.count > room:
                    pieces.append({})
                    room = fitting
                if cut.count:
                    pieces[-1][path] = cut
                room -= cut.count
        return [*pieces]

    async def _read(self, chosen: Chosen, piece: Piece) -> Dataset:
        handle, schema, taken = self.scan.handle, self.scan.schema, chosen.taken
        moving, records = handle.part(schema, moving=True), chosen.partitions
        if all(rows.count == records[path].rows for path, rows in piece.items()):
            groups = [handle.group(path, records[path], taken.place(path)) for path in piece]
            arrays = await read_groups(
                taken.objects, groups, moving, dimension=handle.dimension, executor=LocalExecutor()
            )
        else:
            wanted = Wanted(dimension=handle.dimension, sides=(Side(schema=moving),))
            targets = [chosen.target(path) for path in piece]
            (arrays,) = await wanted.read(taken.objects, targets, [*piece.values()], executor=LocalExecutor())
        if self.fixed is None:
            self.fixed = generation(taken, IMMUTABLE)[0], await handle.read_immutable(taken, schema)
        copies = {path: values.copy() for path, values in self.fixed[1].items()}
        return handle.dataset(schema, {**arrays, **copies})


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
