import datetime as dt
import hashlib
from typing import ClassVar

import pytest
from zcollection_store_icechunk import places
from zcollection_store_icechunk.store import IcechunkStore

from zcollection.testing import PluginSuite, TransactionalStoreSuite
from zcollection.testing.store_base import SECRET


class TestPlugin(PluginSuite):
    distribution = "zcollection-store-icechunk"


class Repositories(TransactionalStoreSuite):
    store_class = IcechunkStore

    async def tag(self, store, name, snapshot):
        repository = await store._existing()
        await repository.create_tag_async(name, snapshot_id=snapshot)


class TestOnADisk(Repositories):
    def url(self, folder):
        return f"icechunk://{folder}"


class TestInMemory(Repositories):
    def url(self, folder):
        return f"icechunk+memory://{name_of(folder)}"


class OnServer(Repositories):
    server: str
    secret_options: ClassVar = {
        "key": f"key-{SECRET}",
        "secret": f"secret-{SECRET}",
        "token": f"token-{SECRET}",
    }

    @pytest.fixture(autouse=True)
    def _server(self, request):
        # Objects younger than the clock difference are kept, but the checks expect them to be deleted. The clock of this
        # server is local, and may round up to whole seconds.
        request.getfixturevalue("monkeypatch").setattr(places, "_SKEW", dt.timedelta(seconds=-1))
        server = request.getfixturevalue(self.server)
        server.create_bucket("bucket")
        type(self).storage_options = server.storage_options

    def url(self, folder):
        return f"icechunk+s3://bucket/{name_of(folder)}"


class TestOnMoto(OnServer):
    server = "moto_server"


class TestOnMinistack(OnServer):
    server = "ministack_server"


def name_of(folder):
    return hashlib.sha256(bytes(folder)).hexdigest()
