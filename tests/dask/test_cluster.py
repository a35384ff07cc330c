"""A cluster does what threads do, and says so where it cannot."""

import asyncio
import operator
import os
import pickle
import re
import subprocess
import sys

import dask.array as da
import numpy as np
import pytest
import samples
import workers
import xarray as xr

import zcollection as zc
from zcollection.engine.parcel import Parcel

TIMES = [*range(23), *range(40, 48), 99]
SHUFFLED = np.random.default_rng(3).permutation(len(TIMES))


def test_partitions_are_handled_in_other_processes(client, url):
    collection = samples.create(url, TIMES)
    found = collection.map(workers.where, client=client)
    assert list(found) == list(collection.partitions())
    assert os.getpid() not in found.values()
    assert set(collection.map(workers.where).values()) == {os.getpid()}


def test_tasks_are_named_after_the_operation_and_progress_reaches_the_end(client, url):
    collection, seen = samples.create(url), []
    collection.insert(samples.rows(TIMES), client=client, progress=lambda done, total: seen.append((done, total)))
    collection.update(workers.doubled, client=client)
    number = len(collection.partitions())
    assert seen == [(done, number) for done in range(1, number + 1)]
    known = {
        group.partition("-0")[0]
        for group in client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.task_prefixes))
    }
    assert {"zcollection-insert", "zcollection-update"} <= known


@pytest.mark.parametrize(
    ("kind", "merge", "order"),
    [
        ("arrays", None, SHUFFLED),
        ("arrays", "upsert", slice(None)),
        ("xarray", "append", SHUFFLED),
        ("xarray", "upsert", SHUFFLED),
    ],
)
def test_lazy_rows_are_inserted_as_if_they_were_there(client, tmp_path, merge, order, kind):
    rows = samples.rows(np.array(TIMES)[order])
    lazy = workers.lazily(rows)
    if kind == "xarray":
        flag = lazy.pop("deep/er/flag")
        dimensions = {"time": ("row",), "value": ("row",), "swath": ("row", "x")}
        root = xr.Dataset({name: (dimensions[name], values) for name, values in lazy.items()})
        lazy = xr.DataTree.from_dict({"/": root, "/deep/er": xr.Dataset({"flag": (("row",), flag)})})
    expected, apart, here = (samples.create(str(tmp_path / name), [3, 21, 44]) for name in "abc")
    expected.insert(rows, merge=merge)
    apart.insert(lazy, merge=merge, client=client)
    here.insert(lazy, merge=merge)
    assert apart.query() == expected.query()
    assert here.query() == expected.query()


def test_of_lazy_rows_only_the_columns_that_split_them_come_to_the_caller(client, tmp_path):
    def made(block):
        return np.full(block.shape, os.getpid(), dtype="float64")

    time = da.arange(100, chunks=7)
    collection = samples.create(str(tmp_path))
    collection.insert(
        {"time": time, "value": time.map_blocks(made, dtype="float64"), "deep/er/flag": (time % 7).astype("int8")},
        missing="fill",
        client=client,
    )
    assert os.getpid() not in collection.query()["value"].to_numpy()


def test_here_lazy_rows_are_computed_one_partition_at_a_time(tmp_path):
    blocks = []

    def made(block, block_id):
        blocks.append(block_id[0])
        return block + 0.25

    time = da.arange(80, chunks=10)
    value = time.map_blocks(made, dtype="float64", meta=np.empty(0))
    collection = samples.create(str(tmp_path))
    held = []
    with zc.config.using(threads=1):
        collection.insert(
            {"time": time, "value": value, "deep/er/flag": (time % 7).astype("int8")},
            missing="fill",
            progress=lambda done, _: held.append(len(blocks)),
        )
    assert held == list(range(1, 9))  # each block when its partition's turn came
    assert sorted(blocks) == list(range(8))
    np.testing.assert_array_equal(collection.query()["value"].to_numpy(), np.arange(80) + 0.25)


def test_our_own_lazy_rows_are_read_where_they_are_written(client, url, tmp_path):
    source, other = samples.create(url, TIMES), samples.create(str(tmp_path / "other"))
    other.insert(source.query(lazy=True), client=client)
    assert other.query() == source.query()
    part = source.query(lazy=True).isel(row=slice(20, 26))["value"].data
    assert len(part.sources.groups) == 2
    assert len(pickle.dumps(part)) < len(pickle.dumps(source.query(lazy=True)["value"].data))


def test_rows_are_copied_and_verified_by_workers(client, url, tmp_path):
    collection = samples.create(url)
    collection.insert({**samples.rows(TIMES), "angle": np.array([1.0, 2.0])})
    copied = collection.copy(f"file://{tmp_path}/copy", client=client)
    assert copied.query(client=client) == collection.query()
    assert copied.verify(data=True, client=client).is_clean


