"""What is wrong is found, and what can be mended is."""

import json
import zlib

import fakes
import numpy as np
import pytest
import samples

import zcollection as zc
from zcollection.transaction.index import catalog
from zcollection.transaction.index.partitions import _COLUMNS as COLUMNS

PARTITION = "sign=plus/quotient=1"
DOCUMENTS = (
    "zarr.json",
    "_catalog/zarr.json",
    "_transactions/zarr.json",
    "_immutable/zarr.json",
    "_immutable/angle/zarr.json",
    "sign=plus/zarr.json",
    f"{PARTITION}/zarr.json",
    f"{PARTITION}/deep/er/zarr.json",
    f"{PARTITION}/deep/er/flag/zarr.json",
)


@pytest.fixture
def collection(url):
    made = samples.create(url)
    made.insert({**samples.rows([1, 12, 13, 25]), "angle": np.array([1.0, 2.0])})
    return made


def test_of_what_is_as_it_should_be_nothing_is_reported(collection):
    report = collection.verify(data=True)
    assert (report.problems, report.notes, report.is_clean) == ((), (), True)
    assert (report.version, report.partitions) == (1, 3)
    assert report.chunks == 3 * 4 + 1


def absent(collection):
    variables = {name: values for name, values in samples.rows([41]).items() if name != "value"}
    collection.insert(variables, missing="fill")


def test_absent_variables_and_updates_and_merges_are_no_problem(collection):
    absent(collection)
    collection.update(lambda dataset: {"value": dataset["value"].to_numpy() * 2})
    collection.insert(samples.rows([14]), merge="append")
    collection.drop_partitions(filters="quotient == 0")
    assert collection.verify(data=True).problems == ()


def spoil(collection, key, change):
    data = collection.store.data
    if change is None:
        del data[key]
    else:
        data[key] = change(data[key])


@pytest.mark.parametrize("with_data", [True, False])
@pytest.mark.parametrize(
    ("key", "change", "needs_data", "variable", "what"),
    [
        ("value/c/0", None, False, "value", "it is missing"),
        ("value/c/0", lambda _: b"", False, "value", "it is empty"),
        ("value/c/0", lambda data: data[:-3], True, "value", "CRC32C"),
        ("swath/zarr.json", None, False, "swath", "the document 'swath/zarr.json' is missing"),
        (
            "swath/zarr.json",
            lambda data: data.replace(b"float32", b"float64"),
            False,
            "swath",
            "not the one that was committed",
        ),
        ("swath/zarr.json", lambda _: b"{", False, "swath", "not valid JSON"),
        ("zarr.json", None, False, None, "its group document is missing"),
        ("zarr.json", lambda _: b"[]", False, None, "its group document|JSON list"),
        (
            "zarr.json",
            lambda data: data.replace(b'rows\\": 2', b'rows\\": 3'),
            False,
            None,
            "its group document is damaged",
        ),
    ],
)
def test_damage_is_named(collection, key, change, needs_data, variable, what, with_data):
    spoil(collection, f"{PARTITION}/{key}", change)
    found = collection.verify(data=with_data).problems
    if needs_data and not with_data:
        assert found == ()
        return
    (problem,) = found
    assert problem.partition == PARTITION
    assert (problem.variable, problem.chunk) == (variable, key if "/c/" in key else None)
    assert any(part in str(problem) for part in what.split("|"))


def test_damage_to_what_is_stored_once_is_named(collection):
    spoil(collection, "_immutable/angle/c/0", None)
    (problem,) = collection.verify().problems
    assert str(problem) == "partition '_immutable', variable 'angle', chunk 'angle/c/0': it is missing"


@pytest.mark.parametrize("change", [None, lambda data: data[:-5]])
def test_a_lost_catalog_is_reported_and_mended(collection, change):
    spoil(collection, "_catalog/c/0", change)
    (problem,) = collection.verify().problems
    assert "the catalog is missing or damaged" in str(problem)
    assert collection.repair().done == ("the catalog was rebuilt",)
    assert collection.verify().problems == ()
    assert collection.repair().done == ()


def test_missing_documents_of_the_tree_are_reported_and_mended(collection):
    spoil(collection, "sign=plus/zarr.json", None)
    assert [str(problem) for problem in collection.verify().problems] == [
        "the document 'sign=plus/zarr.json' is missing"
    ]
    report = collection.repair()
    assert report.done == ("the document 'sign=plus/zarr.json' was missing",)
    assert report.remaining == ()


