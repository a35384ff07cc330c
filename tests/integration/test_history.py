"""Older versions: read as they were, whatever is changed afterwards, put back, compared, and let go by a vacuum."""

import datetime as dt
import itertools
import pickle
import tempfile
import uuid
import warnings

import anyio
import numpy as np
import pandas as pd
import pytest
from effort import examples
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from versions import SCHEMA, create, place, rows

import zcollection as zc
from zcollection import aio
from zcollection.plugin import VariableSchema
from zcollection.transaction.log import history


def seen(collection):
    """Return all that a reader sees, every way of reading agreeing."""
    found = collection.query()
    if found is None:
        assert collection.partitions() == ()
        return {}, 0, sorted(collection.schema.all_variables())
    lazily = collection.query(lazy=True)
    values = {name: item.to_numpy() for name, item in found.all_variables().items()}
    for name, array in values.items():
        np.testing.assert_array_equal(lazily.get_variable(name).to_numpy(), array)
    if "value" in values:
        positive = collection.query(where="value >= 0", variables=["time", "value"])
        there = values["value"] >= 0
        assert collection.count(where="value >= 0") == there.sum()
        if positive is not None:
            np.testing.assert_array_equal(positive["time"].to_numpy(), values["time"][there])
    pairs = dict(zip(values["time"].tolist(), values.get("value", np.zeros(len(values["time"]))).tolist(), strict=True))
    return pairs, int(values.get("constant", 0)), sorted(collection.schema.all_variables())


HOURS = st.sets(st.integers(0, 95), min_size=1, max_size=12)
DAYS = st.sets(st.integers(1, 4), min_size=1, max_size=2)


