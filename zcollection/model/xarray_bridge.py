"""Between our datasets and those of xarray, both ways.

xarray is an extra: it is imported when a dataset is converted, never before, and a value is known to be xarray's without
importing it.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from zcollection.errors import MissingDependencyError, SchemaError, accepted
from zcollection.model.dtypes import STRING, default_fill
from zcollection.model.names import ancestors, join, normalise_path, split
from zcollection.model.schema import ROOT, DatasetSchema, Dimension, GroupSchema, VariableSchema
from zcollection.model.times import TimeUnits, has_time_units, units_of

if TYPE_CHECKING:
    import xarray

    from zcollection.model.variable import Variable

_XARRAY_UNITS = frozenset({"s", "ms", "us", "ns"})


def is_xarray(value: object) -> "TypeGuard[xarray.Dataset | xarray.DataTree]":
    """Return whether a value is an `xarray.Dataset` or an `xarray.DataTree`."""
    library = sys.modules.get("xarray")
    return library is not None and isinstance(value, library.Dataset | library.DataTree)


def _nodes(source: object) -> "dict[str, xarray.Dataset]":
    """Return each group's own variables by its path, parents before children."""
    if not is_xarray(source):
        message = f"source is a {type(source).__name__}; {accepted('', ['xarray.Dataset', 'xarray.DataTree'])}"
        raise SchemaError(message)
    if isinstance(source, sys.modules["xarray"].Dataset):
        return {ROOT: source}
    top = source.path.rstrip("/")
    return {
        # What a subtree inherits from above is its own here.
        normalise_path(node.path.removeprefix(top)): node.to_dataset(inherit=node is source)
        for node in source.subtree
    }


def group_schemas(source: object, *, axis: str, fill_values: bool = True) -> dict[str, GroupSchema]:
    """Return what an xarray object holds, as the schema of each group by path; only metadata is read.

    Parameters
    ----------
    source
        A Dataset or DataTree.
    axis
        The variable, or failing that the dimension, of the root along which the collection will be partitioned: its
        dimension gets no size.
    fill_values
        Give floating-point variables that state no fill value NaN, and times NaT.

    Raises
    ------
    SchemaError
        It is neither, has no such axis, or holds what cannot be stored.
    """
    nodes = _nodes(source)
    growing = _dimension_of(nodes[ROOT], axis)
    groups: dict[str, GroupSchema] = {}
    for path, node in nodes.items():
        # Of one name there is one length all the way down: xarray sees to it.
        inherited = {name for above in ancestors(path)[:-1] for name in groups[above].dimensions}
        groups[path] = GroupSchema(
            name=split(path)[1],
            dimensions={
                str(name): Dimension(str(name), size=None if (path, name) == (ROOT, growing) else size)
                for name, size in node.sizes.items()
                if name not in inherited
            },
            variables={
                str(name): _declared(str(name), node.variables[name], fill_values=fill_values)
                for name in (*node.coords, *node.data_vars)
            },
            attrs=_portable(node.attrs),
        )
    return groups


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


def _declared(name: str, item: "xarray.Variable", *, fill_values: bool) -> VariableSchema:
    """Return the schema of one variable: missing floats and times are NaN and NaT once xarray has decoded them."""
    dtype = _element_type(name, item)
    fill = item.attrs.get("_FillValue")
    if fill is None and dtype.kind in "biu":
        fill = item.encoding.get("_FillValue")
    if fill is None and fill_values and dtype.kind in "fmM":
        fill = default_fill(dtype) if dtype.kind in "mM" else np.nan
    attrs = {key: value for key, value in item.attrs.items() if key != "_FillValue"}
    dimensions = tuple(map(str, item.dims))
    return VariableSchema(name, dtype=dtype, dimensions=dimensions, fill_value=fill, attrs=_portable(attrs))


def _element_type(name: str, item: "xarray.Variable") -> np.dtype[Any]:
    if item.dtype.kind != "O":
        dtype: np.dtype[Any] = item.dtype
        return dtype
    held: Iterable[object] = item.values.flat if item.size else ()
    strange = next((value for value in held if not isinstance(value, str | float | None)), None)
    if strange is not None:
        message = (
            f"variable {name!r} holds objects of type {type(strange).__name__}; accepted: strings, or a NumPy type"
        )
        raise SchemaError(message)
    return STRING


def _portable(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in attrs.items()}


def arrays(source: object, schema: DatasetSchema) -> dict[str, Any]:
    """Return the values of an xarray object by variable path, in the order of the schema's dimensions.

    Dask arrays stay lazy. What xarray shows as missing becomes the fill value of the schema where the declared type has
    no missing value of its own.

    Raises
    ------
    SchemaError
        A variable is unknown, or has other dimensions.
    """
    return {
        path: _values(path, item, schema.get_variable(path))
        for group, node in _nodes(source).items()
        for name, item in node.variables.items()
        for path in [join(group, str(name))]
    }


