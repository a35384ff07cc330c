"""Collections as pyarrow datasets: DuckDB, Polars, DataFusion and pandas read only what a query needs."""

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial, reduce
from typing import Any, Final, Literal, NoReturn

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from attrs import evolve, field, frozen
from pyarrow import fs

from zcollection import Collection, ExpressionError, Key, View, rows
from zcollection.errors import SettingError
from zcollection.plugin import DatasetSchema, KeyStore
from zcollection_arrow.bridge import Scan, batches
from zcollection_arrow.columns import Column, Columns
from zcollection_arrow.translation import condition
from zcollection_arrow.trees import Tree, names_in, tree_of

Stale = Literal["fill", "error", "compute"]

_BATCH_ROWS: Final = 2**17
_LOCAL, _REMOTE = 4 * 2**20, 32 * 2**20
"""The block sizes of scans, in bytes, for local and for remote stores: small enough to compute while more is read, and large enough
to overlap requests."""


def dataset(
    collection: Collection | View,
    *,
    filters: Any = None,
    where: Any = None,
    variables: Iterable[str] | None = None,
    keys: bool | Iterable[str] | Mapping[str, str] = False,
    time_unit: str | None = None,
    stale: Stale = "fill",
) -> "CollectionDataset":
    """Return a collection, or a view, as a `pyarrow.dataset.Dataset`.

    Its columns are the partitioned variables. A query reads only the columns that it names, and its filters are pushed down to
    the statistics and the partitions of the collection.

    Parameters
    ----------
    collection
        The collection or the view. Each scan reads its newest version.
    filters, where
        The partitions and rows of the dataset, as for `Collection.query`.
    variables
        The paths of the columns; None for all.
    keys
        The key fields that are additional columns, after the others: True for all, a list for some, or a mapping such as
        ``{"cycle": "key_cycle"}`` for other names. They are int64, large_string or bool, and are not read: a filter on them
        excludes complete partitions.
    time_unit
        The unit of all times: "s", "ms", "us" or "ns". A time that cannot be represented in this unit raises an error when it is
        read. None keeps the unit of each variable.
    stale
        The treatment of partitions of a view that are not current, as for `View.query`; not for collections.

    Raises
    ------
    SchemaError
        A variable is unknown, does not span the partitioned dimension, has a type without an equivalent in Arrow, or has the name
        of a key field that is also a column.
    ExpressionError
        The condition is invalid.
    SettingError
        A key field is unknown, or `stale` is not supported.
    """
    if isinstance(collection, Collection) and stale != "fill":
        message = f"stale={stale!r} for the collection {collection.store.url}, which has no stale partitions; accepted: 'fill', or a view"
        raise SettingError(message)
    every = Columns.of(collection.schema, collection.dimension, time_unit)
    names = every.columns if variables is None else [name.strip("/") for name in variables]
    selection = Selection(
        collection=collection, filters=filters, where=where, variables=tuple(names), time_unit=time_unit, stale=stale
    )
    # Invalid arguments raise here.
    return CollectionDataset(evolve(selection, keys=dict(selection.scanning(names, keys, where).keys.names)))


