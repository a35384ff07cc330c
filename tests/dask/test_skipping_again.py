"""What is asked of a collection in one process, asked with a cluster whose workers share the memory that is damaged."""

import clusters
import pytest

pytestmark = pytest.mark.usefixtures("on_threads")

globals().update(
    clusters.again(
        "kernel/test_skipping.py", inside=True, without=["test_a_damaged_partition_that_is_replaced_meanwhile_is_read"]
    )
)


@pytest.fixture
def url(memory_url):
    return memory_url
