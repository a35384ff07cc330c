"""A vacuum removes what nobody needs, and never what somebody may use."""

import datetime as dt
import re

import anyio
import fakes
import numpy as np
import pytest
import samples
from attrs import evolve, frozen

import zcollection as zc
from zcollection.errors import SettingError
from zcollection.transaction.log import catalog_writing

TIMES = {}


@frozen(eq=False)
class Dated(fakes.DictStore):
    """A store whose clock the test sets: every object is dated when it is written."""

    async def put(self, items):
        await super().put(items)
        TIMES.update(dict.fromkeys(((str(self.url), key) for key in items), TIMES["now"]))

    async def create(self, key, data):
        answer = await super().create(key, data)
        TIMES.setdefault((str(self.url), key), TIMES["now"])
        return answer

    async def list(self, prefix, *, after="", recursive=False):
        async for entry in super().list(prefix, after=after, recursive=recursive):
            yield entry if entry.is_prefix else evolve(entry, modified=TIMES.get((str(self.url), entry.key), 0.0))


@pytest.fixture
def collection(url):
    TIMES["now"] = 0.0
    return zc.open_collection(Dated(samples.create(url).store.url, False), mode="rw")


def leave(collection):
    """Stage something, and die."""

    class Dies(Dated):
        async def create(self, key, data):
            raise KeyError("dead")

        async def delete(self, keys):
            raise KeyError("dead")

    with pytest.raises(KeyError):
        zc.open_collection(Dies(collection.store.url, False), mode="rw").insert(samples.rows([5, 15]))


def staged(collection):
    return [key for key in collection.store.data if key.startswith("_transactions/stage/")]


def test_only_what_is_old_enough_is_removed(collection):
    leave(collection)
    TIMES["now"] = 3600.0
    assert collection.vacuum(older_than="2h").stages == 0
    assert staged(collection)
    leave(collection)
    report = collection.vacuum(older_than=dt.timedelta(minutes=30))
    assert report.stages == 1
    assert report.bytes > 0
    assert staged(collection)
    TIMES["now"] = 7200.0
    assert collection.vacuum(older_than=np.timedelta64(30, "m")).stages == 1
    assert not staged(collection)
    assert collection.verify().notes == ()


def test_records_are_folded_and_the_history_is_kept(collection):
    for number in range(20):
        collection.insert(samples.rows([number]), merge="append")
    before = collection.history()
    TIMES["now"] = 100_000.0
    collection.insert(samples.rows([20]), merge="append")
    assert collection.vacuum().versions == 5  # those before the sixteenth were folded by a commit
    assert collection.history()[:21] == before
    assert [entry.version for entry in collection.history()] == list(range(22))
    assert len(collection.changes(since=15).written) == 2
    samples.assert_rows(collection.query(), range(21))
    collection.insert(samples.rows([21]), merge="append")
    samples.assert_rows(collection.query(), range(22))
    TIMES["now"] = 300_000.0
    collection.vacuum()
    assert [entry.version for entry in collection.history()] == list(range(23))
    assert collection.verify().problems == ()
    assert len([key for key in collection.store.data if "/log/" in key]) <= 4


@pytest.mark.parametrize("with_catalog", [True, False])
def test_a_vacuum_of_everything_leaves_a_collection_that_works(url, with_catalog):
    TIMES["now"] = 0.0
    made = samples.create(url, [1, 12], catalog_enabled=with_catalog)
    collection = zc.open_collection(Dated(made.store.url, False), mode="rw")
    for number in range(3):
        collection.vacuum(older_than="0s")
        collection.insert(samples.rows([20 + number]), merge="append")
    samples.assert_rows(collection.query(), [1, 12, 20, 21, 22])


def test_a_slow_writer_whose_stage_is_removed_runs_again(collection):
    collection.insert(samples.rows([1]))
    seen = []

    def merge(existing, inserted, *, axis, partitioning_dim):
        seen.append(existing.sizes["row"])
        if len(seen) == 2:  # the first partition is staged by now
            TIMES["now"] += 90_000
            assert collection.vacuum().stages == 1
        return zc.Dataset.concat([existing, inserted], partitioning_dim)

    collection.insert(samples.rows([12]))
    with zc.config.using(concurrency=1):
        collection.insert(samples.rows([2, 13]), merge=merge)
    assert len(seen) == 4
    samples.assert_rows(collection.query(), [1, 2, 12, 13])
    assert collection.verify(data=True).is_clean


def test_a_writer_who_slept_through_a_vacuum_does_not_write_history_anew(collection):
    collection.insert(samples.rows([1]))
    seen = []

    def merge(existing, inserted, *, axis, partitioning_dim):
        seen.append(existing.sizes["row"])
        if len(seen) == 1:
            TIMES["now"] += 50_000
            collection.insert(samples.rows([12]))
            TIMES["now"] += 50_000
            collection.insert(samples.rows([25]))
            collection.vacuum(older_than="1h")
        return zc.Dataset.concat([existing, inserted], partitioning_dim)

    collection.insert(samples.rows([2]), merge=merge)
    samples.assert_rows(collection.query(), [1, 2, 12, 25])
    assert [entry.version for entry in collection.history()] == list(range(len(collection.history())))


def test_records_are_folded_without_a_gap_whatever_their_times_say(collection):
    for number in range(4):
        collection.insert(samples.rows([number]), merge="append")
    TIMES["now"] = 100_000.0
    place = str(collection.store.url)
    TIMES[place, "_transactions/log/00000000000000000002.json"] = 99_000.0  # as if it had been restored since
    assert collection.vacuum(older_than="1h").versions == 2
    collection.store.data.pop("_catalog/c/0")
    collection.insert(samples.rows([11]))
    assert [entry.version for entry in collection.history()] == list(range(len(collection.history())))
    samples.assert_rows(collection.query(), [0, 1, 2, 3, 11])
    assert sorted(int(key[-25:-5]) for key in collection.store.data if re.search("/log/.*json", key)) == [2, 3, 4, 5]


def test_a_checkpoint_is_of_what_lies_in_its_place(collection):
    class Dies(Dated):
        async def publish(self, staged, target, fence=None):
            raise zc.StoreError("no power")

    with pytest.warns(zc.PublicationWarning):
        zc.open_collection(Dies(collection.store.url, False), mode="rw").insert(samples.rows([1, 12]))
    opened = collection._opened
    anyio.run(catalog_writing.write_checkpoint, collection.store, opened.configuration)
    assert "sign=plus/quotient=1/zarr.json" in collection.store.data
    samples.assert_rows(collection.query(), [1, 12])


@pytest.mark.parametrize("age", [0, 3600, None, "", "24", "-1h", "1 fortnight", dt.timedelta(-1), "nan s"])
def test_a_duration_that_is_none_is_refused(collection, age):
    with pytest.raises(SettingError, match="older_than=.*accepted: a duration such as '24h'"):
        collection.vacuum(older_than=age)
