import hashlib

import pytest
from zcollection_store_http.store import HTTPStore

from zcollection.testing import PluginSuite, PublishedStoreSuite


class TestPlugin(PluginSuite):
    distribution = "zcollection-store-http"


class OnServer(PublishedStoreSuite):
    store_class = HTTPStore
    has_ranges: bool

    @pytest.fixture(autouse=True)
    def _server(self, web_server):
        self.server = web_server
        web_server.has_ranges = self.has_ranges

    def url(self, folder):
        return f"{self.server.url}/{hashlib.sha256(bytes(folder)).hexdigest()}/a%20b"

    def publish(self, folder, objects):
        root = self.server.folder / hashlib.sha256(bytes(folder)).hexdigest() / "a b"
        for key, data in objects.items():
            (root / key).parent.mkdir(parents=True, exist_ok=True)
            (root / key).write_bytes(data)


class TestHTTPStore(OnServer):
    has_ranges = True


class TestHTTPStoreOfAServerWithoutRanges(OnServer):
    has_ranges = False
