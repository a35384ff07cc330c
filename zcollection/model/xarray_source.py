"""Input from xarray: schemas for xarray objects, and their variables with metadata.

xarray is an optional dependency, and its objects are recognised without importing it.
"""

import math
import sys
from collections.abc import Hashable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import numpy as np

from zcollection.errors import SchemaError, accepted
from zcollection.model.calendars import CalendarTimes
from zcollection.model.dtypes import missing_value
from zcollection.model.inputs import InputDataset, InputVariable
from zcollection.model.names import ancestors, join, normalise_path, split
from zcollection.model.plain_arrays import to_plain_array
from zcollection.model.schema import ROOT, Dimension, GroupSchema, VariableSchema
from zcollection.model.times import CALENDAR_UNITS, has_time_units
from zcollection.model.value_metadata import PACKED, ValueMetadata, is_packed, packing_of

if TYPE_CHECKING:
    import xarray

_SMALL_CHUNK: Final = 64 * 2**10
"""Size in bytes below which chunks of a file are ignored, such as the chunks of one row of unlimited netCDF dimensions."""


def is_xarray(value: object) -> "TypeGuard[xarray.Dataset | xarray.DataTree]":
    """Return whether a value is an `xarray.Dataset` or an `xarray.DataTree`."""
    library = sys.modules.get("xarray")
    return library is not None and isinstance(value, library.Dataset | library.DataTree)


def _nodes(source: object) -> "dict[str, xarray.Dataset]":
    """Return the groups as datasets with their own variables, by path, parents before children."""
    if not is_xarray(source):
        message = f"source is a {type(source).__name__}; {accepted('', ['xarray.Dataset', 'xarray.DataTree'])}"
        raise SchemaError(message)
    if isinstance(source, sys.modules["xarray"].Dataset):
        return {ROOT: source}
    top = source.path.rstrip("/")
    return {
        # The top node of a subtree keeps what it inherits from its parents.
        normalise_path(node.path.removeprefix(top)): node.to_dataset(inherit=node is source)
        for node in source.subtree
    }


def group_schemas(
    source: object, *, axis: str, fill_values: bool = True, packed: bool = True
) -> dict[str, GroupSchema]:
    """Return the schemas of the groups of an xarray object, by path; only metadata and arrays of objects are read.

    Parameters
    ----------
    source
        A Dataset or DataTree, decoded or not.
    axis
        The variable, or else the dimension, of the root along which the collection will be partitioned. Its dimension is
        declared without a size.
    fill_values
        Whether to add a fill value to variables without one: NaN for floats, NaT for times, "" for strings.
    packed
        Whether to declare the packing of the file that the values come from.

    Raises
    ------
    SchemaError
        The object has another type, has no such axis, or contains values that cannot be stored.
    """
    nodes = _nodes(source)
    partitioned = _dimension_of(nodes[ROOT], axis)
    groups: dict[str, GroupSchema] = {}
    for path, node in nodes.items():
        # xarray ensures that a dimension has the same length in all descendants.
        inherited = {name for above in ancestors(path)[:-1] for name in groups[above].dimensions}
        coordinates = _coordinates(node)
        groups[path] = GroupSchema(
            name=split(path)[1],
            dimensions={
                str(name): Dimension(
                    str(name),
                    size=None if (path, name) == (ROOT, partitioned) else size,
                    chunks=_chunk_length(nodes.values(), name),
                )
                for name, size in node.sizes.items()
                if name not in inherited
            },
            variables={
                str(name): declared(
                    str(name),
                    node.variables[name],
                    attrs=_attributes(node, name),
                    fill_values=fill_values,
                    packed=packed,
                    coordinate=name in coordinates,
                )
                for name in (*node.coords, *node.data_vars)
            },
            attrs={str(name): value for name, value in node.attrs.items() if name != "coordinates"},
        )
    return groups


def _coordinates(node: "xarray.Dataset") -> set[Hashable]:
    """Return the names of coordinates that are not named like their dimension; undecoded ones are found by attribute."""
    listed = [node.attrs.get("coordinates"), *(item.attrs.get("coordinates") for item in node.variables.values())]
    named = {name for text in listed if isinstance(text, str) for name in text.split()}
    names = {*node.coords, *(named & {str(name) for name in node.variables})}
    return {name for name in names if node.variables[name].dims != (name,)}


def _attributes(node: "xarray.Dataset", name: Hashable) -> dict[str, Any]:
    """Return the attributes of a variable; bounds of a time inherit its units (CF conventions 1.11, 7.1)."""
    own = {str(key): value for key, value in node.variables[name].attrs.items()}
    if "units" in own:
        return own
    for other in node.variables.values():
        if other.attrs.get("bounds") == name and has_time_units(other.attrs):
            return {key: other.attrs[key] for key in ("units", "calendar") if key in other.attrs} | own
    return own


