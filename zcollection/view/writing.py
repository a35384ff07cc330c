"""Partitions of a view computed from its base, and staged: what an update and a refresh have in common."""

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
from zcollection.transaction.snapshot import Snapshot
from zcollection.view.computing import Beside, Compute, Computing, Held, Part, common
from zcollection.view.origin import Origin
from zcollection.view.pair import Pair
from zcollection.view.staleness import Staleness


@frozen(kw_only=True)
class Writing:
    """One attempt at computing partitions of a view.

    Attributes
    ----------
    pair
        The view.
    transaction
        The change of it.
    snapshot
        The snapshot of the base that it is computed from.
    given
        The variables that are read: the base's, and perhaps the view's.
    halo
        Which neighbouring rows are read.
    compute
        What computes the variables.
    executor
        Where it is computed.
    """

    pair: Pair
    transaction: Transaction
    snapshot: Snapshot
    given: DatasetSchema
    halo: Halo
    compute: Compute
    executor: Executor

    @cached_property
    def staleness(self) -> Staleness:
        """What the partitions must have been computed from."""
        return Staleness(self.pair, self.snapshot)

    async def stage(self, paths: Sequence[str], label: str, advance: Callable[[], None]) -> tuple[str, ...]:
        """Compute partitions and make them part of the change; return those of which anything was computed.

        Raises
        ------
        ConflictError
            Another writer changed meanwhile what is read of the base.
        """
        try:
            return await self._stage(paths, label, advance)
        except (CorruptionError, OutdatedError, StoreError) as error:
            # What another writer has replaced in the base is neither damaged nor missing.
            if await self._was_overtaken(paths):
                message = (
                    f"{self.pair.base.store.url} was changed by another writer while it was computed from; run it again"
                )
                raise ConflictError(message) from error
            raise

    async def _was_overtaken(self, paths: Sequence[str]) -> bool:
        """Return whether something that is read of the base is no longer what it was."""
        read = {IMMUTABLE, *paths}.union(*(self._windows.neighbours.around(path, self.halo) for path in paths))
        try:
            newer = await self.pair.base.snapshot()
        except (CorruptionError, StoreError):
            return False  # the first failure says more
        return any(generation(self.snapshot, path) != generation(newer, path) for path in read)

    async def _stage(self, paths: Sequence[str], label: str, advance: Callable[[], None]) -> tuple[str, ...]:
        fixed = await partition_groups.read_immutable(
            self.pair.base, self.snapshot, common(self.pair.base.schema, self.given)
        )
        for path in paths:
            self.transaction.reads(path)
            for neighbour in self._windows.neighbours.around(path, self.halo) if self._reads_own else ():
                self.transaction.reads(neighbour)
        await self.transaction.expect(paths)
        computing = Computing(self.pair, self.given, self.compute, fixed)
        jobs = (Job(partial(computing.staging, self._part(path, fixed=bool(fixed)))) for path in paths)
        site = OverlaidStage(stage=self.transaction.stage, base=self.snapshot.objects)
        staged = await self.executor.run(
            site, jobs, total=len(paths), label=label, threads=config.get().threads, progress=advance
        )
        changed = list(filter(None, staged))
        self.transaction.add_all(changed)
        return tuple(item.path for item in changed)

    @property
    def _reads_own(self) -> bool:
        return bool(self.given.all_variables().keys() - self.pair.base.schema.all_variables().keys())

    @cached_property
    def _windows(self) -> Windows:
        return Windows(opened=self.pair.base, snapshot=self.snapshot, halo=self.halo, schema=self.pair.given)

    def _part(self, path: str, *, fixed: bool) -> Part:
        """Return what is to be known of one partition to compute it."""
        window = self._windows.plan(path, self.snapshot.partitions[path])
        held = {name: held for name, _, _ in window.parts if (held := self._held(name)) is not None}
        before = Origin.from_texts(held[path].record.origin) if path in held else Origin(sources={})
        return Part(
            window=evolve(window, source=Beside(self.pair, held).reading),
            held=held.get(path),
            alone=self._origin(path, Origin(sources={}), fixed=fixed),
            beside=self._origin(path, before, fixed=fixed),
        )

    def _held(self, path: str) -> Held | None:
        """Return what the view holds of a partition, where it was computed from the base as it is."""
        record, base = self.transaction.base.record(path), self.transaction.base
        return Held(record, base.place(path)) if record and self.staleness.is_current(path, record) else None

    def _origin(self, path: str, before: Origin, *, fixed: bool) -> Origin:
        """Return what a partition is computed from: also what the variables were that are kept."""
        halo = (*before.halo, *(depth for depth in self.halo if depth not in before.halo))
        sources = self.staleness.sources(path, halo, immutable=fixed or IMMUTABLE in before.sources)
        return Origin(sources=sources, halo=halo, computation=self.pair.identity)
