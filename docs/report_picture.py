"""The picture of a report on the landing page, drawn when the site is built."""

from pathlib import Path
from typing import Final

import numpy as np
from zcollection_coverage.drawing import as_svg
from zcollection_coverage.figures import shares

import zcollection as zc

_GAPS: Final = [
    ("2023-02-10", "2023-02-17"),
    ("2023-07-01", "2023-07-23"),
    ("2023-09-04", "2023-09-05T09"),
    ("2023-11-18", "2023-11-27"),
]


def draw(folder: Path) -> None:
    """Write ``report.svg``: the coverage of a buoy with four gaps, as a report shows it."""
    hours = np.arange("2023-01-01", "2024-01-01", dtype="datetime64[h]").astype("datetime64[s]")
    there = np.ones(hours.size, bool)
    for start, stop in _GAPS:
        there &= (hours < np.datetime64(start)) | (hours >= np.datetime64(stop))
    schema = zc.Schema().with_dimension("time").with_variable("time", dtype="datetime64[s]", dimensions=("time",))
    buoy = zc.create_collection(
        "memory://report-picture", schema=schema, axis="time", partitioning="date:D", overwrite=True
    )
    buoy.insert({"time": hours[there]})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.svg").write_text(as_svg(shares(buoy.coverage())))
