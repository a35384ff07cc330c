"""Fixtures of the kernel's tests: its fake plugins, provided through the same hooks as real ones."""

import gc
import uuid

import compiled  # first: what is imported after it is compiled once
import computations
import effort
import fakes
import pytest
import segmenting
from environments import build_all

from zcollection.registry.hookspecs import Family
from zcollection.registry.registry import REGISTRY
from zcollection.testing.servers import ministack_server, moto_server

__all__ = ["compiled", "effort", "ministack_server", "moto_server"]

segmenting.set_up()

collect_ignore = ["thirdparty"]  # installed and tested from their wheels, in environments of their own


def pytest_collection_finish():
    """Keep the garbage collector from looking through all tests and modules again, whenever a test asks for it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _fake_plugins():
    REGISTRY.register(fakes)
    REGISTRY.register(computations)
    yield
    for family, name in (
        (Family.PARTITIONING, "quotient"),
        (Family.MERGE, "append"),
        (Family.MERGE, "mean"),
        (Family.STORE, "dict"),
        (Family.STORE, "repository"),
        (Family.VIEW, "twice"),
        (Family.VIEW, "sum"),
    ):
        REGISTRY.unregister(family, name)


@pytest.fixture
def register():
    """Register classes for one test."""
    before = set(REGISTRY._registered)
    yield REGISTRY.register
    for family, name in set(REGISTRY._registered) - before:
        REGISTRY.unregister(family, name)


@pytest.fixture
def url():
    return f"dict://{uuid.uuid4().hex}"


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    """The wheels of this checkout, by import name."""
    return build_all(tmp_path_factory.mktemp("wheels"))
