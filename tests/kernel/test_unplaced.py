"""A change that is committed and cannot be put in its place keeps nobody from writing elsewhere."""

import json
from typing import ClassVar

import fakes
import numpy as np
import pytest
import samples
from attrs import frozen

import zcollection as zc
from zcollection.errors import PublicationWarning

STUCK = "sign=plus/quotient=1"


@frozen(eq=False)
class Refuses(fakes.DictStore):
    """A store in which one partition can be neither replaced nor taken away, like a directory without permissions."""

    refused: ClassVar[set[str]] = set()

    async def publish(self, staged, target, fence=fakes.unfenced):
        self._check(target)
        await super().publish(staged, target, fence)

    async def unpublish(self, target, trash, fence=fakes.unfenced):
        self._check(target)
        await super().unpublish(target, trash, fence)

    def _check(self, target):
        if target in self.refused:
            message = f"cannot publish {target!r}: permission denied"
            raise zc.StoreError(message)


@pytest.fixture(params=[True, False], ids=["catalog", "no catalog"])
def collection(request, url):
    made = samples.create(url, [1, 12, 25], catalog_enabled=request.param)
    Refuses.refused.add(f"{STUCK}/")
    yield zc.open_collection(Refuses(made.store.url, False), mode="rw")
    Refuses.refused.clear()


@pytest.fixture
def stuck(collection):
    with pytest.warns(PublicationWarning, match=f"is committed, but its publication failed.*{STUCK}"):
        collection.insert(samples.rows([2, 13, 26]), merge="append")
    return collection


def test_readers_see_all_of_it(stuck):
    samples.assert_rows(zc.open_collection(stuck.store).query(), [1, 2, 12, 13, 25, 26])
    lazy = stuck.query(lazy=True)
    assert lazy["time"].to_numpy().tolist() == [1, 2, 12, 13, 25, 26]


def test_writers_of_other_partitions_go_on(stuck):
    stuck.insert(samples.rows([3, 31]), merge="append")
    stuck.update(lambda ds: {"value": ds["value"].to_numpy()}, filters="quotient != 1")
    stuck.drop_partitions(filters="quotient == 2")
    stuck.insert(samples.rows([4]), merge="append")
    assert stuck.vacuum(older_than="0s").stages == 0
    samples.assert_rows(zc.open_collection(stuck.store).query(), [1, 2, 3, 4, 12, 13, 31])
    assert stuck.history()[-1].operation == "insert"


def test_what_was_made_from_it_is_refused_by_name(stuck):
    for change in (
        lambda: stuck.insert(samples.rows([14]), merge="append"),
        lambda: stuck.update(lambda ds: {"value": ds["value"].to_numpy()}),
    ):
        with pytest.raises(zc.StoreError, match=rf"partition '{STUCK}' .*permission denied.*call repair\(\)"):
            change()
    samples.assert_rows(zc.open_collection(stuck.store).query(), [1, 2, 12, 13, 25, 26])


def test_it_is_reported_and_repaired_once_that_can_be_done(stuck):
    stuck.insert(samples.rows([31]))
    for _ in range(2):
        problems = [problem for problem in stuck.verify(data=True).problems if problem.partition == STUCK]
        assert [problem.what.partition(", and")[0] for problem in problems] == ["version 2 is committed"]
        assert not any("now in its place" in done for done in stuck.repair().done)
    stuck.repair_catalog()
    samples.assert_rows(zc.open_collection(stuck.store).query(), [1, 2, 12, 13, 25, 26, 31])
    Refuses.refused.clear()
    assert "version 2 was committed, and is now published" in stuck.repair().done
    assert stuck.verify(data=True).is_clean
    stuck.insert(samples.rows([14]), merge="append")
    samples.assert_rows(zc.open_collection(stuck.store).query(), [1, 2, 12, 13, 14, 25, 26, 31])


def test_the_next_writer_puts_it_in_its_place_once_that_can_be_done(stuck):
    stuck.insert(samples.rows([31]))
    Refuses.refused.clear()
    stuck.insert(samples.rows([14]), merge="append")
    samples.assert_rows(zc.open_collection(stuck.store).query(), [1, 2, 12, 13, 14, 25, 26, 31])
    assert stuck.verify(data=True).is_clean


@pytest.mark.parametrize("heal_first", [True, False])
def test_it_can_be_dropped_and_replaced(stuck, heal_first):
    stuck.insert(samples.rows([31]))
    with pytest.warns(PublicationWarning):
        stuck.insert(samples.rows([15]))
    samples.assert_rows(zc.open_collection(stuck.store).query(), [1, 2, 15, 25, 26, 31])
    with pytest.warns(PublicationWarning):
        stuck.drop_partitions(filters="quotient == 1")
    samples.assert_rows(zc.open_collection(stuck.store).query(), [1, 2, 25, 26, 31])
    if heal_first:
        Refuses.refused.clear()
    stuck.insert(samples.rows([41]))
    samples.assert_rows(zc.open_collection(stuck.store).query(), [1, 2, 25, 26, 31, 41])
    Refuses.refused.clear()
    stuck.repair()
    samples.assert_rows(zc.open_collection(stuck.store).query(), [1, 2, 25, 26, 31, 41])
    assert stuck.verify(data=True).is_clean
    assert not [key for key in stuck.store.data if "/stage/" in key or key.startswith(STUCK)]


def test_many_changes_may_be_committed_meanwhile(stuck):
    for number in range(40):
        stuck.insert(samples.rows([200 + number]), merge="append")
    stuck.vacuum(older_than="0s")
    assert [entry.version for entry in stuck.history()] == list(range(len(stuck.history())))
    expected = [1, 2, 12, 13, 25, 26, *range(200, 240)]
    samples.assert_rows(zc.open_collection(stuck.store).query(), expected)
    Refuses.refused.clear()
    stuck.vacuum(older_than="0s")
    samples.assert_rows(zc.open_collection(stuck.store).query(), expected)
    assert stuck.verify(data=True).is_clean
    records = [json.loads(data) for key, data in stuck.store.data.items() if "/log/" in key and key.endswith(".json")]
    assert np.sum([record.get("pending", []) != [] for record in records]) <= 1


def test_a_library_that_knows_of_no_pending_versions_refuses_the_log(stuck):
    stuck.insert(samples.rows([31]))
    versions = {
        json.loads(data)["format_version"]
        for key, data in stuck.store.data.items()
        if "/log/" in key and key.endswith(".json")
    }
    assert versions == {1, 2}
