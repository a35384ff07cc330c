"""The track: measurements of a simulated nadir altimeter on the SWOT orbit, once per second for three days."""

from itertools import pairwise
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.cli.demo.orbit import half_orbits, positions
from zcollection.cli.demo.source import SeaLevelMap, read_ephemeris, read_map

START = np.datetime64("2019-01-01", "D")
DAYS = 3
_SECONDS_A_DAY = 86_400


@frozen
class Track:
    """The rows of the track, in the order of time.

    Attributes
    ----------
    arrays
        Values by variable, each of shape (rows,).
    """

    arrays: dict[str, NDArray[Any]]

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.arrays["time"])

    def passes(self) -> list[slice]:
        """Return the rows of each pass."""
        starts = np.flatnonzero(np.diff(self.arrays["orbit/pass"].astype(np.int64))) + 1
        edges = [0, *starts.tolist(), self.rows]
        return [slice(start, stop) for start, stop in pairwise(edges)]

    def part(self, rows: slice) -> dict[str, NDArray[Any]]:
        """Return some of the rows."""
        return {path: values[rows] for path, values in self.arrays.items()}


def build_track() -> Track:
    """Build the track from the ephemeris and the maps.

    Raises
    ------
    MissingDependencyError
        The data, or a library that reads them, are not installed.
    """
    ephemeris = read_ephemeris()
    seconds = np.arange(DAYS * _SECONDS_A_DAY, dtype=np.float64)
    place = positions(ephemeris, seconds)
    number = half_orbits(place.latitude)
    passes_a_cycle = half_orbits(ephemeris.latitude[ephemeris.seconds < ephemeris.cycle_duration])[-1]
    heights = _heights(place.longitude, place.latitude)
    arrays: dict[str, NDArray[Any]] = {
        "time": START.astype("datetime64[ns]") + seconds.astype("timedelta64[s]"),
        "longitude": place.longitude,
        "latitude": place.latitude,
        "ssh": np.concatenate([heights[day, rows] for day, rows in enumerate(_days())]),
        "mean_ssh": heights.mean(axis=0, dtype=np.float64).astype("float32"),
        "orbit/cycle": (number // passes_a_cycle + 1).astype("int16"),
        "orbit/pass": (number % passes_a_cycle + 1).astype("int16"),
        "orbit/altitude": place.altitude,
    }
    return Track(arrays)


def _days() -> list[slice]:
    """Return the rows of each day."""
    return [slice(day * _SECONDS_A_DAY, (day + 1) * _SECONDS_A_DAY) for day in range(DAYS)]


def _heights(longitude: NDArray[np.float64], latitude: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the sea surface height below each point on each of the maps, of shape (days, rows)."""
    maps = [read_map(START + np.timedelta64(day, "D")) for day in range(DAYS)]
    return np.stack([sample(each, longitude, latitude) for each in maps])


def sample(grid: SeaLevelMap, longitude: NDArray[np.float64], latitude: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the height in the cell that contains each point; NaN on land."""
    row = _cell(grid.latitude, latitude)
    column = _cell(grid.longitude, longitude) % grid.longitude.size
    heights: NDArray[np.float32] = grid.height[row, column]
    return heights


def _cell(centres: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the index of the cell that contains each value, among cells of equal size; it may be past the last one."""
    position: NDArray[np.int64] = np.floor((values - centres[0]) / (centres[1] - centres[0]) + 0.5).astype(np.int64)
    return position
