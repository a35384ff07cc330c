"""The variables of positions, and their values."""

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
    """The paths of the variables to draw, which have the same dimensions.

    Attributes
    ----------
    latitude, longitude
        The variables of the positions.
    variable
        The variable that colours the rows; None without colours.
    """

    latitude: str
    longitude: str
    variable: str | None

    @classmethod
    def of(cls, schema: DatasetSchema, variable: str | None, *, latitude: str | None, longitude: str | None) -> "Names":
        """Return the variables to draw, given names or the CF attributes in a schema.

        Raises
        ------
        SchemaError
            A variable is unknown, or there is not exactly one latitude and longitude with its dimensions.
        """
        path = None if variable is None else _named(schema, variable)
        dimensions = None if path is None else schema.dimension_paths[path]
        found = _angle(schema, latitude, "latitude", is_latitude, variable=path, dimensions=dimensions)
        return cls(
            latitude=found,
            longitude=_angle(
                schema, longitude, "longitude", is_longitude, variable=path, dimensions=schema.dimension_paths[found]
            ),
            variable=path,
        )

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths without duplicates."""
        return tuple(dict.fromkeys(name for name in (self.latitude, self.longitude, self.variable) if name is not None))


def _named(schema: DatasetSchema, name: str) -> str:
    variables = schema.all_variables()
    path = name.strip("/")
    found = [path] if path in variables else [each for each in variables if each.rpartition("/")[2] == path]
    if len(found) != 1:
        what = "is unknown" if not found else "is ambiguous"
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
    dimensions: tuple[str, ...] | None,
) -> str:
    variables, dimensions_of = schema.all_variables(), schema.dimension_paths
    if name is None:
        candidates = [path for path, each in variables.items() if is_one(each)]
        candidates = candidates or [path for path in variables if path.rpartition("/")[2].lower() in _NAMES[what]]
    else:
        candidates = [_named(schema, name)]
    fitting = [path for path in candidates if dimensions is None or dimensions_of[path] == dimensions]
    if len(fitting) == 1:
        return fitting[0]
    units = "degrees_north" if what == "latitude" else "degrees_east"
    if fitting:
        message = f"{len(fitting)} variables are a {what} by their attributes; accepted: {what}=… with one of {fitting}"
    elif not candidates:
        message = (
            f"no variable is a {what}; accepted: one whose units are {units!r}, or {what}=… with its name, one of {[*variables]}; "
            f"coverage().plot() draws rows without positions"
        )
    else:
        found = ", ".join(f"{path!r} has ({', '.join(dimensions_of[path])})" for path in candidates)
        whose = f"variable {variable!r} has" if variable is not None else "the latitude has"
        message = (
            f"{whose} the dimensions ({', '.join(dimensions or ())}), but each possible {what} has others: {found}; accepted: a position for each "
            f"value; use to_xarray() to draw gridded fields"
        )
    raise SchemaError(message)


@frozen(eq=False, kw_only=True)
class Values:
    """The values to draw.

    Attributes
    ----------
    numbers
        float64, of the shape of the variable; NaN for missing values.
    calendar
        The calendar if the numbers are dates on an axis; None for other numbers.
    """

    numbers: NDArray[np.float64]
    calendar: str | None = None

    @classmethod
    def of(cls, variable: Variable) -> "Values":
        """Return the values of a variable; times become numbers on an axis of dates.

        Raises
        ------
        SchemaError
            The values are neither numbers nor times.
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
    """Return the description of a variable and its unit, from CF attributes."""
    attrs = variable.attrs
    name = attrs.get("long_name") or attrs.get("standard_name") or variable.name
    units = attrs.get("units")
    return f"{name} [{units}]" if units and units != "1" and " since " not in f"{units}" else f"{name}"
