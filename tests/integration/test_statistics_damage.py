"""Statistics that are lost, damaged, or not those of their partition: no answer changes, and whoever verifies is told."""

import random
import uuid

import kept
import numpy as np
import pytest
import tracks
from backends import Place
from effort import every_value

import zcollection as zc

FIRST = "year=2024/month=01/day=01"
DAMAGES = {
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "a byte less": lambda data: data[:-1],
    "a byte more": lambda data: data + b"\0",
    "one bit": lambda data: data[:-9] + bytes([data[-9] ^ 4]) + data[-8:],
    "other bytes": lambda data: random.Random(1).randbytes(len(data)),
    "a document": lambda data: b'{"zarr_format": 3}',
}


def rows(seed=0):
    """Return as many rows for each day."""
    parts = [tracks.rows(np.random.default_rng(seed + day), 300, days=1, first=300 * day) for day in range(4)]
    for day, part in enumerate(parts):
        part["time"] = part["time"] + np.timedelta64(day, "D")
    return {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]}


def created(url, seed=0, **options):
    made = tracks.create(url, **options)
    made.insert(rows(seed))
    return made


STORES = ["file", "memory", "icechunk"]


@pytest.fixture(params=STORES)
def url(request, tmp_path):
    return Place(request.param, tmp_path, request).url


@pytest.fixture
def collection(url):
    return created(url)


def assert_told_and_mended(collection, before, partitions=4):
    """Assert that the answers are what they were, that each partition is named, and that a repair makes it new."""
    reader = zc.open_collection(str(collection.store.url))
    assert tracks.answers(reader) == before
    report = reader.verify()
    assert [problem.partition for problem in report.problems] == list(collection.partitions())[:partitions]
    assert all("statistics" in problem.what and "repair()" in problem.what for problem in report.problems)
    assert collection.repair().remaining == ()
    assert collection.verify(data=True).is_clean
    assert not collection.verify().notes
    kept.assert_right(collection, exactly=True)
    assert tracks.answers(collection) == before


def test_lost_ones_are_noted_and_made_again(collection):
    before = tracks.answers(collection)
    kept.lost(collection)
    reader = zc.open_collection(str(collection.store.url))
    assert tracks.answers(reader) == before
    report = reader.verify(data=True)
    assert report.is_clean
    assert len(report.notes) == 1
    assert report.notes[0].startswith("4 partitions have no statistics")
    assert_told_and_mended(collection, before, partitions=0)


@pytest.mark.parametrize(("url", "damage"), every_value(STORES, DAMAGES), indirect=["url"])
def test_damaged_ones_are_named_and_made_again(collection, damage):
    if damage == "empty" and collection.store.url.scheme == "icechunk":
        pytest.skip("Icechunk 2 takes an empty chunk for none")
    before = tracks.answers(collection)
    kept.put(collection, {key: DAMAGES[damage](data) for key, data in kept.statistics(collection).items()})
    assert_told_and_mended(collection, before)


def test_whichever_byte_is_another_they_are_not_believed():
    collection = created(f"memory://{uuid.uuid4().hex}")
    key, data = next(iter(kept.statistics(collection).items()))
    _, groups = kept.groups(collection)
    group = groups[FIRST]

    def is_believed(data):
        return kept.Statistics.load(data, group, dimension="time") is not None

    assert is_believed(data)
    assert key.startswith(FIRST)
    for at in range(len(data)):
        for bit in (1, 128):
            assert not is_believed(data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]), at
        assert not is_believed(data[:at]), at


def test_those_of_an_older_generation_are_named_and_made_again(collection):
    old = kept.statistics(collection)
    collection.insert(rows(1))
    before = tracks.answers(collection)
    kept.put(collection, old)
    assert_told_and_mended(collection, before)


def test_those_of_another_collection_are_named_and_made_again(collection):
    before = tracks.answers(collection)
    kept.put(collection, kept.statistics(created(f"memory://{uuid.uuid4().hex}", seed=7)))
    assert_told_and_mended(collection, before)


def test_those_of_another_partition_written_with_it_are_named_and_made_again(collection):
    """They have the same stamp and the same shape."""
    before = tracks.answers(collection)
    there = kept.statistics(collection)
    kept.put(collection, dict(zip(there, [*list(there.values())[1:], next(iter(there.values()))], strict=True)))
    assert_told_and_mended(collection, before)


def test_a_reader_is_not_kept_from_anything(collection):
    kept.put(collection, dict.fromkeys(kept.statistics(collection), b"nothing"))
    reader = zc.open_collection(str(collection.store.url))
    assert reader.count("flag == 2") == len(reader.find("flag == 2")) == len(reader.query(where="flag == 2")["id"])
    with pytest.raises(zc.ReadOnlyError):
        reader.repair()
    with pytest.raises(zc.ReadOnlyError):
        reader.add_statistics()
    assert set(kept.statistics(collection).values()) == {b"nothing"}


def test_changes_go_on_without_them(collection):
    before = tracks.answers(collection)
    kept.put(collection, dict.fromkeys(kept.statistics(collection), b"nothing"))
    collection.insert(rows(), merge="upsert")
    collection.update(lambda dataset: {"height": dataset["height"].to_numpy()}, where="flag == 2")
    assert collection.delete("id == 77").total == 1
    after = tracks.answers(collection)
    assert after == [[number for number in one if number != 77] for one in before]
    collection.repair()
    kept.assert_right(collection)
    assert tracks.answers(collection) == after
