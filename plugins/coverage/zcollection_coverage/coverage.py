"""The coverage of the axis of a collection: the class `Coverage` and the function that computes it."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection import Collection
from zcollection.plugin import Columns, Key, PartitionSampling, Printed, Section, Table, bridge, calendar_of, heading
from zcollection_coverage.absent import absent
from zcollection_coverage.days import DayCoverage, days
from zcollection_coverage.lateness import Lateness, lateness
from zcollection_coverage.matrix import Matrix
from zcollection_coverage.periods import Periods
from zcollection_coverage.records import Gap, Interval, PartCoverage, Records
from zcollection_coverage.runs import Covered, Gaps, Runs
from zcollection_coverage.scale import Axis, Scale, Step, declared_step
from zcollection_coverage.words import in_words, percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@frozen(kw_only=True, repr=False)
class Coverage(Printed):
    """The coverage of the axis of a collection: which rows exist, and where gaps are.

    Attributes
    ----------
    axis
        The name of the axis.
    every
        The expected difference between a row and the next; None if it is unknown because no two rows differ.
    every_from
        The source of `every`: the argument, an attribute, or the rows.
    gap
        The largest difference that does not count as a gap.
    total
        The coverage of all partitions together.
    partitions
        The coverage of each partition, in the order of the keys.
    absent
        The keys of missing partitions between the first and the last one: periods without rows; with integer keys such as cycle
        and pass, the passes that occur in other cycles.
    read
        The number of partitions whose axis was read because their statistics do not describe its sampling.
    calendar
        The CF calendar of the axis; None if its values are not times. Times are datetime64; in a calendar that datetime64 does
        not support, they are timedelta64 since 1970-01-01 of that calendar. Text, JSON and pandas tables contain the dates.
    """

    axis: str
    every: Any
    every_from: str
    gap: Any
    total: PartCoverage
    partitions: Records
    absent: tuple[Key, ...]
    read: int
    calendar: str | None
    _scale: Scale = field(repr=False)
    _covered: Covered = field(repr=False)
    _covered_parts: Covered = field(repr=False)
    _step: int | float | None = field(repr=False)

    @property
    def gaps(self) -> Records:
        """The gaps of all partitions together, in the order of the axis."""
        found, scale = self._covered.gaps, self._scale
        missing = _missing(found, self._step)
        columns = zip(
            scale.values(found.starts), scale.values(found.stops), scale.lengths(found.lengths), missing, strict=True
        )
        return Records.of(
            Gap,
            (
                Gap(start=start, stop=stop, length=length, missing=count, calendar=self._calendar)
                for start, stop, length, count in columns
            ),
        )

    @property
    def gap_edges(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The last value before each gap and the first value after it: two arrays in the order of the axis."""
        found = self._covered.gaps
        return self._scale.values(found.starts), self._scale.values(found.stops)

    @property
    def intervals(self) -> Records:
        """The intervals without a gap, in the order of the axis."""
        return Records.of(Interval, self._intervals(self._covered))

    @property
    def partition_intervals(self) -> Mapping[str, Records]:
        """The intervals without a gap of each partition, by path."""
        found, owners = self._intervals(self._covered_parts), self._covered_parts.intervals.owners
        edges = np.searchsorted(owners, np.arange(len(self.partitions) + 1))
        return {
            part.path: Records.of(Interval, found[first:last])
            for part, (first, last) in zip(self.partitions, pairwise(edges.tolist()), strict=True)
        }

    @property
    def days(self) -> Records:
        """The coverage of each day from the first row to the last, for any partitioning.

        Raises
        ------
        SettingError
            The axis is not a time, or the expected step is longer than a day.
        """
        return Records.of(DayCoverage, days(self._covered.runs, self._scale, self._step, self._calendar))

    @property
    def lateness(self) -> Lateness:
        """The lateness of all rows: the time at which the insert of a row began, minus the row's value of the axis."""
        total = self.total
        return Lateness(
            rows=total.lateness_rows,
            median=total.lateness_median,
            ninety=total.lateness_90,
            largest=total.lateness_largest,
        )

    @property
    def has_lateness(self) -> bool:
        """Whether rows have a lateness: the axis is a time that datetime64 supports."""
        return self._scale.dtype.kind == "M"

    @property
    def matrix(self) -> Matrix | None:
        """The row counts by the two key fields, such as cycle and pass; None unless keys have two fields."""
        return Matrix.of(self.partitions, self.absent)

    @property
    def _calendar(self) -> str | None:
        """The calendar of times that are not datetime64; None if they are."""
        return self.calendar if self._scale.dtype.kind == "m" else None

    def _intervals(self, covered: Covered) -> list[Interval]:
        found, scale = covered.intervals, self._scale
        columns = zip(scale.values(found.starts), scale.values(found.stops), found.rows.tolist(), strict=True)
        return [Interval(start=start, stop=stop, rows=rows, calendar=self._calendar) for start, stop, rows in columns]

    def plot(self, kind: str | None = None, *, ax: "Axes | None" = None, **options: Any) -> "Axes":
        """Draw the coverage, and return the Matplotlib axes.

        The parameters are those of ``zcollection_plot.availability``, which draws a calendar of days, a timeline of gaps, or a matrix
        such as cycles and passes.

        Raises
        ------
        MissingDependencyError
            zcollection-plot is not installed.
        """
        drawn: Axes = bridge("plot", "plot()").availability(self, kind, ax=ax, **options)
        return drawn

    def difference(self, step: Step, *, name: str = "step") -> Any:
        """Return a step in the units of this coverage; raises as `coverage`."""
        return self._scale.length(self._scale.step(step, name=name))

    def to_pandas(self) -> "pd.DataFrame":
        """Return the partitions as a `pandas.DataFrame`, with a column for each field of their keys."""
        import pandas as pd

        frame = self.partitions.to_pandas()
        keys = pd.DataFrame([dict(item.key) for item in self.partitions])
        return pd.concat([frame["path"], keys, frame.drop(columns=["path", "key"])], axis=1)

    def _section(self) -> Section:
        total, gaps = self.total, self.gaps
        facts = {
            "axis": self.axis,
            "from": None if total.first is None else f"{total.text_of('first')} to {total.text_of('last')}",
            "calendar": self._calendar,
            "a row every": None if self.every is None else f"{in_words(self.every)} ({self.every_from})",
            "rows": f"{total.rows:,}" + ("" if total.expected is None else f" of {total.expected:,} expected"),
            "share": None if total.share is None else percent(total.share),
            "gaps": f"{total.gaps:,}" + (f", the largest of {in_words(total.largest_gap)}" if total.gaps else ""),
            "partitions absent": f"{len(self.absent):,}" if self.absent else None,
            "duplicates": total.duplicates or None,
            "rows out of order": total.backward or None,
            "rows without value": total.without_value or None,
            "lateness": self._lateness_in_words,
            "axis read for": f"{self.read:,} partitions, whose statistics do not describe its sampling"
            if self.read
            else None,
        }
        parts = [Table.of("Gaps", gaps, _GAP, most=_SHOWN)] if gaps else []
        if len(self.partitions) > 1:
            poorest = sorted(self.partitions, key=lambda item: (item.share is None, item.share or 0))[:_SHOWN]
            incomplete = [item for item in poorest if item.share is not None and item.share < 1]
            parts += [Table.of("Least complete partitions", incomplete, _PART)] if incomplete else []
        return Section(f"{heading(self)} {len(self.partitions):,} partitions", [Table.pairs("", facts), *parts])

    @property
    def _lateness_in_words(self) -> str | None:
        """The lateness as text; None if rows have none."""
        known, total = self.lateness, self.total
        if not self.has_lateness or total.first is None:
            return None
        if not known.rows:
            return "unknown: the insertion times of rows are not recorded"
        rows = total.rows - total.without_value
        return f"{known}" + ("" if known.rows == rows else f" (of {known.rows:,} of {rows:,} rows)")

    def _repr_html_(self) -> str:
        from zcollection_coverage import figures  # for notebooks only

        return figures.page(self)


