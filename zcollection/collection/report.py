"""What an insert did, or would do."""

from collections.abc import Mapping, Sequence
from typing import overload

from attrs import field, frozen

from zcollection.contracts.merge import RowPlan
from zcollection.model.printed import Printed
from zcollection.model.sections import Columns, Section, Table, heading, named


@frozen(kw_only=True, repr=False)
class PartitionReport(Printed):
    """What became of the rows of one partition.

    Attributes
    ----------
    path
        The partition.
    created
        Whether it is new.
    added
        Inserted rows in place of no other.
    replaced
        Existing rows that gave way to an inserted one.
    dropped
        Existing rows that are gone.
    unchanged
        Existing rows that stayed.
    """

    path: str
    created: bool
    added: int
    replaced: int
    dropped: int
    unchanged: int

    @property
    def rows(self) -> int:
        """Rows of the partition now."""
        return self.added + self.replaced + self.unchanged

    @classmethod
    def of(cls, path: str, *, created: bool, existing: int, plan: RowPlan) -> "PartitionReport":
        """Return what a plan does to a partition of `existing` rows."""
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
        """Return what a merge that computes new values does: which rows are old ones is not known."""
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
    """The paths of the partitions written, in the order of their keys, and what became of their rows.

    Attributes
    ----------
    partitions
        A report on each partition.
    ignored
        Attributes that were given and are not those of the collection, and say nothing of what the numbers mean: how many
        variables and groups each of them differs in. Those of the collection stay.
    variables_added
        Paths of the variables that the collection has since, of an insert with ``unknown="add"``.
    """

    partitions: tuple[PartitionReport, ...] = ()
    ignored: Mapping[str, int] = field(factory=dict, kw_only=True)
    variables_added: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def created(self) -> tuple[str, ...]:
        """Partitions that are new."""
        return tuple(item.path for item in self.partitions if item.created)

    @property
    def added(self) -> int:
        """Inserted rows in place of no other, in all partitions."""
        return sum(item.added for item in self.partitions)

    @property
    def replaced(self) -> int:
        """Existing rows that gave way to an inserted one, in all partitions."""
        return sum(item.replaced for item in self.partitions)

    @property
    def dropped(self) -> int:
        """Existing rows that are gone, in all partitions."""
        return sum(item.dropped for item in self.partitions)

    @property
    def unchanged(self) -> int:
        """Existing rows that stayed, in all partitions written."""
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
    """What a change of rows did, or would do.

    Attributes
    ----------
    rows
        How many rows it is about, by the path of the partition.
    dropped
        Paths of the partitions that are gone, for they had no other rows.
    """

    rows: Mapping[str, int]
    dropped: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """How many rows it is about."""
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
    """What became of the partitions of a collection that was partitioned or encoded anew, or would become.

    Attributes
    ----------
    before, after
        How many partitions there were, and are.
    rows
        How many rows there are.
    written, dropped
        Paths of the partitions that were written, and of those that are no more.
    reused
        How many of those written an attempt that died, or was interrupted, had finished.
    bytes_before, bytes_after
        Size of all partitions; after a dry run nobody knows what it would be, and it is None.
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
