"""What is told of the versions of a collection: their history, what they changed, what is wrong, what was removed."""

from typing import Final

from attrs import frozen

from zcollection.model import bridges
from zcollection.model.printed import Printed
from zcollection.model.sections import MOST_ROWS, Columns, Section, Table, heading, named
from zcollection.model.texts import more

Label = int | str
"""What a version is called: its number, or the id of a snapshot where the store makes them by itself."""


@frozen
class Total:
    """How much a collection held at one version.

    Attributes
    ----------
    partitions, rows
        How many.
    bytes
        Size of the chunks and documents of its partitions.
    """

    partitions: int
    rows: int
    bytes: int


@frozen(kw_only=True, repr=False)
class HistoryEntry(Printed):
    """One version of a collection.

    Attributes
    ----------
    version
        Its number, 0 being the empty collection; or the id of its snapshot.
    time
        When it was committed, by the writer's clock: ISO 8601, UTC.
    operation
        What was done: "create", "insert", "update", "drop", "copy" or "vacuum"; "lost" where the record was damaged and
        a repair put another in its place, the last of which names every partition.
    partitions
        How many partitions were written or dropped.
    rows
        Rows of the partitions written, after the change.
    source
        Name of what was inserted, where the caller gave one.
    writer
        Host and process of the writer.
    total
        What the collection held after it; None where that is not known: of a store that commits by itself, or where the newest
        versions alone were asked for.
    """

    version: Label
    time: str
    operation: str
    partitions: int
    rows: int
    source: str | None
    writer: str
    total: Total | None = None


class History(Printed, tuple[HistoryEntry, ...]):
    """The versions of a collection, oldest first; a long one prints the newest of them."""

    __slots__ = ()

    def _section(self) -> Section:
        table = Table.of("", self[-MOST_ROWS:], _ENTRY)
        return Section(f"{heading(self)} {len(self):,} versions", [*more(len(self) - MOST_ROWS, "older"), table])

    def _repr_html_(self) -> str:
        return bridges.notebook(self) or super()._repr_html_()


_ENTRY: Final[Columns[HistoryEntry]] = {
    "version": lambda entry: str(entry.version),
    **named("time", "operation", "partitions", "rows", "source"),
}


@frozen(kw_only=True, repr=False)
class Changes(Printed):
    """The partitions that differ between two versions.

    Attributes
    ----------
    version
        The newer one: what to ask for the next time.
    written
        Paths of the partitions that were written, and are there.
    dropped
        Paths of those that were dropped, and are not.
    """

    version: Label
    written: tuple[str, ...]
    dropped: tuple[str, ...]


@frozen(kw_only=True, repr=False)
class Committed(Printed):
    """One version, with the partitions that it changed.

    Attributes
    ----------
    version
        Its number, or the id of its snapshot: what to follow from the next time.
    time
        When it was committed, by the writer's clock: ISO 8601, UTC.
    operation
        What was done, as in the history.
    source
        Name of what was inserted, where the caller gave one.
    written, dropped
        Paths of the partitions written, and of those taken away.
    """

    version: Label
    time: str
    operation: str
    source: str | None
    written: tuple[str, ...]
    dropped: tuple[str, ...]


@frozen(kw_only=True, repr=False)
class Problem(Printed):
    """Something that is not as it should be.

    Attributes
    ----------
    partition
        Path of the partition; "" where it is none of a partition.
    variable
        Path of the variable, or None where it is none of a variable.
    chunk
        Key of the chunk within the partition, or None where it is none of a chunk.
    what
        What is wrong.
    """

    partition: str = ""
    variable: str | None = None
    chunk: str | None = None
    what: str

    def __str__(self) -> str:
        names = [
            f"partition {self.partition!r}" if self.partition else "",
            f"variable {self.variable!r}" if self.variable else "",
            f"chunk {self.chunk!r}" if self.chunk else "",
        ]
        place = ", ".join(filter(None, names))
        return f"{place}: {self.what}" if place else self.what


@frozen(kw_only=True, repr=False)
class VacuumReport(Printed):
    """What `vacuum` removed.

    Attributes
    ----------
    stages
        Stages of writers that died.
    groups
        Replaced or dropped partitions of versions that are no longer kept.
    bytes
        Size of the objects removed; those that share their bytes with a partition free none.
    versions
        Records of the log that were folded into the history; or snapshots that the store forgot.
    """

    stages: int
    groups: int = 0
    bytes: int
    versions: int
