"""The conformance suites: what the kernel relies on, as tests that the author of a plugin runs.

Subclass a suite in a test file and give it `examples`; pytest does the rest. The suites need the extra ``testing``.
"""

from zcollection.errors import MissingDependencyError

try:
    import pytest
except ImportError as error:
    raise MissingDependencyError.of("pytest", extra="testing", purpose="zcollection.testing") from error

for _module in ("configurable", "merge", "merge_cases", "partitioning", "plugin", "store", "store_machine"):
    pytest.register_assert_rewrite(f"{__name__}.{_module}")

from zcollection.testing.configurable import ConfigurableSuite
from zcollection.testing.merge import MergeSuite
from zcollection.testing.plugin import PluginSuite

__all__ = ["ConfigurableSuite", "MergeSuite", "PluginSuite"]
