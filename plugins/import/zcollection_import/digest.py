"""Digests of partitions that do not depend on the order of rows; lost, duplicate or changed rows change a digest.

The stored values of a row are hashed to 64 bits: each word goes through the finaliser of SplitMix64 (Steele, Lea and Flood
2014), with a constant for its position. Partitions are compared by their number of rows, and by the sums of these numbers
modulo 2**64: two different partitions have the same sum with a probability of about 2**-64.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, Self

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.plugin import VariableSchema, stored_values

Words = NDArray[np.uint64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_AT_ONCE: Final = 2**20
"""The number of words that are mixed at once."""


@frozen
class Digest:
    """The digest of some rows.

    Attributes
    ----------
    rows
        The number of rows.
    total
        The sum of the numbers of rows.
    variables
        The sum of each variable, by path, which locates a difference.
    """

    rows: int = 0
    total: int = 0
    variables: Mapping[str, int] = field(factory=dict)

    @classmethod
    def of(cls, rows: Mapping[str, Words]) -> Self:
        """Return the digest of rows, given a number for each row of each variable.

        Examples
        --------
        >>> one = {"ssh": np.array([1, 2], "u8")}
        >>> other = {"ssh": np.array([2, 1], "u8")}
        >>> Digest.of(one) == Digest.of(other)
        True
        """
        count = len(next(iter(rows.values()), ()))
        hashes = _mixed(sum(rows.values(), np.zeros(count, np.uint64)))
        return cls(count, _sum(hashes), {path: _sum(values) for path, values in rows.items()})

    def __add__(self, other: "Digest") -> "Digest":
        paths = {**self.variables, **other.variables}
        return Digest(
            self.rows + other.rows,
            (self.total + other.total) % 2**64,
            {path: (self.variables.get(path, 0) + other.variables.get(path, 0)) % 2**64 for path in paths},
        )

    def difference(self, other: "Digest") -> tuple[str | None, str] | None:
        """Return the first variable that differs, and how; None if both contain the same rows."""
        if self.rows != other.rows:
            return None, f"has {other.rows} rows, and {self.rows} were to be imported"
        for path, value in self.variables.items():
            if other.variables.get(path) != value:
                return path, "does not have the values that were to be imported"
        return None if self.total == other.total else (None, "contains other rows than were to be imported")


def numbers(values: NDArray[Any], variable: VariableSchema, path: str, axis: int) -> Words:
    """Return a number for each row of a variable.

    Parameters
    ----------
    values
        The values, of the declared type.
    variable
        Its schema.
    path
        Its path, so that exchanged variables give different digests.
    axis
        Position of the dimension of the rows.
    """
    stored = np.moveaxis(stored_values(np.ascontiguousarray(values), variable), axis, 0)
    seed = np.uint64(int.from_bytes(hashlib.blake2b(path.encode(), digest_size=8).digest(), "little"))
    count = stored.shape[0]
    sums = np.empty(count, np.uint64)
    length = max(_AT_ONCE // max(stored[:1].size, 1), 1)
    with np.errstate(over="ignore"):
        for start in range(0, count, length):
            words = _words(stored[start : start + length])
            places = (np.arange(words.shape[1], dtype=np.uint64) + np.uint64(1)) * _GOLDEN + seed
            sums[start : start + length] = _mixed(words + places).sum(axis=1, dtype=np.uint64)
    return _mixed(sums + seed)


def _words(values: NDArray[Any]) -> Words:
    """Return values as words, shape (rows, words)."""
    rows = values.shape[0]
    flat = np.ascontiguousarray(values).reshape(rows, -1)
    if flat.dtype.kind in "TO":
        hashes = [
            hashlib.blake2b(str(text).encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in flat.flat
        ]
        return np.frombuffer(b"".join(hashes), np.uint64).reshape(rows, -1)
    if flat.dtype.kind in "fc":
        flat = np.where(flat == flat, flat, flat.dtype.type(np.nan))  # noqa: PLR0124 - NaN has many bit patterns
    size = flat.dtype.itemsize * flat.shape[1]
    padded = np.zeros((rows, -(-size // 8) * 8), np.uint8)
    padded[:, :size] = np.ascontiguousarray(flat).view(np.uint8).reshape(rows, size)
    return padded.view(np.uint64)


def _mixed(words: Words) -> Words:
    with np.errstate(over="ignore"):
        words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return words ^ (words >> np.uint64(31))


def _sum(words: Words) -> int:
    return int(words.sum(dtype=np.uint64))
