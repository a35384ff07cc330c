"""Use the partitioning in a collection, in the directory example-data."""

import numpy as np
import zcollection as zc

URL = "example-data"

schema = (
    zc.Schema()
    .with_dimension("time")
    .with_variable("time", dtype="float64", dimensions=("time",))
    .with_variable("latitude", dtype="float64", dimensions=("time",))
)
partitioning = zc.partitioning.{{ cookiecutter.__class }}(("latitude",), degrees=10)
collection = zc.create_collection(URL, schema=schema, axis="time", partitioning=partitioning, overwrite=True)
times = np.arange(5400)
report = collection.insert({"time": times, "latitude": 66 * np.sin(2 * np.pi * times / 5400)})
print(report)

again = zc.open_collection(URL)
print(again.query(filters="south >= 60"))
