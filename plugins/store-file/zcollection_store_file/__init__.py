"""Plugin of zcollection: provides the store of ``file://`` URLs and local paths."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl


@hookimpl
def zcollection_stores() -> Iterator[Provides]:
    """Yield the store of this distribution."""
    yield Provides(
        "file",
        target="zcollection_store_file.store:FileStore",
        summary="A directory of a local or mounted file system",
    )
