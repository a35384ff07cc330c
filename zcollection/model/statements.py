"""What is stated of values that are given: by attributes and encodings, in the words of CF, or by a schema of ours.

Sources: CF conventions 1.11, sections 2.5.1 and 8.1, the attribute ``_Unsigned`` of the NetCDF User's Guide, and, for the
type of unpacked values, what xarray does (``xarray.coding.variables``).
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from attrs import evolve, field, frozen

from zcollection.model.packing import Packing
from zcollection.model.schema import VariableSchema

PACKED: Final = ("scale_factor", "add_offset", "_FillValue", "missing_value", "_Unsigned")
"""Attributes that say how values are stored."""


@frozen(kw_only=True)
class Statement:
    """What is stated of values.

    Attributes
    ----------
    attrs
        Attributes, as they were given.
    packing
        How the numbers that are given are unpacked; None where they are the values themselves.
    unpacked
        The type of the unpacked values.
    view
        The type that the bits of the given integers have, where it is another one: that of ``_Unsigned``.
    fill_values
        Which of the given values are missing.
    grid
        The packing that the values were stored with before somebody unpacked them; None where that is not known.
    """

    attrs: Mapping[str, Any]
    packing: Packing | None = None
    unpacked: np.dtype[Any] = field(default=np.dtype(np.float64))
    view: np.dtype[Any] | None = None
    fill_values: tuple[Any, ...] = ()
    grid: Packing | None = None

    @classmethod
    def of_attributes(cls, attrs: Mapping[str, Any], encoding: Mapping[str, Any], dtype: np.dtype[Any]) -> "Statement":
        """Return what is stated of values of a type.

        Parameters
        ----------
        attrs
            Where they say how values are stored, the given values are those that are stored.
        encoding
            Says how the values were stored before they were decoded.
        dtype
            Type of the given values.
        """
        if not is_packed(attrs):
            grid = packing_of(encoding, encoding.get("dtype", dtype))
            # xarray has no integers with missing values; ours keep their fill value, which is in the encoding.
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
    def of_schema(cls, schema: VariableSchema) -> "Statement":
        """Return what a variable of ours declares of its values."""
        fill = schema.fill_value
        fills = () if fill is None or fill != fill else (fill,)  # noqa: PLR0124 - NaN and NaT are missing anyway
        return cls(attrs=schema.attrs, fill_values=fills, grid=schema.packing)


def is_packed(attrs: Mapping[str, Any]) -> bool:
    """Return whether attributes say how values are stored, which those of decoded values do not."""
    return any(attrs.get(name) is not None for name in PACKED)


def packing_of(mapping: Mapping[str, Any], dtype: object) -> Packing | None:
    """Return the packing that attributes, or an encoding, state of stored numbers; None where they state none.

    Parameters
    ----------
    mapping
        With ``scale_factor``, ``add_offset``, ``_FillValue``, ``missing_value`` and ``_Unsigned``, or some of them.
    dtype
        Type of the stored numbers.
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
    """Return whether stored numbers of two packings mean the same values."""
    return evolve(one, dtype=np.dtype("f8"), fill_value=None) == evolve(other, dtype=np.dtype("f8"), fill_value=None)


def unpacked_type(mapping: Mapping[str, Any], stored: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type in which xarray has the values of stored numbers."""
    scale, offset = (_float_type(mapping.get(name)) for name in ("scale_factor", "add_offset"))
    if scale is None and offset is None:
        return np.dtype(np.float32 if stored.kind != "f" and stored.itemsize <= 2 else np.float64)
    if offset is None and scale is not None:
        return scale
    narrow = scale == offset == np.dtype(np.float32) and not (stored.kind in "iu" and stored.itemsize == 4)
    return np.dtype(np.float32 if narrow else np.float64)


def _float_type(number: object) -> np.dtype[Any] | None:
    """Return the type of a float; that of a Python one where it is no float of NumPy's, None where there is none."""
    if number is None:
        return None
    return number.dtype if isinstance(number, np.floating) else np.dtype(np.float64)


def _signed_or_not(mapping: Mapping[str, Any], dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type of stored integers after a look at whether they are stored as signed ones for want of others."""
    stated = str(mapping.get("_Unsigned", "")).lower()
    kinds = {("i", "true"): "u", ("u", "false"): "i"}
    return np.dtype(f"{kinds.get((dtype.kind, stated), dtype.kind)}{dtype.itemsize}") if dtype.kind in "iu" else dtype


def _fill_values(mapping: Mapping[str, Any], stored: np.dtype[Any]) -> tuple[Any, ...]:
    """Return the values that mean a missing one, in the type of the stored ones where they are numbers."""
    stated = [mapping[name] for name in ("_FillValue", "missing_value") if mapping.get(name) is not None]
    values = [value for item in stated for value in np.asarray(item).reshape(-1)]
    if stored.kind not in "iuf":
        return tuple(dict.fromkeys(str(value) for value in values))
    return tuple(dict.fromkeys(number for value in values for number in _as_stored(np.asarray(value), stored)))


def _as_stored(value: Any, stored: np.dtype[Any]) -> list[Any]:
    """Return a fill value in the type of the stored numbers, which may have been given as the signed one of its bits."""
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