@pytest.mark.parametrize(
    ("key", "change"),
    [
        *((key, change) for key in DOCUMENTS for change in (None, lambda _: b"", lambda data: data[:-3])),
        (f"{PARTITION}/zarr.json", lambda data: data.replace(b'rows\\": 2', b'rows\\": 3')),
        (f"{PARTITION}/swath/zarr.json", lambda data: data.replace(b"float32", b"float64")),
    ],
)
def test_every_document_that_can_be_told_is_mended(collection, key, change):
    whole, right = collection.query()["time"].to_numpy().tolist(), collection.store.data[key]
    spoil(collection, key, change)
    (problem,) = collection.verify().problems
    assert "document" in problem.what
    (done,) = collection.repair().done
    assert repr(key) in done
    assert json.loads(collection.store.data[key]) == json.loads(right)
    assert collection.verify(data=True).is_clean
    assert collection.query()["time"].to_numpy().tolist() == whole


def test_an_older_generation_in_the_place_of_a_partition_is_reported_and_not_taken_for_it(collection):
    data = collection.store.data
    old = {key: content for key, content in data.items() if key.startswith(f"{PARTITION}/")}
    collection.update(lambda dataset: {"value": dataset["value"].to_numpy() * 2})
    data.update(old)
    (problem,) = collection.repair().remaining
    assert problem.partition == PARTITION
    assert "another generation" in problem.what


def test_what_other_tools_add_to_the_root_is_not_touched(collection):
    spoil(collection, "zarr.json", lambda data: json.dumps(json.loads(data) | {"consolidated_metadata": None}).encode())
    assert collection.verify().is_clean
    assert collection.repair().done == ()


def test_what_a_dead_writer_committed_is_put_in_its_place(collection):
    class FailsToPublish(fakes.DictStore):
        async def publish(self, staged, target, fence=None):
            raise zc.StoreError("no power")

    with pytest.warns(zc.PublicationWarning):
        zc.open_collection(FailsToPublish(collection.store.url, False), mode="rw").insert(samples.rows([14, 41]))
    before = collection.query()["time"].to_numpy().tolist()
    report = collection.verify(data=True)
    assert report.problems == ()
    assert "version 2 is committed and not yet published" in report.notes[0]
    assert collection.repair().done == ("version 2 was committed, and is now published",)
    assert collection.verify(data=True).notes == ()
    assert collection.query()["time"].to_numpy().tolist() == before == [1, 14, 25, 41]


def test_foreign_objects_and_leftovers_are_notes(collection):
    collection.store.data["sign=plus/quotient=8/readme"] = b"x"
    collection.store.data[f"{PARTITION}/value/readme"] = b"x"
    collection.store.data["_transactions/stage/abc/sign=plus/quotient=1/zarr.json"] = b"{}"
    report = collection.verify()
    assert report.problems == ()
    assert sorted(note.split()[0] for note in report.notes) == [
        "_transactions/stage/abc/",
        "sign=plus/quotient=1/value/readme",
        "sign=plus/quotient=8/",
    ]


def test_a_partition_that_was_never_committed_is_reported(collection):
    data = collection.store.data
    for key in [key for key in data if key.startswith(f"{PARTITION}/")]:
        data[key.replace("quotient=1", "quotient=7")] = data[key]
    (problem,) = collection.verify().problems
    assert problem.partition == "sign=plus/quotient=7"
    assert "was not committed" in problem.what


def test_damaged_data_remain_after_a_repair(collection):
    spoil(collection, f"{PARTITION}/value/c/0", None)
    (problem,) = collection.repair().remaining
    assert problem.chunk == "value/c/0"
    assert json.loads(json.dumps(str(problem)))


def test_a_collection_opened_for_reading_is_not_repaired(collection):
    with pytest.raises(zc.ReadOnlyError):
        zc.open_collection(collection.store).repair()


def forged(collection, **values):
    """Replace values of the catalog, and its checksum with them."""
    data = collection.store.data
    head, _, body = catalog._decode(data["_catalog/c/0"]).partition(b"\n")
    spoiled = json.dumps(json.loads(body) | values).encode()
    stated = json.loads(head) | {"checksum": zlib.crc32(spoiled)}
    data["_catalog/c/0"] = catalog._encode(json.dumps(stated).encode() + b"\n" + spoiled)


NONSENSE = {"path": ["sign=plus/quotient=1"], "key": {"quotient": ["x"]}}


