import hashlib

import pytest
from zcollection_store_gs.store import GoogleStore

from zcollection.testing import KeyStoreSuite, PluginSuite


class TestPlugin(PluginSuite):
    distribution = "zcollection-store-gs"


class TestOnFakeGCSServer(KeyStoreSuite):
    store_class = GoogleStore
    sequences = 8

    @pytest.fixture(autouse=True)
    def _server(self, fake_gcs):
        type(self).storage_options = fake_gcs.storage_options

    def url(self, folder):
        return f"gs://bucket/{hashlib.sha256(bytes(folder)).hexdigest()}"
