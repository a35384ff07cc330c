"""Checks the statistics of partitions, and adds missing ones without committing a new version."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from zcollection import config
from zcollection.collection import partition_groups
from zcollection.collection.open_collection import OpenCollection
from zcollection.contracts.objects import Read
from zcollection.engine.layout import ArrayLayout, declared_values
from zcollection.engine.read import GroupRead, reading
from zcollection.engine.statistics import (
    ZONE,
    Form,
    Statistics,
    checksum,
    include,
    owner_of,
    reading_statistics,
    sampled,
    zones_of,
)
from zcollection.engine.work import Work, enumerated, fetch, perform
from zcollection.errors import ConflictError, CorruptionError, SchemaError, accepted
from zcollection.model.names import normalise_path
from zcollection.model.schema import DatasetSchema
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.documents import PartitionRecord
from zcollection.transaction.retrying import retrying
from zcollection.transaction.snapshot import Snapshot

_TOGETHER: Final = 64
"""Number of partitions whose statistics are published by one step."""


@frozen
class ChunkCheck:
    """The check of chunks against the statistics of their partition.

    Attributes
    ----------
    form
        The variables and chunks that the statistics cover.
    known
        The statistics; None if they are missing or invalid.
    """

    form: Form
    known: Statistics | None

    def contradiction(self, key: str, layout: ArrayLayout, data: bytes, stored: NDArray[Any]) -> str | None:
        """Return why an undamaged chunk contradicts the statistics; None if it does not.

        Parameters
        ----------
        key, layout
            The key of the chunk, and its layout as a part of the array.
        data, stored
            The bytes of the chunk, and its stored values.
        """
        if self.known is None or key not in self.form.chunks:
            return None
        position, is_sealed = self.form.chunks[key]
        if int(self.known.checksums[position]) not in {0, checksum(data, is_sealed=is_sealed)}:
            return "it is intact, but not the chunk that was written: it belongs to another partition, or to another generation"
        zones, variable = self.known.zones.get(layout.path), self.form.zoned.get(layout.path)
        if zones is None or variable is None:
            return None
        start = (layout.origin or (0,))[0] * layout.chunks[0]
        found = zones_of(declared_values(stored, variable), variable, start=start)
        if include(zones, found, start // ZONE):
            return None
        return (
            f"it has values outside the bounds that were written with it: it is another chunk or, less likely, its statistics "
            f"are wrong; insert the partition again, or delete {self.form.key!r} of the partition and call repair()"
        )


async def add_statistics(opened: OpenCollection, names: Sequence[str], *, progress: ProgressOption) -> OpenCollection:
    """Store statistics of more variables; see `Collection.add_statistics`."""
    opened.store.check_writable()
    if not names:
        await complete(opened, progress=progress)
        return opened
    target = opened.with_schema(_with_statistics(opened, names))

    async def attempt() -> None:
        async with opened.begin("add statistics") as transaction:
            transaction.reconfiguration = target.configuration
            await transaction.commit()

    await retrying(attempt)
    now = await opened.reloaded()
    await complete(now, progress=progress)
    return now


def _with_statistics(opened: OpenCollection, names: Iterable[str]) -> DatasetSchema:
    schema, changed = opened.schema, {}
    for path in map(normalise_path, names):
        variable = schema.get_variable(path)
        if not variable.has_order or variable.dimensions != (opened.dimension,):
            fitting = [
                name
                for name, item in schema.all_variables().items()
                if item.has_order and item.dimensions == (opened.dimension,)
            ]
            message = f"variable {path!r} cannot have statistics: it is {variable}; {accepted(path, fitting)}"
            raise SchemaError(message)
        changed[path] = evolve(variable, statistics=True)
    return schema.with_variables(changed)


async def complete(opened: OpenCollection, *, progress: ProgressOption = None) -> int:
    """Add missing statistics to partitions, and return the number of these partitions.

    Existing statistics are never computed again: if they contradict the values, the values may be the wrong ones.
    Partitions that another writer changes in the meantime are skipped, as that writer stores their statistics.
    """
    snapshot = await opened.snapshot()
    pending = [(path, record) for path, record in snapshot.partitions.items() if path not in snapshot.places]
    made = 0
    with tracking(progress, len(pending), "statistics") as advance:
        for first in range(0, len(pending), _TOGETHER):
            works = (_made(opened, snapshot, path, record) for path, record in pending[first : first + _TOGETHER])
            found = await perform(snapshot.objects, works, threads=config.get().threads, progress=advance)
            objects = {path: item for part in found if part is not None for path, item in [part]}
            if objects:
                await retrying(partial(opened.versioning.place_statistics, opened.configuration, snapshot, objects))
                made += len(objects)
    return made


def _made(
    opened: OpenCollection, snapshot: Snapshot, path: str, record: PartitionRecord
) -> Work[tuple[str, tuple[str, bytes]] | None]:
    """Return path, key and bytes of the new statistics of a partition; None if it needs none or cannot be read."""
    dimension = opened.dimension
    try:
        group = partition_groups.group_of(opened, path, record, snapshot.place(path))
        form = Form.of_group(group, dimension=dimension)
        variables = Form.of(opened.schema, group.axis, dimension=dimension, rows=group.rows).zoned
        present = [name for name in variables if name in partition_groups.variables_of(opened, record)]
        known = yield from reading_statistics(group, dimension=dimension)
        if form.key is None or (known is not None and known.is_complete(present, form, group.absent)):
            return None
        columns = yield from reading([group], opened.schema.select(present), dimension=dimension)
        sums = yield from _checksums(group, form, known)
        yield from partition_groups.checking_current(opened, group, record)
    except (CorruptionError, ConflictError):
        return None
    zones = {name: zones_of(columns[name], variables[name]) for name in present}
    sampling = sampled(columns.get(form.axis or ""), form)
    made = Statistics(
        owner=owner_of(path, record.stamp),
        zones=zones,
        checksums=sums,
        sampling=sampling,
        deliveries=None if known is None else known.deliveries,
    )
    return path, (group.prefix + form.key, made.dump(form))


def _checksums(group: GroupRead, form: Form, known: Statistics | None) -> Work[NDArray[np.uint32]]:
    """Return the checksums of the chunks of a partition: the known ones, and those stored at the end of chunks."""
    sums = np.zeros(len(form.chunks), np.uint32) if known is None else known.checksums.copy()
    sizes = {entry.key: entry.size for entry in (yield from enumerated(group.prefix))}
    sealed = [
        (position, Read(group.prefix + key, offset=sizes[group.prefix + key] - 4, length=4))
        for key, (position, is_sealed) in form.chunks.items()
        if is_sealed and not sums[position] and sizes.get(group.prefix + key, 0) >= 4
    ]
    ends = yield from fetch([read for _, read in sealed])
    for (position, _), data in zip(sealed, ends, strict=True):
        sums[position] = 0 if data is None else checksum(data, is_sealed=True)
    return sums
