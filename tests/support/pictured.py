"""Collections whose pages are looked at: a rich one, one with hostile names, and a view."""

import numpy as np

import zcollection as zc

SCRIPT = "<script>document.title='broken'</script>"
HOSTILE = (
    SCRIPT,
    '" onmouseover="document.title=\'broken\'" x="',
    "' onload='1",
    "</title></svg></style></textarea>--><img src=http://127.0.0.1:9/x onerror=document.title='broken'>",
    "]]>&amp;&#60;b&#62;",
    "[red]bold[/red] [link=http://x]y[/link]",
    "\x1b[31m\x07\x9b\x00\r\n\u202e\u2028\ufffe\U000e0001",
    "javascript:alert(1)",
    "ünïcödé 海 🌊",
)
"""Texts that would do something where somebody forgets what they are."""

_LATITUDE = {"units": "degrees_north", "long_name": "latitude"}
_LONGITUDE = {"units": "degrees_east", "long_name": "longitude"}


def rich(place):
    """Forty days of a satellite's track, one row every 30 seconds, with gaps, sources and several versions."""
    schema = (
        zc.Schema()
        .with_dimension("time", chunks=4096)
        .with_dimension("x", size=8)
        .with_variable("time", dtype="datetime64[ns]", dimensions=("time",), attrs={"sampling_interval": "30 s"})
        .with_variable("latitude", dtype="float64", dimensions=("time",), attrs=_LATITUDE)
        .with_variable("longitude", dtype="float64", dimensions=("time",), attrs=_LONGITUDE)
        .with_variable("ssh", dtype="float32", dimensions=("time",), fill_value=np.nan, attrs={"units": "m"})
        .with_variable("wave", dtype="float32", dimensions=("time", "x"))
        .with_attribute("title", "Simulated altimeter")
    )
    collection = zc.create_collection(place, schema=schema, axis="time", partitioning="date:D")
    numbers = np.arange(40 * 2880)
    there = ~((numbers > 14_000) & (numbers < 21_000)) & ~((numbers > 60_000) & (numbers < 60_400))
    for number, part in enumerate(np.array_split(numbers[there], 8)):
        collection.insert(track(part), merge="concat", source=f"SIM_2PfP_{number:03d}.nc")
    return collection


def track(numbers):
    """Rows of an orbit of 66 degrees inclination, by their numbers."""
    seconds = numbers * 30.0
    along, tilt = 2 * np.pi * seconds / 6745.7, np.deg2rad(66)
    east = np.rad2deg(np.arctan2(np.cos(tilt) * np.sin(along), np.cos(along))) - seconds * 360 / 86_164
    return {
        "time": np.datetime64("2024-01-05", "ns") + numbers * np.timedelta64(30, "s"),
        "latitude": np.rad2deg(np.arcsin(np.sin(tilt) * np.sin(along))),
        "longitude": (east + 180) % 360 - 180,
        "ssh": np.sin(along * 7).astype("f4"),
        "wave": np.repeat(np.cos(along * 3).astype("f4")[:, None], 8, 1),
    }


def view_of(place, base):
    """A view of which some partitions are current, some stale and some missing."""
    view = zc.create_view(place, base=base, computation=zc.computation.Expression({"twice": "2 * ssh"}))
    view.refresh(filters="month == 1 and day < 25")
    base.update(lambda rows: {"ssh": rows["ssh"].to_numpy() + 1}, filters="day in range(5, 9)")
    return view


def hostile(place):
    """Attributes, keys and sources that would do something where somebody forgets to escape them."""
    schema = (
        zc.Schema()
        .with_dimension("time")
        .with_variable("time", dtype="datetime64[s]", dimensions=("time",), attrs={"long_name": SCRIPT})
        .with_variable("station", dtype="string", dimensions=("time",), attrs={"units": HOSTILE[1]})
        .with_variable("lat", dtype="float32", dimensions=("time",), attrs={**_LATITUDE, "comment": HOSTILE[3]})
        .with_variable("lon", dtype="float32", dimensions=("time",), attrs=_LONGITUDE)
        .with_attribute("title", f"{SCRIPT} {HOSTILE[6]}")
    )
    for number, text in enumerate(HOSTILE):
        schema = schema.with_variable(f"v{number}", dtype="int8", dimensions=("time",), attrs={"units": text})
        schema = schema.with_attribute(text, text)
    collection = zc.create_collection(place, schema=schema, axis="time", partitioning="values:station")
    stations = [text for text in HOSTILE if "\x00" not in text] + [f"w{number}" for number in range(40)]
    rows = np.repeat(np.arange(len(stations)), 3)
    times = np.datetime64("2024-01-01", "s") + np.tile([0, 60, 600], len(stations)) * np.timedelta64(1, "s")
    given = {f"v{number}": np.ones(len(rows), "i1") for number, text in enumerate(HOSTILE)}
    for text in HOSTILE:
        collection.insert(
            {
                "time": times,
                "station": np.array(stations)[rows],
                "lat": np.linspace(-60, 60, len(rows), dtype="f4"),
                "lon": np.linspace(-170, 170, len(rows), dtype="f4"),
                **given,
            },
            source=text,
        )
    return collection
