"""What is asked of object storage at the same time: an answer is held back until all is asked that need not wait for it."""

import anyio
import numpy as np
import pytest
import samples
from bucket import BUCKETS, BucketStore
from changes import healthy

import zcollection as zc

PATIENCE = 20
"""Seconds after which nobody will ask any more: what is asked too late fails the test."""


@pytest.fixture(autouse=True)
def _store(register):
    register(BucketStore, name="bucket")
    yield
    BUCKETS.clear()


class HeldBack:
    """Answers no request of one trip before all requests of that trip are asked; keeps the trips."""

    def __init__(self, *trips):
        self.trips = [set(trip) for trip in trips]
        self.asked = []
        self.complete = anyio.Event()

    async def before(self, kind, keys):
        name = (kind, keys[0].removeprefix("prefix/"))
        assert self.trips, f"{name} is asked after the last trip"
        assert name in self.trips[0], f"{name} is not asked together with {self.trips[0]}"
        self.trips[0].remove(name)
        complete = self.complete
        if not self.trips[0]:
            self.trips.pop(0)
            self.complete = anyio.Event()
            complete.set()
        with anyio.fail_after(PATIENCE):
            await complete.wait()

    async def after(self, kind, keys):
        pass


LOG = "LIST", "_transactions/log/"
OPENING = [("GET", "_zcollection.json"), ("GET", "_transactions/replacing"), ("GET", "_catalog/c/0")]


def chunks(quotient):
    names = ("time", "value", "deep/er/flag", "swath")
    return [("GET", f"sign=plus/quotient={quotient}/{name}/c/0{'/0' * (name == 'swath')}") for name in names]


def created(times=(1, 12, 25, 31)):
    collection = samples.create("bucket://trips", times)
    return collection.store


def opened(store, *trips):
    watch = HeldBack(*trips)
    return zc.open_collection(store.with_watch(watch)), watch


def test_a_cold_open_and_a_query_take_three_trips():
    collection, watch = opened(created(), OPENING, [LOG, *chunks(1)], [LOG])
    samples.assert_rows(collection.query(filters="quotient == 1"), [12])
    assert not watch.trips


def test_the_next_query_takes_two_trips():
    collection, watch = opened(created(), OPENING, [LOG, *chunks(1)], [LOG], [LOG, *chunks(2)], [LOG])
    samples.assert_rows(collection.query(filters="quotient == 1"), [12])
    samples.assert_rows(collection.query(filters="quotient == 2"), [25])
    assert not watch.trips


def test_what_others_change_between_is_read_again():
    store = created(range(0, 200, 10))
    collection = zc.open_collection(store)
    samples.assert_rows(collection.query(filters="quotient == 1"), [10])
    for times in ([13], [14, 15], [201]):
        healthy(store).insert(samples.rows(times))
        expected = times if times[0] < 20 else [14, 15]
        samples.assert_rows(collection.query(filters="quotient == 1"), expected)
    healthy(store).drop_partitions(filters="quotient == 1")
    assert collection.query(filters="quotient == 1") is None
    samples.assert_rows(collection.query(filters="quotient >= 19"), [190, 201])


def test_records_that_are_known_are_not_read_again():
    store = created(range(0, 200, 10))
    healthy(store).insert(samples.rows([13]))
    collection = zc.open_collection(store)
    collection.query(filters="quotient == 1")
    requests = collection.store.bucket.requests
    assert any(key.endswith("2.json") for _, key in requests)
    requests.clear()
    collection.query(filters="quotient == 1")
    assert not [key for kind, key in requests if kind == "GET" and "_" in key]


def test_a_collection_that_was_removed_and_made_again_is_not_taken_for_the_old_one():
    store = created()
    old = zc.open_collection(store)
    BUCKETS["trips"].clear()
    created([2, 14])
    samples.assert_rows(old.query(), [2, 14])


def test_what_is_expected_and_damaged_is_told():
    store = created()
    collection = zc.open_collection(store)
    del BUCKETS["trips"]["prefix/sign=plus/quotient=1/time/c/0"]
    with pytest.raises(zc.CorruptionError, match="quotient=1"):
        collection.query()
    with pytest.warns(zc.CorruptionWarning):
        assert np.array_equal(collection.query(on_error="skip")["time"].to_numpy(), [1, 25, 31])