@frozen(kw_only=True, eq=False)
class Selection:
    """The part of a collection in a `CollectionDataset`.

    Attributes
    ----------
    collection, filters, where, time_unit, stale
        As for `dataset`.
    variables
        The columns that are variables.
    keys
        The columns of key fields, by field.
    kept
        The expression of the filters applied so far; None without filters.
    """

    collection: Collection | View
    filters: Any = None
    where: Any = None
    variables: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(factory=dict)
    time_unit: str | None = None
    stale: Stale = "fill"
    kept: pc.Expression | None = None

    @cached_property
    def columns(self) -> Columns:
        """All columns."""
        schema, dimension = self.collection.schema, self.collection.dimension
        variables = Columns.of(schema, dimension, self.time_unit).named(self.variables)
        return variables.with_columns(self._key_columns)

    @cached_property
    def _key_columns(self) -> Mapping[str, Column]:
        """The columns of key fields, by name."""
        return Columns.of(self.scanning((), self.keys, None).schema, self.collection.dimension).columns

    def also(self, expression: pc.Expression | None) -> pc.Expression | None:
        """Return the conjunction of an expression and the filters applied so far."""
        if self.kept is None or expression is None:
            return self.kept if expression is None else expression
        return self.kept & expression

    def cheapest(self) -> str:
        """Return the cheapest column to read, for counting rows."""
        return min(
            self.columns.columns.values(), key=lambda item: (item.path not in self._key_columns, item.width)
        ).path

    def scan(self, columns: Iterable[str], tree: Tree | None) -> Scan:
        """Return a scan of some columns; rows that fail the filter may already be excluded."""
        names = set(columns)
        keys = {name: column for name, column in self.keys.items() if column in names}
        scanning = partial(self.scanning, [name for name in self.variables if name in names], keys)
        if not (self.where is None or isinstance(self.where, str | rows.Condition)):
            return scanning(self.where)
        try:
            return scanning(self._where(tree))
        except ExpressionError:  # pyarrow applies the expression in any case
            return scanning(self.where)

    def scanning(self, variables: Iterable[str], keys: Any, where: Any) -> Scan:
        """Return the scan of some variables and key fields, for the rows that pass a condition."""
        store = self.collection.store
        is_local = isinstance(store, KeyStore) and store.blocking is not None
        options = {
            "filters": self.filters,
            "where": where,
            "variables": variables,
            "keys": keys,
            "block_size": _LOCAL if is_local else _REMOTE,
        }
        if isinstance(self.collection, View):
            return self.collection.scan(**options, stale=self.stale)
        return self.collection.scan(**options)

    def passing_keys(self, expression: pc.Expression | None) -> Iterable[Key]:
        """Return the keys of the partitions whose rows may pass an expression."""
        found = self.collection.keys(filters=self.filters)
        keyed = None if expression is None else self._on_keys(tree_of(expression))
        if keyed is None:
            return found
        bound = self._bound(keyed)
        return [key for key in found if bound.mask({name: key[name] for name in bound.fields}, 1)[0]]

    def _where(self, tree: Tree | None) -> rows.Condition | None:
        """Return the condition on rows, with the parts of a filter that can be translated."""
        own = rows.expression(self.where) if isinstance(self.where, str) else self.where
        pushed, keyed = self._on_variables(tree), self._on_keys(tree)
        found = [part for part in (own, pushed) if part is not None]
        if keyed is not None and self._variables_in(found).isdisjoint(self._bound(keyed).fields):
            found.append(keyed)  # otherwise a name would be ambiguous in the condition
        return reduce(operator.and_, found) if found else None

    def _variables_in(self, conditions: Iterable[rows.Condition]) -> set[str]:
        return {name for each in conditions for name in self._bound(each).variables}

    def _bound(self, condition: rows.Condition) -> Any:
        fields = tuple(item.name for item in self.collection.partitioning.fields)
        return condition.bound(self.collection.schema, self.collection.dimension, fields)

    def _on_variables(self, tree: Tree | None) -> rows.Condition | None:
        known = set(self.variables)
        if isinstance(self.collection, View) and self.stale == "compute":
            known -= set(self.collection.variables)  # variables that are not computed yet cannot be filtered on
        text = condition(tree, {name: column for name, column in self.columns.columns.items() if name in known})
        return None if text is None else rows.expression(text)

    def _on_keys(self, tree: Tree | None) -> rows.Condition | None:
        columns = {name: evolve(self._key_columns[name], path=key) for key, name in self.keys.items()}
        text = condition(tree, columns)
        return None if text is None else OfKeys(rows.expression(text))


@frozen
class OfKeys(rows.Condition):
    """A condition in which every name is a key field, even if a variable has the same name."""

    condition: rows.Condition

    def bound(self, schema: DatasetSchema, dimension: str, fields: Sequence[str] = ()) -> Any:
        """Return the condition bound to the fields."""
        del schema
        return self.condition.bound(DatasetSchema(), dimension, fields)


