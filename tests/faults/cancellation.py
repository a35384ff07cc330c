"""Tasks cancelled at one of their steps after the other: ``python tests/faults/cancellation.py``.

Each verb of a collection, and the refresh of a view, is held before one of its steps: a call of the system, a request, an
await. There its task is cancelled, by asyncio, twice by asyncio, by anyio, or by the end of its event loop. While it is held nobody else
acts, or a reader reads, or another writer begins. Then it goes on. Afterwards a reader sees all of the change or nothing, and
all of it where the task was told so; what the other writer was told is there; the next writer works; a verification finds
nothing wrong.
"""

import argparse
import asyncio
import shutil
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from itertools import count, product
from pathlib import Path
from typing import Any, ClassVar

import anyio
import judging
import ledger
import operations
import running
from attrs import define, field, frozen

import zcollection as zc
from zcollection.plugin import StoreURL
from zcollection.registry.registry import REGISTRY
from zcollection.testing.servers import Server, running_ministack
from zcollection.transaction.log import leases

sys.path.append(str(running.HERE.parent / "support"))
import stepping
from bucket import BUCKETS, BucketStore

NEVER = 10**9
BASE, SOURCE = "memory://base-of-a-view", "memory://source-of-a-copy"
Place = Any
"""A path, a URL or a store."""


class Patient(leases.Clock):
    """The time as it is; who waits for a lease looks again at once."""

    async def sleep(self, seconds: float) -> None:
        stepping.waits.happened.set()
        await anyio.sleep(min(seconds, 0.001))


@define
class Bench:
    """Where operations run: makes places that are as another one was.

    Attributes
    ----------
    work
        A directory.
    """

    instrumented: ClassVar[Callable[[], AbstractContextManager[None]]]
    lacks: ClassVar[frozenset[str]] = frozenset()

    work: Path
    _numbers: Iterator[int] = field(factory=count)

    def place(self) -> Place:
        raise NotImplementedError

    def copy(self, place: Place) -> Place:
        raise NotImplementedError

    def watched(self, place: Place) -> Place:
        """Return a place whose steps are seen."""
        return place

    def forget(self, place: Place) -> None:
        shutil.rmtree(place, ignore_errors=True)


class Files(Bench):
    instrumented = staticmethod(stepping.files)

    def place(self):
        return self.work / f"place-{next(self._numbers)}"

    def copy(self, place):
        return Path(shutil.copytree(place, self.place()))


class Memory(Bench):
    instrumented = staticmethod(stepping.memory)

    def place(self):
        return f"memory://cancelled-{next(self._numbers)}"

    def copy(self, place):
        from zcollection_store_memory.objects import _SPACES

        made, held = self.place(), _SPACES[StoreURL.parse(place).location]
        _objects(made).space().put({key: held.get(key) for key in list(held._objects)})
        return made

    def forget(self, place):
        from zcollection_store_memory.store import forget

        forget(place)


def _objects(url: str) -> Any:
    from zcollection_store_memory.objects import Objects

    return Objects(url=StoreURL.parse(url), check_writable=lambda: None)


class Buckets(Bench):
    instrumented = staticmethod(nullcontext)

    def place(self):
        url = StoreURL.parse(f"bucket://{next(self._numbers)}")
        return anyio.run(lambda: BucketStore.open(url, mode="rw"))

    def copy(self, place):
        made = self.place()
        made.bucket.objects.update(place.bucket.objects)
        return made

    def watched(self, place):
        return place.with_watch(stepping.Watch())

    def forget(self, place):
        BUCKETS.pop(place.url.location, None)


@define
class Ministack(Bench):
    instrumented = staticmethod(stepping.obstore)

    _server: Server | None = None

    def place(self):
        from zcollection_store_s3.store import S3Store

        if self._server is None:
            self._server = ENDING.enter_context(running_ministack(self.work / "log"))
            self._server.create_bucket("bucket")
        url, options = f"s3://bucket/place-{next(self._numbers)}", self._server.storage_options
        return anyio.run(lambda: S3Store.open(StoreURL.parse(url), mode="rw", **options))

    def copy(self, place):
        made, objects = self.place(), anyio.run(judging.objects, place)
        anyio.run(made.put, objects)
        return made

    def forget(self, place):
        pass  # the server ends with the command


