"""Packing: floats stored as smaller numbers, with a scale factor, an offset and a fill value.

Source: CF conventions 1.11, section 8.1, "Packed data", and section 2.5.1, "Missing data".
"""

import math
from typing import Any, Final

import numpy as np
from attrs import Converter, field, frozen
from numpy.typing import NDArray

from zcollection.errors import SchemaError

_ULPS: Final = 8
"""Tolerance in units in the last place for a value that was computed with another scale."""

_BLOCK: Final = 65_536
"""Number of elements packed at once, so that intermediate results stay in the processor's cache."""


def _as_stored_type(dtype: object) -> np.dtype[Any]:
    try:
        parsed = np.dtype(dtype)  # type: ignore[call-overload]  # any object: NumPy decides
    except (TypeError, ValueError):
        parsed = np.dtype(object)
    if parsed.kind not in "iuf" or parsed.itemsize not in {1, 2, 4, 8}:
        message = f"packing has the dtype {dtype!r}; accepted: int8 to int64, uint8 to uint64, float16 to float64"
        raise SchemaError(message)
    native: np.dtype[Any] = parsed.newbyteorder("=")
    return native


def _as_number(value: object, name: str) -> float | None:
    if value is None:
        return None
    number = np.asarray(value)
    if number.size != 1 or number.dtype.kind not in "iuf" or not math.isfinite(number.item()):
        message = f"packing has the {name} {value!r}; accepted: a finite number, or None"
        raise SchemaError(message)
    return float(number.item())


def _as_scale(value: object) -> float | None:
    scale = _as_number(value, "scale_factor")
    if scale == 0:
        message = "packing has the scale_factor 0, which makes all values equal; accepted: any other number, or None"
        raise SchemaError(message)
    return scale


def _as_offset(value: object) -> float | None:
    return _as_number(value, "add_offset")


def _as_fill(value: object, self_: "Packing") -> int | float | None:
    if value is None:
        return None
    number = np.asarray(value)
    with np.errstate(all="ignore"):
        stored = number.astype(self_.dtype) if number.size == 1 and number.dtype.kind in "iuf" else number
    if stored is number or (self_.dtype.kind != "f" and stored.item() != number.item()):
        message = f"packing has the fill_value {value!r}; accepted: a value of {self_.dtype}, or None"
        raise SchemaError(message)
    return stored.item()  # type: ignore[no-any-return]  # NumPy does not say that it is a number


