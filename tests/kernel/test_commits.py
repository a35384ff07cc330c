"""A change of several partitions is one version, wherever its writer dies, and whoever reads meanwhile."""

import anyio
import fakes
import numpy as np
import pytest
import samples
from attrs import field, frozen
from changes import OLD, OPERATIONS, doubled, healthy, state
from effort import is_thorough
from signals import Signal

import zcollection as zc
from zcollection.errors import SettingError

EVERY = 5 if is_thorough() else 13  # steps: a sample; tests/faults/steps.py takes each


class DiedError(Exception):
    """The process is dead: nothing that it does has an effect any more."""


class Power:
    """How many steps a process can still take."""

    def __init__(self, steps):
        self.left = steps

    def spend(self):
        if self.left == 0:
            raise DiedError
        self.left -= 1


@frozen(eq=False)
class Mortal(fakes.DictStore):
    """A store whose process dies before or after any change of any object."""

    power: Power = field(factory=lambda: Power(10**9))

    async def get(self, reads):
        if self.power.left == 0:
            raise DiedError
        return await super().get(reads)

    async def put(self, items):
        for key, data in items.items():
            self.power.spend()
            await super().put({key: data})
            self.power.spend()

    async def create(self, key, data):
        self.power.spend()
        answer = await super().create(key, data)
        self.power.spend()
        return answer

    async def copy(self, pairs):
        for pair in pairs:
            self.power.spend()
            await super().copy([pair])

    async def delete(self, keys):
        for given in keys:
            for key in sorted(
                held for held in self.data if held == given or (given.endswith("/") and held.startswith(given))
            ):
                self.power.spend()
                await super().delete([key])

    async def publish(self, staged, target, fence=None):
        # As on stores that can only copy: the target is absent for a while, then grows, its document last.
        new = {target + key.removeprefix(staged): data for key, data in self.data.items() if key.startswith(staged)}
        if new:
            await self.delete([f"{target}zarr.json", target])
            await self.put(dict(sorted(new.items(), key=lambda item: item[0] == f"{target}zarr.json")))

    async def unpublish(self, target, trash, fence=None):
        await self.delete([f"{target}zarr.json", target])


@pytest.mark.parametrize(
    ("name", "with_catalog"),
    [
        *((name, True) for name in OPERATIONS),
        ("insert", False),
        ("create with overwrite", False),
        ("copy with overwrite", False),
    ],
)
def test_wherever_a_writer_dies_readers_see_all_of_its_change_or_nothing(tmp_path, name, with_catalog):
    operation, first = OPERATIONS[name], list(OPERATIONS).index(name) % EVERY

    def start(number):
        url = f"dict://{tmp_path}/{number}"
        return samples.create(url, OLD, catalog_enabled=with_catalog), url

    _, url = start("whole")
    before, power = state(healthy(url)), Power(10**9)
    operation(zc.open_collection(Mortal(healthy(url).store.url, False, power=power), mode="rw"))
    after, steps = state(healthy(url)), 10**9 - power.left
    assert before != after
    seen = set()
    for number in sorted({0, *range(first + 1, steps, EVERY), steps - 1}):
        collection, url = start(number)
        with pytest.raises(DiedError):
            operation(zc.open_collection(Mortal(collection.store.url, False, power=Power(number)), mode="rw"))
        found = state(healthy(url, "r"))
        assert found in (before, after), f"died after {number} steps of {steps}"
        seen.add(found == after)
        healthy(url).insert(samples.rows([91]))
        values, partitions = state(healthy(url, "r"))
        assert partitions == (*found[1], "sign=plus/quotient=9"), f"died after {number} steps of {steps}"
        assert values["value"][:-1] == found[0].get("value", [])
        collection.store.data.pop("_catalog/c/0", None)
        assert state(healthy(url, "r")) == (values, partitions), "what lies in place is not what the log says"
    assert seen == {True, False}


@frozen(eq=False)
class Meddled(fakes.DictStore):
    """A store in which something else happens between two reads."""

    meddle: object = None
    asked: list = field(factory=list)

    async def get(self, reads):
        answer = await super().get(reads)
        if any("/c/" in read.key and not read.key.startswith("_") for read in reads):
            self.asked.append(reads)
            await self.meddle(len(self.asked))
        return answer


def test_a_query_is_of_one_version_whatever_is_committed_meanwhile(url):
    collection = samples.create(url, [1, 12, 25])

    async def meddle(number):
        if number == 1:
            await collection.insert_async(samples.rows([2, 13, 41]), merge="append")
        if number == 3:
            await collection.drop_partitions_async(filters="quotient == 2")

    found = zc.open_collection(Meddled(collection.store.url, True, meddle)).query()
    samples.assert_rows(found, [1, 2, 12, 13, 41])


def test_a_query_reads_again_only_what_was_changed(url):
    collection = samples.create(url, [1, 12, 25, 31])

    async def meddle(number):
        if number == 4:
            await collection.insert_async(samples.rows([2]), merge="append")

    store = Meddled(collection.store.url, True, meddle)
    samples.assert_rows(zc.open_collection(store).query(), [1, 2, 12, 25, 31])
    assert len(store.asked) == 5


