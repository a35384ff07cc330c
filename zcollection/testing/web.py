"""A web server on this machine for the tests of stores that read over HTTP: it counts requests, and misbehaves on demand.

A ``conftest.py`` that imports `web_server` has it as a fixture.
"""

import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import pytest
from attrs import frozen

_RANGE: Final = re.compile(r"bytes=(\d+)-(\d*)")


@frozen
class Request:
    """A request that the server has received.

    Attributes
    ----------
    method, path
        "GET" or "HEAD", and the file asked for, decoded, without its first slash.
    headers
        By name, in lower case.
    """

    method: str
    path: str
    headers: dict[str, str]


class WebServer(ThreadingHTTPServer):
    """Serves the files of a folder, whole and in part, without a listing.

    Attributes
    ----------
    folder
        Whose files.
    requests
        Those that were received.
    has_ranges
        Whether parts are sent where they are asked for, and not the whole object.
    instead
        Called with the handler of each request: answers it by itself, and returns True, or leaves it to the server.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.requests: list[Request] = []
        self.has_ranges = True
        self.instead: Callable[[_Handler], bool] = lambda _: False

    @property
    def url(self) -> str:
        """URL of the folder."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that have gone: they have read as much as they wanted."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WebServer

    def answer(self) -> None:
        path = unquote(self.path.removeprefix("/"))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append(Request(self.command, path, headers))
        if self.server.instead(self):
            return
        file = self.server.folder / path
        if not file.is_file():
            self.send(404, b"nothing")
            return
        data = file.read_bytes()
        part = _RANGE.fullmatch(headers.get("range", "")) if self.server.has_ranges else None
        if part is None:
            self.send(200, data)
            return
        start, last = int(part[1]), min(int(part[2] or len(data)), len(data) - 1)
        if start >= len(data):
            self.send(416, b"", content_range=f"bytes */{len(data)}")
        else:
            self.send(206, data[start : last + 1], content_range=f"bytes {start}-{last}/{len(data)}")

    do_GET = do_HEAD = answer  # noqa: N815 - names of the library

    def send(self, status: int, data: bytes, **headers: str) -> None:
        """Send an answer; headers may replace its length."""
        self.send_response(status)
        for name, value in {"content_length": str(len(data)), **headers}.items():
            if value:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web_server(tmp_path: Path) -> Iterator[WebServer]:
    """Return a server of a folder of the test, which runs until the test ends."""
    folder = tmp_path / "www"
    folder.mkdir()
    with WebServer(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