class Versions(RuleBasedStateMachine):
    """What users do to a collection, against a dictionary of what it held at each version."""

    kind = "memory"
    has_retention = True

    @initialize(catalog=st.booleans())
    def begin(self, catalog):
        self.folder = tempfile.TemporaryDirectory()
        self.url = place(self.kind, self.folder.name)
        self.collection = create(self.url, catalog_enabled=catalog if self.kind != "icechunk" else None)
        self.values = itertools.count(1)
        self.held, self.tagged, self.sources = {}, {}, {}
        if self.has_retention:
            self.collection.retain(10**6)
        self._note()
        self.since = self.newest

    def teardown(self):
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def _note(self):
        """Remember what the newest version holds."""
        self.newest = self.collection.history()[-1].version
        self.held[self.newest] = seen(self.collection)
        self.sources[self.newest] = self.collection.sources()

    @rule(hours=HOURS, merge=st.sampled_from([None, "concat", "time_series", "upsert"]), named=st.booleans())
    def insert(self, hours, merge, named):
        value = next(self.values)
        given = rows(hours, value, constant=value)
        given = {name: given[name] for name in self.collection.schema.all_variables()}
        if merge == "concat":
            known = np.array(list(self.held[self.newest][0]), "int64")
            keep = ~np.isin(given["time"], known)
            given = {name: item if item.ndim == 0 else item[keep] for name, item in given.items()}
            if not keep.any():
                return
        source = f"file {value}" if named else None
        self.collection.insert(given, merge=merge, immutable="replace", source=source)
        self._note()

    @rule(days=DAYS)
    def update(self, days):
        if "value" in self.collection.schema.all_variables():
            self.collection.update(
                lambda data: {"value": data["value"].to_numpy() + 0.25}, filters=f"day in {tuple(days)}"
            )
            self._note()

    @rule(hour=st.integers(0, 95))
    def delete(self, hour):
        self.collection.delete(where=f"time == {hour * 3600}")
        self._note()

    @rule(days=DAYS)
    def drop(self, days):
        self.collection.drop_partitions(filters=f"day in {tuple(days)}")
        self._note()

    @rule()
    def change_the_schema(self):
        if "value" in self.collection.schema.all_variables():
            self.collection.drop_variable("value")
        else:
            self.collection.add_variable(
                VariableSchema("value", dtype=np.dtype("float64"), dimensions=("time",), fill_value=-1.0)
            )
        self._note()

    @rule(data=st.data())
    def tag(self, data):
        version = data.draw(st.sampled_from(list(self.held)))
        name = f"t{len(self.tagged)}-{next(self.values)}"
        self.collection.tag(name, version)
        self.tagged[name] = version
        self._note()

    @precondition(lambda self: self.tagged)
    @rule(data=st.data())
    def untag(self, data):
        name = data.draw(st.sampled_from(list(self.tagged)))
        self.collection.untag(name)
        version = self.tagged.pop(name)
        if self.has_retention and version < self.since and version not in self.tagged.values():
            del self.held[version]
        self._note()

    @rule(data=st.data())
    def roll_back(self, data):
        to = data.draw(st.sampled_from(list(self.held)))
        self.collection.rollback(to)
        assert seen(self.collection) == self.held[to]
        assert self.collection.sources() == self.sources[to]
        self._note()

    @precondition(lambda self: self.has_retention)
    @rule(keep=st.integers(1, 6))
    def vacuum(self, keep):
        self.collection.retain(keep)
        self._note()
        before = self.newest
        self.collection.vacuum(older_than="0s")
        self._note()
        self.since = max(self.since, before - keep)
        kept = {version for version in self.held if version >= self.since or version in self.tagged.values()}
        assert {version for version in self.held if self._opens(version)} == kept
        self.held = {version: state for version, state in self.held.items() if version in kept}
        self.collection.retain(10**6)
        self._note()

    def _opens(self, version):
        try:
            zc.open_collection(self.url, at=version)
        except zc.errors.SettingError:
            return False
        return True

    @invariant()
    def every_version_is_as_it_was(self):
        if not hasattr(self, "held"):
            return
        assert self.collection.tags() == self.tagged
        for version in sorted(self.held, key=str)[:: max(1, len(self.held) // 3)]:
            old = zc.open_collection(self.url, at=version)
            assert seen(old) == self.held[version]
            assert old.sources() == self.sources[version]
        for name, version in list(self.tagged.items())[-1:]:
            assert seen(zc.open_collection(self.url, at=name)) == self.held[version]


@pytest.mark.parametrize(("kind", "tries"), [("memory", 60), ("file", 25), ("bucket", 25), ("icechunk", 20)])
def test_every_version_that_is_kept_reads_as_it_was_and_can_be_put_back(kind, tries):
    machine = type("Machine", (Versions,), {"kind": kind, "has_retention": kind != "icechunk"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_state_machine_as_test(machine, settings=examples(tries, stateful_step_count=12))


@pytest.fixture(params=["memory", "file", "bucket"])
def collection(request, tmp_path):
    """Return a collection that keeps older versions, and what its versions hold: versions 1 to 4 write."""
    made = create(place(request.param, tmp_path), keep=10)
    made.insert(rows(range(0, 72, 6), 1))
    made.insert(rows([6, 7], 2), merge="upsert")
    made.update(lambda data: {"value": data["value"].to_numpy() * 10}, filters="day == 2")
    made.drop_partitions(filters="day == 3")
    return made


def opened(collection, at):
    return zc.open_collection(collection.store, at=at)


@pytest.mark.parametrize("moment", [2, "2", "tagged"])
def test_a_version_is_opened_by_its_number_or_its_tag(collection, moment):
    collection.tag("tagged", 2)
    old = opened(collection, moment)
    assert seen(old)[0] == {hour * 3600: 1.0 for hour in range(0, 72, 6)} | {6 * 3600: 2.0, 7 * 3600: 2.0}
    assert [entry.version for entry in old.history()] == [0, 1, 2]
    assert old.tags() == {"tagged": 2}
    assert old.changes(since=1).written == ("year=1970/month=01/day=01",)


def test_a_version_is_opened_by_a_time_at_which_it_was_the_newest(collection):
    times = [dt.datetime.fromisoformat(entry.time) for entry in collection.history()]
    for version, time in enumerate(times):
        last = max(number for number, other in enumerate(times) if other <= time)
        for at in (
            time,
            time.isoformat(),
            time.replace(tzinfo=None),
            time.astimezone(dt.timezone(dt.timedelta(hours=5))),
        ):
            assert seen(opened(collection, at)) == seen(opened(collection, last))
        assert version <= last
    with pytest.raises(zc.errors.SettingError, match="is not a version .*; accepted: 0 to 4, or a time"):
        opened(collection, times[0] - dt.timedelta(seconds=1))


@pytest.mark.parametrize("moment", [-1, 5, "tomorrow", "1999-01-01", True, 2.0])
def test_what_is_no_version_is_refused(collection, moment):
    with pytest.raises(zc.errors.SettingError, match="is not a version .*; accepted: 0 to 4, or a time"):
        opened(collection, moment)


def test_an_older_version_is_read_and_never_written_to(collection):
    with pytest.raises(zc.ReadOnlyError, match="mode='r'"):
        zc.open_collection(collection.store, mode="rw", at=1)
    old = opened(collection, 1)
    for act in (lambda: old.insert(rows([1], 3)), old.vacuum, lambda: old.tag("x"), lambda: old.rollback(0)):
        with pytest.raises(zc.ReadOnlyError):
            act()
    with pytest.raises(zc.errors.SettingError, match=r"version 1 .* copy\(\)"):
        old.zarr()
    copied = old.copy(f"memory://{uuid.uuid4().hex}")
    assert seen(copied) == seen(old)
    assert copied.verify(data=True).is_clean


def test_an_older_version_pickles_and_refreshes_to_the_newest(tmp_path):
    made = create(f"{tmp_path}/c", keep=3)
    made.insert(rows([1], 1))
    made.insert(rows([1, 2], 2))
    old = zc.open_collection(f"{tmp_path}/c", at=1)
    again = pickle.loads(pickle.dumps(old))
    assert seen(again) == seen(old) == ({3600: 1.0}, 7, sorted(SCHEMA.all_variables()))
    old.refresh()
    assert seen(old) == seen(made)


def test_dask_reads_an_older_version(collection):
    lazily = opened(collection, 2).query(chunks={"time": "partition"})
    expected = opened(collection, 2).query()
    np.testing.assert_array_equal(lazily["value"].data.compute(), expected["value"].to_numpy())


def test_who_reads_what_a_vacuum_has_removed_is_told_so(collection):
    old = opened(collection, 1)
    lazily = old.query(lazy=True)
    collection.retain(1)
    collection.vacuum(older_than="0s")
    with pytest.raises(zc.errors.OutdatedError, match="version 1 .* is not kept; accepted: 4 to 6, or a time"):
        old.query()
    with pytest.raises(zc.ConflictError):
        lazily["value"].to_numpy()
    with pytest.raises(zc.errors.SettingError, match="is not kept"):
        opened(collection, 1)
    assert collection.verify(data=True).is_clean


def test_a_vacuum_leaves_what_versions_need_that_are_kept(tmp_path):
    made = create(f"{tmp_path}/c", keep=2)
    for value in range(8):
        made.insert(rows(range(24), value))
    made.vacuum(older_than="0s")
    kept = [path for path in (tmp_path / "c/_transactions/kept").rglob("zarr.json") if "value" not in path.parts[-2:]]
    assert len({path.relative_to(tmp_path / "c/_transactions/kept").parts[0] for path in kept}) == 2
    assert [seen(zc.open_collection(f"{tmp_path}/c", at=at))[0][0] for at in (6, 7, 8, 9)] == [5.0, 6.0, 7.0, 7.0]
    made.retain(None)
    made.vacuum(older_than="0s")
    assert list((tmp_path / "c/_transactions/kept").rglob("zarr.json")) == []
    assert made.verify(data=True).is_clean


def test_chunks_that_stay_the_same_are_kept_once(tmp_path):
    made = create(f"{tmp_path}/c", keep=10)
    made.insert(rows(range(24), 1))
    made.insert(rows([22, 23], 2), merge="upsert")
    found = {path.relative_to(tmp_path / "c"): path.stat() for path in (tmp_path / "c").rglob("c/*") if path.is_file()}
    shared = [path for path, status in found.items() if status.st_nlink > 1]
    assert {path.parts[-3] + "/" + path.name for path in shared} >= {"value/0", "value/1", "time/0"}
    assert not {path.parts[-3] + "/" + path.name for path in shared} & {"value/5"}


def test_a_vacuum_removes_nothing_that_another_writer_keeps_meanwhile(collection, monkeypatch):
    every, writes = history.all_versions, []

    async def overtaken(store):
        found = await every(store)
        if not writes:
            writes.append(1)
            other = await aio.open_collection(collection.store, mode="rw")
            await other.insert_async(rows([1], 50), merge="upsert")
            await other.insert_async(rows([2], 51), merge="upsert")
        return found

    collection.tag("before")
    collection.retain(2)
    with monkeypatch.context() as patched:
        patched.setattr(history, "all_versions", overtaken)
        collection.vacuum(older_than="0s")
    assert writes
    newest = collection.history()[-1].version
    assert [seen(opened(collection, at))[0].get(3600) for at in (newest - 2, newest - 1, newest)] == [None, 50.0, 50.0]
    assert seen(opened(collection, "before"))[0].get(3600) is None
    assert collection.verify(data=True).is_clean


@pytest.mark.parametrize("keep", [0, -1, True, "0d", "soon", dt.timedelta(0), 1.5])
def test_a_retention_that_is_none_is_refused(keep):
    with pytest.raises(zc.errors.SettingError, match="keep=.*accepted:"):
        create("memory://never", keep=keep)


@pytest.mark.parametrize("name", ["", "1", "2026-11-20", "a/b", "../x", "a b", "é", "x" * 101])
def test_a_tag_that_could_mean_something_else_is_refused(collection, name):
    with pytest.raises(zc.errors.SettingError, match="accepted: a letter"):
        collection.tag(name)
    assert collection.tags() == {}


def test_a_tag_is_given_once(collection):
    collection.tag("a", 2)
    with pytest.raises(zc.errors.SettingError, match="tag 'a' .* is taken, by version 2"):
        collection.tag("a")
    with pytest.raises(zc.errors.SettingError, match="has no tag 'b'; accepted: 'a'"):
        collection.untag("b")
    collection.untag("a")
    collection.tag("a")
    assert collection.tags() == {"a": collection.history()[-1].version}


@pytest.mark.parametrize("kind", ["memory", "file", "bucket", "icechunk"])
def test_a_source_that_was_rolled_back_can_be_inserted_again(kind, tmp_path):
    made = create(place(kind, tmp_path), **({} if kind == "icechunk" else {"keep": 9}))
    made.insert(rows([1], 1), source="a.nc")
    before = made.history()[-1].version
    made.insert(rows([2], 2), merge="upsert", source="b.nc")
    made.rollback(before)
    assert made.sources() == ("a.nc",)
    assert len(made.insert(rows([2], 3), merge="upsert", source="b.nc")) == 1
    assert len(made.insert(rows([2], 4), merge="upsert", source="a.nc")) == 0
    assert seen(made)[0] == {3600: 1.0, 7200: 3.0}
    assert made.sources() == ("a.nc", "b.nc")


def test_a_view_goes_back_too(tmp_path):
    base = create(f"{tmp_path}/base", keep=9)
    base.insert(rows(range(48), 1))
    view = zc.create_view(f"{tmp_path}/view", base=base, computation=zc.computation.Expression({"twice": "2 * value"}))
    view.retain("1d")
    view.refresh()
    base.insert(rows([1], 5), merge="upsert")
    view.refresh()
    view.rollback(2)
    assert len(view.status().stale) == 1
    over_old = zc.open_view(f"{tmp_path}/view", base=zc.open_collection(f"{tmp_path}/base", at=1))
    found = over_old.query(variables=["value", "twice"])
    np.testing.assert_array_equal(found["twice"].to_numpy(), 2 * found["value"].to_numpy())
    assert view.refresh().computed == ("year=1970/month=01/day=01",)


# Two versions compared, against pandas.

TABLE = st.lists(st.tuples(st.integers(0, 12), st.sampled_from([1.0, 2.0, np.nan]), st.integers(0, 1)), max_size=14)


@examples(60)
@given(old=TABLE, new=TABLE)
def test_two_versions_are_compared_as_pandas_does(old, new):
    schema = (
        zc.Schema()
        .with_dimension("time", chunks=4)
        .with_dimension("side", size=2)
        .with_variable("time", dtype="int64", dimensions=("time",))
        .with_variable("value", dtype="float64", dimensions=("time",))
        .with_variable("pair", dtype="int8", dimensions=("side", "time"))
    )
    by_ten = zc.partitioning.GroupedSequence(("time",), dimension="time", size=10)
    made = zc.create_collection(f"memory://{uuid.uuid4().hex}", schema=schema, axis="time", partitioning=by_ten, keep=9)
    tables = []
    for table in (old, new):
        made.drop_partitions(filters="True")
        frame = pd.DataFrame(table, columns=["time", "value", "pair"]).sort_values(
            "time", kind="stable", ignore_index=True
        )
        pair = np.stack([frame["pair"], 1 - frame["pair"]]).astype("int8")
        if len(frame):
            made.insert({"time": frame["time"].to_numpy("int64"), "value": frame["value"].to_numpy(), "pair": pair})
        made.tag(f"t{len(tables)}")
        tables.append(frame.assign(place=frame.groupby("time").cumcount()))
    joined = tables[0].merge(tables[1], on=["time", "place"], how="outer", suffixes=("_0", "_1"), indicator=True)
    both = joined[joined["_merge"] == "both"]
    others = (
        both[["value_0", "pair_0"]]
        .set_axis(["v", "p"], axis=1)
        .compare(both[["value_1", "pair_1"]].set_axis(["v", "p"], axis=1))
    )
    found = made.diff("t0", "t1")
    said = found.to_pandas(rows=True)
    for change, expected in (
        ("added", joined[joined["_merge"] == "right_only"]["time"]),
        ("removed", joined[joined["_merge"] == "left_only"]["time"]),
        ("changed", both.loc[others.index]["time"]),
    ):
        assert sorted(said[said["change"] == change]["axis"]) == sorted(expected)
    columns = set(others.columns.get_level_values(0)) if len(others) else set()
    assert {name for item in found for name in item.variables} == {
        {"v": "value", "p": "pair"}[name] for name in columns
    }
    assert all(item for item in found)
    assert len(made.diff("t1", "t1")) == 0


def test_variables_that_only_one_version_has_are_named(collection):
    collection.drop_variable("value")
    collection.add_variable(VariableSchema("other", dtype=np.dtype("int8"), dimensions=("time",), fill_value=0))
    found = collection.diff(4)
    assert (found.variables_added, found.variables_dropped) == (("other",), ("value",))
    assert "variables added" in str(found)
    assert list(found) == []


# Followed.


@pytest.mark.parametrize("kind", ["memory", "file", "bucket", "icechunk"])
def test_a_follower_that_restarts_misses_nothing_and_meets_nothing_twice(kind, tmp_path):
    url = place(kind, tmp_path)
    made = create(url)
    first = made.history()[0].version
    met, since = [], first
    for value in range(1, 60 if kind == "memory" else 6):
        made.insert(rows([value % 90], value), merge="upsert")
        if value % 4 == 0:
            made.drop_partitions(filters="day == 1")
        if value % 3 == 0:
            for change in zc.open_collection(url).follow(since=since, every="0s"):
                met.append(change)
                since = change.version
                if since == made.history()[-1].version:
                    break
    history = made.history()[1 : len(met) + 1]
    assert [change.version for change in met] == [entry.version for entry in history]
    assert [change.operation for change in met] == [entry.operation for entry in history]
    drops = [change for change in met if change.operation == "drop"]
    assert all(change.written == () for change in drops)
    assert {path for change in drops for path in change.dropped} <= {"year=1970/month=01/day=01"}
    assert all(len(change.written) == 1 and change.dropped == () for change in met if change.operation == "insert")


def test_a_follower_waits_without_blocking_the_loop(collection):
    async def follow():
        met = []
        async with anyio.create_task_group() as group:

            async def insert():
                for hour in (80, 81):
                    await collection.insert_async(rows([hour], 9))

            group.start_soon(insert)
            async for change in collection.follow(since=4, every="1s" if met else "0s"):
                met.append(change.operation)
                if len(met) == 2:
                    break
        return met

    assert anyio.run(follow) == ["insert", "insert"]


def test_following_from_no_version_is_refused(collection):
    for since in (99, -1, "x"):
        with pytest.raises(zc.errors.SettingError, match="since=.*accepted: a version"):
            next(iter(collection.follow(since=since)))
    with pytest.raises(zc.errors.SettingError, match="every="):
        collection.follow(every="often")


# The log stays short.


@pytest.mark.parametrize("catalog", [True, False])
def test_the_log_folds_itself_and_nothing_of_the_history_is_lost(catalog):
    made = create(f"memory://{uuid.uuid4().hex}", catalog_enabled=catalog, keep=1000)
    for value in range(1, 290):
        made.insert(rows([value % 20], value))
        if value % 40 == 0:
            assert len(names(made, "_transactions/log/")) <= 64
    assert [entry.version for entry in made.history()] == list(range(290))
    assert len(names(made, "_transactions/history/")) < 20
    assert made.changes(since=250).version == 289
    for version in (1, 15, 16, 17, 130, 288):
        assert seen(zc.open_collection(made.store, at=version))[0] == {version % 20 * 3600: float(version)}
    assert made.verify(data=True).is_clean


def names(collection, prefix):
    async def listed():
        return [entry.key async for entry in collection.store.list(prefix)]

    return anyio.run(listed)


def test_an_insert_that_others_overtake_many_times_is_done_once(tmp_path):
    url = f"{tmp_path}/c"
    made, others, calls = create(url), None, []
    made.insert(rows([0], 1))

    def merge(existing, inserted, *, axis, partitioning_dim):
        calls.append(1)
        for hour in range(40):
            zc.open_collection(url, mode="rw").insert(rows([24 + hour], hour), merge="upsert")
        return inserted

    made.insert(rows([1], 7), merge=merge)
    assert len(calls) == 1
    assert others is None
    assert seen(made)[0][3600] == 7.0
    assert len(made.history()) == 43
