import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from zcollection.testing.servers import ministack_server, moto_server

__all__ = ["ministack_server", "moto_server"]


@pytest.fixture(autouse=True)
def _no_credentials_of_whoever_runs_the_tests(monkeypatch, tmp_path_factory):
    for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path_factory.getbasetemp() / "missing"))


class Rejecting(BaseHTTPRequestHandler):
    """Answers every request with 403."""

    def do_GET(self):
        body = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_PUT = do_GET  # noqa: N815 - names of the library

    def log_message(self, *_):
        pass


@pytest.fixture
def rejecting_port():
    """Return the port of a server that rejects every request."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Rejecting) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()
