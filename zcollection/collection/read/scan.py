"""Scans: rows read as a sequence of Datasets, in bounded memory."""

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
from zcollection.collection.read.consistent import TRIES, Generation, generation, pause
from zcollection.collection.read.keyed import Keys, KeyVariables
from zcollection.collection.read.request import Request, SelectedPartitions, Where
from zcollection.collection.read.rows import Rows
from zcollection.engine.jobs import LocalExecutor
from zcollection.engine.layout import ArrayLayout
from zcollection.engine.read import read_groups
from zcollection.engine.read_rows import RowReader, VariableSource
from zcollection.engine.selected_rows import SelectedRows
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
"""Default size of one Dataset of a scan, in bytes."""


Piece = Mapping[str, SelectedRows]
"""Rows that are read together, by partition path."""


@frozen(kw_only=True, eq=False)
class ScanSource(ABC):
    """The source of a scan: a collection, or a view.

    Attributes
    ----------
    request
        The requested partitions and rows.
    schema
        The variables to read.
    """

    request: Request
    schema: DatasetSchema

    @property
    def opened(self) -> OpenCollection:
        """The collection, or the base of the view."""
        return self.request.opened

    @property
    @abstractmethod
    def condition_schema(self) -> DatasetSchema:
        """The variables that a condition may use."""

    @abstractmethod
    async def newest(self) -> SelectedPartitions:
        """Return the selected partitions of the newest version."""

    @abstractmethod
    async def is_outdated(self, selected: SelectedPartitions) -> bool:
        """Return whether a newer version may have been committed since."""

    @abstractmethod
    def generation(self, selected: SelectedPartitions, path: str) -> Generation:
        """Return the generation of a partition."""

    @abstractmethod
    async def read(self, selected: SelectedPartitions, piece: Piece) -> Mapping[str, NDArray[Any]]:
        """Return the partitioned variables of the rows of a piece, one partition after the other."""

    @abstractmethod
    async def read_immutable(self, selected: SelectedPartitions) -> Mapping[str, NDArray[Any]]:
        """Return the immutable variables."""

    @abstractmethod
    async def reloaded(self) -> "Self | None":
        """Return the source with its current schema; None if the schema has not changed."""

    def for_iteration(self) -> Self:
        """Return the source for one iteration, which may cache values."""
        return self


@frozen(kw_only=True, eq=False)
class CollectionSource(ScanSource):
    """A collection as the source of a scan."""

    @classmethod
    def of(
        cls, opened: OpenCollection, *, filters: Filter, where: Where, variables: Iterable[str] | None
    ) -> "CollectionSource":
        """Return the source for the arguments of `Collection.scan`."""
        return cls(request=Request.of(opened, filters, where), schema=opened.names(variables))

    @property
    def condition_schema(self) -> DatasetSchema:  # noqa: D102
        return self.opened.schema

    async def newest(self) -> SelectedPartitions:  # noqa: D102
        return await self.request.select(
            await self.opened.snapshot(key_selection.candidates_of(self.opened, self.request.filters))
        )

    async def is_outdated(self, selected: SelectedPartitions) -> bool:  # noqa: D102
        return await self.opened.is_outdated(selected.snapshot)

    def generation(self, selected: SelectedPartitions, path: str) -> Generation:  # noqa: D102
        return generation(selected.snapshot, path)

    async def read(self, selected: SelectedPartitions, piece: Piece) -> Mapping[str, NDArray[Any]]:  # noqa: D102
        (arrays,) = await read_piece(
            selected, piece, [VariableSource(schema=self.opened.part(self.schema, partitioned=True))]
        )
        return arrays

    async def read_immutable(self, selected: SelectedPartitions) -> Mapping[str, NDArray[Any]]:  # noqa: D102
        return await partition_groups.read_immutable(self.opened, selected.snapshot, self.schema)

    async def reloaded(self) -> "CollectionSource | None":  # noqa: D102
        opened = await self.opened.reloaded()
        if opened == self.opened:
            return None
        names = self.schema.all_variables()
        return self.of(opened, filters=self.request.filters, where=self.request.where, variables=names)


async def read_piece(
    selected: SelectedPartitions, piece: Piece, sources: Sequence[VariableSource]
) -> list[Mapping[str, NDArray[Any]]]:
    """Return the variables of each source for the rows of a piece, one partition after the other."""
    targets, dimension = [selected.target(path) for path in piece], selected.request.opened.dimension
    objects, executor = selected.snapshot.objects, LocalExecutor()
    if any(rows.count < target.rows for rows, target in zip(piece.values(), targets, strict=True)):
        wanted = RowReader(dimension=dimension, sources=tuple(sources))
        return [*await wanted.read(objects, targets, [*piece.values()], executor=executor)]
    read: list[Mapping[str, NDArray[Any]]] = []
    for at, source in enumerate(sources):
        groups, store = [target.groups[at] for target in targets], source.objects or objects
        has_variables = bool(source.schema.all_variables())
        read.append(
            await read_groups(store, groups, source.schema, dimension=dimension, executor=executor)
            if has_variables
            else {}
        )
    return read


