"""What a server refuses: the error says what is wrong in plain words, and the next step, at once and without a credential."""

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


class Refusing(BaseHTTPRequestHandler):
    """Answers every request with the status and the code that its server was given, and counts them."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, code, region = self.server.told
        self.server.asked.append(self.command)
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
def refusing(*told):
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        server.told, server.asked = told, []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def told(server, driver, use):
    """Return what the error says of a use of a store on this server, sent again as often as by default."""
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

REFUSALS = [
    (403, "AccessDenied", "", r"access is denied \(AccessDenied, 403\); check the credentials, and what they permit"),
    (403, "Whatever", "", r"access is denied \(Whatever, 403\); check the credentials"),
    (400, "ExpiredToken", "", r"the token has expired \(ExpiredToken, 400\); obtain new credentials"),
    (403, "ExpiredToken", "", r"the token has expired \(ExpiredToken, 403\); obtain new credentials"),
    (400, "InvalidToken", "", r"the token is not accepted .*; obtain new credentials"),
    (403, "InvalidAccessKeyId", "", "the access key is not known .*; check key and secret"),
    (403, "SignatureDoesNotMatch", "", "the secret does not belong to the access key .*; check key and secret"),
    (403, "RequestTimeTooSkewed", "", "the clock of this machine is wrong .*; set it"),
    (404, "NoSuchBucket", "", r"there is no such bucket \(NoSuchBucket, 404\); check its name and the endpoint"),
    (301, "PermanentRedirect", "", r"lie in another region \((PermanentRedirect, )?301\); check the region"),
    (301, "PermanentRedirect", "eu-west-1", "lie(s?) in another region .*; (pass region='eu-west-1'|check the region)"),
    (400, "AuthorizationHeaderMalformed", "eu-west-1", "lies in another region .*; pass region='eu-west-1'"),
]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("status", "code", "region", "words"), REFUSALS, ids=[f"{item[0]} {item[1]}" for item in REFUSALS]
)
def test_a_refusal_is_told_in_words_and_not_asked_for_again(status, code, region, words, driver):
    with refusing(status, code, region) as server:
        said = told(server, driver, USES["read"])
        assert re.search(words, said), said
        follows = driver == "fsspec" and "region" in words  # botocore asks for the region, and once more there
        assert follows or len(server.asked) == 1


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("use", USES)
def test_every_use_says_so(use, driver):
    with refusing(403, "AccessDenied", "") as server:
        assert re.search(f"cannot {use} .* in s3://bucket/prefix: access is denied", told(server, driver, USES[use]))
        assert len(server.asked) == 1
    with refusing(404, "NoSuchBucket", "") as server:
        assert "there is no such bucket" in told(server, driver, USES[use])


@pytest.mark.parametrize("region", [None, "", "../EU", "\x1b[31m", "eu-west-1' or", "x" * 100])
def test_what_cannot_be_the_name_of_a_region_is_not_repeated(region):
    cause = of_answer(400, "AuthorizationHeaderMalformed", region)
    assert (cause.reason, cause.advice) == (
        "the bucket seems to lie in another region (AuthorizationHeaderMalformed, 400)",
        "check the region and the endpoint",
    )
