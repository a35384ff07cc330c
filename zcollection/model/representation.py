"""What people read of variables, groups and datasets, and of what declares them."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from zcollection.model.dtypes import dtype_name
from zcollection.model.sections import Columns, Part, Section, Table, heading
from zcollection.model.texts import SHORT, format_bytes, listed, more, shortened

if TYPE_CHECKING:
    from zcollection.model.dataset import Group
    from zcollection.model.packing import Packing
    from zcollection.model.schema import Dimension, GroupSchema, VariableSchema
    from zcollection.model.variable import Variable

G = TypeVar("G")

_MOST_GROUPS: Final = 20
_MOST_ATTRIBUTES: Final = 12
_PREVIEWED: Final = 5


def _preview(variable: "Variable") -> str:
    """Return the first values of a variable; a lazy one is not computed."""
    if variable.is_lazy:
        return f"<lazy {type(variable.data).__name__}>"
    data = np.asarray(variable.data)
    # One by one: a slice of the flat iterator loses texts of more than a few characters.
    values = [str(_of_value(value)) for value in islice(data.flat, _PREVIEWED)]
    while len(" ".join(values)) > SHORT - 2 and len(values) > 1:
        values.pop()
    return " ".join(values) + (" …" if data.size > len(values) else "")


def _of_value(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, np.floating | np.complexfloating):
        return f"{value:.5g}"
    if isinstance(value, str | bytes):
        return shortened(repr(value if isinstance(value, bytes) else str(value)), SHORT // 2)
    return str(value).removesuffix("T00:00:00.000000000").removesuffix(".000000000")


_HELD: "Final[Columns[Variable]]" = {
    "name": lambda variable: variable.name,
    "dimensions": lambda variable: _in_brackets(variable.dimensions),
    "dtype": lambda variable: dtype_name(variable.dtype),
    "size": lambda variable: format_bytes(variable.nbytes),
    "values": _preview,
}
"""What a dataset says of each variable."""

_DECLARED: "Final[Columns[VariableSchema]]" = {
    "name": lambda variable: variable.name,
    "dimensions": lambda variable: _in_brackets(variable.dimensions),
    "dtype": lambda variable: dtype_name(variable.dtype),
    "units": lambda variable: variable.attrs.get("units"),
    "fill value": lambda variable: _of_value(variable.fill_value),
    "packing": lambda variable: _of_packing(variable.packing),
    "coordinate": lambda variable: "yes" if variable.coordinate or variable.is_index else None,
}
"""What a schema says of each variable."""

_DIMENSION: "Final[Columns[Dimension]]" = {
    "name": lambda dimension: dimension.name,
    "size": lambda dimension: "any" if dimension.size is None else dimension.size,
    "chunks": lambda dimension: dimension.chunks,
    "shards": lambda dimension: dimension.shards,
}


def of_group(group: "Group") -> Section:
    """Return the section of a group: sizes, dimensions, variables, attributes, and the groups below it."""
    path = group.long_name()
    title = f"{heading(group, '' if path == '/' else path)} {format_bytes(group.nbytes)}"
    return Section(title, _of_group(group, _MOST_GROUPS))


def of_schema(item: object, schema: "GroupSchema") -> Section:
    """Return the section of an object that declares what a group may have."""
    return Section(heading(item, schema.name), parts_of_schema(schema))


def parts_of_schema(group: "GroupSchema", most: int = _MOST_GROUPS) -> list[Part]:
    """Return what stands in the section of a schema; of all groups below it, only so many are shown."""
    return [
        Table.of("Dimensions", group.dimensions.values(), _DIMENSION),
        Table.of("Variables", group.variables.values(), _DECLARED),
        _attributes(group.attrs),
        *_below(group.groups, parts_of_schema, most),
    ]


def of_variable(variable: "Variable") -> Section:
    """Return the section of a variable: what it is, and its first values."""
    sizes = dict(zip(variable.dimensions, variable.shape, strict=True))
    title = f"{heading(variable, variable.name)} ({_sizes(sizes)}) {dtype_name(variable.dtype)} {format_bytes(variable.nbytes)}"
    return Section(title, _of_variable(variable.schema, values=_preview(variable)))


def of_variable_schema(variable: "VariableSchema") -> Section:
    """Return the section of what declares a variable."""
    title = f"{heading(variable, variable.name)} {_in_brackets(variable.dimensions)} {dtype_name(variable.dtype)}"
    return Section(title, _of_variable(variable))


def _of_variable(variable: "VariableSchema", **more: object) -> list[Part]:
    facts = {
        **more,
        "fill value": _of_value(variable.fill_value),
        "packing": _of_packing(variable.packing),
        "statistics": "every 256 rows" if variable.statistics else None,
        "codecs": ", ".join(map(_of_codec, variable.codecs)),
    }
    return [Table.pairs("", facts), _attributes(variable.attrs)]


def _of_packing(packing: "Packing | None") -> str | None:
    if packing is None:
        return None
    numbers = {**packing.attributes, "fill_value": packing.fill_value}
    return listed([packing.dtype.name, *(f"{name}={value:g}" for name, value in numbers.items() if value is not None)])


def _of_codec(codec: Mapping[str, Any]) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in codec.get("configuration", {}).items())
    return f"{codec['name']}({settings})" if settings else codec["name"]


def _of_group(group: "Group", most: int) -> list[Part]:
    return [
        f"Dimensions: ({_sizes(group.dimensions)})",
        Table.of("Variables", group.variables.values(), _HELD, has_header=False),
        _attributes(group.attrs),
        *_below(group.groups, _of_group, most),
    ]


def _below(groups: Mapping[str, G], parts: Callable[[G, int], list[Part]], most: int) -> list[Part]:
    """Return the section of the groups below one, which share what may be shown of all that is further below."""
    shown = dict(islice(groups.items(), most))
    each = (most - len(shown)) // max(len(shown), 1)
    sections = [Section(name, parts(group, each)) for name, group in shown.items()]
    return [Section("Groups", [*sections, *more(len(groups) - len(shown))])] if groups else []


def _attributes(attrs: Mapping[str, Any]) -> Table:
    texts = {name: shortened(str(value), SHORT) for name, value in attrs.items()}
    return Table.pairs("Attributes", texts, most=_MOST_ATTRIBUTES)


def _in_brackets(names: tuple[str, ...]) -> str:
    return f"({listed(names)})"


def _sizes(dimensions: Mapping[str, int]) -> str:
    return listed([f"{name}: {size:,}" for name, size in dimensions.items()])
