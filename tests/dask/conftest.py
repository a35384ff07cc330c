"""One cluster of two processes, and one of threads, for all tests of this directory."""

import uuid
import zlib
from contextlib import ExitStack, contextmanager
from pathlib import Path

import clusters
import effort
import pytest

import zcollection as zc

STORES = ["file", "icechunk", "s3"]


def pytest_collection_modifyitems(config, items):
    """Ask a cluster what is asked of threads on one kind of store, another from test to test; on each at length."""
    if not effort.is_thorough():
        elsewhere = [item for item in items if _is_asked_elsewhere(item)]
        config.hook.pytest_deselected(items=elsewhere)
        dropped = set(elsewhere)
        items[:] = [item for item in items if item not in dropped]


def _is_asked_elsewhere(item):
    if item.path.parent != Path(__file__).parent or not item.path.stem.endswith("_again"):
        return False
    store = getattr(item, "callspec", None) and item.callspec.params.get("url")
    return store in STORES and store != STORES[zlib.crc32(item.originalname.encode()) % len(STORES)]


@pytest.fixture(scope="session")
def object_storage(ministack_server):
    """Return the environment in which a process finds the server of object storage."""
    ministack_server.create_bucket("bucket")
    names = {"endpoint": "ENDPOINT_URL", "region": "REGION", "key": "ACCESS_KEY_ID", "secret": "SECRET_ACCESS_KEY"}
    return {f"AWS_{name}": ministack_server.storage_options[option] for option, name in names.items()}


@pytest.fixture(scope="session")
def client(object_storage):
    with ExitStack() as running:
        with in_environment(object_storage):  # which the workers inherit
            made = running.enter_context(clusters.processes())
        yield made


@contextmanager
def in_environment(variables):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def threads():
    with clusters.threads() as made:
        yield made


@pytest.fixture(params=STORES)
def url(request, tmp_path):
    if request.param != "s3":
        yield f"{request.param}://{tmp_path}/collection"
        return
    with in_environment(request.getfixturevalue("object_storage")):
        yield f"s3://bucket/{uuid.uuid4().hex}"


@pytest.fixture
def on_cluster(client):
    """Run every operation of a test on the processes."""
    with zc.config.using(client=client):
        yield


@pytest.fixture
def on_threads(threads):
    """Run every operation of a test on a cluster whose workers share the memory of the tests."""
    with zc.config.using(client=threads):
        yield


@pytest.fixture
def memory_url():
    return f"dict://{uuid.uuid4().hex}"
