"""Statistics show in nobody's tool: to other readers of Zarr a collection is what it is without them."""

import warnings

import kept
import numpy as np
import pytest
import tensorstore
import tracks
import xarray as xr
import zarr
from backends import Place
from zarr.errors import ZarrUserWarning

DAY = "year=2024/month=01/day=02"


@pytest.fixture(params=["file", "memory", "icechunk"])
def collection(request, tmp_path):
    made = tracks.create(Place(request.param, tmp_path, request).url)
    made.insert(tracks.rows(np.random.default_rng(0), 900))
    return made


def seen_by(look, collection):
    """Return what a reader sees, and which warnings it gives, with statistics and without."""
    found = []
    for without in (False, True):
        if without:
            kept.lost(collection)
        assert (set(kept.statistics(collection).values()) == {None}) is without
        with warnings.catch_warnings(record=True) as given:
            warnings.simplefilter("always")
            found.append((look(kept.zarr(collection)), sorted(str(one.message) for one in given)))
    return found


def members(store):
    group = zarr.open_group(store, mode="r")
    every = {path: type(item).__name__ for path, item in group.members(max_depth=None)}
    day = group[DAY]
    return (
        dict(sorted(every.items())),
        sorted(day.array_keys()),
        sorted(day.group_keys()),
        {name: day[name].shape for name in sorted(day.array_keys())},
    )


def dataset(store):
    with xr.open_zarr(store, group=DAY, consolidated=False, decode_timedelta=True) as found:
        return {name: found[name].values.tolist() for name in sorted(map(str, found.variables))}


def tree(store):
    with xr.open_datatree(store, engine="zarr", consolidated=False, decode_timedelta=True) as found:
        return sorted((node.path, sorted(map(str, node.variables))) for node in found.subtree)


@pytest.mark.parametrize("look", [members, dataset, tree])
def test_zarr_and_xarray_see_the_same_without_them(collection, look):
    with_them, without = seen_by(look, collection)
    np.testing.assert_equal(with_them, without)  # NaN equals NaN
    assert "_statistics" not in str(with_them)


@pytest.mark.parametrize("look", [members, dataset])
def test_a_partition_is_read_without_any_warning(collection, look):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Object at _zcollection", ZarrUserWarning)  # the configuration, in the root
        warnings.filterwarnings("ignore", category=zarr.errors.UnstableSpecificationWarning)
        assert look(kept.zarr(collection))


def test_tensorstore_sees_the_same_arrays(tmp_path):
    collection = tracks.create(f"{tmp_path}/collection")
    collection.insert(tracks.rows(np.random.default_rng(0), 900))
    wanted = collection.query(filters="day == 2")

    def read(path):
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{tmp_path}/collection/{DAY}/{path}"}}
        return tensorstore.open(spec, open=True, read=True).result().read().result()

    for path in ("time", "id", "latitude", "flag", "deep/swath"):
        values = wanted.get_variable(path).to_numpy()
        np.testing.assert_array_equal(read(path), values.view("int64") if values.dtype.kind == "M" else values)
    kept.lost(collection)
    np.testing.assert_array_equal(read("id"), wanted["id"].to_numpy())


def test_whoever_opens_an_array_finds_no_more_than_its_chunks(collection):
    day = zarr.open_group(kept.zarr(collection), mode="r", path=DAY)
    array = day["time"]
    assert array.nchunks_initialized == array.nchunks
    assert array.metadata.to_dict()["shape"] == (array.shape[0],)
