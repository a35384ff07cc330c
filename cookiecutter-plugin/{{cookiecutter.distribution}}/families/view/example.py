"""Use the computation in a view, in the directory example-data, over a collection in example-data-base."""

import numpy as np
import zcollection as zc

URL = "example-data"

schema = zc.Schema().with_dimension("time")
for name, dtype in (("time", "int64"), ("latitude", "float64"), ("ssh", "float32")):
    schema = schema.with_variable(name, dtype=dtype, dimensions=("time",))
partitioning = zc.partitioning.Date(("time",), resolution="D")
base = zc.create_collection("example-data-base", schema=schema, axis="time", partitioning=partitioning, overwrite=True)
times = np.arange("2024-01-01", "2024-01-02", dtype="datetime64[m]").astype("datetime64[ns]")
latitude = 66 * np.sin(2 * np.pi * np.arange(times.size) / 100)
base.insert({"time": times, "latitude": latitude, "ssh": np.cos(latitude / 50).astype("float32")})

computation = zc.computation.{{ cookiecutter.__class }}(variable="ssh", latitude="latitude")
view = zc.create_view(URL, base=base, computation=computation, reference="../example-data-base", overwrite=True)
print(view.refresh())

again = zc.open_view(URL)
print(again.query())
