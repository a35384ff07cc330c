"""The driver of Azure Blob Storage, based on obstore."""

import os
from collections.abc import Callable
from typing import Any

from obstore.store import AzureStore
from zcollection_store_object.client import as_obstore
from zcollection_store_object.with_obstore import Obstore, prepare

from zcollection_store_azure.causes import of_answer
from zcollection_store_azure.options import Options


def connect(container: str, options: Options) -> Obstore:
    """Return the driver of a container.

    Parameters
    ----------
    container
        The name of the container.
    options
        The options; the environment provides the rest.
    """
    prepare()
    endpoint = options.endpoint or os.environ.get("AZURE_STORAGE_ENDPOINT", "")
    given: dict[str, Any] = {
        "account_name": options.account,
        "client_id": options.client_id,
        "client_secret": options.client_secret,
        "tenant_id": options.tenant_id,
        "skip_signature": options.anon,
        "endpoint": options.endpoint,
    }
    store = AzureStore(
        container,
        config={name: value for name, value in given.items() if value is not None},  # type: ignore[arg-type]  # names of its own
        client_options=as_obstore(options.client_options, allow_http=endpoint.startswith("http://")),
        retry_config={"max_retries": 0},
        credential_provider=_provider(options),
    )
    return Obstore(
        store, of_answer, no_bucket="ContainerNotFound", key_exists="BlobAlreadyExists", etags_identify_bytes=False
    )


def _provider(options: Options) -> Callable[[], Any] | None:
    """Return a provider of the credentials in the options; as configuration, obstore would mix them with the environment."""
    known = {"access_key": options.key, "sas_token": options.sas, "token": options.token}
    passed = {name: value for name, value in known.items() if value is not None}
    return (lambda: {**passed, "expires_at": None}) if passed else None
