"""A damaged partition stops a query, or is left out of it where that is asked for."""

import fakes
import numpy as np
import pytest
import samples

import zcollection as zc
from zcollection.errors import SettingError

CHUNK = "sign=plus/quotient=1/value/c/0"


@pytest.fixture
def collection(url):
    made = samples.create(url)
    made.insert({**samples.rows([1, 12, 13, 25, 31]), "angle": np.array([1.0, 2.0])})
    del made.store.data[CHUNK]
    return made


def test_damage_stops_a_query_unless_it_is_to_be_skipped(collection):
    for query in (collection.query, lambda: collection.map(len)):
        with pytest.raises(zc.CorruptionError, match="quotient=1.*value/c/0"):
            query()


def test_a_query_leaves_out_what_is_damaged_and_says_so(collection):
    with pytest.warns(zc.CorruptionWarning, match="left out: .*quotient=1.*value/c/0") as told:
        found = collection.query(on_error="skip")
    assert len(told) == 1
    samples.assert_rows(found, [1, 25, 31])
    np.testing.assert_array_equal(found["angle"].to_numpy(), [1.0, 2.0])


def test_each_damaged_partition_is_told_of(collection):
    del collection.store.data["sign=plus/quotient=2/time/c/0"]
    with pytest.warns(zc.CorruptionWarning) as told:
        samples.assert_rows(collection.query(on_error="skip"), [1, 31])
    assert ["quotient=1" in str(told[0].message), "quotient=2" in str(told[1].message)] == [True, True]


def test_what_is_not_asked_for_need_not_be_whole(collection):
    found = collection.query(variables=["time"], on_error="skip")
    assert found["time"].to_numpy().tolist() == [1, 12, 13, 25, 31]
    samples.assert_rows(collection.query(filters="quotient > 1", on_error="skip"), [25, 31])


def test_where_all_is_damaged_there_is_nothing(collection):
    with pytest.warns(zc.CorruptionWarning):
        assert collection.query(filters="quotient == 1", on_error="skip") is None


def test_what_is_stored_once_belongs_to_every_partition_and_cannot_be_left_out(collection):
    del collection.store.data["_immutable/angle/c/0"]
    with pytest.raises(zc.CorruptionError, match="angle"):
        collection.query(on_error="skip")


def test_a_damaged_partition_that_is_replaced_meanwhile_is_read(collection):
    class Mended(fakes.DictStore):
        reads = 0

        async def get(self, reads):
            answer = await super().get(reads)
            if any(read.key == CHUNK for read in reads):
                Mended.reads += 1
                if Mended.reads == 2:
                    await collection.insert_async(samples.rows([14]))
            return answer

    found = zc.open_collection(Mended(collection.store.url, True)).query(on_error="skip")
    samples.assert_rows(found, [1, 14, 25, 31])


def test_a_map_leaves_out_what_is_damaged_and_says_so(collection):
    with pytest.warns(zc.CorruptionWarning, match="quotient=1"):
        found = collection.map(lambda dataset: dataset.sizes["row"], on_error="skip")
    assert found == {"sign=plus/quotient=0": 1, "sign=plus/quotient=2": 1, "sign=plus/quotient=3": 1}


def test_damage_that_a_function_meets_elsewhere_is_not_that_of_its_partition(collection):
    with pytest.raises(zc.CorruptionError):
        collection.map(lambda _: collection.query(), filters="quotient == 2", on_error="skip")


@pytest.mark.parametrize(
    ("options", "what"), [({"on_error": "ignore"}, "skip"), ({"on_error": "skip", "lazy": True}, "lazy")]
)
def test_what_cannot_be_asked_for_is_refused(collection, options, what):
    with pytest.raises(SettingError, match=f"on_error=.*{what}"):
        collection.query(**options)
