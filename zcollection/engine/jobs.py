"""The seam between what is done to partitions and where it runs: jobs, the site that they work on, and their executor."""

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
    """Where jobs read and write.

    Attributes
    ----------
    objects
        What answers their requests.
    """

    objects: Objects

    @property
    def travels(self) -> bool:
        """Whether other processes can work here."""
        return True

    def apart(self) -> Self:
        """Return what other processes can work on: it pickles."""
        return self

    def attempt(self) -> Self:
        """Return what one attempt at some jobs works on; no two attempts write to the same place."""
        return self

    def outcome(self) -> Any:
        """Return what a process that worked apart must hand back, besides the results of its jobs."""
        return None

    async def absorb(self, outcomes: Iterable[Any]) -> None:
        """Take over what processes that worked apart have handed back."""
        del outcomes  # all that they did is seen by all


@frozen
class ReadingSite(Site):
    """Objects that are only read."""

    objects: Objects


@frozen
class Job(Generic[S, R]):
    """What is done to one partition: a small value that pickles, whatever it is a part of.

    Attributes
    ----------
    function
        Returns the work, for a site and the arrays.
    arrays
        The partition's own arrays, if any; those of dask are computed where and when the job runs.
    """

    function: Callable[[S, Arrays], Work[R]]
    arrays: Arrays = field(factory=dict, eq=False, repr=False)

    def work(self, site: S) -> Work[R]:
        """Return the work on a site."""
        return (yield from self.function(site, computed(self.arrays)))


class Executor(ABC):
    """Where jobs run: on threads of this process, or on the workers of a cluster.

    Attributes
    ----------
    is_local
        Whether they share the memory of their caller.
    """

    is_local: ClassVar[bool] = False

    @abstractmethod
    def check_reaches(self, store: Store) -> None:
        """Raise `SettingError` where jobs would run in processes that cannot see a store."""

    @abstractmethod
    async def run(
        self, site: S, jobs: Iterable[Job[S, R]], *, total: int, label: str, threads: int, progress: Advance = None
    ) -> list[R]:
        """Run jobs, and return their results in order.

        The first failure stops the others and is raised as it is.

        Parameters
        ----------
        site
            What they work on.
        jobs
            Each is asked for when its turn comes.
        total
            How many there are.
        label
            What they do, such as "insert".
        threads
            Threads of this process that are worth using, where the store has blocking access.
        progress
            Called after each of them, on any thread.
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
        """Combine the results of neighbouring jobs, two at a time, until there is one; None where there are no jobs."""

    @abstractmethod
    async def compute(self, arrays: Arrays) -> Arrays:
        """Return arrays, those of dask computed together."""


@frozen
class LocalExecutor(Executor):
    """Threads of this process, and its event loop."""

    is_local: ClassVar[bool] = True

    def check_reaches(self, store: Store) -> None:
        """Accept every store: what this process has opened, it sees."""

    async def run(
        self, site: S, jobs: Iterable[Job[S, R]], *, total: int, label: str, threads: int, progress: Advance = None
    ) -> list[R]:
        """Run them side by side, each on one thread or between requests of the event loop."""
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
        """Combine neighbours as soon as both are there, so that few results are held at once."""
        del total, label
        results = AdjacentResults(combine)

        def combining(position: int, work: Work[R]) -> Work[None]:
            results.add(position, (yield from work))

        works = (combining(position, job.work(site)) for position, job in enumerate(jobs))
        await perform(site.objects, works, threads=threads, progress=progress)
        return results.whole()

    async def compute(self, arrays: Arrays) -> Arrays:
        """Compute them as dask does by default."""
        return await in_thread(computed, arrays)
