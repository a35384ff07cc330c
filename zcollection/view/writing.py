"""Partitions of a view computed from its base, and staged: what an update and a refresh have in common."""

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from zcollection import config
from zcollection.collection.insert import partition_write
from zcollection.collection.neighbours import Halo
from zcollection.collection.window import Window, Windows
from zcollection.contracts.partitioning import Key
from zcollection.engine.layout import ArrayLayout
from zcollection.engine.work import Work, perform
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema
from zcollection.transaction.change import StagedPartition, Transaction
from zcollection.transaction.documents import IMMUTABLE, PartitionRecord
from zcollection.transaction.snapshot import Snapshot
from zcollection.view.origin import Origin
from zcollection.view.overlay import BASE, Overlay
from zcollection.view.pair import Pair
from zcollection.view.staleness import Staleness

Compute = Callable[[Window, str], Dataset]
"""Returns variables of the view for the own rows of a window; the partition's path is for messages."""


@frozen(kw_only=True)
class Writing:
    """One attempt at computing partitions of a view.

    Attributes
    ----------
    pair
        The view.
    transaction
        The change of it.
    taken
        The snapshot of the base that it is computed from.
    given
        The variables that are read: the base's, and perhaps the view's.
    halo
        Which neighbouring rows are read.
    compute
        What computes the variables.
    """

    pair: Pair
    transaction: Transaction
    taken: Snapshot
    given: DatasetSchema
    halo: Halo
    compute: Compute
    _fixed: dict[str, NDArray[Any]] = field(factory=dict, init=False)

    @cached_property
    def staleness(self) -> Staleness:
        """What the partitions must have been computed from."""
        return Staleness(self.pair, self.taken)

    async def stage(self, paths: Iterable[str], advance: Callable[[str], None]) -> None:
        """Compute partitions and make them part of the change."""
        self._fixed.update(await self.pair.base.read_immutable(self.taken, self._given_of_base))
        chosen = list(paths)
        for path in chosen:
            self.transaction.reads(path)
            for neighbour in self._windows.neighbours.around(path, self.halo) if self._reads_own else ():
                self.transaction.reads(neighbour)
        objects = Overlay(self.transaction.stage.objects, self.taken.objects)
        works = (self._staging(path, advance) for path in chosen)
        for staged in await perform(objects, works, threads=config.get().threads):
            if staged is not None:
                self.transaction.add(staged)

    @property
    def _given_of_base(self) -> DatasetSchema:
        return self.pair.base.schema.select(
            self.given.all_variables().keys() & self.pair.base.schema.all_variables().keys()
        )

    @property
    def _reads_own(self) -> bool:
        return bool(self.given.all_variables().keys() - self.pair.base.schema.all_variables().keys())

    @cached_property
    def _windows(self) -> Windows:
        return Windows(
            handle=self.pair.base, taken=self.taken, halo=self.halo, source=self._reading, schema=self.pair.given
        )

    def _reading(self, path: str, record: PartitionRecord, schema: DatasetSchema) -> Work[Dataset]:
        """Return the rows of one partition: the base's variables, and those of the view, fill where it has none."""
        names = schema.all_variables().keys()
        base, own = self.pair.base, self.pair.own
        theirs = base.schema.select(names & base.schema.all_variables().keys())
        rows = yield from base.reading(path, record, theirs, place=BASE + self.taken.place(path))
        arrays = {name: variable.to_numpy() for name, variable in rows.all_variables().items()}
        mine = own.schema.select(names - theirs.all_variables().keys())
        if mine.all_variables():
            arrays |= yield from self._own_arrays(path, record, mine)
        return base.dataset(schema, arrays)

    def _own_arrays(self, path: str, record: PartitionRecord, mine: DatasetSchema) -> Work[dict[str, NDArray[Any]]]:
        own, held = self.pair.own, self.transaction.base.record(path)
        if held is not None and self.staleness.is_current(path, held):
            rows = yield from own.reading(path, held, mine, place=self.transaction.base.place(path))
            return {name: variable.to_numpy() for name, variable in rows.all_variables().items()}
        return {name: _fill(mine, name, own.dimension, record.rows) for name in mine.all_variables()}

    def _staging(self, path: str, advance: Callable[[str], None]) -> Work[StagedPartition | None]:
        record = self.taken.partitions[path]
        window = yield from self._windows.reading(path, record, self.given, self._fixed)
        computed = self.compute(window, path)
        advance(path)
        if not computed.all_variables():
            return None
        held = self.transaction.base.record(path)
        keeps = held is not None and self.staleness.is_current(path, held)
        kept = self.pair.own.held(held) - computed.all_variables().keys() if keeps else frozenset()
        own = self.pair.own
        group, written = partition_write(own, Key(record.key), computed, rows=record.rows, kept=kept)
        group = evolve(group, base=own.group(path, held, self.transaction.base.place(path)) if kept else None)
        written = evolve(written, origin=self._origin(path, held if kept else None).to_texts())
        return (yield from self.transaction.stage.writing(path, group, written))

    def _origin(self, path: str, kept: PartitionRecord | None) -> Origin:
        """Return what a partition is computed from: also what the variables were that are kept."""
        before = Origin(sources={}) if kept is None else Origin.from_texts(kept.origin)
        halo = (*before.halo, *(depth for depth in self.halo if depth not in before.halo))
        fixed = bool(self._fixed) or IMMUTABLE in before.sources
        sources = self.staleness.sources(path, halo, immutable=fixed)
        return Origin(sources=sources, halo=halo, computation=self.pair.identity)


def _fill(schema: DatasetSchema, path: str, dimension: str, rows: int) -> NDArray[Any]:
    layout = ArrayLayout.of(schema, path, dimension=dimension, rows=rows)
    return np.full(layout.shape, layout.declared_fill[0], dtype=layout.variable.dtype)
