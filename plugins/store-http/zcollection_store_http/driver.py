"""The driver of a web server: it reads objects, or parts of them."""

from typing import Any, Final

import obstore
from attrs import frozen
from obstore.exceptions import NotSupportedError
from obstore.store import HTTPStore
from zcollection_store_object.causes import Cause, with_status
from zcollection_store_object.client import as_obstore
from zcollection_store_object.driver import RequestError
from zcollection_store_object.with_obstore import Obstore, prepare

from zcollection_store_http.options import Options

_ABSENT: Final = frozenset({404, 410})
_PIECE: Final = 2**16
"""The chunk size, in bytes, of a streamed answer."""

_DENIED: Final = Cause(
    reason="access is denied",
    advice="pass headers, or username and password, in storage_options; for missing objects the server must answer 404",
)
_STATUSES: Final = {
    301: Cause(reason="the server redirects without a target", advice="check the URL"),
    401: _DENIED,
    403: _DENIED,
    407: Cause(reason="the proxy asks for credentials", advice="pass proxy_url in client_options"),
}
"""The causes by status; obstore follows redirects, and reports one without a target as 301."""

_MISLEADING: Final = {
    "error following redirect": Cause(reason="the server redirects in a circle", advice="check the URL"),
    "Content-Length Header missing": Cause(
        reason="the answer does not say how long it is",
        advice="have the server send Content-Length, as web servers do for files",
    ),
    **dict.fromkeys(
        ("UnexpectedRange", "NoContentRange", "ParseContentRange"),
        Cause(
            reason="the answer is not the requested range, or does not state its range",
            advice="have the server answer a Range with Content-Range, or with the whole object",
        ),
    ),
}
"""The causes of permanent failures, by a substring of the error of obstore."""

_OTHER_LENGTH: Final = "the length of the answer differs from its Content-Length"


@frozen
class Web(Obstore):
    """A read-only directory of a web server."""

    async def get(self, key: str, offset: int, length: int | None, most: int | None) -> bytes | None:
        """Return bytes of an object; None if it does not exist, also for the status 410 (Gone)."""
        try:
            return await super().get(key, offset, length, most)
        except RequestError as failure:
            if failure.status not in _ABSENT:
                raise
        return None

    async def _read(self, key: str, offset: int, length: int | None, most: int | None) -> bytes:
        limit = most if length is None else length
        if offset or length is not None:
            part: Any = {"offset": offset} if limit is None else (offset, offset + limit)
            try:
                return await _bytes(await obstore.get_async(self.store, key, options={"range": part}), 0, limit)
            except NotSupportedError:
                pass  # the server may send the complete object, in particular an empty one
        return await _bytes(await obstore.get_async(self.store, key), offset, limit)

    def _failure(self, error: Exception) -> RequestError:
        text = str(error)
        found = (cause for words, cause in _MISLEADING.items() if words in text)
        cause = next(found, None)
        return super()._failure(error) if cause is None else RequestError(cause=cause)


async def _bytes(answer: Any, offset: int, limit: int | None) -> bytes:
    """Return up to `limit` bytes of an answer from an offset on, without reading the rest."""
    start, stop = answer.range
    size = stop - start
    if limit is None or offset + limit >= size:
        data: bytes = (await answer.bytes_async()).to_bytes()
        if len(data) != size:
            raise RequestError.of_connection(_OTHER_LENGTH)
        return data[offset:]
    end, pieces, count = offset + limit, [], 0
    async for piece in answer.stream(min_chunk_size=_PIECE):
        pieces.append(bytes(piece))
        count += len(pieces[-1])
        if count >= end:
            return b"".join(pieces)[offset:end]
    raise RequestError.of_connection(_OTHER_LENGTH)


def connect(url: str, options: Options) -> Web:
    """Return the driver of a directory.

    Parameters
    ----------
    url
        The URL of the directory.
    options
        The options.
    """
    prepare()
    client = as_obstore(options.client_options, allow_http=url.startswith("http://"))
    client["default_headers"] = options.sent
    store = HTTPStore.from_url(url, client_options=client, retry_config={"max_retries": 0})
    return Web(store, lambda status, _code, _region: with_status(_STATUSES.get(status), status))