@frozen
class Packing:
    """How the values of a variable are stored: ``value = stored * scale_factor + add_offset``.

    The dtype of the variable, float32 or float64, is that of the unpacked values, which are inserted, merged, filtered and
    returned. The chunks contain the stored numbers. The array has the attributes ``scale_factor``, ``add_offset`` and
    ``_FillValue``, with which xarray, GDAL and the netCDF tools unpack the values.

    Each value is stored as the nearest number. A value out of the range of the stored type is an error and never wraps.
    Unpacking computes in the dtype of the variable, as xarray does, so that both give identical bits.

    Parameters
    ----------
    dtype
        Type of the stored numbers: an integer, or a float if only the marker of missing values differs.
    scale_factor, add_offset
        Numbers; None for no scale or no offset.
    fill_value
        The stored number that marks a missing value (NaN); None if no value may be missing.

    Raises
    ------
    SchemaError
        A parameter is not valid.

    Examples
    --------
    >>> packing = Packing("int16", scale_factor=1e-4, fill_value=-32768)
    >>> stored = packing.pack(np.array([0.12344, np.nan, -3.2]), name="ssh")
    >>> stored.tolist()
    [1234, -32768, -32000]
    >>> packing.unpack(stored, np.dtype("float64")).tolist()
    [0.12340000000000001, nan, -3.2]
    """

    dtype: np.dtype[Any] = field(converter=_as_stored_type)
    scale_factor: float | None = field(default=None, kw_only=True, converter=_as_scale)
    add_offset: float | None = field(default=None, kw_only=True, converter=_as_offset)
    fill_value: int | float | None = field(
        default=None,
        kw_only=True,
        converter=Converter(_as_fill, takes_self=True),  # type: ignore[misc, call-overload]  # not known to mypy
        eq=repr,  # NaN equals NaN
    )

    @property
    def attributes(self) -> dict[str, float]:
        """The CF attributes of the scale and the offset, if they are not None."""
        named = {"scale_factor": self.scale_factor, "add_offset": self.add_offset}
        return {name: value for name, value in named.items() if value is not None}

    @property
    def _numbers(self) -> tuple[float, float]:
        """The smallest stored number, and the largest one plus 1."""
        if self.dtype.kind == "f":
            return -math.inf, math.inf
        integers = np.iinfo(self.dtype)
        return float(integers.min), float(int(integers.max) + 1)

    @property
    def _range(self) -> str:
        """The range of values that can be stored, for error messages."""
        first, last = self._numbers[0], self._numbers[1] - 1
        scale, offset = self.scale_factor or 1.0, self.add_offset or 0.0
        low, high = sorted((first * scale + offset, last * scale + offset))
        filled = "" if self.fill_value is None else f", but {self.fill_value * scale + offset:.9g}, which means missing"
        return f"values from {low:.9g} to {high:.9g}{filled}"

    def unpack(
        self, stored: NDArray[Any], dtype: np.dtype[Any], out: NDArray[np.floating[Any]] | None = None
    ) -> NDArray[np.floating[Any]]:
        """Return the values of stored numbers.

        Parameters
        ----------
        stored
            Numbers of the packing's dtype, any shape.
        dtype
            float32 or float64: the dtype of the computation and the result.
        out
            Array for the values; None for a new array.
        """
        values = np.empty(stored.shape, dtype) if out is None else out
        if self.scale_factor is None:
            values[...] = stored
        else:
            np.multiply(stored, dtype.type(self.scale_factor), out=values, dtype=dtype, casting="unsafe")
        if self.add_offset is not None:
            values += dtype.type(self.add_offset)
        missing = self._missing(stored, dtype)
        if missing is not None and missing.any():
            values[missing] = np.nan
        return values

    def _missing(self, stored: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[np.bool_] | None:
        """Return the mask of stored numbers that mark a missing value, compared after conversion to `dtype`, as in xarray.

        If `dtype` cannot represent the fill value, xarray finds no missing values; here, the stored numbers are compared.
        """
        if self.fill_value is None or self.fill_value != self.fill_value:
            return None
        is_exact = float(dtype.type(self.fill_value)) == self.fill_value
        if self.dtype.itemsize < dtype.itemsize or not is_exact:  # else neighbours may become the same float
            return np.asarray(np.equal(stored, self.dtype.type(self.fill_value)))
        return np.asarray(np.equal(stored.astype(dtype), dtype.type(self.fill_value)))

    def pack(self, values: NDArray[np.floating[Any]], *, name: str, start: int = 0) -> NDArray[Any]:
        """Return values as the nearest stored numbers.

        Parameters
        ----------
        values
            float32 or float64, any shape; NaN is missing.
        name, start
            Name of the variable and number of the first row, for error messages.

        Raises
        ------
        SchemaError
            A value is out of range or would be read as missing, or a value is missing and there is no fill value.
        """
        stored = np.empty(values.shape, self.dtype)
        flat, numbers = np.ascontiguousarray(values).reshape(-1), stored.reshape(-1)
        for first in range(0, flat.size, _BLOCK):
            block = slice(first, first + _BLOCK)
            wrong = self._pack_block(flat[block], numbers[block])
            if wrong is not None:
                row = start + (first + wrong) // max(math.prod(values.shape[1:]), 1)
                raise self._refusal(flat[first + wrong], name, row)
        return stored

    def rounds(self, values: NDArray[Any], *, name: str) -> NDArray[np.bool_]:
        """Return the mask of values that would be rounded: they differ from every unpacked number by more than a float error.

        Parameters
        ----------
        values, name
            As for `pack`; `values` may also be integers.
        """
        exact = values.astype(np.float64)
        error = np.abs(self.unpack(self.pack(exact, name=name), exact.dtype) - exact)
        eps = np.finfo(values.dtype if values.dtype.kind == "f" else np.float64).eps
        return np.asarray(error > _ULPS * eps * (np.abs(exact) + abs(self.add_offset or 0.0)))

    def _pack_block(self, values: NDArray[np.floating[Any]], out: NDArray[Any]) -> int | None:
        """Pack values into `out`; return the position of the first value that cannot be packed, or None."""
        steps = values.astype(np.float64)  # float32 would round some halves in the wrong direction
        if self.add_offset is not None:
            steps -= self.add_offset
        if self.scale_factor is not None:
            steps /= self.scale_factor
        if self.dtype.kind != "f":
            np.rint(steps, out=steps)
        missing = np.isnan(values)
        some_missing = bool(missing.any())
        if some_missing:
            steps[missing] = 0
        low, end = self._numbers
        if steps.size and not (low <= steps.min() and steps.max() < end):
            return int(np.argmax((steps < low) | (steps >= end)))
        out[...] = steps
        if some_missing and self.fill_value is None:
            return int(np.argmax(missing))
        if self.fill_value is not None:
            return self._mark_missing(values.dtype, missing, out)
        return None

    def _mark_missing(self, dtype: np.dtype[Any], missing: NDArray[np.bool_], out: NDArray[Any]) -> int | None:
        """Store the fill value; return the position of the first present value that would be read as missing, or None."""
        lost = self._missing(out, dtype)
        if lost is not None and (lost & ~missing).any():
            return int(np.argmax(lost & ~missing))
        out[missing] = self.fill_value
        return None

    def _refusal(self, value: np.floating[Any], name: str, row: int) -> SchemaError:
        if np.isnan(value):
            return SchemaError(
                f"variable {name!r} has a missing value (NaN) in row {row}, and its packing has no fill value; declare "
                f"Packing(…, fill_value=…), or fill the value in before inserting"
            )
        return SchemaError(
            f"variable {name!r} has the value {value} in row {row}, which its packing as {self.dtype} cannot hold; accepted: "
            f"{self._range}; correct the value, or declare another packing"
        )
