"""The engine of xarray beside all other plugins: on disk, in a repository of Icechunk, on a view, on what older releases wrote."""

import zipfile
from pathlib import Path

import distributed
import numpy as np
import pytest
import xarray as xr
from zcollection_store_file.blocking import Files
from zcollection_xarray import PartitionedIndex

import zcollection as zc

ARCHIVES = sorted((Path(__file__).parents[1] / "golden").glob("*/*.zip"))


def assert_same(found, expected):
    """Assert that datasets are the same but for the kind of their indexes and how the chunks lie."""
    assert set(found.xindexes) == set(expected.xindexes)
    xr.testing.assert_equal(found, expected)
    xr.testing.assert_identical(found.drop_indexes(list(found.xindexes)), expected.drop_indexes(list(found.xindexes)))
    for name, variable in expected.variables.items():
        encoding = {key: value for key, value in found[name].encoding.items() if key != "preferred_chunks"}
        assert repr(encoding) == repr(variable.encoding)
        assert found[name].dtype == variable.dtype


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda archive: f"{archive.parent.name}-{archive.stem}")
def test_what_older_releases_wrote_is_opened_as_a_query_gives_it(archive, tmp_path):
    with zipfile.ZipFile(archive) as file:
        file.extractall(tmp_path)
    expected = zc.open_collection(tmp_path).query().to_xarray()
    if isinstance(expected, xr.DataTree):
        tree = xr.open_datatree(tmp_path)
        assert tree.groups == expected.groups
        for node in expected.subtree:
            assert_same(tree[node.path].to_dataset(inherit=False), node.to_dataset(inherit=False))
    else:
        assert_same(xr.open_dataset(tmp_path), expected)
        assert_same(xr.open_dataset(str(tmp_path), engine="zcollection", chunks={}).compute(), expected)


def times(count=72):
    return np.datetime64("2024-01-01", "ns") + np.arange(count) * np.timedelta64(1, "h")


def schema():
    return (
        zc.Schema()
        .with_dimension("time", chunks=8)
        .with_variable("time", dtype="int64", dimensions=("time",), attrs={"units": "nanoseconds since 1970-01-01"})
        .with_variable("ssh", dtype="float64", dimensions=("time",), fill_value=np.nan)
        .build()
    )


@pytest.fixture(params=["", "icechunk://", "memory://"], ids=["file", "icechunk", "memory"])
def collection(request, tmp_path):
    by_day = zc.partitioning.Date(("time",), resolution="D")
    place = f"{request.param}{tmp_path}/collection"
    made = zc.create_collection(place, schema=schema(), axis="time", partitioning=by_day)
    made.insert({"time": times(), "ssh": np.arange(72.0)})
    return made


def test_a_url_needs_no_engine_where_nobody_else_takes_it(collection, tmp_path):
    url = str(collection.store.url)
    assert_same(xr.open_dataset(url, engine="zcollection"), collection.query().to_xarray())
    if url.startswith("file:"):
        for location in (tmp_path / "collection", str(tmp_path / "collection")):
            assert_same(xr.open_dataset(location), collection.query().to_xarray())


def test_a_view_is_opened_too(collection):
    twice = zc.computation.Expression({"twice": "2 * ssh"})
    view = zc.create_view(f"{collection.store.url}-view", base=collection, computation=twice)
    view.refresh(filters="day != 2")
    found = xr.open_dataset(str(view.store.url), engine="zcollection")
    assert_same(found, view.query().to_xarray())
    part = found["twice"].sel(time=slice("2024-01-03T05", "2024-01-03T07"))
    assert part.values.tolist() == [106, 108, 110]


def test_an_older_version_is_opened_where_the_store_keeps_it(tmp_path):
    by_day = zc.partitioning.Date(("time",), resolution="D")
    url = f"icechunk://{tmp_path}/repository"
    collection = zc.create_collection(url, schema=schema(), axis="time", partitioning=by_day)
    collection.insert({"time": times(), "ssh": np.arange(72.0)})
    before = collection.history()[-1].version
    held = xr.open_dataset(url, engine="zcollection")
    collection.update(lambda rows: {"ssh": rows["ssh"].to_numpy() * 2})
    older = xr.open_dataset(url, engine="zcollection", at=before)
    newer = xr.open_dataset(url, engine="zcollection")
    assert older["ssh"].values.tolist() == held["ssh"].values.tolist() == list(range(72))
    assert newer["ssh"].values.tolist() == list(range(0, 144, 2))


def test_blocks_of_two_versions_are_not_taken_for_each_other(tmp_path):
    by_day = zc.partitioning.Date(("time",), resolution="D")
    url = f"icechunk://{tmp_path}/repository"
    collection = zc.create_collection(url, schema=schema(), axis="time", partitioning=by_day)
    collection.insert({"time": times(), "ssh": np.arange(72.0)})
    before = xr.open_dataset(url, engine="zcollection", chunks={})
    collection.update(lambda rows: {"ssh": rows["ssh"].to_numpy() * 2})
    after = xr.open_dataset(url, engine="zcollection", chunks={})
    np.testing.assert_array_equal((after - before)["ssh"].compute(), np.arange(72.0))


def test_workers_of_a_cluster_read_the_blocks(tmp_path):
    by_day = zc.partitioning.Date(("time",), resolution="D")
    url = f"icechunk://{tmp_path}/repository"
    made = zc.create_collection(url, schema=schema(), axis="time", partitioning=by_day)
    made.insert({"time": times(), "ssh": np.arange(72.0)})
    found = xr.open_dataset(url, engine="zcollection", chunks={})
    made.update(lambda rows: {"ssh": rows["ssh"].to_numpy() * 2})  # what was opened stays at its snapshot
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        assert float(found["ssh"].sum()) == sum(range(72))
        part = found["ssh"].sel(time=slice("2024-01-02", "2024-01-02T03"))
        np.testing.assert_array_equal(part.compute(), [24, 25, 26, 27])


def test_what_is_opened_is_written_elsewhere(collection, tmp_path):
    found = xr.open_dataset(str(collection.store.url), engine="zcollection", chunks={"time": 24})
    found.to_netcdf(tmp_path / "out.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "out.nc", engine="h5netcdf") as again:
        xr.testing.assert_equal(again.load(), found.compute())
    other = zc.create_collection(
        tmp_path / "other", schema=schema(), axis="time", partitioning=zc.partitioning.Date(("time",), resolution="h")
    )
    other.insert(xr.open_dataset(str(collection.store.url), engine="zcollection"))
    np.testing.assert_array_equal(other.query()["ssh"].to_numpy(), np.arange(72.0))


def test_thousands_of_partitions_are_opened_with_no_request_for_one(tmp_path, monkeypatch):
    count = 2_000
    by_hour = zc.partitioning.Date(("time",), resolution="h")
    collection = zc.create_collection(tmp_path, schema=schema(), axis="time", partitioning=by_hour)
    collection.insert({"time": times(count), "ssh": np.arange(float(count))})
    asked = []
    get = Files.get
    monkeypatch.setattr(Files, "get", lambda self, reads: asked.extend(reads) or get(self, reads))
    found = xr.open_dataset(tmp_path)
    assert isinstance(found.xindexes["time"], PartitionedIndex)
    assert found.sizes["time"] == count
    assert [read.key for read in asked if "year=" in read.key] == []
    asked.clear()
    assert found["ssh"].sel(time=times(count)[1234], method="nearest").item() == 1234
    assert len([read.key for read in asked if "/ssh/c/" in read.key]) == 1
    assert len([read.key for read in asked if "/time/c/" in read.key]) <= 3
