"""What is there along the axis of a collection, and what is missing."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection import Collection
from zcollection.plugin import (
    Columns,
    Key,
    PartitionSampling,
    Printed,
    Sampling,
    Section,
    Table,
    heading,
)
from zcollection_coverage.absent import absent
from zcollection_coverage.periods import Periods
from zcollection_coverage.runs import Covered, Gaps, Runs
from zcollection_coverage.scale import Axis, Scale, Step, declared_step, length_of

if TYPE_CHECKING:
    import pandas as pd


@frozen(kw_only=True, repr=False)
class PartCoverage(Printed):
    """What one partition holds, or all of them together.

    Attributes
    ----------
    path, key
        The partition; empty for all of them.
    first, last
        The smallest and the largest value of the axis; None where there is none.
    rows
        Rows, those without a value counted.
    without_value
        Rows of which the axis has no value.
    expected
        Rows that there would be at the expected step: of a partition by date in its period, as far as that lies between the
        first and the last row of all; of others between its own first and last row. None where no step is known.
    share
        The values that are there, each counted once, as a part of those expected: 0 to 1.
    gaps, gap_length, largest_gap
        How many gaps there are, their lengths together, and the length of the largest one. A gap that reaches into a partition by
        date counts with the part that lies in its period.
    duplicates
        Rows whose value another row has that comes before.
    backward
        Rows whose value is smaller than that of the row before, in the order in which the partition holds them.
    """

    path: str
    key: Key
    first: Any
    last: Any
    rows: int
    without_value: int
    expected: int | None
    share: float | None
    gaps: int
    gap_length: Any
    largest_gap: Any
    duplicates: int
    backward: int


@frozen(kw_only=True)
class Gap:
    """Where rows are missing.

    Attributes
    ----------
    start, stop
        The last value before it, and the first one after it.
    length
        How far the one is from the other.
    missing
        Rows that would lie between them at the expected step; None where none is known.
    """

    start: Any
    stop: Any
    length: Any
    missing: int | None


@frozen(kw_only=True)
class Interval:
    """Where rows follow each other without a gap.

    Attributes
    ----------
    start, stop
        The first and the last value.
    rows
        How many rows there are, duplicates counted.
    """

    start: Any
    stop: Any
    rows: int


class Records(Printed, tuple[Any, ...]):
    """Gaps, intervals or partitions, in order: a tuple that prints as a table, and becomes one of pandas."""

    __slots__ = ()

    def to_pandas(self) -> "pd.DataFrame":
        """Return the records as a `pandas.DataFrame`, with a column for each attribute."""
        import pandas as pd

        return pd.DataFrame({name: [getattr(record, name) for record in self] for name in self._names})

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(item.name for item in attrs.fields(type(self[0]))) if self else ()

    def _section(self) -> Section:
        columns = {name.replace("_", " "): partial(_said, name) for name in self._names if name != "key"}
        return Section(f"{len(self):,} of them", [Table.of("", self, columns)])


def _said(name: str, record: object) -> str:
    return in_words(getattr(record, name))


@frozen(kw_only=True, repr=False)
class Coverage(Printed):
    """What is there along the axis of a collection, and what is missing.

    Attributes
    ----------
    axis
        Its name.
    every
        The expected difference between a row and the next; None where no two rows differ.
    every_from
        Where that is from: what was asked for, an attribute, or the rows.
    gap
        The largest difference that is no gap.
    total
        All partitions together.
    partitions
        Each of them, in the order of their keys.
    absent
        Keys of partitions that are not there between the first and the last one: periods without rows, of whole numbers such as
        cycle and pass those that occur in other cycles.
    read
        The number of partitions of which the axis was read, for no statistics say how it is sampled.
    """

    axis: str
    every: Any
    every_from: str
    gap: Any
    total: PartCoverage
    partitions: Records
    absent: tuple[Key, ...]
    read: int
    _scale: Scale = field(repr=False)
    _covered: Covered = field(repr=False)
    _step: int | float | None = field(repr=False)

    @property
    def gaps(self) -> Records:
        """The gaps of all partitions together, in the order of the axis."""
        found, scale = self._covered.gaps, self._scale
        missing = _missing(found, self._step)
        columns = zip(
            scale.values(found.starts), scale.values(found.stops), scale.lengths(found.lengths), missing, strict=True
        )
        return Records(
            Gap(start=start, stop=stop, length=length, missing=count) for start, stop, length, count in columns
        )

    @property
    def gap_edges(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The last value before each gap, and the first one after it: two arrays in the order of the axis."""
        found = self._covered.gaps
        return self._scale.values(found.starts), self._scale.values(found.stops)

    @property
    def intervals(self) -> Records:
        """Where rows follow each other without a gap, in the order of the axis."""
        found, scale = self._covered.intervals, self._scale
        columns = zip(scale.values(found.starts), scale.values(found.stops), found.rows.tolist(), strict=True)
        return Records(Interval(start=start, stop=stop, rows=rows) for start, stop, rows in columns)

    def difference(self, given: Step, *, name: str = "step") -> Any:
        """Return a difference as those of this coverage are; raises as `coverage`."""
        return self._scale.length(self._scale.step(given, name=name))

    def to_pandas(self) -> "pd.DataFrame":
        """Return the partitions as a `pandas.DataFrame`, with a column for each field of their keys."""
        import pandas as pd

        frame = self.partitions.to_pandas()
        if frame.empty:
            return frame
        keys = pd.DataFrame([dict(item.key) for item in self.partitions])
        return pd.concat([frame["path"], keys, frame.drop(columns=["path", "key"])], axis=1)

    def _section(self) -> Section:
        total, gaps = self.total, self.gaps
        facts = {
            "axis": self.axis,
            "from": None if total.first is None else f"{in_words(total.first)} to {in_words(total.last)}",
            "a row every": None if self.every is None else f"{in_words(self.every)} ({self.every_from})",
            "rows": f"{total.rows:,}" + ("" if total.expected is None else f" of {total.expected:,} expected"),
            "share": None if total.share is None else percent(total.share),
            "gaps": f"{total.gaps:,}" + (f", the largest of {in_words(total.largest_gap)}" if total.gaps else ""),
            "partitions absent": f"{len(self.absent):,}" if self.absent else None,
            "duplicates": total.duplicates or None,
            "rows out of order": total.backward or None,
            "rows without value": total.without_value or None,
            "axis read of": f"{self.read:,} partitions, of which no statistics say how it is sampled"
            if self.read
            else None,
        }
        parts = [Table.of("Gaps", gaps, _GAP, most=_SHOWN)] if gaps else []
        if len(self.partitions) > 1:
            poorest = sorted(self.partitions, key=lambda item: (item.share is None, item.share or 0))[:_SHOWN]
            lacking = [item for item in poorest if item.share is not None and item.share < 1]
            parts += [Table.of("Partitions that lack most", lacking, _PART)] if lacking else []
        return Section(f"{heading(self)} {len(self.partitions):,} partitions", [Table.pairs("", facts), *parts])

    def _repr_html_(self) -> str:
        from zcollection_coverage import figures  # for notebooks only

        return figures.page(self)


