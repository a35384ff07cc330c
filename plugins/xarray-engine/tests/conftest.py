import sys
import uuid
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from counted_shelf import READ, make


@pytest.fixture
def url():
    return f"shelf://{uuid.uuid4().hex}"


@pytest.fixture
def made(url):
    return lambda schema, rows, **options: make(url, schema, rows, **options)


@pytest.fixture(scope="session")
def shared():
    """A function that creates a collection for several tests, or for the examples of one."""
    return lambda schema, rows, **options: make(f"shelf://{uuid.uuid4().hex}", schema, rows, **options)


@pytest.fixture
def read():
    """The keys of the objects that are read during the test, with their number of reads."""
    READ.clear()
    return READ
