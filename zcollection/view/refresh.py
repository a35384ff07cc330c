"""Computes the variables of a view: `update` with the user's function, `refresh` with the stored computations."""

from collections.abc import Callable, Iterable
from itertools import islice

from attrs import define, evolve, field, frozen

from zcollection.collection.filters import Filter
from zcollection.collection.read.neighbours import Halo
from zcollection.collection.read.request import Request, Where
from zcollection.collection.read.window import Window
from zcollection.collection.write.update import UpdateFunction, applied
from zcollection.engine.executors import ClientOption, executor_for
from zcollection.engine.jobs import Executor
from zcollection.errors import SchemaError, SettingError
from zcollection.model.conventions import Conventions
from zcollection.model.dataset import Dataset
from zcollection.model.printed import Printed
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.retrying import retrying
from zcollection.view import snapshot
from zcollection.view.open_view import OpenView
from zcollection.view.row_update import RowUpdate
from zcollection.view.snapshot import ViewSnapshot
from zcollection.view.staleness import ViewStatus
from zcollection.view.writing import Writing


@frozen(kw_only=True, repr=False)
class RefreshReport(Printed):
    """The partitions that `refresh` computed and dropped.

    Attributes
    ----------
    computed
        Paths of the partitions that were computed.
    dropped
        Paths of the partitions that were dropped because the base no longer has them.
    waiting
        Paths of the partitions that are still stale or missing because the view has no computation; `update` computes them.
    """

    computed: tuple[str, ...]
    dropped: tuple[str, ...]
    waiting: tuple[str, ...]


async def update(
    opened: OpenView,
    function: UpdateFunction,
    *,
    filters: Filter,
    where: Where,
    variables: Iterable[str] | None,
    halo: Halo,
    conventions: Conventions,
    client: ClientOption,
    progress: ProgressOption,
) -> tuple[str, ...]:
    """Compute variables with a function; see `View.update`."""
    opened.own.store.check_writable()
    executor = _executor_for(client, opened)
    if opened.definition.computations:
        names = ", ".join(form.name for form in opened.definition.computations)
        message = (
            f"the variables of the view {opened.own.store.url} are computed by {names}; accepted: refresh(), or a view that is "
            f"created with variables=…"
        )
        raise SchemaError(message)
    given = opened.given if variables is None else opened.given.select(variables)
    request = Request.of(opened.base, filters, where, opened.own.schema)
    request.check_halo(halo)
    own, dimension = opened.own.schema, opened.own.dimension

    def compute(window: Window, path: str) -> Dataset:
        return applied(function, window, own, dimension, path, conventions=conventions)

    async def attempt() -> tuple[str, ...]:
        async with opened.own.begin("update") as transaction:
            view = ViewSnapshot(opened, transaction.base, await opened.base.snapshot())
            selected = await request.select(view.base, view)
            partitions = selected.partitions
            row_update = RowUpdate(
                opened=opened,
                request=selected.request,
                function=function,
                given=given,
                conventions=conventions,
                keys={path: record.key for path, record in partitions.items()},
            )
            writing = Writing(
                transaction=transaction,
                view=view,
                given=given if request.where is None else opened.given,
                halo=halo,
                compute=compute if request.where is None else row_update.compute,
                executor=executor,
            )
            with tracking(progress, len(partitions), "update") as advance:
                staged = await writing.stage(tuple(partitions), "update", advance)
            await transaction.commit()
            return tuple(partitions) if request.where is None else staged

    return await retrying(attempt)


async def adopt_partitioning(opened: OpenView) -> tuple[str, ...]:
    """Drop all partitions of a view whose base has been repartitioned, and adopt its partitioning; return their paths."""
    await opened.base.snapshot()  # raises if the base has been repartitioned in the meantime
    if opened.splits_as_base:
        return ()
    own, base = opened.own.configuration, opened.base.configuration

    async def attempt() -> tuple[str, ...]:
        async with opened.own.begin("refresh") as transaction:
            transaction.watch(lambda _: True)
            transaction.reconfiguration = evolve(own, partitioning=base.partitioning, depth=base.depth)
            for path in transaction.base.partitions:
                transaction.drop(path)
            await transaction.commit()
            return tuple(transaction.base.partitions)

    return await retrying(attempt)