class CollectionDataset(pads.FileSystemDataset):  # type: ignore[misc]  # pyarrow publishes no types
    """A collection as a pyarrow dataset; see `dataset`.

    Parameters
    ----------
    selection
        The selected part of the collection.
    """

    # pyarrow has no abstract base class. C++ code of pyarrow that bypasses the methods below must neither crash nor read an empty
    # dataset, so it gets a file whose opening raises.
    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._columns = selection.columns
        files, form = fs.PyFileSystem(_NoFiles()), pads.IpcFileFormat()
        super().__init__([form.make_fragment("collection", files)], self._columns.schema, form, files)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._selection,)

    def scanner(
        self,
        columns: list[str] | Mapping[str, pc.Expression] | None = None,
        filter: pc.Expression | None = None,  # noqa: A002 - as pyarrow names it
        batch_size: int = _BATCH_ROWS,
        **options: Any,
    ) -> pads.Scanner:
        """Return a scanner, which can be read once.

        Parameters
        ----------
        columns, filter, batch_size
            As for `pyarrow.dataset.Dataset.scanner`.
        **options
            Options of pyarrow that do not refer to files.
        """
        selection, expression = self._selection, self._selection.also(filter)
        named = list(self._columns.columns) if columns is None else columns
        needed = self._columns.named(self._needed(named, expression))
        tree = None if expression is None else tree_of(expression)
        parts = selection.scan(needed.columns, tree)
        reader = pa.RecordBatchReader.from_batches(needed.schema, batches(iter(parts), needed, batch_size))
        kept = {name: options[name] for name in ("use_threads", "memory_pool") if name in options}
        return pads.Scanner.from_batches(reader, columns=named, filter=expression, batch_size=batch_size, **kept)

    def get_fragments(self, filter: pc.Expression | None = None) -> Iterator["CollectionFragment"]:  # noqa: A002
        """Yield the partitions that may contain rows that pass `filter`; fragments do not apply it by themselves."""
        for key in self._selection.passing_keys(self._selection.also(filter)):
            yield CollectionFragment(type(self)(evolve(self._selection, filters=dict(key))), key, self._selection.keys)

    def count_rows(self, filter: pc.Expression | None = None, **options: Any) -> int:  # noqa: A002
        """Return the number of rows, or of those that pass `filter`; only the necessary columns are read."""
        if self._selection.also(filter) is None:
            return self._selection.collection.count(self._selection.where, filters=self._selection.filters)
        return int(self.scanner([], filter, **options).to_table().num_rows)

    def filter(self, expression: pc.Expression) -> "CollectionDataset":
        """Return the dataset with an additional filter."""
        return type(self)(evolve(self._selection, kept=self._selection.also(expression)))

    def replace_schema(self, schema: pa.Schema) -> NoReturn:
        """Raise: the schema of a collection cannot be replaced."""
        message = f"the schema of a collection cannot be replaced by {schema.names}; choose columns with dataset(…, variables=…)"
        raise NotImplementedError(message)

    def sort_by(self, sorting: Any, **options: Any) -> pads.InMemoryDataset:
        """Return all rows in memory, sorted, as `pyarrow.dataset.Dataset.sort_by` does."""
        return self._in_memory().sort_by(sorting, **options)

    def join(self, right_dataset: pads.Dataset, *arguments: Any, **options: Any) -> pads.InMemoryDataset:
        """Return all rows in memory, joined with those of another dataset, as `pyarrow.dataset.Dataset.join` does."""
        return self._in_memory().join(_in_memory(right_dataset), *arguments, **options)

    def join_asof(self, right_dataset: pads.Dataset, *arguments: Any, **options: Any) -> pads.InMemoryDataset:
        """Return all rows in memory, joined with those of another dataset, as `pyarrow.dataset.Dataset.join_asof` does."""
        return self._in_memory().join_asof(_in_memory(right_dataset), *arguments, **options)

    def _in_memory(self) -> pads.InMemoryDataset:
        return pads.InMemoryDataset(self.to_table())

    def _needed(self, named: list[str] | Mapping[str, pc.Expression], expression: pc.Expression | None) -> set[str]:
        """Return the columns that a projection and a filter read; at least one, which is necessary to count rows."""
        every, needed = self._columns.columns, set(named) if isinstance(named, list) else set()
        for item in [
            *(named.values() if isinstance(named, Mapping) else ()),
            *([] if expression is None else [expression]),
        ]:
            tree = tree_of(item)
            if tree is None:
                return set(every)
            needed |= names_in(tree)
        known = {name for name in needed if name in every}
        return known or {self._selection.cheapest()}


