"""Reports on changes: what an insert, an update, a delete or a repartitioning did, or would do."""

from collections.abc import Mapping, Sequence
from typing import overload

from attrs import field, frozen

from zcollection.contracts.merge import RowPlan
from zcollection.model.printed import Printed
from zcollection.model.sections import Columns, Section, Table, heading, named


@frozen(kw_only=True, repr=False)
class PartitionReport(Printed):
    """The numbers of rows that an insert adds to, replaces in and drops from one partition.

    Attributes
    ----------
    path
        The path of the partition.
    created
        Whether the partition is new.
    added
        Number of inserted rows that replace no existing row.
    replaced
        Number of existing rows that are replaced by an inserted row.
    dropped
        Number of existing rows that are removed without replacement.
    unchanged
        Number of existing rows that are kept.
    """

    path: str
    created: bool
    added: int
    replaced: int
    dropped: int
    unchanged: int

    @property
    def rows(self) -> int:
        """Number of rows of the partition after the insert."""
        return self.added + self.replaced + self.unchanged

    @classmethod
    def of(cls, path: str, *, created: bool, existing: int, plan: RowPlan) -> "PartitionReport":
        """Return the report on a row plan for a partition with `existing` rows."""
        kept = int((plan.source >= 0).sum())
        inserted = len(plan.source) - kept
        replaced = min(plan.replaced, inserted, existing - kept)
        return cls(
            path=path,
            created=created,
            added=inserted - replaced,
            replaced=replaced,
            dropped=existing - kept - replaced,
            unchanged=kept,
        )

    @classmethod
    def rewritten(cls, path: str, *, created: bool, existing: int, rows: int) -> "PartitionReport":
        """Return the report on a merge that computes new values, so that unchanged rows cannot be recognised."""
        replaced = min(existing, rows)
        return cls(
            path=path,
            created=created,
            added=rows - replaced,
            replaced=replaced,
            dropped=existing - replaced,
            unchanged=0,
        )


@frozen(repr=False)
class InsertReport(Printed, Sequence[str]):
    """The paths of the partitions written, in the order of their keys, with a report on the rows of each.

    Attributes
    ----------
    partitions
        One report per partition.
    ignored
        Attributes of the dataset that differ from those of the collection, and do not change the meaning of the numbers: by
        attribute name, in how many variables and groups. The collection keeps its own attributes.
    variables_added
        Paths of the variables added to the collection by an insert with ``unknown="add"``.
    """

    partitions: tuple[PartitionReport, ...] = ()
    ignored: Mapping[str, int] = field(factory=dict, kw_only=True)
    variables_added: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def created(self) -> tuple[str, ...]:
        """Paths of the new partitions."""
        return tuple(item.path for item in self.partitions if item.created)

    @property
    def added(self) -> int:
        """Number of inserted rows that replace no existing row, in all partitions."""
        return sum(item.added for item in self.partitions)

    @property
    def replaced(self) -> int:
        """Number of existing rows replaced by an inserted row, in all partitions."""
        return sum(item.replaced for item in self.partitions)

    @property
    def dropped(self) -> int:
        """Number of existing rows removed without replacement, in all partitions."""
        return sum(item.dropped for item in self.partitions)

    @property
    def unchanged(self) -> int:
        """Number of existing rows kept, in all partitions written."""
        return sum(item.unchanged for item in self.partitions)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        return tuple(item.path for item in self.partitions)[index]

    def __len__(self) -> int:
        return len(self.partitions)

    def __str__(self) -> str:
        text = (
            f"{len(self)} partitions ({len(self.created)} new): {self.added} rows added, {self.replaced} replaced, "
            f"{self.dropped} dropped, {self.unchanged} unchanged"
        )
        if self.variables_added:
            text += f"; variables added: {', '.join(self.variables_added)}"
        if self.ignored:
            counted = (f"{name} ({count})" for name, count in self.ignored.items())
            text += f"; attributes ignored: {', '.join(counted)}"
        return text

    def _section(self) -> Section:
        columns = named("path", "created", "added", "replaced", "dropped", "unchanged")
        return Section(f"{heading(self)} {self}", [Table.of("", self.partitions, columns)])


@frozen(kw_only=True, repr=False)
class ChangeReport(Printed):
    """The rows that an update or a delete changed, or would change.

    Attributes
    ----------
    rows
        Number of affected rows by partition path.
    dropped
        Paths of the partitions that are dropped because all their rows are deleted.
    """

    rows: Mapping[str, int]
    dropped: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Number of affected rows in all partitions."""
        return sum(self.rows.values())

    def _section(self) -> Section:
        columns: Columns[tuple[str, int]] = {
            "partition": lambda item: item[0],
            "rows": lambda item: item[1],
            "dropped": lambda item: "yes" if item[0] in self.dropped else None,
        }
        title = f"{self.total:,} rows of {len(self.rows):,} partitions"
        return Section(f"{heading(self)} {title}", [Table.of("", list(self.rows.items()), columns)])


@frozen(kw_only=True, repr=False)
class ReshapeReport(Printed):
    """The result of `repartition` or `rewrite`, or their expected result.

    Attributes
    ----------
    before, after
        Number of partitions before the change and after it.
    rows
        Number of rows of the collection.
    written, dropped
        Paths of the partitions that were written, and of those that were dropped.
    reused
        How many of the written partitions had been finished by an earlier attempt that failed or was interrupted.
    bytes_before, bytes_after
        Size of all partitions; `bytes_after` is None after a dry run, which cannot know it.
    """

    before: int
    after: int
    rows: int
    written: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    reused: int = 0
    bytes_before: int
    bytes_after: int | None

    def _section(self) -> Section:
        size = "" if self.bytes_after is None else f", now {self.bytes_after:,}"
        return Section(
            f"{heading(self, f'{self.before:,} partitions, now {self.after:,}')}: {self.rows:,} rows, {self.bytes_before:,} bytes{size}",
            [Table.listing("Written", self.written), Table.listing("Dropped", self.dropped)],
        )