def _chunk_length(nodes: "Iterable[xarray.Dataset]", dimension: Hashable) -> int | None:
    """Return the length of the longest chunk in the files along a dimension; None if all chunks are small."""
    lengths, largest = [], 0
    for item in (item for node in nodes for item in node.variables.values() if dimension in item.dims):
        chunks = item.encoding.get("chunksizes") or item.encoding.get("chunks")
        if isinstance(chunks, tuple) and len(chunks) == item.ndim and item.dtype.kind != "O":
            lengths.append(int(chunks[item.dims.index(dimension)]))
            largest = max(largest, math.prod(chunks) * item.dtype.itemsize)
    return max(lengths) if lengths and largest >= _SMALL_CHUNK else None


def _dimension_of(root: "xarray.Dataset", axis: str) -> str:
    if axis in root.variables and root[axis].ndim == 1:
        return str(root[axis].dims[0])
    if axis in root.sizes:
        return axis
    choices = [str(name) for name, item in root.variables.items() if item.ndim == 1]
    message = (
        f"axis {axis!r} is neither a one-dimensional variable nor a dimension of the root; {accepted(axis, choices)}"
    )
    raise SchemaError(message)


def declared(
    name: str,
    item: "xarray.Variable",
    *,
    attrs: Mapping[str, Any],
    fill_values: bool = True,
    packed: bool = True,
    coordinate: bool = False,
) -> VariableSchema:
    """Return a schema for an xarray variable; `fill_values` and `packed` are those of `group_schemas`."""
    stated = {key: value for key, value in attrs.items() if key not in {*PACKED, "coordinates"}}
    dtype, own_attrs = _element_type(name, item, stated)
    packing, fill = None, None
    if is_packed(attrs) and dtype.kind in "iuf":
        metadata = ValueMetadata.of_attributes(attrs, {}, dtype)
        packing = metadata.packing and packing_of(attrs, dtype)
        dtype = metadata.unpacked if packing else (metadata.view or dtype)
        fill = None if packing or not metadata.fill_values else metadata.fill_values[0]
    elif "dtype" in item.encoding and dtype in {np.dtype(np.float32), np.dtype(np.float64)}:
        packing = packing_of(item.encoding, item.encoding["dtype"])
    elif dtype.kind in "iu":
        fill = next(iter(ValueMetadata.of_attributes(item.encoding, {}, dtype).fill_values), None)
    packing = packing if packed else None
    if fill is None and fill_values and (packing is None or packing.fill_value is not None):
        fill = _missing_of(dtype, own_attrs)
    return VariableSchema(
        name,
        dtype=dtype,
        dimensions=tuple(map(str, item.dims)),
        packing=packing,
        fill_value=fill,
        attrs=own_attrs,
        coordinate=coordinate,
    )


def _missing_of(dtype: np.dtype[Any], attrs: Mapping[str, Any]) -> Any:
    """Return the value with which xarray or pandas marks a missing element of a dtype; None if there is none."""
    if dtype.kind == "i" and attrs.get("units") == CALENDAR_UNITS:
        return np.iinfo(np.int64).min
    return missing_value(dtype) if dtype.kind in "fmMT" else None


def _element_type(
    name: str, item: "xarray.Variable", attrs: Mapping[str, Any]
) -> tuple[np.dtype[Any], Mapping[str, Any]]:
    """Return dtype and attributes of a variable; times that datetime64 cannot represent become integers with CF units."""
    if isinstance(item.dtype, np.dtype) and item.dtype.kind != "O":
        return item.dtype, attrs
    values = to_plain_array(item.data if item.dtype.kind != "O" else np.asarray(item.data), name=name).values
    if isinstance(values, CalendarTimes):
        return np.dtype(np.int64), {**attrs, "units": CALENDAR_UNITS, "calendar": values.calendar}
    return values.dtype, attrs


def source_of(source: object) -> InputDataset:
    """Return the variables of an xarray object, with the metadata of their attributes and encodings.

    Raises
    ------
    SchemaError
        The object is neither a Dataset nor a DataTree.
    """
    variables: dict[str, InputVariable] = {}
    nodes = _nodes(source)
    for group, node in nodes.items():
        coordinates = _coordinates(node)
        for name, item in node.variables.items():
            attrs = _attributes(node, name)
            declare = partial(declared, str(name), item, attrs=attrs, coordinate=name in coordinates)
            variables[join(group, str(name))] = InputVariable.of_xarray(item, attrs, declare)
    return InputDataset(
        variables=variables,
        attrs={path: node.attrs for path, node in nodes.items()},
        lengths={(path, str(name)): size for path, node in nodes.items() for name, size in node.sizes.items()},
    )
