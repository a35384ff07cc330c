"""Applies the user's function to partitions, and combines the results."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final, Generic, TypeVar

from attrs import evolve, frozen
from numpy.typing import NDArray

from zcollection import config
from zcollection.collection import partition_groups
from zcollection.collection.filters import Filter
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.read.consistent import generation
from zcollection.collection.read.consistent_read import OnError
from zcollection.collection.read.neighbours import Halo
from zcollection.collection.read.query import check_on_error
from zcollection.collection.read.request import Request, RowsPlan, SelectedPartitions, Where
from zcollection.collection.read.window import Window, WindowPlan, Windows
from zcollection.engine.executors import ClientOption, executor_for
from zcollection.engine.jobs import Advance, Arrays, Executor, Job, ReadingSite, Site
from zcollection.engine.work import Work
from zcollection.errors import ConflictError, CorruptionError, CorruptionWarning
from zcollection.model.schema import DatasetSchema
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.retrying import retrying
from zcollection.transaction.snapshot import Snapshot

R = TypeVar("R")

_TRIES: Final = 50


@frozen(kw_only=True)
class PartitionMap(Generic[R]):
    """The application of a function to partitions of a collection; see `Collection.map`.

    Attributes
    ----------
    opened
        The collection.
    executor
        The executor that runs the function.
    request
        The requested partitions and rows.
    function, schema, halo
        The function, and the variables and neighbouring rows that it receives.
    on_error
        What to do if a partition is damaged.
    """

    opened: OpenCollection
    executor: Executor
    request: Request
    function: Callable[..., R]
    schema: DatasetSchema
    halo: Halo
    on_error: OnError

    @classmethod
    def of(
        cls,
        opened: OpenCollection,
        function: Callable[..., R],
        *,
        filters: Filter,
        where: Where,
        variables: Iterable[str] | None,
        halo: Halo,
        on_error: OnError,
        client: ClientOption,
    ) -> "PartitionMap[R]":
        """Return the application for the arguments of `Collection.map`."""
        check_on_error(on_error)
        request = Request.of(opened, filters, where)
        request.check_halo(halo)
        return cls(
            opened=opened,
            executor=executor_for(client, opened.store),
            request=request,
            function=function,
            schema=opened.names(variables),
            halo=halo,
            on_error=on_error,
        )

    async def all(self, progress: ProgressOption) -> dict[str, R]:
        """Return the result for each selected partition, by path; partitions without selected rows are omitted."""
        selected = await self.request.select(await self._snapshot())
        wanted = dict(selected.partitions)
        results: dict[str, R] = {}
        with tracking(progress, len(wanted), "map") as advance:
            for number in range(_TRIES):
                missing = evolve(selected, partitions={path: wanted[path] for path in wanted if path not in results})
                found = await self._applied(missing, None if number else advance)
                damaged = dict(error for part in found for error in part.damaged)
                results |= {path: value for part in found for path, value in part.results}
                _warn(damaged)
                done = damaged.keys() | {path for part in found for path in part.without_rows}
                wanted = {path: record for path, record in wanted.items() if path not in done}
                if len(results) == len(wanted):
                    return {path: results[path] for path in wanted}
                # Other writers have replaced or dropped the remaining partitions in the meantime.
                before = selected.snapshot
                selected = await self.request.select(await self._snapshot())
                _check_changed(before, selected.snapshot, wanted.keys() - results.keys())
                wanted = {path: selected.partitions[path] for path in wanted if path in selected.partitions}
                results = {path: results[path] for path in wanted if path in results}
        message = f"other writers kept changing partitions of {self.opened.store.url}; run the map again"
        raise ConflictError(message)

    async def _snapshot(self) -> Snapshot:
        """Return the newest snapshot of the selected partitions; with a halo, of all partitions."""
        return await (self.opened.snapshot() if self.halo else self.request.snapshot())

    async def reduced(self, reduce: Callable[[R, R], R], progress: ProgressOption) -> R | None:
        """Return all results combined into one; None if no partition or no row is selected."""

        async def attempt() -> "_Part[R] | None":
            selected = await self.request.select(await self._snapshot())
            snapshot = selected.snapshot
            try:
                return await self._combined(selected, reduce, progress)
            except ConflictError:
                now = await self._snapshot()
                if all(
                    generation(snapshot, path) == generation(now, path)
                    for path in (snapshot if self.halo else selected).partitions
                ):
                    _check_changed(snapshot, now, selected.partitions)
                raise

        combined = await retrying(attempt)
        if combined is None:
            return None
        _warn(dict(combined.damaged))
        return combined.results[0][1] if combined.results else None

    async def _applied(self, selected: SelectedPartitions, advance: Advance) -> "list[_Part[R]]":
        """Return the results for partitions of a snapshot, except those that other writers have just changed."""
        application = await self._application(selected.snapshot)
        return await self.executor.run(
            ReadingSite(selected.snapshot.objects),
            self._jobs(application.unless_changed, selected),
            total=len(selected.partitions),
            label="map",
            threads=config.get().threads,
            progress=advance,
        )

    async def _combined(
        self, selected: SelectedPartitions, reduce: Callable[[R, R], R], progress: ProgressOption
    ) -> "_Part[R] | None":
        application = await self._application(selected.snapshot)
        with tracking(progress, len(selected.partitions), "map") as advance:
            return await self.executor.reduce(
                ReadingSite(selected.snapshot.objects),
                self._jobs(application.unless_damaged, selected),
                _Combination(reduce),
                total=len(selected.partitions),
                label="map",
                threads=config.get().threads,
                progress=advance,
            )

    async def _application(self, snapshot: Snapshot) -> "_Application[R]":
        immutable = await partition_groups.read_immutable(self.opened, snapshot, self.schema)
        return _Application(self.function, self.schema, immutable, self.on_error)

    def _jobs(
        self, function: "Callable[..., Work[_Part[R]]]", selected: SelectedPartitions
    ) -> "Iterator[Job[Site, _Part[R]]]":
        if selected.is_of_rows:
            return (Job(partial(function, selected.rows_plan(path))) for path in selected.partitions)
        windows = Windows(opened=self.opened, snapshot=selected.snapshot, halo=self.halo)
        return (Job(partial(function, windows.plan(path, record))) for path, record in selected.partitions.items())


def _check_changed(before: Snapshot, now: Snapshot, paths: Iterable[str]) -> None:
    """Raise `CorruptionError` if a partition differs from its record, although no writer has changed it."""
    for path in sorted(paths):
        if generation(before, path) == generation(now, path):
            message = f"the group document of partition {path!r} is not the one that was committed; call verify()"
            raise CorruptionError(message)


def _warn(damaged: Mapping[str, CorruptionError]) -> None:
    for error in damaged.values():
        warnings.warn(f"left out: {error}", CorruptionWarning, stacklevel=2)


@frozen
class _Part(Generic[R]):
    """The results for one or several partitions.

    Attributes
    ----------
    results
        The result of the function by path; a combined result is stored under the path of the first partition.
    damaged
        The errors of damaged partitions by path, if `on_error` is "skip".
    without_rows
        Paths of partitions without selected rows.
    """

    results: tuple[tuple[str, R], ...] = ()
    damaged: tuple[tuple[str, CorruptionError], ...] = ()
    without_rows: tuple[str, ...] = ()


@frozen
class _Combination(Generic[R]):
    """Combines the results of two adjacent parts."""

    reduce: Callable[[R, R], R]

    def __call__(self, first: _Part[R], second: _Part[R]) -> _Part[R]:
        damaged = (*first.damaged, *second.damaged)
        if not first.results or not second.results:
            return _Part((*first.results, *second.results), damaged)
        ((path, left),), ((_, right),) = first.results, second.results
        return _Part(((path, self.reduce(left, right)),), damaged)


@frozen
class _Application(Generic[R]):
    """The function that is applied to one partition."""

    function: Callable[..., R]
    schema: DatasetSchema
    immutable: Mapping[str, NDArray[Any]]
    on_error: OnError

    def unless_changed(self, plan: WindowPlan | RowsPlan, site: Site, arrays: Arrays) -> Work[_Part[R]]:
        """Return the result for one partition; nothing if another writer has just changed it."""
        del site, arrays
        try:
            found = yield from self._reading(plan)
        except ConflictError:
            return _Part()
        return self._result(plan.path, found)

    def unless_damaged(self, plan: WindowPlan | RowsPlan, site: Site, arrays: Arrays) -> Work[_Part[R]]:
        """Return the result for one partition, or its damage if `on_error` is "skip".

        Raises
        ------
        ConflictError
            Another writer has just changed it.
        """
        del site, arrays
        return self._result(plan.path, (yield from self._reading(plan)))

    def _reading(self, plan: WindowPlan | RowsPlan) -> Work[Window | CorruptionError]:
        try:
            return (yield from plan.reading(self.schema, self.immutable))
        except CorruptionError as error:
            if self.on_error == "raise":
                raise
            return error

    def _result(self, path: str, found: Window | CorruptionError) -> _Part[R]:
        if isinstance(found, CorruptionError):
            return _Part(damaged=((path, found),))
        if not found.rows_given:
            return _Part(without_rows=(path,))
        return _Part(results=((path, found.call(self.function)),))
