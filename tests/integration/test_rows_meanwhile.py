"""Rows that are asked for while others write: each answer is that of one version."""

import threading

import entries
import numpy as np
import pytest
import samples
from effort import every_pair
from meddling import meddled

import zcollection as zc

WHERE = "value >= 12.25 and value < 29"


@pytest.fixture
def collection(tmp_path):
    return samples.create(str(tmp_path / "collection"), [1, 12, 13, 25, 26, 31])


CHANGES = {
    "replaced": (lambda col: col.insert(samples.rows([14, 15, 16, 27])), [14, 15, 16, 27]),
    "more rows": (lambda col: col.insert(samples.rows([11, 14, 28]), merge="append"), [12, 13, 14, 25, 26, 28]),
    "a partition dropped": (lambda col: col.drop_partitions(filters="quotient == 1"), [25, 26]),
    "rows deleted": (lambda col: col.delete("value < 13 or value > 26"), [13, 25]),
    "rows computed": (
        lambda col: col.update(lambda it: {"value": it["value"].to_numpy() - 100}, where="time in (12, 25)"),
        [13, 26],
    ),
    "a variable added": (
        lambda col: col.add_variable(zc.VariableSchema("new", dtype="i4", dimensions=("row",), fill_value=0)),
        [12, 13, 25, 26],
    ),
}


def asked(reader):
    found = reader.find(WHERE)
    return {
        "query": lambda: reader.query(where=WHERE, variables=["time"])["time"].to_numpy().tolist(),
        "find": lambda: len(reader.find(WHERE)),
        "count": lambda: reader.count(WHERE),
        "lazy": lambda: reader.query(where=WHERE, lazy=True, variables=["time"]).sizes["row"],
        "rows": lambda: reader.query(where=found, variables=["time"])["time"].to_numpy().tolist(),
    }


@pytest.mark.parametrize(
    ("change", "ask", "when"), every_pair(CHANGES, ["query", "find", "count", "lazy", "rows"], [1, 2, 3])
)
def test_an_answer_is_of_one_version(collection, ask, change, when):
    act, wanted = CHANGES[change]
    begun, changed = [], []

    def meddle(_):
        if begun and not changed:
            begun.append(None)
            if len(begun) == when + 1:
                changed.append(None)
                act(collection)

    question = asked(meddled(collection, meddle))[ask]
    begun.append(None)
    answer = question()
    possible = [wanted] if changed else [[12, 13, 25, 26]]
    assert answer in [one if ask in {"query", "rows"} else len(one) for one in possible]


@pytest.mark.parametrize(("change", "when", "where"), every_pair(CHANGES, [1, 2, 3, 4], [None, WHERE]))
def test_a_scan_is_of_one_version_or_ends_with_a_conflict(collection, change, where, when):
    act, _ = CHANGES[change]
    before = collection.query(where=where)["time"].to_numpy().tolist()
    begun, changed = [], []

    def meddle(_):
        if begun and not changed:
            begun.append(None)
            if len(begun) == when + 1:
                changed.append(None)
                act(collection)

    scan = meddled(collection, meddle).scan(where=where, variables=["time"], block_size=1)
    begun.append(None)
    try:
        answer = [time for part in scan for time in part["time"].to_numpy().tolist()]
    except (zc.ConflictError, zc.errors.SchemaChangedError):
        return
    after = collection.query(where=where)["time"].to_numpy().tolist()
    assert answer in ([before, after] if changed else [before])


def test_readers_among_writers_find_whole_entries(tmp_path):
    collection = entries.create(f"file://{tmp_path}/collection")
    collection.insert(entries.rows(range(6)))
    ended, failed, counts = threading.Event(), [], []

    def read():
        reader = zc.open_collection(str(collection.store.url))
        try:
            while not ended.is_set():
                dataset = reader.query(where="entry % 2 == 0 and value >= 0")
                time, entry = dataset["time"].to_numpy(), dataset["entry"].to_numpy()
                halves = [np.sort(entry[(time // entries.DAY < entries.PAIRS) == half]) for half in (True, False)]
                np.testing.assert_array_equal(*halves, err_msg="entries of two versions")
                found = reader.find("entry % 2 == 0")
                assert len(found) % 2 == 0
                counts.append(len(found))
        except BaseException as error:
            failed.append(error)
            raise

    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in readers:
        thread.start()
    try:
        for entry in range(6, 30):
            collection.insert(entries.rows([entry]), merge="upsert")
            if entry % 5 == 0:
                collection.delete(f"entry == {entry - 4}")
    finally:
        ended.set()
        for thread in readers:
            thread.join()
    assert not failed
    assert counts
