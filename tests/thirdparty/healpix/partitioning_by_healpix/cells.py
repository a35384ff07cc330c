"""The cells of HEALPix in ring order (Górski et al. 2005, doi:10.1086/427976, section 4)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def cell_of(latitude: NDArray[Any], longitude: NDArray[Any], nside: int) -> NDArray[np.int64]:
    """Return the number of the cell of each point.

    Parameters
    ----------
    latitude, longitude
        Degrees north and east, shape (n,).
    nside
        Cells along a side of each of the twelve base cells.
    """
    z = np.sin(np.deg2rad(latitude.astype(np.float64)))
    quarter = np.mod(longitude.astype(np.float64) / 90, 4)
    return np.where(np.abs(z) <= 2 / 3, _belt(z, quarter, nside), _caps(z, quarter, nside))


def _belt(z: NDArray[np.float64], quarter: NDArray[np.float64], nside: int) -> NDArray[np.int64]:
    across, along = nside * (0.5 + quarter), nside * z * 0.75
    ascending, descending = _floor(across - along), _floor(across + along)
    ring = nside + 1 + ascending - descending
    shift = 1 - (ring & 1)
    position = (ascending + descending - nside + shift + 1) // 2 % (4 * nside)
    return 2 * nside * (nside - 1) + (ring - 1) * 4 * nside + position


def _caps(z: NDArray[np.float64], quarter: NDArray[np.float64], nside: int) -> NDArray[np.int64]:
    within = quarter - np.floor(quarter)
    distance = nside * np.sqrt(3 * (1 - np.abs(z)))
    ring = _floor(within * distance) + _floor((1 - within) * distance) + 1  # counted from the pole
    position = _floor(quarter * ring) % (4 * ring)
    north, south = 2 * ring * (ring - 1), 12 * nside**2 - 2 * ring * (ring + 1)
    return np.where(z > 0, north, south) + position


def _floor(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.floor(values).astype(np.int64)
