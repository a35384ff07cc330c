"""What holds for writers of a collection where there is no lock, as on object storage: with a bucket in memory."""

import warnings

import anyio
import pytest
import samples
from bucket import BUCKETS, BucketStore, DiedError, Power
from changes import OLD, OPERATIONS, healthy, state
from clocks import Clock
from signals import Signal

import zcollection as zc
from zcollection.errors import ConflictError, PublicationWarning
from zcollection.plugin import Read
from zcollection.transaction.log import leases

EVERY = 7  # steps: a sample; tests/faults takes them all


@pytest.fixture(autouse=True)
def _store(register, tmp_path):
    register(BucketStore, name="bucket")
    yield
    BUCKETS.clear()


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    found = Clock()
    monkeypatch.setattr(leases, "CLOCK", found)
    return found


def opened(collection, watch):
    return zc.open_collection(collection.store.with_watch(watch), mode="rw")


def start(name, times=OLD, **options):
    return samples.create(f"bucket://{name}", times, **options)


@pytest.mark.parametrize("with_catalog", [True, False])
@pytest.mark.parametrize("name", OPERATIONS)
def test_wherever_a_writer_dies_readers_see_all_of_its_change_or_nothing(name, with_catalog):
    operation, first = OPERATIONS[name], list(OPERATIONS).index(name) % EVERY
    collection = start("whole", catalog_enabled=with_catalog)
    before, power = state(collection), Power()
    operation(opened(collection, power))
    after, steps = state(healthy("bucket://whole")), 10**9 - power.left
    assert before != after
    seen = set()
    for number in [0, *range(first + 1, steps, EVERY)]:
        url = f"bucket://{number}"
        collection = start(str(number), catalog_enabled=with_catalog)
        with pytest.raises(DiedError):
            operation(opened(collection, Power(number)))
        found = state(healthy(url, "r"))
        assert found in (before, after), f"died after {number} steps of {steps}"
        seen.add(found == after)
        healthy(url).insert(samples.rows([91]))
        values, partitions = state(healthy(url, "r"))
        assert partitions == (*found[1], "sign=plus/quotient=9"), f"died after {number} steps of {steps}"
        assert values["value"][:-1] == found[0].get("value", [])
        collection.store.bucket.objects.pop("prefix/_catalog/c/0", None)
        assert state(healthy(url, "r")) == (values, partitions), "what lies in place is not what the log says"
    assert seen == {True, False}


class Freeze:
    """A process that stops at its n-th changing request after the commit until it is thawed: once it is answered, or in flight."""

    def __init__(self, number, *, in_flight):
        self.left = number
        self.committed = False
        self.in_flight = in_flight
        self.frozen = Signal()
        self.thawed = Signal()

    async def before(self, kind, keys):
        if self.committed and self.in_flight:
            await self._step(kind)

    async def after(self, kind, keys):
        if self.committed and not self.in_flight:
            await self._step(kind)
        self.committed |= kind == "CREATE" and "/log/" in keys[0]

    async def _step(self, kind):
        if kind in {"GET", "LIST"}:
            return
        if self.left == 0:
            self.frozen.set()
            await self.thawed.wait()
        self.left -= 1


CHANGES = {
    "replace": lambda col: col.insert_async(samples.rows([3, 13, 26])),
    "merge": lambda col: col.insert_async(samples.rows([3, 13, 41]), merge="append"),
    "drop": lambda col: col.drop_partitions_async(filters="quotient < 3"),
    "overwrite": lambda col: zc.aio.create_collection(
        col.store, schema=samples.SCHEMA, axis="time", partitioning=samples.quotient(), overwrite=True
    ),
}


async def freeze_and_overtake(collection, operation, freeze):
    """Freeze a writer, let another one take over and go on, thaw the first, and return the objects before that."""
    writer = zc.open_collection(collection.store.with_watch(freeze), mode="rw")

    async def write():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PublicationWarning)
            await operation(writer)
        freeze.frozen.set()

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        await freeze.frozen.wait()
        other = await zc.aio.open_collection(collection.store, mode="rw")
        await other.insert_async(samples.rows([91]))
        objects = collection.store.data
        freeze.thawed.set()
    return objects


