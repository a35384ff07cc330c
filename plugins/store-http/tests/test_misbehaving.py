"""Misbehaving servers: a read returns the right bytes, or an error with the next step."""

import base64
import re
import socket
import threading
from datetime import timedelta

import anyio
import pytest
from zcollection_store_http.options import Options
from zcollection_store_http.store import HTTPStore
from zcollection_store_object import retries

from zcollection import config
from zcollection.plugin import LocationError, PluginConfigurationError, Read, StoreError, StoreURL, get_config

DATA = bytes(range(256)) * 1000
SECRET = "swordfish"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(retries, "_FIRST", 0.0)


@pytest.fixture
def server(web_server):
    (web_server.folder / "x").write_bytes(DATA)
    return web_server


def read(url, *reads, **options):
    async def main():
        store = await HTTPStore.open(StoreURL.parse(url), mode="r", **options)
        return await store.get(reads or [Read("x")])

    return anyio.run(main)


def message_of(url, *reads, **options):
    with pytest.raises(StoreError) as caught:
        read(url, *reads, **options)
    assert "://" in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


def first(count, answer):
    """Answer a number of requests with a given function, and the others normally."""
    answered = []

    def instead(handler):
        if len(answered) == count:
            return False
        answered.append(handler.path)
        answer(handler)
        return True

    return instead


def always(answer):
    return first(10**9, answer)


def send(status, data=b"", **headers):
    return lambda handler: handler.send(status, data, **headers)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_request_is_repeated_after_a_temporary_failure(server, status):
    server.instead = first(3, send(status))
    assert read(server.url) == [DATA]
    assert len(server.requests) == 4


def test_the_number_of_retries_is_limited(server):
    server.instead = always(send(503, SECRET.encode()))
    message = message_of(server.url, max_retries=2)
    assert re.search(
        r"cannot read 'x' in http://127\.0\.0\.1:\d+: the server answered \(503\); check the server", message
    )
    assert SECRET not in message
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, r"the server answered \(400\)"),
        (401, r"access is denied \(401\); pass headers, or username and password"),
        (403, r"access is denied \(403\); .*for missing objects the server must answer 404"),
        (405, r"the server answered \(405\)"),
        (501, r"the server answered \(501\)"),
    ],
)
def test_a_rejected_request_is_not_repeated(server, status, words):
    server.instead = always(send(status, b"<Code>NoSuchBucket</Code>" + SECRET.encode()))
    message = message_of(server.url)
    assert re.search(words, message), message
    assert SECRET not in message
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize(
    "requested", [Read("x"), Read("x", offset=3), Read("x", length=3), Read("x", length=0)], ids=str
)
def test_a_missing_object_is_none(server, status, requested):
    server.instead = always(send(status, b"<Code>NoSuchBucket</Code>"))
    assert read(server.url, requested) == [None]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_followed(server, status):
    server.instead = lambda handler: handler.path == "/old/x" and (send(status, location="/x")(handler) or True)
    ranges = [Read("x"), Read("x", offset=7), Read("x", offset=7, length=5), Read("x", length=0)]
    assert read(f"{server.url}/old", *ranges) == [DATA, DATA[7:], DATA[7:12], b""]


def test_circular_redirects_and_redirects_without_a_target_are_errors(server):
    server.instead = always(lambda handler: handler.send(302, b"", location=handler.path))
    assert "the server redirects in a circle; check the URL" in message_of(server.url)
    server.instead = always(send(301))
    assert "the server redirects without a target (301); check the URL" in message_of(server.url)


RANGES = [Read("x", offset=5), Read("x", offset=5, length=10), Read("x", length=10), Read("x", most=70_000)]


def test_without_ranges_no_more_is_read_than_needed(server):
    server.has_ranges = False
    assert read(server.url, *RANGES) == [requested.part(DATA) for requested in RANGES]
    (server.folder / "x").write_bytes(bytes(2**25))
    sent = []

    def count(handler):
        write = handler.wfile.write
        handler.wfile.write = lambda data: [
            sent.append(write(data[at : at + 2**16])) for at in range(0, len(data), 2**16)
        ]
        return False

    server.instead = count
    assert read(server.url, Read("x", offset=1, length=2)) == [bytes(2)]
    assert sum(sent) < 2**24


def hang_up(handler):
    handler.close_connection = True


