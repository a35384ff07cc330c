"""What one row costs that is upserted, in system calls that change something and in requests: counts, and never times."""

import os
from collections import Counter

import numpy as np
import pytest
from bucket import BUCKETS, BucketStore
from changes import healthy
from zcollection_store_file import files, publishing

import zcollection as zc

DAY = 86_400


def schema_of(chunks):
    return (
        zc.Schema()
        .with_dimension("time", chunks=chunks)
        .with_variable("time", dtype="int64", dimensions=("time",), attrs={"units": "seconds since 1970-01-01"})
        .with_variable("temperature", dtype="float32", dimensions=("time",))
    )


SCHEMA = schema_of(4096)
UPSERTS = 32
"""Twice as many as there are between two folds of the log."""


@pytest.fixture(autouse=True)
def _bucket(register):
    register(BucketStore, name="bucket")
    yield
    BUCKETS.clear()


def upserted(collection, number, *, merge="upsert"):
    return collection.insert({"time": np.array([number]), "temperature": np.ones(1, "f4")}, merge=merge)


def created(place, partitions, by):
    """Return a collection whose last partition receives rows, and the first time at which it has none."""
    collection = zc.create_collection(place, schema=SCHEMA, axis="time", partitioning=by)
    collection.insert({"time": np.arange(partitions) * DAY, "temperature": np.ones(partitions, "f4")})
    last = (partitions - 1) * DAY
    for number in range(1, 41):
        upserted(collection, last + number)
    return collection, last + 41


