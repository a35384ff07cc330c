"""The decoding options of xarray; the defaults are those of ``query().to_xarray()``."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from zcollection.plugin import PluginConfigurationError, Variable, VariableSchema, times_as_objects

Option = Any
"""A value, a mapping from variable names to values, or None for the default."""


@frozen(kw_only=True)
class Decoding:
    """How variables are decoded; the names are those of `xarray.open_dataset`.

    Attributes
    ----------
    mask_and_scale
        False keeps the stored numbers, with the attributes for their decoding.
    decode_times
        False keeps the stored numbers; xarray's coders are also accepted.
    use_cftime
        True gives cftime objects in any calendar; False rejects calendars that datetime64 does not support.
    """

    mask_and_scale: Option = None
    decode_times: Option = None
    use_cftime: Option = None

    def decoded(self, path: str, variable: Variable) -> tuple[Variable, dict[str, Any]]:
        """Return a variable for the default decoding, and additional attributes.

        Raises
        ------
        PluginConfigurationError
            An option has an unsupported value.
        """
        schema = variable.schema
        counts_time = schema.dtype.kind in "iuf" and " since " in str(schema.attrs.get("units", ""))
        if not counts_time:
            return self._as_stored(path, variable) if self._of("mask_and_scale", schema) is False else (variable, {})
        coder = self._of("decode_times", schema)
        if coder is False:
            kept = {name: schema.attrs[name] for name in ("units", "calendar") if name in schema.attrs}
            rest = {name: value for name, value in schema.attrs.items() if name not in kept}
            unscaled = Variable(evolve(schema, attrs=rest), variable.data)
            masked = self._of("mask_and_scale", schema) is not False
            found, more = (unscaled, {}) if masked else self._as_stored(path, unscaled)
            return found, kept | more
        return self._with_cftime(path, variable, coder), {}

    def _with_cftime(self, path: str, variable: Variable, coder: Any) -> Variable:
        schema, use_cftime = variable.schema, self._of("use_cftime", variable.schema)
        if coder not in {None, True}:
            if getattr(coder, "time_unit", "ns") != "ns":
                raise _refused(path, f"decode_times={coder!r}", "a coder with time_unit='ns', True, False or None")
            use_cftime = getattr(coder, "use_cftime", None) if use_cftime is None else use_cftime
        calendar = str(schema.attrs.get("calendar", "standard")).lower()
        if use_cftime is False and calendar not in {"standard", "gregorian", "proleptic_gregorian"}:
            raise _refused(path, f"use_cftime=False with the calendar {calendar!r}", "True or None")
        if not use_cftime:
            return variable
        attrs = {name: value for name, value in schema.attrs.items() if name not in {"units", "calendar"}}
        data = _mapped(variable.data, partial(times_as_objects, schema), np.dtype(object))
        return Variable(evolve(schema, attrs=attrs, fill_value=None, packing=None), data)

    def _as_stored(self, path: str, variable: Variable) -> tuple[Variable, dict[str, Any]]:
        schema, packing = variable.schema, variable.schema.packing
        if packing is None:
            if schema.fill_value is None or schema.dtype.kind not in "iuf":
                return variable, {}
            return Variable(evolve(schema, fill_value=None), variable.data), {"_FillValue": schema.fill_value}
        _check_packs_exactly(path, schema)
        data = _mapped(variable.data, partial(packing.pack, name=path), packing.dtype)
        fill = {} if packing.fill_value is None else {"_FillValue": packing.dtype.type(packing.fill_value)}
        stored = evolve(schema, dtype=packing.dtype, packing=None, fill_value=None)
        return Variable(stored, data), {**packing.attributes, **fill}

    def _of(self, option: str, schema: VariableSchema) -> Any:
        value = getattr(self, option)
        return value.get(schema.name) if isinstance(value, Mapping) else value


def _check_packs_exactly(path: str, schema: VariableSchema) -> None:
    """Check that the stored numbers can be computed exactly from the decoded values."""
    packing = schema.packing
    assert packing is not None  # noqa: S101 - checked by the caller
    digits = np.finfo(schema.dtype).nmant
    if packing.dtype.kind in "iu":
        largest = 2.0 ** (8 * packing.dtype.itemsize) + abs((packing.add_offset or 0.0) / (packing.scale_factor or 1.0))
        if math.log2(largest) < digits - 2:
            return
    raise _refused(
        path,
        f"mask_and_scale=False, but {schema.dtype} cannot represent every number stored as {packing.dtype}",
        "None or True, or mask_and_scale={'" + schema.name + "': True, …}",
    )


def _refused(path: str, what: str, accepted: str) -> PluginConfigurationError:
    return PluginConfigurationError(f"variable {path!r} is requested with {what}; accepted: {accepted}")


def _mapped(data: Any, function: Any, dtype: np.dtype[Any]) -> Any:
    if hasattr(data, "map_blocks"):
        return data.map_blocks(function, dtype=dtype)
    values: NDArray[Any] = function(data)
    return values