_SHOWN: Final = 10

_GAP: Final[Columns[Gap]] = {
    "from": lambda item: in_words(item.start),
    "to": lambda item: in_words(item.stop),
    "length": lambda item: in_words(item.length),
    "rows missing": lambda item: item.missing,
}
_PART: Final[Columns[PartCoverage]] = {
    "path": lambda item: item.path,
    "rows": lambda item: item.rows,
    "expected": lambda item: item.expected,
    "share": lambda item: None if item.share is None else percent(item.share),
    "gaps": lambda item: item.gaps or None,
    "largest gap": lambda item: in_words(item.largest_gap) if item.gaps else None,
}


def in_words(value: Any) -> str:
    """Return a value as people write it: a length of time in the largest units that are exact."""
    if value is None:
        return ""
    if isinstance(value, np.datetime64):
        text = f"{value}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, np.timedelta64):
        return _duration(value)
    return f"{value:g}" if isinstance(value, float) else f"{value}"


def _duration(length: np.timedelta64) -> str:
    unit = np.datetime_data(length.dtype)[0]
    if unit in {"Y", "M"}:
        return f"{length}"
    parts, rest = [], length
    for name, word in (("D", "d"), ("h", "h"), ("m", "min"), ("s", "s"), ("ms", "ms"), ("us", "us"), ("ns", "ns")):
        count, rest = divmod(rest, length_of(1, name))
        if count:
            parts.append(f"{int(count)} {word}")
        if not rest:
            break
    return " ".join(parts) or "0 s"


def percent(share: float) -> str:
    """Return a share in percent, one that is not whole never as 100 %."""
    return f"{int(share * 10000) / 100:g} %"


