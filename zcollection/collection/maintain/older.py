"""Older versions of a collection: rollback, and the difference between two versions."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, overload

import numpy as np
from attrs import evolve, field, frozen
from numpy.typing import NDArray

from zcollection.collection import partition_groups
from zcollection.collection.maintain.copy import copying
from zcollection.collection.open_collection import OpenCollection
from zcollection.collection.read.consistent import TRIES, pause
from zcollection.collection.staging import staged
from zcollection.contracts.transactional import Moment
from zcollection.engine.executor import in_thread
from zcollection.engine.executors import ClientOption, executor_for
from zcollection.engine.work import perform_one
from zcollection.errors import ConflictError, CorruptionError, MissingDependencyError, OutdatedError, StoreError
from zcollection.model.formatting import listed
from zcollection.model.printed import Printed
from zcollection.model.sections import Columns, Section, Table, heading
from zcollection.progress import ProgressOption, tracking
from zcollection.transaction.change import Transaction
from zcollection.transaction.documents import IMMUTABLE, Configuration, PartitionRecord
from zcollection.transaction.reports import Label
from zcollection.transaction.retrying import retrying
from zcollection.transaction.snapshot import Snapshot


async def rollback(
    opened: OpenCollection, to: Moment, *, client: ClientOption, progress: ProgressOption
) -> tuple[str, ...]:
    """Restore an older version; see `Collection.rollback`."""
    opened.store.check_writable()
    executor, then = executor_for(client, opened.store), await opened.at(to)

    async def attempt() -> tuple[str, ...]:
        snapshot = await then.snapshot()
        async with opened.begin("rollback") as transaction:
            transaction.watch(lambda _: True)  # a concurrent write of any partition is a conflict
            now = transaction.base
            restored = {path: record for path, record in _groups(snapshot).items() if not snapshot.is_same(now, path)}
            dropped = [path for path in _groups(now) if path not in _groups(snapshot)]
            for path in (*restored, *dropped):
                transaction.reads(path)
            jobs = (copying(snapshot, path, record) for path, record in restored.items())
            transaction.add_all(await staged(executor, transaction, jobs, total=len(restored), progress=progress))
            for path in dropped:
                transaction.drop(path)
            _put_back_configuration(
                transaction, opened.configuration, then.configuration, is_all=not (restored or dropped)
            )
            transaction.restored = snapshot.label
            await transaction.commit()
            return tuple(path for path in (*restored, *dropped) if path != IMMUTABLE)

    return await retrying(attempt)


def _groups(snapshot: Snapshot) -> dict[str, PartitionRecord]:
    """Return the records of all groups of a snapshot by path, including the group of the immutable variables."""
    immutable = {} if snapshot.immutable is None else {IMMUTABLE: snapshot.immutable}
    return {**snapshot.partitions, **immutable}


def _put_back_configuration(transaction: Transaction, now: Configuration, then: Configuration, *, is_all: bool) -> None:
    """Let the change write the older configuration, if it differs or if there is nothing else to write."""
    # Partitions refer to the schema that they were written with by its position: no layout is ever removed.
    layouts = now.layouts if then.schema == now.schema else (*now.layouts, then.schema)
    before = evolve(now, layouts=layouts, partitioning=then.partitioning, depth=then.depth)
    if is_all or before != now:
        transaction.reconfiguration = before


@frozen(kw_only=True, repr=False, eq=False)
class PartitionDifference(Printed):
    """The difference between two versions of a partition.

    Attributes
    ----------
    path
        The path of the partition.
    added, removed, changed
        Axis values of the rows that only the newer version has, that only the older version has, and that have different
        values. Shape ``(rows,)`` each, with the dtype of the axis; positions if the axis is not a variable.
    variables
        Paths of the variables with different values in rows that both versions have.
    """

    path: str
    added: NDArray[Any] = field(repr=False)
    removed: NDArray[Any] = field(repr=False)
    changed: NDArray[Any] = field(repr=False)
    variables: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(map(len, (self.added, self.removed, self.changed)))


@frozen(kw_only=True, repr=False, eq=False)
class Difference(Printed, Sequence[PartitionDifference]):
    """The difference between two versions: the partitions that differ, in the order of their keys.

    Attributes
    ----------
    before, after
        The versions.
    partitions
        The partitions with rows added, removed or changed.
    variables_added, variables_dropped
        Paths of the variables that only the newer schema has, and only the older one.
    """

    before: Label
    after: Label
    partitions: tuple[PartitionDifference, ...]
    variables_added: tuple[str, ...] = ()
    variables_dropped: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> PartitionDifference: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[PartitionDifference, ...]: ...
    def __getitem__(self, index: int | slice) -> PartitionDifference | tuple[PartitionDifference, ...]:
        return self.partitions[index]

    def __len__(self) -> int:
        return len(self.partitions)

    def to_pandas(self, *, rows: bool = False) -> Any:
        """Return a `pandas.DataFrame` with one line per partition, or per row that differs.

        Parameters
        ----------
        rows
            False returns one line per partition: the numbers of rows added, removed and changed, and the variables with
            different values. True returns one line per row: its partition, its axis value, and the kind of change.

        Raises
        ------
        MissingDependencyError
            pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            message = "to_pandas() needs pandas; pip install pandas"
            raise MissingDependencyError(message) from error
        if not rows:
            return pd.DataFrame({name: [value(item) for item in self] for name, value in _COUNTS.items()})
        parts = [
            pd.DataFrame({"partition": item.path, "axis": getattr(item, what), "change": what})
            for item in self
            for what in ("added", "removed", "changed")
        ]
        empty = pd.DataFrame({"partition": [], "axis": [], "change": []})
        return pd.concat([part for part in parts if len(part)], ignore_index=True) if any(map(len, parts)) else empty

    def _section(self) -> Section:
        facts = {"variables added": self.variables_added, "variables dropped": self.variables_dropped}
        schema = Table.pairs("", {name: listed(paths) for name, paths in facts.items() if paths})
        what = f"{len(self):,} partitions differ between versions {self.before} and {self.after}"
        return Section(f"{heading(self)} {what}", [schema, Table.of("", self.partitions, _COUNTS)])


