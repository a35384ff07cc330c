"""Whether what a peer read is what it was given."""

import numpy as np
from layouts import TIME, Arrays


class WrongResultError(AssertionError):
    """A peer returned other values than it was given."""


def check(found: Arrays, wanted: Arrays, *, sort: bool = False) -> None:
    """Compare names, types, shapes and every value.

    Parameters
    ----------
    found, wanted
        Arrays by path.
    sort
        The order of rows is not part of the peer's promise: sort those found by time first; a variable that was read
        without its times is compared as a bag of values.

    Raises
    ------
    WrongResultError
        They differ.
    """
    if found.keys() != wanted.keys():
        message = f"variables {sorted(found)} instead of {sorted(wanted)}"
        raise WrongResultError(message)
    if sort:
        found, wanted = _in_order(found), wanted if TIME in wanted else _in_order(wanted)
    for path, values in wanted.items():
        _check_array(path, found[path], values)


def _in_order(arrays: Arrays) -> Arrays:
    if TIME not in arrays:
        return {path: np.sort(values, axis=0) for path, values in arrays.items()}
    order = np.argsort(arrays[TIME], kind="stable")
    return {path: values[order] for path, values in arrays.items()}


def _check_array(path: str, found: object, wanted: np.ndarray) -> None:
    if not isinstance(found, np.ndarray):
        message = f"{path} is a {type(found).__name__}; an operation ends with arrays in memory"
        raise WrongResultError(message)
    if (found.dtype, found.shape) != (wanted.dtype, wanted.shape):
        message = f"{path} is {found.dtype}{found.shape} instead of {wanted.dtype}{wanted.shape}"
        raise WrongResultError(message)
    if not np.array_equal(found, wanted):
        different = np.flatnonzero((found != wanted).reshape(len(wanted), -1).any(axis=1))
        message = f"{path} differs in {different.size} rows, the first of them {different[0]}"
        raise WrongResultError(message)
