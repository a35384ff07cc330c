"""Encodes arrays: directly if the codecs are supported, else with zarr-python."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.contracts.objects import Pieces
from zcollection.engine import direct
from zcollection.engine.layout import ArrayLayout, stored_values


@frozen
class Encoded:
    """The encoded arrays of a group.

    Attributes
    ----------
    objects
        The objects to write: keys within the group, and bytes, encoded lazily while iterating.
    shared
        Keys, within the group, of the objects shared with the replaced group; a key that ends with "/" stands for all
        objects under it.
    """

    objects: Iterable[tuple[str, bytes | Pieces]]
    shared: tuple[str, ...] = ()


def encode_array(
    layout: ArrayLayout, values: NDArray[Any], *, is_stored: bool = False
) -> Iterable[tuple[str, bytes | Pieces]]:
    """Return the keys and the bytes of every chunk of an array.

    Parameters
    ----------
    layout
        The array.
    values
        The values, in the shape of the layout.
    is_stored
        Whether the values are of the stored type; if not, they are of the declared type.
    """
    contiguous = np.ascontiguousarray(values).reshape(layout.shape)
    if direct.supports(layout):
        return direct.encode(layout, contiguous, is_stored=is_stored)
    from zcollection.engine import fallback  # loads zarr

    return fallback.encode(layout, contiguous if is_stored else stored_values(contiguous, layout.variable)).items()
