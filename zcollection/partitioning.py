"""The installed partitionings, each under the name of its class: ``zcollection.partitioning.Date``.

Examples
--------
>>> from zcollection import partitioning
>>> partitioning.Sequence(("cycle", "pass"))
Sequence(variables=('cycle', 'pass'), dimension=None)
"""

from zcollection.registry.brief import from_text
from zcollection.registry.hookspecs import Family
from zcollection.registry.namespace import lookup

__all__ = ["from_text"]

__getattr__, __dir__ = lookup(Family.PARTITIONING, __name__)
