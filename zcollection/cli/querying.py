"""``zcollection query`` and ``head``: write rows to a file, or show them on the terminal."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import typer
from attrs import evolve, frozen

from zcollection.cli.opening import (
    URL,
    AsJson,
    At,
    Base,
    BaseOptions,
    Filter,
    StorageOptions,
    Variables,
    Where,
    names_of,
    open_source,
)
from zcollection.cli.output import write_json, write_lines, write_table
from zcollection.cli.targets import check_target, has_rows_only, write
from zcollection.cli.values import columns_of, shown
from zcollection.collection.collection import Collection
from zcollection.collection.read.keyed import Keys
from zcollection.collection.read.rows import Rows
from zcollection.collection.read.scan import Scan
from zcollection.errors import SettingError
from zcollection.model.dataset import Dataset
from zcollection.view.view import View

Source = Collection | View

_SHOWN: Final = 20
"""Number of rows shown by default."""

Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write a file: .nc, .zarr, .csv or .parquet; it appears complete or not at all.",
    ),
]

KeyFields = Annotated[
    list[str] | None,
    typer.Option(
        "--keys",
        metavar="all|FIELD[=COLUMN][,…]",
        help="Add fields of the partition keys as columns: all, or some; '=' gives another name.",
    ),
]


def query(
    url: URL,
    *,
    where: Where = None,
    filters: Filter = None,
    variables: Variables = None,
    keys: KeyFields = None,
    output: Output = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", "-n", metavar="ROWS", help=f"Only the first rows; {_SHOWN} by default if no file is written."
        ),
    ] = None,
    at: At = None,
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """Read the rows that pass a condition, and write them to a file or to the terminal."""
    _check_limit(limit)
    if output is not None:
        check_target(output, overwrite=overwrite)
    source = open_source(url, storage_option, base, base_option, at=at)
    reading = Reading(source, filters, names_of(variables), keys_of(keys))
    if output is None:
        rows = source.find(where, filters=filters) if where is not None else None
        total = len(rows) if rows is not None else source.count(filters=filters)
        shown_rows = reading.first(_SHOWN if limit is None else limit, rows)
        _write(source, shown_rows, total=total, as_json=as_json)
        return
    dataset = reading.every(where, progress=not as_json) if limit is None else reading.first_passing(limit, where)
    write(dataset, output, overwrite=overwrite)
    count = _length(dataset, source.dimension)
    if as_json:
        write_json({"rows": count, "file": output})
    else:
        write_lines([f"{count:,} rows written to {output}{_left_out(dataset, source.dimension, output)}"])


def head(
    url: URL,
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="ROWS", help="Number of rows.")] = 10,
    where: Where = None,
    filters: Filter = None,
    variables: Variables = None,
    keys: KeyFields = None,
    at: At = None,
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """Show the first rows, in the order of the partition keys; only the chunks that contain them are read."""
    _check_limit(limit)
    source = open_source(url, storage_option, base, base_option, at=at)
    found = Reading(source, filters, names_of(variables), keys_of(keys)).first_passing(limit, where)
    _write(source, found, total=None, as_json=as_json)


def _check_limit(limit: int | None) -> None:
    if limit is not None and limit < 1:
        message = f"--limit {limit}; accepted: an integer of at least 1"
        raise SettingError(message)


def keys_of(options: Iterable[str] | None) -> Keys:
    """Return the key fields that become columns: True for all, False for none, else the column name of each field."""
    names = names_of(options)
    if names is None or names == ["all"]:
        return names is not None
    return {field.strip(): (column or field).strip() for field, _, column in (name.partition("=") for name in names)}


@frozen
class Reading:
    """A selection of partitions and columns of a collection or a view.

    Attributes
    ----------
    source
        The collection or the view.
    filters, names, keys
        The filter on partitions, the variables, and the key fields that become columns.
    """

    source: Source
    filters: Any
    names: list[str] | None
    keys: Keys = False

    def every(self, where: Any, *, progress: bool) -> Dataset:
        """Return all rows that pass a condition."""
        if self.keys:
            return self._concatenated([*self._scan(where)])
        found = self.source.query(where=where, filters=self.filters, variables=self.names, progress=progress)
        return self.without_rows() if found is None else found

    def first_passing(self, count: int, where: str | None) -> Dataset:
        """Return the first rows that pass: search one partition, then two more, then four more, and so on."""
        if where is None:
            return self.first(count, None)
        keys, found, at, step = self.source.keys(filters=self.filters), None, 0, 1
        while at < len(keys) and (found is None or len(found) < count):
            rows = self.source.find(where, filters=_any_of(keys[at : at + step]))
            found = rows if found is None else found | rows
            at, step = at + step, step * 2
        if found is None:  # without partitions: still validates the condition
            found = self.source.find(where, filters=_any_of([]))
        return evolve(self, filters=None).first(count, found)

    def first(self, count: int, rows: Rows | None) -> Dataset:
        """Return the first rows, or the first of the rows found; only the chunks that contain them are read."""
        scan, dimension = self._scan(rows), self.source.dimension
        parts: list[Dataset] = []
        for part in evolve(scan, block_size=max(count * scan.bytes_per_row, 1)):
            parts.append(part)
            if dimension not in part.sizes or sum(each.sizes[dimension] for each in parts) >= count:
                break
        found = self._concatenated(parts)
        return found.isel({dimension: slice(0, count)}) if dimension in found.sizes else found

    def without_rows(self) -> Dataset:
        """Return a dataset without rows."""
        empty, scan = no_rows(self.source, self.names), self._scan(None)
        arrays = {path: variable.to_numpy() for path, variable in empty.all_variables().items()}
        return Dataset(scan.schema, {**arrays, **scan.keys.arrays([], [])})

    def _scan(self, where: Any) -> Scan:
        return self.source.scan(filters=self.filters, where=where, variables=self.names, keys=self.keys)

    def _concatenated(self, parts: list[Dataset]) -> Dataset:
        return (
            Dataset.concat(parts, self.source.dimension)
            if len(parts) > 1
            else parts[0]
            if parts
            else self.without_rows()
        )


def _any_of(keys: Iterable[Mapping[str, Any]]) -> Any:
    selected = {tuple(key.values()) for key in keys}
    return lambda key: tuple(key.values()) in selected


def no_rows(source: Source, names: Iterable[str] | None) -> Dataset:
    """Return a dataset without rows, by a condition that no row passes; it exists even without partitions."""
    found = source.query(where="False", variables=names)
    assert found is not None  # noqa: S101 - see above
    return found


def _length(dataset: Dataset, dimension: str) -> int:
    return dataset.sizes.get(dimension, 0)


def _left_out(dataset: Dataset, dimension: str, output: str) -> str:
    """Return a note on the variables that a file of rows cannot contain; empty if there are none."""
    names = [path for path in dataset.all_variables() if not dataset.schema.spans(path, dimension)]
    return f"; without {', '.join(names)}, which has no rows" if names and has_rows_only(output) else ""


def _write(source: Source, dataset: Dataset, *, total: int | None, as_json: bool) -> None:
    columns = columns_of(dataset, source.dimension)
    count = _length(dataset, source.dimension)
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
