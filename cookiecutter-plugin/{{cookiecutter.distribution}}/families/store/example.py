"""Use the store for a collection, in the file example-data."""

import numpy as np
import zcollection as zc

URL = "{{ cookiecutter.name }}://example-data"

schema = zc.Schema().with_dimension("time").with_variable("time", dtype="int64", dimensions=("time",))
partitioning = zc.partitioning.Date(("time",), resolution="D")
collection = zc.create_collection(URL, schema=schema, axis="time", partitioning=partitioning, overwrite=True)
times = np.arange("2024-01-01", "2024-01-04", dtype="datetime64[m]").astype("datetime64[ns]")
print(collection.insert({"time": times}))

again = zc.open_collection(URL)
print(again.query(filters="day == 2"))
