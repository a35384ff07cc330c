"""The oracle: plain arrays beside the collection, changed as it is, and compared with it row by row."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zcollection.model.dataset import Dataset

Arrays = Mapping[str, NDArray[Any]]


class CheckFailedError(Exception):
    """The collection does not hold what it should.

    Parameters
    ----------
    differences
        A line for each.
    """

    def __init__(self, differences: list[str]) -> None:
        super().__init__("; ".join(differences))
        self.differences = differences


def check_equal(found: object, expected: object, *, what: str) -> None:
    """Compare something else than rows.

    Raises
    ------
    CheckFailedError
        It differs.
    """
    if found != expected:
        raise CheckFailedError([f"{what}: {found}, not {expected}"])


def check(found: Dataset | None, expected: Arrays, *, what: str, tolerance: float = 0.0) -> int:
    """Compare every row of every variable, and return the number of values that are equal.

    Parameters
    ----------
    found
        What was read.
    expected
        The oracle, of the same paths.
    what
        Names it in messages.
    tolerance
        What values may differ by, as a part of the largest of their variable.

    Raises
    ------
    CheckFailedError
        Anything differs.
    """
    held = {} if found is None else {path: item.to_numpy() for path, item in found.all_variables().items()}
    differences = [f"{what}: {line}" for line in _differences(held, expected, tolerance)]
    if differences:
        raise CheckFailedError(differences)
    return sum(values.size for values in held.values())


def _differences(found: Arrays, expected: Arrays, tolerance: float) -> Iterator[str]:
    for path in sorted(found.keys() ^ expected.keys()):
        yield f"variable {path!r} is {'missing' if path in expected else 'there and should not be'}"
    for path in sorted(found.keys() & expected.keys()):
        left, right = found[path], expected[path]
        if left.dtype != right.dtype or left.shape != right.shape:
            yield f"variable {path!r} is {left.dtype} of shape {left.shape}, not {right.dtype} of shape {right.shape}"
            continue
        wrong = np.flatnonzero(~_equal(left, right, tolerance))
        if wrong.size:
            row = int(wrong[0])
            yield f"variable {path!r} differs in {wrong.size:,} of {left.size:,} rows, first in row {row}: {left[row]}, not {right[row]}"


def _equal(left: NDArray[Any], right: NDArray[Any], tolerance: float) -> NDArray[np.bool_]:
    """Return where values are equal, missing ones (which differ from themselves) included."""
    equal: NDArray[np.bool_]
    if tolerance:
        equal = np.isclose(left, right, rtol=0, atol=tolerance * np.nanmax(np.abs(right)), equal_nan=True)
    else:
        equal = (left == right) | (np.not_equal(left, left) & np.not_equal(right, right))
    return equal
