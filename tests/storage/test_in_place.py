"""New partitions that are written where they are to lie, on a bucket in memory: nobody sees them before they are committed."""

import json
import uuid

import anyio
import pytest
import samples
import zarr
from bucket import BUCKETS, BucketStore, DiedError, Power
from changes import healthy, state

import zcollection as zc
from zcollection.engine import statistics
from zcollection.engine.statistics import STATISTICS
from zcollection.errors import ZCollectionError
from zcollection.transaction.log import leases

NEW = [41, 52]
DOCUMENT = "zarr.json"


@pytest.fixture(autouse=True)
def _store(register, monkeypatch):
    register(BucketStore, name="bucket")
    monkeypatch.setattr(leases, "_seconds", lambda: 0.0)  # nobody waits for the dead
    yield
    BUCKETS.clear()


class When:
    """Dies, or does something else, once a request of a kind was answered whose key holds a text."""

    def __init__(self, kind, text, action=None, passed=0):
        self.wanted = kind, text
        self.action = action
        self.passed = passed  # requests of this kind before it
        self.met = False

    async def before(self, kind, keys):
        if self.met and self.action is None:
            raise DiedError

    async def after(self, kind, keys):
        if self.met or kind != self.wanted[0] or self.wanted[1] not in keys[0]:
            return
        self.passed -= 1
        if self.passed < 0:
            self.met = True
            if self.action is None:
                raise DiedError
            async with anyio.create_task_group() as group:  # a process of its own
                group.start_soon(self.action)


COMMIT = "CREATE", "/log/"
FIRST_CHUNK = "CREATE", "quotient=5/time/c/0"


def opened(collection, watch):
    return zc.open_collection(collection.store.with_watch(watch), mode="rw")


def groups(collection):
    """Return the objects of partitions, by key, but their documents, which hold the transaction."""
    data = collection.store.data
    found = {key: value for key, value in data.items() if not key.startswith("_") and not key.endswith(f"/{DOCUMENT}")}
    # Statistics hold it too.
    return {key: without_times(value) if key.endswith(STATISTICS) else value for key, value in found.items()}


def without_times(data):
    """Return statistics but for whose they are, and for when the rows were brought."""
    _, described, *rest = statistics._opened(data)
    said = json.loads(described)
    said.pop("deliveries", None)
    return said, *rest


def documents(collection):
    return {key for key in collection.store.data if not key.startswith("_") and key.endswith(DOCUMENT)}


def reference(times, **options):
    collection = samples.create("bucket://reference", [1], **options)
    collection.insert(samples.rows(times))
    return collection


def died(name, kind, text, times=NEW, **options):
    """Return a collection of one row into which a writer has inserted others, and died when it was told so."""
    collection = samples.create(f"bucket://{name}", [1], **options)
    with pytest.raises(DiedError):
        opened(collection, When(kind, text)).insert(samples.rows(times))
    return collection


def test_nothing_is_copied_and_each_object_is_sent_once():
    collection = samples.create("bucket://once", [1])
    before = collection.store.data.keys()
    collection.store.bucket.requests.clear()
    collection.insert(samples.rows(NEW))
    counts = collection.store.bucket.counts
    objects = [key for key in collection.store.data.keys() - before if not key.startswith("_")]
    assert counts["COPY"] == 0
    # Twice the documents of groups, an announcement, a record and its mark, and perhaps the catalog.
    assert counts["PUT"] + counts["CREATE"] <= len(objects) + len(NEW) + 5


@pytest.mark.filterwarnings("ignore:Object at quotient:UserWarning")
def test_what_is_not_committed_is_seen_by_nobody():
    collection = died("uncommitted", *FIRST_CHUNK)
    samples.assert_rows(healthy("bucket://uncommitted", "r").query(), [1])
    root = zarr.open_group(collection.store.zarr, mode="r")
    assert [name for name, _ in root["sign=plus"].groups()] == ["quotient=0"]
    report = healthy("bucket://uncommitted").verify()
    assert report.is_clean
    assert ["left by a writer that died" in note for note in report.notes] == [True]


