"""The partitionings that are installed, each under the name of its class: ``zcollection.partitioning.Date``.

Examples
--------
>>> from zcollection import partitioning
>>> partitioning.Sequence(("cycle", "pass"))
Sequence(variables=('cycle', 'pass'), dimension=None)
"""

from zcollection.contracts.partitioning import Partitioning
from zcollection.errors import SettingError
from zcollection.plugins.hookspecs import Family
from zcollection.plugins.namespace import lookup

__getattr__, __dir__ = lookup(Family.PARTITIONING, __name__)


def from_text(text: str, *, axis: str) -> Partitioning:
    """Return the partitioning that a text means."""
    name, _, rest = text.partition(":")
    parts = rest.split(":")
    variables = tuple(part.strip() for part in parts[0].split(","))
    if name == "date":
        return __getattr__("Date")((axis,), resolution=rest)
    if name == "sequence":
        return __getattr__("Sequence")(variables)
    if name == "values":
        return __getattr__("Values")(variables)
    if name == "grouped-sequence" and len(parts) == 2 and parts[1].isdigit():
        return __getattr__("GroupedSequence")(variables, size=int(parts[1]))
    message = f"{text!r} is no partitioning; accepted: 'date:M', 'sequence:cycle,pass', 'grouped-sequence:cycle,pass:10', 'values:station'"
    raise SettingError(message)
