"""What is asked of views in one process, asked of those whose partitions are computed by a cluster."""

import clusters
import pytest

pytestmark = pytest.mark.usefixtures("on_cluster")

# Those two race with computations that know what they have done before, which other processes do not.
globals().update(
    clusters.again(
        "kernel/test_view_refresh.py",
        without=[
            "test_a_base_that_changes_meanwhile_is_computed_as_it_has_become",
            "test_two_that_refresh_the_same_commit_it_once",
        ],
    )
)
