"""The installed computations, each under the name of its class: ``zcollection.computation.Expression``.

Examples
--------
>>> from zcollection import computation
>>> computation.Gradient("ssh").inputs
('ssh', 'time')
"""

from zcollection.registry.hookspecs import Family
from zcollection.registry.namespace import lookup

__getattr__, __dir__ = lookup(Family.VIEW, __name__)
