"""``zcollection tree``: the schema and the partitions of a collection."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Annotated, Any

import typer
from attrs import asdict, frozen

from zcollection.cli.opening import URL, AsJson, At, StorageOptions, open_to_read
from zcollection.cli.output import Node, write_json, write_tree
from zcollection.collection.collection import Collection
from zcollection.model.dtypes import dtype_name
from zcollection.model.names import join
from zcollection.model.schema import ROOT, Dimension, GroupSchema

_SHOWN = 20
"""Number of partitions shown by default."""

All = Annotated[bool, typer.Option("--all", "-a", help=f"Show every partition, not only the first {_SHOWN}.")]


def tree(
    url: URL, *, everything: All = False, at: At = None, storage_option: StorageOptions = None, as_json: AsJson = False
) -> None:
    """Show groups, dimensions and variables, then the partitions with their rows."""
    collection = open_to_read(url, storage_option, at=at)
    if as_json:
        write_json(_facts(collection))
    else:
        write_tree(draw(collection, everything=everything))


@frozen(kw_only=True)
class Branch:
    """Partitions whose paths have the same first segments.

    Attributes
    ----------
    segment, path
        The last of these segments, and all of them as a path.
    partitions, rows
        The number of partitions, and of their rows.
    branches
        The branches by the next segment; empty for a partition.
    """

    segment: str
    path: str
    partitions: int
    rows: int
    branches: "tuple[Branch, ...]"


def draw(collection: Collection, *, everything: bool = False) -> Node:
    """Return the tree of a collection.

    Parameters
    ----------
    collection
        The collection.
    everything
        Whether to show every partition.
    """
    branches = _branches(collection)
    partitions, rows = sum(item.partitions for item in branches), sum(item.rows for item in branches)
    shown = partitions if everything else min(partitions, _SHOWN)
    left_out = (Node(f"… {partitions - shown:,} more (--all shows them)"),) if shown < partitions else ()
    return Node(
        str(collection.store.url),
        (
            Node("schema", _schema_nodes(collection, ROOT, collection.schema)),
            Node(f"partitions: {partitions:,}, rows: {rows:,}", (*_partition_nodes(branches, shown), *left_out)),
        ),
    )


def _schema_nodes(collection: Collection, path: str, group: GroupSchema) -> tuple[Node, ...]:
    return (
        *(Node(_dimension_label(collection, path, item)) for item in group.dimensions.values()),
        *(
            Node(f"{item}{'' if collection.schema.spans(join(path, name), collection.dimension) else ', stored once'}")
            for name, item in group.variables.items()
        ),
        *(Node(f"{name}/", _schema_nodes(collection, join(path, name), child)) for name, child in group.groups.items()),
    )


def _dimension_label(collection: Collection, path: str, item: Dimension) -> str:
    partitioned = path == ROOT and item.name == collection.dimension
    parts = ["partitioned" if partitioned else str(item.size)]
    parts += [f"chunks of {item.chunks}"] if item.chunks is not None else []
    parts += [f"shards of {item.shards}"] if item.shards is not None else []
    return f"dimension {item.name}: {', '.join(parts)}"


def _partition_nodes(branches: Sequence[Branch], most: int) -> Iterator[Node]:
    """Yield nodes for the first `most` partitions."""
    for branch in branches:
        if most <= 0:
            return
        yield Node(f"{branch.segment}  {branch.rows:,} rows", tuple(_partition_nodes(branch.branches, most)))
        most -= branch.partitions


def _branches(collection: Collection) -> tuple[Branch, ...]:
    return tuple(_grow([(path.split("/"), record.rows) for path, record in collection.records().items()], ROOT))


def _grow(partitions: Sequence[tuple[list[str], int]], parent: str) -> Iterator[Branch]:
    # Partitions are in the order of their keys, so those with the same first segments are neighbours.
    for segment, members in groupby(partitions, key=lambda item: item[0][0]):
        below = [(segments[1:], rows) for segments, rows in members]
        path = join(parent, segment)
        yield Branch(
            segment=segment,
            path=path,
            partitions=len(below),
            rows=sum(rows for _, rows in below),
            branches=tuple(_grow([item for item in below if item[0]], path)),
        )


def _facts(collection: Collection) -> dict[str, Any]:
    return {
        "url": str(collection.store.url),
        "schema": _group_facts(collection, ROOT, collection.schema),
        "partitions": [asdict(branch) for branch in _branches(collection)],
    }


def _group_facts(collection: Collection, path: str, group: GroupSchema) -> dict[str, Any]:
    return {
        "name": group.name,
        "dimensions": [
            {"name": item.name, "size": item.size, "chunks": item.chunks, "shards": item.shards}
            for item in group.dimensions.values()
        ],
        "variables": [
            {
                "name": name,
                "dtype": dtype_name(item.dtype),
                "dimensions": list(item.dimensions),
                "stored_once": not collection.schema.spans(join(path, name), collection.dimension),
            }
            for name, item in group.variables.items()
        ],
        "groups": [_group_facts(collection, join(path, name), child) for name, child in group.groups.items()],
    }
