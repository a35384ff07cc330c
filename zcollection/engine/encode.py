"""Arrays encoded: by the direct path where it knows the codecs, else by zarr-python."""

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
    """The arrays of a group.

    Attributes
    ----------
    objects
        What is to be written: keys within the group, and bytes that are encoded as they are taken.
    shared
        Keys, within the group, of what is shared with the group that it takes the place of; one that ends with "/" means
        all below.
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
        Of the layout's shape.
    is_stored
        Whether the values are as they are stored; they are of the declared type otherwise.
    """
    whole = np.ascontiguousarray(values).reshape(layout.shape)
    if direct.supports(layout):
        return direct.encode(layout, whole, is_stored=is_stored)
    from zcollection.engine import fallback  # loads zarr

    return fallback.encode(layout, whole if is_stored else stored_values(whole, layout.variable)).items()
