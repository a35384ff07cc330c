"""Which variables say where rows are, and what of them is known."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.plugin import (
    DatasetSchema,
    SchemaError,
    Variable,
    VariableSchema,
    accepted,
    as_times,
    calendar_name,
    is_latitude,
    is_longitude,
)
from zcollection_plot.dates import GREGORIAN, days_since_1970, numbers_on_axis

_NAMES: Final = {"latitude": {"latitude", "lat"}, "longitude": {"longitude", "lon"}}


@frozen(kw_only=True)
class Names:
    """What is drawn: paths of variables of the same dimensions.

    Attributes
    ----------
    latitude, longitude
        Where rows are.
    variable
        What colours them; None for nothing.
    """

    latitude: str
    longitude: str
    variable: str | None

    @classmethod
    def of(cls, schema: DatasetSchema, variable: str | None, *, latitude: str | None, longitude: str | None) -> "Names":
        """Return the variables of a schema that are meant.

        Raises
        ------
        SchemaError
            One is unknown, or there is no single latitude and longitude that has its dimensions.
        """
        path = None if variable is None else _named(schema, variable)
        wanted = None if path is None else schema.dimension_paths[path]
        found = _angle(schema, latitude, "latitude", is_latitude, variable=path, wanted=wanted)
        return cls(
            latitude=found,
            longitude=_angle(
                schema, longitude, "longitude", is_longitude, variable=path, wanted=schema.dimension_paths[found]
            ),
            variable=path,
        )

    @property
    def paths(self) -> tuple[str, ...]:
        """Each of them once."""
        return tuple(dict.fromkeys(name for name in (self.latitude, self.longitude, self.variable) if name is not None))


def _named(schema: DatasetSchema, name: str) -> str:
    variables = schema.all_variables()
    path = name.strip("/")
    found = [path] if path in variables else [each for each in variables if each.rpartition("/")[2] == path]
    if len(found) != 1:
        what = "is unknown" if not found else "may be one of several variables"
        message = f"variable {name!r} {what}; {accepted(path, found or variables)}"
        raise SchemaError(message)
    return found[0]


def _angle(
    schema: DatasetSchema,
    name: str | None,
    what: str,
    is_one: Callable[[VariableSchema], bool],
    *,
    variable: str | None,
    wanted: tuple[str, ...] | None,
) -> str:
    variables, dimensions = schema.all_variables(), schema.dimension_paths
    if name is None:
        candidates = [path for path, each in variables.items() if is_one(each)]
        candidates = candidates or [path for path in variables if path.rpartition("/")[2].lower() in _NAMES[what]]
    else:
        candidates = [_named(schema, name)]
    fitting = [path for path in candidates if wanted is None or dimensions[path] == wanted]
    if len(fitting) == 1:
        return fitting[0]
    units = "degrees_north" if what == "latitude" else "degrees_east"
    if fitting:
        message = f"{len(fitting)} variables are a {what} by their attributes; accepted: {what}=… with one of {fitting}"
    elif not candidates:
        message = (
            f"no variable is a {what}; accepted: one whose units are {units!r}, or {what}=… with its name, one of {[*variables]}; "
            f"coverage().plot() draws what there is without positions"
        )
    else:
        held = ", ".join(f"{path!r} has ({', '.join(dimensions[path])})" for path in candidates)
        whose = f"variable {variable!r} has" if variable is not None else "the latitude has"
        message = (
            f"{whose} the dimensions ({', '.join(wanted or ())}), and of what is a {what} {held}; accepted: a position for each "
            f"value; a field on a grid is drawn from to_xarray()"
        )
    raise SchemaError(message)


@frozen(eq=False, kw_only=True)
class Values:
    """Numbers that are drawn.

    Attributes
    ----------
    numbers
        float64, of the shape of the variable; NaN where nothing is known.
    calendar
        That of the dates that the numbers are on an axis; None for plain numbers.
    """

    numbers: NDArray[np.float64]
    calendar: str | None = None

    @classmethod
    def of(cls, variable: Variable) -> "Values":
        """Return the values of a variable; times as numbers of an axis of dates.

        Raises
        ------
        SchemaError
            They are neither numbers nor times.
        """
        values = as_times(variable)
        if values.dtype.kind == "M" or (values.dtype.kind == "m" and variable.dtype.kind != "m"):
            calendar = GREGORIAN if values.dtype.kind == "M" else _calendar(variable)
            return cls(numbers=numbers_on_axis(days_since_1970(values), calendar), calendar=calendar)
        if values.dtype.kind not in "biuf":
            message = f"variable {variable.name!r} is {values.dtype}; accepted: a variable of numbers or times"
            raise SchemaError(message)
        numbers = values.astype(np.float64)
        fill = variable.fill_value
        missing = ~np.isfinite(numbers) if fill is None else ~np.isfinite(numbers) | (values == fill)
        return cls(numbers=np.where(missing, np.nan, numbers))


def _calendar(variable: Variable) -> str:
    return calendar_name(variable.attrs.get("calendar", "standard"), name=variable.name)


def described(variable: Any) -> str:
    """Return what a variable is, and its unit, as CF's attributes say it."""
    attrs = variable.attrs
    name = attrs.get("long_name") or attrs.get("standard_name") or variable.name
    units = attrs.get("units")
    return f"{name} [{units}]" if units and units != "1" and " since " not in f"{units}" else f"{name}"
