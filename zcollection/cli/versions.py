"""``zcollection history`` and ``changes``: what was done to a collection, and what has changed since."""

from typing import Annotated

import typer
from attrs import asdict

from zcollection.cli.opening import URL, AsJson, Base, BaseOptions, StorageOptions, open_source
from zcollection.cli.output import write_json, write_lines, write_table

_COLUMNS = ("version", "time", "operation", "partitions", "rows", "source")


def history(
    url: URL,
    *,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, metavar="VERSIONS", help="The newest alone, so many of them.")
    ] = None,
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """List the versions, oldest first: when each was made, by what, and how much it changed."""
    entries = open_source(url, storage_option, base, base_option).history()
    shown = entries if limit is None else entries[-limit:]
    if as_json:
        write_json([asdict(entry) for entry in shown])
    else:
        lines = [
            ["" if (value := getattr(entry, name)) is None else str(value) for name in _COLUMNS] for entry in shown
        ]
        write_table(_COLUMNS, lines, numeric={"version", "partitions", "rows"})


def changes(
    url: URL,
    *,
    since: Annotated[
        str,
        typer.Option(
            "--since", metavar="VERSION", help="A version of the history, such as that of the last time; 0 for all."
        ),
    ],
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """List the partitions that were written or dropped after a version, and say what to ask for the next time."""
    label = int(since) if since.isascii() and since.isdigit() else since
    found = open_source(url, storage_option, base, base_option).changes(since=label)
    if as_json:
        write_json(asdict(found))
    else:
        lines = [f"written  {path}" for path in found.written] + [f"dropped  {path}" for path in found.dropped]
        write_lines([*lines, f"version {found.version}"])
