"""The conformance suites: tests of everything that the kernel requires of a plugin, for authors of plugins.

Subclass a suite in a test file, set its attributes such as `examples`, and run pytest. The suites need the extra
``testing``.
"""

from importlib.util import find_spec
from pkgutil import iter_modules

from zcollection.errors import MissingDependencyError

for _library in ("pytest", "hypothesis"):
    if find_spec(_library) is None:
        raise MissingDependencyError.of(_library, extra="testing", purpose="zcollection.testing")

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))

from zcollection.testing.computation import ComputationSuite
from zcollection.testing.configurable import ConfigurableSuite
from zcollection.testing.merge import MergeSuite
from zcollection.testing.partitioning import PartitioningSuite
from zcollection.testing.plugin import PluginSuite
from zcollection.testing.store import KeyStoreSuite
from zcollection.testing.store_published import PublishedStoreSuite
from zcollection.testing.transactional import TransactionalStoreSuite

__all__ = [
    "ComputationSuite",
    "ConfigurableSuite",
    "KeyStoreSuite",
    "MergeSuite",
    "PartitioningSuite",
    "PluginSuite",
    "PublishedStoreSuite",
    "TransactionalStoreSuite",
]
