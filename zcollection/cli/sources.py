"""Read files in the format of their suffix: NetCDF, Zarr, CSV and Parquet. Libraries are imported when they are used."""

import csv
import gzip
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import Any, Final

import numpy as np
from attrs import field, frozen

from zcollection.cli.parsing import inferred, values_of
from zcollection.errors import MissingDependencyError, ZCollectionError
from zcollection.model.builder import Schema
from zcollection.model.pandas_bridge import is_frame
from zcollection.model.schema import DatasetSchema
from zcollection.model.times import has_time_units


class FileError(ZCollectionError):
    """A file cannot be read or written."""


@frozen(eq=False)
class Content:
    """The content of a file.

    Attributes
    ----------
    data
        An `xarray.Dataset` or `xarray.DataTree`, or a `pandas.DataFrame`, in memory.
    attrs
        The global attributes.
    """

    data: Any
    attrs: Mapping[str, Any] = field(factory=dict)

    def schema(self, *, axis: str) -> Schema:
        """Return a schema builder that declares the variables of the file."""
        return (Schema.from_pandas if is_frame(self.data) else Schema.from_xarray)(self.data, axis=axis)


def read(path: str, schema: DatasetSchema | None = None) -> Content:
    """Return the content of a file.

    Parameters
    ----------
    path
        The file; its suffix determines the format.
    schema
        Declares the types of the columns of a CSV file; without it they are inferred.

    Raises
    ------
    FileError
        The suffix is unknown, or the file cannot be read.
    MissingDependencyError
        A library is not installed.
    """
    reader = _READERS.get(suffix_of(path))
    if reader is None:
        message = f"{path!r} has an unknown suffix; accepted: {', '.join(_READERS)}"
        raise FileError(message)
    try:
        return reader(path, schema)
    except (ZCollectionError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # the libraries raise exceptions of many types
        message = f"{path!r} cannot be read ({type(error).__name__}: {error})"
        raise FileError(message) from error


def suffix_of(path: str) -> str:
    """Return the suffix of a path, in lower case; a compressed file has two.

    Examples
    --------
    >>> suffix_of("a/b.2024.NC"), suffix_of("rows.csv.gz")
    ('.nc', '.csv.gz')
    """
    suffixes = [suffix.lower() for suffix in PurePath(path.rstrip("/")).suffixes]
    return "".join(suffixes[-2:]) if suffixes[-1:] == [".gz"] else "".join(suffixes[-1:])


def require_library(library: str, purpose: str, *alternatives: str) -> None:
    """Raise `MissingDependencyError` unless a library, or one of its alternatives, is installed."""
    if not any(map(find_spec, (library, *alternatives))):
        others = "".join(f" or {name!r}" for name in alternatives)
        message = f"{purpose} needs {library!r}{others}, which is not installed: pip install {library}"
        raise MissingDependencyError(message)


def _netcdf(path: str, _: object) -> Content:
    require_library("xarray", "reading NetCDF files")
    with Path(path).open("rb") as file:
        is_classic = file.read(3) == b"CDF"
    import xarray

    if is_classic:
        require_library("scipy", "reading NetCDF files of the classic format", "netCDF4")
        return _decoded(xarray.open_dataset(path, decode_cf=False))
    require_library("h5netcdf", "reading NetCDF files", "netCDF4")
    return _decoded(xarray.open_datatree(path, decode_cf=False))


def _zarr(path: str, _: object) -> Content:
    require_library("xarray", "reading Zarr stores")
    import xarray

    return _decoded(xarray.open_datatree(path, engine="zarr", chunks=None, consolidated=False, decode_cf=False))


def _decoded(opened: Any) -> Content:
    """Load an opened file into memory and decode it, so that a damaged file is detected before it is used."""
    import xarray

    try:
        if isinstance(opened, xarray.Dataset):
            decoded: Any = _decoded_group(opened)
        elif not opened.children:
            decoded = _decoded_group(opened.to_dataset())
        else:
            nodes = {node.path: _decoded_group(node.to_dataset(inherit=False)) for node in opened.subtree}
            decoded = xarray.DataTree.from_dict(nodes)
        return Content(decoded.load(), dict(decoded.attrs))
    finally:
        opened.close()


def _decoded_group(group: Any) -> Any:
    """Decode variables as xarray does by default, except that integers with a fill value stay integers."""
    import xarray

    scaled: Any = {
        name: item.dtype.kind not in "iu" or has_time_units(item.attrs) or bool(_MADE_FLOATS & item.attrs.keys())
        for name, item in group.variables.items()
    }
    return xarray.decode_cf(group, mask_and_scale=scaled, decode_timedelta=False)


def _parquet(path: str, _: object) -> Content:
    require_library("pandas", "reading Parquet files")
    require_library("pyarrow", "reading Parquet files")
    import pandas as pd

    # Integers with nulls stay integers.
    return Content(pd.read_parquet(path, dtype_backend="numpy_nullable"))


def _csv(path: str, schema: DatasetSchema | None) -> Content:
    require_library("pandas", "reading CSV files")
    import pandas as pd

    names, rows = _lines(path)
    cells = zip(*rows, strict=True) if rows else [()] * len(names)
    columns = {name: _column(name, list(each), schema) for name, each in zip(names, cells, strict=True)}
    return Content(pd.DataFrame(columns))


def _lines(path: str) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a CSV file.

    Raises
    ------
    FileError
        The file has no header, or a row has another number of values: the file may be truncated.
    """
    opener: Any = gzip.open if path.lower().endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True, skipinitialspace=True)
        names = next(reader, [])
        rows = []
        for row in filter(None, reader):
            if len(row) != len(names):
                message = f"line {reader.line_num} of {path!r} has {len(row)} values; accepted: {len(names)}, as in its first line"
                raise FileError(message)
            rows.append(row)
    if not names or len(set(names)) < len(names):
        message = f"{path!r} has the columns {names}; accepted: a first line of names, each once"
        raise FileError(message)
    return names, rows


def _column(name: str, cells: list[str], schema: DatasetSchema | None) -> Any:
    variables = {} if schema is None else schema.all_variables()
    declared = variables.get(name) or variables.get(name.partition("[")[0])
    what = f"column {name!r}"
    return _for_pandas(inferred(cells) if declared is None else values_of(cells, declared, name=what))


def _for_pandas(values: Any) -> Any:
    """Return an array in a form that pandas stores without changing its type."""
    import pandas as pd

    if isinstance(values, np.ma.MaskedArray):
        data, mask = np.asarray(values.data).copy(), np.ma.getmaskarray(values)
        if data.dtype.kind in "iu":
            return pd.arrays.IntegerArray(data, mask)
        if data.dtype.kind == "b":
            return pd.arrays.BooleanArray(data, mask)
        data[mask] = np.array("NaT" if data.dtype.kind in "mM" else "nan").astype(data.dtype)
        return data
    return values.astype(object) if values.dtype.kind in "TSc" else values


_MADE_FLOATS: Final = frozenset({"scale_factor", "add_offset", "_Unsigned"})
"""Attributes by which the value of an element differs from the stored number."""

_READERS: Final[Mapping[str, Callable[[str, DatasetSchema | None], Content]]] = {
    **dict.fromkeys((".nc", ".nc4", ".netcdf", ".h5"), _netcdf),
    ".zarr": _zarr,
    **dict.fromkeys((".csv", ".csv.gz"), _csv),
    **dict.fromkeys((".parquet", ".pq"), _parquet),
}
