"""Sets of rows: positions of rows in partitions, at one version."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from zcollection.collection.filters import Filter
from zcollection.collection.report import ChangeReport
from zcollection.conditions.condition import Condition
from zcollection.conditions.expression import as_condition
from zcollection.contracts.partitioning import KeyValue
from zcollection.engine.selected_rows import Runs, SelectedRows
from zcollection.errors import OutdatedError, SettingError
from zcollection.model.printed import Printed
from zcollection.model.sections import Columns, Section, Table, heading
from zcollection.transaction.reports import Label

Ranges = NDArray[np.int64]
"""Runs of consecutive rows, shape (runs, 2): the first row of each run, and the row after its last."""


@frozen(kw_only=True, eq=False)
class PartRows:
    """Rows of one partition.

    Attributes
    ----------
    key, stamp
        The key and the stamp of the partition.
    view_stamp
        The stamp of the view's group of the partition, if the condition used variables of the view.
    total
        Number of rows of the partition.
    ranges
        int64, shape (runs, 2): the first row of each run, and the row after its last.
    """

    key: Mapping[str, KeyValue]
    stamp: str
    total: int
    ranges: Ranges = field(repr=False)
    view_stamp: str | None = None

    @property
    def count(self) -> int:
        """Number of rows."""
        return int((self.ranges[:, 1] - self.ranges[:, 0]).sum())

    @property
    def mask(self) -> NDArray[np.bool_]:
        """A boolean mask of the rows of the partition; shape (total,)."""
        edges = np.zeros(self.total + 1, np.int8)
        edges[self.ranges[:, 0]] += 1
        edges[self.ranges[:, 1]] -= 1
        return np.cumsum(edges[:-1], dtype=np.int8).astype(np.bool_)

    @property
    def selected(self) -> SelectedRows:
        """The rows as a `SelectedRows`, for reading them."""
        return SelectedRows.at(np.flatnonzero(self.mask))


def ranges_of(found: SelectedRows) -> Ranges:
    """Return the rows of a `SelectedRows` as runs."""
    if isinstance(found.rows, Runs):
        return np.array(found.rows.pairs, np.int64).reshape(-1, 2)
    rows = found.positions
    starts = np.flatnonzero(np.diff(rows, prepend=-2) > 1)
    stops = np.append(starts[1:], rows.size)
    return np.stack([rows[starts], rows[stops - 1] + 1], axis=1).astype(np.int64)


@frozen(kw_only=True, repr=False, eq=False)
class Rows(Printed):
    """Positions of rows of a collection or of a view, at one version; the result of `Collection.find`.

    A `Rows` contains runs of row numbers per partition, not values: it takes little memory, and can be pickled. ``a & b``,
    ``a | b`` and ``a - b`` are the intersection, the union and the difference.

    A `Rows` stays valid as long as its partitions do not change. If one of them has changed, the rows are found again with
    the same condition when they are used. A combination of several `Rows` raises `OutdatedError` instead.

    Attributes
    ----------
    version
        The version at which the rows were found.
    condition, filters
        The condition and the filter; None for a combination of several `Rows`.
    """

    version: Label
    condition: Condition | None = None
    filters: Filter = None
    _parts: Mapping[str, PartRows]

    def __len__(self) -> int:
        return sum(part.count for part in self._parts.values())

    def __bool__(self) -> bool:
        return any(part.count for part in self._parts.values())

    @property
    def partitions(self) -> tuple[str, ...]:
        """Paths of the partitions that contain the rows, in the order of their keys."""
        return tuple(self._parts)

    @property
    def ranges(self) -> Mapping[str, Ranges]:
        """Runs of rows by partition path: int64, shape (runs, 2), the first row and the row after the last."""
        return {path: part.ranges for path, part in self._parts.items()}

    def part(self, path: str) -> PartRows | None:
        """Return the rows of one partition; None if it has none."""
        return self._parts.get(path)

    @property
    def stamps(self) -> Mapping[str, str]:
        """The stamp of each partition, by path."""
        return {path: part.stamp for path, part in self._parts.items()}

    @property
    def is_of_view(self) -> bool:
        """Whether the condition used variables of a view."""
        return any(part.view_stamp is not None for part in self._parts.values())

    @property
    def report(self) -> ChangeReport:
        """The report of a change of these rows."""
        return ChangeReport(rows={path: part.count for path, part in self._parts.items()})

    @property
    def whole_partitions(self) -> tuple[str, ...]:
        """Paths of the partitions of which all rows are selected."""
        return tuple(path for path, part in self._parts.items() if part.count == part.total)

    def __and__(self, other: object) -> "Rows":
        if not isinstance(other, Rows):
            return NotImplemented
        return self._combined(other, np.logical_and, self._parts)

    def __or__(self, other: object) -> "Rows":
        if not isinstance(other, Rows):
            return NotImplemented
        return self._combined(other, np.logical_or, {**self._parts, **other._parts})

    def __sub__(self, other: object) -> "Rows":
        if not isinstance(other, Rows):
            return NotImplemented
        return self._combined(other, lambda mine, theirs: mine & ~theirs, self._parts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rows):
            return NotImplemented
        return self.stamps == other.stamps and all(
            np.array_equal(part.ranges, other.ranges[path]) for path, part in self._parts.items()
        )

    __hash__ = None  # type: ignore[assignment]  # equal rows may be of different versions

    def _combined(self, other: "Rows", combine: Callable[..., NDArray[np.bool_]], paths: Iterable[str]) -> "Rows":
        parts = {}
        for path in paths:
            mine, theirs = self._parts.get(path), other.part(path)
            known = mine or theirs
            if known is None:
                continue
            if mine is not None and theirs is not None and not _is_same(mine, theirs):
                message = (
                    f"partition {path!r} was changed between version {self.version} and version {other.version}, at which these "
                    f"rows were found; find both again"
                )
                raise OutdatedError(message)
            masks = (np.zeros(known.total, np.bool_) if part is None else part.mask for part in (mine, theirs))
            ranges = ranges_of(SelectedRows.at(np.flatnonzero(combine(*masks))))
            if len(ranges):
                parts[path] = evolve(known, ranges=ranges)
        in_order = sorted(parts.items(), key=lambda item: tuple(item[1].key.values()))
        return Rows(version=self.version, parts=dict(in_order))

    def _section(self) -> Section:
        columns: Columns[tuple[str, PartRows]] = {
            "partition": lambda item: item[0],
            "rows": lambda item: item[1].count,
            "of": lambda item: item[1].total,
            "runs": lambda item: len(item[1].ranges),
        }
        title = f"{len(self):,} rows of {len(self._parts):,} partitions (version {self.version})"
        return Section(f"{heading(self)} {title}", [Table.of("", list(self._parts.items()), columns)])


def _is_same(mine: PartRows, theirs: PartRows) -> bool:
    """Return whether two sets of rows belong to the same generation of a partition, and of the view's group of it."""
    return mine.stamp == theirs.stamp and (
        None in {mine.view_stamp, theirs.view_stamp} or mine.view_stamp == theirs.view_stamp
    )


def as_where(where: Any) -> Condition | Rows | None:
    """Return a row selection as a condition or `Rows`; a string is parsed as a condition.

    Raises
    ------
    SettingError
        `where` is of another type.
    """
    if where is None or isinstance(where, Condition | Rows):
        return where
    if isinstance(where, str):
        return as_condition(where)
    message = (
        f"where is a {type(where).__name__}; accepted: a string such as \"time >= '2024-01-03' and flag == 0\", a condition of "
        f"zcollection.rows, such as box(…) or function(…), or the Rows that find() returned"
    )
    raise SettingError(message)
