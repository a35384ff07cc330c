"""Reads variables for selected rows only, from the chunks that contain some of these rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import accumulate, product
from typing import Any

from attrs import frozen
from numpy.typing import NDArray

from zcollection.contracts.objects import Objects
from zcollection.contracts.partitioning import KeyValue
from zcollection.engine.executor import worthwhile_threads
from zcollection.engine.jobs import Arrays, Executor, Job, ReadingSite, Site
from zcollection.engine.layout import ArrayLayout, Chunk
from zcollection.engine.read import GroupRead, Outputs, allocated, check_size, decode_chunk, worth_buffering
from zcollection.engine.selected_rows import SelectedRows, Slab
from zcollection.engine.work import Work, perform, stream
from zcollection.model.schema import DatasetSchema


@frozen(kw_only=True)
class VariableSource:
    """Some of the variables to read, and the store that contains them: that of a collection, or that of a view.

    Attributes
    ----------
    schema
        The variables, all of which are partitioned variables.
    objects
        The store; None for the store on which the work runs.
    """

    schema: DatasetSchema
    objects: Objects | None = None


@frozen(kw_only=True)
class Target:
    """A partition to search for rows.

    Attributes
    ----------
    rows
        The number of its rows.
    key
        Its partition key.
    groups
        Its group in each source.
    """

    rows: int
    key: Mapping[str, KeyValue]
    groups: tuple[GroupRead, ...]


@frozen(kw_only=True)
class RowReader:
    """Reads variables for selected rows.

    Attributes
    ----------
    dimension
        The partitioned dimension.
    sources
        The variables to read.
    """

    dimension: str
    sources: tuple[VariableSource, ...]

    async def read(
        self,
        objects: Objects,
        targets: Sequence[Target],
        found: Sequence[SelectedRows],
        *,
        executor: Executor,
        progress: Callable[[], None] | None = None,
    ) -> list[dict[str, NDArray[Any]]]:
        """Return the values for the selected rows of all partitions, concatenated: for each source, the arrays by variable path.

        Raises
        ------
        CorruptionError
            A chunk is missing or damaged.
        """
        rows = max((target.rows for target in targets), default=0)
        threads = max((worthwhile_threads(source.schema, self.dimension, rows) for source in self.sources), default=1)
        outputs = self._allocated(sum(item.count for item in found))
        starts = list(accumulate((item.count for item in found), initial=0))
        parts = list(zip(targets, found, strict=True))
        if executor.is_local:
            works = (self._filling(*part, outputs, start) for part, start in zip(parts, starts, strict=False))
            await perform(objects, works, threads=threads, progress=progress)
        else:
            jobs = (Job(partial(self._read_on_worker, *part)) for part in parts)
            site = ReadingSite(objects)
            results = await executor.run(
                site, jobs, total=len(parts), label="query", threads=threads, progress=progress
            )
            for arrays, item, start in zip(results, found, starts, strict=False):
                for output, by_path in zip(outputs, arrays, strict=True):
                    for path, values in by_path.items():
                        output.part(path, start, item.count)[...] = values
        return [dict(output.arrays) for output in outputs]

    def reading(self, target: Target, found: SelectedRows) -> Work[list[dict[str, NDArray[Any]]]]:
        """Return the values for the selected rows of one partition: for each source, the arrays by variable path."""
        outputs = self._allocated(found.count)
        yield from self._filling(target, found, outputs, 0)
        return [dict(output.arrays) for output in outputs]

    def _read_on_worker(
        self, target: Target, found: SelectedRows, site: Site, arrays: Arrays
    ) -> Work[list[dict[str, NDArray[Any]]]]:
        del site, arrays
        return (yield from self.reading(target, found))

    def _allocated(self, rows: int) -> list[Outputs]:
        return [Outputs.allocated(source.schema, self.dimension, rows) for source in self.sources]

    def _filling(self, target: Target, found: SelectedRows, outputs: Sequence[Outputs], start: int) -> Work[None]:
        if not found.count:
            return
        for group, source, output in zip(target.groups, self.sources, outputs, strict=True):
            parts = {path: output.part(path, start, found.count) for path in output.arrays}
            yield from filling(group, source, found, parts, dimension=self.dimension)


def filling(
    group: GroupRead,
    source: VariableSource,
    found: SelectedRows,
    outputs: Mapping[str, NDArray[Any]],
    *,
    dimension: str,
) -> Work[None]:
    """Read the selected rows of one group into output arrays, by variable path; absent variables get their fill value."""
    columns, slabs = [], {}
    for path, output in outputs.items():
        if path in found.columns:
            output[...] = found.columns[path]
        elif not _has(group, path):
            output[...] = ArrayLayout.of(source.schema, path, dimension=dimension, rows=group.rows).declared_fill[0]
        else:
            layout = _layout(group, path, dimension)
            position = layout.variable.dimensions.index(dimension)
            length = layout.chunks[position]
            if length not in slabs:
                slabs[length] = found.rows.slabs(length)
            columns.append(_Column(layout=layout, position=position, slabs=slabs[length], output=output))
    if not columns:
        return
    layouts = [column.layout for column in columns]
    yield from check_size(group, layouts)
    reads = [column.layout.chunk_read(group.prefix, key) for column in columns for key, _ in column.chunks]
    supply = yield from stream(reads, source.objects, buffered=worth_buffering(layouts))
    for column in columns:
        column.decode(group, supply)


@frozen(eq=False, kw_only=True)
class _Column:
    """Rows of one variable of one group, to be read.

    Attributes
    ----------
    layout
        The array.
    position
        The index of the partitioned dimension among its dimensions.
    slabs
        The runs of chunks along that dimension that contain some of the rows.
    output
        The array that receives the values.
    """

    layout: ArrayLayout
    position: int
    slabs: Sequence[Slab]
    output: NDArray[Any]

    @cached_property
    def chunks(self) -> list[Chunk]:
        """The chunks, slab by slab, in the order in which they are decoded."""
        key = self.layout.chunk_key
        if self.output.ndim == 1:
            return [(key((slab,)), (slab,)) for slab, *_ in self.slabs]
        return [(key(index), index) for slab, *_ in self.slabs for index in self._indices(slab)]

    def _indices(self, slab: int) -> Iterator[tuple[int, ...]]:
        """Yield the indices of the chunks of a slab."""
        counts = (range(last + 1) for last in self.layout.last_chunk)
        return product(*((slab,) if at == self.position else numbers for at, numbers in enumerate(counts)))

    def decode(self, group: GroupRead, supply: Iterator[bytes | None]) -> None:
        """Decode the chunks: directly into the output where all of their rows are selected."""
        length, size = self.layout.chunks[self.position], self.layout.shape[self.position]
        before, buffer = (slice(None),) * self.position, None  # one buffer for all chunks that are selected in part
        each = len(self.chunks) // len(self.slabs)
        for number, (slab, first, last, within) in enumerate(self.slabs):
            chunks = self.chunks[number * each : (number + 1) * each]
            rows = min(length, size - slab * length)
            part = self.output[(*before, slice(first, last))]
            if last - first == rows:
                self._decode(group, chunks, supply, part)
                continue
            shape = (*part.shape[: self.position], rows, *part.shape[self.position + 1 :])
            if buffer is None or buffer.shape != shape:
                buffer = allocated(shape, part.dtype)
            self._decode(group, chunks, supply, buffer)
            part[...] = buffer[(*before, within)]

    def _decode(
        self, group: GroupRead, chunks: Sequence[Chunk], supply: Iterator[bytes | None], out: NDArray[Any]
    ) -> None:
        if out.ndim == 1:
            decode_chunk(group, self.layout, chunks[0], next(supply), out)
            return
        for chunk in chunks:
            index = chunk[1]
            slices = self.layout.chunk_slices(index)[: len(index)]
            part = (*slices[: self.position], slice(None), *slices[self.position + 1 :])
            decode_chunk(group, self.layout, chunk, next(supply), out[part])


def _has(group: GroupRead, path: str) -> bool:
    return path not in group.absent and path in group.schema.all_variables()


def _layout(group: GroupRead, path: str, dimension: str) -> ArrayLayout:
    return ArrayLayout.of(group.schema, path, dimension=dimension, rows=group.rows)
