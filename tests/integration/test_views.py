"""Views among other processes, over bases that cannot be written to, on object storage, and through any sequence of changes."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import computations
import hypothesis.strategies as st
import numpy as np
import pytest
import samples
from effort import examples
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from meddling import meddled

import zcollection as zc
from zcollection.plugin import VariableSchema

SUPPORT = Path(samples.__file__).parent
REGISTER = "import fakes, computations; from zcollection.registry.registry import REGISTRY; [REGISTRY.register(m) for m in (fakes, computations)]"
TIMES = tuple(range(0, 200, 3))


def start(code, *arguments, before=()):
    """Start a process that knows the plugins of the tests."""
    environment = os.environ | {"PYTHONPATH": str(SUPPORT)}
    command = [*before, sys.executable, "-c", f"{REGISTER}\nimport sys, samples, zcollection as zc\n{code}", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process):
    said, failed = process.communicate(timeout=500)
    assert process.returncode == 0, failed
    return said


def expected(times, reach=1):
    return computations.sums(np.array(sorted(times)) + 0.25, reach)


def assert_computed(view, times):
    """Assert that the view is current, and right for the rows that the base must have."""
    found = view.query(variables=["time", "sum"], stale="error")
    np.testing.assert_array_equal(found["time"].to_numpy(), sorted(times))
    np.testing.assert_array_equal(found["sum"].to_numpy(), expected(times))
    assert view.status().is_current


@pytest.fixture(params=["file", "icechunk"])
def places(request, tmp_path):
    """Return URLs of a base with rows, and of a view with a computation over it."""
    base, view = f"{request.param}://{tmp_path}/base", f"{request.param}://{tmp_path}/view"
    zc.create_view(view, base=samples.create(base, TIMES), computation=computations.Sum(reach=1))
    return base, view


REFRESH = "zc.open_view(sys.argv[1], mode='rw').refresh(filters=sys.argv[2] or None, batch=2)"
INSERT = """
base = zc.open_collection(sys.argv[1], mode='rw')
for first in range(1, 200, 20):
    base.insert(samples.rows([first]), merge='upsert')
