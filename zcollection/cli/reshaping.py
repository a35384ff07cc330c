"""``zcollection repartition`` and ``rewrite``: store the same rows in other partitions, or in another way."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from attrs import asdict

from zcollection.cli.changing import DryRun
from zcollection.cli.opening import URL, AsJson, StorageOptions, open_to_read, open_to_write
from zcollection.cli.output import write_json, write_lines
from zcollection.collection.report import ReshapeReport

_LENGTH = "DIMENSION=ROWS"


def repartition(
    url: URL,
    *,
    by: Annotated[
        str, typer.Option("--by", metavar="PARTITIONING", help="How rows map to partitions, such as date:M.")
    ],
    dry_run: DryRun = False,
    storage_option: StorageOptions = None,
    as_json: AsJson = False,
) -> None:
    """Change the partitioning of a collection, in place and as one change; call it again to resume after an interruption."""
    collection = (open_to_read if dry_run else open_to_write)(url, storage_option)
    report = collection.repartition(by, dry_run=dry_run, progress=not as_json)
    _write(report, dry_run=dry_run, as_json=as_json)


def rewrite(
    url: URL,
    *,
    codecs: Annotated[
        list[str] | None,
        typer.Option(
            "--codecs",
            metavar="[VARIABLE=]PROFILE",
            help="A profile of codecs, such as cloud-balanced, for all variables or for one; repeat it for more.",
        ),
    ] = None,
    chunks: Annotated[
        list[str] | None,
        typer.Option("--chunks", metavar=_LENGTH, help="Rows of a chunk, or auto; repeat it for more dimensions."),
    ] = None,
    shards: Annotated[
        list[str] | None,
        typer.Option("--shards", metavar=_LENGTH, help="Rows of a shard, or none; repeat it for more dimensions."),
    ] = None,
    dry_run: DryRun = False,
    storage_option: StorageOptions = None,
    as_json: AsJson = False,
) -> None:
    """Rewrite partitions with other codecs, chunks or shards; without options, those whose layout is not the current one."""
    options: dict[str, Any] = {
        "codecs": _codecs(codecs or []),
        "chunks": _lengths(chunks or [], option="--chunks", nothing="auto"),
        "shards": _lengths(shards or [], option="--shards", nothing="none"),
    }
    collection = (open_to_read if dry_run else open_to_write)(url, storage_option)
    _write(collection.rewrite(**options, dry_run=dry_run, progress=not as_json), dry_run=dry_run, as_json=as_json)


def _codecs(values: Sequence[str]) -> str | dict[str, str] | None:
    """Return one profile for all variables, or profiles by variable."""
    pairs = [text.rpartition("=") for text in values]
    if len(pairs) > 1 and not all(separator for _, separator, _ in pairs):
        message = f"{', '.join(values)}: accepted: one profile for all variables, or VARIABLE=PROFILE for some of them"
        raise typer.BadParameter(message, param_hint="--codecs")
    if pairs and not pairs[0][1]:
        return values[0]
    return {name: profile for name, _, profile in pairs} or None


def _lengths(values: Sequence[str], *, option: str, nothing: str) -> dict[str, int | None] | None:
    lengths: dict[str, int | None] = {}
    for text in values:
        name, _, length = text.rpartition("=")
        if not name or not (length == nothing or length.isdecimal()):
            message = f"{text!r}; accepted: DIMENSION=ROWS, such as time=4096, or DIMENSION={nothing}"
            raise typer.BadParameter(message, param_hint=option)
        lengths[name] = None if length == nothing else int(length)
    return lengths or None


def _write(report: ReshapeReport, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        write_json(asdict(report))
        return
    word = "would be" if dry_run else "were"
    size = "" if report.bytes_after is None else f", now {report.bytes_after:,}"
    changed = f"{len(report.written):,} {word} written, {len(report.dropped):,} dropped"
    lines = [
        f"{report.before:,} partitions, {'then' if dry_run else 'now'} {report.after:,}",
        f"{changed}: {report.rows:,} rows, {report.bytes_before:,} bytes{size}",
    ]
    if report.reused:
        lines.append(f"{report.reused:,} of them were finished by an earlier run")
    write_lines(lines)
