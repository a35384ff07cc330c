"""How the axis is sampled in each partition: from statistics, and where there are none from the axis itself."""

from collections.abc import Callable, Sequence

from attrs import define, field, frozen

from zcollection.collection.asking import Asked, Chosen
from zcollection.collection.filters import Filter
from zcollection.collection.find import ConsistentLook
from zcollection.collection.handle import Handle
from zcollection.contracts.partitioning import Key
from zcollection.engine.read import GroupRead, reading
from zcollection.engine.sampling import Sampling
from zcollection.engine.statistics import reading_statistics
from zcollection.engine.work import Work, perform
from zcollection.errors import SchemaError
from zcollection.progress import ProgressOption
from zcollection.transaction.documents import PartitionRecord


@frozen(kw_only=True)
class PartitionSampling:
    """How the axis of a partition is sampled.

    Attributes
    ----------
    path, key
        The partition.
    sampling
        Runs of rows with one step.
    stamp
        Id of the transaction that wrote the partition last.
    was_read
        Whether the axis was read, for the partition has no statistics of it, or they would take too many runs.
    """

    path: str
    key: Key
    sampling: Sampling
    stamp: str = field(repr=False)
    was_read: bool


async def sampling(handle: Handle, *, filters: Filter, progress: ProgressOption) -> list[PartitionSampling]:
    """Return how the axis is sampled; see `Collection.sampling`."""
    axis = handle.axis_variable
    if axis is None or not handle.schema.get_variable(axis).has_order:
        what = "no variable" if axis is None else f"of the type {handle.schema.get_variable(axis).dtype}"
        message = f"the axis {handle.configuration.axis!r} is {what}; accepted: numbers or times"
        raise SchemaError(message)
    _, found = await _Look(asked=Asked.of(handle, filters, None), axis=axis).of_partitions(progress, "sampling")
    return list(found.values())


@define(eq=False, kw_only=True)
class _Look(ConsistentLook[PartitionSampling]):
    """Looks at the statistics of partitions, and at the axis where they say nothing of it."""

    axis: str

    async def looked(
        self, chosen: Chosen, paths: Sequence[str], advance: Callable[[], None] | None
    ) -> Sequence[PartitionSampling]:
        """Return how the axis of some partitions is sampled."""
        taken = chosen.taken
        works = (self._of(chosen, path, chosen.partitions[path]) for path in paths)
        # One thread: what is read is small, and most of the time is Python's.
        return await perform(taken.objects, works, threads=1, progress=advance)

    def _of(self, chosen: Chosen, path: str, record: PartitionRecord) -> Work[PartitionSampling]:
        handle = chosen.asked.handle
        group = handle.group(path, record, chosen.taken.place(path))
        known = yield from _known(group, handle.dimension)
        found = known if known is not None else (yield from self._read(handle, group, record))
        return PartitionSampling(
            path=path, key=Key(record.key), sampling=found, stamp=record.stamp, was_read=known is None
        )

    def _read(self, handle: Handle, group: GroupRead, record: PartitionRecord) -> Work[Sampling]:
        """Return what the axis itself says."""
        columns = yield from reading([group], handle.schema.select([self.axis]), dimension=handle.dimension)
        yield from handle.checking(group, record)
        found = Sampling.of(columns[self.axis], handle.schema.get_variable(self.axis), most=None)
        if found is None:
            message = (
                f"partition {group.path!r} has values of {self.axis!r} that have no difference, such as infinities; accepted: "
                f"finite numbers and times"
            )
            raise SchemaError(message)
        return found


def _known(group: GroupRead, dimension: str) -> Work[Sampling | None]:
    """Return what the statistics of a partition say; None where there are none, or they do not say it."""
    found = yield from reading_statistics(group, dimension=dimension, only=())
    if found is None or found.sampling is None or found.sampling == "unknown":
        return None
    return Sampling.from_json(found.sampling, rows=group.rows)
