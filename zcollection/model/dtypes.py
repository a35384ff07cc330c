"""The dtypes of variables: their names, exact conversion between them, and scalars as JSON."""

import base64
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zcollection.errors import SchemaError

STRING = np.dtypes.StringDType()
"""The in-memory type of variable-length strings."""

_ACCEPTED = (
    "bool, int8 to int64, uint8 to uint64, float16 to float64, complex64, complex128, datetime64[unit], "
    "timedelta64[unit], fixed-width S<n> and U<n>, string"
)
_UNITS = frozenset({"D", "h", "m", "s", "ms", "us", "ns"})
_NOT_A_TIME = np.iinfo(np.int64).min


def parse_dtype(dtype: object) -> np.dtype[Any]:
    """Return the NumPy dtype for a declared type, in native byte order.

    Parameters
    ----------
    dtype
        A NumPy dtype, a name such as ``"float32"`` or ``"datetime64[ns]"``, or ``str`` or ``"string"`` for
        variable-length strings.

    Raises
    ------
    SchemaError
        The dtype is unknown or cannot be stored.

    Examples
    --------
    >>> parse_dtype(">f4")
    dtype('float32')
    >>> parse_dtype("string")
    StringDType()
    """
    if dtype is str or (isinstance(dtype, str) and dtype == "string"):
        return STRING
    try:
        parsed = np.dtype(dtype)  # type: ignore[call-overload]  # any object: NumPy decides
    except (TypeError, ValueError) as error:
        message = f"dtype {dtype!r} is unknown; accepted: {_ACCEPTED}"
        raise SchemaError(message) from error
    if parsed.kind in {"T", "O"}:
        return _string_only(parsed)
    if not _is_storable(parsed):
        message = f"dtype {dtype!r} cannot be stored; accepted: {_ACCEPTED}"
        raise SchemaError(message)
    native: np.dtype[Any] = parsed.newbyteorder("=")
    return native


def _string_only(parsed: np.dtype[Any]) -> np.dtype[Any]:
    if parsed.kind == "O":
        message = "dtype 'object' does not define the type of its elements; for strings declare 'string'"
        raise SchemaError(message)
    return STRING


def _is_storable(dtype: np.dtype[Any]) -> bool:
    if dtype.kind in "mM":
        unit, count = np.datetime_data(dtype)
        return unit in _UNITS and count == 1
    if dtype.kind in "SU":
        return dtype.itemsize > 0
    if dtype.kind in "biu":
        return True
    return dtype.kind in "fc" and dtype.itemsize in ((2, 4, 8) if dtype.kind == "f" else (8, 16))


def dtype_name(dtype: np.dtype[Any]) -> str:
    """Return the name of a dtype, which `parse_dtype` accepts.

    Examples
    --------
    >>> dtype_name(np.dtype("U5")), dtype_name(np.dtype("datetime64[ns]"))
    ('U5', 'datetime64[ns]')
    """
    if dtype.kind == "T":
        return "string"
    return dtype.str[1:] if dtype.kind in "SU" else dtype.name


def cast_exactly(values: NDArray[Any], dtype: np.dtype[Any], *, name: str) -> NDArray[Any]:
    """Convert values to another dtype, if it represents each of them exactly.

    Parameters
    ----------
    values
        Array of any shape.
    dtype
        The dtype of the result.
    name
        Name of the variable, for error messages.

    Returns
    -------
    ndarray
        The converted values; `values` itself if it already has this dtype.

    Raises
    ------
    SchemaError
        A value would change.
    """
    if values.dtype == dtype:
        return values
    if not _is_convertible(values.dtype, dtype):
        _refuse(values, dtype, name, "there is no conversion between these kinds of dtype")
    try:
        with np.errstate(all="ignore"):
            converted: NDArray[Any] = values.astype(dtype)
            back = converted.astype(values.dtype)
    except (TypeError, ValueError, OverflowError) as error:
        _refuse(values, dtype, name, str(error))
    changed = back != values
    if values.dtype.kind in "fcmM":
        changed &= ~(_is_missing(values) & _is_missing(converted))
    if values.dtype.kind in "mM":
        changed |= _is_missing(values) != _is_missing(converted)
    if values.dtype.kind in "iu" and dtype.kind in "iu":
        changed |= (values < 0) != (converted < 0)
    if np.any(changed):
        _refuse(values, dtype, name, f"the value {values[changed].flat[0]!r} would change")
    return converted


def _is_missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    if values.dtype.kind in "mM":
        return np.asarray(np.isnat(values))
    return np.asarray(np.isnan(values)) if values.dtype.kind in "fc" else np.zeros(values.shape, dtype=np.bool_)


def _is_convertible(source: np.dtype[Any], target: np.dtype[Any]) -> bool:
    numbers, text = "biuf", "UTO"
    if source.kind in numbers:
        return target.kind in numbers + "c"
    if source.kind in text:
        return target.kind in "UT"
    return source.kind == target.kind


def _refuse(values: NDArray[Any], dtype: np.dtype[Any], name: str, why: str) -> None:
    message = (
        f"variable {name!r} is declared {dtype_name(dtype)} and received {values.dtype}, which is not exact: {why}; "
        f"convert it before inserting, or declare another dtype"
    )
    raise SchemaError(message)