def test_a_catalog_that_cannot_be_understood_is_reported_and_mended(collection):
    whole = collection.query()["time"].to_numpy().tolist()
    forged(collection, partitions={**{key: ["x"] for key in COLUMNS}, **NONSENSE})
    (problem,) = collection.verify(data=True).problems
    assert "the catalog is missing or damaged" in str(problem)
    assert collection.repair().done == ("the catalog was rebuilt",)
    assert collection.verify(data=True).is_clean
    assert collection.query()["time"].to_numpy().tolist() == whole


def test_a_catalog_of_a_version_that_never_was_is_not_believed(collection):
    forged(collection, version=10**12)
    assert "the catalog is missing or damaged" in str(collection.verify().problems[0])
    collection.insert(samples.rows([91]))
    samples.assert_rows(collection.query(), [1, 12, 13, 25, 91])
    assert collection.verify(data=True).is_clean


def test_a_catalog_of_which_a_value_was_changed_is_not_believed(collection):
    data = collection.store.data
    head, _, body = catalog._decode(data["_catalog/c/0"]).partition(b"\n")
    value = json.loads(body)
    value["partitions"]["rows"] = [1, 1, 1]
    data["_catalog/c/0"] = catalog._encode(head + b"\n" + json.dumps(value).encode())
    assert collection.query()["time"].to_numpy().tolist() == [1, 12, 13, 25]
    assert "the catalog is missing or damaged" in str(collection.verify().problems[0])


def test_the_next_writer_makes_a_catalog_anew_that_cannot_be_understood(collection):
    forged(collection, partitions={**{key: ["x"] for key in COLUMNS}, **NONSENSE})
    collection.insert(samples.rows([91]))
    assert collection.verify(data=True).is_clean
    samples.assert_rows(collection.query(), [1, 12, 13, 25, 91])


def record(number, mark=".json"):
    return f"_transactions/log/{number:020d}{mark}"


@pytest.mark.parametrize(
    "change", [None, lambda data: data[:20], lambda data: samples.forged(data, b'number": 2', b'number": 1')]
)
def test_a_lost_record_is_reported_and_another_put_in_its_place(collection, change):
    collection.insert(samples.rows([41]))
    collection.drop_partitions(filters="quotient == 0")
    spoil(collection, record(2), change)
    assert [str(problem) for problem in collection.verify().problems] == ["the record of version 2 is lost or damaged"]
    with pytest.raises(zc.CorruptionError, match=r"the record of version 2 .*(repair\(\)|JSON)"):
        collection.history()
    assert collection.repair().done == ("the record of version 2 was lost",)
    assert [entry.operation for entry in collection.history()] == ["create", "insert", "lost", "drop"]
    assert collection.changes(since=1).written == tuple(f"sign=plus/quotient={number}" for number in (1, 2, 4))
    assert collection.verify(data=True).is_clean


def test_the_newest_record_is_missed_where_its_mark_is_there(url):
    collection = samples.create(url, range(0, 400, 10))
    collection.insert(samples.rows([401]))
    spoil(collection, record(2), None)
    for use in (collection.query, lambda: collection.insert(samples.rows([501]))):
        with pytest.raises(zc.CorruptionError, match="the record of version 2 .* is lost, but its mark exists"):
            use()
    assert "the record of version 2 is lost or damaged" in map(str, collection.verify().problems)
    collection.repair()
    assert collection.verify(data=True).is_clean
    samples.assert_rows(collection.query(), [*range(0, 400, 10), 401])
    collection.insert(samples.rows([501]))
    assert [entry.operation for entry in collection.history()] == ["create", "insert", "lost", "insert"]


def test_a_log_that_is_lost_is_told_and_another_begun(collection):
    for key in [key for key in collection.store.data if key.startswith("_transactions/")]:
        del collection.store.data[key]
    with pytest.raises(zc.CorruptionError, match=r"the log of .* is lost; call repair\(\)"):
        collection.query()
    assert any("the document '_transactions/zarr.json' is missing" in one.what for one in collection.verify().problems)
    assert not collection.repair().remaining
    assert collection.verify(data=True).is_clean
    samples.assert_rows(collection.query(), [1, 12, 13, 25])
    collection.insert(samples.rows([91]))
    samples.assert_rows(collection.query(), [1, 12, 13, 25, 91])


def test_of_a_partition_of_which_nothing_is_left_no_document_is_made(url):
    collection = samples.create(url, [1, 12])
    data = collection.store.data
    for key in [key for key in data if key.startswith("sign=plus/quotient=1/")]:
        del data[key]
    before = set(data)
    remaining = collection.repair().remaining
    assert {problem.partition for problem in remaining} == {"sign=plus/quotient=1"}
    assert set(data) == before


