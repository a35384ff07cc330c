"""A plugin for zcollection: partitions by HEALPix cell."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl


@hookimpl
def zcollection_partitionings() -> Iterator[Provides]:
    """Yield the partitioning."""
    yield Provides(
        "healpix",
        target="partitioning_by_healpix.partitioning:HEALPix",
        summary="By HEALPix cell of latitude and longitude",
    )