def coverage(
    collection: Collection,
    *,
    every: Step | None = None,
    gap: Step | None = None,
    filters: Any = None,
    where: Any = None,
) -> Coverage:
    """Return what is there along the axis of a collection, and what is missing.

    Of partitions whose statistics say how the axis is sampled no value is read.

    Parameters
    ----------
    collection
        The collection.
    every
        The expected difference between a row and the next: of times as `numpy.timedelta64`, `datetime.timedelta` or in words, such
        as ``"1 s"``, ``"10 min"`` or ``"PT10M"``; of other axes a number. By default what the attribute ``sampling_interval`` of
        the axis says, or ``time_coverage_resolution`` of the collection; else the most frequent one, the smallest of several.
    gap
        The largest difference that is no gap; by default one and a half of `every`.
    filters, where
        Which partitions and which rows, as for `Collection.query`; with `where` the axis is read.

    Raises
    ------
    SettingError
        `every` or `gap` is no difference of the axis.
    SchemaError
        The axis is no variable, or neither numbers nor times.

    Examples
    --------
    >>> import numpy as np
    >>> import zcollection as zc
    >>> hours = np.arange("2024-01-01", "2024-01-04", dtype="datetime64[h]").astype("datetime64[s]")
    >>> schema = zc.Schema().with_dimension("time").with_variable("time", dtype="datetime64[s]", dimensions=("time",))
    >>> buoy = zc.create_collection("memory://buoy", schema=schema, axis="time", partitioning="date:D")
    >>> _ = buoy.insert({"time": np.delete(hours, [30, 31, 32])})
    >>> found = coverage(buoy)
    >>> found.total.share, [in_words(item.length) for item in found.gaps]
    (0.9583333333333334, ['4 h'])
    """
    samplings = _samplings(collection, filters, where)
    variable = collection.schema.get_variable(collection.axis)
    axis = Axis.of(samplings, variable)
    step, source = _step(axis, every, declared_step(variable, collection.schema.attrs))
    limit = _limit(axis, step, gap)
    keys = [item.key for item in samplings]
    periods = Periods.of(collection.partitioning, collection.axis, keys, axis.scale)
    whole = Covered.of(axis.runs.of_one(), limit)
    measures = _Measures(axis=axis, step=step, limit=limit)
    total = measures.parts(
        whole, [(sum(map(_rows, samplings)), sum(item.sampling.missing for item in samplings))], None
    )
    parts = measures.parts(
        Covered.of(axis.runs, limit), [(_rows(item), item.sampling.missing) for item in samplings], periods
    )
    backward = axis.runs.backward(len(samplings)).tolist()
    named = [
        PartCoverage(path=item.path, key=item.key, backward=count, **part)
        for item, count, part in zip(samplings, backward, parts, strict=True)
    ]
    return Coverage(
        axis=collection.axis,
        every=axis.scale.length(step),
        every_from=source,
        gap=axis.scale.length(limit if step is not None or gap is not None else None),
        total=PartCoverage(path="", key=Key(), backward=sum(backward), **total[0]),
        partitions=Records(named),
        absent=absent(collection.partitioning, keys, periods),
        read=sum(item.was_read for item in samplings),
        scale=axis.scale,
        covered=whole,
        step=step,
    )


def _rows(item: PartitionSampling) -> int:
    return int(item.sampling.rows.sum()) + item.sampling.missing


def _samplings(collection: Collection, filters: Any, where: Any) -> list[PartitionSampling]:
    """Return how the axis of each partition is sampled: of the rows that are asked for."""
    if where is None:
        return collection.sampling(filters=filters)
    variable = collection.schema.get_variable(collection.axis)
    axes: Mapping[str, NDArray[Any]] = collection.map(
        lambda dataset: dataset[collection.axis].to_numpy(), filters=filters, where=where, variables=[collection.axis]
    )
    return [
        PartitionSampling(path=path, key=collection.partitioning.decode(path), sampling=found, stamp="", was_read=True)
        for path, values in axes.items()
        if len(values) and (found := Sampling.of(values, variable, most=None)) is not None
    ]


def _step(axis: Axis, every: Step | None, declared: tuple[str, str] | None) -> tuple[int | float | None, str]:
    """Return the expected step, and where it is from."""
    if every is not None:
        return axis.scale.step(every, name="every"), "as asked for"
    if declared is not None:
        text, source = declared
        return axis.scale.step(text if axis.scale.is_time else float(text), name=source), source
    return axis.runs.most_frequent_step(), "the most frequent one"


