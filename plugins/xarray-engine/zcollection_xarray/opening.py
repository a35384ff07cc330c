"""Opens a URL as lazy xarray datasets."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from attrs import frozen
from xarray.core import indexing
from xarray.indexes import PandasIndex

import zcollection as zc
from zcollection.plugin import (
    Dataset,
    LazyRows,
    Node,
    Rows,
    Variable,
    nodes,
    open_either,
    stored_blocks,
    synchronous,
)
from zcollection_xarray.arrays import AxisArray, StoredArray, StoredVariable
from zcollection_xarray.decoding import Decoding
from zcollection_xarray.index import PartitionedIndex

_NO_ROWS = Rows(version=0, parts={})


@frozen(kw_only=True)
class Request:
    """A request to open a collection or a view.

    Attributes
    ----------
    location
        The URL, local path or open store.
    filters, where
        The partitions and the rows, as for `zcollection.Collection.query`.
    at
        The version to open, if the store has versions.
    storage_options
        The options of the store.
    dropped
        The names or paths of the variables that are left out.
    decoding
        The decoding of variables.
    with_coordinates
        Whether variables that are declared as coordinates become coordinates.
    """

    location: Any
    filters: Any = None
    where: Any = None
    at: Any = None
    storage_options: Mapping[str, Any] | None = None
    dropped: frozenset[str] = frozenset()
    decoding: Decoding
    with_coordinates: bool = True

    def groups(self) -> dict[str, xr.Dataset]:
        """Return all groups, by path: "/" for the root.

        Raises
        ------
        CollectionNotFoundError
            There is neither a collection nor a view.
        PluginConfigurationError
            A variable to leave out is unknown, or an option has an unsupported value.
        SettingError
            `at` does not name an available version.
        """
        opened = self._opened()
        found = self._queried(opened)
        prepared = {path: self._prepared(path, variable) for path, variable in found.all_variables().items()}
        variables = {path: variable for path, (variable, _) in prepared.items()}
        datasets = {}
        for path, node in nodes(found.schema, variables, found.attrs).items():
            prefix = f"{path}/" if path else ""
            more = {name: prepared[prefix + name][1] for name in node.variables}
            datasets[f"/{path}"] = self._dataset(node, more)
            datasets[f"/{path}"].encoding["source"] = str(opened.store.url)
        return datasets

    def _opened(self) -> "zc.Collection | zc.View":
        return synchronous(open_either)(self.location, storage_options=self.storage_options, at=self.at)

    def _queried(self, opened: "zc.Collection | zc.View") -> Dataset:
        known = opened.schema.all_variables()
        dropped = {path for path in known if not {path, path.rpartition("/")[2], f"/{path}"}.isdisjoint(self.dropped)}
        kept = [path for path in known if path not in dropped] if dropped else None
        found = opened.query(filters=self.filters, where=self.where, variables=kept, lazy=True)
        if found is None:  # no partition is selected: open an empty dataset
            found = opened.query(filters=self.filters, where=_NO_ROWS, variables=kept)
        assert found is not None  # noqa: S101 - a row selection was passed
        return found

    def _prepared(self, path: str, variable: Variable) -> tuple[Variable, dict[str, Any]]:
        data = variable.data
        if isinstance(data, LazyRows):
            variable = Variable(variable.schema, StoredArray(data))
        return self.decoding.decoded(path, variable)

    def _dataset(self, node: Node, more: Mapping[str, dict[str, Any]]) -> xr.Dataset:
        variables: dict[str, xr.Variable] = {}
        coordinates: dict[str, xr.Variable] = {}
        indexes: dict[str, PandasIndex] = {}
        for name, (dimensions, data, attrs, encoding) in node.variables.items():
            lazy = _with_xarray_dtype(data) if isinstance(data, StoredArray) else data
            chunks = _chunks(data.rows) if isinstance(data, StoredArray) else {}
            is_dimension = dimensions == (name,)
            if is_dimension and name not in node.unindexed and isinstance(lazy, StoredArray):
                indexes[name] = PartitionedIndex.of(name, name, AxisArray(lazy))
                variable = indexes[name].create_variables()[name]
            else:
                array = indexing.LazilyIndexedArray(lazy) if isinstance(lazy, StoredArray) else lazy
                variable = StoredVariable(dimensions, array)
            variable.attrs, variable.encoding = {**attrs, **more[name]}, {**encoding, **chunks}
            declared = self.with_coordinates and name in node.coordinates
            (coordinates if is_dimension or name in node.unindexed or declared else variables)[name] = variable
        eager = {name: item for name, item in coordinates.items() if item.dims == (name,) and name not in indexes}
        indexes |= {name: PandasIndex(item, name) for name, item in eager.items() if name not in node.unindexed}
        return xr.Dataset(variables, xr.Coordinates(coordinates, indexes=indexes), node.attrs)


def _chunks(rows: LazyRows) -> dict[str, Any]:
    """Return the encoding that makes xarray use the stored chunks."""
    return {
        "preferred_chunks": dict(zip(rows.schema.get_variable(rows.path).dimensions, stored_blocks(rows), strict=True))
    }


def _with_xarray_dtype(array: StoredArray) -> StoredArray:
    """Return the array with the dtype that xarray uses, which supports few units of time."""
    dtype = xr.Variable((), np.zeros((), array.dtype)).dtype
    return array if dtype == array.dtype else array.map_blocks(_Cast(dtype), dtype)


@frozen
class _Cast:
    dtype: np.dtype[Any]

    def __call__(self, values: Any) -> Any:
        return values.astype(self.dtype)
