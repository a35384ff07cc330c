"""Longitudes on a flat map: where it is cut, what of the Earth it shows, and how degrees are written."""

from typing import Any, Final, Literal

import numpy as np
from attrs import frozen
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from zcollection_plot.axes import QUIET

Degrees = NDArray[np.float64]

TURN: Final = 360.0

_EMPTY: Final = 30.0
"""Degrees of longitude without any row, from which on a map is one of a region, and is cut there."""

_GLOBAL: Final = 300.0
"""Degrees of longitude from which on a map shows all of the Earth."""


@frozen(kw_only=True)
class Extent:
    """What a map shows, in degrees; `east` is greater than `west`, wherever that is."""

    west: float
    east: float
    south: float
    north: float

    @property
    def aspect(self) -> float:
        """How much longer a degree of latitude is than one of longitude, in the middle of a map of a region."""
        if self.east - self.west >= _GLOBAL:
            return 1.0
        return float(1 / max(np.cos(np.radians((self.south + self.north) / 2)), 0.2))


def cut_at(longitude: Degrees, centre: float | None) -> float:
    """Return the longitude at which a map is cut, of that of all points; its western edge.

    Parameters
    ----------
    longitude
        Of the points, in any convention.
    centre
        The longitude in the middle of the map. By default rows that leave more than 30 degrees free are cut there, and all others
        as their convention is: at 180°, or at 0° where longitudes go from 0 to 360.

    Examples
    --------
    >>> cut_at(np.array([170.0, -175.0]), None), cut_at(np.linspace(0, 359, 99), None), cut_at(np.array([5.0]), 180)
    (170.0, 0.0, 0.0)
    """
    if centre is not None:
        return float(centre) - TURN / 2
    known = np.unique(longitude[np.isfinite(longitude)] % TURN)
    counts_from_0 = bool(np.nanmax(longitude, initial=-np.inf) > TURN / 2)
    if known.size:
        free = np.diff(np.append(known, known[0] + TURN))
        widest = int(np.argmax(free))
        if free[widest] >= _EMPTY:
            west = float(np.floor(known[(widest + 1) % known.size]))
            return west - TURN if west >= TURN / 2 else west
    return 0.0 if counts_from_0 else -TURN / 2


def turned(longitude: Degrees, west: float) -> Degrees:
    """Return longitudes from the western edge of a map on; those that lie on it already are not rounded."""
    is_on_it = (longitude >= west) & (longitude < west + TURN)
    return np.where(is_on_it, longitude, (longitude - west) % TURN + west)


def extent_of(longitude: Degrees, latitude: Degrees, west: float) -> Extent:
    """Return what a map of points shows, which are on it: a margin around them, and all of the Earth where they are everywhere."""
    if not longitude.size:
        return Extent(west=-180.0, east=180.0, south=-90.0, north=90.0)
    left, right, south, north = (
        float(each) for each in (longitude.min(), longitude.max(), latitude.min(), latitude.max())
    )
    margin = max(0.05 * max(right - left, north - south), 0.5)
    south, north = max(south - margin, -90.0), min(north + margin, 90.0)
    if right - left >= _GLOBAL:
        if north - south >= TURN / 4:
            south, north = -90.0, 90.0
        return Extent(west=west, east=west + TURN, south=south, north=north)
    return Extent(west=left - margin, east=right + margin, south=south, north=north)


def show(ax: Axes, extent: Extent) -> None:
    """Give axes the limits of a map, and a grid of meridians and parallels."""
    ax.set_xlim(extent.west, extent.east)
    ax.set_ylim(extent.south, extent.north)
    ax.set_aspect(extent.aspect)
    ax.xaxis.set_major_formatter(FuncFormatter(_written("EW")))
    ax.yaxis.set_major_formatter(FuncFormatter(_written("NS")))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(7, steps=[1, 1.5, 2, 3, 5, 6, 10]))
    ax.grid(visible=True, color=QUIET, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(length=0, labelsize="small")
    ax.spines[:].set_color("0.6")


def _written(which: Literal["EW", "NS"]) -> Any:
    """Return what writes degrees: with the letter of their hemisphere."""
    positive, negative = which[0], which[1]

    def write(value: float, _: int | None = None) -> str:
        degrees = round((value + TURN / 2) % TURN - TURN / 2 if which == "EW" else value, 6)
        if degrees == 0 or abs(degrees) == TURN / 2:
            return f"{abs(degrees):g}°"
        return f"{abs(degrees):g}°{positive if degrees > 0 else negative}"

    return write
