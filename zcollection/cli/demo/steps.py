"""The steps of the demo, in order; each returns a sentence on what it did."""

from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

import zcollection as zc
from zcollection.cli.demo import derived
from zcollection.cli.demo.checks import check, check_equal
from zcollection.cli.demo.track import START, Track, build_track
from zcollection.collection.collection import Collection
from zcollection.model.schema import DatasetSchema
from zcollection.progress import tracking
from zcollection.view.view import View

_SEED = 20190101
_TOLERANCE = np.timedelta64(500, "ms")
_SHIFT = np.timedelta64(200, "ms")
_SECOND_DAY = START + np.timedelta64(1, "D")
_THIRD_DAY = START + np.timedelta64(2, "D")
_RISE = np.float32(0.05)
_BIAS = np.float32(0.02)
_MIDNIGHT = 86_400
_REDELIVERED = slice(_MIDNIGHT - 300, _MIDNIGHT + 300)
_LATE = 5
"""The number of the pass that arrives last: on the first day, and not at midnight."""


@define(kw_only=True)
class Demo:
    """State that the steps share.

    Attributes
    ----------
    url, overwrite
        The URL of the collection, and whether an existing one is replaced.
    progress
        Whether to show progress bars.
    track
        The rows to insert.
    collection
        The collection.
    expected
        The oracle: a copy of the rows, to which each change is also made with NumPy.
    view
        The view with the derived variables.
    """

    url: str
    overwrite: bool = False
    progress: bool = False
    track: Track = field(init=False)
    collection: Collection = field(init=False)
    expected: dict[str, NDArray[Any]] = field(init=False)
    view: View = field(init=False)

    @property
    def view_url(self) -> str:
        """URL of the view, next to the collection."""
        location, separator, options = self.url.partition("?")
        return f"{location.rstrip('/')}-derived{separator}{options}"


@frozen
class Step:
    """A step: its title, and the function that runs it and returns a sentence on what it did."""

    title: str
    run: Callable[[Demo], str]


def make_track(demo: Demo) -> str:
    """Build the track, and the oracle from it."""
    demo.track = build_track()
    demo.expected = {path: values.copy() for path, values in demo.track.arrays.items()}
    land = float(np.mean(np.isnan(demo.track.arrays["ssh"].astype("float64"))))
    return f"{demo.track.rows:,} rows, one a second, in {len(demo.track.passes())} passes; {land:.0%} over land"


def create(demo: Demo) -> str:
    """Create the collection."""
    demo.collection = zc.create_collection(
        demo.url,
        schema=_schema(),
        axis="time",
        partitioning=zc.partitioning.Date(("time",), resolution="D"),
        overwrite=demo.overwrite,
    )
    return f"{len(_schema().all_variables())} variables in {len(_schema().all_groups())} groups, partitioned by day"


def insert(demo: Demo) -> str:
    """Insert all passes but one, one at a time and out of order."""
    passes = demo.track.passes()
    late = passes.pop(_LATE)
    order = np.random.default_rng(_SEED).permutation(len(passes)).tolist()
    added = 0
    with tracking(demo.progress, len(order), "insert passes") as advance:
        for number in order:
            added += demo.collection.insert(demo.track.part(passes[number]), merge="upsert").added
            advance()
    return (
        f"{len(order)} passes, shuffled: {added:,} rows added in {len(demo.collection.partitions())} partitions; one of "
        f"{late.stop - late.start:,} rows is late"
    )


def redeliver(demo: Demo) -> str:
    """Insert ten minutes around midnight again, with slightly different times and heights."""
    again = demo.track.part(_REDELIVERED)
    again["time"] = again["time"] + _SHIFT
    again["ssh"] = again["ssh"] + _RISE
    report = demo.collection.insert(again, merge=zc.merge.Upsert(tolerance=_TOLERANCE))
    demo.expected["time"][_REDELIVERED] += _SHIFT
    demo.expected["ssh"][_REDELIVERED] += _RISE
    return (
        f"{_REDELIVERED.stop - _REDELIVERED.start} rows around midnight, {_SHIFT} later: {report.replaced} replaced (the "
        f"nearest within {_TOLERANCE}), {report.added} added, {report.unchanged:,} unchanged"
    )


