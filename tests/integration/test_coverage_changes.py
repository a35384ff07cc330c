"""Coverage and lateness after every kind of change, on every store, against pandas on the rows themselves.

Lateness is the time of the change that brought a row, less the value of its axis. The oracle keeps that time as one more
column of its rows, which merges, updates and deletes of pandas carry along.
"""

import numpy as np
import oracle
import pandas as pd
import pytest
from attrs import define, evolve, field
from backends import BACKENDS, Place
from effort import examples, is_thorough
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from kept import lost
from zcollection_coverage import coverage

import zcollection as zc
from zcollection.plugin import VariableSchema

_START = pd.Timestamp("2026-01-01T20:00:00")
_UNKNOWN = pd.NaT


class Clock:
    """The clock of writers, which stands still until it is set."""

    def __init__(self):
        self.time = pd.Timestamp("2026-01-06")

    def __call__(self) -> int:
        return self.time.value


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr("zcollection.transaction.change.time_ns", made)
    return made


def _create(place, *, partitioning="date:D", chunks=32, **options) -> zc.Collection:
    schema = (
        zc.Schema()
        .with_dimension("time", chunks=chunks)
        .with_variable("time", dtype="datetime64[s]", dimensions=("time",))
        .with_variable("station", dtype="int64", dimensions=("time",))
        .with_variable("value", dtype="float64", dimensions=("time",), fill_value=np.nan)
    )
    return zc.create_collection(
        place, schema=schema, axis="time", partitioning=partitioning, overwrite=True, storage_options=options or None
    )


def _put_together(existing, inserted, *, axis, partitioning_dim):
    del axis
    return zc.Dataset.concat([existing, inserted], partitioning_dim)


def _merged(existing, inserted, merge):
    if merge != "upsert" or existing is None:
        return oracle.merged(existing, inserted, "concat" if merge == "function" else merge)
    staying = existing[~existing["time"].isin(inserted["time"])]  # existing rows of one time may be several
    arriving = inserted.drop_duplicates("time", keep="last")
    return pd.concat([staying, arriving]).sort_values("time", kind="stable")