CONTRADICTIONS = {
    "fewer bytes than announced": lambda handler: (
        handler.send(200, DATA[:100], content_length="200"),
        hang_up(handler),
    ),
    "fewer bytes of a part": lambda handler: (
        handler.send(206, DATA[5:10], content_range=f"bytes 5-14/{len(DATA)}"),
        hang_up(handler),
    ),
    "more bytes of a part": lambda handler: (
        handler.send(206, DATA[5:30], content_range=f"bytes 5-14/{len(DATA)}"),
        hang_up(handler),
    ),
    "another part": send(206, DATA[:10], content_range=f"bytes 0-9/{len(DATA)}"),
    "a part without its range": send(206, DATA[:10]),
    "a part with an invalid range": send(206, DATA[:10], content_range="bytes x"),
    "no length": lambda handler: (handler.send(200, DATA, content_length=""), hang_up(handler)),
    "nothing": hang_up,
    "not HTTP": lambda handler: (handler.wfile.write(b"hello\r\n\r\n"), hang_up(handler)),
}


@pytest.mark.parametrize("contradiction", CONTRADICTIONS)
def test_a_contradictory_answer_is_never_returned_as_data(server, contradiction):
    part = "part" in contradiction
    requested = Read("x", offset=5, length=10) if part else Read("x")
    server.instead = always(CONTRADICTIONS[contradiction])
    message = message_of(server.url, requested, max_retries=1)
    assert re.search(r"cannot read 'x' in http://[^ ]+: .+; .+", message)
    server.instead = first(1, CONTRADICTIONS[contradiction])
    if len(server.requests) == 2:  # a temporary failure was retried
        assert read(server.url, requested) == [requested.part(DATA)]


def test_requests_have_credentials_and_make_caches_revalidate(server):
    secret = {"username": "reader", "password": SECRET, "headers": {"X-Token": SECRET}}
    client = {"client_options": {"user_agent": "mine", "timeout": timedelta(seconds=30)}}
    assert read(server.url, Read("x", offset=2, length=3), **secret, **client) == [DATA[2:5]]
    (request,) = server.requests
    sent = request.headers
    assert sent["authorization"] == "Basic " + base64.b64encode(f"reader:{SECRET}".encode()).decode()
    assert (sent["x-token"], sent["user-agent"], sent["cache-control"]) == (SECRET, "mine", "no-cache")
    assert (sent["range"], "accept-encoding" in sent) == ("bytes=2-4", False)
    assert SECRET not in repr(Options.of(StoreURL.parse(server.url), secret | client))


def test_as_many_requests_are_in_flight_as_the_configuration_allows(server):
    running, most, guard, full = [0], [0], threading.Lock(), threading.Barrier(6)

    def count(_):
        with guard:
            running[0] += 1
            most[0] = max(most[0], running[0])
        full.wait(300)  # all requests are concurrent, or the test fails here
        with guard:
            running[0] -= 1
        return False

    server.instead = count
    with config.using(concurrency=6):
        assert get_config().concurrency == 6
        assert read(server.url, *[Read("x", length=1)] * 36) == [b"\0"] * 36
    assert most == [6]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://host/path?token=swordfish", "has parameters: token; pass the credentials of the server as headers"),
        ("https://reader:swordfish@host/path", "username and password in storage_options"),
        ("https://host/a@b", "written %40"),
        ("https:///path", "not the URL of a directory; accepted: 'https://host/path'"),
        ("https://ho st/path", "not the URL of a directory"),
        ("https://host:port/path", "not the URL of a directory"),
        ("https://host/path#part", "not the URL of a directory"),
        ("https://host/../path", "'..'"),
        ("https://host//path", "empty"),
    ],
)
def test_an_invalid_url_is_rejected(url, words):
    with pytest.raises((LocationError, StoreError)) as caught:
        read(url)
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"header": {}}, "no option 'header'; accepted: .*headers"),
        ({"headers": {"X": "a\r\nHost: b"}}, "'headers' of dict; accepted: a mapping of the names of headers"),
        ({"headers": {"Range": "bytes=0-1"}}, "'headers' of dict; .*not .*range"),
        ({"headers": {1: "a"}}, "'headers' of dict"),
        ({"headers": 3}, "'headers' of int"),
        ({"username": "swordfish"}, "one of 'username' and 'password'"),
        ({"username": "a", "password": "b", "headers": {"authorization": "c"}}, "both a password and a header"),
        ({"password": "sword\nfish", "username": "a"}, "'password' of str; accepted: text of printable"),
        ({"max_retries": -1}, "'max_retries' of int; accepted: a whole number from 0 to 100"),
        ({"client_options": {"timeout": "soon"}}, "'timeout' of str; accepted: seconds"),
        ({"client_options": {"timeouts": 1}}, "no client option 'timeouts'"),
        ({"client_options": 1}, "'client_options' of int; accepted: a mapping with"),
    ],
)
def test_an_invalid_option_is_rejected_without_its_value(options, words):
    with pytest.raises(PluginConfigurationError, match=words) as caught:
        read("https://host/path", **options)
    assert SECRET not in str(caught.value)


def test_a_server_that_does_not_run_is_reported():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        message = message_of(f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert "the connection was refused" in message