class Icechunk(Bench):
    instrumented = staticmethod(stepping.icechunk)
    lacks = frozenset({"repair"})

    def place(self):
        return f"icechunk://{self.work}/place-{next(self._numbers)}"

    def copy(self, place):
        made = self.place()
        shutil.copytree(self._folder(place), self._folder(made))
        return made

    def forget(self, place):
        shutil.rmtree(self._folder(place), ignore_errors=True)

    @staticmethod
    def _folder(place: str) -> str:
        return place.removeprefix("icechunk://")


BENCHES = {"file": Files, "memory": Memory, "bucket": Buckets, "ministack": Ministack, "icechunk": Icechunk}
ENDING = ExitStack()
"""What ends with the command."""


@frozen
class Verb:
    """What is cancelled.

    Attributes
    ----------
    act
        Does it, at a place.
    other
        What another writer does meanwhile.
    base
        Makes what lies at the place before.
    open
        Opens what lies there.
    """

    act: Callable[[Place], Awaitable[object]]
    other: Callable[[Place], Awaitable[object]]
    base: Callable[[Place], None]
    open: Callable[..., Any]

    def state(self, place: Place) -> str:
        """Return all that a reader sees, as a text that can be compared."""
        return repr(_seen(self.open(place)))


def _seen(opened: Any) -> object:
    dataset = opened.query()
    arrays = {} if dataset is None else dataset.all_variables()
    return opened.partitions(), {path: item.to_numpy().tolist() for path, item in sorted(arrays.items())}


def on_collection(
    change: Callable[[zc.Collection], Awaitable[object]],
    prepare: Callable[[Place], object] = lambda _: None,
    other: Callable[[Place], Awaitable[object]] | None = None,
) -> Verb:
    async def act(place: Place) -> None:
        await change(await zc.aio.open_collection(place, mode="rw"))

    def base(place: Place) -> None:
        operations.base(place) if not str(place).startswith("icechunk") else _without_stage(place)
        prepare(place)

    return Verb(act, other or _enter, base, zc.open_collection)


def _without_stage(place: Place) -> None:
    ledger.create(place)
    for first in operations.EXISTING[::4]:
        ledger.enter(place, range(first, first + 4))


async def _repair_and_enter(place: Place) -> None:
    """Repair, which an insert into partitions that exist does not do, and insert an entry."""
    await (await zc.aio.open_collection(place, mode="rw")).repair_async()
    await _enter(place)


async def _enter(place: Place) -> None:
    """Insert an entry; a collection that was replaced meanwhile is opened again."""
    for _ in range(3):
        with suppress(zc.CollectionNotFoundError):
            collection = await zc.aio.open_collection(place, mode="rw")
            await collection.insert_async(ledger.rows([50]), merge="upsert")
            return
    message = "the collection is replaced again and again"
    raise RuntimeError(message)


async def _drop_a_day(place: Place) -> None:
    """Do what is possible whatever variables there are."""
    await (await zc.aio.open_collection(place, mode="rw")).drop_partitions_async(filters="day == 6")


async def _overwrite(place: Place) -> None:
    await zc.aio.create_collection(place, **ledger.layout(), overwrite=True)


async def _copy(place: Place) -> None:
    source = await zc.aio.open_collection(SOURCE)
    await source.copy_async(place, overwrite=True)


async def _refresh(place: Place) -> None:
    await (await zc.aio.open_view(place, mode="rw", base=BASE)).refresh_async()


def _view(place: Place) -> None:
    zc.create_view(place, base=BASE, computation=zc.computation.Expression({"doubled": "value * 2"}))
    zc.open_view(place, mode="rw", base=BASE).refresh(filters="day < 3")


def _later(entries: range) -> dict[str, Any]:
    return operations.days_later(ledger.rows(entries))


