"""Conversion of datasets and scans to Arrow tables, streams and schemas."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol

import pyarrow as pa

from zcollection.plugin import Dataset, DatasetSchema, SchemaError
from zcollection_arrow.columns import Columns

BATCH_SIZE: Final = 2**20
"""The size of a record batch, in bytes; it is small because readers keep many batches in memory."""
_MOST_ROWS: Final = 2**17
_LEAST_ROWS: Final = 2**10


class Scan(Protocol):
    """The protocol of the results of `Collection.scan` and `View.scan`."""

    @property
    def schema(self) -> DatasetSchema: ...  # noqa: D102
    @property
    def dimension(self) -> str: ...  # noqa: D102
    @property
    def keys(self) -> Any: ...  # noqa: D102
    def __iter__(self) -> Iterator[Dataset]: ...


def schema_of(rows: Dataset | Scan) -> pa.Schema:
    """Return the schema of `table` or `reader`.

    Parameters
    ----------
    rows
        A dataset, or a scan.

    Raises
    ------
    SchemaError
        A variable has a type without an equivalent in Arrow.
    """
    return _columns_of(rows).schema


def table(dataset: Dataset) -> pa.Table:
    """Return the variables of a dataset that span the partitioned dimension as a table; see `Dataset.to_arrow`.

    Raises
    ------
    SchemaError
        A variable has a type without an equivalent in Arrow, or there is not exactly one dimension without a size.

    Examples
    --------
    >>> import zcollection as zc
    >>> schema = zc.Schema().with_dimension("time").with_variable("flag", dtype="int8", dimensions=("time",), fill_value=-1)
    >>> table(zc.Dataset(schema.build(), {"flag": [0, -1, 2]}))["flag"].to_pylist()
    [0, None, 2]
    """
    columns = _columns_of(dataset)
    present = columns.named(path for path in columns.columns if path in dataset.all_variables())
    return pa.Table.from_batches([present.batch(dataset.all_variables())], present.schema)


def reader(scan: Scan) -> pa.RecordBatchReader:
    """Return the rows of a scan as lazy record batches.

    Parameters
    ----------
    scan
        The result of `Collection.scan` or `View.scan`.

    Raises
    ------
    SchemaError
        A variable has a type without an equivalent in Arrow.
    """
    columns = _columns_of(scan)
    return pa.RecordBatchReader.from_batches(columns.schema, batches(iter(scan), columns))


def batches(parts: Iterable[Dataset], columns: Columns, most: int = _MOST_ROWS) -> Iterator[pa.RecordBatch]:
    """Yield the rows of datasets in batches of about a megabyte, with at most `most` rows."""
    rows = max(min(BATCH_SIZE // max(columns.width, 1), most, _MOST_ROWS), min(most, _LEAST_ROWS), 1)
    for part in parts:
        batch = columns.batch(part.all_variables())
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows)


def _columns_of(rows: Dataset | Scan) -> Columns:
    if not isinstance(rows, Dataset):
        return Columns.of(rows.schema, rows.dimension)
    growing = [name for name, dimension in rows.schema.dimensions.items() if dimension.size is None]
    if len(growing) != 1:
        message = f"the dataset has the dimensions without a size {growing}; accepted: one, for the rows of a table"
        raise SchemaError(message)
    return Columns.of(rows.schema, growing[0])
