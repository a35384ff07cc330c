"""Collections read from archives and through fsspec: equal to the originals, and never a mixture of two versions."""

import gc
import os
import pickle
import shutil
import tarfile
import tempfile
import zipfile
from functools import partial

import fsspec
import numpy as np
import pytest

import zcollection as zc
from zcollection import config

DAY = 24
TIMES = np.arange("2024-01-01", "2024-01-04", dtype="datetime64[h]").astype("datetime64[ns]")
SCHEMA = (
    zc.Schema()
    .with_dimension("time", chunks=DAY)
    .with_variable("time", dtype="datetime64[ns]", dimensions=("time",))
    .with_variable("ssh", dtype="float64", dimensions=("time",), fill_value=np.nan)
)


def values(collection, **asked):
    found = collection.query(**asked)
    return None if found is None else found["ssh"].to_numpy().tolist()


def create(url, *, offset=0.0, **options):
    partitioning = zc.partitioning.Date(("time",), resolution="D")
    collection = zc.create_collection(url, schema=SCHEMA, axis="time", partitioning=partitioning, **options)
    collection.insert({"time": TIMES, "ssh": np.arange(TIMES.size) + offset})
    return collection


@pytest.fixture
def written(tmp_path):
    return create(tmp_path / "altimetry")


@pytest.fixture
def objects(written, tmp_path, archives):
    return archives.contents(tmp_path / "altimetry")


@pytest.fixture
def bucket(moto_server):
    moto_server.create_bucket("collections")
    given = {"key": "nobody", "secret": "nothing", "endpoint_url": moto_server.endpoint}
    return {"s3": {**given, "client_kwargs": {"region_name": "us-east-1"}}}


