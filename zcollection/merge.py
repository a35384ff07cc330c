"""The installed merge strategies, each under the name of its class: ``zcollection.merge.Upsert``.

Examples
--------
>>> from zcollection import merge
>>> merge.Upsert()
Upsert(tolerance=None)
"""

from zcollection.registry.hookspecs import Family
from zcollection.registry.namespace import lookup

__getattr__, __dir__ = lookup(Family.MERGE, __name__)