@frozen(kw_only=True, eq=False)
class Scan:
    """An iterable, synchronous and asynchronous, of Datasets with the rows of a query, in the same order.

    Each Dataset contains the rows of as many partitions as fit in `block_size` bytes, or some of the rows of a larger
    partition. Each iteration starts with the newest version, and all its Datasets belong to one version: if another
    writer changes partitions that were already returned, the iteration raises `ConflictError`.

    With ``pip install 'zcollection[arrow]'`` a scan is also a stream of Arrow record batches (the Arrow PyCapsule
    interface).

    Attributes
    ----------
    source
        The source: the collection or the view, and the request.
    block_size
        Target size of one Dataset, in bytes.
    keys
        The fields of the partition key that are returned as variables.
    """

    source: ScanSource = field(repr=False)
    block_size: int = BLOCK_SIZE
    keys: KeyVariables = field(repr=False)

    @classmethod
    def of(cls, source: ScanSource, *, block_size: int, keys: Keys) -> "Scan":
        """Return the scan of a source.

        Raises
        ------
        SettingError
            `block_size` is not a number of bytes, or `keys` names an unknown field.
        SchemaError
            A variable has the same name as a field.
        """
        if not _is_count(block_size):
            message = f"block_size={block_size!r}; accepted: a number of bytes, 1 or more"
            raise SettingError(message)
        key_variables = KeyVariables.of(source.opened, keys, source.schema)
        return cls(source=source, block_size=block_size, keys=key_variables)

    @cached_property
    def schema(self) -> DatasetSchema:
        """The variables of each Dataset; those from the partition key come last."""
        return self.keys.added_to(self.source.schema)

    @property
    def dimension(self) -> str:
        """The partitioned dimension."""
        return self.source.opened.dimension

    @cached_property
    def bytes_per_row(self) -> int:
        """Bytes per row of the variables to read."""
        return _bytes_per_row(self._partitioned, self._partitioned.all_variables(), self.dimension)

    @cached_property
    def searched_bytes_per_row(self) -> int:
        """Bytes per row of the variables that are read to find rows: those of the condition, or without one, all."""
        request = self.source.request
        if request.where is None:
            return self.bytes_per_row
        if isinstance(request.where, Rows):
            return 0
        return _bytes_per_row(self.source.condition_schema, request.bound.variables, self.dimension)

    @cached_property
    def rows_fitting(self) -> int:
        """Number of rows that fit in one Dataset."""
        return max(self.block_size // max(self.bytes_per_row, 1), 1)

    def rows_cut(self, rows: int) -> int:
        """Return the number of rows to read at a time from a partition that does not fit: whole chunks, at least one."""
        partitioned = self.source.opened.part(self.source.schema, partitioned=True)
        layouts = ArrayLayout.several(partitioned, partitioned.all_variables(), dimension=self.dimension, rows=rows)
        chunk = max((item.chunks[item.variable.dimensions.index(self.dimension)] for item in layouts), default=1)
        return max(self.rows_fitting // chunk, 1) * chunk

    @cached_property
    def _partitioned(self) -> DatasetSchema:
        return self.source.opened.part(self.schema, partitioned=True)

    def __iter__(self) -> Iterator[Dataset]:
        # The configuration is that of this context, even if another thread takes the next Dataset.
        return _parts(_Iteration(self, self.source.for_iteration()), copy_context())

    async def __aiter__(self) -> AsyncIterator[Dataset]:
        iteration = _Iteration(self, self.source.for_iteration())
        while (part := await iteration.advance()) is not None:
            yield part

    def __arrow_c_schema__(self) -> object:
        return bridges.arrow("__arrow_c_schema__()").schema_of(self).__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return bridges.arrow("__arrow_c_stream__()").reader(self).__arrow_c_stream__(requested_schema)


@define(eq=False)
class _Iteration:
    """The state of one iteration over a scan.

    Attributes
    ----------
    scan
        The scan.
    source
        The source.
    selected
        The partitions of the version to continue with.
    done
        Stamps of the partitions all of whose rows were returned, in order.
    searched, returned
        The generations of the following partitions, which were searched for rows, and whether some of these rows were returned.
    pieces
        The rows of these partitions that remain to be read.
    immutable
        Stamp and values of the immutable variables; None before they are read.
    """

    scan: Scan
    source: ScanSource
    selected: SelectedPartitions | None = None
    done: dict[str, str | None] = field(factory=dict)
    searched: dict[str, Generation] = field(factory=dict)
    returned: bool = False
    pieces: list[Piece] = field(factory=list)
    immutable: tuple[str | None, Mapping[str, NDArray[Any]]] | None = None

    async def advance(self) -> Dataset | None:
        """Return the next Dataset, or None after the last.

        Raises
        ------
        ConflictError
            Another writer changed partitions that were already returned, or kept changing the following ones.
        CorruptionError
            A chunk is missing or damaged.
        """
        await portal.on_loop()
        for number in range(TRIES):
            selected = self.selected = self.selected or await self._newest()
            try:
                part = await self._part(selected)
            except (CorruptionError, OutdatedError, StoreError):
                if await self._is_current():
                    raise
            else:
                is_over = not self.searched
                if is_over or not await self.source.is_outdated(selected) or await self._is_current():
                    self.returned = True
                    return part
            await pause(number)
        message = f"other writers kept changing the partitions of {self._place} that were read; scan again"
        raise ConflictError(message)

    @property
    def _place(self) -> str:
        return str(self.source.opened.store.url)

    async def _newest(self) -> SelectedPartitions:
        while True:
            try:
                selected = await self.source.newest()
                return evolve(selected, partitions=dict(selected.partitions))
            except SchemaChangedError:
                newer = await self.source.reloaded()
                if newer is None:
                    raise
                self.source = newer.for_iteration()

    async def _is_current(self) -> bool:
        """Continue with the newest version, and return whether the values just read belong to it, so that they need not be read again.

        Raises
        ------
        ConflictError
            The rows already returned are not of the newest version.
        """
        newest = self.selected = await self._newest()
        generations = {path: self.source.generation(newest, path) for path in newest.partitions}
        stamps = {path: generations[path][0] for path in islice(generations, len(self.done))}
        is_same_immutable = self.immutable is None or self.immutable[0] == generation(newest.snapshot, IMMUTABLE)[0]
        searched = dict(islice(generations.items(), len(self.done), len(self.done) + len(self.searched)))
        is_same = is_same_immutable and list(searched.items()) == list(self.searched.items())
        if list(stamps.items()) != list(self.done.items()) or ((self.done or self.returned) and not is_same_immutable):
            self._refuse()
        if not is_same and self.returned:
            self._refuse()
        if not is_same:
            self.searched, self.pieces, self.immutable = {}, [], None
        return is_same

    def _refuse(self) -> NoReturn:
        message = f"another writer changed partitions that this scan of {self._place} has already returned; scan again"
        raise ConflictError(message)

    async def _part(self, selected: SelectedPartitions) -> Dataset | None:
        """Return the rows of the next piece, or None after the last."""
        while not self.pieces:
            if self.returned:
                self.done |= {path: stamp for path, (stamp, _) in self.searched.items()}
                self.searched, self.returned = {}, False
            paths = self._following(selected)
            if not paths:
                return None
            self.searched |= {path: self.source.generation(selected, path) for path in paths}
            targets = [selected.target(path) for path in paths]
            found = await selected.finder.find(selected.snapshot.objects, targets, executor=LocalExecutor())
            self.pieces = self._pieces(dict(zip(paths, found, strict=True)))
        return await self._read(selected, self.pieces.pop(0))

    def _following(self, selected: SelectedPartitions) -> list[str]:
        """Return the next partitions to find rows in: as many as fit in `block_size` bytes, at least one."""
        scan, each, size = self.scan, self.scan.searched_bytes_per_row, 0
        found: list[str] = []
        for path, record in islice(selected.partitions.items(), len(self.done) + len(self.searched), None):
            size += record.rows * each
            if found and size > scan.block_size:
                break
            found.append(path)
        return found

    def _pieces(self, found: Piece) -> list[Piece]:
        """Split the rows found into pieces of `block_size` bytes: whole partitions if they fit."""
        fitting, room = self.scan.rows_fitting, 0
        pieces: list[dict[str, SelectedRows]] = []
        for path, rows in found.items():
            for cut in [rows] if rows.count <= fitting else _cut(rows, self.scan.rows_cut(rows.count)):
                if cut.count > room or (pieces and path in pieces[-1]):
                    pieces.append({})
                    room = fitting
                if cut.count:
                    pieces[-1][path] = cut
                room -= cut.count
        return [*pieces]

    async def _read(self, selected: SelectedPartitions, piece: Piece) -> Dataset:
        scan, source, records = self.scan, self.source, selected.partitions
        arrays = await source.read(selected, piece)
        keys = scan.keys.arrays((records[path].key for path in piece), (rows.count for rows in piece.values()))
        if self.immutable is None:
            self.immutable = generation(selected.snapshot, IMMUTABLE)[0], await source.read_immutable(selected)
        copies = {path: values.copy() for path, values in self.immutable[1].items()}
        return partition_groups.dataset_of(scan.schema, {**arrays, **keys, **copies})


def _parts(iteration: _Iteration, context: Context) -> Iterator[Dataset]:
    while (part := context.run(portal.run, iteration.advance)) is not None:
        yield part


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _cut(found: SelectedRows, limit: int) -> Iterator[SelectedRows]:
    """Yield the rows of a partition in parts of at most `limit` rows."""
    positions = found.positions
    for start in range(0, found.count, limit):
        selected = slice(start, start + limit)
        yield SelectedRows.at(positions[selected], {path: values[selected] for path, values in found.columns.items()})


def _bytes_per_row(schema: DatasetSchema, paths: Iterable[str], dimension: str) -> int:
    """Return the number of bytes per row of partitioned variables."""
    lengths = {
        path: [item.size or 1 for item in schema.dimensions_of(path) if item.name != dimension] for path in paths
    }
    return sum(math.prod(each) * schema.get_variable(path).dtype.itemsize for path, each in lengths.items())
