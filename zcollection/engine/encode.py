"""Arrays encoded: by the direct path where it knows the codecs, else by zarr-python."""

from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.engine import direct
from zcollection.engine.layout import ArrayLayout, stored_values


@frozen
class Encoded:
    """The arrays of a group.

    Attributes
    ----------
    objects
        What is to be written, by key within the group.
    shared
        Keys, within the group, of what is shared with the group that it takes the place of; one that ends with "/" means
        all below.
    """

    objects: dict[str, bytes]
    shared: tuple[str, ...] = ()


def encode_array(layout: ArrayLayout, values: NDArray[Any]) -> dict[str, bytes]:
    """Return every chunk of an array by its key.

    Parameters
    ----------
    layout
        The array.
    values
        Values of the declared type, of the layout's shape.
    """
    stored = stored_values(np.ascontiguousarray(values).reshape(layout.shape), layout.variable)
    if direct.supports(layout):
        return direct.encode(layout, stored)
    from zcollection.engine import fallback  # loads zarr

    return fallback.encode(layout, stored)
