"""A local web server for tests of stores that read over HTTP: it records requests, and its answers can be replaced.

`web_server` is a fixture: import it in a ``conftest.py``.
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
    """A request to the server.

    Attributes
    ----------
    method, path
        "GET" or "HEAD", and the decoded path of the file, without the leading slash.
    headers
        Headers by name, in lower case.
    """

    method: str
    path: str
    headers: dict[str, str]


class WebServer(ThreadingHTTPServer):
    """A server of the files of a folder, which supports ranges and has no listings.

    Attributes
    ----------
    folder
        The folder.
    requests
        The requests so far.
    has_ranges
        Whether requested ranges are sent, rather than complete files.
    instead
        Function that is called with the handler of each request; it answers the request and returns True, or returns False to
        let the server answer.
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
        """Ignore clients that have closed the connection, because they had read enough."""


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
        """Send an answer; a header ``content_length`` replaces the length of the data."""
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
    """Return a server of a temporary folder, which runs until the end of the test."""
    folder = tmp_path / "www"
    folder.mkdir()
    with WebServer(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