VERBS: dict[str, Verb] = {
    "insert": on_collection(lambda col: col.insert_async(_later(range(3)))),
    "replace": on_collection(lambda col: col.insert_async(ledger.rows([20, 21, 22]))),
    "upsert": on_collection(lambda col: col.insert_async(ledger.rows([20, 21, 22]), merge="upsert")),
    "update": on_collection(lambda col: col.update_async(lambda rows: {"value": rows["value"].to_numpy() + 1})),
    "drop": on_collection(lambda col: col.drop_partitions_async(filters="day > 3")),
    "add a variable": on_collection(
        lambda col: col.add_variable_async(
            zc.VariableSchema("twice", dtype="int64", dimensions=("time",), fill_value=0),
            lambda rows: rows["entry"].to_numpy() * 2,
        ),
        other=_drop_a_day,
    ),
    "drop a variable": on_collection(lambda col: col.drop_variable_async("value"), other=_drop_a_day),
    "repartition": on_collection(lambda col: col.repartition_async("date:M")),
    "rewrite": on_collection(lambda col: col.rewrite_async(codecs="cloud-balanced")),
    "vacuum": on_collection(lambda col: col.vacuum_async(older_than="0s")),
    "repair": on_collection(lambda col: col.repair_async(), operations._lose_documents, other=_repair_and_enter),
    "overwrite": Verb(_overwrite, _enter, _without_stage, zc.open_collection),
    "copy": Verb(_copy, _enter, _without_stage, zc.open_collection),
    "refresh": Verb(_refresh, _refresh, _view, lambda place: zc.open_view(place, base=BASE)),
}
CANCELLATIONS = ("asyncio", "twice", "anyio", "end of the loop")
COMPANY = ("nobody", "reader", "writer")


@define
class Trial:
    """One verb, cancelled before one of its steps.

    Attributes
    ----------
    verb, place, watched
        What is done where, and the same place as it is seen by who does it.
    cancellation, company
        How it is cancelled, and who else acts meanwhile.
    gate
        Before the step.
    outcome
        "done", "cancelled", or what has failed.
    read
        What the reader saw.
    is_robbed
        Whether it lost its lock while it was held.
    failure
        Of the other writer.
    """

    verb: Verb
    place: Place
    watched: Place
    cancellation: str
    company: str
    gate: stepping.Gate
    outcome: str = field(default="", init=False)
    read: str | None = field(default=None, init=False)
    is_robbed: bool = field(default=False, init=False)
    failure: str | None = field(default=None, init=False)

    def run(self) -> None:
        stopped = threading.Event()
        with stepping.told_to_stop(stopped.set), suppress(asyncio.CancelledError):
            if self.cancellation == "end of the loop":
                threading.Thread(target=self._open_after, args=[stopped]).start()
            asyncio.run(self._run())

    def _open_after(self, stopped: threading.Event) -> None:
        stopped.wait(stepping.PATIENCE)
        self._open()

    def _open(self) -> None:
        self.is_robbed = self.gate.is_robbed
        self.gate.opened.set()

    async def _run(self) -> None:
        scope = anyio.CancelScope()
        task = asyncio.create_task(self._victim(scope))
        await self._reached(task)
        if task.done() or self.cancellation == "end of the loop":
            return
        for _ in range(1 + (self.cancellation == "twice")):
            scope.cancel() if self.cancellation == "anyio" else task.cancel()
            await asyncio.sleep(0)
        others = await self._others()
        self._open()
        await asyncio.wait([task, *others])
        self.failure = next((repr(error) for other in others if (error := other.exception())), None)

    async def _victim(self, scope: anyio.CancelScope) -> None:
        stepping.WHOSE.set(self.gate)
        self.outcome = "cancelled"
        with scope:
            try:
                await self.verb.act(self.watched)
                self.outcome = "done"
            except zc.ZCollectionError as error:
                self.outcome = repr(error)
            except asyncio.CancelledError:
                if self.cancellation == "anyio":
                    raise

    async def _reached(self, task: "asyncio.Task[None]") -> None:
        """Wait until the step is reached, or there is none."""
        reached = asyncio.get_running_loop().run_in_executor(None, self._wait_for_step, task)
        task.add_done_callback(lambda _: self.gate.reached.set())
        await reached

    def _wait_for_step(self, _: object) -> None:
        self.gate.reached.wait(stepping.PATIENCE)

    async def _others(self) -> "list[asyncio.Task[object]]":
        if self.company == "reader":
            self.read = await asyncio.to_thread(self.verb.state, self.place)
        if self.company != "writer":
            return []
        stepping.waits.happened.clear()
        other = asyncio.create_task(self.verb.other(self.place))
        other.add_done_callback(lambda _: stepping.waits.happened.set())
        await asyncio.to_thread(stepping.waits.happened.wait, stepping.PATIENCE)
        return [other]


