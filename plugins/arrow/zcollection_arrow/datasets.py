"""Collections as datasets of pyarrow, of which DuckDB, Polars, DataFusion and pandas read what a question needs."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final, NoReturn

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from attrs import evolve, frozen
from pyarrow import fs

from zcollection import Collection, ExpressionError, Key, rows
from zcollection.plugin import Dataset
from zcollection_arrow.bridge import batches
from zcollection_arrow.columns import Columns
from zcollection_arrow.translation import condition
from zcollection_arrow.trees import names_in, tree_of

_BATCH_ROWS: Final = 2**17


def dataset(
    collection: Collection,
    *,
    filters: Any = None,
    where: Any = None,
    variables: Iterable[str] | None = None,
    time_unit: str | None = None,
) -> "CollectionDataset":
    """Return a collection as a `pyarrow.dataset.Dataset`.

    Its columns are the variables that span the partitioned dimension. Of a question only the columns that it names are read, and
    its filters are pushed down to the statistics and the partitions of the collection.

    Parameters
    ----------
    collection
        What is asked. Each scan reads its newest version.
    filters, where
        Which partitions and rows there are, as for `Collection.query`.
    variables
        Paths of the columns; None for all.
    time_unit
        What all instants are counted in: "s", "ms", "us" or "ns". A time that is no whole number of it is an error when it is
        read. None for the unit of each variable.

    Raises
    ------
    SchemaError
        A variable is unknown, does not span the partitioned dimension, or has a type that Arrow does not have.
    ExpressionError
        The condition cannot be understood.
    """
    asked = Asked(collection=collection, filters=filters, where=where, time_unit=time_unit)
    collection.scan(filters=filters, where=where)  # what cannot be understood is refused here
    names = asked.every.columns if variables is None else [name.strip("/") for name in variables]
    return CollectionDataset(evolve(asked, variables=tuple(names)))


@frozen(kw_only=True, eq=False)
class Asked:
    """What a `CollectionDataset` has of a collection.

    Attributes
    ----------
    collection, filters, where, variables, time_unit
        As for `dataset`.
    kept
        An expression that all of its rows pass; None for any.
    """

    collection: Collection
    filters: Any = None
    where: Any = None
    variables: tuple[str, ...] = ()
    time_unit: str | None = None
    kept: pc.Expression | None = None

    @property
    def every(self) -> Columns:
        """The columns that the collection has."""
        return Columns.of(self.collection.schema, self.collection.dimension, self.time_unit)

    def also(self, expression: pc.Expression | None) -> pc.Expression | None:
        """Return an expression that holds where this one and what is kept hold."""
        if self.kept is None or expression is None:
            return self.kept if expression is None else expression
        return self.kept & expression

    def scan(self, variables: tuple[str, ...], where: str | None) -> Iterable[Dataset]:
        """Return rows to be read; `where` may leave out some that are not asked for."""
        plain = partial(self.collection.scan, filters=self.filters, variables=variables)
        if where is None or not (self.where is None or isinstance(self.where, str | rows.Condition)):
            return plain(where=self.where)
        own = rows.expression(self.where) if isinstance(self.where, str) else self.where
        pushed = rows.expression(where)
        try:
            return plain(where=pushed if own is None else own & pushed)
        except ExpressionError:  # pyarrow applies the expression in any case
            return plain(where=self.where)


class CollectionDataset(pads.FileSystemDataset):  # type: ignore[misc]  # pyarrow publishes no types
    """A collection as a dataset of pyarrow; see `dataset`.

    Parameters
    ----------
    asked
        What it has of the collection.
    """

    # pyarrow has no base class to derive from: what its C++ reads by itself, past the methods below, must not be nothing, and
    # must not crash. It finds a file that cannot be opened.
    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._columns = asked.every.named(asked.variables)
        files, form = fs.PyFileSystem(_NoFiles()), pads.IpcFileFormat()
        super().__init__([form.make_fragment("collection", files)], self._columns.schema, form, files)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._asked,)

    def scanner(
        self,
        columns: list[str] | Mapping[str, pc.Expression] | None = None,
        filter: pc.Expression | None = None,  # noqa: A002 - as pyarrow names it
        batch_size: int = _BATCH_ROWS,
        **options: Any,
    ) -> pads.Scanner:
        """Return a scanner, which reads once.

        Parameters
        ----------
        columns, filter, batch_size
            As for `pyarrow.dataset.Dataset.scanner`.
        **options
            Those of pyarrow that concern no files.
        """
        asked, expression = self._asked, self._asked.also(filter)
        named = list(self._columns.columns) if columns is None else columns
        wanted = self._columns.named(self._needed(named, expression))
        tree = None if expression is None else tree_of(expression)
        parts = asked.scan(tuple(wanted.columns), condition(tree, self._columns.columns))
        reader = pa.RecordBatchReader.from_batches(wanted.schema, batches(iter(parts), wanted, batch_size))
        kept = {name: options[name] for name in ("use_threads", "memory_pool") if name in options}
        return pads.Scanner.from_batches(reader, columns=named, filter=expression, batch_size=batch_size, **kept)

    def get_fragments(self, filter: pc.Expression | None = None) -> Iterator["CollectionFragment"]:  # noqa: A002
        """Yield the partitions; each leaves out what does not pass `filter` when it is scanned with it."""
        del filter
        for key in self._asked.collection.keys(filters=self._asked.filters):
            yield CollectionFragment(type(self)(evolve(self._asked, filters=dict(key))), key)

    def count_rows(self, filter: pc.Expression | None = None, **options: Any) -> int:  # noqa: A002
        """Return how many rows there are, or pass `filter`; without one nothing more is read than that takes."""
        if self._asked.also(filter) is None:
            return self._asked.collection.count(self._asked.where, filters=self._asked.filters)
        return int(super().count_rows(filter=filter, **options))

    def filter(self, expression: pc.Expression) -> "CollectionDataset":
        """Return the dataset of the rows that pass an expression as well."""
        return type(self)(evolve(self._asked, kept=self._asked.also(expression)))

    def replace_schema(self, schema: pa.Schema) -> NoReturn:
        """Refuse: the columns are those of the collection."""
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
        """Return the columns that a projection and a filter read, one at least: of none nobody could count the rows."""
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
        return known or {min(every.values(), key=lambda column: column.width).path}


class CollectionFragment:
    """One partition of a `CollectionDataset`, with the methods of `pyarrow.dataset.Fragment`.

    Attributes
    ----------
    key
        Of the partition.
    """

    def __init__(self, rows: CollectionDataset, key: Key) -> None:
        self.key = key
        self._rows = rows

    @property
    def physical_schema(self) -> pa.Schema:
        """The schema of the dataset."""
        schema: pa.Schema = self._rows.schema
        return schema

    @property
    def partition_expression(self) -> pc.Expression:
        """True: what the key says is no column of its own."""
        return pc.scalar(True)

    def scanner(
        self,
        schema: pa.Schema | None = None,
        columns: list[str] | Mapping[str, pc.Expression] | None = None,
        filter: pc.Expression | None = None,  # noqa: A002 - as pyarrow names it
        batch_size: int = _BATCH_ROWS,
        **options: Any,
    ) -> pads.Scanner:
        """Return a scanner of the partition, which reads once; `schema` chooses columns where `columns` is None."""
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
        """Return how many rows there are; the parameters are those of `scanner`."""
        return int(self.scanner(columns=[], **options).to_table().num_rows)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self.key)})"


def _in_memory(data: pads.Dataset) -> pads.Dataset:
    return data._in_memory() if isinstance(data, CollectionDataset) else data  # noqa: SLF001 - of one module


class _NoFiles(fs.FileSystemHandler):  # type: ignore[misc]  # pyarrow publishes no types
    """A file system without files, which says what to do in their stead."""

    def get_type_name(self) -> str:
        return "zcollection"

    def normalize_path(self, path: str) -> str:
        return path

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        message = (
            "pyarrow reads the files of a dataset by itself here, and a collection has none for it; use the methods of the dataset, such "
            "as scanner() and to_table(), or pyarrow.dataset.dataset(dataset.to_table())"
        )
        raise NotImplementedError(message)

    get_file_info = get_file_info_selector = create_dir = delete_dir = delete_dir_contents = _refuse
    delete_root_dir_contents = delete_file = move = copy_file = open_input_stream = open_input_file = _refuse
    open_output_stream = open_append_stream = _refuse