"""


def test_two_processes_refresh_different_partitions(places):
    _, view = places
    halves = [start(REFRESH, view, f"quotient % 2 == {half}") for half in (0, 1)]
    for process in halves:
        end(process)
    assert_computed(zc.open_view(view), TIMES)


def test_a_refresh_and_inserts_into_the_base_lose_nothing(places):
    base, view = places
    writer, refreshing = start(INSERT, base), start(REFRESH, view, "")
    end(writer)
    end(refreshing)
    times = sorted({*TIMES, *range(1, 200, 20)})
    opened = zc.open_view(view, mode="rw")
    status, before = opened.status(), opened.query(variables=["time", "sum"])
    np.testing.assert_array_equal(before["time"].to_numpy(), times)
    right, found = expected(times), before["sum"].to_numpy()
    current = np.isin([f"sign=plus/quotient={time // 10}" for time in times], status.current)
    np.testing.assert_array_equal(found, np.where(current, right, np.nan))
    opened.refresh()
    assert_computed(opened, times)


@pytest.mark.parametrize("change", ["replace", "drop"])
def test_a_base_that_changes_while_it_is_read_is_no_damage(change, tmp_path):
    base, changes = samples.create(str(tmp_path / "base"), TIMES), []

    def meddle(number):
        if number == 1:
            if change == "replace":
                base.insert(samples.rows([13, 14]))
            else:
                base.drop_partitions(filters="quotient == 1")
            changes.append(number)

    view = zc.create_view(str(tmp_path / "view"), base=meddled(base, meddle), computation=computations.Sum(reach=1))
    view.refresh(filters="quotient == 1")
    assert changes == [1]
    times = [time for time in TIMES if time // 10 != 1] + ([13, 14] if change == "replace" else [])
    view = zc.open_view(str(tmp_path / "view"), mode="rw")
    view.refresh()
    assert_computed(view, times)


def test_a_base_that_is_damaged_is_told_of_at_once_however_it_grows_elsewhere(tmp_path):
    base, attempts = samples.create(str(tmp_path / "base"), TIMES), []

    def meddle(number):
        attempts.append(number)
        base.insert(samples.rows([1000 + number]), merge="append")

    view = zc.create_view(str(tmp_path / "view"), base=meddled(base, meddle), computation=computations.Sum(reach=1))
    chunk = tmp_path / "base/sign=plus/quotient=1/value/c/0"
    chunk.write_bytes(chunk.read_bytes()[:10])
    with pytest.raises(zc.CorruptionError, match="quotient=1.*value/c/0"):
        view.refresh(filters="quotient == 1")
    assert 1 <= len(attempts) < 5


READS_ITS_BASE = """
import os
try: open(f"{sys.argv[1]}/probe", "w")
except OSError: pass
else: raise SystemExit("the mount can be written to")
base = zc.open_collection(sys.argv[1])
view = zc.create_view(sys.argv[2], base=base, computation=zc.computation.Expression({"doubled": "2 * value"}))
print(len(view.refresh().computed), view.status().is_current)
view = zc.open_view(sys.argv[2], mode="rw")
view.refresh(everything=True)
print(view.query()["doubled"].to_numpy().sum() == 2 * base.query()["value"].to_numpy().sum())
"""


def test_a_view_never_writes_to_its_base(tmp_path):
    allowed = ["unshare", "--mount", "sh", "-c", "mount --make-rprivate /"]
    if shutil.which("unshare") is None or subprocess.run(allowed, check=False, capture_output=True).returncode:
        pytest.skip("mounts of its own are not for this user")
    base = tmp_path / "base"
    samples.create(str(base), TIMES)
    before = {path: path.read_bytes() for path in base.rglob("*") if path.is_file()}
    mount = f'mount --bind {base} {base} && mount -o remount,bind,ro {base} && exec "$@"'
    process = start(
        READS_ITS_BASE, str(base), str(tmp_path / "view"), before=["unshare", "--mount", "sh", "-c", mount, "sh"]
    )
    assert end(process).split() == ["20", "True", "True"]
    assert {path: path.read_bytes() for path in base.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("both", [False, True], ids=["base on s3", "both on s3"])
def test_a_view_lies_over_object_storage_and_on_it(ministack_server, tmp_path, both, request):
    ministack_server.create_bucket("bucket")
    options, name = ministack_server.storage_options, tmp_path.name
    base = samples.create(f"s3://bucket/{name}-base", TIMES, storage_options=options)
    place = f"s3://bucket/{name}-view" if both else str(tmp_path / "view")
    view = zc.create_view(
        place,
        base=base,
        computation=computations.Sum(reach=1),
        storage_options=options if both else None,
        base_options=options,
    )
    view.refresh()
    base.insert(samples.rows([1, 100]), merge="upsert")
    assert len(view.status().stale) > 1
    view.refresh()
    again = zc.open_view(place, storage_options=options if both else None, base_options=options)
    assert_computed(again, {*TIMES, 1, 100})


class ViewMachine(RuleBasedStateMachine):
    """A view and its base against a dictionary: which partitions are current is what was read when they were computed."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="zcollection-views-"))
        self.rows = {}  # the base's times, with the value that each has
        self.stamps = {}
        self.number = 0
        self.computed = {}  # by quotient, what was read of the base: its own rows, and those of the neighbours

    def teardown(self):
        shutil.rmtree(self.folder)

    @initialize(times=st.sets(st.integers(0, 59), min_size=1, max_size=12))
    def create(self, times):
        self.base = samples.create(str(self.folder / "base"))
        computed = computations.Sum(reach=1)
        self.view = zc.create_view(str(self.folder / "view"), base=self.base, computation=computed)
        self.noted = zc.create_view(
            str(self.folder / "noted"),
            base=self.base,
            variables=[VariableSchema("note", dtype="float64", dimensions=("row",), fill_value=np.nan)],
        )
        self.notes = {}
        self.insert(times)

    def quotients(self):
        return sorted({time // 10 for time in self.rows})

    def partition(self, quotient):
        return tuple((time, self.stamps[time]) for time in sorted(self.rows) if time // 10 == quotient)

    def read_for(self, quotient):
        """Return what computing a partition reads: it, and the partitions on both sides, where there are any."""
        order = self.quotients()
        at = order.index(quotient)
        return tuple((each, self.stamps[each]) for each in order[max(at - 1, 0) : at + 2])

    @rule(times=st.sets(st.integers(0, 59), min_size=1, max_size=6))
    def insert(self, times):
        self.base.insert(samples.rows(sorted(times)), merge="upsert")
        self._stamp(times)
        self.rows |= {time: time + 0.25 for time in times}

    @rule(times=st.sets(st.integers(0, 59), min_size=1, max_size=6))
    def replace_values(self, times):
        there = sorted({time // 10 for time in times} & set(self.quotients()))
        for quotient in there:
            self.base.update(lambda ds: {"value": ds["value"].to_numpy() + 1}, filters={"quotient": quotient})
            self._stamp({quotient * 10})
            self.rows |= {time: value + 1 for time, value in self.rows.items() if time // 10 == quotient}

    @rule(quotient=st.integers(0, 5))
    def drop(self, quotient):
        if len(self.quotients()) > 1:
            self.base.drop_partitions(filters={"quotient": quotient})
            self.rows = {time: value for time, value in self.rows.items() if time // 10 != quotient}

    def _stamp(self, times):
        """Note that partitions were written, which has the numbers of all that was written before."""
        self.number += 1
        self.stamps = self.stamps | dict.fromkeys({time // 10 for time in times}, self.number)

    @rule(quotient=st.none() | st.integers(0, 5))
    def refresh(self, quotient):
        filters = None if quotient is None else {"quotient": quotient}
        wanted = {each for each in self.quotients() if quotient in (None, each)}
        needed = {each for each in wanted if self.computed.get(each) != self.read_for(each)}
        report = self.view.refresh(filters=filters)
        assert set(report.computed) == {f"sign=plus/quotient={each}" for each in needed}
        self.computed |= {each: self.read_for(each) for each in needed}
        there = self.quotients()
        self.computed = {
            each: read for each, read in self.computed.items() if each in there or quotient not in (None, each)
        }

    @rule(quotient=st.integers(0, 5), value=st.floats(-1e6, 1e6))
    def note(self, quotient, value):
        self.noted.update(lambda ds: {"note": np.full(len(ds["time"]), value)}, filters={"quotient": quotient})
        if quotient in self.quotients():
            self.notes[quotient] = (self.stamps[quotient], value)

    @invariant()
    def rows_are_those_of_the_base_and_what_is_not_current_is_fill(self):
        times = np.array(sorted(self.rows))
        found = self.view.query(variables=["time", "value", "sum"])
        np.testing.assert_array_equal(found["time"].to_numpy(), times)
        values = np.array([self.rows[time] for time in times])
        np.testing.assert_array_equal(found["value"].to_numpy(), values)
        current = {each for each in self.quotients() if self.computed.get(each) == self.read_for(each)}
        is_current = np.array([time // 10 in current for time in times])
        np.testing.assert_array_equal(
            found["sum"].to_numpy(), np.where(is_current, computations.sums(values, 1), np.nan)
        )

    @invariant()
    def the_status_says_what_was_computed_from_what(self):
        status, there = self.view.status(), self.quotients()
        current = {each for each in there if self.computed.get(each) == self.read_for(each)}
        for paths, wanted in (
            (status.current, current),
            (status.stale, {each for each in there if each in self.computed} - current),
            (status.missing, {each for each in there if each not in self.computed}),
            (status.orphaned, set(self.computed) - set(there)),
        ):
            assert set(paths) == {f"sign=plus/quotient={each}" for each in wanted}

    @invariant()
    def what_was_noted_stays_until_its_partition_changes(self):
        found = self.noted.query(variables=["time", "note"])
        times = found["time"].to_numpy()
        held = {each: value for each, (stamp, value) in self.notes.items() if self.stamps[each] == stamp}
        np.testing.assert_array_equal(found["note"].to_numpy(), [held.get(time // 10, np.nan) for time in times])


TestViewMachine = ViewMachine.TestCase
TestViewMachine.settings = examples(25, stateful_step_count=15)
