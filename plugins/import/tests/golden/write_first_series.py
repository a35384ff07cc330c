"""Write collections with zcollection 2026.6.0, in a separate environment; the archives beside this file are kept.

uv venv --python 3.11 old && uv pip install --python old/bin/python 'zcollection==2026.6.0'
old/bin/python write_first_series.py .
"""

import sys
import tempfile
import zipfile
from pathlib import Path

import dask.distributed
import numcodecs
import numpy as np

import zcollection
from zcollection import Array, Attribute, Dataset
from zcollection.partitioning import Date, Sequence


def packed():
    """Thirty-six hours over two years: packed and filtered variables, one that is stored once, attributes."""
    count = 36
    ssh = (np.arange(count * 3).reshape(count, 3) - 50).astype("int16")
    ssh[5, 1] = 32767
    hours = np.arange(count) * np.timedelta64(1, "h")
    variables = [
        Array("time", np.datetime64("2023-12-31T00", "ns") + hours, ("time",), attrs=[Attribute("long_name", "time")]),
        Array("cycle", (np.arange(count) // 20).astype("int32"), ("time",)),
        Array("pass", (np.arange(count) // 4 + 1).astype("int16"), ("time",)),
        Array(
            "ssh",
            ssh,
            ("time", "x"),
            fill_value=np.int16(32767),
            attrs=[Attribute("scale_factor", 0.001), Attribute("add_offset", 1.5), Attribute("units", "m")],
        ),
        Array(
            "flag",
            (np.arange(count) % 5).astype("uint8"),
            ("time",),
            fill_value=np.uint8(255),
            filters=(numcodecs.Delta("u1"),),
            compressor=numcodecs.Zlib(1),
        ),
        Array("mean", np.array([1.0, 2.0, 3.0]), ("x",), attrs=[Attribute("units", "m")]),
    ]
    return Dataset(variables, attrs=[Attribute("title", "sea level"), Attribute("history", "made up")])


def texts():
    """Six rows with texts and booleans, and variables whose only chunk is fill and so is not stored."""
    count = 6
    return Dataset(
        [
            Array("time", np.datetime64("2024-01-01", "ns") + np.arange(count) * np.timedelta64(8, "h"), ("time",)),
            Array("swh", np.full(count, np.nan, "f4"), ("time",), fill_value=np.float32("nan")),
            Array("zero", np.zeros(count, "i4"), ("time",), fill_value=np.int32(0)),
            Array("mode", np.array(["a", "bcd", "", "x", "y", "z"], "U3"), ("time",)),
            Array("ok", np.arange(count) % 2 == 0, ("time",)),
        ]
    )


CASES = {
    "packed-by-day": (packed, Date(("time",), "D")),
    "packed-by-pass": (packed, Sequence(("cycle", "pass"))),
    "texts-by-month": (texts, Date(("time",), "M")),
}


def archive(folder, target):
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(folder))


def main(target):
    cluster = dask.distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None)
    with cluster, dask.distributed.Client(cluster), tempfile.TemporaryDirectory() as temporary:
        for name, (made, partitioning) in CASES.items():
            folder = f"{temporary}/{name}"
            zcollection.create_collection("time", made(), partitioning, folder).insert(made())
            archive(folder, Path(target) / f"first-{name}.zip")


if __name__ == "__main__":
    main(sys.argv[1])
