"""The files of the package swot-simulator, found without importing it."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.errors import MissingDependencyError

_PACKAGE = "swot_simulator"
_EPHEMERIS = "ephemeris_science_sept2015_ell.txt"
_MAP = "dt_global_allsat_phy_l4_{day}_20190515.nc"
_LAND = -2147483647
"""What the maps hold on land; they do not declare it as their fill value."""


@frozen(kw_only=True)
class Ephemeris:
    """Where the satellite is, at a constant step.

    Attributes
    ----------
    cycle_duration
        Seconds after which the track on the ground repeats.
    seconds
        Since the start of the cycle.
    longitude, latitude
        Of the point below the satellite, in degrees.
    altitude
        Above the ellipsoid, in metres.
    """

    cycle_duration: float
    seconds: NDArray[np.float64]
    longitude: NDArray[np.float64]
    latitude: NDArray[np.float64]
    altitude: NDArray[np.float64]


@frozen(kw_only=True)
class SeaLevelMap:
    """The sea surface height of one day on a regular grid.

    Attributes
    ----------
    latitude, longitude
        Centres of the cells, in degrees, of shapes (720,) and (1440,).
    height
        Metres above the geoid, NaN on land, of shape (720, 1440).
    """

    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    height: NDArray[np.float32]


def read_ephemeris() -> Ephemeris:
    """Return the ephemeris of the science orbit.

    Raises
    ------
    MissingDependencyError
        swot-simulator is not installed.
    """
    path = _file(_EPHEMERIS)
    header = dict(_setting(line) for line in path.read_text(encoding="utf-8").splitlines()[:2])
    seconds, longitude, latitude, altitude = np.loadtxt(path, unpack=True)
    return Ephemeris(
        cycle_duration=header["cycle_duration"] * 86400,
        seconds=seconds,
        longitude=longitude,
        latitude=latitude,
        altitude=altitude,
    )


def read_map(day: np.datetime64) -> SeaLevelMap:
    """Return the map of a day, from 2018-12-31 to 2019-01-03.

    Raises
    ------
    MissingDependencyError
        swot-simulator, h5netcdf or h5py is not installed.
    """
    path = _file(_MAP.format(day=str(day.astype("datetime64[D]")).replace("-", "")))
    try:
        import h5netcdf

        with h5netcdf.File(path, "r") as file:
            latitude, longitude = (np.asarray(file.variables[name][:], "float64") for name in ("latitude", "longitude"))
            adt = file.variables["adt"]
            raw, scale = np.asarray(adt[0]), float(adt.attrs["scale_factor"])
    except ImportError as error:  # h5netcdf imports h5py late
        message = f"the demo reads its maps with h5netcdf, which does not work here ({error}); {_advice()}"
        raise MissingDependencyError(message) from error
    height = np.where(raw == _LAND, np.nan, raw * scale).astype("float32")
    return SeaLevelMap(latitude=latitude, longitude=longitude, height=height)


def _setting(line: str) -> tuple[str, float]:
    """Return the name and the value in a line such as ``# height = 890582``."""
    name, _, value = line.removeprefix("#").partition("=")
    return name.strip(), float(value)


def _file(name: str) -> Path:
    spec = find_spec(_PACKAGE)
    folders = [Path(place) / "data" for place in spec.submodule_search_locations or ()] if spec else []
    found = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if found is None:
        fault = f"has no {name!r} (release 1.2.1 has)" if spec else "is not installed"
        message = f"the demo needs the data in the package 'swot-simulator', which {fault}; {_advice()}"
        raise MissingDependencyError(message)
    return found


def _advice() -> str:
    return (
        "run it in a checkout with: uv run zcollection demo; or after: "
        "pip install --no-deps swot-simulator==1.2.1 h5netcdf h5py"
    )
