"""Gradients along the axis, from the differences between a row and its neighbours."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.plugin import (
    Computation,
    Dataset,
    DatasetSchema,
    PluginConfigurationError,
    SchemaError,
    VariableSchema,
)
from zcollection_view_along_track.columns import along, as_names, as_suffix, axis_values, declared, placed

EARTH_RADIUS = 6_371_008.8
"""Mean radius of the Earth in metres (IUGG: R1 of GRS 80)."""


def _as_position(value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = as_names(value) if isinstance(value, list | tuple) else ()
    if len(names) != 2:
        message = f"position is {value!r}; accepted: the paths of longitude and latitude, or None for distances along the axis"
        raise PluginConfigurationError(message)
    return names


@frozen(kw_only=True)
class Gradient(Computation):
    """Compute the gradient of each variable: along the axis (per second for times), or per metre over ground.

    If both neighbours of a row are present, the gradient is the second-order difference for unequal distances. With one
    neighbour, it is the difference from this neighbour. Without neighbours, or if the row itself is missing, the gradient is
    missing.

    Parameters
    ----------
    variables
        Path of a variable along the axis, or of several.
    position
        Paths of longitude and latitude in degrees, for distances over ground on a sphere. None for distances along the axis.
    axis
        The axis: the variable of the root group that orders the rows.
    suffix
        Suffix appended to the name of a variable to name the output.

    Notes
    -----
    The formula is that of `numpy.gradient` (Quarteroni, Sacco, Saleri, "Numerical Mathematics", 2007); distances over
    ground follow the haversine formula.

    Examples
    --------
    >>> Gradient("sla", position=("longitude", "latitude")).inputs
    ('sla', 'time', 'longitude', 'latitude')
    """

    variables: tuple[str, ...] = field(converter=as_names, kw_only=False)
    position: tuple[str, ...] | None = field(default=None, converter=_as_position)
    axis: str = "time"
    suffix: str = field(default="_gradient", converter=as_suffix)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Paths of the variables that `compute` reads."""
        return tuple(dict.fromkeys((*self.variables, self.axis, *(self.position or ()))))

    @property
    def halo(self) -> int:
        """One row on each side."""
        return 1

    def outputs(self, schema: DatasetSchema) -> Mapping[str, VariableSchema]:
        """Return floating-point variables of the same dimensions.

        Raises
        ------
        SchemaError
            A variable is missing, or does not contain real numbers.
        """
        schema.select(self.inputs)
        return declared(
            self.variables, schema, self.suffix, {path: self._attrs(path, schema) for path in self.variables}
        )

    def _attrs(self, path: str, schema: DatasetSchema) -> dict[str, Any]:
        units = schema.get_variable(path).attrs.get("units", "1")
        axis = schema.get_variable(self.axis)
        is_time = axis.dtype.kind in "mM" or " since " in str(axis.attrs.get("units", ""))
        step = "m" if self.position else "s" if is_time else axis.attrs.get("units", "1")
        return {"units": "1" if units == step else f"{units} {step}-1"}

    def compute(self, rows: Dataset) -> Mapping[str, NDArray[Any]]:
        """Return the slopes at all rows."""
        outputs, steps = self.outputs(rows.schema), self._steps(rows)
        return {
            path + self.suffix: placed(
                slopes(along(rows, path, self.axis), steps), rows, path, self.axis, outputs[path + self.suffix].dtype
            )
            for path in self.variables
        }

    def _steps(self, rows: Dataset) -> NDArray[np.float64]:
        """Return the distance from each row to the next, shape (rows - 1,), NaN if it is unknown."""
        if self.position is not None:
            longitude, latitude = (along(rows, path, self.axis) for path in self.position)
            return over_ground(longitude, latitude)
        axis = axis_values(rows.get_variable(f"/{self.axis}"))
        if axis.dtype.kind in "mM":
            return np.diff(axis) / np.timedelta64(1, "s")
        if axis.dtype.kind not in "iuf":
            message = (
                f"a gradient requires an axis of numbers or times, and {self.axis!r} is {axis.dtype}; pass position=…"
            )
            raise SchemaError(message)
        return np.diff(axis.astype(np.float64))


def slopes(values: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the slope at each row.

    Parameters
    ----------
    values
        Shape (rows, …).
    steps
        Distance from each row to the next, shape (rows - 1,). Between two rows at the same position there is no slope.
    """
    if not len(values):
        return values
    ones = (1,) * (values.ndim - 1)
    distance = np.where(steps == 0, np.nan, steps).reshape(-1, *ones)
    between = np.diff(values, axis=0) / distance
    no_slope, no_distance = np.full((1, *values.shape[1:]), np.nan), np.full((1, *ones), np.nan)
    before, after = np.concatenate([no_slope, between]), np.concatenate([between, no_slope])
    left, right = np.concatenate([no_distance, distance]), np.concatenate([distance, no_distance])
    centred = (left * after + right * before) / (left + right)
    result: NDArray[np.float64] = np.where(np.isnan(before), after, np.where(np.isnan(after), before, centred))
    return result


def over_ground(longitude: NDArray[np.float64], latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance in metres from each point to the next along a great circle; angles in degrees.

    Source: R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68 (1984).
    """
    north, east = np.radians(latitude), np.radians(longitude)
    half_chord = (
        np.sin(np.diff(north) / 2) ** 2 + np.cos(north[1:]) * np.cos(north[:-1]) * np.sin(np.diff(east) / 2) ** 2
    )
    distance: NDArray[np.float64] = 2 * EARTH_RADIUS * np.arcsin(np.sqrt(np.clip(half_chord, 0, 1)))
    return distance
