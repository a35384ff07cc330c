"""The numbers that are stored: smooth signals with noise, quantised as instruments do, the same in every run."""

from typing import Any

import numpy as np
from layouts import TIME, Arrays, Layout, Variable
from numpy.typing import NDArray


def arrays(layout: Layout, *, seed: int) -> dict[str, NDArray[Any]]:
    """Return the values of every variable, all partitions one after the other."""
    random = np.random.default_rng(seed)
    return {
        variable.path: times(layout) if variable.path == TIME else _column(layout, variable, random)
        for variable in layout.variables
    }


def times(layout: Layout) -> NDArray[np.int64]:
    """Return the times of all rows, in nanoseconds since 1970."""
    starts = [layout.partition_start(position) for position in range(len(layout.counts))]
    return np.concatenate(
        [
            start.astype("datetime64[ns]").astype(np.int64) + np.arange(rows) * layout.step
            for start, rows in zip(starts, layout.counts, strict=True)
        ]
    )


def track(layout: Layout, *, seed: int) -> dict[str, NDArray[Any]]:
    """Return the values of a satellite's track: an orbit of 6,745 seconds that reaches 66 degrees, and noise along it."""
    times_passed = times(layout)
    seconds = (times_passed - times_passed[0]) / 1e9
    angle, inclination = 2 * np.pi * seconds / 6745, np.deg2rad(66)
    eastwards = np.rad2deg(np.arctan2(np.cos(inclination) * np.sin(angle), np.cos(angle)))
    longitude = eastwards - 360 * seconds / 86_164 + 0.03 * seconds / 86_400
    random = np.random.default_rng(seed)
    columns = {
        TIME: times_passed,
        "latitude": np.rad2deg(np.arcsin(np.sin(inclination) * np.sin(angle))),
        "longitude": (longitude + 180) % 360 - 180,
        "ssh": random.normal(size=layout.rows),
        "swh": random.random(layout.rows, dtype=np.float32),
        "flag": (random.random(layout.rows) < 0.1).astype(np.int8),
        "cycle": (seconds // 864_000).astype(np.int32),
        "range": 8e5 + random.normal(size=layout.rows),
    }
    return {path: columns[path] for path in layout.paths}


def rows(source: Arrays, part: slice) -> dict[str, NDArray[Any]]:
    """Return some rows of every variable."""
    return {path: values[part] for path, values in source.items()}


def _column(layout: Layout, variable: Variable, random: np.random.Generator) -> NDArray[Any]:
    """Fill a variable partition by partition, so that no intermediate array is as large as it."""
    out = np.empty(variable.shape(layout.rows), dtype=variable.dtype)
    for part in layout.partitions:
        out[part.slice] = _signal(variable.shape(part.rows), out.dtype, random)
        if variable.packing is not None:  # the values that it can hold
            stored = variable.packing.pack(out[part.slice], name=variable.path)
            out[part.slice] = variable.packing.unpack(stored, out.dtype)
    return out


def _signal(shape: tuple[int, ...], dtype: np.dtype[Any], random: np.random.Generator) -> NDArray[Any]:
    if dtype.kind in "iu":
        return random.integers(0, 4 if dtype.itemsize == 1 else 2000, size=shape, dtype=dtype)
    noise = random.standard_normal(shape, dtype=np.float32)
    phase = np.linspace(0, 40 * np.pi, shape[0], dtype=np.float32).reshape(-1, *[1] * (len(shape) - 1))
    return np.round(np.sin(phase + np.float32(random.uniform(0, 6))) + np.float32(0.05) * noise, 4)
