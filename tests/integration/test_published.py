"""Collections that a web server publishes: read over HTTP they are what they are on disk, as they are at that moment."""

import pickle
from functools import partial
from urllib.parse import unquote

import computations
import numpy as np
import pytest
import samples
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import zcollection as zc
from zcollection.plugin import StoreError
from zcollection.testing.web import web_server

__all__ = ["web_server"]

TIMES = [*range(25), 33, 41]
CATALOG = "_catalog/c/0"


@pytest.fixture
def written(web_server):
    return samples.create(str(web_server.folder / "sample"), TIMES)


@pytest.fixture
def url(web_server, written):
    return f"{web_server.url}/sample"


@pytest.fixture
def read(url):
    return zc.open_collection(url)


def times(dataset):
    return [] if dataset is None else dataset["time"].to_numpy().tolist()


def asked(server):
    found = [request.path.removeprefix("sample/") for request in server.requests]
    server.requests.clear()
    return found


def test_a_published_collection_reads_as_on_disk(url, written):
    read = zc.open_collection(url)
    assert read.partitions() == written.partitions()
    assert read.records() == written.records()
    samples.assert_rows(read.query(), TIMES)
    lazy = read.query(lazy=True)
    np.testing.assert_array_equal(np.asarray(lazy["value"].data), np.array(TIMES) + 0.25)
    samples.assert_rows(pickle.loads(pickle.dumps(read)).query(), TIMES)
    assert times(read.query(filters="quotient == 1")) == list(range(10, 20))
    assert read.schema == written.schema
    assert str(read.store.url) == url


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(low=st.integers(-5, 50), length=st.integers(0, 30), flag=st.integers(0, 60))
def test_conditions_find_the_rows_that_numpy_finds(read, low, length, flag):
    for condition, wanted in (
        (f"time >= {low} and time < {low + length}", [time for time in TIMES if low <= time < low + length]),
        (f"flag == {flag} or value < {low}", [time for time in TIMES if time == flag or time + 0.25 < low]),
    ):
        assert read.count(condition) == len(read.find(condition)) == len(wanted)
        assert times(read.query(where=condition)) == wanted


def test_nothing_can_be_written(url, written):
    with pytest.raises(zc.ReadOnlyError, match=r"http://.*/sample can only be read over HTTP.*accepted: mode='r'"):
        zc.open_collection(url, mode="rw")
    with pytest.raises(zc.ReadOnlyError):
        samples.create(f"{url}/new")
    read = zc.open_collection(url)
    for write in (
        partial(read.insert, samples.rows([1])),
        partial(read.drop_partitions, filters="quotient == 1"),
        read.repair,
    ):
        with pytest.raises(zc.ReadOnlyError):
            write()
    assert written.history()[-1].operation == "insert"


def test_where_nothing_is_published_there_is_no_collection(web_server, url):
    for missing in (f"{web_server.url}/missing", web_server.url, f"{url}/quotient=1"):
        with pytest.raises(zc.CollectionNotFoundError, match=r"there is no collection at http://127"):
            zc.open_collection(missing)


def test_a_query_asks_for_chunks_and_little_else(web_server, url):
    asked(web_server)
    read = zc.open_collection(url)
    assert sorted(asked(web_server)) == [CATALOG, "_transactions/replacing", "_zcollection.json"]
    for filters, partitions in (("quotient == 1", 1), (None, 5)):
        read.query(filters=filters, variables=["time", "value"])
        found = asked(web_server)
        chunks = [path for path in found if "/c/" in path]
        assert len({path.split("/time/")[0] for path in chunks if "/time/" in path}) == partitions
        assert CATALOG not in found  # what is known of it is compared with the log
        assert not [path for path in chunks if "swath" in path or "flag" in path]
        assert len(found) - len(chunks) <= 9


def test_listings_are_asked_for_by_nothing_that_reads(web_server, url):
    read = zc.open_collection(url)
    read.query()
    read.verify(data=True)
    assert {request.method for request in web_server.requests} <= {"GET", "HEAD"}
    assert not [request for request in web_server.requests if request.path.endswith("/")]


@pytest.mark.parametrize(
    "ask", [lambda read: read.history(), lambda read: read.changes(since=0)], ids=["history", "changes"]
)
def test_what_needs_a_listing_says_so(url, ask):
    with pytest.raises(StoreError, match=r"cannot be listed over HTTP; list them at their original location"):
        ask(zc.open_collection(url))


def test_what_is_written_meanwhile_is_read(url, written):
    read = zc.open_collection(url)
    assert times(read.query()) == TIMES
    written.insert(samples.rows([50, 51]))
    assert times(read.query()) == [*TIMES, 50, 51]
    written.drop_partitions(filters="quotient == 0")
    assert times(read.query()) == [*range(10, 25), 33, 41, 50, 51]
    assert read.partitions() == written.partitions()
    for step in range(20):  # more than are kept beside the catalog
        written.insert(samples.rows([60 + step]))
        assert read.count() == written.count()


def test_a_version_that_comes_while_chunks_are_read_is_read_whole(web_server, url, written):
    read = zc.open_collection(url)
    read.query()
    asked(web_server)
    changed = []

    def change(handler):
        """Let a new version lie in its place before a chunk is sent, once."""
        if "/c/" in handler.path and not changed:
            changed.append(handler.path)
            written.update(lambda rows: {"value": rows["value"].to_numpy() + 100})
        return False

    web_server.instead = change
    found = read.query()
    assert changed
    np.testing.assert_array_equal(found["value"].to_numpy(), np.array(TIMES) + 100.25)


