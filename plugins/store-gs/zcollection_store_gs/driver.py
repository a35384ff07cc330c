"""The driver: requests to the JSON API of Google Cloud Storage (https://cloud.google.com/storage/docs/json_api)."""

import io
import json
import os
import re
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from attrs import Factory, field, frozen
from yarl import URL
from zcollection_store_object import client
from zcollection_store_object.causes import Cause, error_names
from zcollection_store_object.driver import Answer, RequestError
from zcollection_store_object.loops import LoopClient, PerLoop

from zcollection.plugin import Listed, gather
from zcollection_store_gs.causes import NO_BUCKET, of_answer
from zcollection_store_gs.credentials import Credentials, credentials_of
from zcollection_store_gs.options import Options

T = TypeVar("T")

_ENDPOINT: Final = "https://storage.googleapis.com"
_EMULATOR: Final = "STORAGE_EMULATOR_HOST"
"""The environment variable that directs all Google clients to another server."""

_PAGE: Final = 1000
_DELETED: Final = 16
"""The number of concurrent delete requests: the API deletes one object per request."""

_NOT_FOUND: Final = 404
_PRECONDITION_FAILED: Final = 412
_RANGE_NOT_SATISFIABLE: Final = 416
_CODE: Final = re.compile(r"\w{1,64}")
_BUCKET: Final = "bucket does not exist"
"""The text in the message of the service if the bucket, rather than the object, does not exist."""

_PATIENCE: Final = {"connect_timeout": 10.0, "timeout": 60.0}
"""The default time-outs, in seconds, of a connection and of reading from it."""

_MOST_READ: Final = 2**16
"""The number of bytes that are read of an error response."""

_UNEXPECTED: Final = Cause(
    reason="the endpoint does not answer as Google Cloud Storage does", advice="check the endpoint"
)


