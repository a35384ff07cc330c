"""A vacuum of an Icechunk repository beside readers and writers: the first are told, and the others lose nothing."""

import datetime as dt
import pickle
import uuid

import numpy as np
import pytest
from zcollection_store_icechunk import places

import zcollection as zc
from zcollection.errors import SettingError, StoreError

ROWS = 4000  # chunks that are small are kept elsewhere
SCHEMA = (
    zc.Schema()
    .with_dimension("time", chunks=ROWS)
    .with_variable("time", dtype="int64", dimensions=("time",))
    .with_variable("value", dtype="float64", dimensions=("time",))
    .build()
)
GONE = "was removed by a vacuum after it was looked up; query again"


def rows(value):
    times = np.arange(ROWS, dtype="int64")
    return {"time": times, "value": np.random.default_rng(value).normal(size=ROWS)}


def read(dataset):
    return dataset["value"].to_numpy().tolist()


@pytest.fixture(params=["icechunk", "icechunk+memory"])
def url(request, tmp_path):
    return f"icechunk://{tmp_path}/repository" if request.param == "icechunk" else f"icechunk+memory://{uuid.uuid4()}"


@pytest.fixture
def collection(url):
    partitioning = zc.partitioning.Date(("time",), resolution="D")
    made = zc.create_collection(url, schema=SCHEMA, axis="time", partitioning=partitioning)
    made.insert(rows(1))
    return made


def outdate(collection):
    """Let the snapshot that is the newest be removed."""
    collection.insert(rows(2))
    collection.insert(rows(3))
    assert collection.vacuum(older_than="0s").versions


def lazily(collection):
    return collection.query(lazy=True)["value"].to_numpy


def chunked(collection):
    return collection.query(chunks={})["value"].to_numpy


def viewed(collection):
    """Return a lazy read of the base's variables through a view."""
    view = zc.create_view(
        f"memory://{uuid.uuid4()}", base=collection, computation=zc.computation.Expression({"doubled": "2 * value"})
    )
    view.refresh()
    return view.query(lazy=True)["value"].to_numpy


@pytest.mark.parametrize("reading", [lazily, chunked, viewed])
def test_lazy_variables_of_a_snapshot_that_is_gone_say_so(collection, reading):
    read_later = reading(collection)
    outdate(collection)
    with pytest.raises(zc.ConflictError, match=GONE):
        read_later()
    assert read(collection.query()) == rows(3)["value"].tolist()


@pytest.mark.parametrize("at", ["newest", "version"])
def test_a_reader_that_is_held_at_one_says_so_and_can_be_refreshed(collection, url, at):
    version = collection.history()[-1].version
    held = zc.open_collection(url, at=version if at == "version" else None)
    other = pickle.loads(pickle.dumps(held))
    assert read(held.query()) == rows(1)["value"].tolist()
    outdate(collection)
    for reader in (held, other):
        for use in (reader.query, lambda reader=reader: reader.verify(data=True), reader.history):
            with pytest.raises(zc.ConflictError, match=GONE):
                use()
    held.refresh()
    assert read(held.query()) == rows(3)["value"].tolist()


def test_a_version_that_is_gone_is_none_to_open_or_to_compare_with(collection, url):
    version = collection.history()[-1].version
    assert collection.changes(since=version).written == ()
    outdate(collection)
    with pytest.raises(StoreError, match=rf"cannot find snapshot '{version}'.* see history\(\)"):
        zc.open_collection(url, at=version)
    for asked in (collection, zc.open_collection(url)):
        with pytest.raises(SettingError, match=rf"since='{version}'; accepted: the version of an entry of history\(\)"):
            asked.changes(since=version)


def test_a_query_that_a_vacuum_overtakes_reads_the_newest_snapshot(collection, url, monkeypatch):
    from zcollection.collection.read import consistent_read

    original, done = consistent_read.read_groups, []
    reader = zc.open_collection(url, mode="rw")

    async def overtaken(*args, **kwargs):
        if not done:
            done.append(True)
            await collection.insert_async(rows(2))
            await collection.insert_async(rows(3))
            assert (await collection.vacuum_async(older_than="0s")).versions
        return await original(*args, **kwargs)

    monkeypatch.setattr(consistent_read, "read_groups", overtaken)
    assert read(reader.query()) == rows(3)["value"].tolist()


def test_damage_is_told_as_damage(collection, url, tmp_path):
    chunks = [*(tmp_path / "repository" / "chunks").glob("*")] if "memory" not in url else []
    if not chunks:
        pytest.skip("a repository in memory has no files to lose")
    lazy = lazily(collection)
    for chunk in chunks:
        chunk.unlink()
    with pytest.raises(zc.CorruptionError):
        lazy()


def meddling(collection, url, age):
    """Update, while another process would let a vacuum run, once everything was written and nothing committed."""
    from zcollection_store_icechunk.session import IcechunkSession

    original, done, calls = IcechunkSession.commit, [], []
    other = zc.open_collection(url, mode="rw")

    async def overtaken(session, message, metadata):
        if not done:
            done.append(True)
            await other.vacuum_async(older_than=age)
        return await original(session, message, metadata)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(IcechunkSession, "commit", overtaken)
        collection.update(lambda ds: calls.append(1) or {"value": ds["value"].to_numpy() * 2})
    return len(calls)


@pytest.mark.parametrize(("age", "runs"), [("0s", 2), ("24h", 1)])
def test_what_a_running_writer_has_is_never_taken_away(collection, url, age, runs):
    assert meddling(collection, url, age) == runs, "an old enough vacuum is no reason to begin anew"
    found = zc.open_collection(url)
    assert read(found.query()) == (2 * rows(1)["value"]).tolist()
    assert found.verify(data=True).is_clean
    assert [entry.operation for entry in found.history()][1:] == (
        ["vacuum", "update"] if runs > 1 else ["insert", "update"]
    )


def test_what_is_younger_than_clocks_may_differ_is_not_deleted(collection, url, monkeypatch):
    monkeypatch.setattr(places, "_TICK", dt.timedelta(minutes=15))
    if "memory" in url:
        pytest.skip("one store is enough")
    collection.insert(rows(2))
    assert collection.vacuum(older_than="0s").bytes == 0