@pytest.mark.parametrize("catalog_enabled", [True, False])
def test_what_is_committed_is_read_whole_before_its_documents_are_in_place(catalog_enabled):
    collection = died("committed", *COMMIT, catalog_enabled=catalog_enabled)
    assert "sign=plus/quotient=5/zarr.json" not in collection.store.data
    reader = healthy("bucket://committed", "r")
    samples.assert_rows(reader.query(), [1, *NEW])
    assert reader.query(lazy=True)["time"].to_numpy().tolist() == [1, *NEW]
    assert reader.map(lambda rows: rows.sizes["row"])["sign=plus/quotient=5"] == 1
    report = reader.verify(data=True)
    assert report.is_clean
    assert [note for note in report.notes if "committed and not yet published" in note]
    samples.assert_rows(reader.copy(f"dict://{uuid.uuid4().hex}").query(), [1, *NEW])
    healthy("bucket://committed").repair()
    assert groups(collection) == groups(reference(NEW))
    assert documents(collection) == documents(healthy("bucket://reference"))


@pytest.mark.parametrize(
    "text", ["quotient=5/deep/er/flag/zarr.json", "quotient=5/time/zarr.json", "quotient=5/value/c/0"]
)
def test_what_a_dead_writer_left_is_in_nobodys_way(text):
    collection = died("left", "CREATE", text)
    healthy("bucket://left").insert(samples.rows([53]))
    samples.assert_rows(healthy("bucket://left", "r").query(), [1, 53])
    assert healthy("bucket://left").verify(data=True).is_clean
    healthy("bucket://left").insert(samples.rows([42]))
    expected = reference([42, 53])
    assert groups(collection) == groups(expected)
    assert documents(collection) == documents(expected)


def test_a_vacuum_removes_what_a_dead_writer_left_and_nothing_else():
    collection = died("vacuum", *FIRST_CHUNK)
    assert [key for key in groups(collection) if "quotient=5" in key]
    healthy("bucket://vacuum").insert(samples.rows([42]))
    version = healthy("bucket://vacuum").history()[-1].version
    healthy("bucket://vacuum").vacuum(older_than="0s")
    expected = reference([42])
    assert groups(collection) == groups(expected)
    assert documents(collection) == documents(expected)
    assert not [key for key in collection.store.data if "/stage/" in key]
    changes = healthy("bucket://vacuum").changes(since=version)
    assert (changes.written, changes.dropped) == ((), ())
    collection.store.bucket.requests.clear()
    healthy("bucket://vacuum").insert(samples.rows([53]))
    samples.assert_rows(healthy("bucket://vacuum", "r").query(), [1, 42, 53])


@pytest.mark.parametrize("passed", [0, 1], ids=["before its transaction", "in its transaction"])
def test_a_vacuum_leaves_what_is_committed_while_it_searches(passed):
    async def insert():
        other = await zc.aio.open_collection(collection.store, mode="rw")
        await other.insert_async(samples.rows([54, 57]))

    collection = died("meanwhile", *FIRST_CHUNK)
    opened(collection, When("GET", "_in_place", insert, passed)).vacuum(older_than="0s")
    samples.assert_rows(healthy("bucket://meanwhile", "r").query(), [1, 54, 57])
    assert healthy("bucket://meanwhile").verify(data=True).is_clean


def test_a_vacuum_of_the_place_in_which_a_writer_puts_is_noticed_by_that_writer():
    async def vacuum():
        other = await zc.aio.open_collection(collection.store, mode="rw")
        await other.vacuum_async(older_than="1h")

    collection = died("claimed", "PUT", "_in_place")
    objects = collection.store.bucket.objects
    objects.update({key: (data, 0.0) for key, (data, _) in objects.items() if "/stage/" in key})
    opened(collection, When(*FIRST_CHUNK, vacuum)).insert(samples.rows(NEW))
    samples.assert_rows(healthy("bucket://claimed", "r").query(), [1, *NEW])
    assert healthy("bucket://claimed").verify(data=True).is_clean
    assert groups(collection) == groups(reference(NEW))


