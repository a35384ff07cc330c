"""``zcollection verify``, ``repair`` and ``vacuum``: what is wrong with a collection, mended where it can be, and kept small."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from attrs import asdict

from zcollection.cli.opening import URL, AsJson, Base, BaseOptions, StorageOptions, open_source
from zcollection.cli.output import write_json, write_lines
from zcollection.model.texts import format_bytes
from zcollection.transaction.reports import Problem

FOUND = 1
"""Exit code where something is wrong."""


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
            help="Read so many of the chunks, such as 0.01; others each time.",
        ),
    ] = None,
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """Look for what is wrong with a collection; exits with 1 if something is."""
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
        told = f"{len(report.problems)} problems" if report.problems else "all is well"
        write_lines(
            [*lines, f"version {report.version}, {report.partitions:,} partitions, {report.chunks:,} chunks: {told}"]
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
    """Mend what can be mended without losing data; exits with 1 if something remains."""
    report = open_source(url, storage_option, base, base_option, mode="rw").repair()
    if as_json:
        write_json({"done": list(report.done), "remaining": _facts(report.remaining)})
    else:
        remaining = [f"remains: {problem}" for problem in report.remaining]
        write_lines([*report.done, *remaining] or ["nothing to mend"])
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
    """Remove what writers that died have left, and fold old records of the log into the history."""
    report = open_source(url, storage_option, base, base_option, mode="rw").vacuum(older_than=older_than)
    if as_json:
        write_json(asdict(report))
    else:
        size = format_bytes(report.bytes)
        write_lines(
            [f"{report.stages:,} stages of {size} removed, {report.versions:,} versions folded into the history"]
        )


def _facts(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    return [asdict(problem) for problem in problems]