@pytest.mark.parametrize("on", ["threads", "processes"])
def test_results_are_combined_in_the_order_of_the_keys(client, url, on):
    times = np.arange(0, 400, 3)
    collection = samples.create(url, times)
    found = collection.map(
        lambda ds: ds["time"].to_numpy().tolist(), reduce=operator.add, client=client if on == "processes" else None
    )
    assert found == times.tolist()
    assert collection.map(workers.count, reduce=operator.add, filters="quotient == 77", client=client) is None


def test_a_function_that_fails_leaves_the_collection_as_it_was(client, url):
    collection = samples.create(url, TIMES)
    version, before = collection.history()[-1].version, collection.query()
    with pytest.raises(ZeroDivisionError):
        collection.update(lambda ds: {"value": ds["value"].to_numpy() / (1 // (len(ds["time"]) - 1))}, client=client)
    with pytest.raises(zc.SchemaError, match="returned 7 rows"):
        collection.update(lambda ds: {"value": [1.0] * 7}, client=client)
    assert collection.history()[-1].version == version
    assert collection.query() == before
    assert collection.verify(data=True).is_clean


def test_neighbouring_rows_reach_the_workers(client, url):
    collection = samples.create(url, TIMES)

    def sums(dataset):
        return {"value": np.cumsum(dataset["value"].to_numpy())}

    expected = samples.create(f"{url}-here", TIMES)
    expected.update(sums, depth=1)
    collection.update(sums, depth=1, client=client)
    assert collection.query() == expected.query()


def test_a_call_inside_a_task_does_its_work_there(client, url):
    collection = samples.create(url, TIMES)

    def task(collection):
        return set(collection.map(workers.where, client="active").values()), os.getpid()

    for found, process in client.gather(client.map(task, [collection] * 4, pure=False)):
        assert found == {process}


def test_lazy_rows_are_inserted_inside_tasks_that_hold_all_threads(client, tmp_path):
    def task(place):
        samples.create(place).insert(workers.lazily(samples.rows(TIMES)))
        return zc.open_collection(place).query().sizes["row"]

    places = [str(tmp_path / str(number)) for number in range(4)]
    assert client.gather(client.map(task, places)) == [len(TIMES)] * 4


def test_a_call_inside_a_running_loop_works(client, tmp_path):
    collection = samples.create(str(tmp_path), TIMES)

    async def main():
        blocking = collection.map(workers.count, client=client)
        return blocking == await collection.map_async(workers.count, client=client)

    assert asyncio.run(main())


def test_a_blocking_call_on_the_loop_of_its_own_client_is_refused(client, tmp_path):
    from distributed import Client

    collection = samples.create(str(tmp_path), TIMES)

    async def main():
        async with Client(client.scheduler.address, asynchronous=True, set_as_default=False) as own:
            with pytest.raises(zc.errors.SynchronousCallError, match="await its asynchronous counterpart"):
                collection.map(workers.count, client=own)
            return await collection.map_async(workers.count, reduce=operator.add, client=own)

    assert asyncio.run(main()) == len(TIMES)


def test_what_is_no_client_is_refused(url):
    collection = samples.create(url, TIMES)
    with pytest.raises(zc.errors.SettingError, match="client='yes'; accepted: a distributed.Client, 'active', or None"):
        collection.map(workers.count, client="yes")
    with pytest.raises(zc.errors.SettingError, match="no client is active"):
        collection.map(workers.count, client="active")


def test_memory_that_workers_cannot_see_is_refused(client, memory_url):
    collection = samples.create(memory_url, TIMES)
    with pytest.raises(zc.errors.SettingError, match="is in the memory of one process"):
        collection.map(workers.count, client=client)


def test_a_worker_without_a_plugin_names_its_distribution(url):
    collection = samples.create(url, TIMES)
    distribution = f"zcollection-store-{url.partition(':')[0]}"
    sent = pickle.dumps(Parcel.of(collection))
    code = (
        "import pickle, sys; sys.modules[sys.argv[1]] = None; parcel = pickle.load(sys.stdin.buffer)\n"
        "try: parcel.open()\nexcept Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, distribution.replace("-", "_")], input=sent, capture_output=True, check=True
    )
    assert re.search(f"BrokenPluginError .* of the distribution {distribution}; install", done.stdout.decode())


def test_without_dask_the_extra_is_named(url):
    code = (
        "import sys; sys.modules['distributed'] = sys.modules['dask'] = None\n"
        "import zcollection as zc\n"
        f"col = zc.open_collection({url!r})\n"
        "for ask in (lambda: col.map(len, client='active'), lambda: col.query(chunks={})):\n"
        "    try: ask()\n"
        "    except zc.MissingDependencyError as error: print(error)\n"
    )
    time = np.arange(3)
    schema = zc.Schema().with_dimension("t").with_variable("t", dtype="int64", dimensions=("t",)).build()
    made = zc.create_collection(url, schema=schema, axis="t", partitioning=zc.partitioning.Sequence(("t",)))
    made.insert({"t": time})
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("pip install 'zcollection[dask]'") == 2
