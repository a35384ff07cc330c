"""Computes one partition of a view from its base, on a thread or on a worker of a cluster."""

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
from zcollection.view.open_view import OpenView
from zcollection.view.origin import Origin

Compute = Callable[[Window, str], Dataset]
"""A function from a window, and the partition path for error messages, to variables of the view for the window's own rows."""


@frozen
class StoredGroup:
    """The view's stored group of a partition: its record, and its place."""

    record: PartitionRecord
    place: Place


@frozen
class CombinedReader:
    """Reads rows of the base together with the variables of the view.

    Attributes
    ----------
    opened
        The view.
    current
        The groups of the view that are current, by path; in other partitions the view's variables read as their fill
        value.
    """

    opened: OpenView
    current: Mapping[str, StoredGroup]

    def reading(self, path: str, record: PartitionRecord, place: Place, schema: DatasetSchema) -> Work[Dataset]:
        """Return the rows of one partition of the base, which is stored at a place, with the variables of both."""
        base, own = self.opened.base, self.opened.own
        theirs = common(base.schema, schema)
        rows = yield from partition_groups.reading_partition(base, path, record, theirs, place=place.below(BASE))
        arrays = _arrays(rows)
        mine = own.schema.select(schema.all_variables().keys() - theirs.all_variables().keys())
        if mine.all_variables():
            arrays |= yield from self._own_arrays(path, record, mine)
        return partition_groups.dataset_of(schema, arrays)

    def _own_arrays(self, path: str, record: PartitionRecord, mine: DatasetSchema) -> Work[dict[str, NDArray[Any]]]:
        own, stored = self.opened.own, self.current.get(path)
        if stored is None:
            return {name: _fill(mine, name, own.dimension, record.rows) for name in mine.all_variables()}
        return _arrays(
            (yield from partition_groups.reading_partition(own, path, stored.record, mine, place=stored.place))
        )


@frozen(kw_only=True)
class PartitionPlan:
    """The plan for computing one partition: a small value that can be pickled.

    Attributes
    ----------
    window
        The rows to read.
    current
        The view's group of the partition; None if it is not current.
    new_origin, merged_origin
        The origin to record if all variables are computed, and the one if existing variables are kept.
    """

    window: WindowPlan
    current: StoredGroup | None
    new_origin: Origin
    merged_origin: Origin


@frozen
class Computing:
    """The computation that is applied to every partition.

    Attributes
    ----------
    opened
        The view.
    given
        The variables that are read.
    compute
        The function that computes the variables.
    immutable
        The values of the immutable variables.
    """

    opened: OpenView
    given: DatasetSchema
    compute: Compute
    immutable: Mapping[str, NDArray[Any]]

    def staging(self, plan: PartitionPlan, site: OverlaidStage, arrays: Arrays) -> Work[StagedPartition | None]:
        """Stage one partition with the computed variables, if any; the objects of all other variables are kept."""
        del arrays  # everything is read from the stores
        own, path, record, current = self.opened.own, plan.window.path, plan.window.record, plan.current
        computed = self.compute((yield from plan.window.reading(self.given, self.immutable)), path)
        if not computed.all_variables():
            return None
        kept = (
            partition_groups.variables_of(own, current.record) - computed.all_variables().keys()
            if current
            else frozenset()
        )
        group, written = partition_write(own, Key(record.key), computed, rows=record.rows, kept=kept)
        group = evolve(
            group,
            base=partition_groups.group_of(own, path, current.record, current.place) if current and kept else None,
        )
        written = evolve(written, origin=(plan.merged_origin if kept else plan.new_origin).to_strings())
        return (yield from site.stage.writing(path, group, written))


def common(schema: DatasetSchema, given: DatasetSchema) -> DatasetSchema:
    """Return the part of a schema whose variables are also in another schema."""
    return schema.select(given.all_variables().keys() & schema.all_variables().keys())


def _arrays(rows: Dataset) -> dict[str, NDArray[Any]]:
    return {path: variable.to_numpy() for path, variable in rows.all_variables().items()}


def _fill(schema: DatasetSchema, path: str, dimension: str, rows: int) -> NDArray[Any]:
    layout = ArrayLayout.of(schema, path, dimension=dimension, rows=rows)
    return np.full(layout.shape, layout.declared_fill[0], dtype=layout.variable.dtype)
