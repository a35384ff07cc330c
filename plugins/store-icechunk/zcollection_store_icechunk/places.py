"""The location of a repository: converts a URL and options to a storage of Icechunk."""

import datetime as dt
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

import icechunk
from attrs import evolve, field, frozen

from zcollection.plugin import LocationError, PluginConfigurationError, StoreURL, accepted
from zcollection_store_icechunk.options import known_options

_LOCK: Final = ".zcollection.lock"

_S3: Final[Mapping[str, type]] = {
    "region": str,
    "endpoint_url": str,
    "allow_http": bool,
    "force_path_style": bool,
    "anonymous": bool,
    "access_key_id": str,
    "secret_access_key": str,
    "session_token": str,
}
_GCS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "anonymous": bool,
    "service_account_file": (str, os.PathLike),
    "service_account_key": str,
    "bearer_token": str,
}
_AZURE: Final[Mapping[str, type]] = {"account": str, "access_key": str, "sas_token": str, "bearer_token": str}

_SKEW: Final = dt.timedelta(minutes=15)
_TICK: Final = dt.timedelta(milliseconds=20)
"""Longer than the resolution of file times: up to 10 ms on Linux, and 16 ms on Windows."""

_MEMORY: dict[str, icechunk.Storage] = {}
_GUARD: Final = threading.Lock()


@frozen(kw_only=True)
class Place:
    """The location of a repository.

    Attributes
    ----------
    storage
        A function that creates Icechunk's storage.
    directory
        The path of a local directory, in which Icechunk does not serialise commits; else None.
    cross_process
        Whether other processes can open the same repository.
    lag
        The largest difference between the clocks of the storage and of a writer: object storage rejects requests with a larger
        difference, and file systems have times of low resolution.
    """

    storage: Callable[[], icechunk.Storage] = field(repr=False)
    directory: str | None = None
    cross_process: bool = True
    lag: dt.timedelta = field(factory=lambda: _SKEW)

    @property
    def lock(self) -> str | None:
        """The path of the lock file that serialises commits; None if Icechunk does this."""
        return None if self.directory is None else f"{self.directory}/{_LOCK}"


def settled(url: StoreURL) -> StoreURL:
    """Return a URL that does not depend on the working directory.

    Raises
    ------
    LocationError
        The URL is a local path with credentials, or an invalid path.
    """
    if url.scheme not in {"icechunk", "icechunk+file"}:
        return url
    if "@" in url.location.partition("/")[0]:
        message = f"{url} contains credentials, which a local path cannot have; accepted: '{url.scheme}:///path'"
        raise LocationError(message)
    return evolve(url, location=StoreURL.of_path(url.location).location)


def place_of(url: StoreURL, options: Mapping[str, Any]) -> Place:
    """Return the location of the repository of a URL.

    Raises
    ------
    LocationError
        Icechunk has no storage of this kind, or the location names no bucket.
    PluginConfigurationError
        An option is unknown for this kind of storage.
    """
    kind = url.scheme.partition("+")[2] or "file"
    if kind not in _KINDS:
        schemes = ["icechunk", *(f"icechunk+{name}" for name in _KINDS)]
        message = f"{url} has the scheme {url.scheme!r}; {accepted(url.scheme, schemes)}"
        raise LocationError(message)
    return _KINDS[kind](url, options)


def _file(url: StoreURL, options: Mapping[str, Any]) -> Place:
    known_options(url, options, {})
    directory = url.location
    return Place(storage=lambda: icechunk.local_filesystem_storage(directory), directory=directory, lag=_TICK)


def _memory(url: StoreURL, options: Mapping[str, Any]) -> Place:
    known_options(url, options, {})

    def storage() -> icechunk.Storage:
        with _GUARD:
            if url.location not in _MEMORY:
                _MEMORY[url.location] = icechunk.in_memory_storage()
            return _MEMORY[url.location]

    return Place(storage=storage, cross_process=False, lag=dt.timedelta())


def _s3(url: StoreURL, options: Mapping[str, Any]) -> Place:
    given = known_options(url, options, _S3)
    if ("access_key_id" in given) != ("secret_access_key" in given):
        message = f"storage_options of {url} has one of 'access_key_id' and 'secret_access_key'; give both, or none"
        raise PluginConfigurationError(message)
    bucket, prefix = _bucket(url)
    endpoint = given.get("endpoint_url", os.environ.get("AWS_ENDPOINT_URL"))
    if endpoint is not None:
        given |= {"endpoint_url": endpoint}
        given = {"allow_http": endpoint.startswith("http://"), "force_path_style": True} | given
    if not given.keys() & {"anonymous", "access_key_id"}:
        given["from_env"] = True
    return Place(storage=lambda: icechunk.s3_storage(bucket=bucket, prefix=prefix, **given))


def _gs(url: StoreURL, options: Mapping[str, Any]) -> Place:
    given = known_options(url, options, _GCS) or {"from_env": True}
    bucket, prefix = _bucket(url)
    return Place(storage=lambda: icechunk.gcs_storage(bucket=bucket, prefix=prefix, **given))


def _az(url: StoreURL, options: Mapping[str, Any]) -> Place:
    given = known_options(url, options, _AZURE)
    container, prefix = _bucket(url)
    account = given.pop("account", os.environ.get("AZURE_STORAGE_ACCOUNT"))
    if account is None:
        message = f"{url} needs the option 'account', or AZURE_STORAGE_ACCOUNT in the environment"
        raise PluginConfigurationError(message)
    credentials = given or {"from_env": True}
    return Place(
        storage=lambda: icechunk.azure_storage(account=account, container=container, prefix=prefix, **credentials)
    )


def _bucket(url: StoreURL) -> tuple[str, str]:
    bucket, _, prefix = url.location.partition("/")
    if not bucket or not prefix.strip("/") or "@" in bucket:
        message = f"{url} names no bucket and prefix; accepted: '{url.scheme}://bucket/prefix', credentials in storage_options"
        raise LocationError(message)
    return bucket, prefix.strip("/")


_KINDS: Final[Mapping[str, Callable[[StoreURL, Mapping[str, Any]], Place]]] = {
    "file": _file,
    "memory": _memory,
    "s3": _s3,
    "gs": _gs,
    "az": _az,
}
