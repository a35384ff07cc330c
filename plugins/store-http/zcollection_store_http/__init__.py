"""Plugin: the store of ``http://`` and ``https://`` URLs."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl


@hookimpl
def zcollection_stores() -> Iterator[Provides]:
    """Yield the store of this distribution, under both schemes."""
    for scheme in ("http", "https"):
        yield Provides(
            scheme,
            target="zcollection_store_http.store:HTTPStore",
            summary="A directory of a web server, for reading",
        )
