"""Functions applied to partitions, and their results combined."""

import collections.abc
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final, Generic, TypeVar

from attrs import evolve, frozen
from numpy.typing import NDArray

from zcollection import config
from zcollection.collection import partition_groups
from zcollection.collection.filters import Filter
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.read.consistent import OnError, generation
from zcollection.collection.read.neighbours import Halo
from zcollection.collection.read.query import check_on_error
from zcollection.collection.read.request import Chosen, Request, RowsPlan, Where
from zcollection.collection.read.window import Window, WindowPlan, Windows
from zcollection.engine.executors import ClientOption, chosen
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
class Mapping(Generic[R]):
    """A function to apply to partitions of a collection; see `Collection.map`.

    Attributes
    ----------
    opened
        The collection.
    executor
        Where the function runs.
    request
        Which partitions, and which of their rows.
    function, schema, halo
        It itself, and which variables and neighbouring rows it is given.
    on_error
        What happens where a partition is damaged.
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
    ) -> "Mapping[R]":
        """Return what `Collection.map` asks for."""
        check_on_error(on_error)
        request = Request.of(opened, filters, where)
        request.check_halo(halo)
        return cls(
            opened=opened,
            executor=chosen(client, opened.store),
            request=request,
            function=function,
            schema=opened.names(variables),
            halo=halo,
            on_error=on_error,
        )

    async def all(self, progress: ProgressOption) -> dict[str, R]:
        """Return the result for each partition that is asked for, by path; of some of its rows where it has such."""
        chosen = await self.request.chosen(await self._snapshot())
        wanted = dict(chosen.partitions)
        results: dict[str, R] = {}
        with tracking(progress, len(wanted), "map") as advance:
            for number in range(_TRIES):
                missing = evolve(chosen, partitions={path: wanted[path] for path in wanted if path not in results})
                found = await self._applied(missing, None if number else advance)
                damaged = dict(error for part in found for error in part.damaged)
                results |= {path: value for part in found for path, value in part.results}
                _tell(damaged)
                over = damaged.keys() | {path for part in found for path in part.without_rows}
                wanted = {path: record for path, record in wanted.items() if path not in over}
                if len(results) == len(wanted):
                    return {path: results[path] for path in wanted}
                # Others have replaced or dropped the rest meanwhile.
                before = chosen.snapshot
                chosen = await self.request.chosen(await self._snapshot())
                _check_changed(before, chosen.snapshot, wanted.keys() - results.keys())
                wanted = {path: chosen.partitions[path] for path in wanted if path in chosen.partitions}
                results = {path: results[path] for path in wanted if path in results}
        message = f"other writers kept changing partitions of {self.opened.store.url}; run the map again"
        raise ConflictError(message)

    async def _snapshot(self) -> Snapshot:
        """Return the partitions to map, and, where there is a halo, all others."""
        return await (self.opened.snapshot() if self.halo else self.request.snapshot())

    async def reduced(self, reduce: Callable[[R, R], R], progress: ProgressOption) -> R | None:
        """Return all results combined, None where no partition, or no row, is asked for."""

        async def attempt() -> "_Part[R] | None":
            chosen = await self.request.chosen(await self._snapshot())
            snapshot = chosen.snapshot
            try:
                return await self._combined(chosen, reduce, progress)
            except ConflictError:
                now = await self._snapshot()
                if all(
                    generation(snapshot, path) == generation(now, path)
                    for path in (snapshot if self.halo else chosen).partitions
                ):
                    _check_changed(snapshot, now, chosen.partitions)
                raise

        whole = await retrying(attempt)
        if whole is None:
            return None
        _tell(dict(whole.damaged))
        return whole.results[0][1] if whole.results else None

    async def _applied(self, chosen: Chosen, advance: Advance) -> "list[_Part[R]]":
        """Return what comes of partitions of a snapshot; nothing of those that others have just changed."""
        application = await self._application(chosen.snapshot)
        return await self.executor.run(
            ReadingSite(chosen.snapshot.objects),
            self._jobs(application.unless_changed, chosen),
            total=len(chosen.partitions),
            label="map",
            threads=config.get().threads,
            progress=advance,
        )

    async def _combined(
        self, chosen: Chosen, reduce: Callable[[R, R], R], progress: ProgressOption
    ) -> "_Part[R] | None":
        application = await self._application(chosen.snapshot)
        with tracking(progress, len(chosen.partitions), "map") as advance:
            return await self.executor.reduce(
                ReadingSite(chosen.snapshot.objects),
                self._jobs(application.whole, chosen),
                _Combination(reduce),
                total=len(chosen.partitions),
                label="map",
                threads=config.get().threads,
                progress=advance,
            )

    async def _application(self, snapshot: Snapshot) -> "_Application[R]":
        fixed = await partition_groups.read_immutable(self.opened, snapshot, self.schema)
        return _Application(self.function, self.schema, fixed, self.on_error)

    def _jobs(self, function: "Callable[..., Work[_Part[R]]]", chosen: Chosen) -> "Iterator[Job[Site, _Part[R]]]":
        if chosen.is_of_rows:
            return (Job(partial(function, chosen.alone(path))) for path in chosen.partitions)
        windows = Windows(opened=self.opened, snapshot=chosen.snapshot, halo=self.halo)
        return (Job(partial(function, windows.plan(path, record))) for path, record in chosen.partitions.items())


def _check_changed(before: Snapshot, now: Snapshot, paths: Iterable[str]) -> None:
    """Raise `CorruptionError` where a partition is not what was committed, and nobody has changed it."""
    for path in sorted(paths):
        if generation(before, path) == generation(now, path):
            message = f"the group document of partition {path!r} is not the one that was committed; call verify()"
            raise CorruptionError(message)


def _tell(damaged: collections.abc.Mapping[str, CorruptionError]) -> None:
    for error in damaged.values():
        warnings.warn(f"left out: {error}", CorruptionWarning, stacklevel=2)


@frozen
class _Part(Generic[R]):
    """What came of some partitions.

    Attributes
    ----------
    results
        By path what the function returned, or what those of several were combined to, under the path of the first.
    damaged
        By path what is wrong, where damage is to be skipped.
    without_rows
        Paths of partitions none of whose rows are asked for.
    """

    results: tuple[tuple[str, R], ...] = ()
    damaged: tuple[tuple[str, CorruptionError], ...] = ()
    without_rows: tuple[str, ...] = ()


@frozen
class _Combination(Generic[R]):
    """The results of two neighbouring parts made one."""

    reduce: Callable[[R, R], R]

    def __call__(self, first: _Part[R], second: _Part[R]) -> _Part[R]:
        damaged = (*first.damaged, *second.damaged)
        if not first.results or not second.results:
            return _Part((*first.results, *second.results), damaged)
        ((path, left),), ((_, right),) = first.results, second.results
        return _Part(((path, self.reduce(left, right)),), damaged)


@frozen
class _Application(Generic[R]):
    """What is done to one partition."""

    function: Callable[..., R]
    schema: DatasetSchema
    fixed: collections.abc.Mapping[str, NDArray[Any]]
    on_error: OnError

    def unless_changed(self, plan: WindowPlan | RowsPlan, site: Site, arrays: Arrays) -> Work[_Part[R]]:
        """Return what comes of one partition; nothing where another writer has just changed it."""
        del site, arrays
        try:
            found = yield from self._reading(plan)
        except ConflictError:
            return _Part()
        return self._result(plan.path, found)

    def whole(self, plan: WindowPlan | RowsPlan, site: Site, arrays: Arrays) -> Work[_Part[R]]:
        """Return what comes of one partition.

        Raises
        ------
        ConflictError
            Another writer has just changed it.
        """
        del site, arrays
        return self._result(plan.path, (yield from self._reading(plan)))

    def _reading(self, plan: WindowPlan | RowsPlan) -> Work[Window | CorruptionError]:
        try:
            return (yield from plan.reading(self.schema, self.fixed))
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
