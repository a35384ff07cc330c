"""What an operation costs where there are many partitions: ``python tests/scale/catalogs.py``.

Each is done on collections of several sizes, in turns, and counted by the kernel (``/proc/self/io``) and by the clock of the
processor. Nearly all partitions are in the catalog alone: nothing is read of them. With ``--whole`` the catalog is one object,
as it is in small collections and was in releases up to 2026.12.3.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean, median

import anyio
import numpy as np
from attrs import evolve, field, frozen

import zcollection as zc
from zcollection.transaction.documents import PartitionRecord
from zcollection.transaction.index import catalog, segments
from zcollection.transaction.index.packing import Columns
from zcollection.transaction.index.partitions import Partitions

PASSES = 254
ABSENT = 100
"""A pass that the catalog has of no cycle: partitions that are there are put in these places, and at the end."""

ROWS = 500
VARIABLES = [f"value_{number}" for number in range(6)]
SCHEMA = (
    zc.Schema()
    .with_dimension("row", chunks=ROWS)
    .with_variable("time", dtype="int64", dimensions=("row",))
    .with_variable("cycle", dtype="int32", dimensions=("row",))
    .with_variable("pass", dtype="int32", dimensions=("row",))
)
for name in VARIABLES:
    SCHEMA = SCHEMA.with_variable(name, dtype="float32", dimensions=("row",))
SCHEMA = SCHEMA.build()
STEP = 3_000


def rows(cycle: int, number: int) -> dict[str, np.ndarray]:
    """Return the rows of a pass."""
    time = (cycle * PASSES + number) * STEP + np.arange(ROWS)
    keys = {"cycle": np.full(ROWS, cycle, "int32"), "pass": np.full(ROWS, number, "int32")}
    noise = np.random.default_rng(cycle).normal(size=ROWS).astype("float32")
    return {"time": time, **keys, **dict.fromkeys(VARIABLES, noise)}


def listed(count: int) -> Partitions:
    """Return partitions of which the catalog alone knows."""
    numbers = [number for number in range(1, PASSES + 1) if number != ABSENT]
    keys = [(1 + at // len(numbers), numbers[at % len(numbers)]) for at in range(count)]
    first = [(cycle * PASSES + number) * STEP for cycle, number in keys]
    record = PartitionRecord(key={}, rows=ROWS, stamp="", layout=0, stored_bytes=20_000)
    columns = {name: [getattr(record, name)] * count for name in ("rows", "layout", "absent", "origin")}
    columns |= {
        "stamp": [f"{at // 16 * 0x9E3779B97F4A7C15 % 2**128:032x}" for at in range(count)],
        "axis_range": [(start, start + ROWS) for start in first],
        "stored_bytes": [20_000 + at * 7919 % 1000 for at in range(count)],
    }
    paths = [f"cycle={cycle}/pass={number}" for cycle, number in keys]
    cycles, passes = zip(*keys, strict=True)
    return Partitions._of(paths, {"cycle": list(cycles), "pass": list(passes)}, Columns(columns, columns.__getitem__))


@frozen(eq=False)
class Sized:
    """A collection of many partitions, 64 of which are there."""

    place: Path
    count: int
    cycles: int = field(init=False)
    next: list[int] = field(factory=lambda: [0], init=False)

    @cycles.default
    def _of_count(self) -> int:
        return 1 + self.count // (PASSES - 1)

    @property
    def collection(self) -> zc.Collection:
        return zc.open_collection(self.place, mode="rw")

    def make(self) -> None:
        partitioning = zc.partitioning.Sequence(("cycle", "pass"))
        collection = zc.create_collection(self.place, schema=SCHEMA, axis="time", partitioning=partitioning)
        anyio.run(self._list, collection)
        for number in range(64):
            collection.insert(rows(self.scattered(number), ABSENT))

    async def _list(self, collection: zc.Collection) -> None:
        checkpoint = await catalog.load(collection.store)
        whole = evolve(checkpoint, partitions=listed(self.count))
        await catalog.save(collection.store, whole, in_segments=False)

    def scattered(self, number: int) -> int:
        """Return a cycle without its absent pass, far from that of the number before."""
        return 1 + number * 37 % 64 * max(self.cycles // 64, 1) + 10**6 * (self.cycles < 64)

    def insert_at_the_end(self) -> None:
        self.next[0] += 1
        self.collection.insert(rows(2 * 10**7 + self.next[0], 1))

    def insert_anywhere(self) -> None:
        self.next[0] += 1
        number = self.next[0]
        self.collection.insert(rows(1 + number * 37 % self.cycles, 1000 + number))

    def one(self) -> dict[str, int]:
        self.next[0] += 1
        return {"cycle": self.scattered(self.next[0] % 64), "pass": ABSENT}

    def query(self) -> None:
        assert self.collection.query(filters=self.one()) is not None

    def update(self) -> None:
        assert self.collection.update(lambda data: {"value_0": data["value_0"].to_numpy() * 2}, filters=self.one())

    def map(self) -> None:
        assert len(self.collection.map(lambda data: 1, filters=self.one())) == 1

    def drop(self) -> None:
        key = self.one()
        text = f"cycle == {key['cycle']} and pass == {key['pass']}"
        assert self.collection.drop_partitions(filters=text)
        self.collection.insert(rows(key["cycle"], ABSENT))

    def partitions(self) -> None:
        assert len(self.collection.partitions()) >= self.count

    def keys(self) -> None:
        assert len(self.collection.keys()) >= self.count


@frozen
class Cost:
    """What something cost: seconds of the processor and of the clock, system calls that read and write, and their bytes."""

    processor: float
    clock: float
    calls: int
    read: int
    written: int


@contextmanager
def counted(costs: list[Cost]) -> Iterator[None]:
    before, processor, clock = counts(), time.process_time(), time.perf_counter()
    yield
    spent = time.process_time() - processor, time.perf_counter() - clock
    after = counts()
    calls = sum(after[name] - before[name] for name in ("syscr", "syscw"))
    costs.append(Cost(*spent, calls, after["rchar"] - before["rchar"], after["wchar"] - before["wchar"]))


def counts() -> dict[str, int]:
    return {
        name: int(value)
        for name, value in (line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    }


def forget() -> None:
    """Forget what was read of catalogs: as in a new process."""
    catalog._RECENT._known = ()
    segments._CACHE.__init__()


def measured(sized: list[Sized], work: str, times: int, *, cold: bool) -> dict[int, list[Cost]]:
    """Return what each of several collections takes, in turns."""
    costs: dict[int, list[Cost]] = {each.count: [] for each in sized}
    for _ in range(times):
        for each in sized:
            if cold:
                forget()
            with counted(costs[each.count]):
                getattr(each, work)()
    return costs


def summary(costs: list[Cost]) -> dict[str, float]:
    """Return means of what is counted, and of the seconds mean and median."""
    return {
        "processor ms, mean": round(1e3 * mean(cost.processor for cost in costs), 3),
        "processor ms, median": round(1e3 * median(cost.processor for cost in costs), 3),
        "clock ms, median": round(1e3 * median(cost.clock for cost in costs), 3),
        "calls": round(mean(cost.calls for cost in costs), 1),
        "read": round(mean(cost.read for cost in costs)),
        "written": round(mean(cost.written for cost in costs)),
    }


def table(sized: list[Sized], works: dict[str, tuple[str, int, bool]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, (work, times, cold) in works.items():
        each = {count: summary(costs) for count, costs in measured(sized, work, times, cold=cold).items()}
        small, large = each[sized[0].count], each[sized[-1].count]
        ratios = {what: round(large[what] / small[what], 2) for what in small if small[what]}
        found[name] = {str(count): figures for count, figures in each.items()} | {"ratio": ratios}
    return found


WORKS: dict[str, tuple[str, int, bool]] = {
    "insert of a new one at the end": ("insert_at_the_end", 64, False),
    "insert of a new one anywhere": ("insert_anywhere", 64, False),
    "open and query of one, cold": ("query", 16, True),
    "open and query of one": ("query", 16, False),
    "update of one": ("update", 32, False),
    "drop of one, and its insert": ("drop", 32, False),
    "map of one": ("map", 32, False),
    "partitions(), cold": ("partitions", 3, True),
    "keys(), cold": ("keys", 3, True),
    "partitions()": ("partitions", 3, False),
    "keys()": ("keys", 3, False),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[1_000, 60_000, 1_000_000])
    parser.add_argument("--works", nargs="+", default=list(WORKS), choices=list(WORKS))
    parser.add_argument("--times", type=int, help="how often each is done")
    parser.add_argument("--whole", action="store_true", help="the catalog is one object")
    options = parser.parse_args()
    if options.whole:
        segments.MOST_WHOLE = sys.maxsize
    shared = Path("/dev/shm")
    work = Path(tempfile.mkdtemp(prefix="zcollection-catalogs-", dir=shared if shared.is_dir() else None))
    try:
        sized = [Sized(work / str(count), count) for count in options.counts]
        made: dict[str, float] = {}
        for each in sized:
            started = time.process_time()
            each.make()
            made[str(each.count)] = round(time.process_time() - started, 2)
        works = {name: (what, options.times or times, cold) for name, (what, times, cold) in WORKS.items()}
        found = table(sized, {name: works[name] for name in options.works})
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(json.dumps({"made, processor s": made} | found, indent=1))


if __name__ == "__main__":
    main()
