"""Any rows, in any order, in one insert or in many, under every built-in partitioning and merge, equal pandas."""

import itertools
import uuid

import numpy as np
import oracle
import pandas as pd
import pytest
from effort import cases, every_pair, examples
from hypothesis import given
from hypothesis import strategies as st

import zcollection as zc

PARTITIONINGS = oracle.partitionings("nested/pass_number")
LABELS = {"platform": "T", "ascending": "bool"}
MERGES = [None, "replace", "concat", "time_series", "upsert"]


def make_schema(partitioning, cycle_dtype="int16", pass_dtype="int64"):
    schema = (
        zc.Schema()
        .with_dimension("time", chunks=1000)
        .with_dimension("x", size=2)
        .with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
        .with_variable("cycle", dtype=cycle_dtype, dimensions=("time",))
        .with_variable("row", dtype="int64", dimensions=("time",))
        .with_variable("swath", dtype="float32", dimensions=("time", "x"), fill_value=np.nan)
        .with_variable("pass_number", dtype=pass_dtype, dimensions=("time",), group="/nested")
        .with_variable("deep", dtype="complex64", dimensions=("x", "time"), group="/nested/deeper")
    )
    for name, dtype in LABELS.items() if partitioning == "values" else ():
        schema = schema.with_variable(name, dtype=dtype, dimensions=("time",))
    return schema.build()


def as_arrays(frame, schema):
    row = frame["row"].to_numpy()
    labels = {name: frame[name].to_numpy().astype(dtype) for name, dtype in LABELS.items() if name in schema.variables}
    return labels | {
        "time": frame["time"].to_numpy(),
        "cycle": frame["cycle"].to_numpy(),
        "row": row,
        "swath": np.stack([row, row + 0.5], axis=1).astype("float32"),
        "nested/pass_number": frame["pass_number"].to_numpy(),
        "nested/deeper/deep": (np.stack([row, row]) * (1 + 2j)).astype("complex64"),
    }


def expected(inserts, keys, merge):
    partitions = {}
    for frame in inserts:
        oracle.insert(partitions, frame, keys, merge)
    return pd.concat([partitions[key] for key in sorted(partitions)])


def check(partitioning, merge, inserts, *, schema):
    build, keys = PARTITIONINGS[partitioning]
    collection = zc.create_collection(f"memory://{uuid.uuid4().hex}", schema=schema, axis="time", partitioning=build())
    for frame in inserts:
        collection.insert(as_arrays(frame, schema), merge=merge)
    wanted = expected(inserts, keys, merge)
    found = collection.query()
    for path, values in as_arrays(wanted, schema).items():
        np.testing.assert_array_equal(found.get_variable(path).to_numpy(), values, err_msg=path)
        assert found.get_variable(path).dtype == schema.get_variable(path).dtype
    assert len(collection.partitions()) == len(wanted.groupby(keys))


ROWS_IN_PIECES = cases((20_000, 1), (20_000, 8), thorough=[(100_000, 1), (100_000, 50)])


@pytest.mark.parametrize(("partitioning", "merge", "size"), every_pair(PARTITIONINGS, MERGES, ROWS_IN_PIECES))
def test_many_rows_equal_pandas(partitioning, merge, size):
    rows, pieces = size
    rng = np.random.default_rng([MERGES.index(merge), pieces, len(partitioning)])
    frame = oracle.make_rows(rng, rows)
    inserts = [frame.iloc[part] for part in np.array_split(np.arange(len(frame)), pieces)]
    check(partitioning, merge, inserts, schema=make_schema(partitioning))


@examples(60)
@given(
    partitioning=st.sampled_from(list(PARTITIONINGS)),
    merge=st.sampled_from(MERGES),
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    cycle_dtype=st.sampled_from(["int8", "int16", "int32", "int64"]),
    pass_dtype=st.sampled_from(["int8", "int64", "int16"]),
    order=st.sampled_from(["shuffled", "sorted", "reversed"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_random_inserts_equal_pandas(partitioning, merge, sizes, cycle_dtype, pass_dtype, order, seed):
    rng = np.random.default_rng(seed)
    starts = itertools.accumulate([0, *sizes])
    inserts = [oracle.make_rows(rng, size, days=3, ids_from=start) for start, size in zip(starts, sizes, strict=False)]
    if order != "shuffled":
        inserts = [frame.sort_values("time", ascending=order == "sorted", kind="stable") for frame in inserts]
    check(partitioning, merge, inserts, schema=make_schema(partitioning, cycle_dtype, pass_dtype))


def test_partitions_come_in_numeric_order():
    schema = make_schema("sequence")
    collection = zc.create_collection(
        f"memory://{uuid.uuid4().hex}",
        schema=schema,
        axis="time",
        partitioning=zc.partitioning.Sequence(("cycle", "nested/pass_number")),
    )
    frame = oracle.make_rows(np.random.default_rng(1), 300, cycles=(-2, 12), passes=(1, 120))
    collection.insert(as_arrays(frame, schema))
    keys = [(key["cycle"], key["pass_number"]) for key in collection.keys()]
    assert keys == sorted(set(zip(frame["cycle"].tolist(), frame["pass_number"].tolist(), strict=True)))
    assert "cycle=-2/pass_number=3" in collection.partitions() or keys[0][0] == -2
