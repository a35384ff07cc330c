"""The position of the satellite at any time, and the half orbits of its track."""

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.cli.demo.source import Ephemeris


@frozen(kw_only=True)
class Positions:
    """Nadir points of the satellite in degrees, with longitudes from 0 to 360, and its altitude in metres."""

    longitude: NDArray[np.float64]
    latitude: NDArray[np.float64]
    altitude: NDArray[np.float64]


def positions(ephemeris: Ephemeris, seconds: NDArray[np.float64]) -> Positions:
    """Return the positions at given seconds since the start of the ephemeris, all within it.

    Cubic splines interpolate the unit vectors on the sphere. The track and its direction are continuous, so that latitude
    has exactly one extremum at each turn of the satellite.
    """
    longitude, latitude = np.radians(ephemeris.longitude), np.radians(ephemeris.latitude)
    nodes = np.stack(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
            ephemeris.altitude,
        ]
    )
    x, y, z, altitude = _interpolate(nodes, seconds / (ephemeris.seconds[1] - ephemeris.seconds[0]))
    return Positions(
        longitude=np.degrees(np.arctan2(y, x)) % 360,
        latitude=np.degrees(np.arctan2(z, np.hypot(x, y))),
        altitude=altitude,
    )


def _interpolate(nodes: NDArray[np.float64], numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate nodes, of shape (components, nodes), at fractional node numbers: Catmull and Rom, 1974."""
    before = 3 * nodes[:, :1] - 3 * nodes[:, 1:2] + nodes[:, 2:3]
    after = 3 * nodes[:, -1:] - 3 * nodes[:, -2:-1] + nodes[:, -3:-2]
    padded = np.concatenate([before, nodes, after], axis=1)
    first = np.minimum(numbers.astype(np.int64), nodes.shape[1] - 2)
    u = numbers - first
    p0, p1, p2, p3 = (padded[:, first + step] for step in range(4))
    between: NDArray[np.float64] = p1 + u / 2 * (
        p2 - p0 + u * (2 * p0 - 5 * p1 + 4 * p2 - p3 + u * (3 * (p1 - p2) + p3 - p0))
    )
    return between


def half_orbits(latitude: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the number of the half orbit of each point, from 0: a new one starts at each extremum of latitude.

    Examples
    --------
    >>> half_orbits(np.array([0.0, 1.0, 2.0, 1.0, 0.0, 1.0]))
    array([0, 0, 1, 1, 2, 2])
    """
    rising = np.diff(latitude) > 0
    turns = np.zeros(latitude.shape, dtype=np.int64)
    turns[1:-1] = rising[1:] != rising[:-1]
    return np.cumsum(turns)
