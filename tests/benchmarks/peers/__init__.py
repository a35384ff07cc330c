"""The peers by name; each is imported when it is first asked for, so that a missing library is no failure."""

from importlib import import_module
from typing import Final

from peers.base import Peer

OURS: Final = "ours"
_TARGETS: Final = {
    OURS: ("peers.ours", "Ours"),
    "floor": ("peers.floor", "Floor"),
    "floor-1": ("peers.floor", "FloorOnOneThread"),
    "zarr": ("peers.zarr_python", "ZarrPython"),
    "zarr-async": ("peers.zarr_python", "ZarrPythonAsync"),
    "xarray": ("peers.xarray_zarr", "XarrayZarr"),
    "parquet": ("peers.parquet", "Parquet"),
    "deltalake": ("peers.delta", "DeltaLake"),
    "tensorstore": ("peers.tensorstore_zarr", "TensorstoreZarr"),
}
NAMES: Final = tuple(_TARGETS)


class MissingLibraryError(Exception):
    """The library of a peer is not installed."""


def make(name: str, *, threads: int) -> Peer:
    """Return a peer.

    Raises
    ------
    MissingLibraryError
        Its library is not installed.
    """
    module, attribute = _TARGETS[name]
    try:
        peer: Peer = getattr(import_module(module), attribute)(threads)
    except ModuleNotFoundError as error:
        message = f"module {error.name} is not installed"
        raise MissingLibraryError(message) from error
    return peer
