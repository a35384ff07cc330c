"""Plugin: the store of ``az://`` URLs."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl


@hookimpl
def zcollection_stores() -> Iterator[Provides]:
    """Yield the store of this distribution."""
    yield Provides("az", target="zcollection_store_azure.store:AzureStore", summary="A container of Azure Blob Storage")
