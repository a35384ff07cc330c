"""Work that asks for bytes as it goes, written once for every store.

A piece of work, a partition to read or to merge and stage, is a generator: it yields what it wants of the store and is
sent the answer. On a store with blocking access a worker thread runs it from beginning to end, and one after the other:
a thread costs one hop, however many partitions it handles. On any other store the requests are awaited on the event
loop, many pieces side by side, and what lies between two requests runs on a thread.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from anyio import from_thread
from attrs import define, field, frozen

from zcollection import config
from zcollection.contracts.store import Blocking, Listed, Objects, Read
from zcollection.engine.executor import gather, in_thread

R = TypeVar("R")


@frozen
class Fetch:
    """Wants the bytes of objects, None for those that do not exist."""

    reads: Sequence[Read]


@frozen
class Enumerate:
    """Wants the objects below a prefix whose keys are greater than another one."""

    prefix: str
    after: str = ""


@frozen
class Stage:
    """Wants objects written where nobody reads before they are published."""

    objects: Mapping[str, bytes]


@frozen
class Share:
    """Wants objects copied, each from its first key to its second."""

    pairs: Sequence[tuple[str, str]]


@frozen
class Remove:
    """Wants objects gone: those with these keys, or below one that ends with a slash."""

    keys: Sequence[str]


Request = Fetch | Enumerate | Stage | Share | Remove
Work = Generator[Request, Any, R]
"""Work that returns an R."""


def fetch(reads: Sequence[Read]) -> Work[list[bytes | None]]:
    """Return the bytes of objects."""
    if not reads:
        return []
    chunks: list[bytes | None] = yield Fetch(reads)
    return chunks


def enumerated(prefix: str, *, after: str = "") -> Work[list[Listed]]:
    """Return the objects below a prefix whose keys are greater than another one."""
    entries: list[Listed] = yield Enumerate(prefix, after)
    return entries


async def perform(
    store: Objects, works: Iterable[Work[R]], *, threads: int, progress: Callable[[], None] | None = None
) -> list[R]:
    """Run pieces of work and return their results, in order.

    The first failure stops the others and is raised as it is.

    Parameters
    ----------
    store
        What answers their requests.
    works
        The pieces; each is made when its turn comes.
    threads
        Threads that are worth using, where the store has blocking access.
    progress
        Called after each of them, on any thread.
    """
    queue = _Queue(iter(works), progress or (lambda: None))
    if (blocking := store.blocking) is not None:
        if threads == 1:
            await in_thread(_run_all, blocking, queue)
        else:
            await gather(lambda _: in_thread(_run_all, blocking, queue), range(threads), limit=threads)
        return queue.ordered()

    async def run_all(_: int) -> None:
        for position, work in queue:
            queue.done(position, await _run_on_loop(store, work))

    await gather(run_all, range(config.get().concurrency), limit=config.get().concurrency)
    return queue.ordered()


async def perform_one(store: Objects, work: Work[R]) -> R:
    """Run one piece of work and return its result."""
    if (blocking := store.blocking) is not None:
        return await in_thread(_run_here, blocking, work)
    return await _run_on_loop(store, work)


@define(eq=False)
class _Queue(Generic[R]):
    """Pieces of work, given out to whoever asks next, and their results."""

    _works: Iterator[Work[R]]
    _progress: Callable[[], None]
    _results: dict[int, R] = field(factory=dict)
    _given: int = 0
    _failed: bool = False
    _lock: threading.Lock = field(factory=threading.Lock)

    def __iter__(self) -> Iterator[tuple[int, Work[R]]]:
        return self

    def __next__(self) -> tuple[int, Work[R]]:
        with self._lock:
            if self._failed:
                raise StopIteration
            work = next(self._works)
            self._given += 1
            return self._given - 1, work

    def done(self, position: int, result: R) -> None:
        with self._lock:
            self._results[position] = result
            self._progress()

    def fail(self) -> None:
        self._failed = True

    def ordered(self) -> list[R]:
        return [self._results[position] for position in range(self._given)]


def _run_all(blocking: Blocking, queue: _Queue[R]) -> None:
    """Run pieces on this thread until there are no more."""
    try:
        for position, work in queue:
            queue.done(position, _run_here(blocking, work))
            from_thread.check_cancelled()
    except BaseException:
        queue.fail()
        raise


def _run_here(blocking: Blocking, work: Work[R]) -> R:
    answer: Any = None
    while True:
        try:
            request = work.send(answer)
        except StopIteration as end:
            result: R = end.value
            return result
        answer = _answer_here(blocking, request)


def _answer_here(blocking: Blocking, request: Request) -> Any:
    match request:
        case Fetch(reads):
            return blocking.get(reads)
        case Enumerate(prefix, after):
            return list(blocking.list(prefix, after=after, recursive=True))
        case Stage(objects):
            return blocking.stage(objects)
        case Share(pairs):
            return blocking.copy(pairs)
        case Remove(keys):
            return blocking.delete(keys)


async def _run_on_loop(store: Objects, work: Work[R]) -> R:
    answer: Any = None
    while True:
        request, result = await in_thread(_advance, work, answer)
        if request is None:
            return result  # type: ignore[return-value]  # None where there is a request
        answer = await _answer_on_loop(store, request)


def _advance(work: Work[R], answer: Any) -> tuple[Request | None, R | None]:
    """Run until the next request; a generator's end cannot pass through a thread as what it is."""
    try:
        return work.send(answer), None
    except StopIteration as end:
        return None, end.value


async def _answer_on_loop(store: Objects, request: Request) -> Any:
    match request:
        case Fetch(reads):
            return await store.get(reads)
        case Enumerate(prefix, after):
            return [entry async for entry in store.list(prefix, after=after, recursive=True)]
        case Stage(objects):
            return await store.stage(objects)
        case Share(pairs):
            return await store.copy(pairs)
        case Remove(keys):
            return await store.delete(keys)
