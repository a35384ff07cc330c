"""Each kind of request to object storage fails in each way, once: an upsert happens exactly once, and nothing is silent."""

import pytest
import samples
from changes import state
from fault_proxy import Fault
from zcollection_store_object import retries

import zcollection as zc
from zcollection.errors import PublicationWarning, ZCollectionError

KINDS = {
    "commit": ("CREATE", "/log/"),
    "data": ("PUT", "/stage/"),
    "COPY": ("COPY", ""),
    "LIST": ("LIST", ""),
    "GET": ("GET", "c/"),
    "DELETE": ("DELETE", ""),
}
ACTIONS = ("503", "500", "409", "lose", "drop", "freeze", "truncate", "corrupt")


@pytest.fixture(autouse=True)
def _little_waiting(monkeypatch):
    monkeypatch.setattr(retries, "_FIRST", 0.01)


@pytest.fixture(scope="module")
def expected(ministack_server):
    ministack_server.create_bucket("bucket")
    collection = samples.create("s3://bucket/expected", [1, 2, 12], storage_options=ministack_server.storage_options)
    before = state(collection)
    collection.insert(samples.rows([3, 13, 41]), merge="append")
    return before, state(collection)


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_upsert_happens_once_whatever_fails(kind, action, proxy, ministack_server, expected, request):
    url = f"s3://bucket/{request.node.name}"
    samples.create(url, [1, 2, 12], storage_options=ministack_server.storage_options)
    options = {**proxy.storage_options, "client_options": {"timeout": 0.3}}
    collection = zc.open_collection(url, mode="rw", storage_options=options)
    failure = None
    with proxy.failing(Fault(action, *KINDS[kind])) as (fault,):
        try:
            collection.insert(samples.rows([3, 13, 41]), merge="append")
        except (ZCollectionError, PublicationWarning) as error:
            failure = error
        assert fault.met.is_set(), "nothing was tried"
    before, after = expected
    found, problems = seen(url, ministack_server)
    if action == "corrupt":  # the last line of defence, where no checksum was compared on the way
        assert found in (before, after) or problems
        assert failure is not None or found == after or problems, "nobody finds out that it has not happened"
        return
    assert failure is None, f"what passes is not survived: {failure}"
    assert found == after
    if action == "freeze" and problems:  # a request that was on its way for long has had its effect late
        zc.open_collection(url, mode="rw", storage_options=ministack_server.storage_options).repair()
        found, problems = seen(url, ministack_server)
    assert (found, problems) == (after, ())


def seen(url, server):
    """Return what a reader sees, None where it cannot, and what verification finds."""
    reader = zc.open_collection(url, storage_options=server.storage_options)
    try:
        problems = reader.verify(data=True).problems
    except ZCollectionError as error:
        problems = (error,)
    try:
        return state(reader), problems
    except ZCollectionError:
        return None, problems
