"""Use the merge strategy in a collection, in the directory example-data."""

import numpy as np
import zcollection as zc

URL = "example-data"

schema = zc.Schema().with_dimension("time")
for name, dtype in (("time", "int64"), ("wave_height", "float32"), ("quality_flag", "int8")):
    schema = schema.with_variable(name, dtype=dtype, dimensions=("time",))
partitioning = zc.partitioning.Date(("time",), resolution="D")
collection = zc.create_collection(URL, schema=schema, axis="time", partitioning=partitioning, overwrite=True)

times = np.arange("2024-01-01", "2024-01-02", dtype="datetime64[h]").astype("datetime64[ns]")
first = {"time": times, "wave_height": np.full(24, 2, "float32"), "quality_flag": np.arange(24, dtype="int8") % 2}
collection.insert(first)
second = {"time": times, "wave_height": np.full(24, 3, "float32"), "quality_flag": np.ones(24, "int8")}
report = collection.insert(second, merge="{{ cookiecutter.name }}")
print(report.replaced, "rows were replaced by better rows, or by later rows with equal flags")

again = zc.open_collection(URL)
print(again.query())
