"""``zcollection insert``: insert files, each as one change; files that were inserted before are skipped."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Annotated, Any, Literal, cast, get_args

import typer
from attrs import asdict, frozen

from zcollection.cli import failures
from zcollection.cli.columns import Attribute, Columns, Name, Set
from zcollection.cli.opening import URL, AsJson, StorageOptions, open_to_read, open_to_write
from zcollection.cli.output import write_json, write_lines
from zcollection.cli.sources import read
from zcollection.collection.collection import Collection
from zcollection.collection.report import InsertReport
from zcollection.errors import SettingError, accepted, printable
from zcollection.progress import tracking
from zcollection.registry.hookspecs import Family
from zcollection.registry.registry import REGISTRY

Naming = Literal["name", "path", "none"]


def _merges() -> list[str]:
    return REGISTRY.names(Family.MERGE)


def insert(
    url: URL,
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="NetCDF (.nc), Zarr (.zarr), CSV (.csv) or Parquet (.parquet)."),
    ],
    *,
    merge: Annotated[
        str | None,
        typer.Option(
            "--merge",
            metavar="NAME",
            help="Merge strategy for existing partitions, such as upsert; by default they are replaced.",
            autocompletion=_merges,
        ),
    ] = None,
    source: Annotated[
        str,
        typer.Option(
            "--source",
            metavar="name|path|none",
            help="How a file is identified: a file that was inserted before is skipped, unless this is 'none'.",
            autocompletion=lambda: list(get_args(Naming)),
        ),
    ] = "name",
    fixed: Set = None,
    attribute: Attribute = None,
    name: Name = None,
    unknown: Annotated[
        str, typer.Option("--unknown", metavar="raise|drop|add", help="Variables that the collection does not have.")
    ] = "raise",
    missing: Annotated[
        str, typer.Option("--missing", metavar="raise|fill", help="Variables that a file does not have.")
    ] = "raise",
    conventions: Annotated[
        str,
        typer.Option(
            "--conventions",
            metavar="check|ignore",
            help="Whether to check that attributes, such as units, give values the same meaning as in the collection.",
        ),
    ] = "check",
    immutable: Annotated[
        str,
        typer.Option(
            "--immutable",
            metavar="check|replace",
            help="Other values of variables that are stored once per collection.",
        ),
    ] = "check",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing, and show what would change.")] = False,
    storage_option: StorageOptions = None,
    as_json: AsJson = False,
) -> None:
    """Insert files, each as one change; a file that fails does not stop the others, and the exit code is then 1.

    Run it again after an interruption: files that were inserted are skipped.
    """
    options = {"merge": merge, "unknown": unknown, "missing": missing, "conventions": conventions}
    work = Insertion(
        collection=(open_to_read if dry_run else open_to_write)(url, storage_option),
        sources=_sources(files, source),
        columns=Columns.of(fixed, attribute, name),
        options=options if dry_run else {**options, "immutable": immutable},
        dry_run=dry_run,
    )
    outcomes = work.done(files, progress=not as_json)
    if as_json:
        write_json([outcome.facts() for outcome in outcomes])
    else:
        write_lines([str(outcome) for outcome in outcomes if outcome.error is None])
        write_lines([_summary(outcomes)])
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    for outcome in failed:
        typer.echo(f"error: {printable(outcome.file)}: {outcome.error}", err=True)
    if failed:
        raise typer.Exit(failures.FAILED)


@frozen(kw_only=True)
class Outcome:
    """The outcome of inserting one file.

    Attributes
    ----------
    file, source
        The file, and the source name that identifies it in the collection.
    status
        "inserted", "planned", "skipped" or "failed".
    report
        The report of the insert, or of the dry run; None if the file was skipped or failed.
    error
        The error message; None unless the file failed.
    """

    file: str
    source: str | None
    status: str
    report: InsertReport | None = None
    error: str | None = None

    def facts(self) -> dict[str, Any]:
        """Return the outcome as JSON."""
        report = self.report
        found = None if report is None else {"partitions": [asdict(item) for item in report.partitions]}
        more = {} if report is None else {"ignored": dict(report.ignored), "variables_added": report.variables_added}
        return {
            "file": self.file,
            "source": self.source,
            "status": self.status,
            "report": None if found is None else found | more,
            "error": self.error,
        }

    def __str__(self) -> str:
        details = "it was inserted before" if self.report is None else str(self.report)
        return f"{self.status:<8}  {self.file}: {details}"


@frozen(kw_only=True)
class Insertion:
    """Inserts files.

    Attributes
    ----------
    collection
        The collection.
    sources
        The source name of each file.
    columns, options
        Additional columns, and options of the insert, for all files.
    dry_run
        Whether to write nothing.
    """

    collection: Collection
    sources: Mapping[str, str | None]
    columns: Columns
    options: Mapping[str, Any]
    dry_run: bool

    def done(self, files: Iterable[str], *, progress: bool) -> list[Outcome]:
        """Insert the files, one after the other, and return the outcome of each."""
        distinct, known, found = list(dict.fromkeys(files)), set(self.collection.sources()), []
        with tracking(progress, len(distinct), "insert") as advance:
            for file in distinct:
                found.append(self._attempted(file, known))
                advance()
        return found

    def _attempted(self, file: str, known: set[str]) -> Outcome:
        source = self.sources[file]
        if source in known:
            return Outcome(file=file, source=source, status="skipped")
        try:
            report = self._inserted(file, source)
        except Exception as error:  # noqa: BLE001 - one bad file must not stop the others
            failures.show_traceback(error)
            return Outcome(file=file, source=source, status="failed", error=failures.line_of(error))
        if not report.partitions and source is not None and source in self.collection.sources():
            return Outcome(file=file, source=source, status="skipped")  # another process inserted it meanwhile
        return Outcome(file=file, source=source, status="planned" if self.dry_run else "inserted", report=report)

    def _inserted(self, file: str, source: str | None) -> InsertReport:
        content = read(file, self.collection.schema)
        options = {**self.options, "columns": self.columns.values(file, content.attrs, self.collection.schema) or None}
        if self.dry_run:
            return self.collection.plan(content.data, **options)
        return self.collection.insert(content.data, source=source, **options)


def _sources(files: list[str], naming: str) -> dict[str, str | None]:
    """Return the source name of each file.

    Raises
    ------
    SettingError
        `naming` is unknown, or two files have the same name.
    """
    if naming not in get_args(Naming):
        message = f"--source {naming!r}; {accepted(naming, get_args(Naming))}"
        raise SettingError(message)
    how = cast("Naming", naming)
    if how == "none":
        return dict.fromkeys(files)
    found = {file: PurePath(file.rstrip("/")).name if how == "name" else file for file in files}
    twice = [source for source, count in Counter(found.values()).items() if count > 1]
    if twice:
        message = (
            f"several files have the name {twice[0]!r}, and only one of them would be inserted; pass --source path, which "
            f"identifies files by their paths"
        )
        raise SettingError(message)
    return dict(found)


def _summary(outcomes: list[Outcome]) -> str:
    counts = Counter(outcome.status for outcome in outcomes)
    files = ", ".join(
        f"{counts[status]:,} {status}" for status in ("inserted", "planned", "skipped", "failed") if counts[status]
    )
    reports = [outcome.report for outcome in outcomes if outcome.report is not None]
    added, replaced = sum(report.added for report in reports), sum(report.replaced for report in reports)
    return f"{files}: {added:,} rows added{f', {replaced:,} replaced' if replaced else ''}"
