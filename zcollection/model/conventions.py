"""CF conventions: the metadata of input values compared with the declaration of their variable.

Each kind of metadata has one function, which converts the values exactly or rejects them:

==============================================================  ===========================================================
metadata that differs from the declaration                      effect on the input values
==============================================================  ===========================================================
time units, calendar (`_as_times`)                              converted exactly, or rejected
packing: scale, offset, type, ``_Unsigned`` (`_unpacked`)       unpacked with the stated packing, packed with the declared
                                                                one; rejected if that would round a value
fill values (`_with_missing`)                                   replaced by the declared fill value; rejected if this is a
                                                                valid value of the input
`MEANING`: units, flags, direction, name (`check_meaning`)      rejected
any other attribute (`_harmless_differences`)                   not changed; the attribute is ignored and counted
==============================================================  ===========================================================

Source: CF conventions 1.11, sections 2.5, 3.1, 3.3, 3.5, 4.3, 4.4 and 8.1.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, NoReturn

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from zcollection.errors import SchemaError
from zcollection.model.attributes import as_json
from zcollection.model.calendars import STANDARD, CalendarTimes, calendar_name, has_datetime64, since_1970
from zcollection.model.dtypes import in_words
from zcollection.model.packing import Packing
from zcollection.model.plain_arrays import PlainArray, to_plain_array
from zcollection.model.schema import VariableSchema
from zcollection.model.times import TimeUnits, check_reformed, duration_unit, durations, has_time_units, units_of
from zcollection.model.value_metadata import PACKED, ValueMetadata, is_packed, packing_of, scaled_alike
from zcollection.model.variable import convert

Conventions = Literal["check", "ignore"]

MEANING: Final = ("units", "positive", "standard_name", "flag_values", "flag_masks", "flag_meanings")
"""Attributes that determine what the numbers mean."""

_STRUCTURE: Final = frozenset({*PACKED, "calendar", "coordinates"})
"""Attributes that are compared elsewhere, or follow from the schema."""

_IGNORE: Final = "pass conventions='ignore' to insert the numbers unchanged"


def conform(
    values: Any, metadata: ValueMetadata, declared: VariableSchema, *, name: str
) -> tuple[Any, tuple[str, ...]]:
    """Return values as their variable declares them, and the names of the differing attributes that are harmless.

    Parameters
    ----------
    values
        Any array; dask arrays are converted when they are computed.
    metadata
        The metadata of the values.
    declared
        The declaration of the variable.
    name
        Path of the variable, for error messages.

    Raises
    ------
    SchemaError
        The metadata contradicts the declaration, and there is no exact conversion.
    """
    check_meaning(metadata, declared, name=name)
    conversion, ignored = _Conversion(metadata, declared, name), _harmless_differences(metadata, declared)
    conversion.check_packing()
    if not conversion.changes_values:
        return values, ignored
    if hasattr(values, "map_blocks"):
        return values.map_blocks(conversion, dtype=declared.dtype), ignored
    return conversion(values), ignored


def check_meaning(metadata: ValueMetadata, declared: VariableSchema, *, name: str) -> None:
    """Check that no attribute gives the numbers a meaning other than the declared one.

    Raises
    ------
    SchemaError
        An attribute of `MEANING`, or the calendar, contradicts the declaration.
    """
    _check_calendar(metadata, declared, name)
    for attribute in MEANING:
        stated, expected = metadata.attrs.get(attribute), declared.attrs.get(attribute)
        if stated is None or _same(stated, expected) or (attribute == "units" and _are_converted(metadata, declared)):
            continue
        if expected is not None or (attribute == "units" and has_time_units(metadata.attrs)):
            _refuse(name, attribute, expected, stated)


def _check_calendar(metadata: ValueMetadata, declared: VariableSchema, name: str) -> None:
    """Reject times in a calendar whose dates differ from those of the declared calendar."""
    stated = _calendar(metadata, name)
    expected = _calendar(ValueMetadata(attrs=declared.attrs), name) or (
        "proleptic_gregorian" if declared.dtype.kind == "M" else None
    )
    if (
        stated is None
        or expected is None
        or stated == expected
        or (has_datetime64(stated) and has_datetime64(expected))
    ):
        return
    _refuse(name, "calendar", expected, stated)


def _calendar(metadata: ValueMetadata, name: str) -> str | None:
    """Return the canonical name of the stated calendar, "standard" for time units without a calendar, or None."""
    stated = metadata.attrs.get("calendar", STANDARD if has_time_units(metadata.attrs) else None)
    return None if stated is None else calendar_name(stated, name=name)


def _are_converted(metadata: ValueMetadata, declared: VariableSchema) -> bool:
    """Return whether the units are those of times or durations, which are converted if they differ."""
    if declared.dtype.kind == "m":
        return duration_unit(metadata.attrs) is not None
    return has_time_units(metadata.attrs) and (declared.dtype.kind == "M" or has_time_units(declared.attrs))


def _same(stated: Any, expected: Any) -> bool:
    one, other = as_json(stated), as_json(expected)
    if isinstance(one, str) and isinstance(other, str):
        return one.split() == other.split()
    listed = [value if isinstance(value, list) else [value] for value in (one, other)]
    return bool(listed[0] == listed[1])


def _refuse(name: str, attribute: str, expected: object, stated: object) -> NoReturn:
    declares = f"declares {attribute} {expected!r}" if expected is not None else f"declares no {attribute}"
    message = (
        f"variable {name!r} {declares}, and the input states {stated!r}; convert the values and the attribute before "
        f"inserting, or {_IGNORE}"
    )
    raise SchemaError(message)


def _harmless_differences(metadata: ValueMetadata, declared: VariableSchema) -> tuple[str, ...]:
    """Return the names of the differing attributes that do not determine what the numbers mean."""
    names = differing(metadata.attrs, declared.attrs)
    return tuple(name for name in names if name != "units" or not _are_converted(metadata, declared))


def differing(stated: Mapping[Any, Any], expected: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the stated attributes that differ from the expected ones; those of `_STRUCTURE` are skipped."""
    names = sorted(str(name) for name in stated if name not in _STRUCTURE)
    return tuple(name for name in names if not _same(stated[name], expected.get(name)))


