import hashlib

import pytest
from zcollection_store_azure.store import AzureStore

from zcollection.testing import KeyStoreSuite, PluginSuite


class TestPlugin(PluginSuite):
    distribution = "zcollection-store-azure"


class TestOnAzurite(KeyStoreSuite):
    store_class = AzureStore
    sequences = 4

    @pytest.fixture(autouse=True)
    def _server(self, azurite):
        type(self).storage_options = azurite.storage_options

    def url(self, folder):
        return f"az://container/{hashlib.sha256(bytes(folder)).hexdigest()}"
