"""
Model output in a 360-day calendar
==================================

Climate models often run in calendars that differ from the real one: each month of this one has 30 days, so there is a 30 February, and no 31 May.
zcollection partitions by the dates of the calendar, and reports what is missing in it. The model output here is made of two cosines.
"""

import cftime
import matplotlib.pyplot as plt
import numpy as np
import zcollection as zc

latitude, longitude = np.arange(-86.25, 90, 7.5), np.arange(3.75, 360, 7.5)
schema = (
    zc.Schema()
    .with_dimension("time", chunks=120)
    .with_dimension("latitude", size=latitude.size)
    .with_dimension("longitude", size=longitude.size)
    .with_variable(
        "time",
        dtype="float64",
        dimensions=("time",),
        attrs={
            "units": "days since 2070-01-01",
            "calendar": "360_day",
            "sampling_interval": "6 h",
        },
    )
    .with_variable(
        "latitude",
        dtype="float64",
        dimensions=("latitude",),
        attrs={"units": "degrees_north"},
    )
    .with_variable(
        "longitude",
        dtype="float64",
        dimensions=("longitude",),
        attrs={"units": "degrees_east"},
    )
    .with_variable(
        "tas",
        dtype="float32",
        dimensions=("time", "latitude", "longitude"),
        attrs={"units": "K", "long_name": "near-surface air temperature"},
    )
)
run = zc.create_collection(
    "memory://model", schema=schema, axis="time", partitioning="date:M"
)

# %%
# The model writes a file for each month. One job was killed halfway, and one file never arrived.


def month(year, number, days=30):
    """Return what the model writes for a month, four times a day."""
    first = cftime.date2num(
        cftime.datetime(year, number, 1, calendar="360_day"),
        "days since 2070-01-01",
        "360_day",
    )
    time = first + np.arange(0, days, 0.25)
    season = np.cos(2 * np.pi * (time - 15) / 360)[:, None, None]
    zonal, wave = np.cos(np.radians(latitude))[:, None], np.cos(np.radians(3 * longitude))
    tas = (
        245
        + 55 * zonal
        - 12 * season * np.sin(np.radians(latitude))[:, None]
        + 4 * zonal * wave
    )
    return {
        "time": time,
        "latitude": latitude,
        "longitude": longitude,
        "tas": tas.astype("float32"),
    }


for year in (2070, 2071, 2072):
    for number in range(1, 13):
        if (year, number) != (2071, 5):
            run.insert(month(year, number, days=11 if (year, number) == (2072, 2) else 30))
found = run.coverage()
print(found)

# %%
# Every month is a line of 30 days, including February.

found.plot("calendar")

# sphinx_gallery_thumbnail_number = 3

# %%
# The ticks are dates of the calendar.

found.plot("timeline", by="all")

# %%
# The missing output is produced and inserted. xarray receives the rows with cftime dates: the mean of two seasons, in winter and in summer.

run.insert(month(2071, 5))
run.insert(month(2072, 2), merge="upsert")
print(f"{run.coverage().total.share:.0%} is there")
tas = run.query(filters="year == 2071").to_xarray()["tas"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained", sharey=True)
for ax, (title, months) in zip(
    axes,
    {"December to February": (12, 1, 2), "June to August": (6, 7, 8)}.items(),
    strict=True,
):
    mean = tas[tas["time"].dt.month.isin(months)].mean("time")
    drawn = ax.pcolormesh(longitude, latitude, mean, cmap="RdYlBu_r", vmin=225, vmax=310)
    ax.set_title(title, loc="left")
figure.colorbar(drawn, ax=axes, label="near-surface air temperature [K]")
