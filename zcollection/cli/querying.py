"""``zcollection query`` and ``head``: rows in a file, or on the terminal."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import typer

from zcollection.cli.opening import URL, AsJson, Filter, StorageOptions, Variables, Where, names_of, open_to_read
from zcollection.cli.output import write_json, write_lines, write_table
from zcollection.cli.targets import check_target, holds_rows_alone, write
from zcollection.cli.values import columns_of, shown
from zcollection.collection.collection import Collection
from zcollection.collection.rows import Rows
from zcollection.errors import SettingError
from zcollection.model.dataset import Dataset

_SHOWN: Final = 20
"""Rows that are shown where nobody says how many."""

Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write a file: .nc, .zarr, .csv or .parquet; it appears whole or not at all.",
    ),
]


def query(
    url: URL,
    *,
    where: Where = None,
    filters: Filter = None,
    variables: Variables = None,
    output: Output = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file that is there.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", "-n", metavar="ROWS", help=f"First rows alone; {_SHOWN} by default where no file is written."
        ),
    ] = None,
    storage_option: StorageOptions = None,
    as_json: AsJson = False,
) -> None:
    """Read the rows that pass a condition, into a file or onto the terminal."""
    _check_limit(limit)
    if output is not None:
        check_target(output, overwrite=overwrite)
    collection, names = open_to_read(url, storage_option), names_of(variables)
    if output is None:
        rows = collection.find(where, filters=filters) if where is not None else None
        total = len(rows) if rows is not None else collection.count(filters=filters)
        shown_rows = _first(collection, _SHOWN if limit is None else limit, rows, filters, names)
        _write(collection, shown_rows, total=total, as_json=as_json)
        return
    if limit is None:
        found = collection.query(where=where, filters=filters, variables=names, progress=not as_json)
        dataset = no_rows(collection, names) if found is None else found
    else:
        dataset = _first_passing(collection, limit, where, filters, names)
    write(dataset, output, overwrite=overwrite)
    count = _length(dataset, collection.dimension)
    if as_json:
        write_json({"rows": count, "file": output})
    else:
        write_lines([f"{count:,} rows written to {output}{_left_out(dataset, collection.dimension, output)}"])


def head(
    url: URL,
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="ROWS", help="How many.")] = 10,
    where: Where = None,
    filters: Filter = None,
    variables: Variables = None,
    storage_option: StorageOptions = None,
    as_json: AsJson = False,
) -> None:
    """Show the first rows, in the order of the partitions' keys; no more is read than that takes."""
    _check_limit(limit)
    collection = open_to_read(url, storage_option)
    found = _first_passing(collection, limit, where, filters, names_of(variables))
    _write(collection, found, total=None, as_json=as_json)


def _check_limit(limit: int | None) -> None:
    if limit is not None and limit < 1:
        message = f"--limit {limit}; accepted: a whole number from 1 on"
        raise SettingError(message)


def _first_passing(
    collection: Collection, count: int, where: str | None, filters: str | None, names: Iterable[str] | None
) -> Dataset:
    """Return the first rows that pass, looked for in one partition, then in two more, in four, and so on."""
    if where is None:
        return _first(collection, count, None, filters, names)
    paths, found, at, step = list(collection.records(filters=filters).values()), None, 0, 1
    while at < len(paths) and (found is None or len(found) < count):
        keys = [record.key for record in paths[at : at + step]]
        rows = collection.find(where, filters=_any_of(keys))
        found = rows if found is None else found | rows
        at, step = at + step, step * 2
    if found is None or not found:
        collection.find(
            where, filters=_any_of([])
        )  # says what is wrong with the condition, where there is no partition
        return no_rows(collection, names)
    return _first(collection, count, found, None, names)


def _first(
    collection: Collection, count: int, rows: Rows | None, filters: str | None, names: Iterable[str] | None
) -> Dataset:
    """Return the first rows, or the first of those that were found; of the chunks, those are read that hold them."""
    keys, so_far = [], 0
    parts = rows.partitions if rows is not None else None
    for path, record in collection.records(filters=filters).items():
        if so_far >= count:
            break
        part = None if rows is None else rows.part(path)
        if parts is None or part is not None:
            keys.append(record.key)
            so_far += record.rows if part is None else part.count
    if not keys:
        return no_rows(collection, names)
    lazily = collection.query(filters=_any_of(keys), where=rows, variables=names, lazy=True)
    if lazily is None:  # others have dropped them meanwhile
        return no_rows(collection, names)
    dimension = collection.dimension
    return lazily.isel({dimension: slice(0, count)}) if dimension in lazily.sizes else lazily


def _any_of(keys: Iterable[Mapping[str, Any]]) -> Any:
    wanted = {tuple(key.values()) for key in keys}
    return lambda key: tuple(key.values()) in wanted


def no_rows(collection: Collection, names: Iterable[str] | None) -> Dataset:
    """Return a dataset of no rows; a condition that nothing passes has one even where no partition is."""
    found = collection.query(where="False", variables=names)
    assert found is not None  # noqa: S101 - see above
    return found


def _length(dataset: Dataset, dimension: str) -> int:
    return dataset.sizes.get(dimension, 0)


def _left_out(dataset: Dataset, dimension: str, output: str) -> str:
    """Return which variables a file of rows has no place for, in words."""
    names = [path for path in dataset.all_variables() if not dataset.schema.spans(path, dimension)]
    return f"; without {', '.join(names)}, which has no rows" if names and holds_rows_alone(output) else ""


def _write(collection: Collection, dataset: Dataset, *, total: int | None, as_json: bool) -> None:
    columns = columns_of(dataset, collection.dimension)
    count = _length(dataset, collection.dimension)
    if as_json:
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        write_json(({} if total is None else {"rows": total}) | {"data": rows})
        return
    rows_shown = [list(map(shown, values)) for values in zip(*columns.values(), strict=True)]
    numeric = {path for path in columns if dataset.get_variable(path).dtype.kind in "iufc"}
    if columns:
        write_table(list(columns), rows_shown, numeric=numeric)
    if total is not None:
        write_lines([f"{count:,} of {total:,} rows" if count < total else f"{total:,} rows"])
