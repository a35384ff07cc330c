"""
A buoy with gaps and re-deliveries
==================================

A buoy reports the temperature of the sea every half hour by radio, with interruptions. Later its memory is read out, and the missing values are
delivered again, together with corrected ones. The series is real: the sample data of Bokeh, from a mooring in the Gulf of
Maine. The gaps were made for this example.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import zcollection as zc
from bokeh_sampledata import package_csv

series = package_csv("sea_surface_temperature.csv.gz")
series.columns = ["time", "temperature"]
series["time"] = pd.to_datetime(series["time"]).dt.tz_localize(None)
print(series)

# %%
# One partition for each month. Rows with the same time replace each other.

schema = (
    zc.Schema()
    .with_dimension("time", chunks=2048)
    .with_variable(
        "time",
        dtype="datetime64[s]",
        dimensions=("time",),
        attrs={"sampling_interval": "30 min"},
    )
    .with_variable(
        "temperature",
        dtype="float64",
        dimensions=("time",),
        fill_value=np.nan,
        attrs={"units": "°C"},
    )
)
buoy = zc.create_collection(
    "memory://buoy", schema=schema, axis="time", partitioning="date:M", keep=10
)

# %%
# Received by radio: some hours are lost, and twice the buoy is silent for days. The data are inserted a month at a time.

random = np.random.default_rng(2016)
lost = random.random(len(series)) < 0.002
lost = np.convolve(lost, np.ones(9, bool), mode="same") | series["time"].between(
    "2016-06-03", "2016-06-14 09:00"
)
lost |= series["time"].between("2016-11-20 15:00", "2016-12-02")
received = series[~lost].copy()
received["temperature"] += 0.3  # the sensor reads too high
for _, month in received.groupby(received["time"].dt.to_period("M")):
    buoy.insert(month.set_index("time"), merge="upsert")
before = buoy.coverage()
print(before)

# %%
# In a calendar each day is coloured by the share of its rows that exists.

before.plot()

# %%
# A timeline shows the gaps themselves, one line for each year.

before.plot("timeline")

# %%
# In July the memory of the buoy is read out and, corrected, delivered again. ``upsert`` replaces rows whose time exists
# and adds the others, so that a delivery can be inserted any number of times.

memory = series[series["time"] < "2016-07-15"].set_index("time")
print(buoy.insert(memory, merge="upsert", source="memory-2016-07"))
print(buoy.insert(memory, merge="upsert", source="memory-2016-07"))

# %%
# Both side by side: each function accepts the axes to draw on.

figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
before.plot(ax=axes[0])
buoy.coverage().plot(ax=axes[1])
axes[0].set_title("by radio", loc="left")
axes[1].set_title("with the memory until July", loc="left")

# %%
# And the temperature. The history lists each delivery, and with ``keep`` each version can be opened again.

rows = buoy.query()
figure, ax = plt.subplots(figsize=(8, 3), layout="constrained")
ax.plot(rows["time"], rows["temperature"], linewidth=0.6)
for gap in buoy.coverage().gaps:
    ax.axvspan(gap.start, gap.stop, color="#d55e00", alpha=0.4, linewidth=0)
ax.set_ylabel("temperature [°C]")
last = buoy.history()[-1]
print(last.operation, last.source, "version", last.version)