class CollectionFragment:
    """One partition of a `CollectionDataset`, with the methods of `pyarrow.dataset.Fragment`.

    Attributes
    ----------
    key
        The key of the partition.
    """

    def __init__(self, rows: CollectionDataset, key: Key, columns: Mapping[str, str]) -> None:
        self.key = key
        self._rows = rows
        self._columns = columns

    @property
    def physical_schema(self) -> pa.Schema:
        """The schema of the dataset."""
        schema: pa.Schema = self._rows.schema
        return schema

    @property
    def partition_expression(self) -> pc.Expression:
        """The expression that is true for all rows: the values of the key columns, or True without key columns."""
        terms = [pc.field(column) == self.key[name] for name, column in self._columns.items()]
        return reduce(operator.and_, terms) if terms else pc.scalar(True)

    def scanner(
        self,
        schema: pa.Schema | None = None,
        columns: list[str] | Mapping[str, pc.Expression] | None = None,
        filter: pc.Expression | None = None,  # noqa: A002 - as pyarrow names it
        batch_size: int = _BATCH_ROWS,
        **options: Any,
    ) -> pads.Scanner:
        """Return a scanner of the partition, which can be read once; `schema` selects the columns if `columns` is None."""
        named = schema.names if columns is None and schema is not None else columns
        return self._rows.scanner(named, filter, batch_size, **options)

    def to_batches(self, schema: pa.Schema | None = None, **options: Any) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the partition; the parameters are those of `scanner`."""
        yield from self.scanner(schema, **options).to_batches()

    def to_table(self, schema: pa.Schema | None = None, **options: Any) -> pa.Table:
        """Return the rows of the partition; the parameters are those of `scanner`."""
        return self.scanner(schema, **options).to_table()

    def head(self, num_rows: int, **options: Any) -> pa.Table:
        """Return the first rows of the partition; the other parameters are those of `scanner`."""
        return self.scanner(**options).head(num_rows)

    def count_rows(self, **options: Any) -> int:
        """Return the number of rows; the parameters are those of `scanner`."""
        return int(self.scanner(columns=[], **options).to_table().num_rows)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self.key)})"


def _in_memory(data: pads.Dataset) -> pads.Dataset:
    return data._in_memory() if isinstance(data, CollectionDataset) else data  # noqa: SLF001 - of one module


class _NoFiles(fs.FileSystemHandler):  # type: ignore[misc]  # pyarrow publishes no types
    """A file system without files, whose error contains the next step."""

    def get_type_name(self) -> str:
        return "zcollection"

    def normalize_path(self, path: str) -> str:
        return path

    def _raise(self, *_: Any, **__: Any) -> NoReturn:
        message = (
            "pyarrow tries to read the files of a dataset, but a collection has none; use the methods of the dataset, such "
            "as scanner() and to_table(), or pyarrow.dataset.dataset(dataset.to_table())"
        )
        raise NotImplementedError(message)

    get_file_info = get_file_info_selector = create_dir = delete_dir = delete_dir_contents = _raise
    delete_root_dir_contents = delete_file = move = copy_file = open_input_stream = open_input_file = _raise
    open_output_stream = open_append_stream = _raise
