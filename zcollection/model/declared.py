"""Declarations of single dimensions and variables: immutable, with all defaults resolved."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from attrs import Converter, field, frozen

from zcollection.errors import SchemaError
from zcollection.model import codecs as codec_profiles
from zcollection.model.attributes import as_attributes
from zcollection.model.dtypes import dtype_name, parse_dtype, to_scalar
from zcollection.model.formatting import listed
from zcollection.model.names import validate_segment
from zcollection.model.packing import Packing
from zcollection.model.printed import Printed
from zcollection.model.representation import attributes, in_brackets, value_in_words
from zcollection.model.sections import Part, Section, Table, heading


def _check_length(value: Any, *, what: str, smallest: int) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < smallest):
        message = f"{what} is {value!r}; accepted: None or a whole number of at least {smallest}"
        raise SchemaError(message)


@frozen
class Dimension:
    """A named dimension.

    Attributes
    ----------
    name
        Name, unique within the group, its ancestors and its descendants.
    size
        Length, or None for the dimension along which the collection is partitioned.
    chunks
        Elements per chunk, or None to let the engine choose.
    shards
        Elements per shard, a multiple of `chunks`, or None to store each chunk as a separate object.
    """

    name: str
    size: int | None = field(default=None, kw_only=True)
    chunks: int | None = field(default=None, kw_only=True)
    shards: int | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        validate_segment(self.name, what="dimension")
        _check_length(self.size, what=f"size of dimension {self.name!r}", smallest=0)
        _check_length(self.chunks, what=f"chunks of dimension {self.name!r}", smallest=1)
        _check_length(self.shards, what=f"shards of dimension {self.name!r}", smallest=1)
        if self.shards is not None and (self.chunks is None or self.shards % self.chunks):
            message = f"shards of dimension {self.name!r} is {self.shards}; accepted: a multiple of its chunks ({self.chunks})"
            raise SchemaError(message)


def _resolve_codecs(codecs: object, self_: "VariableSchema") -> tuple[codec_profiles.Codec, ...]:
    if codecs is None and self_.packing is not None:
        codecs = codec_profiles.PACKED_PROFILE
    return codec_profiles.resolve(codecs, self_.stored_dtype, name=self_.name)


def _resolve_fill(value: object, self_: "VariableSchema") -> Any:
    if self_.packing is not None:
        return _fill_of_packed(value, self_, self_.packing)
    return None if value is None else to_scalar(value, self_.dtype, name=self_.name)


def _fill_of_packed(value: object, self_: "VariableSchema", packing: Packing) -> Any:
    """Return NaN if the packing has a fill value, else None."""
    if self_.dtype.kind != "f" or self_.dtype.itemsize not in {4, 8}:
        message = (
            f"variable {self_.name!r} is packed and declared {dtype_name(self_.dtype)}; accepted: float32, float64"
        )
        raise SchemaError(message)
    if value is not None and to_scalar(value, self_.dtype, name=self_.name) == value:
        message = (
            f"variable {self_.name!r} is packed and has the fill value {value!r}; accepted: None, because a missing value is NaN; "
            f"declare the stored number that marks it with the packing: Packing(…, fill_value={value!r})"
        )
        raise SchemaError(message)
    if value is not None and packing.fill_value is None:
        message = f"variable {self_.name!r} has the fill value {value!r}, and its packing has none; accepted: Packing(…, fill_value=…)"
        raise SchemaError(message)
    return None if packing.fill_value is None else self_.dtype.type(np.nan)


def _as_packing(packing: object) -> Packing | None:
    if packing is not None and not isinstance(packing, Packing):
        message = f"packing is {packing!r}; accepted: None, or a zcollection.Packing such as Packing('int16', scale_factor=1e-4)"
        raise SchemaError(message)
    return packing


def _as_names(names: object) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        message = f"dimensions {names!r}; accepted: a sequence of names, such as ('time',)"
        raise SchemaError(message)
    return tuple(names)


@frozen(repr=False)
class VariableSchema(Printed):
    """The declaration of a variable: the type and meaning of its values, and how they are stored.

    Attributes
    ----------
    name
        Name within its group.
    dtype
        Type of the values in memory.
    dimensions
        Names of its dimensions, which its group or an ancestor declares.
    packing
        How the values are packed when they are stored; None for values that are not packed.
    fill_value
        Value of type `dtype` that marks a missing element; None if no element may be missing. It is NaN if the packing has a
        fill value.
    codecs
        Zarr v3 codecs, complete. The default is the profile "balanced", or "cloud-balanced" for a packed variable.
    attrs
        Attributes, as JSON values.
    coordinate
        Whether the variable is a CF coordinate of other variables, such as a latitude. A variable with the name of its only
        dimension is always a coordinate.
    statistics
        Whether the smallest and the largest value of every 256 rows are stored, so that a condition on the variable reads
        only the zones that may match. The axis, latitudes and longitudes always have statistics. Two declarations that
        differ only in `statistics` are equal, because the values are the same.
    """

    name: str
    dtype: np.dtype[Any] = field(converter=parse_dtype, kw_only=True)
    dimensions: tuple[str, ...] = field(converter=_as_names, kw_only=True)
    packing: Packing | None = field(default=None, converter=_as_packing, kw_only=True)
    fill_value: Any = field(
        default=None,
        converter=Converter(_resolve_fill, takes_self=True),  # type: ignore[misc, call-overload]  # not known to mypy
        eq=repr,  # NaN equals NaN
        kw_only=True,
    )
    codecs: tuple[codec_profiles.Codec, ...] = field(
        default=None,
        converter=Converter(_resolve_codecs, takes_self=True),  # type: ignore[misc, call-overload]  # not known to mypy
        kw_only=True,
    )
    attrs: dict[str, Any] = field(default=None, converter=as_attributes, kw_only=True)
    coordinate: bool = field(default=False, converter=bool, kw_only=True)
    statistics: bool = field(default=False, converter=bool, kw_only=True, eq=False)

    def __attrs_post_init__(self) -> None:
        validate_segment(self.name, what="variable")
        if len(set(self.dimensions)) != len(self.dimensions):
            message = f"variable {self.name!r} has a dimension twice: {self.dimensions}"
            raise SchemaError(message)
        if self.statistics and not self.has_order:
            message = (
                f"variable {str(self)!r} has statistics=True; accepted: variables of one dimension whose values are numbers, "
                f"booleans or times"
            )
            raise SchemaError(message)

    @property
    def has_order(self) -> bool:
        """Whether the variable can have statistics: it has one dimension, and its values are numbers, booleans or times."""
        return len(self.dimensions) == 1 and self.dtype.kind in "biufmM" and self.dtype.itemsize <= 8

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        """Type of the elements in the Zarr array: that of the packing, or int64 for datetime64 and timedelta64."""
        if self.packing is not None:
            return self.packing.dtype
        return np.dtype(np.int64) if self.dtype.kind in "mM" else self.dtype

    @property
    def is_index(self) -> bool:
        """Whether the variable has the name of its only dimension."""
        return self.dimensions == (self.name,)

    def __str__(self) -> str:
        return f"{self.name}({', '.join(self.dimensions)}) {dtype_name(self.dtype)}"

    def _section(self) -> Section:
        title = f"{heading(self, self.name)} {in_brackets(self.dimensions)} {dtype_name(self.dtype)}"
        return Section(title, self.printed_parts())

    def printed_parts(self, **facts: object) -> list[Part]:
        """Return the parts that are printed below the title, `facts` first."""
        shown = {
            **facts,
            "fill value": value_in_words(self.fill_value),
            "packing": packing_in_words(self.packing),
            "statistics": "every 256 rows" if self.statistics else None,
            "codecs": ", ".join(map(_codec_in_words, self.codecs)),
        }
        return [Table.pairs("", shown), attributes(self.attrs)]


def packing_in_words(packing: Packing | None) -> str | None:
    """Return a packing as one line of text: the stored type, and the scale, offset and fill value."""
    if packing is None:
        return None
    numbers = {**packing.attributes, "fill_value": packing.fill_value}
    return listed([packing.dtype.name, *(f"{name}={value:g}" for name, value in numbers.items() if value is not None)])


def _codec_in_words(codec: Mapping[str, Any]) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in codec.get("configuration", {}).items())
    return f"{codec['name']}({settings})" if settings else codec["name"]
