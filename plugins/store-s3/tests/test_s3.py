import hashlib

import pytest
from zcollection_store_s3.store import S3Store

from zcollection.testing import KeyStoreSuite, PluginSuite


class TestPlugin(PluginSuite):
    distribution = "zcollection-store-s3"


class OnServer(KeyStoreSuite):
    store_class = S3Store
    server: str
    driver: str
    sequences = 8

    @pytest.fixture(autouse=True)
    def _server(self, request):
        server = request.getfixturevalue(self.server)
        server.create_bucket("bucket")
        type(self).storage_options = {**server.storage_options, "driver": self.driver}

    def url(self, folder):
        return f"s3://bucket/{hashlib.sha256(bytes(folder)).hexdigest()}"


class TestObstoreOnMinistack(OnServer):
    server, driver = "ministack_server", "obstore"


class TestFsspecOnMinistack(OnServer):
    server, driver = "ministack_server", "fsspec"


class TestObstoreOnMoto(OnServer):
    server, driver = "moto_server", "obstore"