def test_a_lost_mark_of_an_older_version_brings_nothing_back(url):
    collection = samples.create(url, [1, 12], catalog_enabled=False)
    collection.drop_partitions(filters="quotient == 1")
    collection.insert(samples.rows([13]))
    spoil(collection, record(2, ".ok"), None)
    collection.insert(samples.rows([25]))
    samples.assert_rows(collection.query(), [1, 13, 25])


def test_a_damaged_history_is_replaced(collection):
    for number in range(3):
        collection.insert(samples.rows([50 + number]), merge="append")
    collection.vacuum(older_than="0s")
    (key,) = [key for key in collection.store.data if "/history/" in key]
    spoil(collection, key, lambda data: data[:-9])
    assert len(collection.verify().problems) == 4
    collection.repair()
    assert [entry.operation for entry in collection.history()] == [*["lost"] * 4, "insert"]
    assert collection.verify(data=True).is_clean


def test_damaged_values_that_are_stored_once_can_be_replaced(collection):
    spoil(collection, "_immutable/angle/c/0", lambda data: data[:3])
    with pytest.raises(zc.CorruptionError):
        collection.insert({**samples.rows([91]), "angle": np.array([1.0, 2.0])})
    collection.insert({**samples.rows([91]), "angle": np.array([1.0, 2.0])}, immutable="replace")
    assert collection.verify(data=True).is_clean


def test_a_damaged_record_that_readers_need_is_mended_by_what_lies_in_its_place(url):
    collection = samples.create(url, range(0, 400, 10))
    collection.insert(samples.rows([401]))
    spoil(collection, "_transactions/log/00000000000000000002.json", lambda data: data[:20])
    with pytest.raises(zc.CorruptionError, match="the record of version 2 is not valid JSON"):
        collection.query()
    assert [problem.what.partition(" is missing")[0] for problem in collection.verify().problems][:1] == ["the catalog"]
    assert collection.repair().done == ("the record of version 2 was lost", "the catalog was rebuilt")
    samples.assert_rows(collection.query(), [*range(0, 400, 10), 401])


def test_a_damaged_record_of_what_is_not_in_its_place_is_reported(collection):
    for lost in ("_catalog/c/0", "_transactions/log/00000000000000000001.ok"):
        spoil(collection, lost, None)
    spoil(collection, "_transactions/log/00000000000000000001.json", lambda _: b"{")
    (problem,) = collection.verify().problems
    assert "the record of version 1 is not valid JSON" in str(problem)


@pytest.mark.parametrize("suffix", ["json", "ok"])
def test_a_name_of_a_version_that_cannot_be_is_an_error_at_once(collection, suffix):
    collection.store.data[f"_transactions/log/{10**20 - 1}.{suffix}"] = b""
    for use in (collection.history, collection.verify, collection.repair):
        with pytest.raises(zc.CorruptionError):
            use()
    if suffix == "ok":
        with pytest.raises(
            zc.CorruptionError, match="names version 9{20}, but contains the records of only 2 versions.*remove it"
        ):
            collection.repair()
        del collection.store.data[f"_transactions/log/{10**20 - 1}.{suffix}"]
        assert collection.verify().is_clean


def test_a_sample_reads_so_many_chunks_and_others_each_time(url):
    collection = samples.create(url, np.arange(0, 100, 2))
    whole = collection.verify(data=True)
    assert whole.chunks_read == whole.chunks
    assert collection.verify().chunks_read == collection.verify(data=0.0).chunks_read == 0
    assert collection.verify(data=1.0).chunks_read == whole.chunks
    counts = [collection.verify(data=0.25).chunks_read for _ in range(20)]
    assert len(set(counts)) > 1
    assert 0.15 * whole.chunks < np.mean(counts) < 0.35 * whole.chunks
    key = next(key for key in collection.store.data if key.endswith("value/c/0"))
    collection.store.data[key] = b"damaged"
    reports = [collection.verify(data=0.25) for _ in range(60)]
    found = [report for report in reports if report.problems]
    assert 0 < len(found) < len(reports)
    assert {str(problem) for report in found for problem in report.problems} == {
        str(problem) for problem in collection.verify(data=True).problems
    }


@pytest.mark.parametrize("share", [-0.1, 1.5, "all", None, float("nan")])
def test_what_is_no_share_is_refused(url, share):
    with pytest.raises(zc.errors.SettingError, match="data=.*accepted: True for every chunk"):
        samples.create(url, [1]).verify(data=share)
