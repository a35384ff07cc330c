"""Computes and stages partitions of a view: the part that `update` and `refresh` share."""

from collections.abc import Callable, Sequence
from functools import cached_property, partial

from attrs import evolve, frozen

from zcollection import config
from zcollection.collection import partition_groups
from zcollection.collection.read.consistent import generation
from zcollection.collection.read.neighbours import Halo
from zcollection.collection.read.window import Windows
from zcollection.engine.jobs import Executor, Job
from zcollection.errors import ConflictError, CorruptionError, OutdatedError, StoreError
from zcollection.model.schema import DatasetSchema
from zcollection.transaction.change import Transaction
from zcollection.transaction.documents import IMMUTABLE
from zcollection.transaction.overlay import OverlaidStage
from zcollection.view.computing import CombinedReader, Compute, Computing, PartitionPlan, StoredGroup, common
from zcollection.view.origin import Origin
from zcollection.view.snapshot import ViewSnapshot


@frozen(kw_only=True)
class Writing:
    """One attempt at computing partitions of a view.

    Attributes
    ----------
    transaction
        The transaction on the view.
    view
        The view's own snapshot, on which the transaction is based, and the snapshot of the base collection to compute
        from.
    given
        The variables that are read: those of the base, and possibly of the view.
    halo
        The neighbouring rows that are read.
    compute
        The function that computes the variables.
    executor
        The executor of the computation.
    """

    transaction: Transaction
    view: ViewSnapshot
    given: DatasetSchema
    halo: Halo
    compute: Compute
    executor: Executor

    async def stage(self, paths: Sequence[str], label: str, advance: Callable[[], None]) -> tuple[str, ...]:
        """Compute partitions and add them to the transaction; return the paths of those with computed variables.

        Raises
        ------
        ConflictError
            Another writer changed the partitions of the base in the meantime.
        """
        try:
            return await self._stage(paths, label, advance)
        except (CorruptionError, OutdatedError, StoreError) as error:
            # The cause may be another writer that has replaced a partition of the base, and not damage.
            if await self._was_overtaken(paths):
                message = f"{self.view.opened.base.store.url} was changed by another writer while it was computed from; run it again"
                raise ConflictError(message) from error
            raise

    async def _was_overtaken(self, paths: Sequence[str]) -> bool:
        """Return whether the groups of the base that are read have changed since the snapshot."""
        read = {IMMUTABLE, *paths}.union(*(self._windows.neighbours.around(path, self.halo) for path in paths))
        try:
            newer = await self.view.opened.base.snapshot()
        except (CorruptionError, StoreError):
            return False  # the first error is more informative
        return any(generation(self.view.base, path) != generation(newer, path) for path in read)

    async def _stage(self, paths: Sequence[str], label: str, advance: Callable[[], None]) -> tuple[str, ...]:
        immutable = await partition_groups.read_immutable(
            self.view.opened.base, self.view.base, common(self.view.opened.base.schema, self.given)
        )
        for path in paths:
            self.transaction.reads(path)
            for neighbour in self._windows.neighbours.around(path, self.halo) if self._reads_own else ():
                self.transaction.reads(neighbour)
        await self.transaction.expect(paths)
        computing = Computing(self.view.opened, self.given, self.compute, immutable)
        jobs = (Job(partial(computing.staging, self._plan(path, immutable=bool(immutable)))) for path in paths)
        site = OverlaidStage(stage=self.transaction.stage, base=self.view.base.objects)
        staged = await self.executor.run(
            site, jobs, total=len(paths), label=label, threads=config.get().threads, progress=advance
        )
        changed = list(filter(None, staged))
        self.transaction.add_all(changed)
        return tuple(item.path for item in changed)

    @property
    def _reads_own(self) -> bool:
        return bool(self.given.all_variables().keys() - self.view.opened.base.schema.all_variables().keys())

    @cached_property
    def _windows(self) -> Windows:
        return Windows(
            opened=self.view.opened.base, snapshot=self.view.base, halo=self.halo, schema=self.view.opened.given
        )

    def _plan(self, path: str, *, immutable: bool) -> PartitionPlan:
        """Return the plan for computing one partition."""
        window = self._windows.plan(path, self.view.base.partitions[path])
        current = {name: item for name, _, _ in window.parts if (item := self._current(name)) is not None}
        before = Origin.from_strings(current[path].record.origin) if path in current else Origin(sources={})
        return PartitionPlan(
            window=evolve(window, source=CombinedReader(self.view.opened, current).reading),
            current=current.get(path),
            new_origin=self._origin(path, Origin(sources={}), immutable=immutable),
            merged_origin=self._origin(path, before, immutable=immutable),
        )

    def _current(self, path: str) -> StoredGroup | None:
        """Return the view's group of a partition; None if it is not current."""
        record, base = self.transaction.base.record(path), self.transaction.base
        return StoredGroup(record, base.place(path)) if record and self.view.is_current(path) else None

    def _origin(self, path: str, before: Origin, *, immutable: bool) -> Origin:
        """Return the origin of a partition, including the origin of the variables that are kept."""
        halo = (*before.halo, *(depth for depth in self.halo if depth not in before.halo))
        sources = self.view.staleness.sources(path, halo, immutable=immutable or IMMUTABLE in before.sources)
        return Origin(sources=sources, halo=halo, computation=self.view.opened.identity)