_COUNTS: Final[Columns[PartitionDifference]] = {
    "partition": lambda item: item.path,
    "added": lambda item: len(item.added),
    "removed": lambda item: len(item.removed),
    "changed": lambda item: len(item.changed),
    "variables": lambda item: listed(item.variables),
}


async def diff(opened: OpenCollection, before: Moment, after: Moment | None, *, progress: ProgressOption) -> Difference:
    """Compare two versions; see `Collection.diff`."""
    older, newer = await opened.at(before), opened if after is None else await opened.at(after)
    for number in range(TRIES):
        snapshots = await older.snapshot(), await newer.snapshot()
        try:
            found = await _differences(older, newer, snapshots, progress)
        except (CorruptionError, OutdatedError, StoreError):
            if not (await older.is_outdated(snapshots[0]) or await newer.is_outdated(snapshots[1])):
                raise
        else:
            if not await newer.is_outdated(snapshots[1]):
                old, new = (set(each.schema.all_variables()) for each in (older, newer))
                return Difference(
                    before=snapshots[0].label,
                    after=snapshots[1].label,
                    partitions=found,
                    variables_added=tuple(sorted(new - old)),
                    variables_dropped=tuple(sorted(old - new)),
                )
        await pause(number)
    message = (
        f"other writers kept changing {opened.store.url} while two versions of it were compared; compare them again"
    )
    raise ConflictError(message)


