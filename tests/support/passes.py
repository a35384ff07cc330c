"""Files as missions deliver them, for the tests of the command line."""

import numpy as np
import xarray as xr

ROWS = 6


def pass_dataset(cycle, number):
    """Return the rows of one pass: hourly, with numbers that no other pass has."""
    first = np.datetime64("2024-01-01", "ns") + np.timedelta64(24 * (10 * cycle + number), "h")
    ssh = np.arange(ROWS * 2, dtype="float32").reshape(ROWS, 2) / 8 + 100 * cycle + 10 * number
    ssh[2, 1] = np.nan
    return xr.Dataset(
        {
            "ssh": (("time", "x_ac"), ssh, {"units": "m"}),
            "flag": ("time", np.array([0, 1, 2, 0, 1, -1], "int16"), {}, {"_FillValue": np.int16(-1)}),
        },
        coords={"time": first + np.arange(ROWS) * np.timedelta64(1, "h")},
        attrs={"cycle_number": cycle, "title": "a pass"},
    )


def write_passes(folder, passes):
    """Write one file for each (cycle, pass), and return their paths."""
    paths = []
    for cycle, number in passes:
        path = folder / f"gdr_c{cycle:03d}_p{number:03d}.nc"
        pass_dataset(cycle, number).to_netcdf(path, engine="h5netcdf")
        paths.append(path)
    return paths


PASSES = [(1, 1), (1, 2), (2, 1)]
NAME = r"c(?P<cycle>\d+)_p(?P<pass>\d+)"
