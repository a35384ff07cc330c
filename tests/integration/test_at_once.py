"""A query of one partition of a local store, which one thread answers, while others write."""

from functools import cached_property

import numpy as np
import pytest
import samples
from attrs import field, frozen
from zcollection_store_file.store import FileStore

import zcollection as zc


class MeddledBlocking:
    """Blocking access of a store, between whose reads of chunks something else happens."""

    def __init__(self, blocking, meddle):
        self._blocking, self._meddle, self.asked = blocking, meddle, []

    def __getattr__(self, name):
        return getattr(self._blocking, name)

    def get(self, reads):
        answer = self._blocking.get(reads)
        if any("/c/" in read.key and not read.key.startswith("_catalog") for read in reads):
            self.asked.append([read.key for read in reads])
            self._meddle(len(self.asked))
        return answer


@frozen(slots=False)
class Meddled(FileStore):
    meddle: object = field(default=None, kw_only=True, eq=False)

    @cached_property
    def _meddled(self):
        return MeddledBlocking(FileStore(url=self.url, root=self.root, read_only=self.read_only).blocking, self.meddle)

    @property
    def blocking(self):
        return self._meddled


def with_angle(times, angle):
    return {**samples.rows(times), "angle": np.array([angle, angle])}


def meddled(collection, meddle):
    return zc.open_collection(
        Meddled(url=collection.store.url, root=collection.store.root, read_only=True, meddle=meddle)
    )


@pytest.fixture
def collection(tmp_path):
    made = samples.create(str(tmp_path / "collection"))
    made.insert(with_angle([1, 12, 25], 1.0))
    return made


def test_rows_and_what_is_stored_once_are_of_one_version(collection):
    def meddle(number):
        if number == 1:
            collection.insert(with_angle([13], 2.0), immutable="replace")

    found = meddled(collection, meddle).query(filters="quotient == 1")
    samples.assert_rows(found, [13])
    assert found["angle"].to_numpy().tolist() == [2.0, 2.0]


def test_a_partition_that_is_replaced_again_and_again_is_read_whole(collection):
    def meddle(number):
        if number < 4:
            collection.insert(samples.rows([12, *range(13, 13 + number)]))

    samples.assert_rows(meddled(collection, meddle).query(filters="quotient == 1"), [12, 13, 14, 15])


def test_a_partition_that_is_dropped_meanwhile_is_not_there(collection):
    assert (
        meddled(collection, lambda _: collection.drop_partitions(filters="quotient == 1")).query(
            filters="quotient == 1"
        )
        is None
    )


def test_when_nobody_writes_each_chunk_is_read_once(collection):
    reader = meddled(collection, lambda _: None)
    samples.assert_rows(reader.query(filters="quotient == 1"), [12])
    keys = [key for keys in reader.store.blocking.asked for key in keys]
    assert len(keys) == len(set(keys)) == 5


def test_a_damaged_partition_is_told_and_left_out_as_by_any_query(collection, tmp_path):
    chunk = tmp_path / "collection/sign=plus/quotient=1/time/c/0"
    chunk.write_bytes(chunk.read_bytes()[:10])
    with pytest.raises(zc.CorruptionError, match="quotient=1.*time/c/0"):
        collection.query(filters="quotient == 1")
    with pytest.warns(zc.CorruptionWarning):
        assert collection.query(filters="quotient == 1", on_error="skip") is None
