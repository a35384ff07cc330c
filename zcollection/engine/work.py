"""Work on partitions as generators that request bytes from a store, written once for every kind of store.

One piece of work, such as reading one partition, or merging and staging it, is a generator: it yields requests to the
store and is sent the answers. On a store with blocking access a worker thread runs many pieces from beginning to end,
one after the other, so the cost of switching threads is paid once. On any other store the event loop awaits the
requests of many pieces concurrently, and the code between two requests runs on a thread.
"""

import threading
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, Generic, TypeVar, cast

from anyio import from_thread
from attrs import define, field, frozen

from zcollection import config, portal
from zcollection.contracts.objects import Blocking, Listed, Objects, Pieces, Read
from zcollection.contracts.store import KeyStore
from zcollection.engine.executor import gather, in_thread
from zcollection.errors import CorruptionError

R = TypeVar("R")

_FEW: Final = 16
_SMALL: Final = 2**20
"""Limits of what `caching_reads` caches: the number of objects in one request, and the size of each."""


@frozen
class Fetch:
    """Request the bytes of objects; the answer has None for those that do not exist.

    Attributes
    ----------
    reads
        The reads.
    source
        Another store to read from; None for the store on which the work runs.
    buffered
        If the answer is consumed as a stream, how many objects to read at a time on a blocking store; None for all.
    """

    reads: Sequence[Read]
    source: Objects | None = None
    buffered: int | None = None


@frozen
class Enumerate:
    """Request the list of the objects under a prefix with keys greater than `after`; of another store if `source` is given."""

    prefix: str
    source: Objects | None = None
    after: str = ""


@frozen
class Stage:
    """Request to write objects that no reader can see before they are published."""

    objects: Mapping[str, bytes | Pieces]


@frozen
class Create:
    """Request to create objects in a key-value store; the answer is True only if this request is known to have created all of them."""

    store: KeyStore
    objects: Mapping[str, bytes | Pieces]


@frozen
class Share:
    """Request to copy objects, given as pairs of the source key and the target key."""

    pairs: Sequence[tuple[str, str]]


@frozen
class Remove:
    """Request to delete the objects with these keys, and those under keys that end with a slash."""

    keys: Sequence[str]


Request = Fetch | Enumerate | Stage | Create | Share | Remove
Work = Generator[Request, Any, R]
"""A piece of work that returns an R."""


def fetch(reads: Sequence[Read], source: Objects | None = None) -> Work[list[bytes | None]]:
    """Return the bytes of objects; of another store if `source` is given."""
    if not reads:
        return []
    chunks: list[bytes | None] = yield Fetch(reads, source)
    return chunks


def stream(reads: Sequence[Read], source: Objects | None = None, *, buffered: int) -> Work[Iterator[bytes | None]]:
    """Return an iterator over the bytes of objects, `buffered` of them in memory at a time on a blocking store."""
    chunks: Iterable[bytes | None] = yield Fetch(reads, source, buffered=buffered)
    return iter(chunks)


def enumerated(prefix: str, source: Objects | None = None, *, after: str = "") -> Work[list[Listed]]:
    """Return the objects under a prefix with keys greater than `after`; of another store if `source` is given."""
    entries: list[Listed] = yield Enumerate(prefix, source, after)
    return entries


def caching_reads(work: Work[R], is_immutable: Callable[[str], bool]) -> Work[R]:
    """Run work with a cache: immutable objects that it reads repeatedly are requested once.

    Requests for many objects, or to another store, are not cached.

    Parameters
    ----------
    work
        The work.
    is_immutable
        Whether an object with a key never changes.
    """
    known: dict[Read, bytes | None] = {}
    return _relayed(work, lambda request: _answering_once(request, known, is_immutable))


def observing(work: Work[R], note: Callable[[Request], None]) -> Work[R]:
    """Run work, and call `note` with each of its requests before the request is answered."""

    def observed(request: Request) -> Generator[Request, Any, Any]:
        note(request)
        return (yield request)

    return _relayed(work, observed)


def _relayed(work: Work[R], answering: Callable[[Request], Generator[Request, Any, Any]]) -> Work[R]:
    """Run work whose requests are answered by the work that `answering` returns."""
    resume: Callable[[], Request] = partial(next, work)
    while True:
        try:
            request = resume()
        except StopIteration as end:
            result: R = end.value
            return result
        try:
            resume = partial(work.send, (yield from answering(request)))
        except CorruptionError as damage:  # the work may handle it
            resume = partial(work.throw, damage)


def _answering_once(
    request: Request, known: dict[Read, bytes | None], is_immutable: Callable[[str], bool]
) -> Generator[Request, Any, Any]:
    """Return the answer to a request; `known` caches the contents of immutable objects from earlier answers."""
    if not isinstance(request, Fetch) or request.source is not None or len(request.reads) > _FEW:
        return (yield request)
    answers = dict(known)
    missing = [read for read in request.reads if read not in answers]
    answers |= zip(missing, (yield from fetch(missing)), strict=True)
    for read in missing:
        data = answers[read]
        if data is not None and len(data) <= _SMALL and is_immutable(read.key):
            known[read] = data
    return [answers[read] for read in request.reads]


