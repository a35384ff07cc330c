"""Plugin of zcollection: provides the store of ``s3://`` URLs."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl


@hookimpl
def zcollection_stores() -> Iterator[Provides]:
    """Yield the store of this distribution."""
    yield Provides(
        "s3",
        target="zcollection_store_s3.store:S3Store",
        summary="A bucket of Amazon S3, or of a compatible server",
    )
