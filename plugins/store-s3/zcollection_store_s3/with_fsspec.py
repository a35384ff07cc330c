"""The driver based on s3fs, a library of the fsspec family: it supports all credential sources of botocore, such as single sign-on."""

import logging
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any, Final, TypeVar

import aiohttp
import s3fs
from attrs import Factory, field, frozen
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's, which is not the built-in exception
    FlexibleChecksumError,
    HTTPClientError,
    NoCredentialsError,
)
from botocore.handlers import add_expect_header
from zcollection_store_object.causes import Cause, error_names
from zcollection_store_object.driver import Answer, RequestError
from zcollection_store_object.loops import LoopClient, PerLoop

from zcollection.plugin import Listed
from zcollection_store_s3.causes import NO_CREDENTIALS, of_answer
from zcollection_store_s3.options import Options

T = TypeVar("T")

_NOT_FOUND: Final = frozenset({"404", "NoSuchKey"})
_RANGE_NOT_SATISFIABLE: Final = 416
_CONDITION_FAILED: Final = frozenset({304, 412})
_ATTEMPT: Final = "zcollection-attempt"
"""The key of the random value in the metadata of a created object."""

_CONNECTIONS: Final = 256
_QUIET: Final = ("aiobotocore", "botocore", "s3fs")
"""The loggers that write session tokens at level DEBUG."""


