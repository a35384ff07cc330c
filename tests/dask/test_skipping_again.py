"""What is asked of a collection in one process, asked with a cluster whose workers share the memory that is damaged."""

import clusters
import pytest

pytestmark = pytest.mark.usefixtures("on_threads")

IN_ONE_PROCESS = (
    "test_a_damaged_partition_that_is_replaced_meanwhile_is_read",
    "test_damage_that_a_function_meets_elsewhere_is_not_that_of_its_partition",
)
"""A store that changes the collection while it is read, and a function that holds it, do not go to workers."""

globals().update(clusters.again("kernel/test_skipping.py", inside=True, without=IN_ONE_PROCESS))


@pytest.fixture
def url(memory_url):
    return memory_url
