"""The workloads of design 4, at three scales."""

from collections.abc import Callable
from typing import Final

import numpy as np
import peers
import questions
import values
from attrs import evolve, frozen
from layouts import TIME, Codecs, Layout, Variable
from operations import Ask, Count, Dataset, Insert, Means, Merge, NewPeriod, Operation, PlainQuery, Query, Update

import zcollection as zc

SEED: Final = 20_260_704
_SECOND: Final = 1_000_000_000
SCALES: Final = ("smoke", "small", "full")

_MIXED: Final = (
    Variable(TIME, "int64"),
    Variable("latitude", "float64"),
    Variable("longitude", "float64"),
    Variable("ssh", "float32"),
    Variable("swh", "float32"),
    Variable("sigma0", "int16"),
    Variable("quality", "uint8"),
    Variable("cycle", "int32"),
)
_TRACK: Final = (
    Variable(TIME, "int64"),
    Variable("latitude", "float64"),
    Variable("longitude", "float64"),
    Variable("ssh", "float64"),
    Variable("swh", "float32"),
    Variable("flag", "int8"),
    Variable("cycle", "int32"),
    Variable("range", "float64"),
)
_GROUPS: Final = {
    "latitude": "data_01",
    "longitude": "data_01",
    "ssh": "data_01/ku",
    "swh": "data_01/ku",
    "sigma0": "data_01/c_band",
    "cycle": "data_01/c_band",
}


@frozen
class Variant:
    """Operations on one dataset."""

    label: str
    operations: tuple[Operation, ...]

    @property
    def layout(self) -> Layout:
        return self.operations[0].layout


@frozen
class Workload:
    """Variants whose operations are timed in one run; the last is the workload, those before it what it compares to.

    Attributes
    ----------
    name
        Its identifier.
    variants
        By construction with the same operations.
    latency
        Seconds that each request to object storage takes longer; None works on files.
    peers
        Who may take part, by name.
    """

    name: str
    variants: tuple[Variant, ...]
    latency: float | None = None
    peers: tuple[str, ...] = peers.STORING


def wide_months(scale: str, codecs: Codecs) -> Layout:
    """W1: monthly partitions of two-dimensional float32."""
    sizes = {"smoke": (2, 500, 24, 128), "small": (3, 10_000, 240, 4096), "full": (12, 50_000, 240, 4096)}
    count, rows, width, chunk_rows = sizes[scale]
    return Layout(
        variables=(Variable(TIME, "int64"), Variable("ssh", "float32", (("x_ac", width),))),
        resolution="M",
        first=_number("2000-01"),
        counts=(rows,) * count,
        step=28 * 86_400 // rows * _SECOND,
        chunk_rows=chunk_rows,
        codecs=codecs,
    )


def packed_months(scale: str, codecs: Codecs) -> Layout:
    """W1p: as W1, the float32 stored as int16."""
    layout = wide_months(scale, codecs)
    packing = zc.Packing("int16", scale_factor=np.float32(1e-4), fill_value=-32768)
    packed = tuple(
        variable if variable.path == TIME else evolve(variable, packing=packing) for variable in layout.variables
    )
    return evolve(layout, variables=packed)


def small_days(scale: str, codecs: Codecs, *, days: int | None = None) -> Layout:
    """W2: daily partitions of small one-dimensional variables of mixed types."""
    count, rows = {"smoke": (2, 144), "small": (100, 1440), "full": (1000, 1440)}[scale]
    return Layout(
        variables=_MIXED,
        resolution="D",
        first=_number("2000-01-01"),
        counts=(rows,) * (days or count),
        step=86_400 // rows * _SECOND,
        chunk_rows=4096,
        codecs=codecs,
    )


def nested_days(scale: str, codecs: Codecs) -> Layout:
    """W4: the variables of W2 in nested groups."""
    flat = small_days(scale, codecs)
    moved = tuple(
        Variable(f"{_GROUPS[variable.path]}/{variable.path}", variable.dtype) if variable.path in _GROUPS else variable
        for variable in flat.variables
    )
    return Layout(
        variables=moved,
        resolution="D",
        first=flat.first,
        counts=flat.counts,
        step=flat.step,
        chunk_rows=flat.chunk_rows,
        codecs=codecs,
    )


