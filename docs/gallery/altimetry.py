"""
Altimetry by cycle and pass
===========================

A nadir altimeter repeats its ground track every cycle. A cycle is divided into passes, half orbits from pole to pole, and users
mostly need some passes of many cycles. So each pass of each cycle is a partition.

The orbit is that of the science phase of the SWOT mission, and the heights are those of a daily map of the sea level by CNES (DUACS):
the track of ``zcollection demo``. Of each cycle the example has the first three days, with a row every ten seconds.
"""

import numpy as np
import zcollection as zc
from zcollection.cli.demo.source import read_map
from zcollection.cli.demo.track import build_track

track = {name: values[::10] for name, values in build_track().arrays.items()}
schema = (
    zc.Schema()
    .with_dimension("time", chunks=1024)
    .with_variable("time", dtype="datetime64[s]", dimensions=("time",))
    .with_variable("cycle", dtype="int16", dimensions=("time",))
    .with_variable("pass", dtype="int16", dimensions=("time",))
    .with_variable(
        "longitude", dtype="float64", dimensions=("time",), attrs={"units": "degrees_east"}
    )
    .with_variable(
        "latitude", dtype="float64", dimensions=("time",), attrs={"units": "degrees_north"}
    )
    .with_variable(
        "ssh",
        dtype="float32",
        dimensions=("time",),
        fill_value=np.nan,
        attrs={"units": "m", "long_name": "sea surface height above geoid"},
    )
)
collection = zc.create_collection(
    "memory://altimetry", schema=schema, axis="time", partitioning="sequence:cycle,pass"
)

# %%
# Cycles arrive one by one. The third one lacks some passes because the satellite was in safe mode, and some other passes are late.


def cycle(number, lost=()):
    """Return the rows of a cycle, without some of its passes."""
    kept = ~np.isin(track["orbit/pass"], list(lost))
    start = np.datetime64("2023-07-26", "s") + (number - 1) * np.timedelta64(1_802_645, "s")
    return {
        "time": start + (track["time"] - track["time"][0])[kept].astype("timedelta64[s]"),
        "cycle": np.full(kept.sum(), number, "int16"),
        "pass": track["orbit/pass"][kept],
        **{name: track[name][kept] for name in ("longitude", "latitude", "ssh")},
    }


lost = {1: [17], 2: [40, 71], 3: [*range(22, 41), 60], 4: [8], 6: [*range(70, 86)]}
for number in range(1, 7):
    report = collection.insert(cycle(number, lost.get(number, ())))
print(report)

# %%
# A map of one cycle. Rows without a height are left out. Land is where CNES' map has no value; if cartopy and its Natural Earth files
# are installed, coastlines are drawn by default. The axes stay ordinary Matplotlib axes, on which you can draw more.

ax = collection.plot("ssh", filters="cycle == 1", robust=True)
sea = read_map(np.datetime64("2019-01-01"))
ax.contourf(
    sea.longitude,
    sea.latitude,
    np.isnan(sea.height),
    levels=[0.5, 1],
    colors="0.88",
    zorder=0,
)

# %%
# What exists, and what is missing. The last passes of cycle 6 do not count as missing yet, because no later pass exists.

coverage = collection.coverage()
print(coverage.absent[:3], "…", len(coverage.absent), "partitions missing")
coverage.plot()

# %%
# The missing passes of the third cycle arrive late. They are partitions of their own: nothing else is changed, and the change is one version.

late = {
    name: values[np.isin(cycle(3)["pass"], range(22, 41))]
    for name, values in cycle(3).items()
}
print(collection.insert(late))

# %%
# A query selects by keys first, then by rows: the descending passes of all cycles over the Gulf Stream.

gulf_stream = zc.rows.box(north=45, south=30, west=-80, east=-50)
rows = collection.query(
    filters="`pass` % 2 == 0", where=gulf_stream, variables=["cycle", "pass", "ssh"]
)
print(
    rows.to_pandas()
    .groupby(["cycle", "pass"])["ssh"]
    .agg(["count", "mean"])
    .round(2)
    .head(8)
)
