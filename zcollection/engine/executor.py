"""Where work runs: user code and codecs on worker threads, partitions side by side up to a limit."""

import functools
from collections.abc import Awaitable, Callable, Iterable
from typing import ParamSpec, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from zcollection import config
from zcollection.contracts.store import KeyStore

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


def parallelism(store: KeyStore) -> int:
    """Return how many partitions are worth handling at once: as many as threads, or as requests in flight."""
    settings = config.get()
    return settings.concurrency if store.blocking is None else settings.threads


async def in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run blocking code on a worker thread.

    Each call brings a limiter of its own: user code that calls zcollection again must never wait for a thread that its
    own caller holds. How many calls run at once is for `gather` to bound.
    """
    return await to_thread.run_sync(functools.partial(function, *args, **kwargs), limiter=CapacityLimiter(1))


async def gather(function: Callable[[T], Awaitable[R]], items: Iterable[T], *, limit: int) -> list[R]:
    """Run an asynchronous function on every item, at most `limit` at once, and return the results in order.

    The first failure cancels the others and is raised as it is.
    """
    pending = list(enumerate(items))
    results: dict[int, R] = {}
    queue = iter(pending)

    async def worker() -> None:
        for position, item in queue:
            results[position] = await function(item)

    try:
        async with anyio.create_task_group() as group:
            for _ in range(min(limit, len(pending))):
                group.start_soon(worker)
    except BaseExceptionGroup as failures:
        raise first_failure(failures) from None
    return [results[position] for position in range(len(pending))]


def first_failure(failure: BaseException) -> BaseException:
    """Return the first exception inside a group of them, at any depth."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