def growing_month(scale: str, codecs: Codecs) -> Layout:
    """W3: one month, its last day still to come."""
    rows_a_day, width, chunk_rows = {"smoke": (24, 8, 64), "small": (360, 240, 512), "full": (3600, 240, 4096)}[scale]
    return Layout(
        variables=(Variable(TIME, "int64"), Variable("ssh", "float32", (("x_ac", width),))),
        resolution="M",
        first=_number("2000-01"),
        counts=(30 * rows_a_day,),
        step=86_400 // rows_a_day * _SECOND,
        chunk_rows=chunk_rows,
        codecs=codecs,
    )


def track_days(scale: str, codecs: Codecs) -> Layout:
    """W7: daily partitions of a satellite's track, at full scale one row a second."""
    count, rows, chunk_rows = {"smoke": (2, 1440, 256), "small": (10, 86_400, 4096), "full": (60, 86_400, 4096)}[scale]
    return Layout(
        variables=_TRACK,
        resolution="D",
        first=_number("2024-01-01"),
        counts=(rows,) * count,
        step=86_400 // rows * _SECOND,
        chunk_rows=chunk_rows,
        codecs=codecs,
    )


def _w1(scale: str, codecs: Codecs) -> tuple[Variant, ...]:
    layout = wide_months(scale, codecs)
    arrays = values.arrays(layout, seed=SEED)
    middle = len(layout.counts) // 2
    operations = (Insert(layout, arrays), Query(layout, arrays), Query(layout, arrays, "query one", position=middle))
    return (Variant("W1", operations),)


def _w1p(scale: str, codecs: Codecs) -> tuple[Variant, ...]:
    def variant(label: str, layout: Layout, *more: type[Operation]) -> Variant:
        arrays = values.arrays(layout, seed=SEED)
        operations = (Insert, Query, *more)
        return Variant(label, tuple(operation(layout, arrays) for operation in operations))

    return variant("W1", wide_months(scale, codecs)), variant("W1p", packed_months(scale, codecs), PlainQuery)


def _w2(scale: str, codecs: Codecs) -> tuple[Variant, ...]:
    return (_days("W2", small_days(scale, codecs), variable="ssh"),)


def _w4(scale: str, codecs: Codecs) -> tuple[Variant, ...]:
    return (*_w2(scale, codecs), _days("W4", nested_days(scale, codecs), variable="data_01/ku/ssh"))


def _days(label: str, layout: Layout, *, variable: str) -> Variant:
    arrays = values.arrays(layout, seed=SEED)
    middle = len(layout.counts) // 2
    operations = (
        Insert(layout, arrays),
        Query(layout, arrays),
        Query(layout, arrays, "one variable", variable=variable),
        Query(layout, arrays, "open + one partition", position=middle),
    )
    return Variant(label, operations)


def _w2b(scale: str, codecs: Codecs) -> tuple[Variant, ...]:
    few, many = {"smoke": (1, 4), "small": (10, 200), "full": (10, 1000)}[scale]

    def variant(days: int) -> Variant:
        layout = small_days(scale, codecs, days=days)
        return Variant(f"W2b {days:,}", (NewPeriod(layout, values.arrays(layout, seed=SEED), SEED),))

    return variant(few), variant(many)


