"""What others do while versions are tagged, put back, replaced and forgotten, and where a writer dies on the way."""

import anyio
import numpy as np
import pytest
from bucket import DiedError, Power
from clocks import Clock
from versions import create, place, rows
from zcollection_store_file.publishing import Publication

import zcollection as zc
from zcollection import aio
from zcollection.plugin import Read
from zcollection.transaction.log import leases
from zcollection.transaction.log.transaction import LogTransaction


def values(collection):
    found = collection.query()
    if found is None:
        return {}
    return dict(zip(found["time"].to_numpy().tolist(), found["value"].to_numpy().tolist(), strict=True))


@pytest.fixture(params=["file", "bucket"])
def made(request, tmp_path):
    return create(place(request.param, tmp_path))


def meanwhile(monkeypatch, operation, act):
    """Let something be done once, just before a change of one kind is committed."""
    commit, done = LogTransaction.commit, []

    async def overtaken(self):
        if self.operation == operation and not done:
            done.append(1)
            await act()
        await commit(self)

    monkeypatch.setattr(LogTransaction, "commit", overtaken)
    return done


async def opened(made):
    return await aio.open_collection(made.store, mode="rw")


def test_a_version_that_others_replace_while_it_is_tagged_gets_no_tag(made, monkeypatch):
    made.insert(rows(range(24), 1))

    async def insert():
        await (await opened(made)).insert_async(rows(range(24), 2))

    done = meanwhile(monkeypatch, "tag", insert)
    with pytest.raises(zc.errors.SettingError, match="version 1 of .* is not kept; accepted: 2, the newest"):
        made.tag("first", 1)
    assert done
    assert made.tags() == {}
    made.tag("second", 2)
    made.insert(rows(range(24), 3))
    assert set(values(zc.open_collection(made.store, at="second")).values()) == {2.0}


def test_a_change_that_began_before_a_version_was_tagged_keeps_what_that_needs(made, monkeypatch):
    made.insert(rows(range(24), 1))

    async def tag():
        await (await opened(made)).tag_async("first")

    done = meanwhile(monkeypatch, "insert", tag)
    made.insert(rows(range(24), 2))
    assert done
    assert set(values(zc.open_collection(made.store, at="first")).values()) == {1.0}
    assert set(values(made).values()) == {2.0}


def test_a_rollback_puts_back_all_of_a_version_whatever_others_insert_meanwhile(made, monkeypatch):
    made.retain(9)
    made.insert(rows(range(24), 1))
    made.insert(rows(range(12), 2), merge="upsert")

    async def insert():
        await (await opened(made)).insert_async(rows(range(48, 60), 3))

    done = meanwhile(monkeypatch, "rollback", insert)
    made.rollback(2)
    assert done
    assert values(made) == dict.fromkeys(range(0, 24 * 3600, 3600), 1.0)
    assert [entry.operation for entry in made.history()][-2:] == ["insert", "rollback"]


def test_a_version_that_is_tagged_during_a_vacuum_is_not_forgotten(made, monkeypatch):
    made.retain(1)
    for value in range(1, 5):
        made.insert(rows(range(24), value))

    async def tag():
        await (await opened(made)).tag_async("old", 2)

    done = meanwhile(monkeypatch, "vacuum", tag)
    made.vacuum(older_than="0s")
    assert done
    assert set(values(zc.open_collection(made.store, at="old")).values()) == {1.0}


OPERATIONS = {
    "replace": lambda it: it.insert(rows(range(0, 30, 5), 9)),
    "drop": lambda it: it.drop_partitions(filters="day == 1"),
    "repartition": lambda it: it.repartition("date:M"),
    "rollback": lambda it: it.rollback(2),
    "forget": lambda it: it.vacuum(older_than="0s"),
}


async def contents(store):
    keys = [entry.key async for entry in store.list("", recursive=True)]
    return dict(zip(keys, await store.get([Read(key) for key in keys]), strict=True))


@pytest.mark.parametrize("name", OPERATIONS)
def test_older_versions_are_whole_wherever_a_writer_has_died(name, tmp_path, monkeypatch):
    monkeypatch.setattr(leases, "CLOCK", Clock())  # nobody waits for who is known to be dead
    made = create(place("bucket", tmp_path), keep=3)
    for value in range(1, 4):
        made.insert(rows(range(0, 30, 5 + value), value), merge="upsert")
    before = anyio.run(contents, made.store)
    was = {version: values(zc.open_collection(made.store, at=version)) for version in (1, 2, 3)}
    # As many steps at a time as let the test take a second; the commands in tests/faults take one at a time.
    kept = (2, 3) if name == "forget" else (1, 2, 3)  # a vacuum leaves three before the newest, itself among these
    for steps in range(0, 400, 11):
        store = place("bucket", tmp_path)
        anyio.run(store.put, before)
        try:
            OPERATIONS[name](zc.open_collection(store.with_watch(Power(steps)), mode="rw"))
            is_over = True
        except DiedError:
            is_over = False
        for version in kept:
            assert values(zc.open_collection(store, at=version)) == was[version]
        zc.open_collection(store, mode="rw").insert(rows([100], 9))  # which completes what the dead writer began
        for version in kept:
            assert values(zc.open_collection(store, at=version)) == was[version]
        if is_over:
            break
    assert is_over
    assert steps > 0


def test_an_older_version_is_whole_where_a_writer_has_died_between_swap_and_rename(tmp_path, monkeypatch):
    """The new group is in its place then, and the old one in the stage from which that came."""
    made = create(place("file", tmp_path), keep=3)
    made.insert(rows(range(0, 30, 5), 1))

    def die(*_):
        raise DiedError

    with monkeypatch.context() as patched:
        patched.setattr(Publication, "_move_to_kept", die)
        with pytest.raises(DiedError):
            made.insert(rows(range(0, 30, 7), 2))
    old = zc.open_collection(made.store, at=1)
    for _ in range(2):
        assert values(old) == dict.fromkeys(range(0, 30 * 3600, 5 * 3600), 1.0)
        newest = zc.open_collection(made.store).query(filters="day < 4")
        np.testing.assert_array_equal(newest["time"].to_numpy(), np.arange(0, 30, 7) * 3600)
        made.insert(rows([100], 3))
    assert made.verify(data=True).is_clean
