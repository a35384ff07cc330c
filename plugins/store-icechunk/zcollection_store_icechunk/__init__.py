"""Plugin: the store of ``icechunk://`` and ``icechunk+….://`` URLs."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl


@hookimpl
def zcollection_stores() -> Iterator[Provides]:
    """Yield the store of this distribution."""
    yield Provides(
        "icechunk",
        target="zcollection_store_icechunk.store:IcechunkStore",
        summary="An Icechunk repository, on local disk or object storage",
    )
