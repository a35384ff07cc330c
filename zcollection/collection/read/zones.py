"""The bounds of variables in zones of rows, from the statistics of partitions, without reading values."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import define, field, frozen

from zcollection.collection import partition_groups
from zcollection.collection.filters import Filter
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.read.find import ConsistentSearch
from zcollection.collection.read.request import Request, SelectedPartitions
from zcollection.conditions.zones import Zones
from zcollection.contracts.partitioning import Key
from zcollection.engine.statistics import reading_statistics
from zcollection.engine.work import Work, perform
from zcollection.model.formatting import listed
from zcollection.model.printed import Printed
from zcollection.model.sections import Section, heading
from zcollection.progress import ProgressOption
from zcollection.transaction.documents import PartitionRecord


@frozen(kw_only=True, repr=False)
class PartitionZones(Printed):
    """The bounds of variables in zones of 256 rows of a partition.

    Attributes
    ----------
    path, key
        The path and the key of the partition.
    zones
        Bounds by variable path; variables without statistics are omitted.
    """

    path: str
    key: Key
    zones: Mapping[str, Zones] = field(eq=False)

    def _section(self) -> Section:
        return Section(heading(self, f"{self.path}: {listed(self.zones) or 'no statistics'}"))


async def zones(
    opened: OpenCollection, *, variables: Iterable[str] | None, filters: Filter, progress: ProgressOption
) -> list[PartitionZones]:
    """Return the bounds of zones; see `Collection.zones`."""
    paths = frozenset(opened.names(variables).all_variables())
    _, found = await _ZonesSearch(request=Request.of(opened, filters, None), variables=paths).of_partitions(
        progress, "zones"
    )
    return list(found.values())


@define(eq=False, kw_only=True)
class _ZonesSearch(ConsistentSearch[PartitionZones]):
    """Reads the statistics of partitions."""

    variables: frozenset[str]

    async def search(
        self, selected: SelectedPartitions, paths: Sequence[str], advance: Callable[[], None] | None
    ) -> Sequence[PartitionZones]:
        """Return the bounds of some partitions."""
        works = (self._of(selected, path, selected.partitions[path]) for path in paths)
        return await perform(selected.snapshot.objects, works, threads=1, progress=advance)  # as for samplings

    def _of(self, selected: SelectedPartitions, path: str, record: PartitionRecord) -> Work[PartitionZones]:
        opened = selected.request.opened
        group = partition_groups.group_of(opened, path, record, selected.snapshot.place(path))
        found = yield from reading_statistics(group, dimension=opened.dimension, only=self.variables)
        known = {} if found is None else {name: each for name, each in found.zones.items() if each.known.any()}
        return PartitionZones(path=path, key=Key(record.key), zones=known)