async def _differences(
    older: OpenCollection, newer: OpenCollection, snapshots: tuple[Snapshot, Snapshot], progress: ProgressOption
) -> tuple[PartitionDifference, ...]:
    """Return the difference in each partition, one at a time, so that only its two versions are in memory."""
    old, new = snapshots
    keys = {path: tuple(record.key.values()) for each in snapshots for path, record in each.partitions.items()}
    paths = sorted((path for path in keys if not old.is_same(new, path)), key=keys.__getitem__)
    found = []
    with tracking(progress, len(paths), "diff") as advance:
        for path in paths:
            rows = [await _rows(opened, each, path) for opened, each in zip((older, newer), snapshots, strict=True)]
            found.append(await in_thread(_compared, path, *rows))
            if advance is not None:
                advance()
    return tuple(filter(None, found))


@frozen
class _Rows:
    """The rows of a partition at one version.

    Attributes
    ----------
    axis
        The axis values that identify them.
    variables
        Their values by path, the rows along the first dimension.
    """

    axis: NDArray[Any]
    variables: Mapping[str, NDArray[Any]]


async def _rows(opened: OpenCollection, snapshot: Snapshot, path: str) -> _Rows | None:
    """Return the rows of a partition; None if it does not exist."""
    record = snapshot.record(path)
    if record is None:
        return None
    schema = opened.part(opened.schema, partitioned=True)
    dataset = await perform_one(
        snapshot.objects, partition_groups.reading_partition(opened, path, record, schema, place=snapshot.place(path))
    )
    arrays = {
        name: np.moveaxis(dataset.get_variable(name).to_numpy(), variable.dimensions.index(opened.dimension), 0)
        for name, variable in schema.all_variables().items()
    }
    axis = np.arange(record.rows) if opened.axis_variable is None else arrays[opened.axis_variable]
    return _Rows(axis, arrays)


def _compared(path: str, old: _Rows | None, new: _Rows | None) -> PartitionDifference:
    """Return the difference between two versions of a partition."""
    existing = old or new
    none = existing.axis[:0] if existing is not None else np.empty(0)
    if old is None or new is None:
        added, removed = (none if each is None else each.axis for each in (new, old))
        return PartitionDifference(path=path, added=added, removed=removed, changed=none)
    before, after = _identities(old.axis, new.axis)
    _, at_old, at_new = np.intersect1d(before, after, assume_unique=True, return_indices=True)
    common = [name for name in old.variables if name in new.variables]
    differing = {name: _differ(old.variables[name][at_old], new.variables[name][at_new]) for name in common}
    changed = np.logical_or.reduce(list(differing.values())) if differing else np.zeros(len(at_new), bool)
    return PartitionDifference(
        path=path,
        added=np.delete(new.axis, at_new),
        removed=np.delete(old.axis, at_old),
        changed=new.axis[np.sort(at_new[changed])],
        variables=tuple(name for name, differ in differing.items() if differ.any()),
    )


def _identities(old: NDArray[Any], new: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return for each row a number that identifies its axis value, and its position among the rows with this value."""
    _, number = np.unique(np.concatenate([old, new]), return_inverse=True)
    parts = number[: len(old)], number[len(old) :]
    width = max(len(old), len(new)) + 1
    first, second = (part * width + _occurrence(part) for part in parts)
    return first, second


def _occurrence(numbers: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return for each number how many equal numbers precede it."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(numbers) else np.empty(0, np.intp)
    counts = np.empty_like(numbers)
    counts[order] = np.arange(len(numbers)) - np.repeat(starts, np.diff(np.r_[starts, len(numbers)]))
    return counts


def _differ(old: NDArray[Any], new: NDArray[Any]) -> NDArray[np.bool_]:
    """Return for each row whether a value differs; NaN equals NaN."""
    if old.shape != new.shape:
        return np.ones(len(old), bool)
    unequal, both_nan = np.not_equal(old, new), np.not_equal(old, old) & np.not_equal(new, new)
    differs = np.asarray(unequal & ~both_nan, bool)
    found: NDArray[np.bool_] = np.logical_or.reduce(differs, axis=tuple(range(1, differs.ndim)))
    return found