def test_a_log_that_was_folded_is_no_surprise(url, written):
    read = zc.open_collection(url)
    read.query()
    written.insert(samples.rows([50]))
    written.vacuum(older_than="0s")
    assert times(read.query()) == [*TIMES, 50]
    assert times(zc.open_collection(url).query()) == [*TIMES, 50]


def test_a_copy_that_is_swapped_in_is_read_whole(url, written, web_server):
    """As a publisher does who copies a collection and then renames: whatever was known of the old one is not believed."""
    read = zc.open_collection(url)
    assert times(read.query()) == TIMES
    samples.create(str(web_server.folder / "new"), [3, 4, 33], divisor=10)
    (web_server.folder / "sample").rename(web_server.folder / "old")
    (web_server.folder / "new").rename(web_server.folder / "sample")
    assert times(read.query()) == [3, 4, 33]
    assert read.count("value > 4") == 2


def test_a_collection_that_took_its_place_is_told(url, written, web_server):
    read = zc.open_collection(url)
    read.query()
    samples.create(str(web_server.folder / "sample"), [1, 2, 3], divisor=7, overwrite=True)
    with pytest.raises(zc.CollectionNotFoundError, match="another collection was created"):
        read.query()
    assert times(zc.open_collection(url).query()) == [1, 2, 3]


@pytest.mark.parametrize("damage", ["missing", "damaged", "restored"])
def test_without_a_catalog_that_is_believed_nothing_is_guessed(url, written, web_server, damage):
    catalog = web_server.folder / "sample" / CATALOG
    old = catalog.read_bytes()
    if damage == "restored":
        written.insert(samples.rows([50]))
        written.vacuum(older_than="0s")
    catalog.unlink()
    if damage != "missing":
        catalog.write_bytes(old if damage == "restored" else old[:-5])
    read = zc.open_collection(url)
    with pytest.raises(
        zc.CorruptionError, match=r"the catalog of http://.* is missing, damaged .*; call repair\(\) where"
    ):
        read.query()
    assert "the catalog of http" in str(read.verify().problems[0])
    written.repair()
    assert read.count() == written.count()


def test_a_collection_without_catalog_is_refused(web_server):
    samples.create(str(web_server.folder / "bare"), TIMES, catalog_enabled=False)
    with pytest.raises(StoreError, match=r"has no catalog, and the store has no listing; .*catalog_enabled=True"):
        zc.open_collection(f"{web_server.url}/bare").query()


def test_verify_finds_what_it_finds_on_disk(url, written, web_server):
    read = zc.open_collection(url)
    clean = read.verify(data=True)
    assert (clean.is_clean, clean.chunks) == (True, written.verify(data=True).chunks)
    assert ["has no listing" in note for note in clean.notes] == [True]
    root = web_server.folder / "sample" / written.partitions()[1]
    (root / "value" / "c" / "0").unlink()
    (root / "swath" / "c" / "0" / "0").write_bytes(b"")
    (root / "time" / "zarr.json").write_bytes(b"{")
    chunk = root / "deep" / "er" / "flag" / "c" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"\0")
    (web_server.folder / "sample" / "zarr.json").unlink()
    for data in (False, True):
        found, wanted = read.verify(data=data), written.verify(data=data)
        assert found.problems
        assert set(map(str, found.problems)) == set(map(str, wanted.problems))


def test_views_are_read_with_their_base(web_server, written, url):
    made = zc.create_view(
        str(web_server.folder / "view"), base=written, reference="../sample", computation=computations.Twice()
    )
    made.refresh()
    view = zc.open_view(f"{web_server.url}/view")
    found = view.query()
    np.testing.assert_array_equal(found["twice"].to_numpy(), 2 * (np.array(TIMES) + 0.25))
    assert times(view.query(where="twice >= 10 and value < 12")) == [5, 6, 7, 8, 9, 10, 11]
    assert view.status() == made.status()
    assert zc.open_view(f"{web_server.url}/view", base=zc.open_collection(url)).count() == len(TIMES)
    with pytest.raises(zc.ReadOnlyError):
        view.refresh()


def test_zarr_opens_a_partition_in_place(url, written):
    read = zc.open_collection(url)
    view = read.zarr()
    path = written.partitions()[1]
    np.testing.assert_array_equal(zarr.open_array(view, path=f"{path}/value", mode="r")[:], np.arange(10, 20) + 0.25)
    group = zarr.open_group(view, path=path, mode="r")
    np.testing.assert_array_equal(group["time"][:], np.arange(10, 20))


def test_a_server_that_answers_everything_is_not_believed(url, web_server):
    """One that sends its front page for what is not there: the next version then seems to be that."""
    read = zc.open_collection(url)

    def send_front_page(handler):
        is_there = (web_server.folder / unquote(handler.path).lstrip("/")).is_file()
        if not is_there:
            handler.send(200, b"<html>welcome</html>")
        return not is_there

    web_server.instead = send_front_page
    with pytest.raises(zc.CorruptionError, match="the record of version"):
        read.query()