def query(demo: Demo) -> str:
    """Query one day and one variable."""
    found = demo.collection.query(filters="day == 2", variables=["ssh"], progress=demo.progress)
    rows = _on(demo.expected["time"], _SECOND_DAY)
    values = check(found, {"ssh": demo.expected["ssh"][rows]}, what="query of day 2")
    return f"ssh of {_SECOND_DAY}: {values:,} values, as expected"


def update(demo: Demo) -> str:
    """Update one variable of one day."""
    paths = demo.collection.update(
        lambda dataset: {"ssh": dataset.get_variable("ssh").to_numpy() - _BIAS},
        filters={"day": 3},
        variables=["ssh"],
        progress=demo.progress,
    )
    demo.expected["ssh"][_on(demo.expected["time"], _THIRD_DAY)] -= _BIAS
    return f"ssh less {_BIAS:.2f} m in {', '.join(paths)}"


def derive(demo: Demo) -> str:
    """Create a view over the collection: the anomaly, and its slope along the ground track."""
    demo.view = zc.create_view(
        demo.view_url, base=demo.collection, computation=derived.computations(), overwrite=demo.overwrite
    )
    computed = demo.view.refresh(progress=demo.progress).computed
    return f"{', '.join(derived.NAMES)} computed in {len(computed)} partitions, in a store of their own"


def deliver_late(demo: Demo) -> str:
    """Insert the missing pass, and recompute only the partitions of the view that depend on it."""
    late = demo.track.passes()[_LATE]
    added = demo.collection.insert(demo.track.part(late), merge="upsert").added
    status = demo.view.status()
    computed = demo.view.refresh(progress=demo.progress).computed
    check_equal(computed, status.stale, what="partitions computed again")
    check_equal(demo.view.status().stale, (), what="partitions that stay stale")
    return (
        f"{added:,} rows; {len(computed)} of {len(demo.view.partitions())} partitions were stale, the day of that pass and "
        f"the next one, whose slope begins with it: computed again"
    )


def compare(demo: Demo) -> str:
    """Reopen the collection and compare every row of every variable with the oracle."""
    opened = zc.open_collection(demo.url, mode="r")
    values = check(opened.query(progress=demo.progress), demo.expected, what="whole collection")
    return f"{len(demo.expected['time']):,} rows, {values:,} values in {len(demo.expected)} variables: all as expected"


def compare_view(demo: Demo) -> str:
    """Reopen the view and compare its values with those computed by NumPy."""
    opened = zc.open_view(demo.view_url)
    found = opened.query(variables=derived.NAMES, stale="error", progress=demo.progress)
    values = check(found, derived.expected(demo.expected), what="view", tolerance=derived.TOLERANCE)
    return f"{values:,} values in {len(derived.NAMES)} variables: all as expected"


STEPS = (
    Step("track", make_track),
    Step("create", create),
    Step("insert", insert),
    Step("deliver again", redeliver),
    Step("query", query),
    Step("update", update),
    Step("view", derive),
    Step("late pass", deliver_late),
    Step("check", compare),
    Step("check view", compare_view),
)


def _on(times: NDArray[Any], day: np.datetime64) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = times.astype("datetime64[D]") == day
    return same


def _schema() -> DatasetSchema:
    return (
        zc.Schema()
        .with_attribute("title", "Sea surface height along the track of SWOT, from CNES' daily maps")
        .with_dimension("time", chunks=21_600)
        .with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
        .with_variable("longitude", dtype="float64", dimensions=("time",), attrs={"units": "degrees_east"})
        .with_variable("latitude", dtype="float64", dimensions=("time",), attrs={"units": "degrees_north"})
        .with_variable("ssh", dtype="float32", dimensions=("time",), fill_value=np.nan, attrs={"units": "m"})
        .with_variable("mean_ssh", dtype="float32", dimensions=("time",), fill_value=np.nan, attrs={"units": "m"})
        .with_group("orbit")
        .with_variable("cycle", dtype="int16", dimensions=("time",), group="orbit")
        .with_variable("pass", dtype="int16", dimensions=("time",), group="orbit")
        .with_variable("altitude", dtype="float64", dimensions=("time",), attrs={"units": "m"}, group="orbit")
        .build()
    )
