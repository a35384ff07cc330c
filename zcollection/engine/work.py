"""Work that asks for bytes as it goes, written once for every store.

A piece of work, a partition to read or to merge and stage, is a generator: it yields what it wants of the store and is
sent the answer. On a store with blocking access a worker thread runs it from beginning to end, and one after the other:
a thread costs one hop, however many partitions it handles. On any other store the requests are awaited on the event
loop, many pieces side by side, and what lies between two requests runs on a thread.
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
"""How many objects that are read at once are kept, of how many bytes at most each."""


@frozen
class Fetch:
    """Wants the bytes of objects, None for those that do not exist; of another store where there is a source.

    Attributes
    ----------
    reads
        Which.
    source
        The other store.
    held
        Where they are taken one after the other, how many are worth holding at once, if reading them takes no turns.
    """

    reads: Sequence[Read]
    source: Objects | None = None
    held: int | None = None


@frozen
class Enumerate:
    """Wants the objects below a prefix, of another store where there is a source, whose keys are greater than another one."""

    prefix: str
    source: Objects | None = None
    after: str = ""


@frozen
class Stage:
    """Wants objects written where nobody reads before they are published."""

    objects: Mapping[str, bytes | Pieces]


@frozen
class Create:
    """Wants new objects of a store of keys, and to know whether it was this that created all of them."""

    store: KeyStore
    objects: Mapping[str, bytes | Pieces]


@frozen
class Share:
    """Wants objects copied, each from its first key to its second."""

    pairs: Sequence[tuple[str, str]]


@frozen
class Remove:
    """Wants objects gone: those with these keys, or below one that ends with a slash."""

    keys: Sequence[str]


Request = Fetch | Enumerate | Stage | Create | Share | Remove
Work = Generator[Request, Any, R]
"""Work that returns an R."""


def fetch(reads: Sequence[Read], source: Objects | None = None) -> Work[list[bytes | None]]:
    """Return the bytes of objects, of another store where a source is given."""
    if not reads:
        return []
    chunks: list[bytes | None] = yield Fetch(reads, source)
    return chunks


def stream(reads: Sequence[Read], source: Objects | None = None, *, held: int) -> Work[Iterator[bytes | None]]:
    """Return the bytes of objects, of another store where a source is given, to be taken one after the other."""
    chunks: Iterable[bytes | None] = yield Fetch(reads, source, held=held)
    return iter(chunks)


def enumerated(prefix: str, source: Objects | None = None, *, after: str = "") -> Work[list[Listed]]:
    """Return the objects below a prefix, of another store where a source is given, whose keys are greater than another one."""
    entries: list[Listed] = yield Enumerate(prefix, source, after)
    return entries


def reading_once(work: Work[R], is_lasting: Callable[[str], bool]) -> Work[R]:
    """Run work in which few objects that stay what they are, by their keys, are read no more than once.

    What it reads of many objects at once, or of another store, is read as often as it asks.
    """
    known: dict[Read, bytes | None] = {}
    resume: Callable[[], Request] = partial(next, work)
    while True:
        try:
            request = resume()
        except StopIteration as end:
            result: R = end.value
            return result
        try:
            resume = partial(work.send, (yield from _answering_once(request, known, is_lasting)))
        except CorruptionError as damage:  # the work may get round it
            resume = partial(work.throw, damage)


def noting(work: Work[R], note: Callable[[Request], None]) -> Work[R]:
    """Run work, and say each of its requests before it is answered."""
    resume: Callable[[], Request] = partial(next, work)
    while True:
        try:
            request = resume()
        except StopIteration as end:
            result: R = end.value
            return result
        note(request)
        try:
            resume = partial(work.send, (yield request))
        except CorruptionError as damage:  # the work may get round it
            resume = partial(work.throw, damage)


def _answering_once(
    request: Request, known: dict[Read, bytes | None], is_lasting: Callable[[str], bool]
) -> Generator[Request, Any, Any]:
    """Return the answer to a request; `known` is what earlier answers had of objects that stay what they are."""
    if not isinstance(request, Fetch) or request.source is not None or len(request.reads) > _FEW:
        return (yield request)
    answers = dict(known)
    missing = [read for read in request.reads if read not in answers]
    answers |= zip(missing, (yield from fetch(missing)), strict=True)
    for read in missing:
        data = answers[read]
        if data is not None and len(data) <= _SMALL and is_lasting(read.key):
            known[read] = data
    return [answers[read] for read in request.reads]


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
        return await in_thread(_run_here, blocking, work, from_thread.run)
    await portal.on_loop()
    return await _run_on_loop(store, work)


def perform_here(store: Objects, works: Iterable[Work[R]]) -> Iterator[R]:
    """Run pieces of work on this thread, one after the other, and yield their results.

    For threads that somebody else manages: what lies between two requests runs on the caller's own.
    """
    blocking = store.blocking
    for work in works:
        yield _run_between_requests(store, work) if blocking is None else _run_here(blocking, work, portal.run)


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
        except CorruptionError as damage:  # the work may get round it
            resume = partial(work.throw, damage)


_OnLoop = Callable[[Callable[[Objects, Request], Coroutine[Any, Any, Any]], Objects, Request], Any]
"""Runs an asynchronous function for a thread that waits for it."""


def _answer_here(blocking: Blocking, request: Request, on_loop: _OnLoop) -> Any:
    source = _source(request)
    if source is not None and (source.blocking is None or isinstance(request, Create)):
        return on_loop(_answer_on_loop, source, request)
    asked = blocking if source is None or source.blocking is None else source.blocking
    match request:
        case Fetch(reads, _, held):
            return asked.get(reads) if held is None else _streamed(asked, reads, held)
        case Enumerate(prefix, _, after):
            return list(asked.list(prefix, after=after, recursive=True))
        case Stage(objects):
            takes_pieces = getattr(asked, "takes_pieces", False)
            return asked.stage(objects if takes_pieces else _joined(objects))  # type: ignore[arg-type]  # it says so
        case Share(pairs):
            return asked.copy(pairs)
        case Remove(keys):
            return asked.delete(keys)


def _streamed(blocking: Blocking, reads: Sequence[Read], held: int) -> Iterator[bytes | None]:
    for first in range(0, len(reads), held):
        yield from blocking.get(reads[first : first + held])


def _source(request: Request) -> Objects | None:
    if isinstance(request, Create):
        return request.store
    return request.source if isinstance(request, Fetch | Enumerate) else None


async def _run_on_loop(store: Objects, work: Work[R]) -> R:
    resume: Callable[[], Request] = partial(next, work)
    while True:
        request, result = await in_thread(_advanced, resume)
        if request is None:
            return cast("R", result)  # None where there is a request
        try:
            resume = partial(work.send, await _answer_on_loop(store, request))
        except CorruptionError as damage:  # as above
            resume = partial(work.throw, damage)


def _advanced(resume: Callable[[], Request]) -> tuple[Request | None, Any]:
    """Run until the next request; a generator's end cannot pass through a thread as what it is."""
    try:
        return resume(), None
    except StopIteration as end:
        return None, end.value


async def _answer_on_loop(store: Objects, request: Request) -> Any:
    source = _source(request)
    asked = store if source is None else source
    match request:
        case Fetch(reads):
            return await asked.get(reads)
        case Enumerate(prefix, _, after):
            return [entry async for entry in asked.list(prefix, after=after, recursive=True)]
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
    """Create objects, and return whether each of them was known to be created by this."""

    async def create(key: str) -> bool:
        return await store.create(key, bytes(objects[key])) == "created"

    return all(await gather(create, list(objects), limit=config.get().concurrency))