@frozen
class _Conversion:
    """Converts values from their stated to their declared form; it pickles, for dask arrays.

    Attributes
    ----------
    metadata, declared, name
        As for `conform`.
    """

    metadata: ValueMetadata
    declared: VariableSchema
    name: str

    @property
    def _raw(self) -> Packing | None:
        """The packing in the attributes of a variable whose values are declared to be the stored numbers; or None."""
        declared = self.declared
        if declared.packing is not None or not is_packed(declared.attrs):
            return None
        raw = packing_of(declared.attrs, declared.dtype)
        return None if raw is None else evolve(raw, fill_value=declared.fill_value)

    def check_packing(self) -> None:
        """Reject stored numbers whose scale differs from that of the declared stored numbers."""
        stated, raw = self.metadata.packing, self._raw
        if stated is not None and raw is not None and not scaled_alike(stated, raw):
            attribute = "scale_factor" if stated.scale_factor != raw.scale_factor else "add_offset"
            _refuse(self.name, attribute, raw.attributes.get(attribute), stated.attributes.get(attribute))

    @property
    def changes_values(self) -> bool:
        """Whether the input values have to be converted or checked."""
        metadata = self.metadata
        is_stored = metadata.packing is not None or metadata.view is not None or bool(metadata.fill_values)
        return is_stored or self._marks_missing or self._other_grid or _are_converted(metadata, self.declared)

    @property
    def _marks_missing(self) -> bool:
        """Whether the declared fill value is a number, which may also be a valid value of the input."""
        fill = self.declared.fill_value
        return self.declared.dtype.kind in "iuf" and fill is not None and bool(fill == fill)  # noqa: PLR0124 - NaN is no number

    @property
    def _other_grid(self) -> bool:
        """Whether the input was stored with another packing than the declared one, which may have to round values."""
        grid, expected = self.metadata.grid, self.declared.packing
        if grid is None:
            return False
        return self._raw is not None or (expected is not None and not scaled_alike(grid, expected))

    def __call__(self, values: Any) -> NDArray[Any]:
        """Return values of the declared type."""
        found = to_plain_array(values, name=self.name)
        if isinstance(found.values, CalendarTimes) or found.values.dtype.kind not in "biufSUT":
            return convert(found, self.declared, name=self.name)
        array, missing = self._with_missing(found.values, found.missing)
        array = self._unpacked(array, missing)
        if self._marks_missing and not self._has_other_time_units and (self._raw is None or self.metadata.grid is None):
            self._check_marker(array, missing)
        return convert(self._as_times(array, missing), self.declared, name=self.name)

    def _with_missing(
        self, array: NDArray[Any], missing: NDArray[np.bool_] | None
    ) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
        """Return the input values, and the mask of the missing ones."""
        metadata = self.metadata
        if metadata.view is not None and array.dtype.kind in "iu":
            array = array.view(metadata.view)
        for fill in metadata.fill_values:
            equal = np.asarray(array == fill)
            missing = equal if missing is None else missing | equal
        return array, missing

    def _check_marker(self, array: NDArray[Any], missing: NDArray[np.bool_] | None) -> None:
        """Reject values that are not missing in the input but would be read as missing."""
        equal = np.asarray(array == self.declared.fill_value)
        if np.any(equal if missing is None else equal & ~missing):
            stated = self.metadata.fill_values
            message = (
                f"variable {self.name!r} declares the fill value {in_words(self.declared.fill_value)}, and the input has it as a value: "
                f"it states {f'the fill value {in_words(stated[0])}' if stated else 'no fill value'}; replace the value, state it as "
                f"_FillValue, or {_IGNORE}"
            )
            raise SchemaError(message)

    def _unpacked(self, array: NDArray[Any], missing: NDArray[np.bool_] | None) -> NDArray[Any]:
        """Return the values of stored numbers, after a check for rounding if the packings differ."""
        metadata, expected, raw = self.metadata, self.declared.packing, self._raw
        if raw is not None:
            return self._packed(array, raw) if metadata.grid is not None else array
        if metadata.packing is not None:
            is_alike = expected is not None and scaled_alike(metadata.packing, expected)
            array = metadata.packing.unpack(array, self.declared.dtype if is_alike else metadata.unpacked)
            if missing is not None:
                array[missing] = np.nan
            if expected is not None and not is_alike:
                self._check_rounding(array, expected)
        elif self._other_grid and expected is not None and array.dtype.kind == "f":
            self._check_rounding(array, expected)
        return array

    def _packed(self, values: NDArray[Any], raw: Packing) -> NDArray[Any]:
        """Return the stored numbers of values, for a variable that declares the stored numbers."""
        self._check_rounding(values, raw)
        return raw.pack(values.astype(np.float64), name=self.name)

    def _check_rounding(self, values: NDArray[Any], expected: Packing) -> None:
        """Reject values that the declared packing would round, if they were stored with another packing."""
        wrong = expected.rounds(values, name=self.name)
        if np.any(wrong):
            stated = self.metadata.packing or self.metadata.grid
            message = (
                f"variable {self.name!r} is packed with {_in_words(expected)}, and the input with {_in_words(stated)}: its value "
                f"{values[wrong].flat[0]} would be rounded; round the values before inserting, or {_IGNORE}"
            )
            raise SchemaError(message)

    @property
    def _has_other_time_units(self) -> bool:
        """Whether the input counts time in units that differ from the declared ones."""
        if not (has_time_units(self.metadata.attrs) and _are_converted(self.metadata, self.declared)):
            return False
        return self.declared.dtype.kind == "M" or self._stated_units != units_of(self.declared.attrs, name=self.name)

    @property
    def _stated_units(self) -> TimeUnits:
        return units_of(self.metadata.attrs, name=self.name)

    def _as_times(self, array: NDArray[Any], missing: NDArray[np.bool_] | None) -> PlainArray:
        """Return numbers as times or durations if their units differ from the declared ones; else unchanged."""
        if self.declared.dtype.kind == "m" and array.dtype.kind in "iuf":
            return PlainArray(durations(array, self.metadata.attrs, name=self.name), missing)
        if not self._has_other_time_units or array.dtype.kind not in "iuf":
            return PlainArray(array, missing)
        units = self._stated_units
        times = units.decode(array if missing is None else np.where(missing, np.zeros((), array.dtype), array))
        if missing is not None:
            times[missing] = np.array("NaT", times.dtype)
        declared = self.declared
        if declared.dtype.kind != "M" and units.calendar == units_of(declared.attrs, name=self.name).calendar:
            return PlainArray(CalendarTimes(since_1970(times), units.calendar))
        check_reformed(times, units.calendar, name=self.name)
        return PlainArray(times)


def _in_words(packing: Packing | None) -> str:
    attributes = {} if packing is None else packing.attributes
    return ", ".join(f"{name} {value!r}" for name, value in attributes.items()) or "no scale_factor"
