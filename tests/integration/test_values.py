"""Collections partitioned by texts and booleans, on every store: what is inserted is found, filtered, dropped and opened."""

import numpy as np
import pyarrow as pa
import pytest
import xarray as xr
import zarr
from backends import BACKENDS, Place
from effort import examples
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import dataset as ds

import zcollection as zc
from zcollection.testing.partitioning import strings

TEXTS = [
    *(
        "S3A",
        "SWOT",
        "Jason-3 GDR/F",
        "100%",
        "%41",
        "a=b&c+d",
        "Malmö",
        "Malmo\u0308",
        "海面",
        "",
        ".",
        "..",
        "c",
        "zarr.json",
    ),
    *("_x", "x.", "CON", "a\\b", "tab\t", "quote\"'", "#?*:<>|~", "\U0001f6f0", "\u202eturned", "\x00", "å", "\u212b"),
]
OUR_DOCUMENTS = pytest.mark.filterwarnings("ignore:Object at .* is not recognized")
SCHEMA = (
    zc.Schema()
    .with_dimension("row", chunks=8)
    .with_variable("time", dtype="int64", dimensions=("row",))
    .with_variable("ascending", dtype="bool", dimensions=("row",))
    .with_group("/data")
    .with_variable("platform", dtype="string", dimensions=("row",), group="/data")
    .build()
)


def rows(texts, first=0):
    """Return two rows for each text, one ascending and one descending."""
    count = 2 * len(texts)
    return {
        "time": np.arange(first, first + count),
        "ascending": np.arange(count) % 2 == 0,
        "data/platform": np.array([text for text in texts for _ in range(2)], dtype="T"),
    }


def create(place, texts=TEXTS):
    partitioning = zc.partitioning.Values(("data/platform", "ascending"))
    collection = zc.create_collection(
        place.url, schema=SCHEMA, axis="time", partitioning=partitioning, storage_options=place.options
    )
    collection.insert(rows(texts))
    return collection


@pytest.mark.parametrize("backend", BACKENDS)
def test_any_text_is_found_again_on_every_store(backend, tmp_path, request):
    place = Place(backend, tmp_path, request)
    created = create(place)
    expected = sorted((text, ascending) for text in TEXTS for ascending in (False, True))
    for collection in (created, zc.open_collection(place.url, mode="rw", storage_options=place.options)):
        assert [tuple(key.values()) for key in collection.keys()] == expected
        found = collection.query()
        assert found.get_variable("data/platform").to_numpy().tolist() == [text for text, _ in expected]
        assert found["ascending"].to_numpy().tolist() == [ascending for _, ascending in expected]
    for position, text in list(enumerate(TEXTS))[::4]:
        times = collection.query(filters={"platform": text, "ascending": True})["time"].to_numpy()
        assert times.tolist() == [2 * position], text
    collection.insert(rows(TEXTS, first=1000), merge="concat")
    assert collection.query(filters="platform == 'Malmö' and not ascending")["time"].shape == (2,)
    assert len(collection.drop_partitions(filters=lambda key: key["platform"] != "100%")) == 2 * len(TEXTS) - 2
    assert collection.partitions() == ("platform=100%25/ascending=false", "platform=100%25/ascending=true")
    assert collection.verify(data=True).is_clean


@pytest.fixture
def on_disk(tmp_path):
    return create(Place("file", tmp_path, None))


def folder_of(collection):
    return str(collection.store.url).removeprefix("file://")


def test_xarray_opens_a_partition_by_its_path(on_disk):
    for path, key in zip(on_disk.partitions(), on_disk.keys(), strict=True):
        opened = xr.open_zarr(f"{folder_of(on_disk)}/{path}", group="data", consolidated=False)
        assert opened["platform"].to_numpy().tolist() == [key["platform"]]


@OUR_DOCUMENTS
def test_xarray_opens_the_tree(on_disk):
    with xr.open_datatree(folder_of(on_disk), engine="zarr", consolidated=False) as tree:
        for path, key in zip(on_disk.partitions(), on_disk.keys(), strict=True):
            assert tree[f"{path}/data/platform"].to_numpy().tolist() == [key["platform"]]
            assert tree[f"{path}/ascending"].to_numpy().tolist() == [key["ascending"]]


@OUR_DOCUMENTS
def test_zarr_walks_to_every_partition(on_disk):
    root = zarr.open_group(folder_of(on_disk), mode="r")
    assert {*on_disk.partitions()} <= {path for path, _ in root.members(max_depth=2)}


def test_arrow_reads_the_same_keys_from_the_paths(on_disk):
    fields = pa.schema([("platform", pa.string()), ("ascending", pa.bool_())])
    hive = ds.partitioning(fields, flavor="hive")
    for path, key in zip(on_disk.partitions(), on_disk.keys(), strict=True):
        expected = (ds.field("platform") == key["platform"]) & (ds.field("ascending") == key["ascending"])
        assert hive.parse(f"/{path}/part").equals(expected)


STATIONS = (
    zc.Schema()
    .with_dimension("row", chunks=4)
    .with_variable("time", dtype="int64", dimensions=("row",))
    .with_variable("up", dtype="bool", dimensions=("row",))
    .with_group("/data")
    .with_variable("station", dtype="string", dimensions=("row",), group="/data", fill_value="none")
    .build()
)


@examples(30)
@given(stations=st.lists(strings(), min_size=1, max_size=10), seed=st.integers(0, 2**32 - 1))
def test_a_collection_finds_every_text_again(stations, seed):
    ups = np.random.default_rng(seed).random(len(stations)) < 0.5
    collection = zc.create_collection(
        "memory://values",
        schema=STATIONS,
        axis="time",
        overwrite=True,
        partitioning=zc.partitioning.Values(("data/station", "up")),
    )
    collection.insert({"time": np.arange(len(stations)), "data/station": np.array(stations, dtype="T"), "up": ups})
    wanted = stations[seed % len(stations)]
    found = collection.query(filters={"station": wanted})
    order = sorted(zip(stations, ups.tolist(), range(len(stations)), strict=True))
    assert found["time"].to_numpy().tolist() == [time for station, _, time in order if station == wanted]
    assert collection.query()["time"].to_numpy().tolist() == [time for _, _, time in order]
    collection.drop_partitions(filters=f"station == {wanted!r}")
    assert {key["station"] for key in collection.keys()} == {*stations} - {wanted}


def test_a_text_that_equals_the_fill_value_is_a_value_as_any_other():
    collection = zc.create_collection(
        "memory://filled",
        schema=STATIONS,
        axis="time",
        overwrite=True,
        partitioning=zc.partitioning.Values(("data/station",)),
    )
    collection.insert({"time": np.arange(2), "data/station": np.array(["none", "a"], dtype="T"), "up": [True, False]})
    assert collection.partitions() == ("station=a", "station=none")
    assert collection.query(filters="station == 'none'")["time"].to_numpy().tolist() == [0]


def test_a_float_is_refused_when_the_collection_is_created():
    schema = zc.Schema().with_dimension("row").with_variable("time", dtype="float64", dimensions=("row",)).build()
    with pytest.raises(zc.SchemaError, match="'time', which is float64; .* floats that look alike"):
        zc.create_collection(
            "memory://float", schema=schema, axis="time", partitioning=zc.partitioning.Values(("time",))
        )
