"""Packed variables on every store: inserted, merged, updated, read at once, lazily and as arrays of dask."""

import numpy as np
import pytest
from backends import BACKENDS, Place
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

import zcollection as zc

HOUR = 3_600 * 10**9
PACKING = zc.Packing("int16", scale_factor=0.01, add_offset=1.0, fill_value=-1)
STORAGE = {
    "blosc": None,
    "plain": "none",
    "gzip": [{"name": "gzip", "configuration": {"level": 1}}],
    "transposed": [{"name": "transpose", "configuration": {"order": [1, 0]}}],
}
"""Codecs of the direct path and of the fallback."""


def schema(codecs, *, shards=None):
    return (
        zc.Schema()
        .with_dimension("time", chunks=3, shards=shards)
        .with_dimension("x", size=2)
        .with_variable("time", dtype="int64", dimensions=("time",))
        .with_variable("swath", dtype="float64", dimensions=("time", "x"), packing=PACKING, codecs=codecs)
        .with_variable("single", dtype="float32", dimensions=("time",), packing=zc.Packing("float32", fill_value=1e20))
    )


def values(hours):
    hours = np.asarray(hours)
    swath = np.round(np.stack([hours / 10, -hours / 10], axis=1), 2)
    swath[hours % 5 == 0, 1] = np.nan
    single = hours.astype("f4")
    single[hours % 7 == 0] = np.nan
    return {"time": hours * HOUR, "swath": swath, "single": single}


def assert_holds(dataset, expected):
    for path, wanted in expected.items():
        np.testing.assert_allclose(dataset[path].to_numpy(), wanted, rtol=1e-12, err_msg=path)
        assert dataset[path].to_numpy().dtype == dataset[path].dtype


def created(place, codecs=None, **options):
    by_day = zc.partitioning.Date(("time",), resolution="D")
    return zc.create_collection(
        place.url, schema=schema(codecs, **options), axis="time", partitioning=by_day, storage_options=place.options
    )


@pytest.mark.parametrize("name", BACKENDS)
def test_packed_values_are_read_as_they_were_written(name, tmp_path, request):
    collection = created(Place(name, tmp_path, request))
    collection.insert(values(range(40)))
    collection.insert(values(range(20, 30)), merge="upsert")
    expected = values(range(40))
    assert_holds(collection.query(), expected)
    assert_holds(collection.query(lazy=True), expected)
    assert_holds(collection.query(chunks={}), expected)
    part = collection.query(lazy=True)["swath"][5:31]
    np.testing.assert_allclose(np.asarray(part), expected["swath"][5:31])
    collection.update(lambda rows: {"swath": rows["swath"].to_numpy() * 2}, filters="day == 2")
    expected["swath"][24:] *= 2
    assert_holds(collection.query(), expected)
    assert collection.verify(data=True).is_clean


@pytest.mark.parametrize("storage", [*STORAGE, "sharded"])
def test_packed_values_go_through_any_codecs(storage, tmp_path):
    place = type("Place", (), {"url": f"{tmp_path}/c", "options": {}})
    collection = created(place, STORAGE.get(storage), shards=6 if storage == "sharded" else None)
    collection.insert(values(range(30)))
    collection.insert(values([3, 31]), merge="upsert")
    assert_holds(collection.query(filters="day == 1"), values(range(24)))
    assert collection.verify(data=True).is_clean


@examples(40)
@given(
    old=st.lists(st.integers(0, 60), min_size=1, max_size=30, unique=True),
    new=st.lists(st.integers(0, 60), min_size=1, max_size=10, unique=True),
    merge=st.sampled_from(["upsert", "concat", "time_series"]),
    number=st.integers(0, 2**60),
)
def test_a_merge_keeps_the_bits_of_rows_that_stay(old, new, merge, number):
    """Even where floats do not tell the stored numbers apart: the rows that stay are not unpacked and packed again."""
    packing = zc.Packing("int32", scale_factor=1e-3)
    made = (
        zc.Schema()
        .with_dimension("time", chunks=4)
        .with_variable("time", dtype="int64", dimensions=("time",), attrs={"units": "hours since 2000-01-01"})
        .with_variable("v", dtype="float32", dimensions=("time",), packing=packing)
    )
    by_year = zc.partitioning.Date(("time",), resolution="Y")
    collection = zc.create_collection(
        f"dict://packed-{number}", schema=made, axis="time", partitioning=by_year, overwrite=True
    )
    large = 2**31 - 1
    old, new = np.sort(old), np.sort(new)
    collection.insert({"time": old, "v": (large - old).astype("f4") * np.float32(1e-3) - 300_000})
    before = dict(zip(old.tolist(), collection.query()["v"].to_numpy().tolist(), strict=True))
    collection.insert({"time": new, "v": np.zeros(new.size, "f4")}, merge=merge)
    found = collection.query()
    for time, value in zip(found["time"].to_numpy().tolist(), found["v"].to_numpy().tolist(), strict=True):
        assert value in {0, before.get(time, 0)}
