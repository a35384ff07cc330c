"""What is wrong is found, and what can be mended is."""

import json
import zlib

import fakes
import numpy as np
import pytest
import samples

import zcollection as zc
from zcollection.transaction import catalog
from zcollection.transaction.partitions import _COLUMNS as COLUMNS

PARTITION = "sign=plus/quotient=1"


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
    collection.insert(variables)


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
        ("value/c/0", lambda data: data[:-3], True, "value", "blosc frame"),
        ("swath/zarr.json", None, False, "swath", "the array document 'swath/zarr.json' is missing"),
        (
            "swath/zarr.json",
            lambda data: data.replace(b"float32", b"float64"),
            False,
            "swath",
            "not that of the layout 0",
        ),
        ("swath/zarr.json", lambda _: b"{", False, "swath", "not valid JSON"),
        ("zarr.json", None, False, None, "its group document is missing"),
        ("zarr.json", lambda _: b"[]", False, None, "its group document|JSON list"),
        (
            "zarr.json",
            lambda data: data.replace(b'rows\\": 2', b'rows\\": 3'),
            False,
            None,
            "the catalog says otherwise",
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
    assert collection.repair().done == ("the catalog was made anew",)
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


def test_what_a_dead_writer_committed_is_put_in_its_place(collection):
    class FailsToPublish(fakes.DictStore):
        async def publish(self, staged, target, fence=None):
            raise zc.StoreError("no power")

    with pytest.warns(zc.PublicationWarning):
        zc.open_collection(FailsToPublish(collection.store.url, False), mode="rw").insert(samples.rows([14, 41]))
    before = collection.query()["time"].to_numpy().tolist()
    report = collection.verify(data=True)
    assert report.problems == ()
    assert "version 2 is committed and not yet in its place" in report.notes[0]
    assert collection.repair().done == ("version 2 was committed, and is now in its place",)
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
    assert collection.repair().done == ("the catalog was made anew",)
    assert collection.verify(data=True).is_clean
    assert collection.query()["time"].to_numpy().tolist() == whole


def test_the_next_writer_makes_a_catalog_anew_that_cannot_be_understood(collection):
    forged(collection, partitions={**{key: ["x"] for key in COLUMNS}, **NONSENSE})
    collection.insert(samples.rows([91]))
    assert collection.verify(data=True).is_clean
    samples.assert_rows(collection.query(), [1, 12, 13, 25, 91])


def test_a_damaged_record_is_reported_and_mended_as_far_as_it_matters(collection):
    collection.store.data.pop("_catalog/c/0")
    collection.insert(samples.rows([41]))
    spoil(collection, "_transactions/log/00000000000000000002.json", lambda data: data[:20])
    (problem,) = collection.verify().problems
    assert "the history of versions cannot be told: the record of version 2" in str(problem)
    samples.assert_rows(collection.query(), [1, 12, 13, 25, 41])


def test_a_damaged_record_that_readers_need_is_mended_by_what_lies_in_its_place(url):
    collection = samples.create(url, range(0, 400, 10))
    collection.insert(samples.rows([401]))
    spoil(collection, "_transactions/log/00000000000000000002.json", lambda data: data[:20])
    with pytest.raises(zc.CorruptionError, match="the record of version 2 is not valid JSON"):
        collection.query()
    assert [problem.what.partition(" is missing")[0] for problem in collection.verify().problems][:1] == ["the catalog"]
    assert collection.repair().done == ("the catalog was made anew",)
    samples.assert_rows(collection.query(), [*range(0, 400, 10), 401])


def test_a_damaged_record_of_what_is_not_in_its_place_is_reported(collection):
    for lost in ("_catalog/c/0", "_transactions/log/00000000000000000001.ok"):
        spoil(collection, lost, None)
    spoil(collection, "_transactions/log/00000000000000000001.json", lambda _: b"{")
    (problem,) = collection.verify().problems
    assert "the record of version 1 is not valid JSON" in str(problem)
