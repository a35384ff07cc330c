"""The proxy does what it is told, so that the tests which rely on it mean something; and so does the store behind it."""

import anyio
import pytest
from fault_proxy import Fault
from zcollection_store_object import retries
from zcollection_store_s3.store import S3Store

from zcollection.plugin import Read, StoreError, StoreURL


@pytest.fixture(autouse=True)
def _little_waiting(monkeypatch):
    monkeypatch.setattr(retries, "_FIRST", 0.01)


@pytest.fixture(params=["obstore", "fsspec"])
def store(proxy, request):
    options = {**proxy.storage_options, "driver": request.param, "client_options": {"timeout": 5}}
    url = StoreURL.parse(f"s3://bucket/{request.node.name}")
    found = anyio.run(lambda: S3Store.open(url, mode="rw", **options))
    anyio.run(found.put, {"x": b"0123456789", "y/z": b"z"})
    proxy.forget()
    return found


def get(store, key="x"):
    return anyio.run(store.get, [Read(key)])[0]


async def listed(store):
    return [entry.key async for entry in store.list("", recursive=True)]


USES = {
    "PUT": lambda store: anyio.run(store.put, {"new": b"0123456789"}),
    "GET": get,
    "COPY": lambda store: anyio.run(store.copy, [("x", "new")]),
    "LIST": lambda store: anyio.run(listed, store),
    "DELETE": lambda store: anyio.run(store.delete, ["y/z"]),
}


@pytest.mark.parametrize("kind", USES)
def test_each_use_is_one_request_of_its_kind(kind, store, proxy):
    USES[kind](store)
    assert proxy.counts == {kind: 1}


@pytest.mark.parametrize("kind", USES)
@pytest.mark.parametrize("action", ["503", "500", "429", "409", "drop", "lose", "truncate"])
def test_a_fault_that_passes_is_survived(action, kind, store, proxy):
    with proxy.failing(Fault(action, kind)) as (fault,):
        outcome = USES[kind](store)
        assert fault.met.is_set()
    assert proxy.counts[kind] >= 2 or action == "lose"
    assert {"GET": b"0123456789", "LIST": ["x", "y/z"]}.get(kind) == outcome
    if kind in {"PUT", "COPY"}:
        assert get(store, "new") == b"0123456789"
    if kind == "DELETE":
        assert get(store, "y/z") is None


@pytest.mark.parametrize("kind", USES)
def test_what_is_forbidden_is_an_error_at_once(kind, store, proxy):
    with proxy.failing(Fault("403", kind, times=None)), pytest.raises(StoreError, match="403"):
        USES[kind](store)
    assert proxy.counts == {kind: 1}


@pytest.mark.parametrize(
    ("action", "answers"),
    [
        ("412", {"exists", "created"}),
        ("503", {"created"}),
        ("409", {"created"}),
        ("drop", {"created"}),
        ("lose", {"unknown", "created"}),
        ("", {"created"}),
    ],
)
def test_creating_says_what_is_known(action, answers, store, proxy):
    with proxy.failing(*[Fault(action, "CREATE")] if action else []):
        answer = anyio.run(store.create, "new", b"mine")
    assert answer in answers
    assert get(store, "new") == (None if answer == "exists" else b"mine")


def test_a_corrupted_answer_is_told_apart_where_the_driver_compares_checksums(store, proxy):
    with proxy.failing(Fault("corrupt", "GET")):
        found = get(store)
    if store.options.driver == "fsspec":
        assert (found, proxy.counts["GET"]) == (b"0123456789", 2)
    else:
        assert (found, proxy.counts["GET"]) == (b"012344" + b"6789", 1), "chunks and documents have checksums of ours"


def test_a_frozen_request_goes_on_when_it_is_let_go(store, proxy):
    async def main():
        async with anyio.create_task_group() as group:
            group.start_soon(store.put, {"new": b"1"})
            await anyio.to_thread.run_sync(fault.met.wait, 10)
            assert await store.get([Read("new")]) == [None]
            fault.thaw()

    with proxy.failing(Fault("freeze", "PUT")) as (fault,):
        anyio.run(main)
    assert get(store, "new") == b"1"


def test_faults_strike_as_often_as_they_are_told_and_only_where(store, proxy):
    with proxy.failing(Fault("403", "GET", key="y/", skip=1, times=1)):
        assert get(store) == b"0123456789"
        assert get(store, "y/z") == b"z"
        with pytest.raises(StoreError):
            get(store, "y/z")
        assert get(store, "y/z") == b"z"
