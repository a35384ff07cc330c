"""Conversion of datasets to xarray, which is an optional dependency and imported only for the conversion."""

import json
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import field, frozen

from zcollection.errors import MissingDependencyError
from zcollection.model.calendars import STANDARD
from zcollection.model.names import ancestors, join
from zcollection.model.packing import Packing
from zcollection.model.schema import ROOT, DatasetSchema, GroupSchema, VariableSchema
from zcollection.model.times import TimeUnits, has_time_units, names_days, units_of

if TYPE_CHECKING:
    import xarray

    from zcollection.model.variable import Variable

_XARRAY_UNITS = frozenset({"s", "ms", "us", "ns"})


@frozen(eq=False)
class Node:
    """The content of a group in the form of xarray.

    Attributes
    ----------
    variables
        Arguments of `xarray.Variable` by name: dimensions, values, attributes and encoding.
    coordinates
        Names of the coordinates, without those named like their dimension.
    unindexed
        Names of coordinates for which no index is created. In a nested group they may differ from those of the parent, and
        xarray would align their indexes.
    attrs
        Attributes of the group.
    """

    variables: Mapping[str, tuple[tuple[str, ...], Any, dict[str, Any], dict[str, Any]]] = field(repr=False)
    coordinates: frozenset[str]
    unindexed: frozenset[str]
    attrs: Mapping[str, Any] = field(repr=False)


def nodes(schema: DatasetSchema, variables: "Mapping[str, Variable]", attrs: Mapping[str, Any]) -> dict[str, Node]:
    """Return the groups of a dataset in the form of xarray, by path.

    Numbers with CF time units become datetime64, or cftime objects in calendars that datetime64 cannot represent. Missing
    floats become NaN. Integers keep their fill value, which is put into the encoding. Values with a method
    ``map_blocks(function, dtype=…)`` are converted by it, so that a lazy array stays lazy.
    """

    def node(path: str, group: GroupSchema) -> Node:
        present = {name: variables[join(path, name)] for name in group.variables if join(path, name) in variables}
        converted = {name: decoded(join(path, name), variable) for name, variable in present.items()}
        inherited = {name for part in ancestors(path)[:-1] for name in schema.get_group(part).dimensions}
        declared = frozenset(name for name, variable in present.items() if variable.schema.coordinate)
        unindexed = frozenset(inherited & converted.keys())
        return Node(converted, declared - unindexed, unindexed, _exportable(group.attrs if path else attrs))

    return {path: node(path, group) for path, group in schema.all_groups().items()}


def to_xarray(
    schema: DatasetSchema, variables: "Mapping[str, Variable]", attrs: Mapping[str, Any]
) -> "xarray.Dataset | xarray.DataTree":
    """Return variables as an xarray Dataset, or as a DataTree where the schema has groups; see `nodes`.

    Raises
    ------
    MissingDependencyError
        xarray is not installed.
    """
    try:
        import xarray
    except ImportError as error:
        raise MissingDependencyError.of("xarray", extra="xarray", purpose="to_xarray()") from error

    def dataset(node: Node) -> xarray.Dataset:
        made = {name: xarray.Variable(*parts) for name, parts in node.variables.items()}
        # Coordinates without an index come first in the printed order.
        names = [
            *(name for name in made if name in node.unindexed),
            *(name for name in made if name in node.coordinates),
        ]
        coordinates = xarray.Coordinates({name: made.pop(name) for name in names}, indexes={})
        return xarray.Dataset(made, coordinates, node.attrs)

    groups = nodes(schema, variables, attrs)
    if len(groups) == 1:
        return dataset(groups[ROOT])
    return xarray.DataTree.from_dict({f"/{path}": dataset(node) for path, node in groups.items()})


