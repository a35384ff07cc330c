"""Variables that the demo derives from the track: as computations of a view, and with NumPy for comparison."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import zcollection as zc
from zcollection.contracts.computation import Computation

NAMES: Final = ("anomaly", "anomaly_gradient")
TOLERANCE: Final = 1e-6
"""Allowed difference relative to the largest value: float32, as stored, has 24 significant bits."""

_RADIUS: Final = 6_371_008.8
"""Mean radius of the Earth in metres (IUGG: R1 of GRS 80)."""


def computations() -> tuple[Computation, ...]:
    """Return the computations: the height above the mean of the three days, and its slope along the ground track."""
    return (
        zc.computation.Expression({"anomaly": "ssh - mean_ssh"}, dtype="float32", attrs={"anomaly": {"units": "m"}}),
        zc.computation.Gradient("anomaly", position=("longitude", "latitude")),
    )


def expected(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the expected values of the derived variables for the complete track, each of shape (rows,)."""
    anomaly = arrays["ssh"] - arrays["mean_ssh"]
    steps = _steps(arrays["longitude"], arrays["latitude"])
    return {"anomaly": anomaly, "anomaly_gradient": _slopes(anomaly.astype("float64"), steps).astype("float32")}


def _steps(longitude: NDArray[np.float64], latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance from each point to the next on a sphere, in metres, from the chords between them."""
    longitude, latitude = np.radians(longitude), np.radians(latitude)
    points = [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)]
    steps: NDArray[np.float64] = 2 * _RADIUS * np.arcsin(np.linalg.norm(np.diff(points, axis=1), axis=0) / 2)
    return steps


def _slopes(values: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the slope of each stretch without gaps; missing where a value has no neighbour."""
    found = np.full(values.shape, np.nan)
    present = np.flatnonzero(~np.isnan(values))
    for stretch in np.split(present, np.flatnonzero(np.diff(present) > 1) + 1):
        if stretch.size > 1:
            first, last = stretch[0], stretch[-1]
            distances = np.concatenate([[0.0], np.cumsum(steps[first:last])])
            found[first : last + 1] = np.gradient(values[first : last + 1], distances, edge_order=1)
    return found
