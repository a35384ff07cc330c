"""A collection, a view and a copy exist from their first version on; what was never finished is nothing."""

import warnings

import fakes
import pytest
import samples
from attrs import frozen

import zcollection as zc


class FullError(zc.StoreError):
    """The disk is full, or the process dead: nothing that it does has an effect any more."""


@frozen(eq=False)
class Fails(fakes.DictStore):
    """A store in which writing fails from the n-th call on."""

    left: list

    def _writable(self):
        self.left[0] -= 1
        if self.left[0] < 0:
            message = "no room"
            raise FullError(message)
        return super()._writable()

    async def create(self, key, data):
        self._writable()
        return await super().create(key, data)


def create(store):
    samples.create(store)


def create_over_damage(store):
    samples.create(store, overwrite=True)


def create_view(store):
    variable = zc.VariableSchema("twice", dtype="float64", dimensions=("row",))
    zc.create_view(store, base="dict://base-of-first", variables=[variable])


def copy(store):
    zc.open_collection("dict://base-of-first").copy(store)


@pytest.fixture(autouse=True)
def _base():
    samples.create("dict://base-of-first", [1, 12, 25], overwrite=True)


MAKERS = {"create": create, "create_view": create_view, "copy": copy, "create over damage": create_over_damage}


def opened(make, url):
    if make is create_view:
        return zc.open_view(url, base="dict://base-of-first")
    return zc.open_collection(url)


def made_without_a_word(make, store):
    """Return whether something was made, and put in its place; the store may fail before or after the commit."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", zc.errors.PublicationWarning)
        try:
            make(store)
        except (FullError, zc.errors.PublicationWarning):
            return False
    return True


@pytest.mark.parametrize("name", MAKERS)
def test_what_fails_at_any_write_leaves_the_whole_or_nothing_and_can_be_made_again(name):
    make, seen = MAKERS[name], set()
    for number in range(1000):
        store = Fails(zc.plugin.StoreURL.parse(f"dict://first-{name.replace(' ', '-')}-{number}"), False, [number])
        url = str(store.url)
        failed = not made_without_a_word(make, store)
        try:
            found = opened(make, url)
        except zc.CollectionNotFoundError:
            seen.add("nothing")
            make(fakes.DictStore(store.url, False))
        else:
            seen.add("whole")
            if make is copy:
                samples.assert_rows(found.query(), [1, 12, 25])
            with pytest.raises(zc.CollectionExistsError):
                (create if make is create_over_damage else make)(fakes.DictStore(store.url, False))
        assert opened(make, url).verify(data=True).problems == () or failed
        if make is not create_view:
            zc.open_collection(url, mode="rw").insert(samples.rows([31]))
            assert zc.open_collection(url).verify(data=True).is_clean
            assert zc.open_collection(url).query()["time"].to_numpy()[-1] == 31
        if store.left[0] >= 0:
            break
    assert seen == {"nothing", "whole"}
    assert number > 4


def test_of_several_creators_one_is_first(url):
    from concurrent.futures import ThreadPoolExecutor

    def attempt(_):
        try:
            samples.create(url)
        except zc.CollectionExistsError:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1
    zc.open_collection(url, mode="rw").insert(samples.rows([1]))
    assert zc.open_collection(url).verify(data=True).is_clean


def test_a_copy_shows_nothing_before_it_is_whole(url):
    seen = []

    def watching(done, total):
        there = fakes.DictStore(zc.plugin.StoreURL.parse(url), True).data
        seen.append(any(key.endswith(("_zcollection.json", "/log/00000000000000000000.json")) for key in there))

    zc.open_collection("dict://base-of-first").copy(url, progress=watching)
    assert seen
    assert not any(seen)
    made = zc.open_collection(url)
    samples.assert_rows(made.query(), [1, 12, 25])
    assert [(entry.version, entry.operation, entry.rows) for entry in made.history()] == [(0, "copy", 3)]
    assert len(made.changes(since=0).written) == 3


def test_another_hierarchy_is_no_place_for_a_collection(url):
    store = fakes.DictStore(zc.plugin.StoreURL.parse(url), False)
    store._writable()["zarr.json"] = b'{"zarr_format": 3, "node_type": "group", "attributes": {}}'
    for make in (create, create_view, copy):
        with pytest.raises(zc.CollectionExistsError):
            make(url)
    samples.create(url, [1], overwrite=True)


def test_a_collection_that_has_lost_its_configuration_is_not_made_over(url):
    collection = samples.create(url, [1, 12])
    del collection.store.data["_zcollection.json"]
    with pytest.raises(zc.CollectionExistsError):
        samples.create(url)
    samples.assert_rows(zc.open_collection(url).query(), [1, 12])
