"""Reports about the versions of a collection: history, changes, problems, and what a vacuum removed."""

from typing import Final

from attrs import frozen

from zcollection.model import bridges
from zcollection.model.formatting import more
from zcollection.model.printed import Printed
from zcollection.model.sections import MOST_ROWS, Columns, Section, Table, heading, named

Label = int | str
"""How a version is identified: by its number, or by the id of its snapshot in a transactional store."""


@frozen
class Total:
    """The size of a collection at one version.

    Attributes
    ----------
    partitions, rows
        Number of partitions, and of their rows.
    bytes
        Size of the chunks and documents of the partitions.
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
        Its number (0 is the creation of the collection), or the id of its snapshot.
    time
        When it was committed, by the writer's clock: ISO 8601, UTC.
    operation
        What the change did: "create", "insert", "update", "drop", "copy" or "vacuum"; "lost" if the record was damaged
        and a repair replaced it. The last of consecutive "lost" records names every partition.
    partitions
        Number of partitions written or dropped.
    rows
        Rows of the partitions written, after the change.
    source
        Name of the inserted source, if the caller gave one.
    writer
        Host and process of the writer.
    total
        Size of the collection after the change; None if it is not known: in a transactional store, or if only the
        newest versions were requested.
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
    """The versions of a collection, oldest first; a long history prints only the newest."""

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
        The newer version: pass it as `since` the next time.
    written
        Paths of the partitions that were written and exist at the newer version.
    dropped
        Paths of the partitions that were dropped and do not exist at the newer version.
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
        Its number, or the id of its snapshot: pass it as `since` the next time.
    time
        When it was committed, by the writer's clock: ISO 8601, UTC.
    operation
        What the change did, as in the history.
    source
        Name of the inserted source, if the caller gave one.
    written, dropped
        Paths of the partitions written, and of those dropped.
    """

    version: Label
    time: str
    operation: str
    source: str | None
    written: tuple[str, ...]
    dropped: tuple[str, ...]


@frozen(kw_only=True, repr=False)
class Problem(Printed):
    """A problem that was found in a collection.

    Attributes
    ----------
    partition
        Path of the affected partition; "" if no single partition is affected.
    variable
        Path of the affected variable; None if no single variable is affected.
    chunk
        Key of the affected chunk within the partition; None if no single chunk is affected.
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
        Number of staging areas of dead writers removed.
    groups
        Number of replaced or dropped partitions removed, of versions that are no longer kept.
    bytes
        Size of the removed objects; an object that shares its bytes with a partition frees no space.
    versions
        Number of commit records folded into the history, or of snapshots that the store expired.
    """

    stages: int
    groups: int = 0
    bytes: int
    versions: int
