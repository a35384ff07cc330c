"""Collections across processes, loops and threads: they pickle, nothing hangs, and every process exits."""

import asyncio
import multiprocessing
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
import workers

import zcollection as zc


@pytest.fixture
def collection(tmp_path):
    schema = (
        zc.Schema()
        .with_dimension("time")
        .with_variable("time", dtype="int64", dimensions=("time",))
        .with_variable("value", dtype="float64", dimensions=("time",))
        .build()
    )
    made = zc.create_collection(
        tmp_path / "col", schema=schema, axis="time", partitioning=zc.partitioning.Date(("time",), resolution="D")
    )
    time = np.arange(96) * workers.HOUR
    made.insert({"time": time, "value": time / workers.HOUR})
    return made


def test_a_collection_reopens_in_another_process(collection):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(workers.total, (pickle.dumps(collection),)) == sum(range(96))


def test_writers_in_several_processes_lose_no_row(collection):
    context = multiprocessing.get_context("spawn")
    days = (1, 1, 2, 3)
    started = [
        context.Process(target=workers.add, args=(pickle.dumps(collection), day, 10 if position else 5))
        for position, day in enumerate(days)
    ]
    for worker in started:
        worker.start()
    for worker in started:
        worker.join(300)
        assert worker.exitcode == 0
    # The two writers of day 1 insert the same times, of which five are in both.
    assert collection.query().sizes["time"] == 96 + 10 + 10 + 10
    assert collection.query()["value"].to_numpy().sum() == sum(range(96)) + 30


def test_threads_of_one_process_lose_no_row(collection):
    def work(start):
        for number in range(5):
            collection.insert({"time": [start + number + 1], "value": [1.0]}, merge="upsert")

    threads = [threading.Thread(target=work, args=(start * 100,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert collection.query(filters="day == 1").sizes["time"] == 24 + 20


def test_a_synchronous_call_inside_a_running_loop_works(collection):
    async def main():
        return collection.query()["value"].to_numpy().sum()

    assert asyncio.run(main()) == sum(range(96))


def test_the_asynchronous_surface_works_on_a_loop_of_the_callers(collection):
    async def main():
        again = await zc.aio.open_collection(collection.store.url.location, mode="rw")
        both = await asyncio.gather(again.query_async(), again.query_async(filters="day == 2"))
        await again.update_async(lambda ds: {"value": ds["value"].to_numpy() + 1})
        return [dataset.sizes["time"] for dataset in both]

    assert asyncio.run(main()) == [96, 24]
    assert collection.query()["value"].to_numpy().sum() == sum(range(96)) + 96


def test_a_query_inside_a_map_function_works(collection):
    def nested(dataset):
        inner = collection.map(lambda other: collection.query(filters="day == 1").sizes["time"] + other.sizes["time"])
        return dataset.sizes["time"] + sum(inner.values())

    with zc.config.using(threads=1):
        assert set(collection.map(nested).values()) == {24 + 4 * 48}


def test_an_insert_inside_an_update_function_is_neither_lost_nor_a_deadlock(collection):
    once = iter([True])

    def meddle(dataset):
        if next(once, False):
            collection.insert({"time": [1], "value": [5.0]}, merge="upsert")
        return {"value": dataset["value"].to_numpy() * 2}

    collection.update(meddle)
    found = collection.query()
    assert found.sizes["time"] == 97
    assert found["value"].to_numpy().sum() == 2 * (sum(range(96)) + 5.0)


def test_the_process_exits_after_use(collection):
    code = f"""
import zcollection as zc
col = zc.open_collection({collection.store.url.location!r})
col.map(lambda ds: col.query())
print(len(col.partitions()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=500)
    assert (done.returncode, done.stdout, done.stderr) == (0, "4\n", "")


def test_opening_what_is_missing_creates_nothing(tmp_path):
    with pytest.raises(zc.CollectionNotFoundError, match="missing"):
        zc.open_collection(tmp_path / "missing", mode="rw")
    assert list(tmp_path.iterdir()) == []
