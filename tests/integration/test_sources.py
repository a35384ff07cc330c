"""What was inserted is known by name, and is inserted once."""

import threading

import pytest
import samples

import zcollection as zc


@pytest.fixture(params=["dict", "file", "icechunk"])
def place(request, url, tmp_path):
    return url if request.param == "dict" else f"{request.param}://{tmp_path}/collection"


def test_a_source_is_inserted_once(place):
    collection = samples.create(place)
    assert collection.sources() == ()
    assert len(collection.insert(samples.rows([1, 12]), source="granule-1")) == 2
    version = collection.history()[-1]
    assert (version.operation, version.source) == ("insert", "granule-1")
    assert len(collection.insert(samples.rows([1, 12]), merge="append", source="granule-1")) == 0
    assert collection.history()[-1] == version
    collection.insert(samples.rows([2]), merge="append", source="granule-2")
    collection.insert(samples.rows([3]), merge="append")
    assert collection.sources() == ("granule-1", "granule-2")
    samples.assert_rows(collection.query(), [1, 2, 3, 12])


def test_a_job_that_died_can_be_run_again(place):
    granules = {f"granule-{number}": samples.rows([number]) for number in range(6)}
    collection = samples.create(place)
    for name in list(granules)[:3]:
        collection.insert(granules[name], merge="append", source=name)
    again = zc.open_collection(place, mode="rw")
    for name, rows in granules.items():
        again.insert(rows, merge="append", source=name)
    samples.assert_rows(again.query(), range(6))
    assert again.sources() == tuple(granules)


def test_sources_stay_known_after_a_vacuum(place):
    collection = samples.create(place)
    for number in range(20):
        collection.insert(samples.rows([number]), merge="append", source=f"granule-{number}")
    for _ in range(2):
        zc.open_collection(place, mode="rw").vacuum(older_than="0s")
        collection.insert(samples.rows([40]))
    for known in (collection, zc.open_collection(place, mode="rw")):
        assert sorted(known.sources()) == sorted(f"granule-{number}" for number in range(20))
    assert len(collection.insert(samples.rows([1]), merge="append", source="granule-0")) == 0
    assert collection.verify(data=True).is_clean


def test_a_collection_that_is_created_anew_knows_none(place):
    samples.create(place).insert(samples.rows([1]), source="granule-1")
    again = samples.create(place, overwrite=True)
    assert again.sources() == ()
    assert len(again.insert(samples.rows([1]), source="granule-1")) == 1


def test_of_writers_that_insert_the_same_source_one_does(place):
    samples.create(place)
    reports = []

    def write():
        collection = zc.open_collection(place, mode="rw")
        reports.append(collection.insert(samples.rows([1, 2]), merge="append", source="granule-1"))

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(300)
    assert sorted(len(report) for report in reports) == [0, 0, 0, 1]
    samples.assert_rows(zc.open_collection(place).query(), [1, 2])
