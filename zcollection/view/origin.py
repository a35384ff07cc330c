"""The origin of a partition of a view, which its catalog record contains."""

from collections.abc import Iterator, Mapping

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.collection.read.neighbours import Halo
from zcollection.errors import CorruptionError


@frozen(kw_only=True)
class Origin:
    """The origin of a partition of a view: the data and the computations that it was computed from.

    Attributes
    ----------
    sources
        Stamps of the groups of the base that were read, by path: the partition, those of the halo, and the immutable
        variables if they were read ("" if none were stored).
    halo
        The neighbouring rows that were read.
    computation
        Digest of the computations and their configurations; "" if the user's function computed it.
    """

    sources: Mapping[str, str]
    halo: Halo = field(default=())
    computation: str = ""

    def to_strings(self) -> tuple[str, ...]:
        """Return the origin as strings, to be stored in a record."""
        halo = tuple(f"halo {_depth_to_text(depth)}" for depth in self.halo)
        sources = tuple(f"source {stamp} {path}" for path, stamp in sorted(self.sources.items()))
        return (f"computation {self.computation}", *halo, *sources)

    @classmethod
    def from_strings(cls, strings: tuple[str, ...]) -> "Origin":
        """Return the origin from the result of `to_strings`.

        Raises
        ------
        CorruptionError
            The strings are not a result of `to_strings`.
        """
        try:
            (computation,) = _values(strings, "computation")
            pairs = [source.split(" ", 1) for source in _values(strings, "source")]
            halo = tuple(_depth_from_text(text) for text in _values(strings, "halo"))
            return cls(sources={path: stamp for stamp, path in pairs}, halo=halo, computation=computation)
        except ValueError as error:
            message = f"the origin {strings!r} of a view's partition cannot be parsed: {error}; refresh the view"
            raise CorruptionError(message) from error


def _values(strings: tuple[str, ...], name: str) -> Iterator[str]:
    return (text.removeprefix(f"{name} ") for text in strings if text.startswith(f"{name} "))


def _depth_to_text(depth: int | np.timedelta64) -> str:
    if isinstance(depth, np.timedelta64):
        return f"{depth.astype(np.int64)} {np.datetime_data(depth.dtype)[0]}"
    return str(depth)


def _depth_from_text(text: str) -> int | np.timedelta64:
    number, separator, unit = text.partition(" ")
    if not separator:
        return int(number)
    depths: NDArray[np.timedelta64] = np.array([int(number)]).astype(f"timedelta64[{unit}]")
    depth: np.timedelta64 = depths[0]
    return depth
