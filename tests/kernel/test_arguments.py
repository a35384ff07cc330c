"""A value that is none of the accepted ones is refused before anything is written, by an error that is a ValueError too."""

from contextlib import contextmanager

import pytest
import samples

import zcollection as zc
from zcollection import config
from zcollection.plugin import VariableSchema

TIMES = [1, 12, 25]
NEW = VariableSchema("new", dtype="int8", dimensions=("row",), fill_value=0)


@pytest.fixture
def collection(url):
    return samples.create(url, TIMES)


@contextmanager
def refused(message):
    with pytest.raises(ValueError, match=f"(?s){message}.*accepted: ") as caught:
        yield
    assert isinstance(caught.value, zc.ZCollectionError)


@pytest.mark.parametrize("mode", ["bogus", "w", "", None, 3])
def test_a_mode(collection, mode):
    for open_it in (zc.open_collection, zc.open_view):
        with refused(f"mode={mode!r}"):
            open_it(collection.store.url, mode=mode)


@pytest.mark.parametrize("url", ["://", "file://elsewhere/x", "s3:/bucket", "nowhere://x"])
def test_a_url(url):
    with refused(""):
        zc.open_collection(url)


INSERTS = {
    "merge": ["upsret", "", 3],
    "immutable": ["always", None],
    "progress": ["yes", 3, 0],
    "client": ["somewhere", 3],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in INSERTS.items() for value in values])
def test_an_argument_of_insert(collection, name, value):
    version = collection.verify().version
    with refused("client=" if name == "client" else "merge" if name == "merge" else f"{name}={value!r}"):
        collection.insert(samples.rows([40]), **{name: value})
    assert collection.verify().version == version
    samples.assert_rows(collection.query(), TIMES)


@pytest.mark.parametrize(
    "arguments",
    [
        {"chunks": 3},
        {"chunks": {"rwo": 1}},
        {"chunks": {"row": 0}},
        {"chunks": {"row": "all"}},
        {"progress": "bar"},
        {"on_error": "ignore"},
    ],
    ids=str,
)
def test_an_argument_of_query(collection, arguments):
    if "chunks" in arguments:
        pytest.importorskip("dask")
    with refused(next(iter(arguments))):
        collection.query(lazy="chunks" in arguments, **arguments)


@pytest.mark.parametrize(
    "operation",
    [
        lambda it: it.map(len, progress="bar"),
        lambda it: it.update(dict, progress="bar"),
        lambda it: it.verify(progress="bar"),
        lambda it: it.copy("dict://copy-of-arguments", progress="bar"),
        lambda it: it.add_variable(NEW, lambda rows: rows["value"], progress="bar"),
        lambda it: it.drop_variable("value", progress="bar"),
        lambda it: zc.create_view("dict://view-of-arguments", base=it, variables=[NEW], overwrite=True).update(
            dict, progress="bar"
        ),
    ],
    ids=["map", "update", "verify", "copy", "add", "drop", "view"],
)
def test_the_progress_of_every_operation(collection, operation):
    with refused("progress='bar'"):
        operation(collection)
    samples.assert_rows(collection.query(), TIMES)


def test_an_older_version_where_there_are_none(collection):
    with refused("at='yesterday'"):
        zc.open_collection(collection.store.url, at="yesterday")


@pytest.mark.parametrize("value", [0, -1, "4", True, float("nan")])
@pytest.mark.parametrize("name", ["concurrency", "threads", "lease"])
def test_a_setting(name, value):
    with refused(f"{name}="), config.using(**{name: value}):
        pass


def test_a_number_of_threads_is_whole_and_a_lease_need_not_be():
    with refused("threads=1.5"), config.using(threads=1.5):
        pass
    with config.using(lease=1.5) as settings:
        assert settings.lease == 1.5