WAYS = {
    "zip": ("zip::{0}/x.zip", lambda make, folder, objects: make.zipped(folder / "x.zip", objects)),
    "stored": (
        "zip::{0}/x.zip",
        lambda make, folder, objects: make.zipped(folder / "x.zip", objects, compression=zipfile.ZIP_STORED),
    ),
    "folder": (
        "zip://a b/c::{0}/x.zip",
        lambda make, folder, objects: make.zipped(folder / "x.zip", objects, folder="a b/c/"),
    ),
    "made by shutil": (
        "zip://altimetry::{0}/made.zip",
        lambda make, folder, objects: shutil.make_archive(f"{folder}/made", "zip", folder, "altimetry"),
    ),
    "tar": ("tar::{0}/x.tar", lambda make, folder, objects: make.tarred(folder / "x.tar", objects)),
    "tar made by shutil": (
        "tar://altimetry::{0}/made.tar",
        lambda make, folder, objects: shutil.make_archive(f"{folder}/made", "tar", folder, "altimetry"),
    ),
    "url of a file": (
        "zip::file://{0}/x%20y.zip",
        lambda make, folder, objects: make.zipped(folder / "x y.zip", objects),
    ),
    "files": ("fsspec+file://{0}/altimetry", lambda *_: None),
    "a directory of files": ("fsspec+dir://altimetry::{0}", lambda *_: None),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_collection_reads_as_it_was_written(way, written, objects, tmp_path, archives):
    url, publish = WAYS[way]
    publish(archives, tmp_path, objects)
    read = zc.open_collection(url.format(tmp_path))
    assert read.partitions() == written.partitions()
    assert values(read) == list(range(TIMES.size))
    assert values(read, filters="day == 2") == list(range(DAY, 2 * DAY))
    assert values(read, where="ssh >= 70") == [70, 71]
    assert read.count("time < '2024-01-01T06:00'") == 6
    assert read.verify(data=True).is_clean
    copy = pickle.loads(pickle.dumps(read))
    assert (values(copy), str(copy.store.url)) == (values(read), str(read.store.url))
    assert values(zc.open_collection(str(read.store.url))) == values(read)


def test_the_contents_of_an_archive_are_listed(written, objects, tmp_path, archives):
    archives.zipped(tmp_path / "x.zip", objects)
    read = zc.open_collection(f"zip::{tmp_path}/x.zip")
    assert [version.operation for version in read.history()] == [version.operation for version in written.history()]
    copied = read.copy(tmp_path / "copied")
    assert values(copied) == values(written)
    with pytest.raises(zc.StoreError, match=r"cannot be listed through fsspec; list them at their original location"):
        zc.open_collection(f"fsspec+file://{tmp_path}/altimetry").history()


def test_a_local_path_is_made_absolute(objects, tmp_path, archives, monkeypatch):
    archives.zipped(tmp_path / "x.zip", objects)
    monkeypatch.chdir(tmp_path)
    read = zc.open_collection("zip::x.zip")
    monkeypatch.chdir("/")
    assert str(read.store.url) == f"zip::{tmp_path}/x.zip"
    assert values(read) == values(zc.open_collection(f"zip::{tmp_path}/x.zip"))


def test_hard_links_and_links_in_a_tar_archive_are_followed(objects, tmp_path):
    shutil.copytree(tmp_path / "altimetry", tmp_path / "linked", copy_function=os.link)
    chunk = next(path for path in (tmp_path / "linked").rglob("c/*") if path.is_file())
    chunk.rename(chunk.with_name("elsewhere"))
    chunk.symlink_to("elsewhere")
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(tmp_path / "altimetry", "altimetry")
        archive.add(tmp_path / "linked", "linked")  # nearly all of them are links to earlier members
    assert values(zc.open_collection(f"tar://linked::{tmp_path}/x.tar")) == list(range(TIMES.size))


@pytest.mark.parametrize("scheme", ["zip", "tar", "zip::simplecache"])
def test_an_archive_in_a_bucket_is_read_in_place(scheme, objects, tmp_path, archives, bucket):
    kind = scheme[:3]
    getattr(archives, {"zip": "zipped", "tar": "tarred"}[kind])(tmp_path / "x", objects)
    system = fsspec.filesystem("s3", **bucket["s3"], skip_instance_cache=True)
    system.pipe_file(f"collections/{tmp_path.name}/x.{kind}", (tmp_path / "x").read_bytes())
    url = f"{scheme}::s3://collections/{tmp_path.name}/x.{kind}"
    assert values(zc.open_collection(url, storage_options=bucket)) == list(range(TIMES.size))


def test_an_archive_behind_a_web_server_is_read_in_parts(objects, tmp_path, archives, web_server):
    archives.zipped(web_server.folder / "x.zip", objects)
    read = zc.open_collection(f"zip::{web_server.url}/x.zip")
    assert values(read, filters="day == 2") == list(range(DAY, 2 * DAY))
    ranges = [request.headers.get("range") for request in web_server.requests if request.method == "GET"]
    assert ranges
    assert all(ranges)


def test_a_web_server_without_ranges_is_reported_and_a_copy_can_be_read(objects, tmp_path, archives, web_server):
    archives.zipped(web_server.folder / "x.zip", objects)
    web_server.has_ranges = False
    with pytest.raises(
        zc.StoreError, match=r"does not support reading parts of the file.*; enable Range .*simplecache"
    ):
        zc.open_collection(f"zip::{web_server.url}/x.zip")
    options = {"simplecache": {"cache_storage": str(tmp_path / "cache")}}
    read = zc.open_collection(f"zip::simplecache::{web_server.url}/x.zip", storage_options=options)
    assert values(read) == list(range(TIMES.size))


@pytest.mark.parametrize("url", ["zip::{0}/x.zip", "tar::{0}/x.tar", "fsspec+file://{0}/altimetry"])
def test_nothing_can_be_written(url, objects, tmp_path, archives):
    archives.zipped(tmp_path / "x.zip", objects)
    archives.tarred(tmp_path / "x.tar", objects)
    url = url.format(tmp_path)
    words = r"can only be read (from an archive|through fsspec); accepted: mode='r'; write to the original location"
    with pytest.raises(zc.ReadOnlyError, match=words):
        zc.open_collection(url, mode="rw")
    with pytest.raises(zc.ReadOnlyError, match=words):
        create(f"{url}/new" if url.startswith("fsspec") else url, overwrite=True)
    read = zc.open_collection(url)
    for write in (partial(read.insert, {"time": TIMES, "ssh": np.zeros(TIMES.size)}), read.repair):
        with pytest.raises(zc.ReadOnlyError):
            write()
    assert values(read) == list(range(TIMES.size))


def replaced(path, make):
    """Overwrite an archive in place, so that open files see the new bytes."""
    make(path.with_suffix(".new"))
    path.write_bytes(path.with_suffix(".new").read_bytes())
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize("kind", ["zip", "stored", "tar"])
@pytest.mark.parametrize("offset", [0.5, 1e9])
def test_an_archive_that_is_replaced_is_never_read_as_a_mixture(kind, offset, objects, tmp_path, archives):
    """The old and the new archive have the same files and, uncompressed, the same sizes: the old directory fits the new bytes."""
    make = {
        "zip": archives.zipped,
        "stored": partial(archives.zipped, compression=zipfile.ZIP_STORED),
        "tar": archives.tarred,
    }[kind]
    create(tmp_path / "other", offset=offset)
    other = archives.contents(tmp_path / "other")
    path = tmp_path / f"x.{kind}"
    make(path, objects)
    scheme = "tar" if kind == "tar" else "zip"
    read = zc.open_collection(f"{scheme}::{path}")
    assert values(read, filters="day == 1") == list(range(DAY))
    replaced(path, lambda new: make(new, {key: other.get(key, data) for key, data in objects.items()}))
    with pytest.raises(zc.ZCollectionError, match="damaged, or was replaced since it was opened; open the collection"):
        read.query(filters="day >= 2")
    assert values(zc.open_collection(f"{scheme}::{path}")) == (np.arange(TIMES.size) + offset).tolist()


@pytest.mark.parametrize("kind", ["stored", "tar"])
def test_bytes_of_another_archive_of_the_same_layout_are_an_error(kind, objects, tmp_path, archives):
    make = {"stored": partial(archives.zipped, compression=zipfile.ZIP_STORED), "tar": archives.tarred}[kind]
    path = tmp_path / "x"
    make(path, objects)
    read = zc.open_collection(f"{'tar' if kind == 'tar' else 'zip'}::{path}")
    chunks = {key: bytes(len(data)) if "/ssh/c/" in key else data for key, data in objects.items()}
    replaced(path, lambda new: make(new, chunks))
    with pytest.raises(zc.StoreError, match="damaged, or was replaced since it was opened; open the collection again"):
        read.query(variables=["ssh"])


@pytest.fixture
def growing(moto_server, bucket, tmp_path):
    """A collection in a bucket, and the URL that reads it through a cache."""
    place = f"s3://collections/{tmp_path.name}"
    return create(place, storage_options=moto_server.storage_options), f"simplecache::{place}"


@pytest.mark.parametrize("keep", [True, False], ids=["in a folder", "in this process"])
def test_a_cached_chunk_is_never_returned_for_one_that_replaced_it(keep, growing, bucket, tmp_path):
    written, url = growing
    options = {**bucket, "simplecache": {"cache_storage": str(tmp_path / "cache")}} if keep else bucket
    read = zc.open_collection(url, storage_options=options)
    for step in range(2):
        wanted = (np.arange(TIMES.size) + 100.0 * step).tolist()
        for reader in (read, zc.open_collection(url, storage_options=options)):
            assert values(reader) == wanted, f"after {step} changes"
        written.update(lambda rows: {"ssh": rows["ssh"].to_numpy() + 100.0})


def test_a_chunk_that_is_replaced_and_restored_is_read_as_it_is(growing, bucket, tmp_path):
    written, url = growing
    read = zc.open_collection(url, storage_options=bucket)
    for change in (0.0, 5.0, -5.0):
        written.update(lambda rows, change=change: {"ssh": rows["ssh"].to_numpy() + change})
        assert values(read) == values(written)


def test_a_cache_by_name_alone_would_mix_old_and_new(growing, bucket, tmp_path):
    """The cache of fsspec returns outdated bytes for the same chain, unlike that of the plugin."""
    written, _ = growing
    system = fsspec.filesystem(
        "simplecache", target_protocol="s3", target_options=bucket["s3"], cache_storage=str(tmp_path / "mixed")
    )
    chunk = next(path for path in system.find(f"collections/{tmp_path.name}") if "/ssh/c/" in path)
    old = system.cat_file(chunk)
    written.update(lambda rows: {"ssh": rows["ssh"].to_numpy() + 100.0})
    assert system.cat_file(chunk) == old
    assert fsspec.filesystem("s3", **bucket["s3"], skip_instance_cache=True).cat_file(chunk) != old


def test_chunks_are_cached_and_documents_are_not(growing, bucket, tmp_path):
    _, url = growing
    folder = tmp_path / "cache"
    options = {**bucket, "simplecache": {"cache_storage": str(folder)}}
    assert values(zc.open_collection(url, storage_options=options)) == list(range(TIMES.size))
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len(before) >= 2 * 3  # time and ssh, of three days
    assert not [path for path in folder.iterdir() if path.read_bytes().startswith(b"{")]
    assert values(zc.open_collection(url, storage_options=options)) == list(range(TIMES.size))
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_truncated_cache_file_is_fetched_again(growing, bucket, tmp_path):
    _, url = growing
    folder = tmp_path / "cache"
    options = {**bucket, "simplecache": {"cache_storage": str(folder)}}
    values(zc.open_collection(url, storage_options=options))
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    assert values(zc.open_collection(url, storage_options=options)) == list(range(TIMES.size))


def test_a_temporary_cache_is_removed_with_the_collection(growing, bucket, tmp_path, monkeypatch):
    _, url = growing
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    read = zc.open_collection(url, storage_options=bucket)
    values(read)
    assert list(tmp_path.glob("zcollection-*/*"))
    del read
    gc.collect()
    assert not list(tmp_path.glob("zcollection-*"))


def test_several_threads_read_one_archive(objects, tmp_path, archives):
    archives.zipped(tmp_path / "x.zip", objects)
    with config.using(concurrency=16):
        read = zc.open_collection(f"zip::{tmp_path}/x.zip")
        for _ in range(3):
            assert values(read) == list(range(TIMES.size))


def test_a_view_in_an_archive_finds_its_base_beside_itself(written, tmp_path, archives):
    computation = zc.computation.Expression({"twice": "2 * ssh"})
    view = zc.create_view(tmp_path / "view", base=written, computation=computation, reference="../altimetry")
    view.refresh()
    archives.zipped(tmp_path / "x.zip", {**archives.contents(tmp_path)})
    read = zc.open_view(f"zip://view::{tmp_path}/x.zip")
    np.testing.assert_array_equal(read.query()["twice"].to_numpy(), 2.0 * np.arange(TIMES.size))
