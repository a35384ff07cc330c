"""What merges must give, in plain NumPy: the oracle, and the work of the peers that rewrite a partition."""

from typing import Any

import numpy as np
from layouts import TIME, Arrays
from numpy.typing import NDArray


def merged(existing: Arrays, inserted: Arrays, *, how: str) -> dict[str, NDArray[Any]]:
    """Return sorted rows: inserted ones, and the existing ones that they do not replace.

    Parameters
    ----------
    existing, inserted
        Rows, without duplicate times.
    how
        "upsert" replaces equal times, "time_series" the whole period inserted.
    """
    before, after = existing[TIME], inserted[TIME]
    outside = (before < after.min()) | (before > after.max())
    kept = ~np.isin(before, after) if how == "upsert" else outside
    order = np.argsort(np.concatenate([before[kept], after]), kind="stable")
    return {path: np.concatenate([values[kept], inserted[path]])[order] for path, values in existing.items()}
