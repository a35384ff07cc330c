"""The default driver, based on obstore."""

import os
from collections.abc import Callable
from typing import Any

from obstore.store import S3Store
from zcollection_store_object.client import as_obstore
from zcollection_store_object.with_obstore import Obstore, prepare

from zcollection_store_s3.causes import of_answer
from zcollection_store_s3.credentials import Profile, profile_of
from zcollection_store_s3.options import Options


def connect(bucket: str, options: Options) -> Obstore:
    """Return the driver of a bucket.

    Parameters
    ----------
    bucket
        The name of the bucket.
    options
        The options; the profile and the environment provide the rest.
    """
    prepare()
    profile = profile_of(options)
    endpoint = options.endpoint or profile.endpoint
    given = {
        "region": options.region or profile.region,
        "endpoint": endpoint,
        "skip_signature": options.anon,
        "virtual_hosted_style_request": options.virtual_hosted_style_request,
        "request_payer": options.request_payer,
    }
    store = S3Store(
        bucket,
        config={name: value for name, value in given.items() if value is not None},  # type: ignore[arg-type]  # names of its own
        client_options=as_obstore(
            options.client_options,
            allow_http=(endpoint or _endpoint_of_environment()).startswith("http://"),
        ),
        retry_config={"max_retries": 0},
        credential_provider=_provider(options, profile),
    )
    return Obstore(store, of_answer)


def _provider(options: Options, profile: Profile) -> Callable[[], Any] | None:
    """Return a provider of the credentials in the options or the profile; as configuration, obstore would mix them with the environment."""
    key, secret, token = (
        (options.key, options.secret, options.token)
        if options.has_credentials
        else (profile.key, profile.secret, profile.token)
    )
    if key is None or options.anon:
        return None
    return lambda: {"access_key_id": key, "secret_access_key": secret, "token": token, "expires_at": None}


def _endpoint_of_environment() -> str:
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    return next((os.environ[name] for name in names if os.environ.get(name)), "")