def _values(path: str, item: "xarray.Variable", declared: VariableSchema) -> Any:
    if set(item.dims) != set(declared.dimensions):
        message = f"variable {path!r} has the dimensions {item.dims}; accepted: {declared.dimensions}, as in the schema"
        raise SchemaError(message)
    ordered = item.transpose(*declared.dimensions)
    if declared.fill_value is not None and not has_time_units(declared.attrs) and _shows_missing(ordered, declared):
        ordered = ordered.fillna(declared.fill_value)  # type: ignore[no-untyped-call]  # xarray's
    return ordered.data


def _shows_missing(item: "xarray.Variable", declared: VariableSchema) -> bool:
    """Return whether NaN and None stand for a fill value that the declared type spells otherwise."""
    if item.dtype.kind == "O":
        return True
    own = declared.dtype.kind == "f" and np.isnan(declared.fill_value)
    return item.dtype.kind == "f" and declared.dtype.kind in "iuf" and not own


def to_xarray(
    schema: DatasetSchema, variables: "Mapping[str, Variable]", attrs: Mapping[str, Any]
) -> "xarray.Dataset | xarray.DataTree":
    """Return variables as an xarray Dataset, or as a DataTree where the schema has groups.

    Numbers with CF time units become datetime64, floats that are missing become NaN; integers keep their fill value,
    which goes into the encoding.

    Raises
    ------
    MissingDependencyError
        xarray is not installed.
    """
    try:
        import xarray
    except ImportError as error:
        raise MissingDependencyError.of("xarray", extra="xarray", purpose="to_xarray()") from error

    def dataset(path: str, group: GroupSchema) -> xarray.Dataset:
        held = {name: variables[join(path, name)] for name in group.variables if join(path, name) in variables}
        made = {name: xarray.Variable(*_decoded(join(path, name), variable)) for name, variable in held.items()}
        above = {name for part in ancestors(path)[:-1] for name in schema.get_group(part).dimensions}
        # A coordinate of a nested group may differ from that of its parent, to which an index would be aligned.
        plain = {name: made.pop(name) for name in above & made.keys()}
        coordinates = xarray.Coordinates(plain, indexes={})
        return xarray.Dataset(made, coordinates, _exportable(group.attrs if path else attrs))

    groups = schema.all_groups()
    if len(groups) == 1:
        return dataset(ROOT, schema)
    return xarray.DataTree.from_dict({f"/{path}": dataset(path, group) for path, group in groups.items()})


def _decoded(path: str, variable: "Variable") -> tuple[tuple[str, ...], Any, dict[str, Any], dict[str, Any]]:
    """Return dimensions, values, attributes and encoding."""
    schema, attrs, data = variable.schema, dict(variable.attrs), variable.data
    encoding: dict[str, Any] = {}
    units = _time_units(schema, path)
    if units is not None:
        encoding = {name: attrs.pop(name) for name in ("units", "calendar") if name in attrs}
        if schema.dtype.kind != "M":
            encoding["dtype"] = schema.dtype
            data = _mapped(data, lambda part: _times(units, part, schema.fill_value), np.dtype("datetime64[ns]"))
    elif schema.dtype.kind == "f" and schema.fill_value is not None:
        encoding["_FillValue"] = schema.fill_value
        if not np.isnan(schema.fill_value):
            data = _mapped(data, lambda part: _masked(part, schema.fill_value), schema.dtype)
    elif schema.dtype.kind in "iu" and schema.fill_value is not None:
        encoding["_FillValue"] = schema.fill_value
    elif schema.dtype.kind == "T":
        data = _mapped(data, lambda part: part.astype(object), np.dtype(object))
    return schema.dimensions, data, _exportable(attrs), encoding


def _time_units(schema: VariableSchema, path: str) -> TimeUnits | None:
    """Return the units of a time; None for other variables, and for a calendar that datetime64 does not have."""
    if schema.dtype.kind not in "Miuf" or not has_time_units(schema.attrs):
        return None
    try:
        return units_of(schema.attrs, name=path)
    except SchemaError:
        return None


def _mapped(data: Any, function: Any, dtype: np.dtype[Any]) -> Any:
    if hasattr(data, "map_blocks"):
        return data.map_blocks(function, dtype=dtype)
    return function(np.asarray(data))


def _times(units: TimeUnits, numbers: Any, fill_value: object) -> Any:
    times = units.decode(numbers, fill_value=fill_value)
    return times if np.datetime_data(times.dtype)[0] in _XARRAY_UNITS else times.astype("datetime64[s]")


def _masked(values: Any, fill_value: Any) -> Any:
    return np.where(values == fill_value, values.dtype.type(np.nan), values)


def _exportable(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes as every writer of xarray takes them: what is neither text, number nor list of these is JSON."""

    def plain(value: object) -> bool:
        return isinstance(value, str | int | float) and not isinstance(value, bool)

    def uniform(value: object) -> bool:
        return isinstance(value, list) and bool(value) and all(map(plain, value)) and len(set(map(type, value))) == 1

    return {
        name: value if plain(value) or uniform(value) else json.dumps(value, ensure_ascii=False)
        for name, value in attrs.items()
    }