@frozen
class Fsspec:
    """The driver of a bucket, with one client of s3fs for each event loop.

    Attributes
    ----------
    bucket
        The name of the bucket.
    file_system
        A function that creates an instance of s3fs.
    """

    bucket: str
    file_system: Callable[[], Any] = field(repr=False)
    _clients: PerLoop[LoopClient[Any]] = field(
        init=False,
        repr=False,
        default=Factory(lambda self: PerLoop(lambda: LoopClient(lambda: _opened(self.file_system()))), takes_self=True),
    )

    async def get(self, key: str, offset: int, length: int | None, most: int | None) -> bytes | None:
        """Return bytes of an object."""
        if length == 0:
            return None if await self._send("head_object", Key=key) is None else b""
        last = "" if length is None else offset + length - 1
        whole = not offset and length is None
        try:
            return await self._send(
                "get_object",
                partial(_body, most=most),
                Key=key,
                **({} if whole else {"Range": f"bytes={offset}-{last}"}),
            )
        except RequestError as failure:
            if failure.status != _RANGE_NOT_SATISFIABLE:
                raise
        return b""

    async def put(self, key: str, data: bytes) -> None:
        """Write an object."""
        if await self._send("put_object", Key=key, Body=data) is None:
            raise _rejected(404, "NoSuchBucket")

    async def create(self, key: str, data: bytes) -> Answer:
        """Write an object unless the key exists.

        When a connection breaks, the HTTP library itself repeats the request, which is then rejected because of the object that
        it wrote before. A random value in the metadata identifies that object.
        """
        metadata = {_ATTEMPT: uuid.uuid4().hex}
        try:
            written = await self._send("put_object", Key=key, Body=data, IfNoneMatch="*", Metadata=metadata)
        except RequestError as failure:
            if failure.status in _CONDITION_FAILED:
                return await self._compare(key, metadata)
            raise
        if written is None:
            raise _rejected(404, "NoSuchBucket")
        return "created"

    async def _compare(self, key: str, metadata: Mapping[str, str]) -> Answer:
        """Return "created" if the existing object has this metadata, and "exists" if it is another one."""
        try:
            existing = await self._send("head_object", Key=key)
        except RequestError:
            return "unknown"
        if existing is None:
            return "unknown"
        return "created" if existing.get("Metadata") == metadata else "exists"

    async def list(self, prefix: str, *, after: str, recursive: bool) -> AsyncIterator[Sequence[Listed]]:
        """Yield pages of the entries under a prefix."""
        delimiter = {} if recursive else {"Delimiter": "/"}
        token = {"StartAfter": after} if after else {}
        while True:
            page = await self._send("list_objects_v2", None, Prefix=prefix, **delimiter, **token) or {}
            yield [entry for entry in _entries(page) if entry.key > after]
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    async def copy(self, source: str, target: str) -> bool:
        """Copy an object."""
        location = {"Bucket": self.bucket, "Key": source}
        return await self._send("copy_object", Key=target, CopySource=location) is not None

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects."""
        request = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        answer = await self._send("delete_objects", Delete=request) or {}
        for error in answer.get("Errors", ()):
            if error.get("Code") not in _NOT_FOUND:
                raise RequestError.of_connection(f"{error.get('Code', 'an error')} for some of the objects")

    async def _send(
        self, method: str, read: Callable[[Any], Awaitable[T]] | None = None, **arguments: Any
    ) -> T | Any | None:
        """Return the answer to a request; None if the object does not exist.

        The failure is raised outside the handler, without a chained exception: that of the library contains the request.
        """
        try:
            client = await self._clients.get().get()
            answer = await getattr(client, method)(Bucket=self.bucket, **arguments)
            return answer if read is None else await read(answer)
        except ClientError as error:
            failure = _of_answer(error)
        except RecursionError:
            # botocore asks for the region of a bucket in another region, and is redirected again.
            failure = _rejected(301)
        except (BotoCoreError, aiohttp.ClientError, OSError, ValueError) as error:
            failure = _without_answer(error)
        if failure is not None:
            raise failure
        return None


async def _opened(file_system: Any) -> AsyncGenerator[Any, None]:
    client = await file_system.set_session()
    # With the header `Expect: 100-continue`, a write costs another round trip, and waits forever for a server that does not answer.
    client.meta.events.unregister("before-call.s3", add_expect_header)
    try:
        yield client
    finally:
        await client.close()


async def _body(answer: Mapping[str, Any], *, most: int | None) -> bytes:
    too_large = most is not None and answer["ContentLength"] > most
    async with answer["Body"] as stream:
        data: bytes = await stream.read(*([most] if too_large else []))
    return data


def _entries(page: Mapping[str, Any]) -> list[Listed]:
    objects = [
        Listed(key=item["Key"], size=item["Size"], modified=item["LastModified"].timestamp(), etag=item["ETag"])
        for item in page.get("Contents", ())
        if not item["Key"].endswith("/")  # an empty folder that was created in a console
    ]
    prefixes = [Listed(key=item["Prefix"]) for item in page.get("CommonPrefixes", ())]
    return sorted([*objects, *prefixes], key=lambda entry: entry.key)


def _of_answer(error: ClientError) -> RequestError | None:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    details = error.response.get("Error", {})
    code = details.get("Code", "")
    if code in _NOT_FOUND:
        return None
    return _rejected(status, code if code.isalpha() else None, details.get("Region"))


def _rejected(status: int, code: str | None = None, region: str | None = None) -> RequestError:
    return RequestError.of_status(status, of_answer(status, code, region))


def _without_answer(error: Exception) -> RequestError:
    if isinstance(error, NoCredentialsError):
        return RequestError(cause=NO_CREDENTIALS)
    if isinstance(error, FlexibleChecksumError):
        return RequestError.of_connection("the checksum of the answer does not match")
    if isinstance(error, BotoCoreError | ValueError) and not isinstance(
        error, HTTPClientError | ConnectionError | OSError
    ):
        return RequestError(
            cause=Cause(reason=f"botocore fails with {type(error).__name__}", advice="check the options")
        )
    return RequestError.of_error_text(error_names(error))


def connect(bucket: str, options: Options) -> Fsspec:
    """Return the driver of a bucket.

    Parameters
    ----------
    bucket
        The name of the bucket.
    options
        The options; botocore finds the rest.
    """
    _silence_loggers()
    return Fsspec(bucket, lambda: _file_system(options))


def _file_system(options: Options) -> Any:
    proxy = options.client_options.get("proxy_url")
    given = {
        "connect_timeout": options.seconds("connect_timeout"),
        "read_timeout": options.seconds("timeout"),
        "user_agent_extra": options.client_options.get("user_agent"),
        "proxies": None if proxy is None else {"http": proxy, "https": proxy},
    }
    style = {"addressing_style": "virtual"} if options.virtual_hosted_style_request else {}
    return s3fs.S3FileSystem(
        anon=bool(options.anon),
        key=options.key,
        secret=options.secret,
        token=options.token,
        profile=options.profile,
        endpoint_url=options.endpoint,
        requester_pays=bool(options.request_payer),
        client_kwargs=_client(options),
        config_kwargs={
            **{name: value for name, value in given.items() if value is not None},
            "max_pool_connections": _CONNECTIONS,
            "retries": {"total_max_attempts": 1, "mode": "standard"},
            "s3": style,
        },
        asynchronous=True,
        skip_instance_cache=True,
    )


def _client(options: Options) -> dict[str, Any]:
    insecure = {"verify": False} if options.client_options.get("allow_invalid_certificates") else {}
    return {**({"region_name": options.region} if options.region else {}), **insecure}


@cache
def _silence_loggers() -> None:
    for name in _QUIET:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)
