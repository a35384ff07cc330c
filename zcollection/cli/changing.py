"""``zcollection update``, ``delete`` and ``drop``: change rows, and remove rows and partitions."""

import sys
from typing import Annotated, Any

import typer
from attrs import asdict

from zcollection.cli.assignments import Assignments
from zcollection.cli.finding import Condition
from zcollection.cli.opening import (
    URL,
    AsJson,
    Base,
    BaseOptions,
    Filter,
    StorageOptions,
    Where,
    open_source,
    open_to_read,
    open_to_write,
)
from zcollection.cli.output import write_json, write_lines
from zcollection.collection.report import ChangeReport
from zcollection.collection.write.drop import Age
from zcollection.errors import SchemaError, SettingError, accepted
from zcollection.model.durations import parse_duration
from zcollection.view.view import View

DryRun = Annotated[bool, typer.Option("--dry-run", help="Write nothing, and show what would change.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def update(
    url: URL,
    *,
    assignments: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="'NAME = VALUE'",
            help="New values, such as 'ssh = ssh - 0.02'; repeat it for more: all are computed from the old values.",
        ),
    ],
    where: Where = None,
    filters: Filter = None,
    dry_run: DryRun = False,
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """Compute new values of variables, in all rows or in those that pass a condition, as one change."""
    source = open_source(url, storage_option, base, base_option, mode="r" if dry_run else "rw")
    function = Assignments.of(assignments, source.schema)
    if isinstance(source, View):
        _check_own(source, function, dry_run=dry_run)
    if dry_run:
        change: Any = source.update  # the blocking method is typed by its first overload only
        planned: ChangeReport = change(function, filters=filters, where=where, dry_run=True)
        _write_report(planned, "would change", as_json=as_json)
        return
    paths = source.update(function, filters=filters, where=where, variables=function.variables, progress=not as_json)
    if as_json:
        write_json({"changed": list(paths)})
    else:
        write_lines([*(f"changed  {path}" for path in paths), f"{len(paths):,} partitions changed"])


def _check_own(view: View, function: Assignments, *, dry_run: bool) -> None:
    """Check that the assigned variables are those of a view, which never writes to its base.

    Raises
    ------
    SchemaError
        A variable belongs to the base.
    SettingError
        A dry run is requested, which views do not support.
    """
    for path in function.targets:
        if path not in view.variables:
            message = (
                f"variable {path!r} belongs to the base of the view at {view.store.url}; {accepted(path, view.variables)}, or update the "
                f"collection at {view.base.store.url}"
            )
            raise SchemaError(message)
    if dry_run:
        message = f"--dry-run is not supported for the view at {view.store.url}; 'zcollection find' shows which rows pass a condition"
        raise SettingError(message)


def delete(
    url: URL,
    *,
    where: Condition,
    filters: Filter = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    storage_option: StorageOptions = None,
    as_json: AsJson = False,
) -> None:
    """Delete the rows that pass a condition, as one change; on a terminal it asks first, elsewhere it needs --yes."""
    collection = (open_to_read if dry_run else open_to_write)(url, storage_option)
    if dry_run:
        _write_report(collection.delete(where, filters=filters, dry_run=True), "would be deleted", as_json=as_json)
        return
    if not yes:
        planned = collection.delete(where, filters=filters, dry_run=True)
        ask(f"Delete {planned.total:,} rows of {len(planned.rows):,} partitions?")
    report = collection.delete(where, filters=filters, progress=not as_json)
    _write_report(report, "deleted", as_json=as_json)


def drop(
    url: URL,
    *,
    filters: Filter = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than",
            metavar="AGE",
            help="Partitions that end before a time, such as 2024-01-01, or an age, such as 90d.",
        ),
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    storage_option: StorageOptions = None,
    as_json: AsJson = False,
) -> None:
    """Drop partitions, as one change; on a terminal it asks first, elsewhere it needs --yes."""
    collection = (open_to_read if dry_run else open_to_write)(url, storage_option)
    age = _age(older_than)
    if dry_run or not yes:
        paths = collection.drop_partitions(filters=filters, older_than=age, dry_run=True)
        if not dry_run:
            ask(f"Drop {len(paths):,} partitions?")
    if not dry_run:
        paths = collection.drop_partitions(filters=filters, older_than=age)
    if as_json:
        write_json({"would_drop" if dry_run else "dropped": list(paths)})
    else:
        word = "would drop" if dry_run else "dropped"
        write_lines([*(f"{word}  {path}" for path in paths), f"{len(paths):,} partitions"])


def _age(text: str | None) -> Age:
    """Return an age as a duration, and a time unchanged."""
    length = None if text is None else parse_duration(text)
    return text if length is None else length


def ask(question: str) -> None:
    """Ask on the terminal whether to continue.

    Raises
    ------
    typer.BadParameter
        There is no terminal.
    typer.Abort
        The answer is no.
    """
    if not sys.stdin.isatty():
        message = f"{question} There is no terminal to ask on; --yes continues, --dry-run shows what would be done"
        raise typer.BadParameter(message, param_hint="--yes")
    typer.confirm(question, abort=True, err=True)


def _write_report(report: ChangeReport, what: str, *, as_json: bool) -> None:
    if as_json:
        facts: dict[str, Any] = asdict(report)
        write_json({**facts, "total": report.total})
        return
    lines = [
        f"{path}: {rows:,} rows{', the partition too' if path in report.dropped else ''}"
        for path, rows in report.rows.items()
    ]
    write_lines([*lines, f"{report.total:,} rows of {len(report.rows):,} partitions {what}"])
