"""Rejected requests, by the server or before: errors contain the next step and no credential."""

import gc
import json
import re
import threading
import traceback
import weakref
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio
import anyio.lowlevel
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from zcollection_store_gs.options import Options
from zcollection_store_gs.store import GoogleStore
from zcollection_store_object import retries
from zcollection_store_object.sharing import shared

from zcollection.plugin import LocationError, PluginConfigurationError, Read, StoreError, StoreURL

SECRET = "swordfish"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(retries, "_FIRST", 0.0)


class Handler(BaseHTTPRequestHandler):
    """Records each request, and answers with the given answers in turn; the last one is repeated."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append((self.command, self.path, headers, body))
        answers = self.server.answers
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 - names of the library

    def log_message(self, *_):
        pass


@contextmanager
def answering(*answers):
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.answers, server.requests = list(answers), []
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def rejection(status, reason, message=SECRET):
    errors = [{"domain": "global", "reason": reason, "message": message}]
    return status, json.dumps({"error": {"code": status, "message": message, "errors": errors}}).encode()


async def listed(store):
    return [entry async for entry in store.list("", recursive=True)]


USES = {
    "read": lambda store: store.get([Read("x")]),
    "write": lambda store: store.put({"x": b"1"}),
    "create": lambda store: store.create("x", b"1"),
    "list": listed,
    "delete": lambda store: store.delete(["x"]),
}


def opened(url="gs://bucket/p", **options):
    return anyio.run(lambda: GoogleStore.open(StoreURL.parse(url), mode="rw", **options))


def message_of(use, store):
    with pytest.raises(StoreError) as caught:
        anyio.run(USES[use], store)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


REJECTIONS = [
    (401, "authError", r"the credentials are not accepted \(authError, 401\); check service_account"),
    (403, "forbidden", r"access is denied \(forbidden, 403\); check that the credentials have permission to get"),
    (
        400,
        "userProjectMissing",
        r"the requester pays for this bucket \(.*\); pass user_project, .*, in storage_options",
    ),
    (400, "with a space", r"the server answered \(400\); check service_account"),
]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(("status", "reason", "words"), REJECTIONS, ids=[item[1] for item in REJECTIONS])
def test_a_rejected_request_is_explained_in_words_and_not_repeated(use, status, reason, words):
    with answering(rejection(status, reason)) as server:
        message = message_of(use, opened(token=SECRET, endpoint=server.url))
        assert re.search(f"cannot {use} '.*' in gs://bucket/p: {words}", message), message
        assert len(server.requests) == 1
        assert server.requests[0][2]["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("use", USES)
def test_a_missing_bucket_is_reported(use):
    with answering(rejection(404, "notFound", "The specified bucket does not exist.")) as server:
        message = message_of(use, opened(anon=True, endpoint=server.url))
    assert (
        "there is no such bucket (noSuchBucket, 404); check its name: buckets are not created automatically" in message
    )


@pytest.mark.parametrize("use", ["write", "create", "list"])
def test_a_bucket_that_is_missing_on_a_server_is_reported(fake_gcs, use):
    assert "there is no such bucket" in message_of(use, opened("gs://missing/p", **fake_gcs.storage_options))


def test_a_missing_object_is_none_and_its_deletion_is_no_error():
    with answering(rejection(404, "notFound", "No such object: bucket/p/x")) as server:
        store = opened(anon=True, endpoint=server.url)
        assert anyio.run(store.get, [Read("x"), Read("x", length=0), Read("x", offset=1)]) == [None] * 3
        anyio.run(store.delete, ["x"])


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_request_is_repeated_after_a_temporary_failure(status):
    with answering(rejection(status, "backendError"), rejection(status, "backendError"), (200, b"data")) as server:
        assert anyio.run(opened(anon=True, endpoint=server.url).get, [Read("x")]) == [b"data"]
        assert len(server.requests) == 3


def test_after_a_lost_answer_an_existing_key_is_reported_as_unknown():
    with answering(rejection(503, "backendError"), rejection(412, "conditionNotMet")) as server:
        assert anyio.run(opened(anon=True, endpoint=server.url).create, "x", b"1") == "unknown"
    with answering(rejection(412, "conditionNotMet")) as server:
        assert anyio.run(opened(anon=True, endpoint=server.url).create, "x", b"1") == "exists"
        ((_, path, _, _),) = server.requests
        assert "ifGenerationMatch=0" in path


def test_a_copy_may_need_several_requests():
    steps = [{"done": False, "rewriteToken": "a+b"}, {"done": False, "rewriteToken": "c"}, {"done": True}]
    with answering(*[(200, json.dumps(step).encode()) for step in steps]) as server:
        anyio.run(opened(anon=True, endpoint=server.url).copy, [("x", "a/y")])
        paths = [path for _, path, _, _ in server.requests]
    assert [path.partition("rewriteToken=")[2] for path in paths[1:]] == ["a%2Bb", "c"]
    assert paths[0].startswith("/storage/v1/b/bucket/o/p%2Fx/rewriteTo/b/bucket/o/p%2Fa%2Fy?")


def test_the_billed_project_and_the_user_agent_are_sent():
    with answering((200, b"data")) as server:
        store = opened(anon=True, endpoint=server.url, user_project="my-project", client_options={"user_agent": "mine"})
        assert anyio.run(store.get, [Read("x", offset=2, length=3)]) == [b"data"]
        ((_, path, headers, _),) = server.requests
    assert path == "/storage/v1/b/bucket/o/p%2Fx?alt=media&userProject=my-project"
    assert (headers["range"], headers["user-agent"], headers["accept-encoding"]) == ("bytes=2-4", "mine", "identity")
    assert "authorization" not in headers


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"items": [{}]}'], ids=str)
def test_an_invalid_listing_is_an_error(answer):
    with answering((200, answer)) as server:
        message = message_of("list", opened(anon=True, endpoint=server.url))
    assert "the endpoint does not answer as Google Cloud Storage does; check the endpoint" in message


def test_the_environment_names_an_emulator(fake_gcs, monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"127.0.0.1:{fake_gcs.port}")
    store = opened("gcs://bucket/environment")

    async def main():
        await store.put({"x": b"1"})
        return await store.get([Read("x")])

    assert anyio.run(main) == [b"1"]


@contextmanager
def dropping():
    """Yield a server that reads each request and drops the connection, and the list of requests."""

    class Dropping(Handler):
        def answer(self):
            self.server.requests.append(self.command)
            self.close_connection = True

        do_GET = do_POST = answer  # noqa: N815 - names of the library

    with ThreadingHTTPServer(("127.0.0.1", 0), Dropping) as server:
        server.requests = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", server.requests
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("tries", [1, 3])
def test_a_creation_with_a_lost_answer_is_repeated_by_the_store_alone(tries):
    with dropping() as (url, methods):
        assert anyio.run(opened(anon=True, endpoint=url, max_retries=tries - 1).create, "x", b"1") == "unknown"
        assert methods == ["POST"] * tries


def test_a_dropped_connection_is_reported():
    with dropping() as (url, _):
        assert "the server dropped the connection; check the server" in message_of(
            "read", opened(anon=True, endpoint=url, max_retries=1)
        )


def test_the_connections_of_an_unreferenced_store_are_closed_while_its_loop_runs():
    async def main(url):
        store = await GoogleStore.open(StoreURL.parse("gs://bucket/p"), mode="r", anon=True, endpoint=url)
        await store.get([Read("x")])
        session = weakref.ref(await store._driver._clients.get().get())
        del store
        shared(GoogleStore.open_driver).cache_clear()
        with anyio.fail_after(300):
            while session() is not None:
                gc.collect()
                for _ in range(20):
                    await anyio.lowlevel.checkpoint()

    with answering((200, b"data")) as server:
        anyio.run(main, server.url)


def key(token_uri):
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return json.dumps(
        {
            "type": "service_account",
            "client_email": "reader@project.iam.gserviceaccount.com",
            "private_key": private.decode(),
            "token_uri": token_uri,
        }
    )


@pytest.mark.parametrize("way", ["service_account", "service_account_key", "environment"])
def test_a_service_account_obtains_one_token(way, tmp_path, monkeypatch):
    issued = json.dumps({"access_token": SECRET, "expires_in": 3600, "token_type": "Bearer"}).encode()
    with answering((200, issued)) as tokens, answering((200, b"data")) as server:
        text = key(f"{tokens.url}/token")
        path = tmp_path / "key.json"
        path.write_text(text)
        given = {"service_account": {way: str(path)}, "service_account_key": {way: text}}.get(way, {})
        if way == "environment":
            monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        store = opened(endpoint=server.url, **given)
        assert anyio.run(store.get, [Read("x")] * 5) == [b"data"] * 5
        assert len(tokens.requests) == 1
        assert {headers["authorization"] for _, _, headers, _ in server.requests} == {f"Bearer {SECRET}"}
        assert "PRIVATE" not in repr(store)


def test_a_key_without_a_token_is_reported(tmp_path):
    answer = json.dumps({"error": "invalid_grant", "error_description": SECRET}).encode()
    with answering((400, answer)) as tokens:
        store = opened(endpoint="http://127.0.0.1:9", service_account_key=key(f"{tokens.url}/token"))
        assert "Google issues no token for the credentials; check service_account" in message_of("read", store)


@pytest.mark.parametrize(
    "given",
    [
        {"service_account": "/missing/key"},
        {"service_account_key": '{"private_key": "swordfish"}'},
        {"service_account_key": "{swordfish}"},
    ],
    ids=["missing", "incomplete", "not JSON"],
)
def test_an_invalid_key_is_reported(given):
    message = message_of("read", opened(endpoint="http://127.0.0.1:9", **given))
    assert "the key of the service account is missing or invalid; accepted" in message


def test_the_error_without_credentials_explains_how_to_pass_them(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))  # google-auth would call gcloud if it is installed
    message = message_of("read", opened(endpoint="http://127.0.0.1:9"))
    assert "there are no usable credentials; pass service_account" in message


def test_a_server_that_does_not_run_is_reported():
    message = message_of("read", opened(anon=True, endpoint="http://127.0.0.1:9", max_retries=1))
    assert "the connection was refused: nothing listens at the endpoint; check its host and port" in message


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"acount": "a"}, "no option 'acount'; accepted: .*service_account"),
        ({"token": "swordfish.json"}, "'token' of str; accepted: an access token; give a file as service_account"),
        ({"token": "google_default"}, "'token' of str; accepted: .*need no option"),
        ({"token": {"a": SECRET}}, "'token' of dict; accepted: an access token"),
        ({"token": SECRET, "bearer_token": SECRET}, "'token' twice"),
        ({"token": SECRET, "anon": True}, "'token' and 'anon'; give one kind of credentials, or none"),
        ({"service_account_key": SECRET}, "'service_account_key' of str; accepted: the text of the key"),
        ({"service_account": "a\nb"}, "'service_account' of str; accepted: the path of a file"),
        ({"requester_pays": True}, "'user_project' of bool; accepted: the name of the project that is billed"),
        ({"endpoint": "host"}, "'endpoint' of str; accepted: a URL of http"),
        ({"anon": 1}, "'anon' of int; accepted: True, False"),
    ],
)
def test_an_invalid_option_is_rejected_without_its_value(options, words):
    with pytest.raises(PluginConfigurationError, match=words) as caught:
        opened(**options)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("gs://Bucket/p", "does not name a bucket; accepted: 'gs://bucket/prefix'"),
        ("gs://b/p", "accepted: 'gs://bucket/prefix'"),
        ("gs://bucket/p?sig=swordfish", "has parameters: sig; pass options in storage_options"),
        ("gs://account:swordfish@bucket/p", "contains credentials"),
    ],
)
def test_an_invalid_url_is_rejected(url, words):
    with pytest.raises(LocationError, match=words) as caught:
        opened(url)
    assert SECRET not in str(caught.value)


def test_no_repr_contains_a_credential():
    for given in ({"token": SECRET}, {"service_account_key": f'{{"private_key": "{SECRET}"}}'}):
        assert SECRET not in repr(Options.of(StoreURL.parse("gs://bucket/p"), given))