@frozen
class GoogleBucket:
    """A bucket, with one HTTP client for each event loop.

    Attributes
    ----------
    bucket
        The name of the bucket.
    endpoint
        The URL of the server.
    credentials
        The credentials of requests.
    options
        The options.
    """

    bucket: str
    endpoint: str
    credentials: Credentials
    options: Options
    _clients: PerLoop[LoopClient[aiohttp.ClientSession]] = field(
        init=False,
        repr=False,
        default=Factory(
            lambda self: PerLoop(lambda: LoopClient(partial(_opened, self.endpoint, self.options))), takes_self=True
        ),
    )

    async def get(self, key: str, offset: int, length: int | None, most: int | None) -> bytes | None:
        """Return bytes of an object."""
        if length == 0:
            found = await self._request("GET", self._path(key), _ignore, {"fields": "size"})
            return None if found is None else b""
        last = "" if length is None else offset + length - 1
        part = {"Range": f"bytes={offset}-{last}"} if offset or length is not None else {}
        try:
            return await self._request("GET", self._path(key), partial(_body, most=most), {"alt": "media"}, part)
        except RequestError as failure:
            if failure.status != _RANGE_NOT_SATISFIABLE:
                raise
        return b""

    async def put(self, key: str, data: bytes) -> None:
        """Write an object."""
        await self._upload(key, data)

    async def create(self, key: str, data: bytes) -> Answer:
        """Write an object unless the key exists: the condition is generation 0, which no object has."""
        try:
            await self._upload(key, data, ifGenerationMatch="0")
        except RequestError as failure:
            if failure.status != _PRECONDITION_FAILED:
                raise
            return "exists"
        return "created"

    async def _upload(self, key: str, data: bytes, **condition: str) -> None:
        """Write an object by one multipart request with its name and its bytes."""
        boundary = uuid.uuid4().hex
        head = (
            f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{json.dumps({'name': key})}\r\n"
            f"--{boundary}\r\nContent-Type: application/octet-stream\r\n\r\n"
        )
        body = b"".join([head.encode(), data, f"\r\n--{boundary}--\r\n".encode()])
        written = await self._request(
            "POST",
            f"/upload/storage/v1/b/{self.bucket}/o",
            _ignore,
            {"uploadType": "multipart", "fields": "generation", **condition},
            {"Content-Type": f"multipart/related; boundary={boundary}"},
            data=body,
        )
        if written is None:
            raise _rejected(_NOT_FOUND, NO_BUCKET)

    async def list(self, prefix: str, *, after: str, recursive: bool) -> AsyncIterator[Sequence[Listed]]:
        """Yield pages of the objects under a prefix."""
        parameters = {"prefix": prefix, "maxResults": str(_PAGE), "fields": _LISTED}
        parameters |= ({} if recursive else {"delimiter": "/"}) | ({"startOffset": after} if after else {})
        while True:
            page = await self._request("GET", f"/storage/v1/b/{self.bucket}/o", _page, parameters)
            if page is None:
                raise _rejected(_NOT_FOUND, NO_BUCKET)
            entries, token = page
            yield [entry for entry in entries if entry.key > after]
            if not token:
                return
            parameters["pageToken"] = token

    async def copy(self, source: str, target: str) -> bool:
        """Copy an object; copies between storage classes may need several requests."""
        path = f"{self._path(source)}/rewriteTo/b/{self.bucket}/o/{quote(target, safe='')}"
        token: dict[str, str] = {}
        while True:
            done = await self._request("POST", path, _document, {"fields": "done,rewriteToken", **token})
            if done is None or done.get("done"):
                return done is not None
            token = {"rewriteToken": done["rewriteToken"]}

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects concurrently."""
        await gather(lambda key: self._request("DELETE", self._path(key), _ignore), keys, limit=_DELETED)

    def _path(self, key: str) -> str:
        return f"/storage/v1/b/{self.bucket}/o/{quote(key, safe='')}"

    async def _request(
        self,
        method: str,
        path: str,
        read: Callable[[aiohttp.ClientResponse], Awaitable[T]],
        parameters: Mapping[str, str] = {},
        headers: Mapping[str, str] = {},
        *,
        data: bytes | None = None,
    ) -> T | None:
        """Return the result of `read` for the answer to a request; None if the object does not exist.

        The failure is raised outside the handler, without a chained exception: that of the library quotes the request.
        """
        billed = {} if self.options.user_project is None else {"userProject": self.options.user_project}
        authorised = {**headers, **await self.credentials.headers()}
        try:
            url = URL(f"{self.endpoint}{path}?{urlencode({**parameters, **billed})}", encoded=True)
            session = await self._clients.get().get()
            body = None if data is None else io.BytesIO(data)
            async with session.request(method, url, headers=authorised, data=body, allow_redirects=False) as answer:
                if answer.status in _ANSWERED:
                    return await read(answer)
                failure = await _failure(answer)
        except (ValueError, LookupError, TypeError):
            failure = RequestError(cause=_UNEXPECTED)
        except (aiohttp.ClientError, OSError) as error:
            failure = RequestError.of_error_text(error_names(error))
        if failure is not None:
            raise failure
        return None


_ANSWERED: Final = frozenset({200, 201, 204, 206})
_LISTED: Final = "nextPageToken,prefixes,items(name,size,updated,md5Hash,generation)"


async def _ignore(answer: aiohttp.ClientResponse) -> bool:
    await answer.read()
    return True


async def _body(answer: aiohttp.ClientResponse, *, most: int | None) -> bytes:
    if most is not None and answer.content_length is not None and answer.content_length > most:
        return await answer.content.readexactly(most)
    return await answer.read()


async def _document(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    found = json.loads(await answer.read())
    if not isinstance(found, dict):
        raise TypeError
    return found


async def _failure(answer: aiohttp.ClientResponse) -> RequestError | None:
    """Return the failure of an error response; None if the object does not exist."""
    text = (await answer.content.read(_MOST_READ)).decode(errors="replace")
    if answer.status == _NOT_FOUND:
        return _rejected(_NOT_FOUND, NO_BUCKET) if _BUCKET in text else None
    return _rejected(answer.status, _reason(text))


def _reason(text: str) -> str | None:
    """Return the error code of the service, if it is a single word."""
    with suppress(ValueError, LookupError, TypeError):
        reason = json.loads(text)["error"]["errors"][0]["reason"]
        return reason if _CODE.fullmatch(reason) else None
    return None


def _rejected(status: int, code: str | None = None) -> RequestError:
    return RequestError.of_status(status, of_answer(status, code))


async def _page(answer: aiohttp.ClientResponse) -> tuple[list[Listed], str]:
    """Return the entries of a page of a listing, and the token of the next page."""
    page = await _document(answer)
    objects = [
        _listed(item)
        for item in page.get("items", ())
        if not item["name"].endswith("/")  # an empty folder that was created in a console
    ]
    prefixes = [Listed(key=prefix) for prefix in page.get("prefixes", ())]
    return sorted([*objects, *prefixes], key=lambda entry: entry.key), page.get("nextPageToken", "")


def _listed(item: Mapping[str, Any]) -> Listed:
    """Return an entry; equal etags mean equal bytes. Composite objects have no MD5, so the generation is used."""
    return Listed(
        key=item["name"],
        size=int(item["size"]),
        modified=datetime.fromisoformat(item["updated"]).timestamp(),
        etag=item.get("md5Hash") or f"{item['name']} {item['generation']}",
    )


async def _opened(endpoint: str, options: Options) -> AsyncGenerator[aiohttp.ClientSession, None]:
    given = options.client_options
    waits = {name: client.seconds(given[name]) if name in given else wait for name, wait in _PATIENCE.items()}
    insecure = bool(given.get("allow_invalid_certificates"))
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=not insecure),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=waits["connect_timeout"], sock_read=waits["timeout"]),
        headers={"Accept-Encoding": "identity", "User-Agent": given.get("user_agent", "zcollection")},
        auto_decompress=False,
        proxy=given.get("proxy_url", _proxy_of(endpoint)),
    )
    try:
        yield session
    finally:
        await session.close()


def _proxy_of(endpoint: str) -> str | None:
    """Return the proxy in the environment for a server, as other HTTP clients do."""
    parts = urlsplit(endpoint)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)


def connect(bucket: str, options: Options) -> GoogleBucket:
    """Return the driver of a bucket.

    Parameters
    ----------
    bucket
        The name of the bucket.
    options
        The options; the environment provides the rest.
    """
    emulator = os.environ.get(_EMULATOR, "")
    is_emulator = options.endpoint is None and bool(emulator)
    endpoint = (options.endpoint or _with_scheme(emulator) or _ENDPOINT).rstrip("/")
    return GoogleBucket(bucket, endpoint, credentials_of(options, is_emulator=is_emulator), options)


def _with_scheme(host: str) -> str:
    return f"http://{host}" if host and "://" not in host else host
