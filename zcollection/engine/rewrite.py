"""Rewrites the arrays of a group according to a row plan; chunks whose rows do not change position keep their bytes.

A chunk is kept if both generations have the same layout and its rows come, in order, from the same row numbers. Time
and space are therefore proportional to the change. Only the old chunks with rows for rewritten chunks are read.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.contracts.objects import Pieces, Read
from zcollection.engine.encode import Encoded, encode_array
from zcollection.engine.layout import ArrayLayout, declared_values, stored_values
from zcollection.engine.read import GroupRead, decode_stored
from zcollection.engine.statistics import StatisticsBuilder
from zcollection.engine.work import Work, fetch
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema


def rewriting(
    base: GroupRead,
    schema: DatasetSchema,
    inserted: Dataset,
    source: NDArray[np.int64],
    *,
    kept: frozenset[str],
    dimension: str,
    statistics: StatisticsBuilder,
) -> Work[Encoded]:
    """Return the arrays of a group whose rows come from an older one and from a dataset.

    Parameters
    ----------
    base
        The older group.
    schema
        The variables that the new group will have; all span the dimension.
    inserted
        The inserted rows, with every variable of the base except the kept ones.
    source
        int64, shape (rows,): row s of the base where s >= 0, else row ~s of the dataset.
    kept
        Variables whose objects are shared with the base; they have as many rows as the base.
    dimension
        The partitioned dimension.
    statistics
        Computes the statistics of the new group.
    """
    plan = _Plan(source, base.rows)
    arrays = [_Array.of(base, schema, path, plan, dimension) for path in schema.all_variables() if path not in kept]
    variables = inserted.all_variables()
    rewritten = [array for array in arrays if array.layout.path in variables]
    for path in kept:
        statistics.kept(path)
    for array in rewritten:
        statistics.kept_rows(array.layout.path, array.kept_rows)
    old = [(array, part) for array in rewritten for part in array.parts]
    chunks = iter((yield from fetch([read for _, part in old for read in part.reads(base)])))

    def objects() -> Iterator[tuple[str, bytes | Pieces]]:
        yield from ((array.layout.document_key, array.layout.document) for array in arrays)
        for array, part in old:
            path, variable = array.layout.path, array.layout.variable
            values = part.rows(base, array, chunks, variables[path].to_numpy())
            if path in statistics.form.zoned:
                statistics.values(path, declared_values(values, variable), start=part.first_row(array.position))
            yield from encode_array(part.layout, values, is_stored=True)

    shared = (key for array in rewritten for key in array.kept)
    return Encoded(objects(), (*shared, *(f"{path}/" for path in kept)))


@frozen(kw_only=True)
class _Part:
    """A run of chunks to write.

    Attributes
    ----------
    layout
        The layout of these chunks.
    source
        The origin of their rows, as in `RowPlan`.
    old
        The part of the base array with the rows that come from the base; None if there are none.
    start
        First row of that part.
    """

    layout: ArrayLayout
    source: NDArray[np.int64]
    old: ArrayLayout | None
    start: int

    def first_row(self, position: int) -> int:
        """Return the number of the first row, if rows are the dimension at `position`."""
        return 0 if self.layout.origin is None else self.layout.origin[position] * self.layout.chunks[position]

    def reads(self, base: GroupRead) -> Iterator[Read]:
        if self.old is not None:
            yield from (self.old.chunk_read(base.prefix, key) for key, _ in self.old.chunk_parts)

    def rows(
        self, base: GroupRead, array: "_Array", chunks: Iterator[bytes | None], inserted: NDArray[Any]
    ) -> NDArray[Any]:
        """Return the stored values of the chunks; rows from the base keep their bits, packed values too."""
        variable = array.layout.variable
        values = np.empty(self.layout.shape, variable.stored_dtype)
        arriving, staying = np.flatnonzero(self.source < 0), np.flatnonzero(self.source >= 0)
        values[array.at(arriving)] = stored_values(inserted[array.at(~self.source[arriving])], variable)
        if self.old is not None:
            before = np.empty(self.old.shape, self.old.variable.stored_dtype)
            decode_stored(base, self.old, chunks, before)
            values[array.at(staying)] = before[array.at(self.source[staying] - self.start)]
        elif staying.size:
            values[array.at(staying)] = array.layout.fill
        return values


@frozen(kw_only=True)
class _Array:
    """One variable.

    Attributes
    ----------
    layout
        The layout of the new array.
    position
        The index of the partitioned dimension among its dimensions.
    kept, kept_rows
        Keys of the chunks that keep their bytes, and the rows in these chunks.
    parts
        The runs of all other chunks.
    """

    layout: ArrayLayout
    position: int
    kept: tuple[str, ...]
    kept_rows: tuple[range, ...]
    parts: tuple[_Part, ...]

    @classmethod
    def of(cls, base: GroupRead, schema: DatasetSchema, path: str, plan: "_Plan", dimension: str) -> "_Array":
        layout = ArrayLayout.of(schema, path, dimension=dimension, rows=len(plan.source))
        position = layout.variable.dimensions.index(dimension)
        old, length = _old_layout(base, path, dimension), max(layout.chunks[position], 1)
        runs = plan.runs(length, shared=old is not None and _is_alike(old, layout, position))
        parts = tuple(_part(layout, old, position, run, plan.source) for changed, run in runs if changed)
        kept = [run for changed, run in runs if not changed]
        keys = (key for run in kept for key in layout.keys_along(position, run))
        rows = (range(run.start * length, min(run.stop * length, len(plan.source))) for run in kept)
        return cls(layout=layout, position=position, kept=tuple(keys), kept_rows=tuple(rows), parts=parts)

    def at(self, rows: NDArray[np.integer[Any]]) -> tuple[Any, ...]:
        """Return an index for some rows: a slice if they are consecutive, which avoids a copy."""
        consecutive = rows.size > 0 and rows[-1] - rows[0] == rows.size - 1 and bool((np.diff(rows) == 1).all())
        return (*(slice(None),) * self.position, slice(rows[0], rows[-1] + 1) if consecutive else rows)


class _Plan:
    """A row plan, and the runs of changed and unchanged chunks that follow from it for any chunk length.

    Parameters
    ----------
    source
        The origin of each row, as in `RowPlan`.
    rows
        The number of rows of the base.
    """

    def __init__(self, source: NDArray[np.int64], rows: int) -> None:
        self.source = source
        self._rows = rows
        self._changed = source != np.arange(len(source))
        self._runs: dict[int, list[tuple[bool, range]]] = {}

    def runs(self, length: int, *, shared: bool) -> list[tuple[bool, range]]:
        """Return runs of chunks, each with whether its rows change; all change if nothing can be shared."""
        count = -(-len(self.source) // length)
        if not shared or not count:
            return [(True, range(count))] if count else []
        if length not in self._runs:
            self._runs[length] = self._runs_of(length, count)
        return self._runs[length]

    def _runs_of(self, length: int, count: int) -> list[tuple[bool, range]]:
        changed = np.logical_or.reduceat(self._changed, np.arange(0, len(self.source), length))
        if len(self.source) != self._rows:
            # The last chunk can be kept only if both generations end at the same row.
            changed |= np.arange(1, count + 1) * length > min(self._rows, len(self.source))
        edges = [0, *(np.flatnonzero(changed[1:] != changed[:-1]) + 1).tolist(), count]
        return [(bool(changed[start]), range(start, stop)) for start, stop in pairwise(edges)]


def _old_layout(base: GroupRead, path: str, dimension: str) -> ArrayLayout | None:
    if path in base.absent or path not in base.schema.all_variables():
        return None
    return ArrayLayout.of(base.schema, path, dimension=dimension, rows=base.rows)


def _is_alike(old: ArrayLayout, new: ArrayLayout, position: int) -> bool:
    """Return whether two generations of an array differ at most in their number of rows, so that chunks can be shared."""
    return (
        (old.variable is new.variable or old.variable == new.variable)
        and (old.chunks, old.inner_chunks) == (new.chunks, new.inner_chunks)
        and (*old.shape[:position], *old.shape[position + 1 :]) == (*new.shape[:position], *new.shape[position + 1 :])
    )


def _part(layout: ArrayLayout, old: ArrayLayout | None, position: int, run: range, source: NDArray[np.int64]) -> _Part:
    part, length = layout.part(position, run), layout.chunks[position]
    rows = source[run.start * length : run.stop * length]
    needed = rows[rows >= 0]
    if old is None or not needed.size:
        return _Part(layout=part, source=rows, old=None, start=0)
    size = old.chunks[position]
    chunks = range(int(needed.min()) // size, int(needed.max()) // size + 1)
    return _Part(layout=part, source=rows, old=old.part(position, chunks), start=chunks.start * size)
