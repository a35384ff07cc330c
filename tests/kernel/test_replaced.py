"""Who holds a collection that was replaced by an equal one is told so, whichever way the store commits."""

import uuid

import pytest
import samples

import zcollection as zc

NEW = zc.VariableSchema("new", dtype="int8", dimensions=("row",), fill_value=0)


@pytest.fixture(params=["dict", "repository"])
def url(request):
    return f"{request.param}://{uuid.uuid4().hex}"


@pytest.fixture
def held(url):
    return samples.create(url, [1, 12])


USES = {
    "insert": lambda held: held.insert(samples.rows([3])),
    "update": lambda held: held.update(lambda _: {}),
    "drop": lambda held: held.drop_partitions(filters="True"),
    "add variable": lambda held: held.add_variable(NEW),
    "query": lambda held: held.query(),
    "query one": lambda held: held.query(filters="quotient == 0"),
    "map": lambda held: held.map(len),
}


def replace_by_creating(url):
    samples.create(url, overwrite=True).insert(samples.rows([7]))


def replace_by_copying(url):
    source = samples.create(f"dict://{uuid.uuid4().hex}", [7], catalog_enabled=True)
    source.copy(url, overwrite=True)


@pytest.mark.parametrize("replace", [replace_by_creating, replace_by_copying])
@pytest.mark.parametrize("name", USES)
def test_every_use_of_the_old_handle_says_so(held, url, replace, name):
    replace(url)
    with pytest.raises(zc.CollectionNotFoundError, match="another collection was created at .*open it again"):
        USES[name](held)
    samples.assert_rows(zc.open_collection(url).query(), [7])


def test_as_often_as_it_is_replaced(held, url):
    second = samples.create(url, [2], overwrite=True)
    third = samples.create(url, [3], overwrite=True)
    for old in (held, second):
        with pytest.raises(zc.CollectionNotFoundError, match="open it again"):
            old.insert(samples.rows([4]))
    third.insert(samples.rows([14]))
    samples.assert_rows(zc.open_collection(url).query(), [3, 14])


def test_what_took_the_place_of_something_damaged_is_another_one():
    held = samples.create(f"repository://{uuid.uuid4().hex}", [1, 12])
    store = held.store
    root = store.repository.snapshots[store.repository.tip]
    root["zarr.json"] = type(root["zarr.json"]).from_bytes(root["zarr.json"].to_bytes().replace(b"axis", b"exis"))
    samples.create(str(store.url), [7], overwrite=True)
    with pytest.raises(zc.CollectionNotFoundError, match="open it again"):
        held.insert(samples.rows([4]))