def _limit(axis: Axis, step: int | float | None, gap: Step | None) -> Any:
    if gap is not None:
        return axis.scale.step(gap, name="gap")
    if step is None:
        return np.inf if axis.runs.starts.dtype.kind == "f" else np.iinfo(np.int64).max
    return step * 1.5 if isinstance(step, float) else step * 3 // 2


@frozen(kw_only=True)
class _Measures:
    """How parts of an axis are measured."""

    axis: Axis
    step: int | float | None
    limit: Any

    def parts(
        self, covered: Covered, counts: Sequence[tuple[int, int]], periods: Periods | None
    ) -> list[dict[str, Any]]:
        """Return the measures of each owner, given its rows and those without a value."""
        owners, scale = len(counts), self.axis.scale
        runs = covered.runs
        has_rows = np.bincount(runs.owners, minlength=owners) > 0
        first, last = self._limits(runs, has_rows)
        gaps = covered.gaps
        lengths, whose = gaps.lengths, gaps.owners
        begins, ends = first, last
        if periods is not None and has_rows.any():
            begins = np.maximum(periods.begins, first[has_rows].min())
            ends = np.minimum(periods.ends, last[has_rows].max() + (self.step or 0))
            lengths, whose = self._with_edges(lengths, whose, first - begins, ends - last, has_rows)
        number = np.bincount(whose, minlength=owners)
        together, largest = np.zeros(owners, lengths.dtype), np.zeros(owners, lengths.dtype)
        np.add.at(together, whose, lengths)
        np.maximum.at(largest, whose, lengths)
        duplicates = covered.duplicates(owners)
        expected = self._expected(begins, ends, has_rows, is_open=periods is not None)
        return [
            {
                "first": scale.value(first[at]) if has_rows[at] else None,
                "last": scale.value(last[at]) if has_rows[at] else None,
                "rows": rows,
                "without_value": without,
                "expected": None if expected is None else int(expected[at]),
                "share": _share(rows - without - int(duplicates[at]), None if expected is None else int(expected[at])),
                "gaps": int(number[at]),
                "gap_length": scale.length(together[at]),
                "largest_gap": scale.length(largest[at]),
                "duplicates": int(duplicates[at]),
            }
            for at, (rows, without) in enumerate(counts)
        ]

    @staticmethod
    def _limits(runs: Runs, has_rows: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the smallest and the largest value of each owner; 0 where there is none."""
        first, last = np.zeros(len(has_rows), runs.starts.dtype), np.zeros(len(has_rows), runs.starts.dtype)
        owners, begins, counts = np.unique(runs.owners, return_index=True, return_counts=True)
        first[owners], last[owners] = runs.starts[begins], runs.ends[begins + counts - 1]
        return first, last

    def _with_edges(
        self,
        lengths: NDArray[Any],
        owners: NDArray[np.int64],
        before: NDArray[Any],
        after: NDArray[Any],
        has_rows: NDArray[np.bool_],
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return gaps with those between the edges of a period and the rows in it."""
        lead, trail = np.flatnonzero(has_rows & (before > self.limit)), np.flatnonzero(has_rows & (after > self.limit))
        return np.concatenate([lengths, before[lead], after[trail]]), np.concatenate([owners, lead, trail])

    def _expected(
        self, begins: NDArray[Any], ends: NDArray[Any], has_rows: NDArray[np.bool_], *, is_open: bool
    ) -> NDArray[np.int64] | None:
        """Return the rows expected from the one to the other, the last one counted unless the range is open."""
        if self.step is None:
            return None
        length = np.maximum(ends - begins, 0)
        if length.dtype.kind == "f":
            count = np.floor(length / self.step + 1e-9) + 1
        elif is_open:
            count = -(-length // self.step)
        else:
            count = length // self.step + 1
        return np.where(has_rows, count, 0).astype(np.int64)


def _share(there: int, expected: int | None) -> float | None:
    return None if not expected else min(there / expected, 1.0)


def _missing(gaps: Gaps, step: int | float | None) -> list[int | None]:
    """Return how many rows each gap lacks."""
    if step is None:
        return [None] * len(gaps.starts)
    missing: list[int | None] = np.maximum(np.rint(gaps.lengths / step).astype(np.int64) - 1, 0).tolist()
    return missing