@pytest.fixture
def calls(monkeypatch):
    """Return a count of the calls that change a directory, whether they succeed or not."""
    counts = Counter()

    def counting(name, function):
        def call(*arguments, **options):
            counts[name] += 1
            return function(*arguments, **options)

        return call

    opened = os.open

    def opening(path, flags, *arguments, **options):
        counts["open"] += bool(flags & os.O_CREAT)
        return opened(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", opening)
    for name in ("rename", "replace", "link", "unlink", "mkdir", "rmdir", "fsync", "symlink"):
        monkeypatch.setattr(os, name, counting(name, getattr(os, name)))
    monkeypatch.setattr(files, "move_to_free_path", counting("rename", files.move_to_free_path))
    monkeypatch.setattr(publishing, "exchange", counting("rename", publishing.exchange))
    return counts


@pytest.mark.parametrize(("partitions", "by", "most"), [(1, "date:Y", 34.5), (1, "date:D", 38.5), (100, "date:D", 37)])
def test_a_row_on_a_local_disk_costs_a_group_and_few_calls_more(tmp_path, calls, partitions, by, most):
    collection, first = created(tmp_path / "c", partitions, by)
    calls.clear()
    for number in range(UPSERTS):
        upserted(collection, first + number)
    # Of these a group of six objects in five directories costs 22, and the swap of two directories one.
    assert calls.total() / UPSERTS <= most, calls
    assert collection.verify(data=True).is_clean


@pytest.mark.parametrize(("partitions", "by"), [(1, "date:Y"), (1, "date:D"), (100, "date:D")])
def test_a_row_on_object_storage_costs_the_same_beside_few_partitions_and_many(partitions, by):
    collection, first = created("bucket://small", partitions, by)
    requests = collection.store.bucket.requests
    requests.clear()
    for number in range(UPSERTS):
        upserted(collection, first + number)
    # Of these the six objects are written and copied, and four of the old ones are read.
    assert len(requests) / UPSERTS <= 27, Counter(kind for kind, _ in requests)
    assert collection.verify(data=True).is_clean


def chunked(place, chunks):
    """Return a collection of one partition with rows every ten minutes, in chunks of 64 of which the last has 63 rows."""
    collection = zc.create_collection(place, schema=schema_of(64), axis="time", partitioning="date:Y")
    rows = 64 * chunks - 1
    collection.insert({"time": 600 * np.arange(rows), "temperature": np.ones(rows, "f4")})
    return collection, 600 * rows


def test_a_chunk_that_is_kept_costs_a_link_and_a_removal_and_is_neither_opened_nor_read(tmp_path, calls, monkeypatch):
    examined = Counter()
    lstat, opened = os.lstat, os.open
    monkeypatch.setattr(os, "lstat", lambda *given, **options: examined.update(["lstat"]) or lstat(*given, **options))
    monkeypatch.setattr(os, "open", lambda *given, **options: examined.update(["open"]) or opened(*given, **options))
    found = {}
    for chunks in (2, 42):
        collection, time = chunked(tmp_path / f"{chunks}", chunks)
        calls.clear()
        examined.clear()
        upserted(collection, time)
        found[chunks] = Counter(calls), Counter(examined)
        assert collection.verify(data=True).is_clean
    kept = 2 * (42 - 2)
    (few, few_examined), (many, many_examined) = found[2], found[42]
    assert many - few == Counter(link=kept, unlink=kept)
    assert many_examined - few_examined == Counter(lstat=kept)


@pytest.mark.parametrize("step", [600, 601], ids=["inserted after the rows", "inserted between the rows"])
def test_of_a_regular_axis_no_chunk_is_read_but_those_that_are_rewritten(step):
    requests = {}
    for chunks in (2, 10):
        collection, time = chunked("bucket://small", chunks)
        seen = collection.store.bucket.requests
        seen.clear()
        upserted(collection, time if step == 600 else time - step)
        requests[chunks] = Counter(kind for kind, _ in seen)
        read = {key.partition("year=1970/")[2] for kind, key in seen if kind == "GET" and "year=1970" in key}
        assert read - {"zarr.json"} == {"time/_statistics", f"time/c/{chunks - 1}", f"temperature/c/{chunks - 1}"}
        assert collection.verify(data=True).is_clean
        BUCKETS.clear()
    assert requests[2]["GET"] == requests[10]["GET"]


def test_the_chunks_of_an_irregular_axis_are_read():
    collection, _ = chunked("bucket://small", 10)
    times = np.random.default_rng(1).permutation(600 * 640)[:640]
    collection.insert({"time": times, "temperature": np.ones(640, "f4")}, merge="replace")
    seen = collection.store.bucket.requests
    seen.clear()
    upserted(collection, 600 * 641)
    assert len({key for kind, key in seen if kind == "GET" and "time/c/" in key}) == 10


@pytest.mark.parametrize("place", ["bucket", "file"])
def test_the_log_stays_short_and_every_version_is_known(tmp_path, place):
    collection = zc.create_collection(
        tmp_path / "c" if place == "file" else "bucket://small", schema=SCHEMA, axis="time", partitioning="date:Y"
    )
    for number in range(80):
        upserted(collection, 600 * number)
        if place == "file":
            held = len(list((tmp_path / "c/_transactions/log").iterdir()))
        else:
            held = len([key for key in BUCKETS["small"] if "/log/" in key])
        assert held <= 64
    assert [entry.version for entry in collection.history()] == list(range(81))
    assert collection.query()["time"].to_numpy().tolist() == [600 * number for number in range(80)]
    opened = zc.open_collection(collection.store)
    assert opened.count() == 80


def test_what_others_commit_between_is_built_upon():
    collection, first = created("bucket://small", 1, "date:D")
    other, times = healthy(collection.store), [0, *range(1, 41)]
    for number in range(40):
        writer = (collection, other, collection)[number % 3]
        upserted(writer, first + number)
        times.append(first + number)
    assert collection.query()["time"].to_numpy().tolist() == times
    other.drop_partitions(filters="True")
    upserted(collection, first, merge="concat")
    assert collection.query()["time"].to_numpy().tolist() == [first]
    assert collection.verify(data=True).is_clean


def test_the_documents_on_the_way_to_a_partition_that_was_dropped_are_made_again(tmp_path):
    collection, first = created(tmp_path / "c", 2, "date:D")
    (tmp_path / "c/year=1970/month=01/zarr.json").unlink()
    upserted(collection, first)
    assert not collection.verify().is_clean, "a group that exists was reached before: verify() tells what is lost"
    collection.drop_partitions(filters="day == 2")
    upserted(collection, first)
    assert collection.verify(data=True).is_clean