@define
class Both:
    """A collection, and its rows in tables of pandas by key, each with the time of the change that brought it."""

    collection: zc.Collection
    clock: Clock
    place: str
    by: str = "day_"
    partitions: dict = field(factory=dict)
    options: dict = field(factory=dict)
    copies: int = 0

    def insert(self, times, merge=None):
        self.clock.time += pd.Timedelta("1h 0.123s")
        values = np.arange(len(times))
        rows = {"time": times, "station": values % 3, "value": values / 2}
        self.collection.insert(rows, merge=_put_together if merge == "function" else merge)
        frame = pd.DataFrame({**rows, "came": self.clock.time})
        frame["day_"] = frame["time"].dt.floor("D")
        for key, part in frame.groupby(self.by):
            before = self.partitions.get(key)
            now = _merged(before, part, merge)
            is_computed = merge == "function" and before is not None
            self.partitions[key] = now.assign(came=_UNKNOWN) if is_computed else now

    def update(self):
        self.collection.update(lambda dataset: {"value": dataset["value"].to_numpy() + 1})
        self.partitions = {key: part.assign(value=part["value"] + 1) for key, part in self.partitions.items()}

    def update_some(self):
        self.collection.update(lambda dataset: {"value": dataset["value"].to_numpy() * 2}, where="station == 1")
        for key, part in self.partitions.items():
            doubled = part["value"].where(part["station"] != 1, part["value"] * 2)
            self.partitions[key] = part.assign(value=doubled)

    def update_axis(self):
        """Move some rows by seconds, within their day."""
        step = np.timedelta64(20, "s")
        self.collection.update(lambda dataset: {"time": dataset["time"].to_numpy() + step}, where="station == 2")
        for key, part in self.partitions.items():
            self.partitions[key] = part.assign(time=part["time"].where(part["station"] != 2, part["time"] + step))

    def delete(self):
        self.collection.delete(where="value < 4 or value == 10")
        left = {key: part[(part["value"] >= 4) & (part["value"] != 10)] for key, part in self.partitions.items()}
        self.partitions = {key: part for key, part in left.items() if len(part)}

    def drop(self):
        first = self.collection.keys()[:1]
        self.collection.drop_partitions(filters=lambda key: key in first)
        for key in sorted(self.partitions)[:1]:
            del self.partitions[key]

    def grow(self):
        self.collection.add_variable(VariableSchema("flag", dtype=np.dtype("int8"), dimensions=("time",), fill_value=0))
        self.collection.update(lambda dataset: {"flag": np.ones(len(dataset["time"].to_numpy()), "int8")})
        self.collection.drop_variable("flag")

    def add_statistics(self):
        self.collection.add_statistics(["value"])

    def copy(self):
        self.copies += 1
        target = f"{self.place}-{self.copies}"
        self.collection = self.collection.copy(target, overwrite=True, storage_options=self.options or None)

    def mend(self):
        self.collection.vacuum(older_than="0s")
        self.collection.repair()

    def lose(self):
        """Lose the statistics, and make them again: nobody knows any more when rows came."""
        lost(self.collection)
        self.collection.repair()
        self.partitions = {key: part.assign(came=_UNKNOWN) for key, part in self.partitions.items()}

    def check(self):
        found = coverage(self.collection, every="60 s")
        whole = pd.concat([self.partitions[key] for key in sorted(self.partitions)] or [_NOTHING])
        _assert_whole(found, whole)
        assert len(found.partitions) == len(self.partitions)
        first, last = whole["time"].min(), whole["time"].max()
        for part, key in zip(found.partitions, sorted(self.partitions), strict=True):
            _assert_part(part, self.partitions[key])
            if self.by == "day_":
                begin, end = max(key, first), min(key + pd.Timedelta("1D"), last + pd.Timedelta("60s"))
                assert part.expected == -((begin - end) // pd.Timedelta("60s"))
        some = coverage(self.collection, every="60 s", where="station == 1")
        _assert_whole(some, whole[whole["station"] == 1])


_NOTHING = pd.DataFrame(
    {"time": pd.Series(dtype="datetime64[s]"), "came": pd.Series(dtype="datetime64[ns]"), "station": 0, "value": 0.0}
)


def _assert_part(part, rows):
    times = rows["time"]
    present = times.dropna()
    assert (part.rows, part.without_value) == (len(times), times.isna().sum())
    assert (part.duplicates, part.backward) == (present.duplicated().sum(), (present.diff() < pd.Timedelta(0)).sum())
    if len(present):
        assert (pd.Timestamp(part.first), pd.Timestamp(part.last)) == (present.min(), present.max())
    else:
        assert (part.first, part.last) == (None, None)
    late = (rows["came"] - times).dropna().sort_values()
    assert part.lateness_rows == len(late)
    if len(late):
        ranks = [(len(late) + 1) // 2 - 1, -(-9 * len(late) // 10) - 1, -1]
        told = (part.lateness_median, part.lateness_90, part.lateness_largest)
        assert [pd.Timedelta(length) for length in told] == late.iloc[ranks].tolist()
    else:
        assert (part.lateness_median, part.lateness_90, part.lateness_largest) == (None, None, None)


def _assert_whole(found, rows):
    total, every = found.total, pd.Timedelta("60s")
    unique = rows["time"].dropna().drop_duplicates().sort_values().reset_index(drop=True)
    steps = unique.diff()
    wide = steps[steps > every * 1.5]
    assert (total.gaps, pd.Timedelta(total.gap_length)) == (len(wide), wide.sum())
    assert [pd.Timestamp(gap.stop) for gap in found.gaps] == unique[wide.index].tolist()
    assert total.expected == ((unique.iloc[-1] - unique.iloc[0]) // every + 1 if len(unique) else 0)
    late = found.lateness
    assert (late.rows, late.ninety) == (total.lateness_rows, total.lateness_90)
    # The order of rows is that within partitions: between these it means nothing.
    assert total.backward == sum(part.backward for part in found.partitions)
    of_whole = rows["time"].dropna().diff() < pd.Timedelta(0)
    _assert_part(evolve(total, backward=of_whole.sum()), rows)


def _times(*minutes):
    return (_START + pd.to_timedelta(np.array(minutes), unit="min")).to_numpy().astype("datetime64[s]")


_DAY = np.arange(0, 600, dtype=float)
_CHANGES = {
    "insert": lambda both: both.insert(_times(*np.delete(_DAY, np.arange(100, 160)), 4010, 4011)),
    "insert again": lambda both: both.insert(_times(*np.arange(80, 140)), "upsert"),
    "insert between": lambda both: both.insert(_times(*np.arange(200, 260, 3) + 0.5), "upsert"),
    "insert beside": lambda both: both.insert(_times(*np.arange(590, 640), 100, 100), "concat"),
    "insert instead": lambda both: both.insert(_times(*np.arange(300, 330, 2)), "time_series"),
    "insert with a function": lambda both: both.insert(_times(*np.arange(20, 30), 4020, 4021), "function"),
    "update": Both.update,
    "update some": Both.update_some,
    "update the axis": Both.update_axis,
    "delete": Both.delete,
    "drop": Both.drop,
    "grow": Both.grow,
    "add statistics": Both.add_statistics,
    "copy": Both.copy,
    "mend": Both.mend,
    "lose": Both.lose,
}


@pytest.mark.parametrize("backend", BACKENDS if is_thorough() else ["file", "s3, obstore", "icechunk"])
def test_coverage_is_that_of_the_rows_after_every_kind_of_change_on_every_store(backend, tmp_path, request, clock):
    place = Place(backend, tmp_path, request)
    is_far = place.backend.server is not None  # where each object takes its time
    collection = _create(place.url, chunks=512 if is_far else 32, **place.options)
    both = Both(collection, clock, place.url, options=place.options)
    both.insert(_times(*np.arange(0, 20)), "concat")
    for name, change in _CHANGES.items():
        change(both)
        try:
            both.check()
        except AssertionError as error:
            error.add_note(f"after {name!r}")
            raise
        if not is_far:
            both.insert(_times(*np.arange(5, 8), 4000), "upsert")  # to what any change has left
    both.check()


_SERIES = st.lists(st.sampled_from([0.0, 1.0, 1.0, 1.0, 2.0, -1.0, 60.0, 1500.0, np.nan]), min_size=1, max_size=30)


@examples(25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_coverage_is_that_of_the_rows_after_any_changes_of_any_series(data, clock):
    both = Both(_create("memory://changes"), clock, "memory://changes")
    for _ in range(data.draw(st.integers(1, 4), label="number of inserts")):
        steps = data.draw(_SERIES, label="steps")
        merge = data.draw(st.sampled_from([None, "concat", "upsert", "time_series", "function"]), label="merge")
        both.insert(_times(*np.cumsum(np.nan_to_num(steps))), merge)
        for name in data.draw(st.lists(st.sampled_from(list(_CHANGES)[6:]), max_size=2), label="changes"):
            if name != "drop" or both.partitions:
                _CHANGES[name](both)
        both.check()


@examples(20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(series=st.lists(_SERIES, min_size=1, max_size=4), deletes=st.booleans())
def test_rows_without_a_time_are_not_late(series, deletes, clock):
    both = Both(_create("memory://timeless", partitioning="values:station"), clock, "", by="station")
    for steps in series:
        minutes = np.cumsum(np.nan_to_num(steps))
        both.insert(_times(*np.where(np.isnan(steps), np.nan, minutes)), "concat")
    if deletes:
        both.delete()
    both.check()
