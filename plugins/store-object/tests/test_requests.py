"""Retries, limits and results of requests, with a driver that returns prepared answers."""

import anyio
import pytest
from anyio.lowlevel import checkpoint
from attrs import evolve, field, frozen
from zcollection_store_object import retries
from zcollection_store_object.driver import RequestError
from zcollection_store_object.objects import ObjectStore
from zcollection_store_object.retries import Retries

from zcollection.plugin import Listed, Read, StoreError, StoreURL, get_config

BUSY = RequestError.of_status(503)
LOST = RequestError.of_connection("no answer")
DENIED = RequestError.of_status(403)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(retries, "_FIRST", 0.0)


class Scripted:
    """A driver that returns prepared answers in order, and records the requests."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.running = self.most = 0

    async def answer(self, *request):
        self.requests.append(request)
        self.running += 1
        self.most = max(self.most, self.running)
        await checkpoint()
        self.running -= 1
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def get(self, key, offset, length, most):
        return await self.answer("get", key)

    async def put(self, key, data):
        await self.answer("put", key)

    async def create(self, key, data):
        return await self.answer("create", key)

    async def copy(self, source, target):
        return await self.answer("copy", source, target)

    async def delete(self, keys):
        await self.answer("delete", *keys)

    async def list(self, prefix, *, after, recursive):
        while (page := await self.answer("list", prefix, after)) is not None:
            yield [Listed(key=key) for key in page]


@frozen(kw_only=True)
class Store(ObjectStore):
    driver: Scripted = field()
    key_prefix = "p/"
    limit: int = 4

    @property
    def retries(self):
        return Retries(self.limit)

    def connect(self):
        return self.driver

    @classmethod
    async def open(cls, url, *, mode):
        raise NotImplementedError


def store(*answers):
    return Store(url=StoreURL.parse("s3://bucket/p"), read_only=False, driver=Scripted(*answers))


def test_a_request_is_repeated_after_a_temporary_failure():
    opened = store(BUSY, LOST, b"data")
    assert anyio.run(opened.get, [Read("x")]) == [b"data"]
    assert opened.driver.requests == [("get", "p/x")] * 3


def test_a_request_is_not_repeated_after_a_permanent_failure():
    opened = store(DENIED)
    with pytest.raises(StoreError, match="403"):
        anyio.run(opened.get, [Read("x")])
    assert len(opened.driver.requests) == 1


def test_the_number_of_retries_is_limited():
    opened = store(*[BUSY] * 50)
    with pytest.raises(StoreError, match="503"):
        anyio.run(opened.put, {"x": b""})
    assert len(opened.driver.requests) == 1 + opened.limit


@pytest.mark.parametrize("text", ["ConnectionRefused", "dns error", "ClientConnectorSSLError", "NetworkUnreachable"])
def test_a_request_is_repeated_only_a_few_times_if_the_cause_rarely_passes(text):
    opened = evolve(store(*[RequestError.of_error_text(text)] * 50), limit=40)
    with pytest.raises(StoreError):
        anyio.run(opened.get, [Read("x")])
    assert len(opened.driver.requests) == 5


def test_a_server_that_starts_between_two_attempts_is_found():
    opened = store(*[RequestError.of_error_text("ConnectionRefused")] * 3, b"data")
    assert anyio.run(opened.get, [Read("x")]) == [b"data"]


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        (["created"], "created"),
        (["exists"], "exists"),
        (["unknown", "created"], "created"),
        (["unknown", "exists"], "unknown"),
        (["unknown", "unknown", "exists"], "unknown"),
        (["unknown"] * 50, "unknown"),
        ([LOST, "created"], "created"),
        ([LOST, "exists"], "unknown"),
        ([BUSY] * 50, "unknown"),
    ],
)
def test_after_a_lost_answer_an_existing_key_is_reported_as_unknown(answers, outcome):
    assert anyio.run(store(*answers).create, "x", b"") == outcome


def test_a_rejected_creation_is_an_error():
    for answers in ([DENIED], ["unknown", DENIED]):
        with pytest.raises(StoreError, match="create 'x'.*403"):
            anyio.run(store(*answers).create, "x", b"")


def test_an_interrupted_listing_continues_after_its_last_key():
    opened = store(["p/a", "p/b"], LOST, ["p/c"], None)

    async def listed():
        return [entry.key async for entry in opened.list("", recursive=True)]

    assert anyio.run(listed) == ["a", "b", "c"]
    assert opened.driver.requests == [
        ("list", "p/", ""),
        ("list", "p/", ""),
        ("list", "p/", "p/b"),
        ("list", "p/", "p/b"),
    ]


def test_as_many_requests_are_in_flight_as_the_configuration_allows():
    from zcollection import config

    opened = store(*[b""] * 200)

    async def main():
        with config.using(concurrency=7):
            assert get_config().concurrency == 7
            async with anyio.create_task_group() as group:
                for turn in range(4):
                    group.start_soon(opened.get, [Read(f"{turn}/{number}") for number in range(40)])

    anyio.run(main)
    assert len(opened.driver.requests) == 160
    assert opened.driver.most == 7


def test_objects_are_deleted_in_batches_and_documents_first():
    keys = sorted([*(f"p/g/c/{number:04}" for number in range(2500)), "p/g/zarr.json"])
    opened = store(keys, None)
    anyio.run(opened.delete, ["g/"])
    (_, _, *deletions) = opened.driver.requests
    assert [len(request) - 1 for request in deletions] == [1, 1000, 1000, 500]
    assert deletions[0] == ("delete", "p/g/zarr.json")


def test_a_copy_of_an_object_onto_itself_writes_nothing():
    opened = store(b"")
    anyio.run(opened.copy, [("x", "x")])
    assert opened.driver.requests == [("get", "p/x")]


def entry(key, etag):
    return Listed(key=f"p/{key}", size=1, etag=etag)


def test_publishing_copies_the_objects_that_differ_and_the_document_last():
    class Groups(Scripted):
        async def list(self, prefix, *, after, recursive):
            staged = [entry("s/c/0", "same"), entry("s/c/1", "new"), entry("s/zarr.json", "new")]
            published = [
                entry("t/c/0", "same"),
                entry("t/c/1", "old"),
                entry("t/c/2", "old"),
                entry("t/zarr.json", "old"),
            ]
            yield staged if prefix == "p/s/" else published

    opened = Store(url=StoreURL.parse("s3://bucket/p"), read_only=False, driver=Groups(None, True, None, True))
    anyio.run(opened.publish, "s/", "t/")
    assert opened.driver.requests == [
        ("delete", "p/t/zarr.json"),
        ("copy", "p/s/c/1", "p/t/c/1"),
        ("delete", "p/t/c/2"),
        ("copy", "p/s/zarr.json", "p/t/zarr.json"),
    ]


def test_publishing_without_staged_objects_is_an_error():
    with pytest.raises(StoreError, match="nothing is staged at 's/'"):
        anyio.run(store(None, None).publish, "s/", "t/")
