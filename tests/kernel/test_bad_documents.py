"""Documents of the log and the catalog that somebody damaged: one of our errors, and nothing else."""

import json
import uuid
import zlib

import fakes
import pytest
import samples
from effort import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

import zcollection as zc
from zcollection.errors import ZCollectionError
from zcollection.model import documents
from zcollection.transaction import retrying
from zcollection.transaction.index import catalog

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def places(value, path=()):
    """Yield the way to every value inside a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def replaced(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def use(url):
    """Do what reads every document."""
    for act in (
        lambda col: col.query(),
        lambda col: col.records(),
        lambda col: col.history(),
        lambda col: col.changes(since=0),
        lambda col: col.verify(),
        lambda col: col.insert(samples.rows([2]), merge="append"),
    ):
        try:
            act(zc.open_collection(url, mode="rw"))
        except ZCollectionError:
            continue


@pytest.fixture(scope="module")
def whole():
    collection = samples.create(f"dict://{uuid.uuid4().hex}", [1, 12, 25])
    collection.insert(samples.rows([3, 41]), merge="append")
    collection.drop_partitions(filters="quotient == 2")
    return dict(collection.store.data)


@pytest.fixture(autouse=True)
def _few_tries(monkeypatch):
    monkeypatch.setattr(retrying, "_TRIES", 2)


def restored(objects):
    url = "dict://bad-documents"
    data = fakes._DATA.setdefault("bad-documents", {})
    data.clear()
    data.update(objects)
    return url, data


pytestmark = pytest.mark.filterwarnings("ignore::zcollection.errors.PublicationWarning")
SLOW = examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SLOW
@given(data=st.data())
def test_a_record_with_any_value_replaced_raises_only_our_errors(whole, data):
    key = data.draw(st.sampled_from([key for key in whole if "/log/" in key and key.endswith(".json")]))
    value = json.loads(whole[key])
    value.pop("checksum")
    path = data.draw(st.sampled_from(list(places(value))))
    url, objects = restored(whole)
    objects[key] = documents.with_checksum(json.dumps(replaced(value, path, data.draw(JSON))).encode())
    if data.draw(st.booleans()):
        objects.pop("_catalog/c/0")  # so that the record counts
    use(url)


@SLOW
@given(data=st.data())
def test_a_catalog_with_any_value_replaced_and_the_right_checksum_raises_only_our_errors(whole, data):
    head, _, body = catalog._decode(whole["_catalog/c/0"]).partition(b"\n")
    value = json.loads(body)
    path = data.draw(st.sampled_from(list(places(value))))
    spoiled = json.dumps(replaced(value, path, data.draw(JSON))).encode()
    stated = json.loads(head) | {"checksum": zlib.crc32(spoiled)}
    url, objects = restored(whole)
    objects["_catalog/c/0"] = catalog._encode(json.dumps(stated).encode() + b"\n" + spoiled)
    use(url)


@SLOW
@given(data=st.data())
def test_a_document_with_any_byte_changed_or_cut_raises_only_our_errors(whole, data):
    key = data.draw(
        st.sampled_from([key for key in whole if key.startswith(("_transactions/log", "_catalog", "_zcoll"))])
    )
    url, objects = restored(whole)
    content = bytearray(whole[key])
    if content:
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
        content = content[: data.draw(st.integers(at, len(content)))]
    objects[key] = bytes(content)
    use(url)
