"""What is known of stretches of rows without reading them, and what that says about a condition."""

from typing import Any, Final, Self

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

NEVER: Final = 0
"""No row of the zone passes."""

PERHAPS: Final = 1
"""Some rows may pass, and some may not."""

ALWAYS: Final = 2
"""Every row of the zone passes."""

Verdicts = NDArray[np.int8]


@frozen(eq=False, repr=False)
class Zones:
    """Bounds of one variable in each of a number of zones.

    Attributes
    ----------
    lower, upper
        The smallest and the largest value that is not missing, of the variable's declared type, or anything beyond; shape
        (zones,), or (1,) for what is the same in all.
    missing
        Whether some value of the zone is missing, or may be.
    empty
        Whether all values of the zone are missing.
    known
        Whether the bounds say anything.
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
        """Return what is known of a variable without statistics: nothing."""
        none, yes, no = np.zeros(1, np.int8), np.ones(1, np.bool_), np.zeros(1, np.bool_)
        return cls(none, none, missing=yes, empty=no, known=no)

    @classmethod
    def exactly(cls, values: NDArray[Any]) -> Self:
        """Return what is known of values each of which is that of its whole zone."""
        yes, no = np.ones(values.shape, np.bool_), np.zeros(values.shape, np.bool_)
        return cls(values, values, missing=no, empty=no, known=yes)


def verdicts(*, never: NDArray[np.bool_], always: NDArray[np.bool_]) -> Verdicts:
    """Return the verdict of each zone; one that has no values at all never passes."""
    return np.asarray(np.where(never, NEVER, np.where(always, ALWAYS, PERHAPS)), dtype=np.int8)
