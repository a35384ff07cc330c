"""The conformance suites, for archives and single files, local and in a bucket."""

import hashlib

import anyio
import pytest
from zcollection_store_fsspec.archive import ArchiveStore
from zcollection_store_fsspec.store import FsspecStore
from zcollection_store_s3.store import S3Store

from zcollection.plugin import StoreURL
from zcollection.testing import PluginSuite, PublishedStoreSuite


class TestPlugin(PluginSuite):
    distribution = "zcollection-store-fsspec"


class InAnArchive(PublishedStoreSuite):
    store_class = ArchiveStore

    @pytest.fixture(autouse=True)
    def _archives(self, archives):
        self.archives = archives


class TestZip(InAnArchive):
    def url(self, folder):
        return f"zip::{folder}/a b.zip"

    def publish(self, folder, objects):
        self.archives.zipped(folder / "a b.zip", objects)


class TestZipOfAFolder(InAnArchive):
    def url(self, folder):
        return f"zip://a b/c::{folder}/x.zip"

    def publish(self, folder, objects):
        self.archives.zipped(folder / "x.zip", objects, folder="a b/c/")


class TestTar(InAnArchive):
    def url(self, folder):
        return f"tar::{folder}/x.tar"

    def publish(self, folder, objects):
        self.archives.tarred(folder / "x.tar", objects)


class OnMoto(PublishedStoreSuite):
    @pytest.fixture(autouse=True)
    def _server(self, moto_server, archives):
        self.archives = archives
        moto_server.create_bucket("bucket")
        self.server = moto_server
        given = {"key": "nobody", "secret": "nothing", "endpoint_url": moto_server.endpoint}
        type(self).storage_options = {"s3": {**given, "client_kwargs": {"region_name": "us-east-1"}}}

    def place(self, folder):
        return f"s3://bucket/{hashlib.sha256(bytes(folder)).hexdigest()}"

    def put(self, url, objects):
        async def main():
            store = await S3Store.open(StoreURL.parse(url), mode="rw", **self.server.storage_options)
            await store.put(objects)

        anyio.run(main)


class TestZipInABucket(OnMoto):
    store_class = ArchiveStore

    def url(self, folder):
        return f"zip::{self.place(folder)}/x.zip"

    def publish(self, folder, objects):
        self.archives.zipped(folder / "x.zip", objects)
        self.put(self.place(folder), {"x.zip": (folder / "x.zip").read_bytes()})


class TestCachedFilesInABucket(OnMoto):
    store_class = FsspecStore

    def url(self, folder):
        return f"simplecache::{self.place(folder)}"

    def publish(self, folder, objects):
        if objects:
            self.put(self.place(folder), objects)


class TestLocalFiles(PublishedStoreSuite):
    store_class = FsspecStore

    def url(self, folder):
        return f"fsspec+file://{folder}/x"

    def publish(self, folder, objects):
        for key, data in objects.items():
            (folder / "x" / key).parent.mkdir(parents=True, exist_ok=True)
            (folder / "x" / key).write_bytes(data)
