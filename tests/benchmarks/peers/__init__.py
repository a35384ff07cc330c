"""The peers by name; each is imported when it is first asked for, so that a missing library is no failure."""

from importlib import import_module
from typing import Final

from peers.base import Peer

OURS: Final = "ours"
WITHOUT_STATISTICS: Final = "no-statistics"
ARROW: Final = "arrow"
_TARGETS: Final = {
    OURS: ("peers.ours", "Ours"),
    "floor": ("peers.floor", "Floor"),
    "floor-1": ("peers.floor", "FloorOnOneThread"),
    "zarr": ("peers.zarr_python", "ZarrPython"),
    "zarr-async": ("peers.zarr_python", "ZarrPythonAsync"),
    "xarray": ("peers.xarray_zarr", "XarrayZarr"),
    "parquet": ("peers.parquet", "Parquet"),
    "duckdb": ("peers.duckdb_parquet", "DuckDB"),
    "arrow": ("peers.duckdb_arrow", "DuckDBArrow"),
    "mask": ("peers.ours_otherwise", "Mask"),
    WITHOUT_STATISTICS: ("peers.ours_otherwise", "NoStatistics"),
    "deltalake": ("peers.delta", "DeltaLake"),
    "tensorstore": ("peers.tensorstore_zarr", "TensorstoreZarr"),
}
NAMES: Final = tuple(_TARGETS)
ASKING: Final = (OURS, WITHOUT_STATISTICS, "mask", "arrow", "duckdb", "parquet")
"""Those that are asked for rows."""
STORING: Final = tuple(name for name in NAMES if name not in {WITHOUT_STATISTICS, "mask", "arrow", "duckdb"})
"""Those that store and read datasets."""


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
