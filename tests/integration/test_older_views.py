"""Older versions of views: what was computed by then, over the newest version of the base or over an older one."""

import itertools
import pickle
import tempfile

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from versions import create, place, rows

import zcollection as zc
from zcollection import aio
from zcollection.transaction.log.past import PastVersioning

DOUBLE = zc.computation.Expression({"double": "2 * value"})
DAYS = st.sets(st.integers(1, 4), min_size=1, max_size=3)


def day_of(time):
    return time // 86_400 + 1


class Views(RuleBasedStateMachine):
    """A view and its base, against dictionaries: of the base its rows and the change that wrote each day, of the view the
    change of the base that each day was computed from."""

    kind = "memory"

    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory()
        keeping = {} if self.kind == "icechunk" else {"keep": 10**6}
        self.base = create(place(self.kind, self.folder.name), **keeping)
        where = place(self.kind, self.folder.name)
        self.view = zc.create_view(where, base=self.base, computation=DOUBLE)
        if keeping:
            self.view.retain(10**6)
        self.values = itertools.count(1)
        self.rows, self.computed = {}, {}
        self.of_base, self.of_view = {}, {}
        self._note()

    def teardown(self):
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def _note(self):
        self.of_base[self.base.history()[-1].version] = dict(self.rows)
        self.of_view[self.view.history()[-1].version] = dict(self.computed)

    @rule(hours=st.sets(st.integers(0, 95), min_size=1, max_size=8))
    def insert(self, hours):
        value = float(next(self.values))
        self.base.insert(rows(hours, value), merge="upsert")
        for hour in hours:
            day = hour // 24 + 1
            _, before = self.rows.get(day, (None, {}))
            self.rows[day] = value, before | {hour * 3600: value}
        self._note()

    @rule(days=DAYS)
    def drop(self, days):
        self.base.drop_partitions(filters=f"day in {tuple(days)}")
        self.rows = {day: item for day, item in self.rows.items() if day not in days}
        self._note()

    @rule(days=DAYS)
    def refresh(self, days):
        self.view.refresh(filters=f"day in {tuple(days)}")
        kept = {day: change for day, change in self.computed.items() if day not in days}
        self.computed = kept | {day: self.rows[day][0] for day in days & self.rows.keys()}
        self._note()

    @rule()
    def roll_the_view_back(self):
        version, state = next(iter(self.of_view.items()))
        self.view.rollback(version)
        self.computed = dict(state)
        self._note()

    def _expected(self, base, computed):
        """Return times, values and what the view has for them, in order."""
        found = [
            (time, value, 2 * value if computed.get(day) == change else np.nan)
            for day, (change, held) in sorted(base.items())
            for time, value in sorted(held.items())
        ]
        return np.array(found, "float64").reshape(-1, 3).T

    def _check(self, opened, base, computed):
        times, values, doubles = self._expected(base, computed)
        names = ["time", "value", "double"]
        status = opened.status()
        paths = {day: f"year=1970/month=01/day={day:02d}" for day in range(1, 5)}
        assert set(status.current) == {paths[day] for day in base if computed.get(day) == base[day][0]}
        assert set(status.stale) == {paths[day] for day in base if day in computed and computed[day] != base[day][0]}
        assert set(status.missing) == {paths[day] for day in base.keys() - computed.keys()}
        assert set(status.orphaned) == {paths[day] for day in computed.keys() - base.keys()}
        found = opened.query(variables=names)
        assert (found is None) == (not base)
        if found is None:
            return
        lazily, dasked = opened.query(variables=names, lazy=True), opened.query(variables=names, chunks={})
        for name, expected in zip(names, (times, values, doubles), strict=True):
            for each in (found, lazily):
                np.testing.assert_array_equal(each[name].to_numpy(), expected)
            np.testing.assert_array_equal(dasked[name].data.compute(), expected)
        large = doubles > 2 * np.nanmedian(values)
        condition = f"double > {2 * np.nanmedian(values)}"
        np.testing.assert_array_equal(opened.query(where=condition)["time"].to_numpy(), times[large])
        assert opened.count(where=condition) == len(opened.find(condition)) == large.sum()
        scanned = [part["double"].to_numpy() for part in opened.scan(variables=["double"])]
        np.testing.assert_array_equal(np.concatenate(scanned), doubles)
        np.testing.assert_array_equal(opened.query(stale="compute")["double"].to_numpy(), 2 * values)
        if any(computed.get(day) != change for day, (change, _) in base.items()):
            with pytest.raises(zc.StaleError):
                opened.query(stale="error")

    @invariant()
    def every_version_is_as_it_was(self):
        if not hasattr(self, "of_view"):
            return
        versions = list(self.of_view.items())
        for version, computed in versions[:: max(1, len(versions) // 3)]:
            opened = zc.open_view(self.view.store, at=version, base=self.base.store)
            self._check(opened, self.rows, computed)
            assert opened.history()[-1].version == version
        (version, computed), (older, held) = versions[-1], list(self.of_base.items())[len(self.of_base) // 2]
        old = zc.open_collection(self.base.store, at=older)
        self._check(zc.open_view(self.view.store, at=version, base=old), held, computed)


@pytest.mark.parametrize(("kind", "examples"), [("memory", 8), ("file", 3), ("bucket", 3), ("icechunk", 2)])
def test_an_older_view_has_what_was_computed_by_then(kind, examples):
    machine = type("Machine", (Views,), {"kind": kind})
    chosen = settings(
        deadline=None, max_examples=examples, stateful_step_count=8, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(machine, settings=chosen)


@pytest.fixture
def base(tmp_path):
    made = create(f"{tmp_path}/base", keep=99)
    made.insert(rows(range(72), 1))
    return made


@pytest.fixture
def view(base, tmp_path):
    """Return a view of which version "all" has everything of the base's version 1, and the newest nothing of day 2."""
    made = zc.create_view(f"{tmp_path}/view", base=base, computation=DOUBLE)
    made.retain(99)
    made.refresh()
    made.tag("all")
    base.insert(rows(range(24, 30), 5), merge="upsert")
    return made


def test_the_version_of_the_base_is_the_newest_unless_another_is_given(base, view):
    old = zc.open_view(view.store.url, at="all")
    assert old.status().stale == ("year=1970/month=01/day=02",)
    np.testing.assert_array_equal(old.query()["value"].to_numpy(), base.query()["value"].to_numpy())
    base.insert(rows([0], 7), merge="upsert")
    assert len(old.status().stale) == 2
    assert old.query()["value"].to_numpy()[0] == 7
    over_old = zc.open_view(view.store.url, at="all", base=zc.open_collection(base.store.url, at=1))
    assert over_old.status().is_current
    assert over_old.query()["value"].to_numpy()[0] == 1
    said = [line.split() for line in str(over_old).splitlines()]
    assert ["version:", "3"] in said
    assert ["version", "of", "the", "base:", "1"] in said
    assert "version of the base:" not in str(old)


def test_an_older_view_is_never_written_to(view):
    with pytest.raises(zc.ReadOnlyError, match="mode='r'"):
        zc.open_view(view.store.url, mode="rw", at="all")
    old = zc.open_view(view.store.url, at="all")
    for act in (old.refresh, old.vacuum, lambda: old.tag("x"), lambda: old.rollback(1), lambda: old.retain(1)):
        with pytest.raises(zc.ReadOnlyError):
            act()


def test_what_is_no_version_of_a_view_is_refused(view):
    for moment in (99, "other", "1999-01-01"):
        with pytest.raises(zc.errors.SettingError, match="is no version of .*/view; accepted:"):
            zc.open_view(view.store.url, at=moment)
    view.retain(1)
    view.vacuum(older_than="0s")
    with pytest.raises(zc.errors.SettingError, match="version 2 of .*/view is not kept"):
        zc.open_view(view.store.url, at=2)
    assert zc.open_view(view.store.url, at="all").history()[-1].version == 3


def test_an_older_view_pickles_and_is_opened_by_xarray(view):
    old = zc.open_view(view.store.url, at="all")
    again = pickle.loads(pickle.dumps(old))
    np.testing.assert_array_equal(again.query()["double"].to_numpy(), old.query()["double"].to_numpy())
    view.refresh()
    assert not np.isnan(view.query()["double"].to_numpy()).any()
    opened = xr.open_dataset(str(view.store.url), engine="zcollection", at="all")
    np.testing.assert_array_equal(opened["double"].to_numpy(), old.query()["double"].to_numpy())
    assert np.isnan(opened["double"].to_numpy()).sum() == 24


@pytest.mark.parametrize("kind", ["file", "icechunk"])
def test_over_a_base_that_was_partitioned_anew_a_version_of_then_is_asked_for(kind, tmp_path):
    base = create(place(kind, tmp_path), **({} if kind == "icechunk" else {"keep": 99}))
    base.insert(rows(range(48), 1))
    before = base.history()[-1].version
    view = zc.create_view(place(kind, tmp_path), base=base, computation=DOUBLE)
    if kind != "icechunk":
        view.retain(99)
    view.refresh()
    view.tag("daily")
    base.repartition("date:M")
    old = zc.open_view(view.store.url, at="daily")
    assert (len(old.status().missing), len(old.status().orphaned)) == (1, 2)
    with pytest.raises(zc.StaleError, match=r"version of its base .*base=open_collection\(url, at=…\)"):
        old.query()
    view.refresh()
    then = zc.open_collection(base.store.url, at=before)
    both = zc.open_view(view.store.url, at="daily", base=then)
    np.testing.assert_array_equal(both.query()["double"].to_numpy(), np.full(48, 2.0))
    with pytest.raises(zc.StaleError):  # the newest view is one of months
        zc.open_view(view.store.url, base=then).query()


@pytest.mark.parametrize("what", ["collection", "view"])
@pytest.mark.parametrize(
    "read",
    [
        lambda it: it.query(),
        lambda it: it.query(where="value >= 0"),
        lambda it: it.query(lazy=True),
        lambda it: it.query(where=it.find("value >= 0")),
        lambda it: next(iter(it.scan())),
    ],
)
def test_who_reads_an_older_version_while_it_is_replaced_reads_it_whole(base, view, what, read, monkeypatch):
    old = zc.open_collection(base.store.url, at=2) if what == "collection" else zc.open_view(view.store.url, at="all")
    expected = {name: item.to_numpy() for name, item in old.query().all_variables().items()}
    snapshot, writes = PastVersioning.snapshot, []

    async def overtaken(self, *arguments):
        taken = await snapshot(self, *arguments)
        if not writes:
            writes.append(1)
            if what == "collection":
                other = await aio.open_collection(base.store.url, mode="rw")
                await other.insert_async(rows(range(72), 9), merge="upsert")
            else:
                other = await aio.open_view(view.store.url, mode="rw")
                await other.refresh_async(everything=True)
        return taken

    monkeypatch.setattr(PastVersioning, "snapshot", overtaken)
    found = read(old)
    assert writes
    for name, item in found.all_variables().items():
        np.testing.assert_array_equal(item.to_numpy(), expected[name])


def test_a_view_has_neither_the_tags_nor_the_retention_of_its_base(tmp_path):
    base = create(f"file://{tmp_path}/base", keep=3)
    base.insert(rows([0, 1], 1.0))
    base.tag("delivered")
    view = zc.create_view(f"file://{tmp_path}/view", base=base, computation=DOUBLE)
    assert view.tags() == {}
    view.refresh()
    view.tag("delivered")
    assert zc.open_view(f"file://{tmp_path}/view", at="delivered").query()["double"].to_numpy().tolist() == [2.0, 2.0]
