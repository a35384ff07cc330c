"""Parts of a backup restored beside what is newer or older: told, or made whole, and nothing that is acknowledged is lost."""

import warnings

import numpy as np
import pytest
import samples
from effort import every_pair

import zcollection as zc
from zcollection.transaction.index import catalog

PARTS = {
    "catalog": ("_catalog/", "_transactions/segments/"),
    "log": ("_transactions/log/",),
    "configuration": ("_zcollection.json",),
    "catalog and log": ("_catalog/", "_transactions/segments/", "_transactions/log/"),
    "catalog and configuration": ("_catalog/", "_transactions/segments/", "_zcollection.json"),
    "log and configuration": ("_transactions/log/", "_zcollection.json"),
    "transactions": ("_transactions/",),
    "all but the partitions": ("_catalog/", "_transactions/", "_zcollection.json"),
    "all but the catalog": ("_transactions/", "_zcollection.json", "sign=", "_immutable/"),
    "all but the log": ("_catalog/", "_zcollection.json", "sign=", "_immutable/"),
    "all but the transactions": ("_catalog/", "_zcollection.json", "sign=", "_immutable/"),
    "all but the configuration": ("_catalog/", "_transactions/", "sign=", "_immutable/"),
    "all": ("",),
}


@pytest.fixture
def collection(url):
    return samples.create(url, [1, 12, 25])


def merged(collection):
    collection.insert(samples.rows([2, 13, 26]), merge="append", missing="fill")


def several(collection):
    for time in range(20):
        collection.insert(samples.rows([100 + time]), merge="append", missing="fill")


def grown(collection):
    variable = zc.VariableSchema("added", dtype="int16", dimensions=("row",), fill_value=7)
    collection.add_variable(variable)
    merged(collection)


def dropped(collection):
    collection.drop_partitions(filters="quotient == 0")


def folded(collection):
    merged(collection)
    collection.vacuum(older_than="0s")
    dropped(collection)


CHANGES = {"merged": merged, "several": several, "grown": grown, "dropped": dropped, "folded": folded}


def restored(now, backup, part):
    """Return the objects of now, but for a part that is taken from a backup."""
    prefixes = PARTS[part]
    kept = {key: data for key, data in now.items() if not key.startswith(prefixes)}
    return kept | {key: data for key, data in backup.items() if key.startswith(prefixes)}


WHOLE = {
    "older": {
        "catalog",
        "log",
        "configuration",
        "transactions",
        "all but the catalog",
        "all but the configuration",
        "all",
    },
    "newer": {"catalog", "configuration", "catalog and configuration", "all but the catalog", "all"},
}
"""Parts whose restoration leaves all that was committed: a repair makes the collection whole, and nobody has to choose."""

SCHEMA_LOST = {("log and configuration", "older"), ("all but the partitions", "older"), ("all but the log", "newer")}
"""Where a variable was added that no schema knows of any more, though partitions have it."""