@pytest.mark.parametrize("newer", [[3, 4], [3]])
def test_user_code_never_sees_a_mixture(url, newer):
    collection = samples.create(url, [1, 12])
    seen = []

    async def meddle(number):
        if number == 1:
            await collection.insert_async(samples.rows(newer))

    def merge(existing, inserted, *, axis, partitioning_dim):
        seen.append(existing["time"].to_numpy().tolist())
        return zc.Dataset.concat([existing, inserted], partitioning_dim)

    meddled = zc.open_collection(Meddled(collection.store.url, False, meddle), mode="rw")
    meddled.insert(samples.rows([5]), merge=merge)
    assert seen == [newer]
    samples.assert_rows(collection.query(filters="quotient == 0"), [*newer, 5])


@frozen(eq=False)
class LosesAnswers(fakes.DictStore):
    """A store whose answer to the first creation of a record is lost, after it was written or before."""

    written: bool = True
    lost: list = field(factory=list)
    answer: str = "unknown"

    async def create(self, key, data):
        if "/log/" not in key or self.lost:
            return await super().create(key, data)
        self.lost.append(key)
        if self.written:
            await super().create(key, data)
        return self.answer


@pytest.mark.parametrize(
    ("written", "answer"), [(True, "unknown"), (False, "unknown"), (True, "exists"), (False, "exists")]
)
def test_a_lost_answer_neither_loses_nor_doubles_a_change(url, written, answer):
    collection = samples.create(url, [1])
    store = LosesAnswers(collection.store.url, False, written, answer=answer)
    zc.open_collection(store, mode="rw").insert(samples.rows([2]), merge="append")
    samples.assert_rows(collection.query(), [1, 2])
    assert [entry.version for entry in collection.history()] == [0, 1, 2]


@frozen(eq=False)
class FallsSilent(fakes.DictStore):
    """A store that neither answers to a commit nor says what became of it."""

    silent: list = field(factory=list)

    async def create(self, key, data):
        if "/log/" in key:
            await super().create(key, data)
            self.silent.append(key)
            return "unknown"
        return await super().create(key, data)

    async def get(self, reads):
        if self.silent and reads[0].key == self.silent[0]:
            raise zc.StoreError("no answer")
        return await super().get(reads)


def test_a_commit_of_which_nobody_knows_keeps_what_it_staged(url):
    collection = samples.create(url, [1])
    with pytest.raises(zc.CommitStateUnknownError, match="version 2 .*was lost.*nothing staged was removed"):
        zc.open_collection(FallsSilent(collection.store.url, False), mode="rw").insert(
            samples.rows([2]), merge="append"
        )
    samples.assert_rows(collection.query(), [1, 2])
    collection.insert(samples.rows([3]), merge="append")
    samples.assert_rows(collection.query(), [1, 2, 3])


@frozen(eq=False)
class Hesitates(fakes.DictStore):
    """A store that has written a record for a while before it says so."""

    written: Signal = field(factory=Signal)

    async def create(self, key, data):
        answer = await super().create(key, data)
        if "/log/" in key:
            self.written.set()
            await anyio.sleep(0.05)
        return answer


def test_a_change_that_is_cancelled_while_it_commits_is_whole_or_not_there(url):
    collection = samples.create(url, [1, 12])

    async def main():
        store = Hesitates(collection.store.url, False)
        hesitating = await zc.aio.open_collection(store, mode="rw")
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: hesitating.insert_async(samples.rows([2, 13, 41]), merge="append"))
            await store.written.wait()
            group.cancel_scope.cancel()

    anyio.run(main)
    samples.assert_rows(zc.open_collection(collection.store).query(), [1, 2, 12, 13, 41])
    assert zc.open_collection(collection.store).verify(data=True).is_clean


def test_the_history_says_what_was_done(url):
    collection = samples.create(url)
    collection.insert(samples.rows([1, 2, 12]))
    collection.update(doubled)
    collection.drop_partitions(filters="quotient == 0")
    entries = collection.history()
    assert [(item.version, item.operation, item.partitions, item.rows) for item in entries] == [
        (0, "create", 0, 0),
        (1, "insert", 2, 3),
        (2, "update", 2, 3),
        (3, "drop", 1, 0),
    ]
    assert [item.time for item in entries] == sorted(item.time for item in entries)


def test_changes_can_be_followed(url):
    collection = samples.create(url, [1, 12])
    first = collection.changes(since=0)
    assert (first.version, len(first.written), first.dropped) == (1, 2, ())
    collection.insert(samples.rows([25]))
    collection.drop_partitions(filters="quotient == 0")
    collection.insert(samples.rows([13]), merge="append")
    changes = collection.changes(since=first.version)
    assert changes.version == 4
    assert changes.written == ("sign=plus/quotient=1", "sign=plus/quotient=2")
    assert changes.dropped == ("sign=plus/quotient=0",)
    assert collection.changes(since=4).written == ()
    with pytest.raises(SettingError, match="since=5; accepted: .*0 to 4"):
        collection.changes(since=5)


def test_the_catalog_is_never_far_behind(url):
    collection = samples.create(url, np.arange(0, 1000, 10))
    for number in range(40):
        collection.insert(samples.rows([number * 10 + 1]), merge="append")
        samples.assert_rows(collection.query(filters={"quotient": number}), [number * 10, number * 10 + 1])
        assert len([key for key in collection.store.data if "/log/" in key]) <= 2 * 18  # the others are folded
    assert [entry.version for entry in collection.history()] == list(range(42))
    assert collection.query().sizes["row"] == 140


def test_a_catalog_is_made_anew(url):
    collection = samples.create(url, [1, 12, 25])
    whole = collection.store.data.pop("_catalog/c/0")
    assert collection.repair_catalog() == 3
    assert collection.store.data["_catalog/c/0"] == whole
