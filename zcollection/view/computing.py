"""One partition of a view computed from its base: what is to be known of it, and what is done, wherever it is done."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from zcollection.collection import partition_groups
from zcollection.collection.read.window import Window, WindowPlan
from zcollection.collection.write.insert import partition_write
from zcollection.contracts.partitioning import Key
from zcollection.engine.jobs import Arrays
from zcollection.engine.layout import ArrayLayout
from zcollection.engine.work import Work
from zcollection.model.dataset import Dataset
from zcollection.model.schema import DatasetSchema
from zcollection.transaction.change import StagedPartition
from zcollection.transaction.documents import PartitionRecord
from zcollection.transaction.overlay import BASE, OverlaidStage
from zcollection.transaction.places import Place
from zcollection.view.origin import Origin
from zcollection.view.pair import Pair

Compute = Callable[[Window, str], Dataset]
"""Returns variables of the view for the own rows of a window; the partition's path is for messages."""


@frozen
class Held:
    """What the view holds of a partition: its record, and where it lies."""

    record: PartitionRecord
    place: Place


@frozen
class Beside:
    """Rows of the base with the variables of the view beside them.

    Attributes
    ----------
    pair
        The view.
    held
        What it holds that is current, by path; all else is fill.
    """

    pair: Pair
    held: Mapping[str, Held]

    def reading(self, path: str, record: PartitionRecord, place: Place, schema: DatasetSchema) -> Work[Dataset]:
        """Return the rows of one partition of the base, which lies at a place."""
        base, own = self.pair.base, self.pair.own
        theirs = common(base.schema, schema)
        rows = yield from partition_groups.reading_partition(base, path, record, theirs, place=place.below(BASE))
        arrays = _arrays(rows)
        mine = own.schema.select(schema.all_variables().keys() - theirs.all_variables().keys())
        if mine.all_variables():
            arrays |= yield from self._own_arrays(path, record, mine)
        return partition_groups.dataset_of(schema, arrays)

    def _own_arrays(self, path: str, record: PartitionRecord, mine: DatasetSchema) -> Work[dict[str, NDArray[Any]]]:
        own, held = self.pair.own, self.held.get(path)
        if held is None:
            return {name: _fill(mine, name, own.dimension, record.rows) for name in mine.all_variables()}
        return _arrays((yield from partition_groups.reading_partition(own, path, held.record, mine, place=held.place)))


@frozen(kw_only=True)
class Part:
    """What is to be known of one partition to compute it: a small value, which pickles.

    Attributes
    ----------
    window
        What is read.
    held
        What the view holds of it that is current.
    alone, beside
        What it is computed from where all its variables are computed, and where others are kept beside them.
    """

    window: WindowPlan
    held: Held | None
    alone: Origin
    beside: Origin


@frozen
class Computing:
    """What is done to every partition.

    Attributes
    ----------
    pair
        The view.
    given
        The variables that are read.
    compute
        What computes the variables.
    fixed
        Those that do not span the axis, read before.
    """

    pair: Pair
    given: DatasetSchema
    compute: Compute
    fixed: Mapping[str, NDArray[Any]]

    def staging(self, part: Part, site: OverlaidStage, arrays: Arrays) -> Work[StagedPartition | None]:
        """Stage one partition with the variables that were computed, if any; all others keep their objects."""
        del arrays  # all that it needs is read
        own, path, record, held = self.pair.own, part.window.path, part.window.record, part.held
        computed = self.compute((yield from part.window.reading(self.given, self.fixed)), path)
        if not computed.all_variables():
            return None
        kept = (
            partition_groups.variables_of(own, held.record) - computed.all_variables().keys() if held else frozenset()
        )
        group, written = partition_write(own, Key(record.key), computed, rows=record.rows, kept=kept)
        group = evolve(
            group, base=partition_groups.group_of(own, path, held.record, held.place) if held and kept else None
        )
        written = evolve(written, origin=(part.beside if kept else part.alone).to_texts())
        return (yield from site.stage.writing(path, group, written))


def common(schema: DatasetSchema, given: DatasetSchema) -> DatasetSchema:
    """Return the part of a schema whose variables another one has as well."""
    return schema.select(given.all_variables().keys() & schema.all_variables().keys())


def _arrays(rows: Dataset) -> dict[str, NDArray[Any]]:
    return {path: variable.to_numpy() for path, variable in rows.all_variables().items()}


def _fill(schema: DatasetSchema, path: str, dimension: str, rows: int) -> NDArray[Any]:
    layout = ArrayLayout.of(schema, path, dimension=dimension, rows=rows)
    return np.full(layout.shape, layout.declared_fill[0], dtype=layout.variable.dtype)
