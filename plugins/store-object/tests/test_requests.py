"""How often a request is sent, how many at once, and what is made of its answers: with a driver that does as it is told."""

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


class Told:
    """Answers with what it is given, in turn."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.running = self.most = 0

    async def answer(self, *asked):
        self.asked.append(asked)
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
    driver: Told = field()
    place = "p/"
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
    return Store(url=StoreURL.parse("s3://bucket/p"), read_only=False, driver=Told(*answers))


def test_what_may_pass_is_sent_again():
    told = store(BUSY, LOST, b"data")
    assert anyio.run(told.get, [Read("x")]) == [b"data"]
    assert told.driver.asked == [("get", "p/x")] * 3


def test_what_will_not_pass_is_not_sent_again():
    told = store(DENIED)
    with pytest.raises(StoreError, match="403"):
        anyio.run(told.get, [Read("x")])
    assert len(told.driver.asked) == 1


def test_nothing_is_sent_for_ever():
    told = store(*[BUSY] * 50)
    with pytest.raises(StoreError, match="503"):
        anyio.run(told.put, {"x": b""})
    assert len(told.driver.asked) == 1 + told.limit


@pytest.mark.parametrize("names", ["ConnectionRefused", "dns error", "ClientConnectorSSLError", "NetworkUnreachable"])
def test_what_hardly_passes_in_a_moment_is_sent_again_a_few_times_only(names):
    told = evolve(store(*[RequestError.of_names(names)] * 50), limit=40)
    with pytest.raises(StoreError):
        anyio.run(told.get, [Read("x")])
    assert len(told.driver.asked) == 5


def test_a_server_that_starts_meanwhile_is_found():
    told = store(*[RequestError.of_names("ConnectionRefused")] * 3, b"data")
    assert anyio.run(told.get, [Read("x")]) == [b"data"]


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
def test_after_a_lost_answer_nobody_says_that_another_one_has_the_key(answers, outcome):
    assert anyio.run(store(*answers).create, "x", b"") == outcome


def test_a_creation_that_is_refused_is_an_error():
    for answers in ([DENIED], ["unknown", DENIED]):
        with pytest.raises(StoreError, match="create 'x'.*403"):
            anyio.run(store(*answers).create, "x", b"")


def test_a_listing_that_was_interrupted_goes_on_after_its_last_key():
    told = store(["p/a", "p/b"], LOST, ["p/c"], None)

    async def listed():
        return [entry.key async for entry in told.list("", recursive=True)]

    assert anyio.run(listed) == ["a", "b", "c"]
    assert told.driver.asked == [("list", "p/", ""), ("list", "p/", ""), ("list", "p/", "p/b"), ("list", "p/", "p/b")]


def test_as_many_requests_are_in_flight_as_the_configuration_allows():
    from zcollection import config

    told = store(*[b""] * 200)

    async def main():
        with config.using(concurrency=7):
            assert get_config().concurrency == 7
            async with anyio.create_task_group() as group:
                for turn in range(4):
                    group.start_soon(told.get, [Read(f"{turn}/{number}") for number in range(40)])

    anyio.run(main)
    assert len(told.driver.asked) == 160
    assert told.driver.most == 7


def test_many_objects_are_deleted_by_few_requests_and_documents_first():
    keys = sorted([*(f"p/g/c/{number:04}" for number in range(2500)), "p/g/zarr.json"])
    told = store(keys, None)
    anyio.run(told.delete, ["g/"])
    (_, _, *deletions) = told.driver.asked
    assert [len(asked) - 1 for asked in deletions] == [1, 1000, 1000, 500]
    assert deletions[0] == ("delete", "p/g/zarr.json")


def test_an_object_is_copied_onto_itself_by_doing_nothing():
    told = store(b"")
    anyio.run(told.copy, [("x", "x")])
    assert told.driver.asked == [("get", "p/x")]


def entry(key, etag):
    return Listed(key=f"p/{key}", size=1, etag=etag)


def test_publishing_copies_what_differs_and_the_document_last():
    class Groups(Told):
        async def list(self, prefix, *, after, recursive):
            staged = [entry("s/c/0", "same"), entry("s/c/1", "new"), entry("s/zarr.json", "new")]
            there = [entry("t/c/0", "same"), entry("t/c/1", "old"), entry("t/c/2", "old"), entry("t/zarr.json", "old")]
            yield staged if prefix == "p/s/" else there

    told = Store(url=StoreURL.parse("s3://bucket/p"), read_only=False, driver=Groups(None, True, None, True))
    anyio.run(told.publish, "s/", "t/")
    assert told.driver.asked == [
        ("delete", "p/t/zarr.json"),
        ("copy", "p/s/c/1", "p/t/c/1"),
        ("delete", "p/t/c/2"),
        ("copy", "p/s/zarr.json", "p/t/zarr.json"),
    ]


def test_publishing_where_nothing_is_staged_is_an_error_that_says_so():
    with pytest.raises(StoreError, match="nothing is staged at 's/'"):
        anyio.run(store(None, None).publish, "s/", "t/")
