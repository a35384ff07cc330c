"""Plugin: the store of ``gs://`` and ``gcs://`` URLs."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl


@hookimpl
def zcollection_stores() -> Iterator[Provides]:
    """Yield the store of this distribution, under both of its schemes."""
    for scheme in ("gs", "gcs"):
        yield Provides(
            scheme, target="zcollection_store_gs.store:GoogleStore", summary="A bucket of Google Cloud Storage"
        )
