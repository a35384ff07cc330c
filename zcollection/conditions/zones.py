"""Statistics of zones (ranges of rows), and the verdicts of conditions on them."""

from typing import Any, Final, Self

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

NEVER: Final = 0
"""No row of the zone satisfies the condition."""

PERHAPS: Final = 1
"""The statistics do not decide: the rows must be read."""

ALWAYS: Final = 2
"""All rows of the zone satisfy the condition."""

Verdicts = NDArray[np.int8]


@frozen(eq=False, repr=False)
class Zones:
    """Statistics of one variable in zones.

    All attributes have the shape (zones,), or (1,) if all zones are equal.

    Attributes
    ----------
    lower, upper
        Lower and upper bounds of the values that are not missing, in the declared dtype.
    missing
        Whether a value of the zone may be missing.
    empty
        Whether all values of the zone are missing.
    known
        Whether the bounds are known.
    """

    lower: NDArray[Any]
    upper: NDArray[Any]
    missing: NDArray[np.bool_]
    empty: NDArray[np.bool_]
    known: NDArray[np.bool_]

    def __repr__(self) -> str:
        return f"Zones(<{len(self.known):,} zones of {self.lower.dtype}>)"

    @classmethod
    def unknown(cls) -> Self:
        """Return the statistics of a variable of which nothing is known."""
        none, yes, no = np.zeros(1, np.int8), np.ones(1, np.bool_), np.zeros(1, np.bool_)
        return cls(none, none, missing=yes, empty=no, known=no)

    @classmethod
    def exactly(cls, values: NDArray[Any]) -> Self:
        """Return the statistics of zones in which all rows have the same value."""
        yes, no = np.ones(values.shape, np.bool_), np.zeros(values.shape, np.bool_)
        return cls(values, values, missing=no, empty=no, known=yes)


def verdicts(*, never: NDArray[np.bool_], always: NDArray[np.bool_]) -> Verdicts:
    """Return the verdict of each zone: NEVER has priority over ALWAYS, and PERHAPS is the default."""
    return np.asarray(np.where(never, NEVER, np.where(always, ALWAYS, PERHAPS)), dtype=np.int8)
