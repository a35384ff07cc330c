"""Icechunk repositories under many processes: nothing is lost, torn or left by the dead."""

import multiprocessing
import pickle
import random
import time

import entries
import pytest
from backends import Place
from effort import is_thorough

import zcollection as zc
from zcollection.testing.servers import ministack_server

__all__ = ["ministack_server"]

SPAWN = multiprocessing.get_context("spawn")
FORKED = multiprocessing.get_context(
    "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
)
# Processes that live for a moment start from one that has imported all but Icechunk, whose threads no fork survives.
FORKED.set_forkserver_preload(["anyio", "numpy", "zarr", "zcollection", "zcollection.aio"])
PLACES = ["icechunk", "icechunk on s3"]
PROCESSES, ENTRIES = (8, 25) if is_thorough() else (4, 8)


@pytest.fixture(scope="module")
def pool():
    with SPAWN.Pool(PROCESSES) as started:
        yield started


@pytest.fixture(params=PLACES)
def place(request, tmp_path):
    return Place(request.param, tmp_path, request)


@pytest.fixture
def collection(place):
    return entries.create(place.url, storage_options=place.options)


def test_four_processes_lose_no_upsert_while_others_read(pool, collection, place):
    collection.insert(entries.rows([1000]))
    held = zc.open_collection(place.url, storage_options=place.options)
    work = [(pickle.dumps(collection), range(number * ENTRIES, (number + 1) * ENTRIES)) for number in range(4)]
    running = pool.starmap_async(entries.enter, work)
    seen = [1]
    while not running.ready():
        assert entries.read(held) == [1000]
        seen.append(len(entries.read(zc.open_collection(place.url, storage_options=place.options))))
        running.wait(0.2)  # the processor is for the writers
    running.get()
    assert seen == sorted(seen), "a later reader saw less"
    assert entries.read(collection) == [*range(4 * ENTRIES), 1000]
    assert len(collection.history()) == 2 + 4 * ENTRIES
    held.refresh()
    assert len(entries.read(held)) == 1 + 4 * ENTRIES


def test_processes_lose_no_commit_to_a_local_directory(pool, tmp_path, request):
    place = Place("icechunk", tmp_path, request)
    collection = entries.create(place.url)
    pool.starmap(entries.enter, [(pickle.dumps(collection), range(n * 5, n * 5 + 5)) for n in range(PROCESSES)])
    assert entries.read(collection) == list(range(PROCESSES * 5))


def test_partitions_below_one_new_parent_all_land(pool, collection):
    days = range(400, 408)
    pool.starmap(entries.enter_day, [(pickle.dumps(collection), day) for day in days], chunksize=1)
    assert collection.query()["entry"].to_numpy().tolist() == list(days)
    assert collection.verify(data=True).problems == ()


def test_of_several_creators_one_wins(pool, place):
    told = pool.starmap(entries.try_to_create, [(place.url, place.options)] * 4, chunksize=1)
    assert sorted(told) == ["created", "exists", "exists", "exists"]
    assert [entry.operation for entry in zc.open_collection(place.url, storage_options=place.options).history()] == [
        "create"
    ]


def test_killed_writers_leave_no_trace(collection, place, tmp_path):
    chance = random.Random(3)
    rounds, writers = (5, 4) if place.backend.server is None else (2, 2)
    logs = []
    for _ in range(rounds):
        started = []
        for _ in range(writers):
            logs.append(tmp_path / f"log-{len(logs)}")
            logs[-1].touch()
            given = (pickle.dumps(collection), len(logs) * 10**6, logs[-1])
            started.append(FORKED.Process(target=entries.enter_until_killed, args=given))
            started[-1].start()
        while not any(log.stat().st_size for log in logs[-writers:]):
            time.sleep(0.01)
        for process in started:
            time.sleep(chance.uniform(0, 0.2))
            process.kill()
            process.join()
        found = entries.read(zc.open_collection(place.url, storage_options=place.options))
        acknowledged = {int(line) for log in logs for line in log.read_text().splitlines()}
        assert acknowledged <= set(found)
        # Of each life at most one entry was committed whose acknowledgement it did not live to write down.
        assert len(found) - len(acknowledged) <= len(logs)
    collection.insert(entries.rows([7]), merge="upsert")
    assert 7 in entries.read(collection)
    assert collection.verify(data=True).problems == ()


def test_a_handle_stays_usable_after_a_conflict(collection, place, monkeypatch):
    monkeypatch.setattr("zcollection.transaction.retrying._TRIES", 1)
    other = zc.open_collection(place.url, mode="rw", storage_options=place.options)
    collection.insert(entries.rows([1, 2]))

    def meddle(dataset):
        other.insert(entries.rows([4]), merge="upsert")
        return {"value": dataset["value"].to_numpy()}

    with pytest.raises(zc.ConflictError):
        collection.update(meddle)
    collection.insert(entries.rows([5]), merge="upsert")
    assert entries.read(collection) == [1, 2, 4, 5]
