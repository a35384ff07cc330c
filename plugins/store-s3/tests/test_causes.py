"""Rejected requests: the error contains the reason in words and the next step, without retries and without a credential."""

import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import anyio
import pytest
from zcollection_store_s3.causes import of_answer
from zcollection_store_s3.store import S3Store

from zcollection.plugin import Read, StoreError, StoreURL

SECRET = "swordfish"
DRIVERS = ("obstore", "fsspec")


class Rejecting(BaseHTTPRequestHandler):
    """Answers every request with the status, code and region of its server, and records the methods."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, code, region = self.server.answer
        self.server.methods.append(self.command)
        body = f"<Error><Code>{code}</Code><Message>{SECRET}</Message><Region>{region}</Region></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        if region:
            self.send_header("x-amz-bucket-region", region)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 - names of the library

    def log_message(self, *_):
        pass


@contextmanager
def rejecting(*answer):
    with ThreadingHTTPServer(("127.0.0.1", 0), Rejecting) as server:
        server.answer, server.methods = answer, []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def message_of(server, driver, use):
    """Return the message of the error of an operation on this server, with the default number of retries."""
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    options = {
        "endpoint": endpoint,
        "driver": driver,
        "region": "us-east-1",
        "key": "k",
        "secret": SECRET,
        "token": SECRET,
    }

    async def main():
        store = await S3Store.open(StoreURL.parse("s3://bucket/prefix"), mode="rw", **options)
        await use(store)

    with pytest.raises(StoreError) as caught:
        anyio.run(main)
    assert SECRET not in str(caught.value)
    return str(caught.value)


async def listed(store):
    return [entry async for entry in store.list("", recursive=True)]


USES = {
    "read": lambda store: store.get([Read("x")]),
    "write": lambda store: store.put({"x": b"1"}),
    "create": lambda store: store.create("x", b"1"),
    "list": listed,
    "delete": lambda store: store.delete(["x"]),
}

REJECTIONS = [
    (403, "AccessDenied", "", r"access is denied \(AccessDenied, 403\); check the credentials and their permissions"),
    (403, "OtherCode", "", r"access is denied \(OtherCode, 403\); check the credentials"),
    (400, "ExpiredToken", "", r"the token has expired \(ExpiredToken, 400\); obtain new credentials"),
    (403, "ExpiredToken", "", r"the token has expired \(ExpiredToken, 403\); obtain new credentials"),
    (400, "InvalidToken", "", r"the token is not accepted .*; obtain new credentials"),
    (403, "InvalidAccessKeyId", "", "the access key is unknown .*; check key and secret"),
    (403, "SignatureDoesNotMatch", "", "the secret does not belong to the access key .*; check key and secret"),
    (403, "RequestTimeTooSkewed", "", "the clock of this machine is wrong .*; correct it"),
    (404, "NoSuchBucket", "", r"there is no such bucket \(NoSuchBucket, 404\); check its name and the endpoint"),
    (301, "PermanentRedirect", "", r"be in another region \((PermanentRedirect, )?301\); check the region"),
    (301, "PermanentRedirect", "eu-west-1", "(is|be) in another region .*; (pass region='eu-west-1'|check the region)"),
    (400, "AuthorizationHeaderMalformed", "eu-west-1", "is in another region .*; pass region='eu-west-1'"),
]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("status", "code", "region", "words"), REJECTIONS, ids=[f"{item[0]} {item[1]}" for item in REJECTIONS]
)
def test_a_rejected_request_is_explained_in_words_and_not_repeated(status, code, region, words, driver):
    with rejecting(status, code, region) as server:
        message = message_of(server, driver, USES["read"])
        assert re.search(words, message), message
        is_redirected = (
            driver == "fsspec" and "region" in words
        )  # botocore asks for the region, and sends the request there
        assert is_redirected or len(server.methods) == 1


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("use", USES)
def test_every_operation_contains_the_reason(use, driver):
    with rejecting(403, "AccessDenied", "") as server:
        assert re.search(
            f"cannot {use} .* in s3://bucket/prefix: access is denied", message_of(server, driver, USES[use])
        )
        assert len(server.methods) == 1
    with rejecting(404, "NoSuchBucket", "") as server:
        assert "there is no such bucket" in message_of(server, driver, USES[use])


@pytest.mark.parametrize("region", [None, "", "../EU", "\x1b[31m", "eu-west-1' or", "x" * 100])
def test_an_invalid_name_of_a_region_is_not_part_of_the_message(region):
    cause = of_answer(400, "AuthorizationHeaderMalformed", region)
    assert (cause.reason, cause.advice) == (
        "the bucket seems to be in another region (AuthorizationHeaderMalformed, 400)",
        "check the region and the endpoint",
    )
