"""What a dataset may have, one by one: dimensions and variables, frozen and complete."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from attrs import Converter, field, frozen

from zcollection.errors import SchemaError
from zcollection.model import codecs as codec_profiles
from zcollection.model.attributes import as_attributes
from zcollection.model.dtypes import dtype_name, parse_dtype, to_scalar
from zcollection.model.names import validate_segment
from zcollection.model.packing import Packing
from zcollection.model.printed import Printed
from zcollection.model.representation import attributes, in_brackets, value_in_words
from zcollection.model.sections import Part, Section, Table, heading
from zcollection.model.texts import listed


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
        Unique among the group, its ancestors and its descendants.
    size
        Length, or None for the dimension along which the collection is partitioned.
    chunks
        Rows per chunk, or None to let the engine choose.
    shards
        Rows per shard, a multiple of `chunks`, or None for chunks that are objects of their own.
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
    """Return NaN where the packing stores missing values, None where it has no number for them."""
    if self_.dtype.kind != "f" or self_.dtype.itemsize not in {4, 8}:
        message = (
            f"variable {self_.name!r} is packed and declared {dtype_name(self_.dtype)}; accepted: float32, float64"
        )
        raise SchemaError(message)
    if value is not None and to_scalar(value, self_.dtype, name=self_.name) == value:
        message = (
            f"variable {self_.name!r} is packed and has the fill value {value!r}; accepted: None, for a missing value is NaN: "
            f"the number that is stored for it is the packing's: Packing(…, fill_value={value!r})"
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
    """A variable: what its values are and how they are stored.

    Attributes
    ----------
    name
        Name within its group.
    dtype
        Type of the values in memory.
    dimensions
        Names of its dimensions, found in its group or an ancestor.
    packing
        How the values are stored, if not as they are; None for most.
    fill_value
        Value of what is missing, of type `dtype`; None where nothing may be missing. NaN where the packing has a number
        for it.
    codecs
        Zarr v3 codecs, resolved: those of the profile "balanced" by default, and of "cloud-balanced" where it is packed.
    attrs
        Attributes, as JSON values.
    coordinate
        Whether it says where or when the values of others are, as latitude and longitude do. A variable with the name of
        its only dimension is a coordinate in any case.
    statistics
        Whether the smallest and largest value of every 256 rows are kept, so that conditions on it need not read all of it.
        They are kept of the axis, of latitudes and of longitudes in any case. Without effect on what is equal: the values
        are the same.
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
        """Whether statistics can be kept of it: it has one dimension, and numbers, booleans or times as values."""
        return len(self.dimensions) == 1 and self.dtype.kind in "biufmM" and self.dtype.itemsize <= 8

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        """Type of the elements in the Zarr array: the packing's, and int64 for datetime64 and timedelta64."""
        if self.packing is not None:
            return self.packing.dtype
        return np.dtype(np.int64) if self.dtype.kind in "mM" else self.dtype

    @property
    def is_index(self) -> bool:
        """Whether it is the coordinate of its only dimension, by its name."""
        return self.dimensions == (self.name,)

    def __str__(self) -> str:
        return f"{self.name}({', '.join(self.dimensions)}) {dtype_name(self.dtype)}"

    def _section(self) -> Section:
        title = f"{heading(self, self.name)} {in_brackets(self.dimensions)} {dtype_name(self.dtype)}"
        return Section(title, self.printed_parts())

    def printed_parts(self, **facts: object) -> list[Part]:
        """Return what is printed below the title, `facts` first."""
        said = {
            **facts,
            "fill value": value_in_words(self.fill_value),
            "packing": packing_in_words(self.packing),
            "statistics": "every 256 rows" if self.statistics else None,
            "codecs": ", ".join(map(_codec_in_words, self.codecs)),
        }
        return [Table.pairs("", said), attributes(self.attrs)]


def packing_in_words(packing: Packing | None) -> str | None:
    """Return a packing in one line: the stored type, and the numbers by which values are packed."""
    if packing is None:
        return None
    numbers = {**packing.attributes, "fill_value": packing.fill_value}
    return listed([packing.dtype.name, *(f"{name}={value:g}" for name, value in numbers.items() if value is not None)])


def _codec_in_words(codec: Mapping[str, Any]) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in codec.get("configuration", {}).items())
    return f"{codec['name']}({settings})" if settings else codec["name"]
