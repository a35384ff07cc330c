"""Attributes of groups and variables: immutable JSON values, which schemas share."""

import math
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from zcollection.errors import SchemaError
from zcollection.model.dtypes import scalar_to_json


class Attributes(dict[str, Any]):
    """A dictionary that cannot be changed in place.

    Examples
    --------
    >>> {**Attributes(units="m"), "units": "cm"}
    {'units': 'cm'}
    """

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        message = "attributes are part of a schema, which does not change; make another from a copy: {**attrs, ...}"
        raise TypeError(message)

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type["Attributes"], tuple[dict[str, Any]]]:
        return Attributes, (dict(self),)


def as_attributes(attrs: Mapping[str, Any] | None) -> Attributes:
    """Return attributes as plain JSON values: NumPy scalars and arrays become numbers and lists.

    Raises
    ------
    SchemaError
        An attribute cannot be represented in JSON, or its name is reserved.
    """
    return Attributes({_name(name): _value(value, name=name) for name, value in (attrs or {}).items()})


def as_json(value: object) -> Any:
    """Return the value of an attribute as a JSON value; a value that JSON cannot represent becomes a string."""
    try:
        return _value(value, name="")
    except SchemaError:
        return str(value)


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name:
        message = f"attribute {name!r}: a name is a string that is not empty"
        raise SchemaError(message)
    if name in {"zcollection", "_FillValue"}:
        message = f"attribute {name!r} is reserved; a fill value is given as fill_value"
        raise SchemaError(message)
    return name


def _value(value: object, *, name: str) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, float) and not math.isfinite(value):
        return scalar_to_json(value, np.dtype("float64"))
    if isinstance(value, str | bool | int | float | None):
        return value
    if isinstance(value, list | tuple):
        return [_value(item, name=name) for item in value]
    if isinstance(value, Mapping):
        return Attributes({str(key): _value(item, name=name) for key, item in value.items()})
    message = f"attribute {name!r} has a value of type {type(value).__name__}; accepted: JSON values"
    raise SchemaError(message)