@pytest.mark.parametrize("in_flight", [False, True])
@pytest.mark.parametrize("name", CHANGES)
def test_a_writer_that_froze_longer_than_its_lease_touches_nothing_more(name, in_flight):
    reference = start("reference")
    anyio.run(CHANGES[name], reference)
    healthy("bucket://reference").insert(samples.rows([91]))
    expected = state(healthy("bucket://reference"))
    for number in range(1000):
        collection, freeze = start(str(number)), Freeze(number, in_flight=in_flight)
        before = anyio.run(freeze_and_overtake, collection, CHANGES[name], freeze)
        if freeze.left > 0:
            break
        after = collection.store.data
        keys = {key for key in before.keys() | after.keys() if "/stage/" not in key}
        changed = {key for key in keys if before.get(key) != after.get(key)}
        assert in_flight or not changed
        assert state(healthy(f"bucket://{number}")) == expected
        if any(not key.startswith("_") for key in changed):
            assert healthy(f"bucket://{number}").verify().problems, f"nobody finds what is missing: {changed}"
            healthy(f"bucket://{number}").repair()
            assert not healthy(f"bucket://{number}").verify().problems
            assert state(healthy(f"bucket://{number}")) == expected
    assert number > 5


def test_a_lease_ends_where_its_holder_is_not_seen_alive(clock):
    store = start("lease").store
    lease = leases.Lease(store=store, number=1)
    clock.time += 11
    anyio.run(lease.fence)
    assert lease.key not in store.data, "nobody beats without need"
    for _ in range(10):
        clock.time += 24
        anyio.run(lease.fence)
    assert lease.key in store.data
    clock.time += 37
    for _ in range(2):
        with pytest.raises(ConflictError, match=r"version 1 .* took 37 s without a sign of life"):
            anyio.run(lease.fence)


def test_a_writer_waits_for_one_that_is_alive_however_long_that_takes(clock):
    """What is published slowly, with a sign of life now and then, is not taken over."""
    collection, waited = start("slow"), []

    class Slow:
        async def before(self, kind, keys):
            if kind in {"COPY", "DELETE", "PUT"} and keys[0].endswith(("quotient=0/zarr.json", ".ok")):
                clock.time += 30

        async def after(self, kind, keys):
            waited.append(kind)

    async def main():
        writer = zc.open_collection(collection.store.with_watch(Slow()), mode="rw")
        other = await zc.aio.open_collection(collection.store, mode="rw")
        async with anyio.create_task_group() as group:
            group.start_soon(writer.insert_async, samples.rows([3]))
            group.start_soon(
                other.insert_async,
                samples.rows([4, 92]),
            )

    anyio.run(main)
    taken_over = [key for kind, key in collection.store.bucket.requests if kind == "CREATE" and ".lease" in key]
    assert not taken_over
    assert not healthy("bucket://slow").verify().problems


def test_of_several_who_wait_one_takes_over(clock):
    collection = start("dead")
    with pytest.raises(DiedError):
        opened(collection, Power(90)).insert(samples.rows([3, 13, 26]))
    assert anyio.run(collection.store.get, [Read("_transactions/log/00000000000000000002.json")]) != [None]

    async def main():
        async with anyio.create_task_group() as group:
            for time in (41, 52, 63):
                other = await zc.aio.open_collection(collection.store, mode="rw")
                group.start_soon(other.insert_async, samples.rows([time]))

    anyio.run(main)
    requests = collection.store.bucket.requests
    assert ("CREATE", "prefix/_transactions/log/00000000000000000002.lease-0001") in requests
    samples.assert_rows(healthy("bucket://dead").query(), [3, 13, 26, 31, 41, 52, 63])
    assert not [key for key in collection.store.data if ".lease" in key]


def test_the_catalog_never_runs_ahead_of_what_is_in_its_place():
    """The next writer may have committed while one writes the catalog; what is not in its place is not in it."""
    collection = start("ahead", [1])
    for _ in range(15):  # until the catalog of a small collection is due with the next change
        collection.insert(samples.rows([1]))

    async def commit_and_die():
        writer = await zc.aio.open_collection(collection.store.with_watch(DiesWhenCommitted()), mode="rw")
        with pytest.raises(DiedError):
            await writer.insert_async(samples.rows([2]))

    class CommitsMeanwhile:
        marked = False

        async def before(self, kind, keys):
            if self.marked and kind == "GET" and "_catalog" in keys[0]:
                self.marked = False
                async with anyio.create_task_group() as group:
                    group.start_soon(commit_and_die)

        async def after(self, kind, keys):
            self.marked |= keys[0].endswith("17.ok")

    opened(collection, CommitsMeanwhile()).insert(samples.rows([3]), merge="append")
    assert collection.history()[-1].version == 18
    samples.assert_rows(healthy("bucket://ahead", "r").query(), [2])


class DiesWhenCommitted(Power):
    async def after(self, kind, keys):
        if kind == "CREATE" and "/log/" in keys[0]:
            self.left = 0
        self.spend(kind)