def times(collection):
    """Return the times of all rows that are not said to be damaged; each row must be one that was inserted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", zc.CorruptionWarning)
        found = collection.query(on_error="skip", variables=list(samples.rows([])))
    if found is None:
        return []
    found_times = found["time"].to_numpy()
    samples.assert_rows(found, found_times)
    return found_times.tolist()


def seen(store):
    """Return the times that a reader finds; none where it is told to repair the collection first."""
    try:
        return set(times(zc.open_collection(store)))
    except zc.CorruptionError as error:
        return _told(error, set())


def inserted(collection, rows):
    """Insert rows, and return whether that was done; the collection may say that it wants a repair first."""
    try:
        collection.insert(rows, merge="append", missing="fill")
    except zc.CorruptionError as error:
        return _told(error, False)
    return True


def _told(error, answer):
    """Return the answer of somebody who was told what to do next."""
    assert "repair()" in str(error)
    return answer


@pytest.mark.parametrize(("part", "change", "direction"), every_pair(PARTS, CHANGES, ["older", "newer"]))
def test_the_next_insert_loses_nothing_that_it_acknowledges(collection, part, change, direction):
    data = collection.store.data
    states = [dict(data)]
    CHANGES[change](collection)
    states.append(dict(data))
    now, backup = reversed(states) if direction == "older" else states
    data.clear()
    data.update(restored(now, backup, part))

    before = seen(collection.store)
    writer = zc.open_collection(collection.store, mode="rw")
    if not inserted(writer, samples.rows([501])):
        writer.repair()
        writer = zc.open_collection(collection.store, mode="rw")
        assert inserted(writer, samples.rows([501])), "it is not mended by a repair"
    assert before | {501} <= seen(collection.store)
    zc.open_collection(collection.store, mode="rw").repair()
    again = zc.open_collection(collection.store, mode="rw")
    assert before | {501} <= seen(collection.store)
    assert again.verify(data=True).is_clean or part not in WHOLE[direction], again.verify()
    again.repair_catalog()  # takes what lies in its place, whatever the log says
    assert 501 in times(again)
    is_lost = change == "grown" and (part, direction) in SCHEMA_LOST
    assert is_lost or again.verify(data=True).is_clean, again.verify()
    entries = again.history()
    assert [entry.version for entry in entries] == list(range(len(entries)))
    again.insert(samples.rows([601]), merge="append", missing="fill")
    assert {501, 601} <= set(times(again))


def test_a_catalog_of_another_log_is_believed_by_nobody(collection):
    data = collection.store.data
    merged(collection)
    of_other_log = data["_catalog/c/0"]
    del data["_transactions/log/00000000000000000002.json"], data["_transactions/log/00000000000000000002.ok"]
    other = zc.open_collection(collection.store, mode="rw")
    other.repair()
    other.insert(samples.rows([41]))  # another version 2
    data["_catalog/c/0"] = of_other_log
    assert 41 in times(zc.open_collection(collection.store))
    assert not collection.verify().is_clean
    other.insert(samples.rows([42]), merge="append")
    assert {41, 42} <= set(times(zc.open_collection(collection.store)))
    assert catalog._parse(catalog._decode(data["_catalog/c/0"])).record.number == 3
    assert collection.verify(data=True).is_clean


def test_a_writer_whose_base_is_of_another_log_begins_again(collection):
    data = collection.store.data
    backup = dict(data)
    merged(collection)

    def meanwhile(dataset):
        if 26 in dataset["time"].to_numpy():
            data.clear()
            data.update(backup)
            zc.open_collection(collection.store, mode="rw").insert(samples.rows([27]), merge="append")
        return {"value": dataset["value"].to_numpy() + 1}

    collection.update(meanwhile, filters="quotient == 2")
    assert collection.query()["time"].to_numpy().tolist() == [1, 12, 25, 27]
    assert collection.query()["value"].to_numpy().tolist() == [1.25, 12.25, 26.25, 28.25]


def test_a_source_of_another_log_was_not_inserted(collection):
    data = collection.store.data
    backup = dict(data)
    collection.insert(samples.rows([2]), merge="append", source="a")
    assert collection.sources() == ("a",)
    data.clear()
    data.update(backup)
    zc.open_collection(collection.store, mode="rw").insert(samples.rows([3]), merge="append", source="b")
    collection.insert(samples.rows([2]), merge="append", source="a")
    assert collection.sources() == ("b", "a")
    assert times(collection)[:3] == [1, 3, 2]


def test_a_history_that_is_newer_than_the_log_is_told(collection):
    data = collection.store.data
    before = dict(data)
    several(collection)
    collection.vacuum(older_than="0s")
    history = {key: value for key, value in data.items() if "/history/" in key}
    data.clear()
    data.update(before | history)
    again = zc.open_collection(collection.store, mode="rw")
    with pytest.raises(zc.CorruptionError, match=r"restored from a copy.*repair\(\)"):
        again.insert(samples.rows([2]), source="a")
    assert any("the history contains version" in str(problem) for problem in again.verify().problems)
    again.repair()
    assert again.verify(data=True).is_clean
    assert [entry.version for entry in again.history()] == [0, 1]
    again.insert(samples.rows([2]), source="a", merge="append")
    assert times(again) == [1, 2, 12, 25]


def test_a_lost_configuration_is_read_from_the_log(collection):
    grown(collection)
    del collection.store.data["_zcollection.json"]
    again = zc.open_collection(collection.store, mode="rw")
    assert again.schema == collection.schema
    np.testing.assert_array_equal(again.query()["added"].to_numpy()[:1], [7])
    with pytest.raises(zc.CollectionExistsError):
        samples.create(str(collection.store.url))
    again.repair()
    assert "_zcollection.json" in collection.store.data
