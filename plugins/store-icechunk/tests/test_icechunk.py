import hashlib

from zcollection_store_icechunk.store import IcechunkStore

from zcollection.testing import PluginSuite, TransactionalStoreSuite


class TestPlugin(PluginSuite):
    distribution = "zcollection-store-icechunk"


class Tagging(TransactionalStoreSuite):
    store_class = IcechunkStore

    async def tag(self, store, name, snapshot):
        repository = await store._existing()
        await repository.create_tag_async(name, snapshot_id=snapshot)


class TestLocal(Tagging):
    def url(self, folder):
        return f"icechunk://{folder}"


class TestMemory(Tagging):
    def url(self, folder):
        return f"icechunk+memory://{hashlib.sha256(bytes(folder)).hexdigest()}"
