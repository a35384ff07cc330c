"""``zcollection find`` and ``count``: which rows pass a condition, and how many; of all else nothing is read."""

from typing import Annotated

import typer

from zcollection.cli.opening import URL, AsJson, At, Base, BaseOptions, Filter, StorageOptions, Where, open_source
from zcollection.cli.output import write_json, write_lines, write_table

Condition = Annotated[
    str,
    typer.Option("--where", metavar="EXPR", help="Condition on rows, such as \"time >= '2024-01-03' and flag == 0\"."),
]


def find(
    url: URL,
    *,
    where: Condition,
    filters: Filter = None,
    at: At = None,
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """Show which rows of which partitions pass a condition, as runs: the first, and that after the last."""
    rows = open_source(url, storage_option, base, base_option, at=at).find(where, filters=filters)
    parts = {path: part for path in rows.partitions if (part := rows.part(path)) is not None}
    if as_json:
        found = [
            {"path": path, "key": dict(part.key), "rows": part.count, "of": part.total, "ranges": part.ranges.tolist()}
            for path, part in parts.items()
        ]
        write_json({"version": rows.version, "rows": len(rows), "partitions": found})
        return
    runs = [
        [path, str(stop - start), str(start), str(stop)]
        for path, part in parts.items()
        for start, stop in part.ranges.tolist()
    ]
    if runs:
        write_table(["partition", "rows", "start", "stop"], runs, numeric={"rows", "start", "stop"})
    write_lines([f"{len(rows):,} rows of {len(parts):,} partitions (version {rows.version})"])


def count(
    url: URL,
    *,
    where: Where = None,
    filters: Filter = None,
    at: At = None,
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """Show how many rows there are, or how many pass a condition."""
    found = open_source(url, storage_option, base, base_option, at=at).count(where, filters=filters)
    if as_json:
        write_json({"rows": found})
    else:
        write_lines([str(found)])
