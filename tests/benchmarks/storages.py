"""What datasets lie on: files, or object storage behind a proxy that delays and counts what is asked of it."""

import hashlib
import http.client
import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from zcollection.testing.servers import Server

DATASET: Final = "dataset"
SUPPORT: Final = Path(__file__).parents[1] / "support"


@frozen
class Usage:
    """What an operation left behind.

    Attributes
    ----------
    bytes, files
        How much, and in how many files or objects.
    chunks
        A digest of the names and bytes of its Zarr chunks: peers that wrote the same have the same.
    """

    bytes: int
    files: int
    chunks: str


class Storage:
    """Files; a peer's place is a directory."""

    options: Mapping[str, Any] = {}

    def make(self, folder: Path) -> None:
        """Make what must be there before a peer makes its place."""
        folder.parent.mkdir(exist_ok=True)

    def clear(self, parent: Path) -> None:
        """Remove the places below a directory."""
        shutil.rmtree(parent, ignore_errors=True)

    def url(self, folder: Path) -> str:
        """Return the URL of a place."""
        return f"file://{folder}"

    def zarr(self, folder: Path, path: str = "") -> Any:
        """Return what zarr-python and xarray take for a place, or for what lies in it."""
        return str(folder / path)

    def usage(self, folder: Path) -> Usage:
        """Return what lies at a place."""
        found = sorted(file for file in folder.rglob("*") if file.is_file())
        return _usage((str(file.relative_to(folder)), file.read_bytes()) for file in found)

    def requests(self) -> Mapping[str, int]:
        """Return how many requests of each kind there were since this was last asked: files know none."""
        return {}

    def received(self) -> int | None:
        """Return how many bytes were answered since this was last asked: files do not count them."""

    def about(self) -> dict[str, Any]:
        """Return what a reader of the figures must know."""
        return {}


FILES: Final = Storage()


@frozen
class ObjectStorage(Storage):
    """A server of object storage; a peer's place is a bucket.

    Attributes
    ----------
    server
        The server.
    proxy
        Whom the peers ask in its place.
    latency
        Seconds by which that delays each request.
    """

    server: Server
    proxy: Server
    latency: float

    @property
    def options(self):
        return self.proxy.storage_options

    def make(self, folder):
        self.server.create_bucket(_bucket(folder))

    def clear(self, parent):
        """Leave everything: what is deleted is not timed, and no bucket serves two rounds."""

    def url(self, folder):
        return f"s3://{_bucket(folder)}/{DATASET}"

    def zarr(self, folder, path=""):
        from zarr.storage import ObjectStore

        return ObjectStore(_store(self.proxy, _bucket(folder), f"{DATASET}/{path}".rstrip("/")))

    def usage(self, folder):
        store = _store(self.server, _bucket(folder), DATASET)
        keys = sorted(entry["path"] for page in store.list() for entry in page)
        return _usage((key, bytes(store.get(key).bytes())) for key in keys)

    def requests(self):
        return self._told("counts")

    def received(self):
        return self._told("received")

    def _told(self, what):
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.port)
        try:
            connection.request("GET", f"/-/{what}")
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def about(self):
        return {"server": "ministack", "latency": self.latency}


def _bucket(folder: Path) -> str:
    return hashlib.sha256(str(folder).encode()).hexdigest()[:20]


def _store(server: Server, bucket: str, prefix: str) -> Any:
    from obstore.store import S3Store

    given = server.storage_options
    config = {
        "endpoint": given["endpoint"],
        "region": given["region"],
        "access_key_id": given["key"],
        "secret_access_key": given["secret"],
    }
    return S3Store(bucket, prefix=prefix, config=config, client_options={"allow_http": True})


def _usage(found: Iterable[tuple[str, bytes]]) -> Usage:
    size, files, digest = 0, 0, hashlib.sha256()
    for name, data in found:
        size, files = size + len(data), files + 1
        # zcollection's own arrays lie in directories whose names begin with "_".
        if "c" in name.split("/") and not name.startswith("_") and "/_" not in name:
            digest.update(name.encode() + hashlib.sha256(data).digest())
    return Usage(size, files, digest.hexdigest())


@contextmanager
def running(latency: float | None, log: Path) -> Iterator[Storage]:
    """Return files where there is no latency to be had, else a server that runs meanwhile, with a proxy before it."""
    if latency is None:
        yield FILES
        return
    sys.path.append(str(SUPPORT))
    from fault_proxy import proxy_process

    from zcollection.testing.servers import running_ministack

    with running_ministack(log) as server, proxy_process(server, latency, log.with_suffix(".proxy")) as proxy:
        yield ObjectStorage(server, proxy, latency)
