"""``zcollection ls``: the partitions of a collection, in the order of their keys."""

from collections.abc import Mapping
from typing import Annotated

import typer

from zcollection.cli.describe import axis_limits, limits_in_words
from zcollection.cli.opening import URL, AsJson, At, Filter, StorageOptions, open_to_read
from zcollection.cli.output import write_json, write_lines, write_table
from zcollection.collection.collection import Collection
from zcollection.transaction.documents import PartitionRecord

Long = Annotated[bool, typer.Option("--long", "-l", help="Add rows, bytes and the range of the axis.")]


def ls(
    url: URL,
    *,
    filters: Filter = None,
    long: Long = False,
    at: At = None,
    storage_option: StorageOptions = None,
    as_json: AsJson = False,
) -> None:
    """List the partitions, in the order of their keys."""
    collection = open_to_read(url, storage_option, at=at)
    records = collection.records(filters=filters)
    if as_json:
        write_json([_facts(collection, path, record) for path, record in records.items()])
    elif long:
        _write_long(collection, records)
    else:
        write_lines(list(records))


def _facts(collection: Collection, path: str, record: PartitionRecord) -> dict[str, object]:
    return {
        "path": path,
        "key": record.key,
        "rows": record.rows,
        "stored_bytes": record.stored_bytes,
        "axis_range": axis_limits(collection, [record]),
    }


def _write_long(collection: Collection, records: Mapping[str, PartitionRecord]) -> None:
    rows = [
        [path, str(record.rows), str(record.stored_bytes), limits_in_words(axis_limits(collection, [record]))]
        for path, record in records.items()
    ]
    write_table(["path", "rows", "bytes", collection.axis], rows, numeric={"rows", "bytes"})