def _w3(scale: str, codecs: Codecs) -> tuple[Variant, ...]:
    whole = growing_month(scale, codecs)
    rows = whole.rows // 30
    layout = whole.with_rows(29 * rows)
    existing = values.arrays(layout, seed=SEED)
    delivered = {**values.arrays(whole, seed=SEED + 1), TIME: values.times(whole)}
    overlap = max(1, rows // 36)
    last_day = values.rows(delivered, slice(29 * rows - overlap, None))
    day_15 = values.rows(delivered, slice(14 * rows, 15 * rows))
    operations = (
        Merge(layout, existing, last_day, "time_series", "append a day, time_series"),
        Merge(layout, existing, last_day, "upsert", "append a day, upsert"),
        Merge(layout, existing, day_15, "upsert", "upsert in the middle"),
    )
    return (Variant("W3", operations),)


def _w5(scale: str, codecs: Codecs) -> tuple[Variant, ...]:
    return tuple(_updates(label, make(scale, codecs)) for label, make in (("W5 days", small_days), ("W5", wide_months)))


def _updates(label: str, layout: Layout) -> Variant:
    arrays = values.arrays(layout, seed=SEED)
    where = {0: "update, threads", 1: "update, 1 process", 2: "update, 2 processes"}
    return Variant(label, tuple(Update(layout, arrays, "ssh", number, name) for number, name in where.items()))


def _w6(scale: str, codecs: Codecs) -> tuple[Variant, ...]:
    days = {"smoke": 2, "small": 10, "full": 60}[scale]
    return (_days("W6", small_days("full", codecs, days=days), variable="ssh"),)


def _w7a(scale: str, codecs: Codecs) -> tuple[Variant, ...]:
    dataset = _track(scale, codecs)
    day = len(dataset.layout.counts) // 2 - 1
    noon = dataset.layout.partition_start(day).astype("datetime64[h]") + 12
    days = questions.two_days(dataset.layout, day)
    operations = (
        Ask(dataset, _BOX, "box"),
        Count(dataset, _BOX, "count of the box"),
        Ask(dataset, questions.period(noon, 18), "18 hours of two days"),
        Ask(dataset, questions.period(noon, 18, keys=days), "18 hours, the days named"),
        Ask(dataset, questions.flagged(), "flag and swh"),
    )
    return (Variant("W7a", operations),)


def _track(scale: str, codecs: Codecs) -> Dataset:
    layout = track_days(scale, codecs)
    return Dataset(layout, values.track(layout, seed=SEED))


_BOX: Final = questions.box(west=10, south=10, east=20, north=20)


def _w7b(scale: str, codecs: Codecs) -> tuple[Variant, ...]:
    few, many = {"smoke": (2, 4), "small": (10, 1000), "full": (100, 10_000)}[scale]

    def variant(days: int) -> Variant:
        layout = evolve(
            track_days("full", codecs), variables=_TRACK[:4], counts=(144,) * days, step=86_400 // 144 * _SECOND
        )
        hour = layout.partition_start(days // 3).astype("datetime64[h]") + 7
        dataset = Dataset(layout, values.track(layout, seed=SEED))
        return Variant(f"W7b {days:,}", (Ask(dataset, questions.period(hour, 1), "one hour"),))

    return variant(few), variant(many)


def _w7c(scale: str, codecs: Codecs) -> tuple[Variant, ...]:
    return (_inserted("W7c", small_days(scale, codecs)),)


def _w7d(scale: str, codecs: Codecs) -> tuple[Variant, ...]:
    return (_inserted("W7d", wide_months(scale, codecs)),)


def _inserted(label: str, layout: Layout) -> Variant:
    return Variant(label, (Insert(layout, values.arrays(layout, seed=SEED)),))


def _w7e(scale: str, codecs: Codecs) -> tuple[Variant, ...]:
    return (Variant("W7e", (Ask(_track(scale, codecs), _BOX, "box"),)),)


def _w7f(scale: str, codecs: Codecs) -> tuple[Variant, ...]:
    two = questions.Question(comparisons=(), variables=("latitude", "swh"))
    return (Variant("W7f", (Means(_track(scale, codecs), two, "means of two variables"),)),)


_LATENCIES: Final = {"W6": 0.02, "W7e": 0.02}
_PEERS: Final = {
    "W7a": peers.ASKING,
    "W7f": (peers.OURS, peers.ARROW, "duckdb"),
    **dict.fromkeys(("W7b", "W7c", "W7d", "W7e"), (peers.OURS, peers.WITHOUT_STATISTICS)),
}
_MAKERS: Final[dict[str, Callable[[str, Codecs], tuple[Variant, ...]]]] = {
    "W1": _w1,
    "W1p": _w1p,
    "W2": _w2,
    "W2b": _w2b,
    "W3": _w3,
    "W4": _w4,
    "W5": _w5,
    "W6": _w6,
    "W7a": _w7a,
    "W7b": _w7b,
    "W7c": _w7c,
    "W7d": _w7d,
    "W7e": _w7e,
    "W7f": _w7f,
}
NAMES: Final = tuple(_MAKERS)
TOGETHER: Final = {"W7": ("W7a", "W7b", "W7c", "W7d", "W7e", "W7f")}
"""Workloads that are parts of one: questions, many partitions, the inserts of W2 and of W1, object storage, and SQL on all rows."""


def make(name: str, scale: str, codecs: Codecs) -> Workload:
    """Return a workload with its data."""
    return Workload(
        name, _MAKERS[name](scale, codecs), latency=_LATENCIES.get(name), peers=_PEERS.get(name, peers.STORING)
    )


def _number(date: str) -> int:
    return int(np.datetime64(date).astype(np.int64))
