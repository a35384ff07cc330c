"""One cluster of two processes, and one of threads, for all tests of this directory."""

import uuid

import clusters
import pytest

import zcollection as zc


@pytest.fixture(scope="session")
def client():
    with clusters.processes() as made:
        yield made


@pytest.fixture(scope="session")
def threads():
    with clusters.threads() as made:
        yield made


@pytest.fixture(params=["file", "icechunk"])
def url(request, tmp_path):
    return f"{request.param}://{tmp_path}/collection"


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
