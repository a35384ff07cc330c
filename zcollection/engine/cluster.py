"""Runs jobs on the workers of a Dask cluster, several jobs in each task."""

import asyncio
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from inspect import isawaitable
from itertools import chain, islice
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from anyio import from_thread
from attrs import define, field, frozen

from zcollection.contracts.store import Store
from zcollection.engine.dask_arrays import BlockRows, is_dask, received
from zcollection.engine.executor import in_thread
from zcollection.engine.jobs import Advance, Arrays, Executor, Job, LocalExecutor, Site
from zcollection.engine.parcel import Parcel
from zcollection.engine.work import perform_here
from zcollection.errors import ClusterError, SettingError, ZCollectionError

S = TypeVar("S", bound=Site)
R = TypeVar("R")

_LARGEST_BATCH: Final = 16
"""Largest number of jobs in one task: the overhead of a task is then negligible, and larger tasks spread the work less evenly."""

_ROUNDS: Final = 4
"""Smallest number of tasks for each thread of the cluster, so that all threads finish at about the same time."""

_FAN_IN: Final = 8
"""Number of results that one task of a reduction combines."""

_POLL: Final = 0.2
"""Seconds between two checks for a cancellation by the caller."""


@frozen
class DaskExecutor(Executor):
    """Runs jobs on the workers of a Dask cluster.

    Attributes
    ----------
    client
        The `distributed.Client` of the cluster.
    """

    client: Any  # most of dask is untyped

    def check_reaches(self, store: Store) -> None:
        """Raise `SettingError` for a store in the memory of one process, unless the workers are threads of this process."""
        if store.cross_process or self.client.scheduler.address.startswith("inproc://"):
            return
        message = (
            f"{store.url} is in the memory of one process, where the workers of a cluster cannot access it; accepted: "
            f"client=None, or a store that other processes can open"
        )
        raise SettingError(message)

    async def run(
        self, site: S, jobs: Iterable[Job[S, R]], *, total: int, label: str, threads: int, progress: Advance = None
    ) -> list[R]:
        """Run jobs in tasks named after the label, and let the site absorb what the workers wrote."""
        if not site.supports_workers:
            local = LocalExecutor()
            return await local.run(site, jobs, total=total, label=label, threads=threads, progress=progress)
        batches = self._batches(site.for_workers(), jobs, total)
        answers = await in_thread(_Tasks(self.client, label, progress).gathered, batches, await in_thread(self._window))
        await site.absorb(outcome for _, outcome in answers)
        return [result for results, _ in answers for result in results]

    async def reduce(
        self,
        site: S,
        jobs: Iterable[Job[S, R]],
        combine: Callable[[R, R], R],
        *,
        total: int,
        label: str,
        threads: int,
        progress: Advance = None,
    ) -> R | None:
        """Combine the results within each task, then those of the tasks in a tree of further tasks; return one result."""
        del threads
        batches = self._batches(site.for_workers(), jobs, total, combine)
        return await in_thread(
            _Tasks(self.client, label, progress).reduced, batches, await in_thread(self._window), combine
        )

    async def compute(self, arrays: Arrays) -> Arrays:
        """Compute the Dask arrays on the cluster."""
        lazy = {name: values for name, values in arrays.items() if is_dask(values)}
        if not lazy:
            return arrays
        values = await in_thread(
            lambda: _settled(self.client, self.client.gather(self.client.compute(list(lazy.values()))))
        )
        return {**arrays, **dict(zip(lazy, values, strict=True))}

    def _window(self) -> int:
        """Return how many tasks to have submitted at the same time."""
        return 2 * self._slots() + 2

    def _slots(self) -> int:
        threads: list[int] = list(_settled(self.client, self.client.nthreads()).values())
        return max(sum(threads), 1)

    def _batches(
        self, site: S, jobs: Iterable[Job[S, R]], total: int, combine: Callable[[R, R], R] | None = None
    ) -> Iterator["_Batch"]:
        size = min(max(total // (_ROUNDS * self._slots()), 1), _LARGEST_BATCH)
        supply = iter(jobs)
        while chosen := list(islice(supply, size)):
            yield _Batch.of(site, chosen, combine)


@frozen
class _Batch:
    """The jobs of one task.

    Attributes
    ----------
    size
        The number of jobs.
    parcel
        The site, the jobs, and the function that combines their results, pickled.
    parts
        Rows of Dask arrays that the jobs need; other tasks compute them.
    """

    size: int
    parcel: Parcel
    parts: tuple[BlockRows, ...]

    @classmethod
    def of(cls, site: Site, jobs: Sequence[Job[Any, Any]], combine: Callable[[Any, Any], Any] | None) -> "_Batch":
        parts = tuple(values for job in jobs for values in job.arrays.values() if isinstance(values, BlockRows))
        bare = [
            Job(job.function, {path: _without_graph(values) for path, values in job.arrays.items()}) for job in jobs
        ]
        return cls(len(jobs), Parcel.of((site, bare, combine)), parts)

    @property
    def keys(self) -> list[Any]:
        """The keys of the blocks that contain these rows."""
        return [key for part in self.parts for key in part.keys]


def _without_graph(values: Any) -> Any:
    return values.without_graph() if isinstance(values, BlockRows) else values


def _run_batch(parcel: Parcel, blocks: list[Any]) -> Any:
    """Run the jobs of one task; on a worker."""
    site, jobs, combine = parcel.open()
    attempt, supply = site.attempt(), iter(blocks)
    works = (Job(job.function, received(job.arrays, supply)).work(attempt) for job in jobs)
    results = perform_here(attempt.objects, works)
    try:
        return (list(results), attempt.outcome()) if combine is None else _folded(combine, results)
    except ZCollectionError as error:
        failure = type(error)(*error.args)
    # Without its cause: a chain of causes may be too deep to pickle, and Dask would then replace it by a string.
    raise failure


def _combine(parcel: Parcel, *results: Any) -> Any:
    """Combine the results of several tasks; on a worker."""
    return _folded(parcel.open(), iter(results))


def _folded(combine: Callable[[Any, Any], Any], results: Iterator[Any]) -> Any:
    folded = next(results)
    for result in results:
        folded = combine(folded, result)
    return folded


@define(eq=False)
class _Tasks:
    """The tasks of one operation; every method blocks, on a thread that may be cancelled."""

    _client: Any  # most of dask is untyped
    _label: str
    _progress: Advance
    _token: str = field(factory=lambda: f"0{uuid.uuid4().hex}", init=False)
    _finished: SimpleQueue[Any] = field(factory=SimpleQueue, init=False)
    _sizes: dict[str, int] = field(factory=dict, init=False)
    _running: dict[str, Any] = field(factory=dict, init=False)

    def gathered(self, batches: Iterator[_Batch], window: int) -> list[Any]:
        """Return the results of batches, in order; each is released on the cluster as soon as it has been received."""
        answers: dict[str, Any] = {}

        def collect(finished: list[Any]) -> None:
            answers.update(zip((task.key for task in finished), self._results(finished), strict=True))

        with self._cancelled_on_failure():
            self._submit_all(batches, window, collect)
        return [answers[key] for key in self._sizes]

    def reduced(self, batches: Iterator[_Batch], window: int, combine: Callable[[Any, Any], Any]) -> Any:
        """Return the combined result of all batches; None if there are no batches."""
        tasks_by_key: dict[str, Any] = {}

        def collect(finished: list[Any]) -> None:
            self._raise_failures(finished)
            tasks_by_key.update({task.key: task for task in finished})

        with self._cancelled_on_failure():
            self._submit_all(batches, window, collect)
            parcel, level, tasks = Parcel.of(combine), 0, [tasks_by_key.pop(key) for key in self._sizes]
            while len(tasks) > 1:
                level += 1
                tasks = [
                    self._client.submit(_combine, parcel, *group, key=self._key("reduce", level, number))
                    for number, group in enumerate(_groups(tasks))
                ]
            if not tasks:
                return None
            self._watch(tasks[0], 0)
            self._wait(self._raise_failures)
            return self._results(tasks)[0]

    def _key(self, *parts: object) -> str:
        return "-".join(map(str, ["zcollection", self._label, self._token, *parts]))

    def _submit_all(self, batches: Iterator[_Batch], window: int, collect: Callable[[list[Any]], None]) -> None:
        """Submit batches, at most `window` at a time, and pass finished tasks to `collect`."""
        first = next(batches, None)
        if first is not None and first.parts:
            # Submitted together: only then does Dask compute once a block that several batches need.
            self._submit_lazy([first, *batches])
        for batch in () if first is None or first.parts else chain([first], batches):
            self._submit(batch)
            while len(self._running) >= window:
                self._wait(collect)
        while self._running:
            self._wait(collect)

    def _submit(self, batch: _Batch) -> None:
        with _any_size():
            task = self._client.submit(_run_batch, batch.parcel, [], key=self._key(len(self._sizes)))
        self._watch(task, batch.size)

    def _submit_lazy(self, batches: Sequence[_Batch]) -> None:
        """Submit batches together with the tasks that compute their rows."""
        tasks = {self._key(number): batch for number, batch in enumerate(batches)}
        graph = dict(batches[0].parts[0].graph)
        graph |= {key: (_run_batch, batch.parcel, batch.keys) for key, batch in tasks.items()}
        with _any_size():
            futures = self._client.get(graph, list(tasks), sync=False)
        for task, batch in zip(futures, batches, strict=True):
            self._watch(task, batch.size)

    def _watch(self, task: Any, size: int) -> None:
        self._sizes[task.key] = size
        self._running[task.key] = task
        task.add_done_callback(self._finished.put)

    def _wait(self, collect: Callable[[list[Any]], None]) -> None:
        """Wait for at least one task, or until the caller cancels."""
        finished: list[Any] = []
        while not finished or not self._finished.empty():
            try:
                finished.append(self._finished.get(timeout=_POLL))
            except Empty:
                from_thread.check_cancelled()
        collect(finished)
        for task in finished:
            del self._running[task.key]
            for _ in range(self._sizes[task.key] if self._progress is not None else 0):
                self._progress()  # type: ignore[misc]  # it is not None

    def _raise_failures(self, finished: list[Any]) -> None:
        failed = [task for task in finished if task.status != "finished"]
        if failed:
            self._results(failed)

    def _results(self, finished: list[Any]) -> list[Any]:
        from distributed import CancelledError
        from distributed.scheduler import KilledWorker

        try:
            results: list[Any] = _settled(self._client, self._client.gather(finished))
        except KilledWorker as error:
            message = (
                f"{error.allowed_failures + 1} workers died while they ran the {self._label}; nothing was written: check "
                f"their logs (they may have run out of memory), and run the operation again"
            )
            raise ClusterError(message) from error
        except CancelledError as error:
            message = f"the cluster lost the {self._label}: {error}; nothing was written, run the operation again"
            raise ClusterError(message) from error
        return results

    @contextmanager
    def _cancelled_on_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            _settled(self._client, self._client.cancel(list(self._running.values()), force=True))
            raise


def _settled(client: Any, answer: Any) -> Any:
    """Return the answer of a client; an asynchronous one is awaited, blocking this thread."""
    if not isawaitable(answer):
        return answer

    async def awaited() -> Any:
        return await answer

    return asyncio.run_coroutine_threadsafe(awaited(), client.loop.asyncio_loop).result()


def _groups(tasks: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(tasks), _FAN_IN):
        yield tasks[start : start + _FAN_IN]


def _any_size() -> AbstractContextManager[Any]:
    """Return a context in which Dask does not warn of large tasks: they are as large as their partitions."""
    import dask

    return dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"})
