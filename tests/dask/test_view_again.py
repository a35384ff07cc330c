"""What is asked of views in one process, asked of those whose partitions are computed by a cluster."""

import clusters
import pytest

pytestmark = pytest.mark.usefixtures("on_cluster")

# A snapshot of Icechunk's stays as it is, and what was lazily read of it as well.
globals().update(clusters.again("kernel/test_view.py", without=["test_lazy_variables_of_what_has_changed_raise"]))
