from collections_in_sqlite.store import SQLiteStore

from zcollection.testing import KeyStoreSuite, PluginSuite


class TestPlugin(PluginSuite):
    distribution = "collections-in-sqlite"


class TestSQLiteStore(KeyStoreSuite):
    store_class = SQLiteStore

    def url(self, folder):
        return f"sqlite://{folder}.db"
