"""The periods of partitions by date, as the axis counts time: what a partition should hold, and not only what it does."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.plugin import Key, Partitioning
from zcollection_coverage.scale import Scale

_UNITS: Final = {"year": "Y", "month": "M", "day": "D", "hour": "h", "minute": "m", "second": "s"}
"""The fields of keys by date, and the unit of the period that each ends."""


@frozen(eq=False, kw_only=True)
class Periods:
    """The period of each partition.

    Attributes
    ----------
    begins, ends
        The first instant of each, and that after its last; in the numbers of the axis.
    unit
        What each of them is one of, as NumPy names it: "D" for days.
    dtype
        The type of the instants.
    """

    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    unit: str
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, partitioning: Partitioning, axis: str, keys: Sequence[Key], scale: Scale) -> "Periods | None":
        """Return the periods of partitions; None where they are none by date, or not in the calendar of datetime64."""
        fields = tuple(item.name for item in partitioning.fields)
        is_by_date = partitioning.time_variables == (axis,) and fields == tuple(_UNITS)[: len(fields)]
        if not is_by_date or scale.dtype.kind != "M" or not keys:
            return None
        unit = _UNITS[fields[-1]]
        columns = {name: np.array([key[name] for key in keys], np.int64) for name in fields}
        begins = _instants(columns).astype(f"datetime64[{unit}]")
        dtype = scale.dtype
        return cls(
            begins=begins.astype(dtype).view(np.int64),
            ends=(begins + np.ones(len(keys), f"timedelta64[{unit}]")).astype(dtype).view(np.int64),
            unit=unit,
            dtype=dtype,
        )

    def value(self, number: int) -> np.datetime64:
        """Return an instant."""
        found: np.datetime64 = np.asarray([number], np.int64).view(self.dtype)[0]
        return found


def _instants(columns: dict[str, NDArray[np.int64]]) -> NDArray[Any]:
    """Return the instants that components of dates name."""
    found = (columns["year"] - 1970).astype("datetime64[Y]")
    for name, unit in _UNITS.items():
        if name in columns and name != "year":
            first = 1 if name in {"month", "day"} else 0
            found = found.astype(f"datetime64[{unit}]") + (columns[name] - first).astype(f"timedelta64[{unit}]")
    return found
