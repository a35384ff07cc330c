"""What numbers mean: what is stated of values that are given, held against what their variable declares.

For each kind of statement there is one function here. It converts the values exactly, or refuses them:

==============================================================  ===========================================================
what is stated, where the declaration says otherwise            what becomes of the values
==============================================================  ===========================================================
time units, calendar (`_as_times`)                              converted exactly, or refused
packing: scale, offset, type, ``_Unsigned`` (`_unpacked`)       unpacked by its own, for ours to pack; refused where ours
                                                                does not have a value
fill values (`_with_missing`)                                   replaced by ours; refused where ours is a value there
`MEANING`: units, flags, direction, name (`check_meaning`)     refused
anything else (`_without_harm`)                                 taken as they are; the attribute is ignored and counted
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
from zcollection.model.plain import Plain, plain
from zcollection.model.schema import VariableSchema
from zcollection.model.statements import PACKED, Statement, is_packed, packing_of, scaled_alike
from zcollection.model.times import TimeUnits, check_reformed, duration_unit, durations, has_time_units, units_of
from zcollection.model.variable import convert

Conventions = Literal["check", "ignore"]

MEANING: Final = ("units", "positive", "standard_name", "flag_values", "flag_masks", "flag_meanings")
"""Attributes without which the same numbers do not mean the same."""

_STRUCTURE: Final = frozenset({*PACKED, "calendar", "coordinates"})
"""Attributes that are compared otherwise, or follow from the schema."""

_ANYWAY: Final = "pass conventions='ignore' to take the numbers as they are"


def conform(values: Any, statement: Statement, declared: VariableSchema, *, name: str) -> tuple[Any, tuple[str, ...]]:
    """Return values as a variable declares them, and the names of the attributes that differ without harm.

    Parameters
    ----------
    values
        An array of any kind; those of dask are converted when they are computed.
    statement
        What is stated of them.
    declared
        What they must be.
    name
        Path of the variable, for messages.

    Raises
    ------
    SchemaError
        What is stated and what is declared contradict each other, and no exact conversion is known.
    """
    check_meaning(statement, declared, name=name)
    reading, ignored = _Reading(statement, declared, name), _without_harm(statement, declared)
    reading.check_packing()
    if not reading.changes_values:
        return values, ignored
    if hasattr(values, "map_blocks"):
        return values.map_blocks(reading, dtype=declared.dtype), ignored
    return reading(values), ignored


def check_meaning(statement: Statement, declared: VariableSchema, *, name: str) -> None:
    """Check that no attribute says that the same numbers mean something else than is declared.

    Raises
    ------
    SchemaError
        One does.
    """
    _check_calendar(statement, declared, name)
    for attribute in MEANING:
        stated, ours = statement.attrs.get(attribute), declared.attrs.get(attribute)
        if stated is None or _same(stated, ours) or (attribute == "units" and _are_converted(statement, declared)):
            continue
        if ours is not None or (attribute == "units" and has_time_units(statement.attrs)):
            _refuse(name, attribute, ours, stated)


def _check_calendar(statement: Statement, declared: VariableSchema, name: str) -> None:
    """Refuse times in a calendar whose days are not those of the declared one."""
    stated = _calendar(statement, name)
    ours = _calendar(Statement(attrs=declared.attrs), name) or (
        "proleptic_gregorian" if declared.dtype.kind == "M" else None
    )
    if stated is None or ours is None or stated == ours or (has_datetime64(stated) and has_datetime64(ours)):
        return
    _refuse(name, "calendar", ours, stated)


def _calendar(statement: Statement, name: str) -> str | None:
    """Return the one name of the calendar that is stated, the standard one where units of time come without; or None."""
    stated = statement.attrs.get("calendar", STANDARD if has_time_units(statement.attrs) else None)
    return None if stated is None else calendar_name(stated, name=name)


def _are_converted(statement: Statement, declared: VariableSchema) -> bool:
    """Return whether differing units are those of times, or of lengths of time, which are converted."""
    if declared.dtype.kind == "m":
        return duration_unit(statement.attrs) is not None
    return has_time_units(statement.attrs) and (declared.dtype.kind == "M" or has_time_units(declared.attrs))


def _same(stated: Any, ours: Any) -> bool:
    one, other = as_json(stated), as_json(ours)
    if isinstance(one, str) and isinstance(other, str):
        return one.split() == other.split()
    listed = [value if isinstance(value, list) else [value] for value in (one, other)]
    return bool(listed[0] == listed[1])


def _refuse(name: str, attribute: str, ours: object, stated: object) -> NoReturn:
    declares = f"declares {attribute} {ours!r}" if ours is not None else f"declares no {attribute}"
    message = (
        f"variable {name!r} {declares}, and what is given states {stated!r}; convert the values and the attribute before "
        f"inserting, or {_ANYWAY}"
    )
    raise SchemaError(message)


def _without_harm(statement: Statement, declared: VariableSchema) -> tuple[str, ...]:
    """Return the names of the attributes that differ and say nothing of what the numbers mean."""
    others = differing(statement.attrs, declared.attrs)
    return tuple(name for name in others if name != "units" or not _are_converted(statement, declared))


def differing(stated: Mapping[Any, Any], ours: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of attributes, but those that are compared otherwise, that are stated and not ours."""
    others = sorted(str(name) for name in stated if name not in _STRUCTURE)
    return tuple(name for name in others if not _same(stated[name], ours.get(name)))


