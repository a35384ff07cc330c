"""Parquet files, with or without Hive ``key=value`` directories: every file is a unit, every column a variable."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Final
from urllib.parse import unquote

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

import zcollection
from zcollection.errors import MissingDependencyError, SchemaError
from zcollection.plugin import Partitioning, missing_value
from zcollection_import import columns
from zcollection_import.form import Form, Groups, Unit, in_natural_order, naming
from zcollection_import.place import Place

ENDINGS: Final = (".parquet", ".pq")
_NULL: Final = "__HIVE_DEFAULT_PARTITION__"


class ParquetFiles(Form):
    """Parquet files; Hive directories are columns."""

    kind: ClassVar[str] = "parquet"
    title: ClassVar[str] = "Parquet files"

    def units(self) -> Sequence[Unit]:
        """Return the files, in the natural order of their paths."""
        return [
            _File(
                name, self.place.below(name), {key: self._hive[key](text) for key, text in _pairs(name)}, self._nullable
            )
            for name in self._names
        ]

    def partitioning(self, axis: str) -> Partitioning | None:
        """Return the partitioning of the Hive directories: a partition for each value of their columns."""
        del axis
        if not self._hive:
            return None
        partitioning: Partitioning = zcollection.partitioning.Values(tuple(self._hive))
        if all(kind is np.int64 for kind in self._hive.values()):
            partitioning = zcollection.partitioning.Sequence(tuple(self._hive))
        return partitioning

    @cached_property
    def _names(self) -> list[str]:
        """The paths of the files; "" if the location is a single file."""
        if self.place.is_file:
            return [""]
        visible = (
            name for name in self.place.walk() if not any(part.startswith(("_", ".")) for part in name.split("/"))
        )
        return in_natural_order(name for name in visible if name.lower().endswith(ENDINGS))

    @cached_property
    def _hive(self) -> dict[str, Any]:
        """The columns of the directories with their types: int64 if all values are integers, else str."""
        values: dict[str, list[str]] = {}
        for name in self._names:
            for key, text in _pairs(name):
                values.setdefault(key, []).append(text)
                if text == _NULL:
                    message = f"{name}: its directory has no value for {key!r}; move the file to a directory with a value, and import again"
                    raise SchemaError(message)
        return {key: np.int64 if all(map(_is_integer, each)) else str for key, each in values.items()}

    @cached_property
    def _nullable(self) -> frozenset[str]:
        """The columns that have, or may have, missing values in any file."""
        found: set[str] = set()
        for name in self._names:
            with naming(name or self.place.name):
                found |= set(_may_be_null(self.place.below(name)))
        return frozenset(found)


def _pairs(name: str) -> Iterator[tuple[str, str]]:
    for part in name.split("/")[:-1]:
        key, separator, text = part.partition("=")
        if separator and key:
            yield unquote(key), unquote(text)


def _is_integer(text: str) -> bool:
    return text.removeprefix("-").isascii() and text.removeprefix("-").isdigit() and abs(int(text)) < 2**63


def _parquet_file(place: Place) -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingDependencyError.of("pyarrow", extra="import", purpose=f"reading {place.name}") from error
    return pyarrow.parquet.ParquetFile(place.open())


def _may_be_null(place: Place) -> Iterator[str]:
    """Yield the top-level columns with missing values, or without a count of them."""
    with _parquet_file(place) as file:
        metadata = file.metadata
        for group in range(metadata.num_row_groups):
            for position in range(metadata.num_columns):
                column = metadata.row_group(group).column(position)
                counted = column.statistics is not None and column.statistics.has_null_count
                if not counted or column.statistics.null_count:
                    yield column.path_in_schema.partition(".list.")[0]


class _File(Unit):
    def __init__(self, name: str, place: Place, constants: Mapping[str, Any], nullable: frozenset[str]) -> None:
        super().__init__(name or place.name)
        self._place = place
        self._constants = constants
        self._nullable = nullable
        self._file: Any = None

    def groups(self, axis: str) -> Groups:
        if self._file is None:
            self._file = _parquet_file(self._place)
        rows = self._file.metadata.num_rows
        found: Groups = {"": {}}
        for field in self._file.schema_arrow:
            path, _, name = field.name.strip("/").rpartition("/")
            array = _LazyColumn(self._file, field)
            dimensions = (axis, f"{name}_element")[: len(array.shape)]
            fill = missing_value(array.dtype) if array.dtype.kind in "iu" and field.name in self._nullable else None
            array.fill = fill
            attrs = {} if fill is None else {"_FillValue": fill}
            item = xr.Variable(dimensions, indexing.LazilyIndexedArray(array), attrs, {"chunks": array.chunks})
            found.setdefault(path, {})[name] = item
        for name, value in self._constants.items():
            found[""].setdefault(name, xr.Variable((axis,), np.full(rows, value)))
        return found

    def attributes(self) -> dict[str, dict[str, Any]]:
        return {}

    def close(self) -> None:
        if self._file is not None:
            self._file.close(force=True)
        self._file = None


class _LazyColumn(BackendArray):
    """A lazy column, which reads only the row groups that contain the requested rows."""

    def __init__(self, file: Any, field: Any) -> None:
        self._file = file
        self._field = field
        self.fill: Any = None
        metadata = file.metadata
        lengths = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        self._ends = np.cumsum(lengths, dtype=np.int64)
        width = columns.width(field.type)
        self.shape = (int(metadata.num_rows),) if width is None else (int(metadata.num_rows), width)
        self.dtype = columns.dtype_of(field.type)
        self.chunks = (max(lengths, default=1) or 1, *self.shape[1:])

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._values)

    def _values(self, key: tuple[Any, ...]) -> Any:
        start, stop, step = key[0].indices(self.shape[0]) if isinstance(key[0], slice) else (key[0], key[0] + 1, 1)
        first, last = (int(np.searchsorted(self._ends, row, side="right")) for row in (start, max(stop - 1, start)))
        groups = list(range(first, min(last + 1, len(self._ends))))
        table = self._file.read_row_groups(groups, columns=[self._field.name])
        values = columns.values(table.column(self._field.name), self._field.name, self.fill)
        before = int(self._ends[first - 1]) if first else 0
        rows = values[start - before : stop - before : step]
        return (rows if isinstance(key[0], slice) else rows[0])[(..., *key[1:])] if len(key) > 1 else rows
