"""``zcollection verify``, ``repair`` and ``vacuum``: find and repair problems, and remove objects no longer needed."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from attrs import asdict

from zcollection.cli.opening import URL, AsJson, Base, BaseOptions, StorageOptions, open_source
from zcollection.cli.output import write_json, write_lines
from zcollection.model.formatting import format_bytes
from zcollection.transaction.reports import Problem

FOUND = 1
"""Exit code if there are problems."""


def verify(
    url: URL,
    *,
    data: Annotated[bool, typer.Option("--data", help="Also read every chunk.")] = False,
    sample: Annotated[
        float | None,
        typer.Option(
            "--sample",
            min=0,
            max=1,
            metavar="SHARE",
            help="Share of the chunks to read, such as 0.01; chosen at random on each call.",
        ),
    ] = None,
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """Check a collection for problems; exits with 1 if there are some."""
    report = open_source(url, storage_option, base, base_option).verify(
        data=data if sample is None else sample, progress=not as_json
    )
    counts = {
        "version": report.version,
        "partitions": report.partitions,
        "chunks": report.chunks,
        "chunks_read": report.chunks_read,
    }
    if as_json:
        write_json({**counts, "problems": _facts(report.problems), "notes": list(report.notes)})
    else:
        lines = [*map(str, report.problems), *(f"note: {note}" for note in report.notes)]
        result = f"{len(report.problems)} problems" if report.problems else "no problems"
        write_lines(
            [*lines, f"version {report.version}, {report.partitions:,} partitions, {report.chunks:,} chunks: {result}"]
        )
    if report.problems:
        raise typer.Exit(FOUND)


def repair(
    url: URL,
    *,
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """Repair what can be repaired without losing data; exits with 1 if problems remain."""
    report = open_source(url, storage_option, base, base_option, mode="rw").repair()
    if as_json:
        write_json({"done": list(report.done), "remaining": _facts(report.remaining)})
    else:
        remaining = [f"remains: {problem}" for problem in report.remaining]
        write_lines([*report.done, *remaining] or ["nothing to repair"])
    if report.remaining:
        raise typer.Exit(FOUND)


def vacuum(
    url: URL,
    *,
    older_than: Annotated[str, typer.Option("--older-than", help="Age, such as 24h, 30min or 7d.")] = "24h",
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """Remove staged objects of writers that died, and fold old records of the commit log into the history."""
    report = open_source(url, storage_option, base, base_option, mode="rw").vacuum(older_than=older_than)
    if as_json:
        write_json(asdict(report))
    else:
        size = format_bytes(report.bytes)
        write_lines(
            [f"{report.stages:,} staging areas of {size} removed, {report.versions:,} versions folded into the history"]
        )


def _facts(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    return [asdict(problem) for problem in problems]
