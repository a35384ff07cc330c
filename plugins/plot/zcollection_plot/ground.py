"""The geometry of a flat map: where it is cut, its extent, and the labels of degrees."""

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
"""A gap of at least this many degrees of longitude without rows makes a map regional; the map is cut in the gap."""

_GLOBAL: Final = 300.0
"""The width, in degrees of longitude, from which on a map shows the whole Earth."""


@frozen(kw_only=True)
class Extent:
    """The extent of a map in degrees; `east` is always greater than `west`."""

    west: float
    east: float
    south: float
    north: float

    @property
    def aspect(self) -> float:
        """The length of a degree of latitude divided by that of longitude, in the middle of a regional map; 1 for the Earth."""
        if self.east - self.west >= _GLOBAL:
            return 1.0
        return float(1 / max(np.cos(np.radians((self.south + self.north) / 2)), 0.2))


def cut_at(longitude: Degrees, centre: float | None) -> float:
    """Return the longitude at which a map is cut: its western edge.

    Parameters
    ----------
    longitude
        The longitudes of the points, in any convention.
    centre
        The longitude in the middle of the map. By default the map is cut in the largest gap of at least 30 degrees; without such a
        gap, at the limit of the convention: at 180°, or at 0° for longitudes from 0 to 360.

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
    """Return longitudes shifted by multiples of 360° onto a map; those that are already on it stay exact."""
    is_on_it = (longitude >= west) & (longitude < west + TURN)
    return np.where(is_on_it, longitude, (longitude - west) % TURN + west)


def extent_of(longitude: Degrees, latitude: Degrees, west: float) -> Extent:
    """Return the extent of a map of points: the points with a margin, or the whole Earth if they are everywhere."""
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
    """Set the limits of a map on axes, with a grid of meridians and parallels."""
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
    """Return a formatter of degrees with the letter of the hemisphere."""
    positive, negative = which[0], which[1]

    def write(value: float, _: int | None = None) -> str:
        degrees = round((value + TURN / 2) % TURN - TURN / 2 if which == "EW" else value, 6)
        if degrees == 0 or abs(degrees) == TURN / 2:
            return f"{abs(degrees):g}°"
        return f"{abs(degrees):g}°{positive if degrees > 0 else negative}"

    return write
