"""What an import did."""

from attrs import frozen

from zcollection.plugin import Printed, Problem, Section, heading


@frozen(kw_only=True, repr=False)
class ImportReport(Printed):
    """What an import found and did.

    Attributes
    ----------
    kind
        What was imported: ``"zcollection-1"``, ``"zcollection-rewrite"``, ``"zarr"``, ``"parquet"`` or ``"netcdf"``.
    title
        The same in words.
    axis, partitioning
        Of the new collection.
    units
        Partitions or files that were imported, now or before.
    rows
        Rows in the new collection.
    imported
        Rows that this run inserted; the others were there from an earlier one.
    partitions
        Partitions of the new collection.
    notes
        What is worth knowing, and nothing wrong.
    problems
        What the comparison with the old data found; None where it was left out.
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
        told = "not compared" if self.problems is None else f"{len(self.problems)} problems"
        return (
            f"{self.title}: {self.units:,} units, {self.rows:,} rows{resumed}, in {self.partitions:,} partitions, axis {self.axis}, "
            f"{self.partitioning}: {'all is well' if self.problems == () else told}"
        )

    def _section(self) -> Section:
        lines = [f"note: {note}" for note in self.notes] + [str(problem) for problem in self.problems or ()]
        return Section(f"{heading(self)} {self}", lines)