@define
class Judge:
    """What may be seen after a verb at a place, alone or with another writer.

    Attributes
    ----------
    before, after
        Without another writer.
    either
        With one: where the verb has done nothing, and where it was the first or the second.
    """

    before: str
    after: str
    either: tuple[str, str, str]

    @classmethod
    def of(cls, bench: Bench, verb: Verb, start: Place) -> "Judge":
        def outcome(*acts: Callable[[Place], Awaitable[object]]) -> str:
            place = bench.copy(start)
            for act in acts:
                anyio.run(act, place)
            state = verb.state(place)
            bench.forget(place)
            return state

        either = outcome(verb.other), outcome(verb.act, verb.other), outcome(verb.other, verb.act)
        return cls(verb.state(start), outcome(verb.act), either)

    def wrong(self, trial: Trial) -> str | None:
        """Return what is wrong, or None."""
        found, is_done = trial.verb.state(trial.place), trial.outcome == "done"
        if trial.outcome not in {"done", "cancelled"}:
            return f"it failed: {trial.outcome}"
        if trial.failure:
            return f"another writer failed: {trial.failure}"
        if trial.is_robbed:
            return "its lock was released while it went on"
        if trial.read not in {None, self.before, self.after}:
            return f"the reader saw neither all nor nothing: {trial.read}"
        alone = trial.company != "writer" or trial.cancellation == "end of the loop"
        accepted = (self.before, self.after) if alone else self.either
        if found not in (accepted[1:] if is_done else accepted):
            return f"neither all nor nothing is there, or what was acknowledged is lost: {found}"
        anyio.run(trial.verb.other, trial.place)  # the next writer works
        problems = trial.verb.open(trial.place).verify(data=True).problems
        return f"a verification finds {problems[0]}" if problems else None


def steps_of(bench: Bench, verb: Verb, start: Place) -> int:
    """Return how many steps a verb takes."""
    place = bench.copy(start)
    trial = Trial(verb, place, bench.watched(place), "asyncio", "nobody", stepping.Gate(NEVER))
    trial.run()
    bench.forget(place)
    if trial.outcome != "done":
        message = f"it is not done even where nobody cancels it: {trial.outcome}"
        raise RuntimeError(message)
    return trial.gate.steps


@contextmanager
def surroundings() -> Iterator[Path]:
    leases.CLOCK = Patient()
    REGISTRY.register(BucketStore, name="bucket")
    warnings.simplefilter("error", zc.errors.PublicationWarning)
    for url, entries in ((BASE, range(12)), (SOURCE, range(20, 25))):
        ledger.create(url, overwrite=True)
        ledger.enter(url, entries)
    with running.working_directory() as work, zc.config.using(threads=1):
        yield work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    local = [name for name in BENCHES if name != "ministack"]
    parser.add_argument("--places", nargs="+", choices=BENCHES, default=local)
    parser.add_argument("--verbs", nargs="+", choices=VERBS, default=list(VERBS))
    parser.add_argument("--cancellations", nargs="+", choices=CANCELLATIONS, default=list(CANCELLATIONS))
    parser.add_argument("--company", nargs="+", choices=COMPANY, default=list(COMPANY))
    parser.add_argument("--every", type=int, default=7, help="only every n-th point")
    options = parser.parse_args()
    points, outcomes, violations, number = Counter(), Counter(), [], 0
    with surroundings() as work, ENDING:
        benches = {kind: BENCHES[kind](work / kind) for kind in options.places}
        for (kind, bench), name in product(benches.items(), options.verbs):
            verb = VERBS[name]
            if name in bench.lacks:
                continue
            bench.work.mkdir(exist_ok=True)
            start = bench.place()
            verb.base(start)
            judge = Judge.of(bench, verb, start)
            with bench.instrumented():
                steps = steps_of(bench, verb, start)
                for step, cancellation, company in product(range(1, steps + 1), options.cancellations, options.company):
                    number += 1
                    if number % options.every:
                        continue
                    place = bench.copy(start)
                    trial = Trial(verb, place, bench.watched(place), cancellation, company, stepping.Gate(step))
                    trial.run()
                    wrong = judge.wrong(trial)
                    points[f"{kind}, {name}"] += 1
                    outcomes[trial.outcome] += 1
                    bench.forget(place)
                    if wrong:
                        told = f"{kind}, {name}, step {step} of {steps}, {cancellation}, {company}: {wrong}"
                        violations.append(told)
                        print(told, file=sys.stderr)
    figures = {"points": points.total(), "of each": points, "outcomes": outcomes, "violations": violations}
    running.finish(figures, faults=len(violations))


if __name__ == "__main__":
    main()
