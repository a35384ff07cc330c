import base64
import hashlib
import hmac
import http.client
import os
import shutil
from email.utils import formatdate

import pytest

from zcollection.testing.servers import free_port, running_server

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The public default key of Azurite."""


class Azurite:
    """A server of Azure Blob Storage that runs on this machine."""

    def __init__(self, port):
        self.port = port

    @property
    def storage_options(self):
        endpoint = f"http://127.0.0.1:{self.port}/{ACCOUNT}"
        return {"account": ACCOUNT, "key": KEY, "endpoint": endpoint}

    def create_container(self, name):
        date = formatdate(usegmt=True)
        headers = f"x-ms-date:{date}\nx-ms-version:2021-08-06\n"
        signed = "PUT" + "\n" * 12 + f"{headers}/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
        digest = hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(
                "PUT",
                f"/{ACCOUNT}/{name}?restype=container",
                headers={
                    "x-ms-date": date,
                    "x-ms-version": "2021-08-06",
                    "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}",
                    "Content-Length": "0",
                },
            )
            status = connection.getresponse().status
        finally:
            connection.close()
        assert status in {201, 409}, f"the container {name!r} was not created: {status}"


@pytest.fixture(scope="session")
def azurite(tmp_path_factory):
    command = shutil.which("azurite-blob")
    if command is None:
        pytest.skip("azurite is not installed: npm install --global azurite")
    folder, port = tmp_path_factory.mktemp("azurite"), free_port()
    place = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence"]
    quiet = ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    with running_server([command, *place, *quiet], {}, port, folder / "log"):
        server = Azurite(port)
        server.create_container("container")
        yield server


@pytest.fixture(autouse=True)
def _no_credentials_of_the_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
