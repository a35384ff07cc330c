"""Requests for keys with percent signs are signed as S3 checks it: the signature is computed again from what was sent."""

import hashlib
import hmac
import re
from urllib.parse import parse_qsl, quote, unquote

import anyio
import pytest
from fault_proxy import Fault
from zcollection_store_s3.store import S3Store

from zcollection.plugin import Read, StoreURL

KEYS = [
    "platform=100%25/zarr.json",
    "platform=Jason-3%2FGDR%20F/c/0",
    "platform=%C3%A9%2E/c/0",
    "platform=a+b=Malmö~/c/0",
]


class Recorder(Fault):
    """Lets every request pass, and keeps it."""

    def __init__(self):
        super().__init__("")
        self.requests = []

    def takes(self, request):
        self.requests.append(request)
        return False


def encoded(text):
    """Return a text as the canonical request has it: all but RFC 3986's unreserved characters in percent-encoding."""
    return quote(text, safe="-._~")


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature_of(request, secret):
    """Return the signature (AWS version 4) that a server expects, and the one that the request has."""
    authorization = request.header("authorization")
    scope, names, found = re.fullmatch(
        r"\S+ Credential=[^/]+/(\S+), SignedHeaders=(\S+), Signature=(\w+)", authorization
    ).groups()
    path, _, query = request.target.partition("?")
    fields = sorted((encoded(name), encoded(value)) for name, value in parse_qsl(query, keep_blank_values=True))
    headers = [f"{name}:{' '.join(request.header(name).split())}" for name in names.split(";")]
    canonical = [
        request.method,
        "/".join(encoded(unquote(part)) for part in path.split("/")),
        "&".join(f"{name}={value}" for name, value in fields),
        *headers,
        "",
        names,
        request.header("x-amz-content-sha256"),
    ]
    digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = sign(key, part)
    text = "\n".join(["AWS4-HMAC-SHA256", request.header("x-amz-date"), scope, digest])
    return sign(key, text).hex(), found


async def use(store):
    """Ask for each key in every way in which the store asks for one."""
    await store.put({key: key.encode() for key in KEYS})
    await store.copy([(key, f"copy/{key}") for key in KEYS])
    assert await store.get([Read(f"copy/{key}") for key in KEYS]) == [key.encode() for key in KEYS]
    assert await store.create(f"new/{KEYS[0]}", b"") == "created"
    for key in KEYS:
        assert [entry.key async for entry in store.list(f"{key.partition('/')[0]}/", recursive=True)] == [key]
    await store.delete(KEYS)
    assert await store.get([Read(key) for key in KEYS]) == [None] * len(KEYS)


@pytest.mark.parametrize("driver", ["obstore", "fsspec"])
def test_the_signature_is_the_one_that_a_server_computes(driver, proxy):
    options = {**proxy.storage_options, "driver": driver}
    store = anyio.run(lambda: S3Store.open(StoreURL.parse(f"s3://bucket/signed-{driver}"), mode="rw", **options))
    recorder = Recorder()
    with proxy.failing(recorder):
        anyio.run(use, store)
    assert {request.kind for request in recorder.requests} == {"PUT", "COPY", "GET", "CREATE", "LIST", "DELETE"}
    for request in recorder.requests:
        expected, found = signature_of(request, options["secret"])
        assert found == expected, request.start
