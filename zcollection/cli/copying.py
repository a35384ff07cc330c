"""``zcollection copy``: copy a collection to another URL, on any store, and verify the copy."""

from typing import Annotated

import typer
from attrs import asdict

from zcollection.cli.opening import URL, AsJson, At, Filter, StorageOptions, open_to_read, options_of
from zcollection.cli.output import write_json, write_lines
from zcollection.cli.repairing import FOUND

TargetOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--target-option",
        metavar="KEY=VALUE",
        help="Option of the target's store, like --storage-option; repeat it for more.",
    ),
]


def copy(
    url: URL,
    target: Annotated[str, typer.Argument(metavar="TARGET", help="URL or local path of the copy.")],
    *,
    filters: Filter = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing collection.")] = False,
    data: Annotated[bool, typer.Option("--data", help="Also read every chunk of the copy.")] = False,
    at: At = None,
    storage_option: StorageOptions = None,
    target_option: TargetOptions = None,
    as_json: AsJson = False,
) -> None:
    """Copy a collection, or an older version of it, and verify the copy; exits with 1 if there are problems."""
    source = open_to_read(url, storage_option, at=at)
    made = source.copy(target, filters=filters, overwrite=overwrite, storage_options=options_of(target_option))
    report, rows = made.verify(data=data), sum(record.rows for record in made.records().values())
    counts = {"partitions": report.partitions, "rows": rows, "chunks": report.chunks}
    if as_json:
        write_json({**counts, "problems": [asdict(problem) for problem in report.problems]})
    else:
        result = f"{len(report.problems)} problems" if report.problems else "no problems"
        summary = f"{report.partitions:,} partitions, {rows:,} rows, {report.chunks:,} chunks copied: {result}"
        write_lines([*map(str, report.problems), summary])
    if report.problems:
        raise typer.Exit(FOUND)
