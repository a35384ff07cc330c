"""Older versions: read as they were, whatever is changed afterwards, put back, compared, and let go by a vacuum."""

import itertools
import tempfile
import uuid
import warnings

import anyio
import bucket
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import zcollection as zc
from zcollection.plugin import StoreURL, VariableSchema

DAY = 86_400
SCHEMA = (
    zc.Schema()
    .with_dimension("time", chunks=4)
    .with_variable("time", dtype="int64", dimensions=("time",), attrs={"units": "seconds since 1970-01-01"})
    .with_variable("value", dtype="float64", dimensions=("time",), fill_value=-1.0)
    .with_variable("constant", dtype="int32", dimensions=(), fill_value=0)
    .build()
)
DAILY = zc.partitioning.Date(("time",), resolution="D")


def place(kind, folder):
    """Return where a collection may lie, of one kind of store."""
    if kind == "bucket":
        return anyio.run(lambda: bucket.BucketStore.open(StoreURL.parse(f"bucket://{uuid.uuid4().hex}"), mode="rw"))
    prefixes = {"file": f"{folder}/", "memory": "memory://", "icechunk": f"icechunk://{folder}/"}
    return prefixes[kind] + uuid.uuid4().hex


def create(url, **options):
    return zc.create_collection(url, schema=SCHEMA, axis="time", partitioning=DAILY, **options)


def rows(hours, value):
    times = np.array(sorted(hours), "int64") * 3600
    return {"time": times, "value": np.full(len(times), float(value)), "constant": np.int32(value)}


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
        given = rows(hours, value)
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


@pytest.mark.parametrize(("kind", "examples"), [("memory", 30), ("file", 10), ("bucket", 10), ("icechunk", 4)])
def test_every_version_that_is_kept_reads_as_it_was_and_can_be_put_back(kind, examples):
    machine = type("Machine", (Versions,), {"kind": kind, "has_retention": kind != "icechunk"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_state_machine_as_test(
            machine, settings=settings(deadline=None, max_examples=examples, stateful_step_count=12)
        )