async def perform(
    store: Objects, works: Iterable[Work[R]], *, threads: int, progress: Callable[[], None] | None = None
) -> list[R]:
    """Run pieces of work and return their results, in order.

    The first failure stops the other pieces, and is raised unchanged.

    Parameters
    ----------
    store
        The store that answers the requests.
    works
        The pieces of work; the iterator is advanced when one can run.
    threads
        Number of threads to use, if the store has blocking access.
    progress
        Called after each piece, on any thread.
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
        return await in_thread(_run_here, blocking, work, from_thread.run)
    await portal.on_loop()
    return await _run_on_loop(store, work)


def perform_here(store: Objects, works: Iterable[Work[R]]) -> Iterator[R]:
    """Run pieces of work on this thread, one after the other, and yield their results.

    For threads that the caller manages, such as those of a Dask worker: the code between two requests runs on them.
    """
    blocking = store.blocking
    for work in works:
        yield _run_between_requests(store, work) if blocking is None else _run_here(blocking, work, portal.run)


@define(eq=False)
class _Queue(Generic[R]):
    """Pieces of work, handed out to the next free thread or task, and their results."""

    _works: Iterator[Work[R]]
    _progress: Callable[[], None]
    _results: dict[int, R] = field(factory=dict)
    _started: int = 0
    _failed: bool = False
    _lock: threading.Lock = field(factory=threading.Lock)

    def __iter__(self) -> Iterator[tuple[int, Work[R]]]:
        return self

    def __next__(self) -> tuple[int, Work[R]]:
        with self._lock:
            if self._failed:
                raise StopIteration
            work = next(self._works)
            self._started += 1
            return self._started - 1, work

    def done(self, position: int, result: R) -> None:
        with self._lock:
            self._results[position] = result
            self._progress()

    def fail(self) -> None:
        self._failed = True

    def ordered(self) -> list[R]:
        return [self._results[position] for position in range(self._started)]


def _run_all(blocking: Blocking, queue: _Queue[R]) -> None:
    """Run pieces on this thread until there are no more."""
    try:
        for position, work in queue:
            queue.done(position, _run_here(blocking, work, from_thread.run))
            from_thread.check_cancelled()
    except BaseException:
        queue.fail()
        raise


def _run_here(blocking: Blocking, work: Work[R], on_loop: "_OnLoop") -> R:
    return _drive(work, lambda request: _answer_here(blocking, request, on_loop))


def _run_between_requests(store: Objects, work: Work[R]) -> R:
    return _drive(work, lambda request: portal.run(_answer_on_loop, store, request))


def _drive(work: Work[R], answering: Callable[[Request], Any]) -> R:
    resume: Callable[[], Request] = partial(next, work)
    while True:
        try:
            request = resume()
        except StopIteration as end:
            result: R = end.value
            return result
        try:
            resume = partial(work.send, answering(request))
        except CorruptionError as damage:  # the work may handle it
            resume = partial(work.throw, damage)


_OnLoop = Callable[[Callable[[Objects, Request], Coroutine[Any, Any, Any]], Objects, Request], Any]
"""Runs an asynchronous function on the event loop, for a thread that waits for the result."""


def _answer_here(blocking: Blocking, request: Request, on_loop: _OnLoop) -> Any:
    source = _source(request)
    if source is not None and (source.blocking is None or isinstance(request, Create)):
        return on_loop(_answer_on_loop, source, request)
    store = blocking if source is None or source.blocking is None else source.blocking
    match request:
        case Fetch(reads, _, buffered):
            return store.get(reads) if buffered is None else _streamed(store, reads, buffered)
        case Enumerate(prefix, _, after):
            return list(store.list(prefix, after=after, recursive=True))
        case Stage(objects):
            takes_pieces = getattr(store, "takes_pieces", False)
            return store.stage(objects if takes_pieces else _joined(objects))  # type: ignore[arg-type]  # as declared
        case Share(pairs):
            return store.copy(pairs)
        case Remove(keys):
            return store.delete(keys)


def _streamed(blocking: Blocking, reads: Sequence[Read], buffered: int) -> Iterator[bytes | None]:
    for first in range(0, len(reads), buffered):
        yield from blocking.get(reads[first : first + buffered])


def _source(request: Request) -> Objects | None:
    if isinstance(request, Create):
        return request.store
    return request.source if isinstance(request, Fetch | Enumerate) else None


async def _run_on_loop(store: Objects, work: Work[R]) -> R:
    resume: Callable[[], Request] = partial(next, work)
    while True:
        request, result = await in_thread(_advanced, resume)
        if request is None:
            return cast("R", result)  # None if there is a request
        try:
            resume = partial(work.send, await _answer_on_loop(store, request))
        except CorruptionError as damage:  # as above
            resume = partial(work.throw, damage)


def _advanced(resume: Callable[[], Request]) -> tuple[Request | None, Any]:
    """Run until the next request; StopIteration is converted, because it cannot be raised through a thread's future."""
    try:
        return resume(), None
    except StopIteration as end:
        return None, end.value


async def _answer_on_loop(store: Objects, request: Request) -> Any:
    source = _source(request)
    target = store if source is None else source
    match request:
        case Fetch(reads):
            return await target.get(reads)
        case Enumerate(prefix, _, after):
            return [entry async for entry in target.list(prefix, after=after, recursive=True)]
        case Stage(objects):
            return await store.stage(_joined(objects))
        case Create(creating, objects):
            return await _created(creating, objects)
        case Share(pairs):
            return await store.copy(pairs)
        case Remove(keys):
            return await store.delete(keys)


def _joined(objects: Mapping[str, bytes | Pieces]) -> dict[str, bytes]:
    return {key: data if isinstance(data, bytes) else bytes(data) for key, data in objects.items()}


async def _created(store: KeyStore, objects: Mapping[str, bytes | Pieces]) -> bool:
    """Create objects, and return whether this call is known to have created all of them."""

    async def create(key: str) -> bool:
        return await store.create(key, bytes(objects[key])) == "created"

    return all(await gather(create, list(objects), limit=config.get().concurrency))
