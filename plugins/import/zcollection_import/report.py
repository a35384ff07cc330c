"""The report of an import."""

from attrs import frozen

from zcollection.plugin import Printed, Problem, Section, heading


@frozen(kw_only=True, repr=False)
class ImportReport(Printed):
    """The report of an import.

    Attributes
    ----------
    kind
        The kind of the data: ``"zcollection-1"``, ``"zcollection-rewrite"``, ``"zarr"``, ``"parquet"`` or ``"netcdf"``.
    title
        The data in words.
    axis, partitioning
        The axis and the partitioning of the new collection.
    units
        The number of partitions or files that were imported, now or before.
    rows
        The number of rows in the new collection.
    imported
        The number of rows that this run inserted; earlier runs inserted the others.
    partitions
        The number of partitions of the new collection.
    notes
        Notes that are not problems.
    problems
        The problems found by the comparison with the old data; None if there was no comparison.
    """

    kind: str
    title: str
    axis: str
    partitioning: str
    units: int
    rows: int
    imported: int
    partitions: int
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] | None = None

    def __str__(self) -> str:
        resumed = f" ({self.imported:,} of them now)" if self.imported != self.rows else ""
        result = "not compared" if self.problems is None else f"{len(self.problems)} problems"
        return (
            f"{self.title}: {self.units:,} units, {self.rows:,} rows{resumed}, in {self.partitions:,} partitions, axis {self.axis}, "
            f"{self.partitioning}: {'no problems' if self.problems == () else result}"
        )

    def _section(self) -> Section:
        lines = [f"note: {note}" for note in self.notes] + [str(problem) for problem in self.problems or ()]
        return Section(f"{heading(self)} {self}", lines)