def to_scalar(value: object, dtype: np.dtype[Any], *, name: str) -> Any:
    """Return a fill value as a scalar of the dtype.

    Raises
    ------
    SchemaError
        The dtype cannot represent the value exactly. Floats are rounded.
    """
    if dtype.kind == "T":
        if not isinstance(value, str):
            message = f"fill value {value!r} of variable {name!r} is not a string"
            raise SchemaError(message)
        return str(value)
    array = (
        _parsed_time(value, dtype, name=name) if dtype.kind in "mM" and isinstance(value, str) else np.asarray(value)
    )
    if array.ndim != 0:
        message = f"fill value {value!r} of variable {name!r} is not a scalar"
        raise SchemaError(message)
    if array.dtype.kind == "f" and dtype.kind == "f":
        return array.astype(dtype)[()]  # 1e20 declared for float32 is the nearest float32, as in CF
    return cast_exactly(np.atleast_1d(array), dtype, name=f"{name} (fill value)")[0]


def _parsed_time(text: str, dtype: np.dtype[Any], *, name: str) -> NDArray[Any]:
    try:
        return np.asarray(text, dtype=dtype)
    except ValueError as error:
        message = (
            f"fill value {text!r} of variable {name!r} is not a {dtype_name(dtype)}; accepted: 'NaT', for instance"
        )
        raise SchemaError(message) from error


def scalar_to_json(value: Any, dtype: np.dtype[Any]) -> Any:
    """Return a scalar as JSON, in the form of the ``fill_value`` of a Zarr v3 array.

    Non-finite floats are the strings ``NaN``, ``Infinity`` and ``-Infinity``, complex numbers are pairs, bytes are base64,
    and times are integers. Source: Zarr v3 core specification, "Fill value".
    """
    if dtype.kind == "c":
        return [_float_to_json(float(value.real)), _float_to_json(float(value.imag))]
    if dtype.kind == "f":
        return _float_to_json(float(value))
    if dtype.kind in "mM":
        return int(np.asarray(value, dtype=dtype).view(np.int64))
    if dtype.kind == "S":
        return base64.standard_b64encode(bytes(value)).decode()
    return {"b": bool, "i": int, "u": int, "U": str, "T": str}[dtype.kind](value)


def scalar_from_json(value: Any, dtype: np.dtype[Any], *, name: str) -> Any:
    """Return the scalar that `scalar_to_json` wrote.

    Raises
    ------
    SchemaError
        The JSON value does not describe a scalar of this dtype.
    """
    try:
        if dtype.kind == "c":
            real, imaginary = value
            return dtype.type(complex(_float_from_json(real), _float_from_json(imaginary)))
        if dtype.kind == "f":
            return dtype.type(_float_from_json(value))
        if dtype.kind in "mM":
            return np.asarray(int(value), dtype=np.int64).view(dtype)[()]
        if dtype.kind == "S":
            return np.bytes_(base64.standard_b64decode(value))
    except (TypeError, ValueError, OverflowError) as error:
        message = f"stored fill value {value!r} of variable {name!r} is not a {dtype_name(dtype)}"
        raise SchemaError(message) from error
    return to_scalar(value, dtype, name=name)


def _float_to_json(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _float_from_json(value: float | str) -> float:
    if isinstance(value, str) and value not in {"NaN", "Infinity", "-Infinity"}:
        message = f"{value!r} is not a number"
        raise ValueError(message)
    return float(value)


def default_fill(dtype: np.dtype[Any]) -> Any:
    """Return the fill value in the metadata of a Zarr array whose variable declares none."""
    if dtype.kind == "T":
        return ""
    if dtype.kind in "mM":
        return np.asarray(_NOT_A_TIME).view(dtype)[()]
    return np.zeros((), dtype=dtype)[()]


def same_values(left: NDArray[Any], right: NDArray[Any]) -> bool:
    """Return whether two arrays have equal shapes, dtypes and values; missing values (NaN, NaT) equal each other."""
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    return bool(np.all((left == right) | (_is_missing(left) & _is_missing(right))))


_NETCDF_FILLS = {
    "i1": -127,
    "i2": -32767,
    "i4": -2147483647,
    "i8": -9223372036854775806,
    "u1": 255,
    "u2": 65535,
    "u4": 4294967295,
    "u8": 18446744073709551614,
}


def missing_value(dtype: np.dtype[Any]) -> Any:
    """Return the default marker of missing values of a dtype; None for booleans.

    The marker is NaN, NaT, the empty string, or the netCDF fill value for integers (``netcdf.h``, ``NC_FILL_INT`` and so on).
    """
    if dtype.kind in "fc":
        return dtype.type(np.nan)
    if dtype.kind in "mM":
        return default_fill(dtype)
    if dtype.kind in "TUS":
        return b"" if dtype.kind == "S" else ""
    return dtype.type(_NETCDF_FILLS[dtype.str[1:]]) if dtype.kind in "iu" else None


def in_words(value: Any) -> str:
    """Return a scalar as a string for messages, without its NumPy type.

    Examples
    --------
    >>> in_words(np.int16(-1)), in_words(np.datetime64("NaT")), in_words("")
    ('-1', 'NaT', "''")
    """
    if isinstance(value, np.number | np.bool_) and not isinstance(value, np.timedelta64):
        return repr(value.item())
    return str(value) if isinstance(value, np.datetime64 | np.timedelta64) else repr(value)