def decoded(path: str, variable: "Variable") -> tuple[tuple[str, ...], Any, dict[str, Any], dict[str, Any]]:
    """Return dimensions, values, attributes and encoding of a variable, in the form of xarray."""
    schema, attrs, data = variable.schema, dict(variable.attrs), variable.data
    encoding: dict[str, Any] = {}
    if schema.packing is not None:
        encoding = _packed_encoding(schema, schema.packing)
    if schema.dtype.kind in "Miuf" and has_time_units(attrs):
        units = units_of(attrs, name=path)
        encoding |= {name: attrs.pop(name) for name in ("units", "calendar") if name in attrs}
        if schema.dtype.kind != "M":
            encoding.setdefault("dtype", schema.dtype)
            as_times = partial(_times, units, schema)
            data = _mapped(data, as_times, as_times(np.empty(0, schema.dtype)).dtype)
    elif schema.packing is None and schema.dtype.kind == "f" and schema.fill_value is not None:
        encoding["_FillValue"] = schema.fill_value
        if not np.isnan(schema.fill_value):
            data = _mapped(data, partial(_masked, schema.fill_value), schema.dtype)
    elif schema.dtype.kind in "iu" and schema.fill_value is not None:
        encoding["_FillValue"] = schema.fill_value
    elif schema.dtype.kind == "T":
        data = _mapped(data, _as_objects, np.dtype(object))
    return schema.dimensions, data, _exportable(_typed_flags(schema, attrs)), encoding


def _packed_encoding(schema: VariableSchema, packing: Packing) -> dict[str, Any]:
    """Return the encoding with which xarray packs values in the same way and unpacks them to the same dtype."""
    numbers = {name: schema.dtype.type(value) for name, value in packing.attributes.items()}
    fill = {} if packing.fill_value is None else {"_FillValue": packing.dtype.type(packing.fill_value)}
    return {"dtype": packing.dtype, **numbers, **fill}


def _typed_flags(schema: VariableSchema, attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes with ``flag_values`` and ``flag_masks`` in the dtype of the variable (CF conventions 1.11, 3.5)."""
    dtype = schema.stored_dtype
    flags = {name: attrs[name] for name in ("flag_values", "flag_masks") if isinstance(attrs.get(name), list)}
    if dtype.kind not in "iu":
        return dict(attrs)
    typed = {name: np.array(values) for name, values in flags.items()}
    exact = {name: values.astype(dtype) for name, values in typed.items() if values.dtype.kind in "iu"}
    return {**attrs, **{name: values for name, values in exact.items() if np.array_equal(values, typed[name])}}


def _mapped(data: Any, function: Any, dtype: np.dtype[Any]) -> Any:
    if hasattr(data, "map_blocks"):
        return data.map_blocks(function, dtype=dtype)
    return function(np.asarray(data))


def _as_objects(strings: Any) -> Any:
    return strings.astype(object)


def _times(units: TimeUnits, schema: VariableSchema, numbers: Any) -> Any:
    """Return decoded times as xarray would: datetime64, or cftime objects in other calendars."""
    if units.has_datetime64:
        times = units.decode(numbers, fill_value=schema.fill_value)
        if names_days(times, units.calendar):
            return times if np.datetime_data(times.dtype)[0] in _XARRAY_UNITS else times.astype("datetime64[s]")
    return times_as_objects(schema, numbers)


def times_as_objects(schema: VariableSchema, numbers: Any) -> Any:
    """Return times as cftime objects, as xarray does for calendars that datetime64 cannot represent; missing ones are NaN.

    xarray itself decodes a missing integer as the reference time.
    """
    units, calendar = schema.attrs["units"], schema.attrs.get("calendar", STANDARD)
    try:
        import cftime
    except ImportError as error:
        purpose = f"times in the calendar {calendar!r} outside of zcollection"
        raise MissingDependencyError.of("cftime", extra="xarray", purpose=purpose) from error
    missing = np.isnan(numbers) if numbers.dtype.kind == "f" else numbers == np.iinfo(np.int64).min
    if schema.fill_value is not None:
        missing = missing | (numbers == schema.fill_value)
    times = np.full(numbers.shape, np.nan, dtype=object)
    times[~missing] = cftime.num2date(numbers[~missing], units, calendar, only_use_cftime_datetimes=True)
    return times


def _masked(fill_value: Any, values: Any) -> Any:
    return np.where(values == fill_value, values.dtype.type(np.nan), values)


def _exportable(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes that all writers of xarray accept: values other than strings, numbers and lists of these become JSON."""

    def is_scalar(value: object) -> bool:
        return isinstance(value, str | int | float | np.ndarray) and not isinstance(value, bool)

    def is_uniform(value: object) -> bool:
        return (
            isinstance(value, list) and bool(value) and all(map(is_scalar, value)) and len(set(map(type, value))) == 1
        )

    return {
        name: value if is_scalar(value) or is_uniform(value) else json.dumps(value, ensure_ascii=False)
        for name, value in attrs.items()
    }
