"""Jobs, the site that they read and write, and executors, which separate the work on partitions from where it runs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Generic, Self, TypeVar

from attrs import field, frozen

from zcollection.contracts.objects import Objects
from zcollection.contracts.store import Store
from zcollection.engine.dask_arrays import computed
from zcollection.engine.executor import in_thread
from zcollection.engine.reduction import AdjacentResults
from zcollection.engine.work import Work, perform

S = TypeVar("S", bound="Site")
R = TypeVar("R")
Arrays = Mapping[str, Any]
Advance = Callable[[], None] | None


class Site(ABC):
    """The storage that jobs read and write.

    Attributes
    ----------
    objects
        The store that answers their requests.
    """

    objects: Objects

    @property
    def supports_workers(self) -> bool:
        """Whether jobs on this site can run in other processes."""
        return True

    def for_workers(self) -> Self:
        """Return a site for other processes, which can be pickled."""
        return self

    def attempt(self) -> Self:
        """Return a site for one attempt at some jobs; no two attempts write under the same prefix."""
        return self

    def outcome(self) -> Any:
        """Return the value that a worker process must send back, in addition to the results of its jobs."""
        return None

    async def absorb(self, outcomes: Iterable[Any]) -> None:
        """Add the outcomes of worker processes to this site."""
        del outcomes  # what the workers wrote is visible to all processes


@frozen
class ReadingSite(Site):
    """A site that is only read."""

    objects: Objects


@frozen
class Job(Generic[S, R]):
    """The work on one partition, as a small value that can be pickled.

    Attributes
    ----------
    function
        Returns the work, given a site and the arrays.
    arrays
        The arrays of this partition, if any; Dask arrays are computed where and when the job runs.
    """

    function: Callable[[S, Arrays], Work[R]]
    arrays: Arrays = field(factory=dict, eq=False, repr=False)

    def work(self, site: S) -> Work[R]:
        """Return the work of this job on a site."""
        return (yield from self.function(site, computed(self.arrays)))


class Executor(ABC):
    """Runs jobs: on threads of this process, or on the workers of a cluster.

    Attributes
    ----------
    is_local
        Whether the jobs share the memory of their caller.
    """

    is_local: ClassVar[bool] = False

    @abstractmethod
    def check_reaches(self, store: Store) -> None:
        """Raise `SettingError` if jobs would run in processes that cannot access a store."""

    @abstractmethod
    async def run(
        self, site: S, jobs: Iterable[Job[S, R]], *, total: int, label: str, threads: int, progress: Advance = None
    ) -> list[R]:
        """Run jobs, and return their results in order.

        The first failure stops the other jobs, and is raised unchanged.

        Parameters
        ----------
        site
            The site that they read and write.
        jobs
            The jobs; the iterator is advanced when one can run.
        total
            The number of jobs.
        label
            The name of the operation, such as "insert".
        threads
            Number of threads of this process to use, if the store has blocking access.
        progress
            Called after each job, on any thread.
        """

    @abstractmethod
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
        """Combine the results of neighbouring jobs in pairs until one is left, and return it; None if there are no jobs."""

    @abstractmethod
    async def compute(self, arrays: Arrays) -> Arrays:
        """Return arrays with the Dask arrays computed together."""


@frozen
class LocalExecutor(Executor):
    """Runs jobs on threads of this process, and on its event loop."""

    is_local: ClassVar[bool] = True

    def check_reaches(self, store: Store) -> None:
        """Accept every store: this process has opened it."""

    async def run(
        self, site: S, jobs: Iterable[Job[S, R]], *, total: int, label: str, threads: int, progress: Advance = None
    ) -> list[R]:
        """Run jobs concurrently, on threads or on the event loop."""
        del total, label
        return await perform(site.objects, (job.work(site) for job in jobs), threads=threads, progress=progress)

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
        """Combine neighbouring results as soon as both exist, so that few are in memory at the same time."""
        del total, label
        results = AdjacentResults(combine)

        def combining(position: int, work: Work[R]) -> Work[None]:
            results.add(position, (yield from work))

        works = (combining(position, job.work(site)) for position, job in enumerate(jobs))
        await perform(site.objects, works, threads=threads, progress=progress)
        return results.result()

    async def compute(self, arrays: Arrays) -> Arrays:
        """Compute the Dask arrays with the default scheduler."""
        return await in_thread(computed, arrays)