_SHOWN: Final = 10

_GAP: Final[Columns[Gap]] = {
    "from": lambda item: item.text_of("start"),
    "to": lambda item: item.text_of("stop"),
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


def coverage(
    collection: Collection,
    *,
    every: Step | None = None,
    gap: Step | None = None,
    filters: Any = None,
    where: Any = None,
) -> Coverage:
    """Return the coverage of the axis of a collection.

    The axis is read only for partitions whose statistics do not describe its sampling.

    Parameters
    ----------
    collection
        The collection.
    every
        The expected difference between a row and the next. For times: `numpy.timedelta64`, `datetime.timedelta` or a string such as
        ``"1 s"``, ``"10 min"`` or ``"PT10M"``; for other axes a number. By default the attribute ``sampling_interval`` of the axis,
        then ``time_coverage_resolution`` of the collection, then the most frequent difference (the smallest if several are).
    gap
        The largest difference that does not count as a gap; by default 1.5 times `every`.
    filters, where
        The partitions and the rows, as for `Collection.query`; with `where` the axis is read.

    Raises
    ------
    SettingError
        `every` or `gap` is not a valid difference of the axis.
    SchemaError
        The axis is not a variable, or its values are neither numbers nor times.

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
    samplings = collection.sampling(filters=filters, where=where)
    variable = collection.schema.get_variable(collection.axis)
    axis = Axis.of(samplings, variable)
    step, source = _step(axis, every, declared_step(variable, collection.schema.attrs))
    limit = _limit(axis, step, gap)
    keys = [item.key for item in samplings]
    calendar = calendar_of(variable)
    periods = Periods.of(collection.partitioning, collection.axis, keys, axis.scale, calendar)
    all_rows = Covered.of(axis.runs.of_one(), limit)
    measures = _Measures(axis=axis, step=step, limit=limit)
    total = measures.parts(
        all_rows, [(sum(map(_rows, samplings)), sum(item.sampling.missing for item in samplings))], None
    )
    of_parts = Covered.of(axis.runs, limit)
    parts = measures.parts(of_parts, [(_rows(item), item.sampling.missing) for item in samplings], periods)
    backward = axis.runs.backward(len(samplings)).tolist()
    late, late_parts = lateness(samplings, variable)
    common: dict[str, Any] = {"calendar": calendar if axis.scale.dtype.kind == "m" else None}
    named = [
        PartCoverage(path=item.path, key=item.key, backward=count, **part, **_late(of_part), **common)
        for item, count, part, of_part in zip(samplings, backward, parts, late_parts, strict=True)
    ]
    return Coverage(
        axis=collection.axis,
        every=axis.scale.length(step),
        every_from=source,
        gap=axis.scale.length(limit if step is not None or gap is not None else None),
        total=PartCoverage(path="", key=Key(), backward=sum(backward), **total[0], **_late(late), **common),
        partitions=Records.of(PartCoverage, named),
        absent=absent(collection.partitioning, keys, periods),
        read=sum(item.was_read for item in samplings),
        calendar=calendar,
        scale=axis.scale,
        covered=all_rows,
        covered_parts=of_parts,
        step=step,
    )


def _late(known: Lateness) -> dict[str, Any]:
    """Return the attributes of a record that describe its lateness."""
    return {
        "lateness_rows": known.rows,
        "lateness_median": known.median,
        "lateness_90": known.ninety,
        "lateness_largest": known.largest,
    }


def _rows(item: PartitionSampling) -> int:
    return int(item.sampling.rows.sum()) + item.sampling.missing


def _step(axis: Axis, every: Step | None, declared: tuple[str, str] | None) -> tuple[int | float | None, str]:
    """Return the expected step and its source."""
    if every is not None:
        return axis.scale.step(every, name="every"), "given by the caller"
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
    """Computes the measures of parts of an axis."""

    axis: Axis
    step: int | float | None
    limit: Any

    def parts(
        self, covered: Covered, counts: Sequence[tuple[int, int]], periods: Periods | None
    ) -> list[dict[str, Any]]:
        """Return the measures of each owner; `counts` contains its rows and its rows without a value."""
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
        """Return the smallest and the largest value of each owner; 0 if it has none."""
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
        """Return the gaps, including those between the edges of a period and its rows."""
        lead, trail = np.flatnonzero(has_rows & (before > self.limit)), np.flatnonzero(has_rows & (after > self.limit))
        return np.concatenate([lengths, before[lead], after[trail]]), np.concatenate([owners, lead, trail])

    def _expected(
        self, begins: NDArray[Any], ends: NDArray[Any], has_rows: NDArray[np.bool_], *, is_open: bool
    ) -> NDArray[np.int64] | None:
        """Return the number of expected rows from `begins` to `ends`; a closed range includes its last row."""
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


def _share(existing: int, expected: int | None) -> float | None:
    return None if not expected else min(existing / expected, 1.0)


def _missing(gaps: Gaps, step: int | float | None) -> list[int | None]:
    """Return the number of missing rows of each gap."""
    if step is None:
        return [None] * len(gaps.starts)
    missing: list[int | None] = np.maximum(np.rint(gaps.lengths / step).astype(np.int64) - 1, 0).tolist()
    return missing