@frozen
class _Reading:
    """Reads values as they are stated to be, and returns them as they are declared; arrays of dask take it along.

    Attributes
    ----------
    statement, declared, name
        As given to `conform`.
    """

    statement: Statement
    declared: VariableSchema
    name: str

    @property
    def _raw(self) -> Packing | None:
        """The packing of a variable that declares the stored numbers as its values."""
        declared = self.declared
        if declared.packing is not None or not is_packed(declared.attrs):
            return None
        raw = packing_of(declared.attrs, declared.dtype)
        return None if raw is None else evolve(raw, fill_value=declared.fill_value)

    def check_packing(self) -> None:
        """Refuse stored numbers with another scale than that of stored numbers that are declared."""
        stated, raw = self.statement.packing, self._raw
        if stated is not None and raw is not None and not scaled_alike(stated, raw):
            attribute = "scale_factor" if stated.scale_factor != raw.scale_factor else "add_offset"
            _refuse(self.name, attribute, raw.attributes.get(attribute), stated.attributes.get(attribute))

    @property
    def changes_values(self) -> bool:
        """Whether the given values are not those declared as they are, or may be none of them."""
        statement = self.statement
        is_stored = statement.packing is not None or statement.view is not None or bool(statement.fill_values)
        return is_stored or self._marks_missing or self._other_grid or _are_converted(statement, self.declared)

    @property
    def _marks_missing(self) -> bool:
        """Whether a number means a missing value, which may be a value of those that are given."""
        fill = self.declared.fill_value
        return self.declared.dtype.kind in "iuf" and fill is not None and bool(fill == fill)  # noqa: PLR0124 - NaN is none

    @property
    def _other_grid(self) -> bool:
        """Whether the given values were stored with another packing than ours, which may not have all of them."""
        grid, ours = self.statement.grid, self.declared.packing
        if grid is None:
            return False
        return self._raw is not None or (ours is not None and not scaled_alike(grid, ours))

    def __call__(self, values: Any) -> NDArray[Any]:
        """Return values of the declared type."""
        found = plain(values, name=self.name)
        if isinstance(found.values, CalendarTimes) or found.values.dtype.kind not in "biufSUT":
            return convert(found, self.declared, name=self.name)
        array, missing = self._with_missing(found.values, found.missing)
        array = self._unpacked(array, missing)
        if self._marks_missing and not self._counts_differently and (self._raw is None or self.statement.grid is None):
            self._check_marker(array, missing)
        return convert(self._as_times(array, missing), self.declared, name=self.name)

    def _with_missing(
        self, array: NDArray[Any], missing: NDArray[np.bool_] | None
    ) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
        """Return the given values, and which of them are missing."""
        statement = self.statement
        if statement.view is not None and array.dtype.kind in "iu":
            array = array.view(statement.view)
        for fill in statement.fill_values:
            equal = np.asarray(array == fill)
            missing = equal if missing is None else missing | equal
        return array, missing

    def _check_marker(self, array: NDArray[Any], missing: NDArray[np.bool_] | None) -> None:
        """Refuse values that would be read as missing, and are stated to be none."""
        equal = np.asarray(array == self.declared.fill_value)
        if np.any(equal if missing is None else equal & ~missing):
            stated = self.statement.fill_values
            message = (
                f"variable {self.name!r} declares the fill value {in_words(self.declared.fill_value)}, and what is given has it as a value: "
                f"it states {f'the fill value {in_words(stated[0])}' if stated else 'no fill value'}; replace the value, state it as "
                f"_FillValue, or {_ANYWAY}"
            )
            raise SchemaError(message)

    def _unpacked(self, array: NDArray[Any], missing: NDArray[np.bool_] | None) -> NDArray[Any]:
        """Return the values of stored numbers; values that were stored otherwise are looked at."""
        statement, ours, raw = self.statement, self.declared.packing, self._raw
        if raw is not None:
            return self._packed(array, raw) if statement.grid is not None else array
        if statement.packing is not None:
            is_alike = ours is not None and scaled_alike(statement.packing, ours)
            array = statement.packing.unpack(array, self.declared.dtype if is_alike else statement.unpacked)
            if missing is not None:
                array[missing] = np.nan
            if ours is not None and not is_alike:
                self._check_rounding(array, ours)
        elif self._other_grid and ours is not None and array.dtype.kind == "f":
            self._check_rounding(array, ours)
        return array

    def _packed(self, values: NDArray[Any], raw: Packing) -> NDArray[Any]:
        """Return the stored numbers of values, where these are what is declared."""
        self._check_rounding(values, raw)
        return raw.pack(values.astype(np.float64), name=self.name)

    def _check_rounding(self, values: NDArray[Any], ours: Packing) -> None:
        """Refuse values, stored with another packing before, that ours does not have."""
        wrong = ours.rounds(values, name=self.name)
        if np.any(wrong):
            stated = self.statement.packing or self.statement.grid
            message = (
                f"variable {self.name!r} is packed with {_in_words(ours)}, and what is given with {_in_words(stated)}: its value "
                f"{values[wrong].flat[0]} would be rounded; round the values before inserting, or {_ANYWAY}"
            )
            raise SchemaError(message)

    @property
    def _counts_differently(self) -> bool:
        """Whether numbers of time are given in other units than those declared."""
        if not (has_time_units(self.statement.attrs) and _are_converted(self.statement, self.declared)):
            return False
        return self.declared.dtype.kind == "M" or self._stated_units != units_of(self.declared.attrs, name=self.name)

    @property
    def _stated_units(self) -> TimeUnits:
        return units_of(self.statement.attrs, name=self.name)

    def _as_times(self, array: NDArray[Any], missing: NDArray[np.bool_] | None) -> Plain:
        """Return numbers that count time otherwise than declared as times; all others as they are."""
        if self.declared.dtype.kind == "m" and array.dtype.kind in "iuf":
            return Plain(durations(array, self.statement.attrs, name=self.name), missing)
        if not self._counts_differently or array.dtype.kind not in "iuf":
            return Plain(array, missing)
        units = self._stated_units
        times = units.decode(array if missing is None else np.where(missing, np.zeros((), array.dtype), array))
        if missing is not None:
            times[missing] = np.array("NaT", times.dtype)
        declared = self.declared
        if declared.dtype.kind != "M" and units.calendar == units_of(declared.attrs, name=self.name).calendar:
            return Plain(CalendarTimes(since_1970(times), units.calendar))
        check_reformed(times, units.calendar, name=self.name)
        return Plain(times)


def _in_words(packing: Packing | None) -> str:
    attributes = {} if packing is None else packing.attributes
    return ", ".join(f"{name} {value!r}" for name, value in attributes.items()) or "no scale_factor"
