"""What is asked of a collection in one process, asked of one whose partitions are handled by a cluster."""

import clusters
import pytest

pytestmark = pytest.mark.usefixtures("on_cluster")

globals().update(
    clusters.again("kernel/test_insert.py", without=["test_rows_in_any_order_come_back_whole_in_the_order_of_the_keys"])
)
