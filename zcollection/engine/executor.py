"""Threads and concurrency: user code and codecs run on worker threads, and partitions concurrently up to a limit."""

import functools
import math
from collections.abc import Awaitable, Callable, Iterable
from typing import ParamSpec, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from zcollection import config, portal
from zcollection.contracts.objects import Objects
from zcollection.engine.layout import ArrayLayout
from zcollection.model.schema import DatasetSchema

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


_LARGE_CHUNK = 128 * 1024
"""Size of a chunk in bytes from which several threads are used: they decode smaller chunks more slowly than one thread."""


def parallelism(store: Objects) -> int:
    """Return how many requests to send concurrently: on a blocking store as many as threads, because each needs a thread."""
    settings = config.get()
    return settings.concurrency if store.blocking is None else settings.threads


def worthwhile_threads(schema: DatasetSchema, dimension: str, rows: int) -> int:
    """Return the number of threads to use for partitions of `rows` rows: one unless their chunks are large."""
    layouts = [ArrayLayout.of(schema, path, dimension=dimension, rows=rows) for path in schema.all_variables()]
    size = sum(math.prod(layout.shape) * layout.variable.stored_dtype.itemsize for layout in layouts)
    chunks = sum(layout.chunk_count for layout in layouts)
    return config.get().threads if size >= _LARGE_CHUNK * chunks else 1


async def in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run blocking code on a worker thread.

    Each call has its own capacity limiter: user code that calls zcollection again must never wait for a thread that its
    own caller occupies. `gather` limits how many calls run concurrently. Work that began on the thread of a blocking caller
    continues on that thread.
    """
    if portal.is_callers_thread():
        return function(*args, **kwargs)
    return await to_thread.run_sync(functools.partial(function, *args, **kwargs), limiter=CapacityLimiter(1))


async def gather(function: Callable[[T], Awaitable[R]], items: Iterable[T], *, limit: int) -> list[R]:
    """Run an asynchronous function on every item, at most `limit` concurrently, and return the results in order.

    The first failure cancels the other calls, and is raised unchanged.
    """
    await portal.on_loop()
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
