"""Metadata of input values: from CF attributes and encodings, or from the schema of a variable.

Sources: CF conventions 1.11, sections 2.5.1 and 8.1; NetCDF User's Guide, attribute ``_Unsigned``. The dtype of unpacked
values is that of xarray (``xarray.coding.variables``).
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from attrs import evolve, field, frozen

from zcollection.model.packing import Packing
from zcollection.model.schema import VariableSchema

PACKED: Final = ("scale_factor", "add_offset", "_FillValue", "missing_value", "_Unsigned")
"""Attributes that describe how values are stored."""


@frozen(kw_only=True)
class ValueMetadata:
    """The metadata of input values.

    Attributes
    ----------
    attrs
        The attributes, unchanged.
    packing
        Packing of the input; None if the input is not packed.
    unpacked
        Dtype of the unpacked values.
    view
        Integer dtype in which the input must be viewed, according to ``_Unsigned``; None for its own dtype.
    fill_values
        Values that mark missing elements of the input.
    grid
        Packing with which unpacked input was stored before; None if unknown.
    """

    attrs: Mapping[str, Any]
    packing: Packing | None = None
    unpacked: np.dtype[Any] = field(default=np.dtype(np.float64))
    view: np.dtype[Any] | None = None
    fill_values: tuple[Any, ...] = ()
    grid: Packing | None = None

    @classmethod
    def of_attributes(
        cls, attrs: Mapping[str, Any], encoding: Mapping[str, Any], dtype: np.dtype[Any]
    ) -> "ValueMetadata":
        """Return the metadata in attributes and an encoding.

        Parameters
        ----------
        attrs
            The attributes. If they contain any of `PACKED`, the input consists of stored numbers.
        encoding
            The encoding of xarray: how the values were stored before they were decoded.
        dtype
            Dtype of the input.
        """
        if not is_packed(attrs):
            grid = packing_of(encoding, encoding.get("dtype", dtype))
            # xarray has no missing integers: those of to_xarray() have the fill value, which is in the encoding.
            return cls(attrs=attrs, grid=grid, fill_values=_fill_values(encoding, dtype) if dtype.kind in "iu" else ())
        stored = _signed_or_not(attrs, dtype)
        scaling = packing_of({name: attrs.get(name) for name in ("scale_factor", "add_offset")}, stored)
        return cls(
            attrs=attrs,
            packing=scaling,
            unpacked=unpacked_type(attrs, stored),
            view=None if stored == dtype else stored,
            fill_values=_fill_values(attrs, stored),
        )

    @classmethod
    def of_schema(cls, schema: VariableSchema) -> "ValueMetadata":
        """Return the metadata in the schema of a variable."""
        fill = schema.fill_value
        fills = () if fill is None or fill != fill else (fill,)  # noqa: PLR0124 - NaN and NaT are missing anyway
        return cls(attrs=schema.attrs, fill_values=fills, grid=schema.packing)


def is_packed(attrs: Mapping[str, Any]) -> bool:
    """Return whether attributes describe how values are stored; those of decoded values do not."""
    return any(attrs.get(name) is not None for name in PACKED)


def packing_of(mapping: Mapping[str, Any], dtype: object) -> Packing | None:
    """Return the packing in attributes or an encoding; None if there is none.

    Parameters
    ----------
    mapping
        Attributes or an encoding, in which ``scale_factor``, ``add_offset``, ``_FillValue``, ``missing_value`` and
        ``_Unsigned`` are read.
    dtype
        Dtype of the stored numbers.
    """
    stored = _signed_or_not(mapping, np.dtype(dtype))  # type: ignore[call-overload]  # what xarray has in an encoding
    if stored.kind not in "iuf":
        return None
    fill = next(iter(_fill_values(mapping, stored)), None)
    packing = Packing(
        stored, scale_factor=mapping.get("scale_factor"), add_offset=mapping.get("add_offset"), fill_value=fill
    )
    is_plain = not packing.attributes and (fill is None or (stored.kind == "f" and fill != fill))  # noqa: PLR0124
    return None if is_plain else packing


def scaled_alike(one: Packing, other: Packing) -> bool:
    """Return whether equal stored numbers mean equal values in two packings."""
    return evolve(one, dtype=np.dtype("f8"), fill_value=None) == evolve(other, dtype=np.dtype("f8"), fill_value=None)


def unpacked_type(mapping: Mapping[str, Any], stored: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype to which xarray unpacks stored numbers."""
    scale, offset = (_float_type(mapping.get(name)) for name in ("scale_factor", "add_offset"))
    if scale is None and offset is None:
        return np.dtype(np.float32 if stored.kind != "f" and stored.itemsize <= 2 else np.float64)
    if offset is None and scale is not None:
        return scale
    narrow = scale == offset == np.dtype(np.float32) and not (stored.kind in "iu" and stored.itemsize == 4)
    return np.dtype(np.float32 if narrow else np.float64)


def _float_type(number: object) -> np.dtype[Any] | None:
    """Return the dtype of a NumPy float, float64 for any other number, or None for None."""
    if number is None:
        return None
    return number.dtype if isinstance(number, np.floating) else np.dtype(np.float64)


def _signed_or_not(mapping: Mapping[str, Any], dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of stored integers, changed to signed or unsigned as ``_Unsigned`` states."""
    stated = str(mapping.get("_Unsigned", "")).lower()
    kinds = {("i", "true"): "u", ("u", "false"): "i"}
    return np.dtype(f"{kinds.get((dtype.kind, stated), dtype.kind)}{dtype.itemsize}") if dtype.kind in "iu" else dtype


def _fill_values(mapping: Mapping[str, Any], stored: np.dtype[Any]) -> tuple[Any, ...]:
    """Return the values that mark missing elements, in the dtype of the stored values if these are numbers."""
    stated = [mapping[name] for name in ("_FillValue", "missing_value") if mapping.get(name) is not None]
    values = [value for item in stated for value in np.asarray(item).reshape(-1)]
    if stored.kind not in "iuf":
        return tuple(dict.fromkeys(str(value) for value in values))
    return tuple(dict.fromkeys(number for value in values for number in _as_stored(np.asarray(value), stored)))


def _as_stored(value: Any, stored: np.dtype[Any]) -> list[Any]:
    """Return a fill value in the dtype of the stored numbers, or nothing; it may be stated as the signed value of its bits."""
    if value.dtype.kind not in "iuf":
        return []
    if stored.kind == "f":
        return [value.astype(stored)[()]]
    if value != value or not float(value).is_integer():  # noqa: PLR0124 - NaN
        return []
    number, size = int(value), 8 * stored.itemsize
    if not -(2 ** (size - 1)) <= number < 2**size:
        return []
    bits = np.array(number % 2**size, f"u{stored.itemsize}")
    return [bits.view(stored)[()]]
