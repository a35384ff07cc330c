"""What is asked of a collection in one process, asked with a cluster whose workers share the memory that is damaged."""

import clusters
import pytest

pytestmark = pytest.mark.usefixtures("on_threads")

globals().update(clusters.again("kernel/test_verify.py", inside=True))


@pytest.fixture
def url(memory_url):
    return memory_url
