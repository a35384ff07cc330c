"""One cluster of two processes, and one of threads, for all tests of this directory."""

import uuid
from contextlib import ExitStack, contextmanager

import clusters
import pytest

import zcollection as zc


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


@pytest.fixture(params=["file", "icechunk", "s3"])
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