async def refresh(
    opened: OpenView,
    *,
    filters: Filter,
    everything: bool,
    batch: int | None,
    client: ClientOption,
    progress: ProgressOption,
) -> RefreshReport:
    """Compute the partitions that are not current; see `View.refresh`."""
    opened.own.store.check_writable()
    if batch is not None and batch < 1:
        message = f"batch={batch!r}; accepted: None, or a number of partitions of at least 1"
        raise SettingError(message)
    refreshing = _Refreshing(opened, filters, everything, _executor_for(client, opened))
    status = await refreshing.status()
    dropped = await retrying(refreshing.drop_orphans) if status.orphaned else ()
    outdated = refreshing.outdated(status)
    if not opened.definition.computations:
        return RefreshReport(computed=(), dropped=dropped, waiting=outdated)
    computed: list[str] = []
    with tracking(progress, len(outdated), "refresh") as advance:
        for paths in _batches(outdated, batch):
            computed += await refreshing.batch(paths, advance)
    return RefreshReport(computed=tuple(computed), dropped=dropped, waiting=())


def _executor_for(client: ClientOption, opened: OpenView) -> Executor:
    """Return the executor for a change of a view; it must be able to access the base as well."""
    executor_for(client, opened.base.store)
    return executor_for(client, opened.own.store)


@define
class _Attempts:
    """Reports the progress of repeated attempts at the same partitions, counting each partition once.

    Attributes
    ----------
    advance
        Called for each partition.
    """

    advance: Callable[[], None]
    _most: int = field(default=0, init=False)

    def next(self) -> Callable[[], None]:
        """Return the function that the next attempt calls after each partition."""
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1
            if done > self._most:
                self._most = done
                self.advance()

        return advance


@frozen
class _Refreshing:
    """A refresh of the partitions that pass a filter."""

    opened: OpenView
    filters: Filter
    everything: bool
    executor: Executor

    async def status(self) -> ViewStatus:
        return await snapshot.status(self.opened, filters=self.filters)

    def outdated(self, status: ViewStatus) -> tuple[str, ...]:
        """Return the partitions to compute."""
        return (*status.stale, *status.missing, *(status.current if self.everything else ()))

    async def drop_orphans(self) -> tuple[str, ...]:
        """Drop the partitions that the base no longer has, as one change."""
        async with self.opened.own.begin("refresh") as transaction:
            view = ViewSnapshot(self.opened, transaction.base, await self.opened.base.snapshot())
            status = await view.status(self.filters)
            for path in status.orphaned:
                transaction.drop(path)
            await transaction.commit()
            return status.orphaned

    async def batch(self, paths: Iterable[str], advance: Callable[[], None]) -> tuple[str, ...]:
        """Compute the partitions that need it, as one change, and repeat this after a conflict."""
        attempts = _Attempts(advance)
        return await retrying(lambda: self.compute(paths, attempts.next()))

    async def compute(self, paths: Iterable[str], advance: Callable[[], None]) -> tuple[str, ...]:
        """Compute the partitions that still need it, as one change."""
        opened, chain = self.opened, self.opened.chain
        given, dimension = opened.base.schema.select(chain.inputs), opened.base.dimension

        def compute(window: Window, _: str) -> Dataset:
            return window.trimmed(chain.compute(window, dimension), dimension)

        async with opened.own.begin("refresh") as transaction:
            view = ViewSnapshot(opened, transaction.base, await opened.base.snapshot())
            writing = Writing(
                transaction=transaction,
                view=view,
                given=given,
                halo=chain.halo,
                compute=compute,
                executor=self.executor,
            )
            needed = self._needed(paths, view)
            await writing.stage(needed, "refresh", advance)
            await transaction.commit()
            return needed

    def _needed(self, paths: Iterable[str], view: ViewSnapshot) -> tuple[str, ...]:
        existing = [path for path in paths if view.base.record(path) is not None]
        return tuple(path for path in existing if self.everything or not view.is_current(path))


def _batches(paths: tuple[str, ...], size: int | None) -> Iterable[tuple[str, ...]]:
    remaining = iter(paths)
    while chosen := tuple(islice(remaining, size)):
        yield chosen