def test_a_writer_that_is_slower_than_a_vacuum_begins_again():
    async def vacuum():
        other = await zc.aio.open_collection(collection.store, mode="rw")
        await other.vacuum_async(older_than="0s")

    collection = samples.create("bucket://slow", [1])
    opened(collection, When(*FIRST_CHUNK, vacuum)).insert(samples.rows(NEW))
    samples.assert_rows(healthy("bucket://slow", "r").query(), [1, *NEW])
    assert healthy("bucket://slow").verify(data=True).is_clean
    assert groups(collection) == groups(reference(NEW))


@pytest.mark.parametrize(
    "text", ["quotient=5/deep/er/flag/zarr.json", "quotient=5/time/zarr.json", "quotient=5/value/c/0"]
)
@pytest.mark.parametrize("merge", ["append", None])
def test_of_two_writers_of_a_new_partition_one_takes_the_place_and_none_is_lost(merge, text):
    async def overtake():
        other = await zc.aio.open_collection(collection.store, mode="rw")
        await other.insert_async(samples.rows([54, 57]), merge=merge)

    collection = samples.create("bucket://two", [1])
    options = {} if merge is None else {"merge": merge}
    opened(collection, When("CREATE", text, overtake)).insert(samples.rows([52]), **options)
    samples.assert_rows(healthy("bucket://two", "r").query(), [1, 54, 57, 52] if merge else [1, 52])
    assert healthy("bucket://two").verify(data=True).is_clean


def test_a_partition_that_is_dropped_and_inserted_meanwhile_is_one_of_a_whole():
    async def overtake():
        other = await zc.aio.open_collection(collection.store, mode="rw")
        await other.insert_async(samples.rows([54, 57]))
        await other.drop_partitions_async(filters="quotient == 5")

    collection = samples.create("bucket://dropped", [1])
    opened(collection, When(*FIRST_CHUNK, overtake)).insert(samples.rows([52]))
    samples.assert_rows(healthy("bucket://dropped", "r").query(), [1, 52])
    assert healthy("bucket://dropped").verify(data=True).is_clean


@pytest.mark.parametrize("vacuumed", [True, False])
@pytest.mark.parametrize("number", range(1, 80, 3))
def test_wherever_an_insert_fails_it_can_be_done_again(number, vacuumed):
    """One request fails: the process lives on, tidies up, and gives the error to its caller."""

    class Failing(Power):
        def spend(self, kind):
            self.left -= kind not in {"GET", "LIST"}
            if self.left == 0:
                self.left = -1
                raise ConnectionError

    collection, expected = samples.create("bucket://fails", [1]), reference(NEW)
    before, there, power = state(collection), groups(collection), Failing(number)
    try:
        opened(collection, power).insert(samples.rows(NEW))
    except (ConnectionError, ZCollectionError):
        assert state(healthy("bucket://fails", "r")) in (before, state(expected))
    if vacuumed:
        healthy("bucket://fails").vacuum(older_than="0s")
        assert groups(collection) in (there, groups(expected))
    healthy("bucket://fails").insert(samples.rows(NEW))
    samples.assert_rows(healthy("bucket://fails", "r").query(), [1, *NEW])
    assert healthy("bucket://fails").verify(data=True).is_clean
    healthy("bucket://fails").vacuum(older_than="0s")
    assert groups(collection) == groups(expected)


def test_a_writer_of_another_process_is_met_at_the_first_object():
    """Whoever comes second puts nothing in the place: each partition is of one writer alone."""
    put = []

    class Writer:
        def __init__(self, number):
            self.number = number

        async def before(self, kind, keys):
            pass

        async def after(self, kind, keys):
            if "/quotient=5/" in keys[0] and "stage" not in keys[0] and kind == "CREATE":
                put.append((self.number, keys[0]))

    collection = samples.create("bucket://race", [1])

    async def main():
        async with anyio.create_task_group() as group:
            for number in range(4):
                writer = await zc.aio.open_collection(collection.store.with_watch(Writer(number)), mode="rw")
                group.start_soon(
                    lambda writer, time: writer.insert_async(samples.rows([time]), merge="append"), writer, 50 + number
                )

    anyio.run(main)
    assert len({number for number, key in put if not key.endswith("/flag/zarr.json")}) <= 1
    assert sorted(healthy("bucket://race", "r").query()["time"].to_numpy().tolist()) == [1, 50, 51, 52, 53]
